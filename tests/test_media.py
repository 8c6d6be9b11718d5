"""RTP streams: which are found, whose they are, and their loss and jitter (RFC 3550)."""

import random
import re
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader, wrpcap

from kernels.media import MediaTable
from kernels.reference_media import interarrival_jitter, sequence_statistics

CALLER = ("192.0.2.1", 16384)
CALLEE = ("198.51.100.1", 30000)
MS = 1_000_000
SECOND_NS = 1_000_000_000
PCMU, PCMA, EVENT = (0, "PCMU", 8000), (8, "PCMA", 8000), (101, "telephone-event", 8000)


def rtp_packet(
    sequence: int, timestamp: int, ssrc: int = 0xABCD, payload_type: int = 0, payload: bytes = b"\xff" * 160
) -> bytes:
    return struct.pack(">BBHII", 0x80, payload_type, sequence % 2**16, timestamp % 2**32, ssrc) + payload


@pytest.fixture
def table() -> MediaTable:
    return MediaTable(secret=1)


def talk(
    table: MediaTable,
    packets: int,
    source=CALLER,
    destination=CALLEE,
    first: int = 0,
    start_ns: int = SECOND_NS,
    **header,
) -> list[str]:
    """An even stream of 20 ms packets."""
    return [
        table.feed(source, destination, rtp_packet(n, 160 * n, **header), start_ns + n * 20 * MS)
        for n in range(first, first + packets)
    ]


def only(table: MediaTable, call_slot=None) -> dict:
    streams = table.list_streams(call_slot)
    assert len(streams) == 1
    return streams[0]


# --- Loss and jitter against the plain twin --------------------------------------------------------------------------


def arrivals(draw_steps: list[tuple[int, int, int]], start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sequence numbers, timestamps and arrival times from steps of each."""
    steps = np.array(draw_steps, dtype=np.int64)
    sequences = (start + np.cumsum(steps[:, 0])) % 2**16
    timestamps = (start * 70_001 + np.cumsum(steps[:, 1])) % 2**32
    arrival_ns = SECOND_NS + np.cumsum(steps[:, 2])
    return sequences, timestamps, arrival_ns


sequence_steps = st.sampled_from(
    [1, 1, 1, 1, 1, 1, 2, 3, 0, -1, -2, 50, -90, 2999, 3000, -100, -99, 30_000]
) | st.integers(-70_000, 70_000)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(sequence_steps, st.integers(0, 480), st.integers(0, 40 * MS)), min_size=1, max_size=120),
    st.integers(0, 2**16 - 1),
)
def test_loss_is_that_of_the_plain_twin(steps, start):
    sequences, timestamps, arrival_ns = arrivals(steps, start)
    table = MediaTable(secret=1)
    table.expect_media(0, CALLEE, [PCMU])
    for sequence, timestamp, time_ns in zip(sequences, timestamps, arrival_ns, strict=True):
        assert table.feed(CALLER, CALLEE, rtp_packet(int(sequence), int(timestamp)), int(time_ns)) == "rtp"
    expected = sequence_statistics(sequences)
    stream = only(table)
    found = {name: stream[name] for name in ("packets", "expected", "restarts")}
    found["late"] = stream["duplicates"] + stream["reordered"]
    assert found == expected


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 1, 1, 2, 0, -1, 5]),
            st.integers(-1000, 3000),
            st.integers(0, 100 * MS),
        ),
        min_size=2,
        max_size=120,
    ),
    st.integers(0, 2**16 - 1),
    st.sampled_from([8000, 16000, 48000, 90000]),
)
def test_jitter_is_that_of_the_plain_twin(steps, start, clock_hz):
    sequences, timestamps, arrival_ns = arrivals(steps, start)
    table = MediaTable(secret=1)
    table.expect_media(0, CALLEE, [(96, "x", clock_hz)])
    for sequence, timestamp, time_ns in zip(sequences, timestamps, arrival_ns, strict=True):
        table.feed(CALLER, CALLEE, rtp_packet(int(sequence), int(timestamp), payload_type=96), int(time_ns))
    jitter = interarrival_jitter(arrival_ns, timestamps, clock_hz)
    stream = only(table)
    assert stream["jitter_ticks"] == pytest.approx(jitter[-1], rel=1e-9, abs=1e-9)
    assert stream["jitter_max_ms"] == pytest.approx(jitter.max() * 1000 / clock_hz, rel=1e-9, abs=1e-9)
    assert stream["jitter_mean_ms"] == pytest.approx(jitter[1:].mean() * 1000 / clock_hz, rel=1e-9, abs=1e-9)


def test_loss_over_a_wrap_of_the_sequence_number(table):
    talk(table, 10, first=65530)
    talk(table, 10, first=65545)
    assert (only(table)["packets"], only(table)["expected"], only(table)["lost"]) == (20, 25, 5)


def test_a_duplicate_and_a_late_packet_are_told_apart(table):
    talk(table, 10)
    table.feed(CALLER, CALLEE, rtp_packet(12, 12 * 160), SECOND_NS + 240 * MS)
    table.feed(CALLER, CALLEE, rtp_packet(12, 12 * 160), SECOND_NS + 241 * MS)
    table.feed(CALLER, CALLEE, rtp_packet(11, 11 * 160), SECOND_NS + 242 * MS)
    stream = only(table)
    assert (stream["duplicates"], stream["reordered"], stream["expected"]) == (1, 1, 13)


def test_a_restart_is_neither_loss_nor_jitter(table):
    talk(table, 50)
    for n in range(50):
        table.feed(CALLER, CALLEE, rtp_packet(40_000 + n, 9_000_000 + 160 * n), SECOND_NS * 2 + n * 20 * MS)
    stream = only(table)
    assert (stream["packets"], stream["lost"], stream["restarts"]) == (100, 0, 1)
    assert stream["jitter_max_ms"] == pytest.approx(0)


# --- Which streams there are -----------------------------------------------------------------------------------------


def test_a_stream_that_sdp_announced_counts_from_its_first_packet(table):
    table.expect_media(7, CALLEE, [PCMU, EVENT])
    assert talk(table, 1) == ["rtp"]
    stream = only(table, 7)
    assert (stream["call_slot"], stream["codec"], stream["clock_hz"]) == (7, "PCMU", 8000)


def test_the_senders_sdp_is_enough(table):
    table.expect_media(7, CALLER, [PCMU])
    assert talk(table, 1) == ["rtp"]
    assert only(table, 7)["source"] == CALLER


def test_payload_types_are_read_in_the_receivers_numbers(table):
    table.expect_media(7, CALLER, [(96, "opus", 48000)])
    table.expect_media(7, CALLEE, [(96, "G726-32", 8000)])
    talk(table, 5, payload_type=96)
    assert only(table)["codec"] == "G726-32"


def test_without_signalling_four_packets_prove_a_stream_and_all_count(table):
    assert talk(table, 5) == ["candidate"] * 3 + ["rtp"] * 2
    assert table.counters["rtp_packets"] == 5
    assert only(table)["packets"] == 5
    assert only(table)["codec"] == "PCMU"
    assert only(table)["call_slot"] is None


def test_reordering_does_not_stop_a_stream_from_being_proved(table):
    for at, n in enumerate((1, 0, 3, 2, 4)):
        table.feed(CALLER, CALLEE, rtp_packet(n, 160 * n), SECOND_NS + at * 20 * MS)
    assert only(table)["packets"] == 5


def test_a_dynamic_payload_type_without_sdp_has_no_name_and_no_jitter(table):
    talk(table, 10, payload_type=111)
    stream = only(table)
    assert (stream["codec"], stream["jitter_ms"], stream["packets"]) == (None, None, 10)


def test_another_ssrc_is_another_stream(table):
    talk(table, 10)
    talk(table, 10, ssrc=0x1234)
    talk(table, 10, source=CALLEE, destination=CALLER)
    assert table.counters["rtp_streams"] == 3


def test_a_stream_of_nothing_but_telephone_events_is_found(table):
    for n in range(10):
        event = rtp_packet(n, 800, payload_type=96, payload=b"\x05\x0a\x00\xa0")
        table.feed(CALLER, CALLEE, event, SECOND_NS + n * 20 * MS)
    assert only(table)["packets"] == 10


@pytest.mark.parametrize("payload", [b"", b"\x05\x0a\x00\xa0"])
def test_a_constant_timestamp_is_no_audio(table, payload):
    for n in range(20):
        status = table.feed(CALLER, CALLEE, rtp_packet(n, 800, payload=payload or b"x" * 160), SECOND_NS + n * 20 * MS)
        assert status == "candidate"
    assert table.counters["rtp_packets"] == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda n: {"sequence": 7 * n * n + 100 * n},  # numbers that jump
        lambda n: {"sequence": 5},  # a constant
        lambda n: {"timestamp": n * 1_000_000_007},  # timestamps that are none
        lambda n: {"timestamp": -160 * n},  # going back
        lambda n: {"payload_type": (0, 8, 18)[n % 3]},  # several codecs
        lambda n: {"payload_type": 50},  # none of RFC 3551
        lambda n: {"ssrc": 0},
        lambda n: {"ssrc": n + 1},
        lambda n: {"payload": b""},
    ],
    ids=range(9),
)
def test_what_does_not_behave_like_one_stream_is_not_rtp(table, change):
    for n in range(100):
        fields = {"sequence": n, "timestamp": 160 * n} | change(n)
        table.feed(CALLER, CALLEE, rtp_packet(**fields), SECOND_NS + n * 20 * MS)
    assert table.counters["rtp_streams"] == 0


@pytest.mark.parametrize("port", [53, 123, 443, 1023])
def test_system_ports_carry_no_unannounced_media(table, port):
    talk(table, 10, destination=("198.51.100.1", port))
    assert table.counters["rtp_streams"] == 0


def test_random_datagrams_are_not_rtp(table):
    chance = random.Random(9)
    for n in range(20_000):
        table.feed(CALLER, CALLEE, bytes([0x80]) + chance.randbytes(40), SECOND_NS + n * MS)
    assert table.counters["rtp_streams"] == 0


def test_t38_is_not_rtp(table):
    table.expect_media(3, CALLEE, is_rtp=False)
    assert talk(table, 10) == ["none"] * 10


def test_a_move_to_t38_on_the_same_port_ends_rtp_there(table):
    table.expect_media(3, CALLEE, [PCMU])
    talk(table, 10)
    table.expect_media(3, CALLEE, is_rtp=False)
    assert talk(table, 10, ssrc=99) == ["none"] * 10
    assert only(table, 3)["packets"] == 10


@pytest.mark.parametrize("first", [0, 1, 16, 20, 22, 63, 64, 79])
def test_stun_zrtp_dtls_and_turn_are_not_rtp(table, first):
    table.expect_media(3, CALLEE, [PCMU])
    assert table.feed(CALLER, CALLEE, bytes([first]) + rtp_packet(1, 1)[1:], SECOND_NS) == "none"


def test_rtcp_is_counted_and_is_no_stream(table):
    report = bytes.fromhex("80c80006" + "00" * 24)
    assert table.feed(CALLER, CALLEE, report, SECOND_NS) == "rtcp"
    assert table.counters["rtcp_packets"] == 1
    assert table.counters["rtp_streams"] == 0


def test_reduced_or_encrypted_rtcp_is_known_where_media_is_expected(table):
    feedback = bytes.fromhex("81ce0002" + "00000001" + "00000002" + "ffffff")
    assert table.feed(CALLER, CALLEE, feedback, SECOND_NS) == "none"
    table.expect_media(3, CALLEE, [PCMU])
    assert table.feed(CALLER, CALLEE, feedback, SECOND_NS) == "rtcp"
    beside = (CALLEE[0], CALLEE[1] + 1)
    assert table.feed((CALLER[0], CALLER[1] + 1), beside, feedback, SECOND_NS) == "rtcp"


# --- Events, noise, codecs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False])
def test_telephone_events_belong_to_the_stream_and_do_not_jitter(table, announced):
    if announced:
        table.expect_media(0, CALLEE, [PCMU, EVENT])
    talk(table, 50)
    for n in range(50, 60):
        table.feed(
            CALLER,
            CALLEE,
            rtp_packet(n, 50 * 160, payload_type=101, payload=b"\x05\x0a\x00\xa0"),
            SECOND_NS + n * 20 * MS,
        )
    talk(table, 50, first=60)
    stream = only(table)
    assert (stream["packets"], stream["lost"], stream["codec"]) == (110, 0, "PCMU")
    assert stream["jitter_max_ms"] == pytest.approx(0, abs=1e-9)


def test_comfort_noise_does_not_jitter(table):
    talk(table, 50)
    table.feed(CALLER, CALLEE, rtp_packet(50, 50 * 160 + 77, payload_type=13, payload=b"\x40"), SECOND_NS + 1033 * MS)
    for n in range(51, 100):  # speech again after two seconds of silence
        table.feed(CALLER, CALLEE, rtp_packet(n, 160 * (n + 100)), SECOND_NS + (n + 100) * 20 * MS)
    stream = only(table)
    assert (stream["packets"], stream["lost"], stream["codec"]) == (100, 0, "PCMU")
    assert stream["jitter_max_ms"] == pytest.approx(0, abs=1e-9)


def test_events_before_audio_do_not_name_the_stream(table):
    table.expect_media(0, CALLEE, [PCMA, EVENT])
    table.feed(CALLER, CALLEE, rtp_packet(0, 0, payload_type=101, payload=b"\x05\x0a\x00\xa0"), SECOND_NS)
    assert only(table)["codec"] == "TELEPHONE-EVENT"
    talk(table, 10, first=1, payload_type=8)
    assert only(table)["codec"] == "PCMA"


def test_a_change_of_codec_renames_the_stream_and_keeps_jitter_in_time(table):
    table.expect_media(0, CALLEE, [PCMU, (96, "L16", 16000)])
    talk(table, 20)
    table.feed(CALLER, CALLEE, rtp_packet(20, 3200), SECOND_NS + 430 * MS)
    before = only(table)
    table.feed(CALLER, CALLEE, rtp_packet(21, 3360, payload_type=96), SECOND_NS + 440 * MS)
    after = only(table)
    assert (after["codec"], after["clock_hz"]) == ("L16", 16000)
    assert after["jitter_ms"] == pytest.approx(before["jitter_ms"])
    assert before["jitter_ms"] > 0


# --- Calls ----------------------------------------------------------------------------------------------------------


def test_a_stream_is_given_to_its_call_when_sdp_comes_later(table):
    talk(table, 10, payload_type=111)
    table.expect_media(5, CALLEE, [(111, "opus", 48000)])
    talk(table, 1, first=10, payload_type=111)
    stream = only(table, 5)
    assert (stream["codec"], stream["packets"], stream["clock_hz"]) == ("OPUS", 11, 48000)


def test_streams_of_a_call_are_listed_as_they_appeared(table):
    table.expect_media(5, CALLEE, [PCMU])
    for ssrc in (9, 3, 7):
        talk(table, 1, ssrc=ssrc)
    assert [stream["ssrc"] for stream in table.list_streams(5)] == [9, 3, 7]


def test_a_re_invite_moves_the_endpoint(table):
    table.expect_media(5, CALLEE, [PCMU])
    talk(table, 5)
    moved = ("198.51.100.1", 30002)
    table.expect_media(5, moved, [PCMA])
    assert talk(table, 5, destination=moved, payload_type=8) == ["rtp"] * 5
    assert [stream["codec"] for stream in table.list_streams(5)] == ["PCMU", "PCMA"]


def test_a_port_that_is_used_again_belongs_to_the_new_call(table):
    table.expect_media(5, CALLEE, [PCMU])
    talk(table, 5)
    table.expect_media(6, CALLEE, [PCMU])
    talk(table, 5, ssrc=77)
    assert only(table, 5)["ssrc"] == 0xABCD
    assert only(table, 6)["ssrc"] == 77


def test_held_and_declined_media_name_no_endpoint(table):
    table.expect_media(5, ("0.0.0.0", 30000), [PCMU])
    table.expect_media(5, ("::", 30000), [PCMU])
    table.expect_media(5, ("198.51.100.1", 0), [PCMU])
    assert talk(table, 1, destination=("198.51.100.1", 30000)) == ["candidate"]


def test_released_calls_leave_nothing(table):
    table.expect_media(5, CALLEE, [PCMU])
    talk(table, 5)
    table.release(5)
    assert table.list_streams() == []
    assert table.list_streams(5) == []
    assert talk(table, 1) == ["candidate"]
    table.release(5)


def test_ipv6_streams_are_followed(table):
    source, destination = ("2001:db8::1", 4000), ("2001:db8::2", 4002)
    table.expect_media(1, destination, [PCMU])
    talk(table, 3, source, destination)
    assert (only(table)["source"], only(table)["destination"]) == (source, destination)


# --- Bounds ---------------------------------------------------------------------------------------------------------


def test_a_stream_takes_four_cache_lines(table):
    assert table.stream_bytes == 256


def test_streams_are_bounded_and_the_silent_give_way(table):
    small = MediaTable(streams=64, calls=4, secret=1)
    for n in range(1000):
        talk(small, 5, source=("192.0.2.1", 2000 + n), start_ns=SECOND_NS * (n + 1))
    assert len(small.list_streams()) <= 64
    assert small.counters["rtp_streams"] == 1000
    assert small.counters["evicted"] + small.counters["expired"] + len(small.list_streams()) == 1000
    assert small.counters["expired"] > 0
    assert small.list_streams()[0]["last_ns"] > 800 * SECOND_NS


def test_made_up_ssrcs_of_one_call_cost_only_that_call(table):
    table.expect_media(1, CALLEE, [PCMU])
    talk(table, 5, destination=("198.51.100.7", 9000))
    for ssrc in range(1, 1001):
        talk(table, 1, ssrc=ssrc)
    assert len(table.list_streams(1)) == 32
    assert len(table.list_streams()) == 33


def test_garbage_pushes_out_only_candidates(table):
    talk(table, 5)
    for ssrc in range(1, 20_001):
        talk(table, 1, ssrc=ssrc)
    assert table.counters["evicted"] == 0
    assert only(table)["packets"] == 5


def test_streams_that_are_all_there_at_the_start_are_all_proved(table):
    for n in range(4):
        for port in range(10_000):
            table.feed(("192.0.2.1", 2000 + port), CALLEE, rtp_packet(n, 160 * n), SECOND_NS + n * 20 * MS)
    assert table.counters["rtp_streams"] == 10_000
    assert table.counters["rtp_packets"] == 40_000


def test_expectations_are_bounded():
    table = MediaTable(calls=40, secret=1)
    for n in range(10_000):
        table.expect_media(n % 40, ("192.0.2.1", 1024 + n), [PCMU, (96, f"X{n}", 8000)])
    assert table.counters["expectations_evicted"] >= 10_000 - 80
    assert table.counters["formats_unnamed"] == 0
    table.expect_media(3, CALLEE, [(96, "opus", 48000)])
    talk(table, 1, payload_type=96)
    assert only(table, 3)["codec"] == "OPUS"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 5),
            st.integers(0, 5),
            st.binary(max_size=30)
            | st.builds(
                rtp_packet,
                st.integers(0, 50),
                st.integers(0, 5000),
                st.integers(0, 3),
                st.sampled_from([0, 8, 101, 111]),
                st.binary(max_size=5),
            ),
        ),
        max_size=200,
    )
)
def test_any_order_of_things_is_survived(steps):
    table = MediaTable(streams=2, calls=4, secret=1)
    for n, (what, source, destination, payload) in enumerate(steps):
        if what == 0:
            table.release(source % 4)
        elif what == 1:
            table.expect_media(source % 4, ("192.0.2.1", 3000 + destination), [PCMU, EVENT], is_rtp=source != 3)
        else:
            table.feed(("192.0.2.1", 3000 + source), ("192.0.2.1", 3000 + destination), payload, n * MS)
    assert len(table.list_streams()) <= 2
    assert sum(len(table.list_streams(call)) for call in range(4)) <= 2


# --- tshark ---------------------------------------------------------------------------------------------------------

STREAM_ROW = re.compile(
    r"^\s*[\d.]+\s+[\d.]+\s+(?P<source>\S+)\s+(?P<source_port>\d+)\s+(?P<destination>\S+)\s+(?P<destination_port>\d+)"
    r"\s+0x(?P<ssrc>[0-9A-F]+)\s+(?P<payload>.+?)\s+(?P<packets>\d+)\s+(?P<lost>-?\d+) \([-\d.]+%\)"
    r"\s+\S+\s+\S+\s+\S+\s+\S+\s+(?P<mean>[\d.]+)\s+(?P<max>[\d.]+)",
    re.MULTILINE,
)


def streams_by_tshark(tshark: str, path: Path) -> dict[tuple, dict]:
    done = subprocess.run(
        [tshark, "-n", "-r", str(path), "-o", "rtp.heuristic_rtp:TRUE", "-q", "-z", "rtp,streams"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    streams = {}
    for row in STREAM_ROW.finditer(done.stdout):
        source = row["source"], int(row["source_port"])
        destination = row["destination"], int(row["destination_port"])
        streams[*source, *destination, int(row["ssrc"], 16)] = row
    return streams


def feed_capture(table: MediaTable, path: Path) -> dict[tuple, dict]:
    with PcapReader(str(path)) as packets:
        for packet in packets:
            network = packet.getlayer(IP) or packet.getlayer(IPv6)
            if network is None or not packet.haslayer(UDP):
                continue
            udp = packet[UDP]
            payload = bytes(udp.payload)[: udp.len - 8]
            if payload[:1] >= b"\x80":
                table.feed((network.src, udp.sport), (network.dst, udp.dport), payload, int(packet.time * SECOND_NS))
    return {(*s["source"], *s["destination"], s["ssrc"]): s for s in table.list_streams()}


def assert_same_streams(found: dict[tuple, dict], expected: dict[tuple, dict]) -> None:
    assert found.keys() == expected.keys()
    for key, stream in found.items():
        row = expected[key]
        assert (stream["packets"], stream["lost"]) == (int(row["packets"]), int(row["lost"])), key
        if stream["jitter_mean_ms"] is not None and "event" not in row["payload"].lower():
            assert stream["jitter_max_ms"] == pytest.approx(float(row["max"]), abs=0.002), key
            assert stream["jitter_mean_ms"] == pytest.approx(float(row["mean"]), rel=0.02, abs=0.002), key


def test_the_corpus_agrees_with_tshark(corpus, tshark):
    streams = 0
    for path in sorted([*(corpus / "rtp_pcap").rglob("*.pcap*"), *(corpus / "sip_pcap").rglob("*.pcap*")]):
        table = MediaTable(secret=1)
        found = feed_capture(table, path)
        streams += len(found)
        if found or "rtp" in path.name:
            assert_same_streams(found, streams_by_tshark(tshark, path))
    assert streams > 0


def test_a_made_capture_with_loss_and_jitter_agrees_with_tshark(tmp_path, tshark):
    chance = random.Random(11)
    frames = []
    for index, (loss, jitter_ms, payload_type) in enumerate([(0, 1, 0), (0.02, 5, 8), (0.2, 15, 18), (0.05, 40, 0)]):
        for n in range(600):
            if n and chance.random() < loss:
                continue
            frame = (
                Ether()
                / IP(src=f"192.0.2.{index + 1}", dst="198.51.100.1")
                / UDP(sport=20000 + 2 * index, dport=30000)
                / rtp_packet(65300 + n, 160 * n, 0x1000 + index, payload_type)
            )
            # Microseconds, as in the file; more than 20 ms of jitter reorders packets.
            frame.time = 1_000_000 + n * 0.02 + round(chance.random() * jitter_ms * 1000) / 1e6
            frames.append(frame)
    frames.sort(key=lambda frame: frame.time)
    path = tmp_path / "media.pcap"
    wrpcap(str(path), frames)
    assert_same_streams(feed_capture(MediaTable(secret=1), path), streams_by_tshark(tshark, path))
