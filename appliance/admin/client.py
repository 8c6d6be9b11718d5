"""A command's end of the admin socket: one connection, plain blocking calls."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from appliance.admin.errors import AdminError, ProtocolError, SocketError
from appliance.admin.protocol import (
    ABSENT,
    MAX_REPLY_BYTES,
    PROTOCOL,
    Fault,
    Hello,
    Reply,
    Request,
    Welcome,
    frame,
    raw,
    reply_decoder,
    welcome_decoder,
)

# Longer than the service gives itself for a command, so that it is the one to say what took so long.
TIMEOUT_S = 45.0
BACKLOG_WAITS_S = (0.01, 0.05, 0.1, 0.5, 1.0)
CHUNK_BYTES = 1 << 16


class Client:
    """A connection to the service at `path`, greeted. Use it as a context manager.

    Raises SocketError when there is no service or it does not let this user in, AdminError when it is of another
    version, ProtocolError when what answers is no sipwarden.
    """

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self.path = path
        self._received = bytearray()
        self._last_id = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            self.welcome = self._greet()
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up."""
        self._socket.close()

    def ask(self, command: str, **arguments: object) -> Any:
        """The result of a command. Raises AdminError with what the service says."""
        request_id = self._request(command, arguments)
        reply = self._reply(request_id)
        return msgspec.json.decode(reply.result)

    def follow(self, command: str, **arguments: object) -> Iterator[Any]:
        """The items of a stream, as they come, for as long as it goes on."""
        request_id = self._request(command, arguments)
        while True:
            reply = self._reply(request_id)
            if reply.item == ABSENT:
                return
            yield msgspec.json.decode(reply.item)

    def _greet(self) -> Welcome:
        self._connect()
        # A service that turns us away does not wait for our line.
        with contextlib.suppress(BrokenPipeError):
            self._socket.sendall(frame(Hello(PROTOCOL, f"sipwarden {version('sipwarden')}")))
        try:
            welcome = welcome_decoder.decode(self._line())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(f"{self.path}: what answers here is not sipwarden") from error
        if welcome.error is not None:
            raise _refused(self.path, welcome.error)
        if welcome.protocol != PROTOCOL:
            raise AdminError(
                "version",
                f"the service talks version {welcome.protocol} of the protocol, this command version {PROTOCOL}",
                f"use the sipwarden command of the version that runs: {welcome.version}",
            )
        return welcome

    def _connect(self) -> None:
        for wait_s in (*BACKLOG_WAITS_S, 0):
            try:
                return self._socket.connect(os.fspath(self.path))
            except BlockingIOError:  # more are waiting to be taken than there is room for
                time.sleep(wait_s)
            except OSError as error:
                raise _unreachable(self.path, error) from error
        raise AdminError("busy", f"{self.path}: too many clients want to be served", "try again")

    def _request(self, command: str, arguments: dict[str, object]) -> int:
        self._last_id += 1
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            self._socket.sendall(frame(Request(self._last_id, command, raw(given))))
        except OSError as error:
            raise _unreachable(self.path, error) from error
        return self._last_id

    def _reply(self, request_id: int) -> Reply:
        try:
            reply = reply_decoder.decode(self._line())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(f"{self.path}: the service sent what is not a reply") from error
        if reply.error is not None:
            raise AdminError(reply.error.code, reply.error.message, reply.error.hint)
        if reply.id != request_id:
            raise ProtocolError(f"{self.path}: a reply to {reply.id}, expected one to {request_id}")
        return reply

    def _line(self) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > MAX_REPLY_BYTES:
                raise ProtocolError(f"{self.path}: a line without an end")
            try:
                chunk = self._socket.recv(CHUNK_BYTES)
            except OSError as error:
                raise _unreachable(self.path, error) from error
            if not chunk:
                raise SocketError("gone", f"{self.path}: the service hung up", "`sipwarden doctor` says how it is")
            self._received += chunk
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line


def _unreachable(path: Path, error: OSError) -> SocketError:
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return SocketError(
            "not_running",
            f"no service answers at {path}",
            "start it: `systemctl start sipwarden`, or `sipwarden run`; another socket: --socket",
        )
    if isinstance(error, PermissionError):
        return SocketError("denied", f"{path}: this user may not use the socket", _joining(path))
    if isinstance(error, TimeoutError):
        return SocketError("timeout", f"{path}: the service does not answer", "`systemctl status sipwarden` says more")
    return SocketError("gone", f"{path}: {error.strerror or error}", "is the service still running?")


def _refused(path: Path, fault: Fault) -> AdminError:
    if fault.code == "denied":
        return SocketError(fault.code, f"{path}: {fault.message}", fault.hint)
    return AdminError(fault.code, fault.message, fault.hint)


def _joining(path: Path) -> str:
    """Which group one must be in, by the socket's file."""
    import grp  # noqa: PLC0415 - only a refusal needs it

    try:
        gid = path.stat().st_gid
        name = grp.getgrgid(gid).gr_name
    except (OSError, KeyError):
        return "use sudo, or ask for the group that [admin] readers names"
    return f"be in its group: `sudo usermod -aG {name} $USER`, then log in again; or use sudo"
