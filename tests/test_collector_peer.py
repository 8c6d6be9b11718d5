"""HTTP of one connection: who stalls is hung up on, who does not is left alone."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from litestar import Litestar, Request, post

from collector import peer
from collector.server import Listener
from tests.waiting import PATIENCE_S

WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
LIMIT = 8  # requests at a time
SLOW = [b"POST ", WHOLE[:30], WHOLE[:-1], WHOLE + WHOLE[:-1]]


@post("/")
async def read_all(request: Request) -> bytes:
    """What was sent."""
    return await request.body()


def with_a_listener(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    """Runs `talk` as a client of a listener."""

    async def run() -> None:
        app = Litestar([read_all], openapi_config=None, logging_config=None)
        listener = Listener("test", app, "127.0.0.1:0", None, LIMIT)
        serving = asyncio.create_task(listener.serve(sockets=[listener.socket]))
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.socket.getsockname()[1])
        async with asyncio.timeout(PATIENCE_S):
            await talk(reader, writer)
        writer.close()
        listener.should_exit = True
        await serving

    asyncio.run(run())


@pytest.mark.parametrize("sent", SLOW)
def test_a_request_that_does_not_become_whole_is_hung_up_on(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "REQUEST_S", 0.1)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        answers = await _until_hung_up(reader)
        assert answers.count(b"201 Created") == sent.count(WHOLE)

    with_a_listener(talk)


def test_an_idle_connection_is_kept_for_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "REQUEST_S", 0.05)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(WHOLE)
            assert b"201 Created" in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"hi"
            await asyncio.sleep(3 * peer.REQUEST_S)

    with_a_listener(talk)


def test_of_more_connections_than_a_listener_takes_the_last_are_hung_up_on() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("peername")[1]
        others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2 * LIMIT)]
        assert await _until_hung_up(others[-1][0]) == b""
        for _, other in others:
            other.close()
        writer.write(WHOLE)
        assert (await reader.readline()).startswith(b"HTTP/1.1 ")

    with_a_listener(talk)


async def _until_hung_up(reader: asyncio.StreamReader) -> bytes:
    heard = b""
    try:
        while data := await reader.read(4096):
            heard += data
    except ConnectionResetError:
        pass
    return heard
