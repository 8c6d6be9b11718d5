"""The simulator played live: real datagrams, on the loopback interface and nowhere else, for a bounded time."""

import socket
import time
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

import simulator
from appliance.config import Hep
from appliance.sources.hep import HepSource
from simulator import command
from simulator.hep import HepPlayer
from simulator.intent import Endpoint
from simulator.live import LivePlayer, place, target
from simulator.packets import HEADER_BYTES, fragments, frame
from simulator.player import LIMIT_S
from simulator.rhythm import NS_PER_S
from tests.waiting import PATIENCE_S, until

SERVER = Endpoint("10.0.0.5")
CALLER = Endpoint("100.64.0.7", 23456)


@pytest.fixture
def listener():
    """A socket with a free port on the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        one.bind(("127.0.0.1", 0))
        one.settimeout(PATIENCE_S)
        yield one


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def to_server(payload: bytes) -> bytes:
    return frame(CALLER, SERVER, payload, 1, True)


def from_server(payload: bytes) -> bytes:
    return frame(SERVER, CALLER, payload, 1, False)


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_listener_hears_the_callers_requests_whole_and_from_their_own_addresses(
    listener: socket.socket, tmp_path: Path
):
    port = listener.getsockname()[1]
    heard: list[tuple[tuple[str, int], bytes]] = []

    def listen() -> None:
        while True:
            data, sender = listener.recvfrom(65535)
            if data == b"done":
                return
            heard.append((sender, data))

    thread = Thread(target=listen)
    thread.start()
    made = simulator.run("sample", labels=tmp_path / "x.jsonl", live=f"127.0.0.1:{port}", speed=300.0)
    listener.sendto(b"done", listener.getsockname())
    thread.join(PATIENCE_S)
    calls = {data.split(b"Call-ID: ")[1].split(b"\r\n")[0] for _, data in heard
             if data.startswith(b"INVITE ") and b"Call-ID: " in data}  # fmt: skip
    assert made.packets > len(heard) > 400
    assert len(calls) > 50
    senders = {sender for sender, _ in heard}
    assert len(senders) > 20
    assert all(address.startswith("127.") and address != "127.0.0.1" for address, _ in senders)
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == made.calls + made.sources


def test_the_servers_side_is_played_from_the_target_when_nobody_has_it():
    port = free_port()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller,
        LivePlayer(Endpoint("127.0.0.1", port), [SERVER]) as player,
    ):
        caller.bind((place(CALLER.address), CALLER.port))
        caller.settimeout(PATIENCE_S)
        player.write([(0, from_server(b"SIP/2.0 200 OK"))], [])
        assert caller.recvfrom(100) == (b"SIP/2.0 200 OK", ("127.0.0.1", port))
        assert (player.packets, player.skipped) == (1, 0)


def test_the_servers_side_is_left_out_when_somebody_has_the_target(listener: socket.socket):
    with LivePlayer(Endpoint(*listener.getsockname()), [SERVER]) as player:
        player.write([(0, from_server(b"SIP/2.0 200 OK")), (1, to_server(b"OPTIONS"))], [])
        assert (player.packets, player.skipped) == (1, 1)
    assert listener.recv(100) == b"OPTIONS"


def test_packets_are_sent_when_they_are_due_at_the_speed_that_is_asked(listener: socket.socket):
    clock = Clock()
    with LivePlayer(Endpoint(*listener.getsockname()), [SERVER], 4.0, clock=clock, sleep=clock.sleep) as player:
        player.write([(8 * NS_PER_S, to_server(b"first")), (18 * NS_PER_S, to_server(b"second"))], [])
    assert clock.now == pytest.approx(100.0 + 10 / 4)


def test_a_run_ends_at_the_limit_whatever_is_left(listener: socket.socket):
    clock = Clock()
    late = int((LIMIT_S + 1) * NS_PER_S)
    with LivePlayer(Endpoint(*listener.getsockname()), [SERVER], clock=clock, sleep=clock.sleep) as player:
        player.write([(0, to_server(b"first")), (late, to_server(b"late"))], [])
        assert (player.packets, player.skipped) == (1, 1)
    assert clock.now == 100.0


@pytest.mark.parametrize(
    "text",
    ["192.0.2.1:5060", "0.0.0.0:5060", "example.com:5060", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999"],
)
def test_only_a_loopback_address_with_a_port_is_played_to(text: str):
    with pytest.raises(simulator.ScenarioError, match="--live"):
        target(text)


def test_a_capture_and_a_target_at_once_or_neither_is_refused(tmp_path: Path):
    for options in ({}, {"out": tmp_path / "x.pcap", "live": "127.0.0.1:5060"}):
        with pytest.raises(simulator.ScenarioError):
            simulator.run("sample", **options)
    with pytest.raises(simulator.ScenarioError, match="speed"):
        simulator.run("sample", live="127.0.0.1:5060", speed=0.0)


def test_the_command_refuses_a_target_that_is_not_loopback(capsys: pytest.CaptureFixture):
    assert command.run([Path("sample")], None, live="192.0.2.1:5060") == command.EXIT_UNUSABLE
    assert "loopback" in capsys.readouterr().err


_ADDRESSES = st.tuples(
    st.sampled_from([(10, 0), (100, 64), (172, 16), (198, 18)]), st.integers(0, 1), st.integers(0, 255),
    st.integers(0, 255),
)  # fmt: skip


@given(st.lists(_ADDRESSES, min_size=2, max_size=2, unique=True))
def test_different_addresses_have_different_places_on_the_loopback_interface(parts: list):
    one, two = (place(f"{block[0]}.{block[1] + index}.{a}.{b}") for block, index, a, b in parts)
    assert one != two
    assert one.startswith("127.")
    assert not one.startswith("127.0.")


@given(st.binary(max_size=5000), st.integers(0, 65535))
def test_the_fragments_of_a_datagram_are_all_of_it_and_fit_the_wire(payload: bytes, identification: int):
    whole = frame(CALLER, SERVER, payload, identification, True)
    parts = fragments(whole)
    assert all(len(part) <= 1514 for part in parts)
    assert b"".join(part[34:] for part in parts) == whole[34:]
    for part in parts:
        words = [int.from_bytes(part[at : at + 2], "big") for at in range(14, 34, 2)]
        total = sum(words)
        assert (total & 0xFFFF) + (total >> 16) in (0xFFFF, 0x1FFFE)
        assert int.from_bytes(part[16:18], "big") == len(part) - 14
        assert part[18:20] == whole[18:20]
    if len(parts) > 1:
        at = [int.from_bytes(part[20:22], "big") for part in parts]
        assert [bool(flags & 0x2000) for flags in at] == [True] * (len(parts) - 1) + [False]
        assert [8 * (flags & 0x1FFF) for flags in at] == [k * 1480 for k in range(len(parts))]
    assert len(whole) == HEADER_BYTES + len(payload)


# --- as HEP


def test_a_scenario_played_as_hep_is_heard_with_its_own_addresses_and_the_time_of_now():
    source = HepSource(Hep(listen="127.0.0.1:0"))
    source.receive()
    frames = [(0, to_server(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n")), (1, to_server(b"\x80RTP is not reported"))]
    with HepPlayer(Endpoint("127.0.0.1", source.port)) as player:
        player.write(frames, [])
    assert (player.packets, player.skipped) == (1, 1)
    heard = []
    until(lambda: source.receive() or heard.extend(source.reader) or heard)
    source.close()
    ((time_ns, _, data, _),) = heard
    assert abs(time.time_ns() - time_ns) < PATIENCE_S * NS_PER_S
    assert b"OPTIONS sip:a@b SIP/2.0" in data


def test_what_nobody_listens_to_is_lost_as_on_any_network():
    with HepPlayer(Endpoint("127.0.0.1", 9)) as player:
        player.write([(i, to_server(b"OPTIONS")) for i in range(3)], [])
    assert player.packets + player.skipped == 3
    assert player.skipped >= 1
