"""HEP messages: what is read of one, what a feed makes of many, and whatever else may come."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config import Config
from appliance.outlet import Outlet
from appliance.pipeline import Pipeline
from capture import hep
from capture.decode import Decoder
from capture.hep_feed import HepFeed
from tests.hep_messages import OLD, RTCP_JSON, TCP, addressed, chunk, whole
from tests.hep_messages import hep as message
from tests.tap import request, response

LINKTYPE_HEP = -1
TIME_NS = 1_700_000_000_123_456_000
OPTIONS = request("OPTIONS")


def fed(*messages, key=None):
    """A feed that has taken these as one stream."""
    feed = HepFeed(key)
    stream = b"".join(messages)
    assert feed.take_stream(stream) == len(stream)
    return feed


@pytest.mark.parametrize(
    ("source", "destination"),
    [(("192.0.2.10", 5060), ("198.51.100.20", 5080)), (("2001:db8::1", 5060), ("2001:db8::2", 65535))],
)
def test_a_message_says_who_sent_what_to_whom_and_when(source, destination):
    data = message(OPTIONS, source, destination, time_ns=TIME_NS, key=b"secret")
    assert hep.read(data) == {
        "status": "sip",
        "bytes": len(data),
        "time_ns": TIME_NS,
        "source": source,
        "destination": destination,
        "ip_protocol": 17,
        "agent_id": 2001,
        "key": b"secret",
        "payload": OPTIONS,
    }


def test_chunks_of_other_vendors_and_unknown_ones_are_passed_over_and_the_last_of_a_kind_holds():
    data = message(OPTIONS, time_ns=TIME_NS)[6:]
    ours = whole(chunk(15, b"theirs", vendor=9), chunk(0x7777, b"?"), chunk(15, b"first"), data)
    assert hep.read(ours)["payload"] == OPTIONS


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (message(b"{}", kind=RTCP_JSON), "other"),
        (message(b"\x1f\x8b", compressed=True), "compressed"),
        (OLD[0], "old"),
        (OLD[1], "old"),
        (b"", "need_more"),
        (b"HEP3", "need_more"),
        (message(OPTIONS)[:-1], "need_more"),
        (b"HEP3\0\5", "malformed"),
        (b"GET / HTTP/1.1\r\n\r\n", "malformed"),
        (whole(chunk(11, b"\1"), chunk(15, OPTIONS)), "malformed"),  # no addresses
        (whole(*addressed(("192.0.2.1", 1), ("192.0.2.2", 2)), chunk(11, b"\1")), "malformed"),  # no payload
        (whole(b"\0\0\0\1\0\5"), "malformed"),  # a chunk shorter than its header
        (whole(b"\0\0\0\1\0\x40"), "malformed"),  # a chunk beyond the message
        (whole(b"\0\0\0\1\0"), "malformed"),  # a chunk without all of its header
        (whole(), "other"),
    ],
)
def test_what_is_no_sip_in_version_3_is_told_apart(data, status):
    assert hep.read(data)["status"] == status


def test_a_record_of_hep_decodes_to_the_packet_that_the_agent_saw():
    [record] = fed(message(OPTIONS, time_ns=TIME_NS))
    time_ns, link_type, data, wire_bytes = record
    assert (time_ns, link_type, wire_bytes) == (TIME_NS, LINKTYPE_HEP, len(data))
    packet = Decoder().decode_frame(data, LINKTYPE_HEP, time_ns=time_ns)
    assert packet["payload"] == OPTIONS
    assert (packet["source"], packet["destination"]) == (("192.0.2.10", 5060), ("198.51.100.20", 5060))


@pytest.mark.parametrize(("protocol", "transport"), [(17, "udp"), (TCP, "tcp"), (22, "tcp")])
def test_a_call_over_any_transport_is_one_whole_message_each_time(protocol, transport):
    pipeline = Pipeline(Config())
    messages = request("INVITE"), response(180, to_tag="b"), response(486, to_tag="b"), request("ACK", to_tag="b")
    feed = fed(*(message(one, time_ns=TIME_NS + i * 10**9, protocol=protocol) for i, one in enumerate(messages)))
    lines = []
    assert not pipeline.run(feed)
    pipeline.finish(lines.append)
    [call] = [one for one in lines if one.startswith(b'{"type":"call"')]
    assert f'"transport":"{transport}"'.encode() in call
    assert b'"state":"rejected"' in call
    assert pipeline.summary()["sip_messages"] == 4


def test_with_a_key_only_messages_count_that_carry_it():
    keys = (b"open sesame", None, b"", b"open sesamf", b"open sesame ", b"open")
    feed = fed(*(message(OPTIONS, key=key) for key in keys), message(b"{}", kind=RTCP_JSON), key=b"open sesame")
    assert len(list(feed)) == 1
    assert feed.counts() | {"bytes": 0} == {
        "messages": 7, "sip": 1, "bytes": 0, "other": 0, "compressed": 0, "old": 0, "malformed": 0, "refused": 6,
    }  # fmt: skip


def test_without_a_key_the_one_that_an_agent_sends_does_not_matter():
    assert len(list(fed(message(OPTIONS, key=b"whatever")))) == 1


def test_a_stream_that_is_not_hep_is_told_at_its_first_bytes():
    feed = HepFeed()
    assert feed.take_stream(b"HE") == 0
    assert feed.take_stream(b"HEX") == -1
    assert feed.take_stream(message(OPTIONS) + b"?") == -1


def test_a_feed_takes_no_more_than_it_has_room_for_and_loses_nothing():
    feed = HepFeed()
    stream = message(b"x" * 60_000) * 40
    taken, count = 0, 0
    while taken < len(stream):
        step = feed.take_stream(memoryview(stream)[taken:])
        assert step > 0
        assert feed.full == (taken + step < len(stream))
        taken += step
        count += len(list(feed))
        feed.begin()
    assert count == 40


@st.composite
def streams(draw):
    """Messages, some of them bent, one after the other."""
    parts = []
    for payload in draw(st.lists(st.binary(max_size=40), min_size=1, max_size=6)):
        data = bytearray(message(payload, time_ns=TIME_NS))
        if draw(st.booleans()):
            at = draw(st.integers(6, len(data) - 1))
            data[at] = draw(st.integers(0, 255))
        parts.append(bytes(data))
    return b"".join(parts)


@settings(max_examples=50)
@given(streams())
def test_a_stream_in_single_bytes_gives_the_records_that_it_gives_whole(stream):
    feed = HepFeed()
    whole_taken = feed.take_stream(stream)
    expected = list(feed)
    feed, found, buffer = HepFeed(), [], b""
    for byte in stream:
        buffer += bytes([byte])
        taken = feed.take_stream(buffer)
        assert taken >= 0
        buffer = buffer[taken:]
        found += feed
        feed.begin()
    assert found == expected
    assert len(stream) - len(buffer) == whole_taken


@settings(max_examples=200)
@given(st.binary(max_size=200), st.booleans())
def test_whatever_comes_is_one_of_the_kinds_and_lies_inside_itself(data, with_length):
    if with_length:
        data = b"HEP3" + struct.pack("!H", 6 + len(data)) + data
    read = hep.read(data)
    if read["status"] == "sip":
        assert read["bytes"] <= len(data)
        assert read["payload"] in data
    assert Decoder().decode_frame(data, LINKTYPE_HEP) is None or read["status"] == "sip"


def test_the_feed_and_the_outlet_of_a_pipeline_fit_together():
    pipeline, lines = Pipeline(Config()), []
    feed = fed(*(message(request("INVITE", call_id=f"c{i}"), time_ns=TIME_NS + i) for i in range(1500)))
    while pipeline.run(feed):
        pipeline.end_block(Outlet(lines.append, lines.append))
    assert pipeline.summary()["calls"] == 1500
