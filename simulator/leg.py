"""One Call-ID between a line and the server: its identity (RFC 3261 12) and the messages either side can send."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from simulator.intent import Endpoint, Line
from simulator.message import Fields, render, request_line, status_line
from simulator.vendors import Style

_TELLS_METHODS = ("INVITE", "UPDATE", "REGISTER", "OPTIONS")  # requests with Allow and Supported


@dataclass(frozen=True, slots=True)
class Server:
    """The B2BUA at whose edge the mirror is."""

    endpoint: Endpoint
    media_address: str
    style: Style
    agent: str


class Leg:
    """Writes the messages. `uri`, `own`, `other` (Request-URI, From and To of the line) and `identity` are set by who
    plays it."""

    def __init__(self, line: Line, server: Server, call_id: str, rng: Random, target: Endpoint | None = None):
        self.line, self.server, self.call_id = line, server, call_id
        self.target = target or server.endpoint
        self.uri = self.own = self.other = self.user = ""
        self.identity: Fields = {}  # header fields of the first INVITE, see simulator.identity
        self._rng = rng
        self.via = ""  # of the line's current transaction
        self._tag, self._server_tag = line.style.tag.draw(rng), server.style.tag.draw(rng)
        self.cseq = int(line.style.cseq.draw(rng)) - 1
        self._server_cseq = rng.randrange(1, 200)

    # --- what the line sends

    def next_transaction(self) -> int:
        """A new branch and CSeq number for the line's next request; returns the number."""
        self.new_branch()
        self.cseq += 1
        return self.cseq

    def new_branch(self) -> None:
        endpoint, style = self.line.endpoint, self.line.style
        rport = ";rport" if style.rport else ""
        branch = style.branch.draw(self._rng, endpoint.address)
        self.via = f"SIP/2.0/UDP {endpoint.address}:{endpoint.port}{rport};branch=z9hG4bK{branch}"

    def request(
        self, method: str, cseq: int, at_ns: int, body: str = "", *, in_dialog: bool = False, more: Fields | None = None
    ) -> bytes:
        """A request of the line; in a dialog its To has the server's tag."""
        style = self.line.style
        fields = self._common(f"{cseq} {method}", in_dialog)
        fields["Max-Forwards"] = str(style.max_forwards)
        if self.line.agent:
            fields["User-Agent"] = self.line.agent
        if method not in ("ACK", "CANCEL", "BYE") and (style.contact or method == "REGISTER"):
            fields["Contact"] = self._contact()
        if method in _TELLS_METHODS:
            self._capabilities(fields)
        if method == "INVITE":
            self._invite_fields(fields, at_ns)
            if not in_dialog:
                self._identify(fields)
        return render(request_line(method, self.uri), style, fields | (more or {}), body)

    def _capabilities(self, fields: Fields) -> None:
        style = self.line.style
        if style.allow:
            fields["Allow"] = style.allow
        if style.supported:
            fields["Supported"] = style.supported

    def _invite_fields(self, fields: Fields, at_ns: int) -> None:
        style = self.line.style
        for name, pattern in style.extras.items():
            fields[name] = pattern.draw(self._rng, self.line.endpoint.address, at_ns)
        if style.session_timer_s:
            fields["Session-Expires"] = str(style.session_timer_s)
        if style.asserts_identity:
            fields["P-Asserted-Identity"] = f"<sip:{self.line.user}@{self.line.domain}>"

    def _identify(self, fields: Fields) -> None:
        """Put the network's word on the caller in place of the product's own."""
        for name, value in self.identity.items():
            fields.pop(name, None)
            if value:
                fields[name] = value

    def response(self, code: int, via: str, method: str) -> bytes:
        """The line's response to a request of the server."""
        fields = self._server_common(via, method)
        if self.line.agent:
            fields["User-Agent"] = self.line.agent
        return render(status_line(code, self.line.style), self.line.style, fields)

    def credentials(self) -> str:
        """A Digest response (RFC 2617); the server of this simulation knows already what it thinks of it."""
        rng = self._rng
        return (
            f'Digest username="{self.user}", realm="{self.target.address}", nonce="{rng.getrandbits(96):024x}", '
            f'uri="{self.uri}", response="{rng.getrandbits(128):032x}", algorithm=MD5'
        )

    # --- what the server sends

    def server_response(self, code: int, cseq: int, method: str, body: str = "", more: Fields | None = None) -> bytes:
        """The server's response to a request of the line; 100 has no To tag yet."""
        server = self.server
        fields = self._common(f"{cseq} {method}", code != 100)
        endpoint = self.line.endpoint
        fields["Via"] = self.via.replace(";rport", f";received={endpoint.address};rport={endpoint.port}")
        if server.agent:
            fields["User-Agent"] = server.agent
        if method == "INVITE" and 100 < code < 300:
            fields["Contact"] = f"<{self.server_uri}>"
            if server.style.allow:
                fields["Allow"] = server.style.allow
        return render(status_line(code, server.style), server.style, fields | (more or {}), body)

    def server_request(self, method: str) -> tuple[str, bytes]:
        """A request of the server inside the dialog, and its Via for the response."""
        server, endpoint = self.server, self.line.endpoint
        here = server.endpoint
        via = (
            f"SIP/2.0/UDP {here.address}:{here.port};branch=z9hG4bK{server.style.branch.draw(self._rng, here.address)}"
        )
        self._server_cseq += 1
        fields = self._server_common(via, method)
        fields["Max-Forwards"] = str(server.style.max_forwards)
        return via, render(
            request_line(method, f"sip:{self.user}@{endpoint.address}:{endpoint.port}"), server.style, fields
        )

    def challenge(self, stale: bool = False) -> str:
        return (
            f'Digest realm="{self.target.address}", nonce="{self._rng.getrandbits(96):024x}", algorithm=MD5, qop="auth"'
            + ", stale=true" * stale
        )

    @property
    def server_uri(self) -> str:
        return f"sip:{self.target.address}:{self.target.port}"

    # --- what both have

    def _contact(self) -> str:
        endpoint = self.line.endpoint
        return f"<sip:{self.user}@{endpoint.address}:{endpoint.port}>"

    def _common(self, cseq: str, to_tag: bool) -> Fields:
        to = f"{self.other};tag={self._server_tag}" if to_tag else self.other
        return {"Via": self.via, "From": f"{self.own};tag={self._tag}", "To": to, "Call-ID": self.call_id, "CSeq": cseq}

    def _server_common(self, via: str, method: str) -> Fields:
        return {
            "Via": via,
            "From": f"{self.other};tag={self._server_tag}",
            "To": f"{self.own};tag={self._tag}",
            "Call-ID": self.call_id,
            "CSeq": f"{self._server_cseq} {method}",
        }
