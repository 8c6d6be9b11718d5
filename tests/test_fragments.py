"""IP fragments put together again, in any order, in bounded memory, and what overlaps thrown away."""

import itertools
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.decode import Decoder
from capture.fragments import FragmentTable

RAW, ETHERNET = 101, 1
SECOND = 10**9
SOURCE, DESTINATION = bytes([192, 0, 2, 1]), bytes([198, 51, 100, 7])
SOURCE6, DESTINATION6 = bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "07")
LEAST_MEMORY = 256 * 2048


def ipv4(
    data: bytes, offset: int = 0, *, more: bool = True, ident: int = 1, source: bytes = SOURCE, protocol: int = 17
) -> bytes:
    """One fragment; `offset` is in bytes."""
    flags = (0x2000 if more else 0) | offset // 8
    return (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), ident, flags, 64, protocol, 0) + source + DESTINATION + data
    )


def ipv6(data: bytes, offset: int = 0, *, more: bool = True, ident: int = 1, next_header: int = 17) -> bytes:
    header = struct.pack("!IHBB", 0x60000000, 8 + len(data), 44, 64) + SOURCE6 + DESTINATION6
    return header + struct.pack("!BBHI", next_header, 0, offset | more, ident) + data


def datagram(payload: bytes) -> bytes:
    return struct.pack("!HHHH", 5060, 5062, 8 + len(payload), 0) + payload


def pieces(make, data: bytes, size: int, **fields: int) -> list[bytes]:
    return [make(data[at : at + size], at, more=at + size < len(data), **fields) for at in range(0, len(data), size)]


def decode_all(decoder: Decoder, frames, **more: int) -> list[dict]:
    packets = [decoder.decode_frame(frame, RAW, **more) for frame in frames]
    return [packet for packet in packets if packet is not None]


def payloads(decoder: Decoder, frames) -> list[bytes]:
    return [packet["payload"] for packet in decode_all(decoder, frames)]


def counted(decoder: Decoder) -> dict[str, int]:
    """Fragment counters that are not zero."""
    return {name[10:]: count for name, count in decoder.counts().items() if name.startswith("fragments_") and count}


PAYLOAD = random.Random(7).randbytes(3000)
BOTH = pytest.mark.parametrize("make", [ipv4, ipv6])


@BOTH
def test_fragments_in_any_order_make_the_datagram(make) -> None:
    for order in itertools.permutations(pieces(make, datagram(PAYLOAD), 1000)):
        decoder = Decoder()
        packets = decode_all(decoder, order)
        assert [packet["payload"] for packet in packets] == [PAYLOAD]
        assert packets[0]["reassembled"]
        assert packets[0]["source"][1] == 5060
        assert decoder.counts()["pending"] == len(order) - 1
        assert counted(decoder) == {"reassembled": 1}
        assert decoder.fragments.waiting == 0


@BOTH
def test_the_largest_datagram_is_put_together(make) -> None:
    payload = random.Random(1).randbytes(65535 - 8 - 20)
    assert payloads(Decoder(), pieces(make, datagram(payload), 1480)) == [payload]
    assert payloads(Decoder(), pieces(make, datagram(payload), 9000)) == [payload]


@BOTH
def test_datagrams_that_come_interleaved_are_kept_apart(make) -> None:
    texts = [bytes([i]) * 3000 for i in range(20)]
    streams = [pieces(make, datagram(text), 1000, ident=i) for i, text in enumerate(texts)]
    assert payloads(Decoder(), itertools.chain(*zip(*streams, strict=True))) == texts


def test_the_same_identification_of_another_source_or_protocol_is_another_datagram() -> None:
    one = pieces(ipv4, datagram(b"a" * 100), 64)
    two = pieces(ipv4, datagram(b"b" * 100), 64, source=bytes([192, 0, 2, 2]))
    three = pieces(ipv4, datagram(b"c" * 100), 64, protocol=6)
    decoder = Decoder()
    assert payloads(decoder, [one[0], two[0], three[0], two[1], one[1]]) == [b"b" * 100, b"a" * 100]
    assert decoder.fragments.waiting == 1


@BOTH
def test_an_identification_can_be_used_again(make) -> None:
    decoder = Decoder()
    for text in (b"first" * 100, b"second" * 100):
        assert payloads(decoder, pieces(make, datagram(text), 80)) == [text]


def test_extension_headers_behind_the_fragment_header_are_opened() -> None:
    data = b"\x11\x00" + bytes(6) + datagram(PAYLOAD)
    assert payloads(Decoder(), pieces(ipv6, data, 1000, next_header=60)) == [PAYLOAD]


def test_the_first_fragment_says_what_the_datagram_holds() -> None:
    """RFC 8200 4.5: the next header of the others may differ and is not used."""
    first, second = pieces(ipv6, datagram(b"x" * 100), 64)
    second = bytearray(second)
    second[40] = 6
    for order in ([first, bytes(second)], [bytes(second), first]):
        assert [packet["protocol"] for packet in decode_all(Decoder(), order)] == ["udp"]


def test_an_atomic_fragment_is_a_whole_datagram() -> None:
    """RFC 6946: it does not meet other fragments of its identification."""
    decoder = Decoder()
    waiting, _ = pieces(ipv6, datagram(b"y" * 100), 64)
    assert decode_all(decoder, [waiting]) == []
    packets = decode_all(decoder, [ipv6(datagram(b"x"), more=False)])
    assert [packet["payload"] for packet in packets] == [b"x"]
    assert not packets[0]["reassembled"]


def test_a_fragmented_tunnel_of_fragments_is_opened() -> None:
    inner = pieces(ipv4, datagram(PAYLOAD), 1400)
    outer = [
        pieces(ipv4, frame, 800, ident=i, protocol=4, source=bytes([10, 0, 0, 1])) for i, frame in enumerate(inner)
    ]
    decoder = Decoder()
    assert payloads(decoder, itertools.chain(*outer)) == [PAYLOAD]
    assert counted(decoder) == {"reassembled": 3}


@BOTH
def test_the_time_of_a_datagram_is_that_of_its_last_fragment(make) -> None:
    decoder = Decoder()
    first, second = pieces(make, datagram(b"x" * 100), 64)
    assert decoder.decode_frame(first, RAW, time_ns=5) is None
    assert decoder.decode_frame(second, RAW, time_ns=9)["time_ns"] == 9


# --- duplicates and overlaps


@BOTH
def test_a_duplicate_is_dropped_and_the_rest_kept(make) -> None:
    one, two, three, four = pieces(make, datagram(PAYLOAD), 1000)
    decoder = Decoder()
    assert payloads(decoder, [one, one, three, three, two, two, four]) == [PAYLOAD]
    assert counted(decoder) == {"reassembled": 1, "duplicates": 3}


@BOTH
def test_a_duplicate_of_fragments_that_were_cut_otherwise_is_dropped(make) -> None:
    data = datagram(PAYLOAD)
    small, large = pieces(make, data, 8 * 50), pieces(make, data, 8 * 150)
    decoder = Decoder()
    assert payloads(decoder, [*small[:-1], *large[:2], small[-1]]) == [PAYLOAD]
    assert counted(decoder) == {"reassembled": 1, "duplicates": 2}


def test_of_two_ipv4_fragments_at_the_same_place_the_first_wins() -> None:
    one, two = pieces(ipv4, datagram(b"x" * 100), 64)
    assert payloads(Decoder(), [one, ipv4(b"z" * 64), two]) == [b"x" * 100]


def test_ipv6_fragments_at_the_same_place_that_differ_discard_the_datagram() -> None:
    one, two = pieces(ipv6, datagram(b"x" * 100), 64)
    decoder = Decoder()
    assert payloads(decoder, [one, ipv6(b"z" * 64), two]) == []
    assert counted(decoder) == {"discarded": 1}


@BOTH
@pytest.mark.parametrize("place", [8, 56, 64, 120])
def test_a_fragment_that_overlaps_in_part_discards_the_datagram_and_what_is_to_come(make, place: int) -> None:
    one, two, three, four = pieces(make, datagram(b"x" * 240), 64)
    decoder = Decoder()
    assert payloads(decoder, [one, three, make(b"z" * 72, place), two, four, one, two, three, four]) == []
    assert counted(decoder) == {"discarded": 1}


@BOTH
@pytest.mark.parametrize(
    ("data", "offset", "more"),
    [(b"z" * 8, 104, False), (b"z" * 8, 112, True), (b"z" * 4, 64, False), (b"z" * 8, 96, False)],
)
def test_a_second_end_and_bytes_behind_the_end_discard_the_datagram(make, data, offset, more) -> None:
    _, end = pieces(make, datagram(b"x" * 100), 64)
    decoder = Decoder()
    assert payloads(decoder, [end, make(data, offset, more=more)]) == []
    assert counted(decoder) == {"discarded": 1}


@BOTH
def test_an_end_before_bytes_that_came_discards_the_datagram(make) -> None:
    decoder = Decoder()
    assert payloads(decoder, [make(b"z" * 64, 128), make(b"z" * 8, 64, more=False)]) == []
    assert counted(decoder) == {"discarded": 1}


# --- fragments that cannot be


@BOTH
def test_a_fragment_past_the_largest_datagram_is_malformed(make) -> None:
    """The ping of death."""
    decoder = Decoder()
    assert payloads(decoder, [make(b"x" * 64, 65528, more=False)]) == []
    assert decoder.counts()["malformed"] == 1
    assert counted(decoder) == {"malformed": 1}


@BOTH
@pytest.mark.parametrize("data", [b"", b"x" * 7])
def test_a_fragment_that_is_not_whole_words_and_not_the_last_is_malformed(make, data: bytes) -> None:
    decoder = Decoder()
    assert payloads(decoder, [make(data, 8)]) == []
    assert decoder.counts()["malformed"] == 1
    assert decoder.fragments.waiting == 0


@BOTH
def test_of_fragments_cut_by_snaplen_the_first_is_still_read(make) -> None:
    first, second = pieces(make, datagram(PAYLOAD), 1600)
    decoder = Decoder()
    packet = decoder.decode_frame(first[:200], RAW, wire_bytes=len(first))
    assert packet is not None
    assert PAYLOAD.startswith(packet["payload"])
    assert packet["truncated"]
    assert not packet["reassembled"]
    assert decoder.decode_frame(second[:200], RAW, wire_bytes=len(second)) is None
    assert counted(decoder) == {"cut": 2}
    assert decoder.fragments.waiting == 0


def test_a_fragment_header_in_a_reassembled_datagram_is_malformed() -> None:
    data = struct.pack("!BBHI", 17, 0, 1, 9) + datagram(b"x" * 96)
    decoder = Decoder()
    assert payloads(decoder, pieces(ipv6, data, 64, next_header=44)) == []
    assert decoder.counts()["malformed"] == 1


# --- bounds


@BOTH
def test_a_datagram_that_is_not_whole_in_time_is_forgotten(make) -> None:
    one, two = pieces(make, datagram(b"x" * 100), 64)
    decoder = Decoder(fragments=FragmentTable(timeout_ns=5 * SECOND))
    decoder.decode_frame(one, RAW, time_ns=0)
    assert decoder.decode_frame(two, RAW, time_ns=5 * SECOND + 1) is None
    assert counted(decoder) == {"timed_out": 1}
    decoder = Decoder(fragments=FragmentTable(timeout_ns=5 * SECOND))
    decoder.decode_frame(one, RAW, time_ns=0)
    assert decoder.decode_frame(two, RAW, time_ns=5 * SECOND) is not None


def test_a_clock_that_goes_back_forgets_nothing() -> None:
    one, two = pieces(ipv4, datagram(b"x" * 100), 64)
    decoder = Decoder()
    decoder.decode_frame(one, RAW, time_ns=1000 * SECOND)
    assert decoder.decode_frame(two, RAW, time_ns=-(2**62)) is not None


def test_a_discarded_datagram_is_forgotten_in_time() -> None:
    decoder = Decoder()
    decode_all(decoder, [ipv4(b"x" * 64), ipv4(b"x" * 64, 8)])
    assert decoder.fragments.waiting == 1
    one, two = pieces(ipv4, datagram(b"x" * 100), 64)
    decoder.decode_frame(one, RAW, time_ns=60 * SECOND)
    assert decoder.decode_frame(two, RAW, time_ns=60 * SECOND) is not None


@BOTH
def test_a_flood_of_first_fragments_evicts_the_oldest_and_counts_them(make) -> None:
    decoder = Decoder(fragments=FragmentTable(memory_bytes=LEAST_MEMORY))
    last = pieces(make, datagram(b"x" * 100), 64, ident=0)
    assert decode_all(decoder, [make(b"x" * 64, ident=ident) for ident in range(1, 1001)]) == []
    assert decoder.fragments.waiting == 256
    assert counted(decoder) == {"evicted": 1000 - 256}
    assert payloads(decoder, last) == [b"x" * 100]


def test_large_fragments_evict_as_many_as_they_need() -> None:
    decoder = Decoder(fragments=FragmentTable(memory_bytes=LEAST_MEMORY))
    for ident in range(1, 100):
        decoder.decode_frame(ipv4(b"x" * 60_000, ident=ident), RAW)
        assert decoder.fragments.waiting <= 256 // 30
    assert payloads(decoder, pieces(ipv4, datagram(PAYLOAD), 1480, ident=0)) == [PAYLOAD]


def test_a_flood_of_discarded_datagrams_is_bounded() -> None:
    decoder = Decoder(fragments=FragmentTable(memory_bytes=LEAST_MEMORY))
    for ident in range(1000):
        decode_all(decoder, [ipv4(b"x" * 64, ident=ident), ipv4(b"x" * 64, 8, ident=ident)])
    assert decoder.fragments.waiting == 256
    assert payloads(decoder, pieces(ipv4, datagram(PAYLOAD), 1480, ident=7)) == [PAYLOAD]


@BOTH
def test_a_datagram_in_crumbs_is_given_up(make) -> None:
    decoder = Decoder()
    data = datagram(b"x" * (129 * 8 - 8))
    assert payloads(decoder, pieces(make, data, 8)) == []
    assert counted(decoder) == {"discarded": 1}
    assert payloads(decoder, pieces(make, data[:4] + struct.pack("!H", 1024) + data[6:1024], 8, ident=2)) == [
        b"x" * 1016
    ]


def test_the_memory_must_hold_the_largest_datagram_and_more() -> None:
    with pytest.raises(ValueError, match="memory_bytes"):
        FragmentTable(memory_bytes=LEAST_MEMORY - 1)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 40), st.integers(0, 100), st.booleans(), st.booleans(), st.integers(0, 30)
        ),
        max_size=80,
    )
)
def test_any_fragments_leave_a_table_that_still_works(fragments) -> None:
    decoder = Decoder(fragments=FragmentTable(memory_bytes=LEAST_MEMORY))
    now = 0
    for ident, offset, length, more, six, wait in fragments:
        now += wait * SECOND // 8
        make = ipv6 if six else ipv4
        decoder.decode_frame(make(bytes([length]) * length * 8, offset * 8, more=more, ident=ident), RAW, time_ns=now)
    assert payloads(decoder, pieces(ipv4, datagram(PAYLOAD), 1480, ident=99)) == [PAYLOAD]
    decoder.decode_frame(ipv4(b"x" * 8, ident=98), RAW, time_ns=now + 60 * SECOND)
    assert decoder.fragments.waiting == 1


@settings(max_examples=100)
@given(st.data())
def test_a_datagram_comes_out_as_it_went_in_whatever_the_cuts_and_the_order(data: st.DataObject) -> None:
    make = data.draw(st.sampled_from([ipv4, ipv6]))
    whole = datagram(PAYLOAD[: data.draw(st.integers(1, 3000))])
    words = (len(whole) - 1) // 8
    cuts = sorted({0, *data.draw(st.lists(st.integers(1, max(words, 1)), max_size=20))})
    cuts = [cut for cut in cuts if cut <= words]
    ends = [*cuts[1:], None]
    frames = [
        make(whole[a * 8 : None if b is None else b * 8], a * 8, more=b is not None)
        for a, b in zip(cuts, ends, strict=True)
    ]
    frames = data.draw(st.permutations(frames))
    if len(frames) > 1:
        assert payloads(Decoder(), frames) == [whole[8:]]
