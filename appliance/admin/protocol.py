"""What goes over the admin socket: one JSON object a line, in UTF-8.

    client                                             service
      {"protocol": 1, "client": "sipwarden 0.1.0"}  ->
                                                    <- {"protocol": 1, "version": "0.1.0", "role": "reader", ...}
      {"id": 1, "command": "status"}                ->
                                                    <- {"id": 1, "result": {...}}
      {"id": 2, "command": "follow", "arguments": {}} ->
                                                    <- {"id": 2, "item": {...}}      any number of them
                                                    <- {"id": 2, "result": {...}}    the last, where there is one

Instead of a result there is `"error": {"code", "message", "hint"}`. Requests of a connection are answered in order,
one at a time; a client that has enough of a stream hangs up. A service talks one version of the protocol: an older or
newer client is told so by name and turned away. Fields may be added to objects without a new version, so that a
client passes over what it does not know; a field that a request has and the service does not know is an error.
"""

from typing import Literal

import msgspec

PROTOCOL = 1

# A request is a command and a few arguments. The longest reply is a listing of MAX_ROWS rows.
MAX_REQUEST_BYTES = 64 << 10
MAX_REPLY_BYTES = 16 << 20
MAX_ROWS = 1000

ABSENT = msgspec.Raw()  # no JSON at all, which null would be

RoleName = Literal["reader", "administrator"]


class Hello(msgspec.Struct, frozen=True):
    """The first line of a client. What else it says is passed over: a later version may say more."""

    protocol: int
    client: str = ""


class Fault(msgspec.Struct, frozen=True):
    """Why there is no result."""

    code: str
    message: str
    hint: str = ""


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of the service."""

    protocol: int
    version: str
    user: str = ""
    role: RoleName = "reader"
    error: Fault | None = None


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One command. `id` is the client's own, and comes back with every line of the reply."""

    id: int
    command: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an answer: exactly one of the three. `id` is 0 when the request could not be read."""

    id: int
    result: msgspec.Raw = ABSENT
    item: msgspec.Raw = ABSENT
    error: Fault | None = None


# What a decoder raises for bytes that are not what it reads: RecursionError is that they are nested too deeply.
DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_encoder = msgspec.json.Encoder()
hello_decoder = msgspec.json.Decoder(Hello)
welcome_decoder = msgspec.json.Decoder(Welcome)
request_decoder = msgspec.json.Decoder(Request)
reply_decoder = msgspec.json.Decoder(Reply)


def frame(message: msgspec.Struct) -> bytes:
    """The message as one line."""
    return _encoder.encode(message) + b"\n"


def raw(value: object) -> msgspec.Raw:
    """A value as JSON inside a reply."""
    return msgspec.Raw(_encoder.encode(value))
