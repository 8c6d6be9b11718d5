"""Packets that a mirror shows twice are taken once, and what is sent twice is not."""

import struct

import pytest

from appliance.config import Config
from appliance.outlet import Outlet
from appliance.pipeline import Pipeline
from capture.hep_feed import HepFeed
from capture.records import RecordReader
from tests.hep_messages import hep
from tests.tap import CALLEE, CALLER, request, udp_frame

MS = 1_000_000
WINDOW_NS = 50 * MS
BEGIN_NS = 1_700_000_000 * 1_000_000_000
OPTIONS = request("OPTIONS")


def counted(frames, window_ns=WINDOW_NS):
    """(SIP messages that were taken, duplicates) of frames at times in ms."""
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)]
    for at_ms, frame in frames:
        seconds, rest_ns = divmod(BEGIN_NS + round(at_ms * MS), 10**9)
        parts += struct.pack("<IIII", seconds, rest_ns, len(frame), len(frame)), frame
    data = b"".join(parts)
    reader = RecordReader(bytearray(data), len(data))
    pipeline = Pipeline(Config(), duplicate_window_ns=window_ns)
    while pipeline.run(reader):
        pipeline.end_block(Outlet(list, list))
    return pipeline.summary()["sip_messages"], reader.duplicates


def numbered(frame, identification):
    return frame[:18] + struct.pack("!H", identification) + frame[20:]


PLAIN = udp_frame(CALLER, CALLEE, OPTIONS)


def test_the_same_packet_within_the_window_is_taken_once():
    assert counted([(0, PLAIN), (0.01, PLAIN), (49, PLAIN)]) == (1, 2)


def test_nothing_is_left_out_without_a_window():
    assert counted([(0, PLAIN), (0.01, PLAIN)], window_ns=0) == (2, 0)


@pytest.mark.parametrize("later_ms", [50, 500, 1500])
def test_a_retransmission_comes_after_the_window_and_is_taken(later_ms):
    assert counted([(0, PLAIN), (later_ms, PLAIN)]) == (2, 0)


def test_what_is_sent_again_at_once_has_another_identification_and_is_taken():
    assert counted([(0, numbered(PLAIN, 7)), (1, numbered(PLAIN, 8))]) == (2, 0)


@pytest.mark.parametrize(
    "other",
    [
        bytes(range(12)) + PLAIN[12:],
        PLAIN[:12] + b"\x81\x00\x00\x07" + PLAIN[12:],
        PLAIN[:22] + b"\x3f" + PLAIN[23:],
        PLAIN[:12] + b"\x88\x47\x00\x01\x41\x40" + PLAIN[14:],
    ],
    ids=["other MAC addresses", "a VLAN tag", "one hop further", "an MPLS label"],
)
def test_the_way_that_a_packet_took_makes_it_no_other(other):
    assert counted([(0, PLAIN), (1, other)]) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        udp_frame((CALLER[0], 5061), CALLEE, OPTIONS),
        udp_frame(CALLER, (CALLEE[0], 5061), OPTIONS),
        udp_frame(("192.0.2.11", 5060), CALLEE, OPTIONS),
        udp_frame(CALLEE, CALLER, OPTIONS),
        udp_frame(CALLER, CALLEE, request("OPTIONS", cseq=2)),
    ],
    ids=["source port", "destination port", "address", "direction", "payload"],
)
def test_another_packet_is_another(other):
    assert counted([(0, PLAIN), (1, other)]) == (2, 0)


def test_a_packet_that_comes_again_and_again_is_taken_once_a_window():
    assert counted([(at, PLAIN) for at in range(0, 200, 10)]) == (4, 16)


def test_two_taps_whose_order_is_mixed_up_still_show_one_packet():
    assert counted([(5, PLAIN), (3, PLAIN)]) == (1, 1)


def test_in_a_flood_the_latest_packets_are_remembered_and_none_is_taken_for_another():
    addresses = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(100_000)]  # the table has 65,536 places
    frames = [udp_frame((address, 5060), CALLEE, b"\r\n\r\n") for address in addresses]
    again = frames[-1000:]
    _, duplicates = counted([(i / 10_000, frame) for i, frame in enumerate(frames + again)])
    assert 990 <= duplicates <= 1000


def test_the_same_message_of_two_agents_is_one():
    feed = HepFeed()
    feed.take_stream(hep(OPTIONS, time_ns=BEGIN_NS) + hep(OPTIONS, time_ns=BEGIN_NS + MS))
    pipeline = Pipeline(Config(), duplicate_window_ns=WINDOW_NS)
    pipeline.run(feed)
    assert (pipeline.summary()["sip_messages"], feed.duplicates) == (1, 1)
