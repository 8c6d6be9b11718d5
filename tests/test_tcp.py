"""SIP over TCP: whatever the segments look like, the messages are those that were sent."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader, wrpcap

from capture.tcp import StreamTable

CLIENT = ("192.0.2.1", 40000)
SERVER = ("198.51.100.1", 5060)
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
SECOND_NS = 1_000_000_000
LARGEST_BUFFER_BYTES = 262144


def sip_message(number: int, body: bytes = b"") -> bytes:
    return (
        b"MESSAGE sip:b@example.net SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK%d\r\n"
        b"From: <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>\r\nCall-ID: %d@example.net\r\n"
        b"CSeq: %d MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
        % (number, number, number, len(body))
    ) + body


class Sender:
    """One direction of a connection; `table` gets what it sends."""

    def __init__(self, table: StreamTable, initial: int = 1000, source=CLIENT, destination=SERVER):
        self.table = table
        self.initial = initial
        self.source = source
        self.destination = destination
        self.time_ns = SECOND_NS

    def segment(self, offset: int, payload: bytes = b"", flags: int = ACK, truncated: bool = False) -> list[bytes]:
        """`offset` is counted from the first byte of the stream."""
        sequence = (self.initial + 1 + offset) % 2**32
        return self.table.feed_segment(self.source, self.destination, sequence, flags, payload, self.time_ns, truncated)

    def syn(self) -> None:
        assert self.table.feed_segment(self.source, self.destination, self.initial, SYN, b"", self.time_ns) == []

    def stream(self, data: bytes, sizes: list[int]) -> list[bytes]:
        messages = []
        offset = 0
        for size in sizes:
            messages += self.segment(offset, data[offset : offset + size])
            offset += size
        return messages + self.segment(offset, data[offset:]) if offset < len(data) else messages


@pytest.fixture
def table() -> StreamTable:
    return StreamTable(secret=1)


@pytest.fixture
def sender(table: StreamTable) -> Sender:
    sender = Sender(table)
    sender.syn()
    return sender


def in_use_bytes(table: StreamTable) -> int:
    return table.usage["buffer_bytes"] - table.usage["idle_bytes"]


THREE = [sip_message(1), sip_message(2, b"x" * 3000), sip_message(3, b"hello\r\n\r\nworld")]


def test_messages_in_one_segment_are_taken_apart(sender):
    assert sender.segment(0, b"".join(THREE)) == THREE


def test_a_message_in_one_segment_needs_no_memory(sender):
    assert sender.segment(0, THREE[0]) == THREE[:1]
    assert sender.table.usage["buffer_bytes"] == 0


def test_a_stream_byte_by_byte_gives_the_same_messages(sender):
    data = b"".join(THREE)
    assert sender.stream(data, [1] * len(data)) == THREE


@given(
    sizes=st.lists(st.integers(1, 1500), min_size=1, max_size=40),
    order=st.randoms(use_true_random=False),
    initial=st.sampled_from([1000, 2**32 - 5, 2**32 - 2000, 2**31 - 100]),
)
def test_reordered_repeated_and_overlapping_segments_give_the_same_messages(sizes, order, initial):
    data = b"".join(THREE)
    sender = Sender(StreamTable(secret=1), initial)
    sender.syn()
    segments = []
    offset = 0
    for size in sizes:
        overlap = order.randrange(0, 20)
        start = max(0, offset - overlap)
        segments.append((start, data[start : offset + size]))
        offset += size
        if order.random() < 0.2:
            segments.append(order.choice(segments))
    segments.append((min(offset, len(data)), data[offset:]))
    # Each segment moves at most four places, as in a network; a whole shuffle would look like loss.
    moved = sorted((n + order.randrange(5), segment) for n, segment in enumerate(segments))
    segments = [segment for _, segment in moved]
    messages = [message for start, part in segments if part for message in sender.segment(start, part)]
    assert messages == THREE


def test_of_overlapping_segments_the_first_byte_wins(sender):
    data = sip_message(1, b"a" * 100)
    forged = data[:-50] + b"b" * 50
    assert sender.segment(len(data) - 50, data[-50:]) == []
    assert sender.segment(0, forged) == [data]


def test_the_sequence_number_wraps(table):
    sender = Sender(table, 2**32 - 100)
    sender.syn()
    data = b"".join(THREE)
    assert sender.stream(data, [50, 60, 70]) == THREE


def test_a_retransmission_gives_no_second_message(sender):
    assert sender.segment(0, THREE[0]) == THREE[:1]
    assert sender.segment(0, THREE[0]) == []
    assert sender.table.counters["retransmissions"] == 1


def test_keep_alives_are_no_messages(sender):
    data = b"\r\n\r\n" + THREE[0] + b"\r\n\r\n\r\n" + THREE[1]
    assert sender.segment(0, data) == THREE[:2]
    assert sender.segment(len(data), b"\r\n\r\n") == []
    assert sender.segment(len(data) + 3, b"\n") == []  # a TCP probe repeats the last byte
    assert sender.segment(len(data) + 4, THREE[2]) == THREE[2:]


def test_a_stream_is_joined_in_its_middle_at_the_next_message(table):
    sender = Sender(table)
    tail = THREE[1][1000:]
    assert sender.segment(0, tail) == []
    assert sender.segment(len(tail), THREE[2]) == THREE[2:]


def test_sip_that_is_quoted_in_another_stream_is_not_sip(table):
    sender = Sender(table)
    page = b"HTTP/1.1 200 OK\r\n\r\nAn example:\r\n\r\n" + THREE[0]
    assert sender.segment(0, page) == []
    assert sender.segment(len(page), b"more text\r\n" + THREE[0]) == []


def test_a_lost_segment_costs_only_the_messages_it_touched(sender):
    data = b"".join(THREE)
    first = len(THREE[0])
    assert sender.segment(0, data[:first]) == THREE[:1]
    lost_until = first + 200
    assert sender.segment(lost_until, data[lost_until:]) == []  # it may still come
    sender.time_ns += 4 * SECOND_NS
    assert sender.segment(len(data), THREE[0]) == [THREE[2], THREE[0]]
    assert sender.table.counters["gaps"] == 1


def test_a_gap_is_given_up_when_much_has_come_behind_it(sender):
    assert sender.segment(0, THREE[0]) == THREE[:1]
    offset = len(THREE[0]) + 500
    messages = []
    for number in range(100):
        message = sip_message(number, b"y" * 1000)
        messages += sender.segment(offset, message)
        offset += len(message)
    assert messages == [sip_message(number, b"y" * 1000) for number in range(100)]
    assert sender.table.counters["gaps"] == 1


def test_a_jump_beyond_all_buffers_is_followed_at_once(sender):
    assert sender.segment(0, THREE[0]) == THREE[:1]
    assert sender.segment(10_000_000, THREE[1]) == THREE[1:2]


def test_at_the_end_of_a_capture_what_is_behind_a_gap_is_read(sender):
    assert sender.segment(0, THREE[0][:100]) == []
    assert sender.segment(5000, THREE[1] + THREE[2]) == []
    assert sender.table.flush_gaps(sender.time_ns) == []
    assert sender.table.flush_gaps() == THREE[1:]
    assert sender.table.flush_gaps() == []


def test_after_garbage_the_next_start_line_is_found(sender):
    assert sender.segment(0, THREE[0]) == THREE[:1]
    garbage = b"\x00\x01 not a message\r\nnor this: one\r\n"
    assert sender.segment(len(THREE[0]), garbage + THREE[1]) == THREE[1:2]
    assert sender.table.counters["resynchronised"] == 1


@pytest.mark.parametrize(
    "first",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n",
        b"POST /a:b HTTP/1.1\r\nHost: example.net\r\nContent-Length: 100000\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"EHLO example.net\r\n",
    ],
)
def test_other_protocols_cost_no_memory(sender, first):
    assert sender.segment(0, first) == []
    assert sender.table.counters["not_sip"] == 1
    assert sender.segment(len(first), THREE[0]) == []
    assert in_use_bytes(sender.table) == 0


def test_a_stream_joined_in_its_middle_that_never_speaks_sip_is_given_up(table):
    sender = Sender(table)
    for offset in range(0, 400_000, 1000):
        assert sender.segment(offset, b"\x00" * 1000) == []
    assert table.counters["not_sip"] == 1


def test_a_new_connection_on_the_same_ports_starts_anew(sender):
    assert sender.segment(0, THREE[0][:50]) == []
    again = Sender(sender.table, 77_000)
    again.syn()
    assert again.segment(0, THREE[0]) == THREE[:1]


def test_a_repeated_syn_changes_nothing(sender):
    assert sender.segment(0, THREE[0][:50]) == []
    sender.syn()
    assert sender.segment(50, THREE[0][50:]) == THREE[:1]


def test_a_new_connection_whose_syn_was_lost_is_found(sender):
    assert sender.segment(0, THREE[0]) == THREE[:1]
    again = Sender(sender.table, (1000 - 500_000_000) % 2**32)
    assert again.segment(0, THREE[1]) == THREE[1:2]


def test_after_fin_late_copies_give_no_messages(sender):
    assert sender.segment(0, THREE[0], ACK | FIN) == THREE[:1]
    assert sender.segment(0, THREE[0]) == []
    again = Sender(sender.table, 5_000_000)
    again.syn()
    assert again.segment(0, THREE[0]) == THREE[:1]


def test_a_fin_that_overtakes_data_does_not_lose_it(sender):
    assert sender.segment(len(THREE[0]), b"", ACK | FIN) == []
    assert sender.segment(0, THREE[0]) == THREE[:1]


def test_a_reset_forgets_what_was_kept(sender):
    assert sender.segment(0, THREE[1][:500]) == []
    assert sender.segment(500, b"", RST) == []
    assert in_use_bytes(sender.table) == 0


def test_the_two_directions_are_followed_by_themselves(sender):
    answer = Sender(sender.table, 9000, SERVER, CLIENT)
    answer.syn()
    assert sender.segment(0, THREE[0][:100]) == []
    assert answer.segment(0, THREE[1]) == THREE[1:2]
    assert sender.segment(100, THREE[0][100:]) == THREE[:1]


def test_a_message_cut_by_the_snapshot_length_is_given_as_far_as_it_goes(sender):
    whole = THREE[1]
    assert sender.segment(0, whole[:700], truncated=True) == [whole[:700]]
    assert sender.segment(len(whole), THREE[2]) == THREE[2:]
    assert sender.table.counters["cut_messages"] == 1


def test_a_body_too_long_to_wait_for_is_cut_and_the_next_message_is_found(sender):
    giant = sip_message(1, b"z" * 500_000)
    data = giant + THREE[2]
    messages = []
    for offset in range(0, len(data), 1400):
        messages += sender.segment(offset, data[offset : offset + 1400])
    assert [len(message) < 3000 for message in messages] == [True, True]
    assert giant.startswith(messages[0])
    assert messages[1] == THREE[2]
    assert in_use_bytes(sender.table) < LARGEST_BUFFER_BYTES


def test_a_message_of_64_kib_is_whole(sender):
    large = sip_message(1, b"z" * 65536)
    assert sender.stream(large, [1400] * (len(large) // 1400)) == [large]


def test_a_header_without_end_is_given_up(sender):
    data = THREE[0][:-2] + b"X: " + b"y" * 200_000 + b"\r\n\r\n" + THREE[2]
    assert sender.stream(data, [1400] * (len(data) // 1400))[-1:] == THREE[2:]


def test_memory_stays_inside_its_bound(table):
    small = StreamTable(buffer_bytes=LARGEST_BUFFER_BYTES, secret=1)
    for port in range(1000, 3000):
        sender = Sender(small, source=("192.0.2.1", port))
        sender.syn()
        assert sender.segment(0, THREE[1][:1000]) == []
        assert sender.segment(2000, b"beyond a gap") == []
        assert small.usage["buffer_bytes"] <= LARGEST_BUFFER_BYTES
    assert small.counters["evicted_buffers"] > 1900
    # Who was last is still whole.
    assert sender.segment(1000, THREE[1][1000:2000]) == []


def test_directions_are_bounded_and_sip_stays_longest():
    table = StreamTable(connections=10, secret=1)
    sip = Sender(table)
    sip.syn()
    assert sip.segment(0, THREE[0]) == THREE[:1]
    for port in range(1000, 2000):
        other = Sender(table, source=("192.0.2.1", port))
        other.syn()
        other.segment(0, b"SSH-2.0-OpenSSH_9.2\r\n")
    assert table.usage["directions"] == 10
    assert table.counters["evicted"] == 991
    assert sip.segment(len(THREE[0]), THREE[1][:90]) == []
    assert sip.segment(len(THREE[0]) + 90, THREE[1][90:]) == THREE[1:2]


def test_idle_directions_are_forgotten_by_packet_time(table):
    sender = Sender(table)
    sender.syn()
    later = Sender(table, source=("192.0.2.1", 7))
    later.time_ns = 10_000 * SECOND_NS
    later.syn()
    assert table.counters["expired"] == 1
    assert table.usage["directions"] == 1


def test_random_segments_do_no_harm():
    @settings(max_examples=200)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2**32 - 1) | st.integers(0, 5000),
                st.integers(0, 31),
                st.binary(max_size=60) | st.sampled_from(THREE),
                st.booleans(),
            ),
            max_size=40,
        )
    )
    def run(segments):
        table = StreamTable(connections=2, buffer_bytes=LARGEST_BUFFER_BYTES, secret=1)
        for n, (sequence, flags, payload, truncated) in enumerate(segments):
            table.feed_segment(("192.0.2.1", 1 + n % 3), SERVER, sequence, flags, payload, n * SECOND_NS, truncated)
        table.flush_gaps()
        assert table.usage["buffer_bytes"] <= LARGEST_BUFFER_BYTES

    run()


def feed_capture(path: Path) -> Counter | None:
    """Methods and status codes of all SIP messages over TCP in a capture; None when there is no TCP."""
    segments = 0
    table = StreamTable(secret=1)
    words: Counter = Counter()

    def count(messages):
        for message in messages:
            first, second = message.split(b" ")[:2]
            words[(second if first == b"SIP/2.0" else first).decode()] += 1

    with PcapReader(str(path)) as packets:
        for packet in packets:
            network = packet.getlayer(IP) or packet.getlayer(IPv6)
            if network is None or not packet.haslayer(TCP):
                continue
            tcp = packet[TCP]
            segments += 1
            count(
                table.feed_segment(
                    (network.src, tcp.sport),
                    (network.dst, tcp.dport),
                    tcp.seq,
                    int(tcp.flags) & 0xFF,
                    _payload(network, tcp),
                    int(packet.time * SECOND_NS),
                )
            )
    count(table.flush_gaps())
    return words if segments else None


def _payload(network, tcp) -> bytes:
    """Without the padding of short Ethernet frames, by the lengths in the headers."""
    header = tcp.dataofs * 4
    length = network.len - network.ihl * 4 - header if network.version == 4 else network.plen - header
    return bytes(tcp)[header : header + length]


def words_by_tshark(tshark_fields, path: Path) -> Counter:
    rows = tshark_fields(path, "sip && tcp", "sip.Method", "sip.Status-Code")
    return Counter(word for row in rows for field in row for word in field.split("|") if word)


def test_the_corpus_over_tcp_agrees_with_tshark(corpus, tshark_fields):
    seen = 0
    for path in sorted((corpus / "sip_pcap").rglob("*.pcap*")):
        if "http_on_sip_port" in path.name:  # tshark believes the port: it is HTTP
            assert not feed_capture(path)
            continue
        found = feed_capture(path)
        if found is not None:
            assert found == words_by_tshark(tshark_fields, path), path
            seen += sum(found.values())
    assert seen > 0


def test_a_made_capture_agrees_with_tshark(tmp_path, tshark_fields):
    chance = random.Random(3)
    methods = [b"MESSAGE", b"OPTIONS", b"INFO"]
    data = b""
    for number in range(60):
        method = chance.choice(methods)
        data += sip_message(number, b"w" * chance.randrange(2000)).replace(b"MESSAGE", method)
    frames = [Ether() / IP(src=CLIENT[0], dst=SERVER[0]) / TCP(sport=CLIENT[1], dport=SERVER[1], seq=999, flags="S")]
    offset = 0
    while offset < len(data):
        size = chance.choice([1, 7, 300, 1400])
        frames.append(
            Ether()
            / IP(src=CLIENT[0], dst=SERVER[0])
            / TCP(sport=CLIENT[1], dport=SERVER[1], seq=1000 + offset, flags="A")
            / data[offset : offset + size]
        )
        offset += size
    for at in range(5, len(frames) - 1, 9):
        frames[at], frames[at + 1] = frames[at + 1], frames[at]
    for n, frame in enumerate(frames):
        frame.time = 1_000_000 + n * 0.001
    path = tmp_path / "made.pcap"
    wrpcap(str(path), frames)
    rows = tshark_fields(path, "sip && tcp", "sip.Method", options=("-o", "tcp.reassemble_out_of_order:TRUE"))
    assert feed_capture(path) == Counter(word for (field,) in rows for word in field.split("|"))
    assert sum(feed_capture(path).values()) == 60
