"""The ring as the kernel lays it out, built in plain memory; tests/test_live_capture.py has the kernel's own."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.ring import HEADROOM, Ring

BLOCK_BYTES = 4096
ETHERNET, RAW = 1, 101
KERNEL, USER = 0, 1
VLAN_VALID, TPID_VALID = 0x10, 0x40
# linux/if_packet.h: tpacket_block_desc is version, offset of the private part, and tpacket_hdr_v1
STATUS_AT = 8
HEADER = struct.Struct("=6IHHIIHH8x")  # tpacket3_hdr
HEADER_BYTES = HEADER.size
FRAME_AT = HEADER_BYTES + 20 + HEADROOM  # behind the header, a sockaddr_ll, and the room for a tag


def block(frames, *, status=USER, tag=None, second=1_700_000_000):
    """One block that holds `frames`; with `tag` (protocol, number) as of frames that had it taken off."""
    out = bytearray(struct.pack("=II4I", 1, 0, status, len(frames), 48, 0).ljust(48, b"\0"))
    for i, frame in enumerate(frames):
        flags = VLAN_VALID | TPID_VALID if tag else 0
        next_at = (FRAME_AT + len(frame) + 7) // 8 * 8
        kind, number = tag or (0, 0)
        lengths = len(frame), len(frame) + 10
        header = HEADER.pack(next_at, second, i, *lengths, flags, FRAME_AT, FRAME_AT + 14, 0, number, kind, 0)
        out += header.ljust(FRAME_AT, b"\xee") + frame.ljust(next_at - FRAME_AT, b"\xee")
    assert len(out) <= BLOCK_BYTES
    return bytes(out).ljust(BLOCK_BYTES, b"\0")


def status_of(memory, number):
    return struct.unpack_from("=I", memory, number * BLOCK_BYTES + STATUS_AT)[0]


def hand_over(memory, number, content):
    memory[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES] = content


FRAMES = [bytes([i]) * 60 for i in range(1, 5)]


def test_frames_come_in_order_with_their_time_and_their_length_on_the_wire():
    memory = bytearray(block(FRAMES) + bytes(BLOCK_BYTES))
    ring = Ring(memory, BLOCK_BYTES, ETHERNET)
    expected = [(1_700_000_000 * 10**9 + i, ETHERNET, frame, 70) for i, frame in enumerate(FRAMES)]
    assert list(ring) == expected
    assert (ring.packets, ring.bytes) == (4, 280)


def test_a_block_goes_back_to_the_kernel_only_when_its_last_frame_was_used():
    memory = bytearray(block(FRAMES) + bytes(BLOCK_BYTES))
    ring = Ring(memory, BLOCK_BYTES, ETHERNET)
    for _ in FRAMES:
        next(ring)
        assert status_of(memory, 0) == USER
    assert list(ring) == []
    assert status_of(memory, 0) == KERNEL


def test_the_ring_goes_round():
    memory = bytearray(2 * BLOCK_BYTES)
    ring = Ring(memory, BLOCK_BYTES, ETHERNET)
    seen = []
    for turn in range(7):
        assert list(ring) == []
        hand_over(memory, turn % 2, block([bytes([turn]) * 60]))
        seen += [data[0] for _, _, data, _ in ring]
    assert seen == list(range(7))


def test_blocks_that_wait_are_all_read_and_an_empty_one_is_no_end():
    memory = bytearray(block(FRAMES[:1]) + block([]) + block(FRAMES[1:]))
    ring = Ring(memory, BLOCK_BYTES, ETHERNET)
    assert [data for _, _, data, _ in ring] == FRAMES


@pytest.mark.parametrize(("tag", "written"), [((0x88A8, 0x2064), "88a82064"), ((0x8100, 5), "81000005")])
def test_a_tag_that_the_kernel_took_off_is_put_back(tag, written):
    frame = bytes(range(12)) + b"\x08\x00" + b"x" * 46
    memory = bytearray(block([frame], tag=tag))
    ring = Ring(memory, BLOCK_BYTES, ETHERNET)
    [(_, _, data, wire_bytes)] = ring
    assert data == frame[:12] + bytes.fromhex(written) + frame[12:]
    assert wire_bytes == len(frame) + 10 + 4
    assert ring.tagged == 1


def test_a_packet_without_a_link_header_gets_no_tag():
    memory = bytearray(block([b"E" * 60], tag=(0x8100, 5)))
    assert [data for _, _, data, _ in Ring(memory, BLOCK_BYTES, RAW)] == [b"E" * 60]


def test_a_closed_ring_finds_nothing_and_lets_go_of_its_memory():
    memory = bytearray(block(FRAMES))
    ring = Ring(memory, BLOCK_BYTES, ETHERNET)
    next(ring)
    ring.close()
    assert list(ring) == []
    memory += b"resized, which a buffer in use refuses"


@pytest.mark.parametrize(("size", "block_bytes"), [(0, 4096), (4096, 8), (5000, 4096)])
def test_memory_that_is_no_number_of_blocks_is_refused(size, block_bytes):
    with pytest.raises(ValueError, match="number of blocks"):
        Ring(bytearray(size), block_bytes, ETHERNET)


@settings(max_examples=100)
@given(st.data())
def test_a_ring_that_lies_is_read_inside_its_bounds_and_ends(data):
    memory = bytearray(block(FRAMES, tag=(0x8100, 5)) * 2)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(memory) - 4)) // 4 * 4
        memory[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    struct.pack_into("=I", memory, STATUS_AT, USER)
    ring = Ring(memory, BLOCK_BYTES, ETHERNET)
    for _, _, frame, wire_bytes in ring:
        assert len(frame) <= BLOCK_BYTES + HEADROOM
        assert wire_bytes >= len(frame)


def test_a_block_whose_frame_is_longer_than_the_block_ends_the_ring():
    memory = bytearray(block(FRAMES))
    struct.pack_into("=I", memory, 48 + 12, 5000)  # tp_snaplen of the first frame
    ring = Ring(memory, BLOCK_BYTES, ETHERNET)
    assert list(ring) == []
    assert ring.broken
