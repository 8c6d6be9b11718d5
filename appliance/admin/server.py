"""The service's end of the admin socket.

It runs on the service's event loop and trusts no client: their number, the length of a request, and the time for every
step are bounded, so that one which stalls, sends garbage or never reads costs a slot for some seconds and nothing else.
Readers cannot take the slots that are kept for administrators.
"""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from appliance import log
from appliance.admin import listener
from appliance.admin.box import Box
from appliance.admin.errors import AdminError, ProtocolError
from appliance.admin.peer import Access, Peer, Role, peer_of
from appliance.admin.protocol import (
    DECODE_ERRORS,
    MAX_REPLY_BYTES,
    MAX_REQUEST_BYTES,
    PROTOCOL,
    Fault,
    Reply,
    Request,
    Welcome,
    frame,
    hello_decoder,
    raw,
    request_decoder,
)
from appliance.admin.registry import Command, Context, Registry
from appliance.errors import BusyError

MAX_CLIENTS = 32
MAX_READERS = 24  # of them
HELLO_S = 5.0  # from connecting to the end of the first line
MAX_THREADS = 4  # that wait for the disk
IDLE_S = 60.0  # from one reply to the end of the next request
COMMAND_S = 30.0  # for a result
WRITE_S = 10.0  # for a client to take a line


class AdminServer:
    """Answers the commands of `registry` about `box`.

    `start` raises SocketInUseError and SocketError. `refused` counts the connections that were turned away.
    """

    def __init__(self, box: Box, registry: Registry) -> None:
        self.path = Path(box.config.admin.socket)
        self.refused = 0
        self._box = box
        self._registry = registry
        self._clients: dict[asyncio.Task, Role] = {}
        self._server: asyncio.Server | None = None
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="admin")
        self.configure()

    def configure(self) -> None:
        """Takes who may do what from the configuration in force; open connections too."""
        admin = self._box.config.admin
        self._access = Access(admin.administrators, admin.readers)

    async def start(self) -> None:
        listening = listener.listen(self.path)
        self._server = await asyncio.start_unix_server(self._accept, sock=listening, limit=MAX_REQUEST_BYTES)

    async def close(self) -> None:
        """Hangs up on every client and takes the socket's file away."""
        if self._server is None:
            return
        self._server.close()
        listener.remove(self.path)
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.sleep(0)  # a connection is closed on the loop's next turn

    # -- a connection ------------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            peer = peer_of(writer.get_extra_info("socket"))
        except (OSError, KeyError):
            return _hang_up(writer)
        role = self._access.role_of(peer)
        fault = self._refusal(peer, role)
        if fault is not None:
            self.refused += 1
            writer.write(frame(Welcome(protocol=PROTOCOL, version=self._box.version, user=peer.user, error=fault)))
            return _hang_up(writer)
        # A write counts as done when the kernel has it all: what the client does not take is not ours to keep.
        writer.transport.set_write_buffer_limits(high=0)
        client = asyncio.ensure_future(self._serve(peer, reader, writer))
        self._clients[client] = role
        client.add_done_callback(self._clients.pop)
        return None

    def _refusal(self, peer: Peer, role: Role) -> Fault | None:
        if role is Role.NOBODY:
            administrators, readers = self._access.names[Role.ADMINISTRATOR], self._access.names[Role.READER]
            log.info("an admin client was turned away", by=peer.user, uid=peer.uid)
            return Fault(
                "denied",
                f"{peer.user} may not use this socket",
                f"readers are {', '.join(readers) or 'nobody'}; administrators are {', '.join(administrators)}",
            )
        readers_count = sum(one is Role.READER for one in self._clients.values())
        if len(self._clients) >= MAX_CLIENTS or (role is Role.READER and readers_count >= MAX_READERS):
            return Fault("busy", f"{len(self._clients)} clients are connected already", "close some, or try again")
        return None

    async def _serve(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await self._greet(peer, reader, writer):
                while line := await _line(reader, IDLE_S):
                    if not await self._answer(peer, line, reader, writer):
                        break
        except ProtocolError as error:
            with contextlib.suppress(OSError, TimeoutError):
                await _send(writer, Reply(id=0, error=_fault(error)))
        except (OSError, TimeoutError):
            pass  # it went, or was too slow: nobody is left to tell
        except asyncio.CancelledError:
            pass  # the service stops
        finally:
            _hang_up(writer)

    async def _greet(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """The handshake. False when the client talks another version of the protocol."""
        line = await _line(reader, HELLO_S)
        if not line:
            return False
        try:
            hello = hello_decoder.decode(line)
        except DECODE_ERRORS as error:
            raise ProtocolError(f"not a greeting: {error}") from error
        fault = None
        if hello.protocol != PROTOCOL:
            fault = Fault(
                "version",
                f"the client talks version {hello.protocol} of the protocol, the service version {PROTOCOL}",
                f"use the sipwarden command of the version that runs: {self._box.version}",
            )
        role = self._access.role_of(peer).title
        welcome = Welcome(protocol=PROTOCOL, version=self._box.version, user=peer.user, role=role, error=fault)
        await _send(writer, welcome)
        return fault is None

    # -- a request ---------------------------------------------------------------------------------------

    async def _answer(
        self, peer: Peer, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answers one request. False when the connection is over."""
        try:
            request = request_decoder.decode(line)
        except DECODE_ERRORS as error:
            raise ProtocolError(f"not a request: {error}") from error
        try:
            command = self._registry.of(request.command)
            context = Context(self._box, peer, self._allowed(peer, command), self._threads)
            arguments = _arguments(command, request)
            if command.is_stream:
                return await self._stream(command, context, arguments, request.id, reader, writer)
            async with asyncio.timeout(COMMAND_S):
                result = await command.run(context, arguments)  # type: ignore[misc]
            reply = Reply(id=request.id, result=raw(result))
        except AdminError as error:
            reply = Reply(id=request.id, error=_fault(error))
        except BusyError as error:
            reply = Reply(id=request.id, error=Fault("busy", str(error), "try again"))
        except TimeoutError:
            reply = Reply(id=request.id, error=Fault("timeout", f"no answer within {COMMAND_S:.0f} s", "try again"))
        except Exception:
            # One command that fails must not take the socket with it.
            log.exception("an admin command failed", command=request.command)
            reply = Reply(id=request.id, error=Fault("internal", "the command failed", "the service's log says why"))
        await _send(writer, reply)
        return True

    def _allowed(self, peer: Peer, command: Command) -> Role:
        role = self._access.role_of(peer)
        if role >= command.role:
            return role
        raise AdminError(
            "forbidden",
            f"{command.name} is for administrators, and {peer.user} is none",
            f"administrators are {', '.join(self._access.names[Role.ADMINISTRATOR])}",
        )

    async def _stream(
        self,
        command: Command,
        context: Context,
        arguments: msgspec.Struct,
        request_id: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Sends items until there are no more or the client hangs up; one that speaks meanwhile is hung up on."""

        async def send_items() -> None:
            async for item in command.run(context, arguments):  # type: ignore[union-attr]
                await _send(writer, Reply(id=request_id, item=raw(item)))

        sending = asyncio.ensure_future(send_items())
        listening = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((sending, listening), return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                return False
            await sending
        finally:
            for task in (sending, listening):
                task.cancel()
            await asyncio.gather(sending, listening, return_exceptions=True)
        await _send(writer, Reply(id=request_id, result=raw(None)))
        return True


def _arguments(command: Command, request: Request) -> msgspec.Struct:
    try:
        return command.arguments.decode(request.arguments)
    except DECODE_ERRORS as error:
        raise AdminError("arguments", f"{command.name}: {error}") from error


def _fault(error: AdminError) -> Fault:
    return Fault(error.code, error.message, error.hint)


async def _line(reader: asyncio.StreamReader, timeout_s: float) -> bytes:
    """One line without its end, b"" when the client has hung up. Raises ProtocolError and TimeoutError."""
    try:
        async with asyncio.timeout(timeout_s):
            return (await reader.readuntil(b"\n")).rstrip(b"\r\n") or b" "
    except asyncio.IncompleteReadError:
        return b""
    except asyncio.LimitOverrunError as error:
        raise ProtocolError(f"a line is longer than {MAX_REQUEST_BYTES} bytes") from error


async def _send(writer: asyncio.StreamWriter, message: Reply | Welcome) -> None:
    data = frame(message)
    if len(data) > MAX_REPLY_BYTES and isinstance(message, Reply):
        data = frame(Reply(id=message.id, error=Fault("too_long", "the answer is too long", "ask for fewer: --limit")))
    writer.write(data)
    async with asyncio.timeout(WRITE_S):
        await writer.drain()


def _hang_up(writer: asyncio.StreamWriter) -> None:
    """Closes at once what the client has not taken; what is in the kernel's buffer stays readable."""
    if writer.transport.get_write_buffer_size():
        writer.transport.abort()
    else:
        writer.close()
