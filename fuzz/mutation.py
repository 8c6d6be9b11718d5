"""Seeds turned into likely trouble: cut, doubled, spliced, with the numbers at the edges that code forgets."""

import re
import struct
from collections.abc import Callable, Iterator
from random import Random

# Lengths and counts that have tripped readers before: signs, powers of two, and one beside them.
EDGES_8 = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x0D, 0x20, 0x3A, 0x22)
EDGES_16 = (0x0000, 0x0001, 0x7FFF, 0x8000, 0xFFFF)
EDGES_TEXT = (b"0", b"-1", b"65536", b"2147483648", b"4294967296", b"18446744073709551616", b"9" * 40)
MARKS = (b"\r\n", b"\r\n\r\n", b"\n", b"\r\n ", b'"', b"<", b">", b";", b",", b":", b"\x00", b"%", b"@", b"[", b"\xff")
HEADER_BYTES = 80  # of a frame: Ethernet, tags, IP, tunnel and UDP lie there, where one byte changes the most
MAX_BYTES = 65536
PCAP_HEADER_BYTES = 24
RECORD_HEADER_BYTES = 16


def flip(data: bytearray, random: Random) -> None:
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def set_edge_8(data: bytearray, random: Random) -> None:
    data[random.randrange(len(data))] = random.choice(EDGES_8)


def set_edge_16(data: bytearray, random: Random) -> None:
    at = random.randrange(len(data))
    data[at : at + 2] = struct.pack(">H", random.choice(EDGES_16))


def set_header_byte(data: bytearray, random: Random) -> None:
    data[random.randrange(min(len(data), HEADER_BYTES))] = random.randrange(256)


def cut(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data)) :]


def remove(data: bytearray, random: Random) -> None:
    at = random.randrange(len(data))
    del data[at : at + random.randrange(1, 64)]


def double(data: bytearray, random: Random) -> None:
    at = random.randrange(len(data))
    data[at:at] = data[at : at + random.randrange(1, 256)]


def insert_mark(data: bytearray, random: Random) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.choice(MARKS) * random.choice((1, 1, 2, 200))


def change_number(data: bytearray, random: Random) -> None:
    numbers = list(re.finditer(rb"\d+", data))
    if numbers:
        number = random.choice(numbers)
        data[number.start() : number.end()] = random.choice(EDGES_TEXT)


def repeat_line(data: bytearray, random: Random) -> None:
    lines = bytes(data).split(b"\n")
    at = random.randrange(len(lines))
    lines[at:at] = [lines[at]] * random.choice((1, 2, 300))
    data[:] = b"\n".join(lines)


MUTATORS: tuple[Callable[[bytearray, Random], None], ...] = (
    flip,
    set_edge_8,
    set_edge_16,
    set_header_byte,
    cut,
    remove,
    double,
    insert_mark,
    change_number,
    repeat_line,
)


def mutated(seed: bytes, other: bytes, random: Random) -> bytes:
    """`seed` after one to four mutations, now and then with the end of `other`."""
    data = bytearray(seed)
    if random.random() < 0.1:
        data[random.randrange(len(data) + 1) :] = other[random.randrange(len(other) + 1) :]
    for _ in range(random.randint(1, 4)):
        if data:
            random.choice(MUTATORS)(data, random)
    return bytes(data[:MAX_BYTES])


def pcap_records(pcap: bytes) -> Iterator[bytes]:
    """The records of a sound little-endian pcap, their headers with them."""
    at = PCAP_HEADER_BYTES
    while at < len(pcap):
        end = at + RECORD_HEADER_BYTES + int.from_bytes(pcap[at + 8 : at + 12], "little")
        yield pcap[at:end]
        at = end


def mutated_frames(pcap: bytes, other: bytes, random: Random) -> bytes:
    """A sound pcap with the time and most frames of `pcap`; the other frames are mutated, so that they get far."""
    splices = list(pcap_records(other))
    out = [pcap[:PCAP_HEADER_BYTES]]
    for record in pcap_records(pcap):
        data = record[RECORD_HEADER_BYTES:]
        if random.random() < 0.4:
            data = mutated(data, random.choice(splices)[RECORD_HEADER_BYTES:], random)
        out.append(record[:8] + struct.pack("<II", len(data), len(data)) + data)
    return b"".join(out)
