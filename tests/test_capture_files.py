"""Capture files: every format and byte order, and every way in which a file can be bad."""

import contextlib
import gzip
import os
import random
import shutil
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.errors import CaptureFileError
from capture.file import CaptureFile
from capture.records import RecordReader
from tests.captures import ETHERNET, PCAP_KUZNETZOV, PCAP_NS, PCAP_US, Record, Section, pcap, pcap_header

START_NS = 1_700_000_000_123_456_789
RECORDS: list[Record] = [
    (START_NS // 1000 * 1000 + i * 20_000_000, ETHERNET, bytes([i]) * (20 + i), 20 + i) for i in range(5)
]
NOBODY = 65534
LONGEST_READ_S = 2


def read_all(path: Path) -> tuple[list[Record], str | None]:
    with CaptureFile(path) as file:
        return list(file), file.problem


def read_bytes(data: bytes) -> list[Record]:
    return list(RecordReader(bytearray(data), len(data)))


def read_in_steps(data: bytes, step: int, buffer_bytes: int) -> tuple[list[Record], str | None]:
    """Feeds the reader `step` bytes at a time through a small buffer, as CaptureFile does through a large one."""
    buffer = bytearray(buffer_bytes)
    reader = RecordReader(buffer)
    records: list[Record] = []
    for at in range(0, len(data), step):
        kept = reader.compact()
        part = data[at : at + step]
        buffer[kept : kept + len(part)] = part
        reader.filled(len(part))
        records += reader
    return records, reader.problem


@pytest.fixture
def write(tmp_path: Path):
    def write(data: bytes, name: str = "test.pcap") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


# --- pcap


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [PCAP_US, PCAP_NS, PCAP_KUZNETZOV])
def test_pcap_is_read_in_both_byte_orders_and_resolutions(write, order: str, magic: int) -> None:
    assert read_all(write(pcap(RECORDS, order=order, magic=magic))) == (RECORDS, None)


def test_nanoseconds_are_kept() -> None:
    record = (START_NS, ETHERNET, b"x", 1)
    assert read_bytes(pcap([record], magic=PCAP_NS)) == [record]


def test_a_time_after_2038_is_after_2038() -> None:
    record = (4_000_000_000 * 10**9, ETHERNET, b"x", 1)
    assert read_bytes(pcap([record])) == [record]


def test_the_frame_check_sequence_bits_are_not_part_of_the_link_type() -> None:
    data = pcap_header(link_type=0x3400_0000 | 113) + pcap(RECORDS)[24:]
    assert {record[1] for record in read_bytes(data)} == {113}


def test_a_record_cut_by_snaplen_is_counted(write) -> None:
    records = [(0, ETHERNET, b"abc", 100), (0, ETHERNET, b"abc", 3)]
    with CaptureFile(write(pcap(records))) as file:
        assert list(file) == records
        assert file.cut_by_snaplen == 1


def test_a_wire_length_below_the_captured_one_is_taken_for_it() -> None:
    assert read_bytes(pcap([(0, ETHERNET, b"abcd", 0)])) == [(0, ETHERNET, b"abcd", 4)]


def test_a_capture_of_no_packets_is_no_problem(write) -> None:
    assert read_all(write(pcap([]))) == ([], None)


# --- pcapng


def option(section: Section, code: int, value: bytes) -> bytes:
    return section.option(code, value) + section.option(0, b"")


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_is_read_in_both_byte_orders(write, order: str) -> None:
    section = Section(order)
    data = section.header() + section.interface()
    for time_ns, _, frame, wire in RECORDS:
        data += section.enhanced(time_ns // 1000, frame, wire=wire)
    assert read_all(write(data)) == (RECORDS, None)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("resolution", "ticks", "time_ns"),
    [
        (0, 5, 5_000_000_000),
        (3, 1_700_000_000_123, 1_700_000_000_123_000_000),
        (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (9, START_NS, START_NS),
        (12, 1_700_000_000_123_456, 1_700_000_000_123),
        (127, 2**64 - 1, 1),
        (0x80, 7, 7_000_000_000),
        (0x80 | 10, 1024 + 512, 1_500_000_000),
        (0x80 | 32, (1_700_000_000 << 32) + (1 << 31), 1_700_000_000_500_000_000),
        (0x80 | 40, 3 << 38, 750_000_000),
        (0x80 | 63, 1 << 62, 500_000_000),
        (0x80 | 70, 2**63, 7_812_500),
        (0x80 | 127, 2**64 - 1, 0),
    ],
)
def test_times_are_read_at_the_resolution_of_their_interface(order, resolution, ticks, time_ns) -> None:
    section = Section(order)
    data = section.header() + section.interface(options=option(section, 9, bytes([resolution])))
    assert read_bytes(data + section.enhanced(ticks, b"x")) == [(time_ns, ETHERNET, b"x", 1)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("offset_s", [3600, -3600])
def test_the_time_offset_of_an_interface_is_added(order: str, offset_s: int) -> None:
    section = Section(order)
    data = section.header() + section.interface(options=option(section, 14, section.pack("q", offset_s)))
    assert read_bytes(data + section.enhanced(7_200_000_000, b"x"))[0][0] == (7200 + offset_s) * 10**9


def test_each_interface_has_its_own_link_type_and_resolution(write) -> None:
    section = Section()
    data = section.header() + section.interface() + section.interface(113, options=option(section, 9, b"\x09"))
    data += section.enhanced(1, b"a", interface=1) + section.enhanced(1, b"b", interface=0)
    with CaptureFile(write(data)) as file:
        assert list(file) == [(1, 113, b"a", 1), (1000, ETHERNET, b"b", 1)]
        assert file.link_types == (ETHERNET, 113)


def test_a_new_section_brings_its_own_byte_order_and_interfaces() -> None:
    first, second = Section("<"), Section(">")
    data = first.header() + first.interface(113) + first.enhanced(1, b"a")
    data += second.header() + second.interface(101) + second.enhanced(2, b"b")
    assert read_bytes(data) == [(1000, 113, b"a", 1), (2000, 101, b"b", 1)]


def test_the_obsolete_packet_block_is_read() -> None:
    section = Section(">")
    data = section.header() + section.interface() + section.interface(113) + section.obsolete(5, b"abc", interface=1)
    assert read_bytes(data) == [(5000, 113, b"abc", 3)]


def test_a_simple_packet_has_the_time_of_the_packet_before_it() -> None:
    section = Section()
    data = section.header() + section.interface(snaplen=4) + section.enhanced(9, b"first")
    data += section.simple(b"cut ", 100) + section.simple(b"ab", 2)
    assert read_bytes(data)[1:] == [(9000, ETHERNET, b"cut ", 100), (9000, ETHERNET, b"ab", 2)]


def test_blocks_of_other_kinds_and_options_of_packets_are_passed_over() -> None:
    section = Section()
    data = section.header() + section.block(4, b"names..!") + section.interface() + section.block(0xBAD, bytes(400))
    data += section.enhanced(1, b"x", tail=option(section, 1, b"a comment"))
    assert read_bytes(data) == [(1000, ETHERNET, b"x", 1)]


def test_drop_counts_are_the_last_of_each_interface_over_all_sections(write) -> None:
    section = Section()
    one = section.header() + section.interface() + section.interface()
    one += section.statistics(interface=0, if_dropped=1) + section.statistics(interface=0, if_dropped=5, os_dropped=2)
    one += section.statistics(interface=1, received=9, if_dropped=10)
    two = section.header() + section.interface() + section.statistics(if_dropped=100)
    with CaptureFile(write(one + two)) as file:
        assert file.dropped is None
        assert list(file) == []
        assert file.dropped == 5 + 2 + 10 + 100


def test_statistics_that_do_not_count_drops_leave_them_unknown(write) -> None:
    section = Section()
    with CaptureFile(write(section.header() + section.interface() + section.statistics(received=4))) as file:
        assert list(file) == []
        assert file.dropped is None


def test_a_block_larger_than_the_buffer_is_passed_over(write) -> None:
    section = Section()
    data = section.header() + section.interface() + section.block(0x0A, bytes(5_000_000)) + section.enhanced(1, b"x")
    assert read_all(write(data)) == ([(1000, ETHERNET, b"x", 1)], None)


def test_the_largest_packet_fits_the_buffer_wherever_it_lies(write) -> None:
    records = [
        (i * 1000, ETHERNET, bytes([i % 256]) * size, size) for i, size in enumerate([262144, 1, 262144, 262144] * 3)
    ]
    assert read_all(write(pcap(records))) == (records, None)


# --- an independent writer


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "modpcap", "pcapng"])
def test_what_editcap_writes_is_read_alike(corpus: Path, tmp_path: Path, kind: str) -> None:
    if not (editcap := shutil.which("editcap")):
        pytest.fail("editcap is missing: it comes with tshark")
    source = corpus / "sip_pcap" / "wireshark-wiki" / "aaa.pcap"
    subprocess.run([editcap, "-F", kind, str(source), str(tmp_path / "copy")], check=True)
    records, problem = read_all(tmp_path / "copy")
    assert len(records) > 100
    assert (records, problem) == read_all(source)


# --- files that cannot be read, or not to their end


def refusal(path: Path | str) -> str:
    with pytest.raises(CaptureFileError) as caught:
        CaptureFile(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return caught.value.reason


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.pcap") == "no such file or directory"


def test_a_name_that_no_file_can_have_is_refused() -> None:
    assert refusal("nul\0byte") == "embedded null byte"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "is a directory"


def test_a_file_without_permission_is_refused(write) -> None:
    path = write(pcap(RECORDS))
    path.chmod(0)
    with contextlib.ExitStack() as stack:
        if os.geteuid() == 0:  # whom no permission stops
            os.seteuid(NOBODY)
            stack.callback(os.seteuid, 0)
        assert refusal(path) == "permission denied"


def test_an_empty_file_is_refused(write) -> None:
    assert refusal(write(b"")) == "is empty"


@pytest.mark.parametrize("data", [b"INVITE sip:a@b SIP/2.0\r\n", b"PK\x03\x04" + bytes(100), bytes(100)])
def test_a_wrong_magic_number_is_refused(write, data: bytes) -> None:
    assert refusal(write(data)) == "is not a capture file (pcap or pcapng)"


def test_a_pcap_of_an_unknown_version_is_refused(write) -> None:
    assert refusal(write(pcap_header(version=7))) == "is of version 7 of the pcap format, which is not known"


@pytest.mark.parametrize("length", [1, 2, 3, 4, 23])
def test_a_file_shorter_than_a_header_is_refused(write, length: int) -> None:
    assert refusal(write(pcap(RECORDS)[:length])) == "is too short for a capture file"


@pytest.mark.parametrize("lost", [1, 20, 25])
def test_a_truncated_pcap_gives_the_records_before_the_cut(write, lost: int) -> None:
    assert read_all(write(pcap(RECORDS)[:-lost])) == (RECORDS[:-1], "is cut short in the middle of a record")


@pytest.mark.parametrize("lost", [1, 4, 35])
def test_a_truncated_pcapng_gives_the_records_before_the_cut(write, lost: int) -> None:
    section = Section()
    data = section.header() + section.interface() + section.enhanced(1, b"a") + section.enhanced(2, b"b")
    records, problem = read_all(write(data[:-lost]))
    assert [data for _, _, data, _ in records] == [b"a"]
    assert problem == "is cut short in the middle of a record"


def test_a_pcapng_cut_inside_a_block_that_is_passed_over_is_called_cut(write) -> None:
    section = Section()
    data = section.header() + section.interface() + section.block(0x0A, bytes(2_000_000))
    assert read_all(write(data[:-3])) == ([], "is cut short in the middle of a record")


def test_a_file_that_is_being_read_is_not_called_cut(write) -> None:
    with CaptureFile(write(pcap(RECORDS))) as file:
        next(iter(file))
        assert file.problem is None


def test_random_bytes_behind_a_pcap_header_are_called_damage(write) -> None:
    data = pcap(RECORDS[:2])
    noise = b"\xff" * 16 + random.Random(1).randbytes(1000)
    records, problem = read_all(write(data + noise))
    assert records == RECORDS[:2]
    assert problem == f"is damaged at byte {len(data)}: a record claims 4294967295 bytes"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_behind_any_header_end_with_a_problem(write, order: str, seed: int) -> None:
    section = Section(order)
    noise = random.Random(seed).randbytes(5000)
    for header in (pcap_header(order=order), section.header(), section.header() + section.interface()):
        path = write(header + noise)
        with CaptureFile(path) as file:
            list(file)
            assert file.problem is not None


SECTION = Section()
OPENED = SECTION.header() + SECTION.interface()
DAMAGE = {
    "a block shorter than its frame": (SECTION.pack("III", 0xBAD, 8, 8), "a block claims 8 bytes"),
    "a block that is not whole words": (SECTION.pack("IIII", 0xBAD, 15, 0, 15), "a block claims 15 bytes"),
    "a packet block of the largest length": (SECTION.pack("III", 6, 0xFFFFFFFC, 0), "a block claims 4294967292 bytes"),
    "two lengths that differ": (SECTION.pack("IIII", 0xBAD, 16, 0, 20), "the two lengths of a block differ"),
    "two lengths that differ far away": (
        SECTION.pack("II", 0xBAD, 2_000_000) + bytes(2_000_000 - 8),
        "the two lengths of a block differ",
    ),
    "a packet of an interface not described": (
        SECTION.enhanced(1, b"x", interface=1),
        "a packet of interface 1, which is not described",
    ),
    "a packet larger than its block": (
        SECTION.block(6, SECTION.pack("IIIII", 0, 0, 0, 5, 5) + b"abcd"),
        "a record claims 5 bytes",
    ),
    "a simple packet larger than its block": (SECTION.simple(b"abcd", 9), "a record claims 9 bytes"),
    "an enhanced packet without its fields": (SECTION.block(6, bytes(8)), "a block claims 20 bytes"),
    "a simple packet without its field": (SECTION.block(3, b""), "a block claims 12 bytes"),
    "an interface without its fields": (SECTION.block(1, b""), "a block claims 12 bytes"),
    "a section without its fields": (
        SECTION.block(0x0A0D0D0A, SECTION.pack("I", 0x1A2B3C4D)),
        "a block claims 16 bytes",
    ),
    "a section without a byte order": (SECTION.block(0x0A0D0D0A, bytes(16)), "a section has no byte order"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_to_a_pcapng_is_said_with_its_place(write, name: str) -> None:
    damage, text = DAMAGE[name]
    good = OPENED + SECTION.enhanced(1, b"x")
    records, problem = read_all(write(good + damage + good))
    assert records == [(1000, ETHERNET, b"x", 1)]
    assert problem is not None
    assert problem.startswith("is damaged at byte ")
    assert problem.endswith(text)


def test_a_simple_packet_before_any_interface_is_damage(write) -> None:
    assert "which is not described" in (read_all(write(SECTION.header() + SECTION.simple(b"abcd", 4)))[1] or "")


def test_interfaces_are_bounded(write) -> None:
    section = Section()
    data = section.header() + section.interface() * 1024
    assert read_all(write(data))[1] is None
    assert read_all(write(data + section.interface()))[1] == "describes more than 1024 interfaces"


# --- gzip


def test_gzip_is_known_by_its_magic_number_whatever_the_name(write) -> None:
    assert read_all(write(gzip.compress(pcap(RECORDS)), "plain.pcap")) == (RECORDS, None)


def test_a_gzip_of_several_members_is_one_file(write) -> None:
    data = pcap(RECORDS)
    assert read_all(write(gzip.compress(data[:50]) + gzip.compress(data[50:51]) + gzip.compress(data[51:]))) == (
        RECORDS,
        None,
    )


def test_padding_behind_a_gzip_is_no_problem(write) -> None:
    assert read_all(write(gzip.compress(pcap(RECORDS)) + bytes(512))) == (RECORDS, None)


def incompressible_records() -> list[Record]:
    return [(i * 1000, ETHERNET, random.Random(i).randbytes(1000), 1000) for i in range(3000)]


def test_a_gzip_cut_short_gives_what_was_readable(write) -> None:
    records = incompressible_records()
    data = gzip.compress(pcap(records))
    read, problem = read_all(write(data[: len(data) // 2]))
    assert problem == "is cut short in its gzip data"
    assert 0.49 * len(records) < len(read) < 0.51 * len(records)
    assert read == records[: len(read)]


def test_a_gzip_without_its_last_bytes_gives_every_record(write) -> None:
    assert read_all(write(gzip.compress(pcap(RECORDS))[:-1])) == (RECORDS, "is cut short in its gzip data")


def test_a_corrupt_gzip_gives_what_was_readable_before(write) -> None:
    records = incompressible_records()
    data = bytearray(gzip.compress(pcap(records), mtime=0))
    at = len(data) // 2
    data[at : at + 70_000] = bytes(70_000)
    read, problem = read_all(write(bytes(data)))
    assert problem is not None
    assert len(read) >= 0.49 * len(records)


def test_a_gzip_with_a_wrong_checksum_gives_every_record(write) -> None:
    data = bytearray(gzip.compress(pcap(RECORDS)))
    data[-8] ^= 1
    assert read_all(write(bytes(data))) == (RECORDS, "is corrupt in its gzip data")


def test_a_gzip_that_is_nothing_but_its_magic_is_refused(write) -> None:
    assert refusal(write(b"\x1f\x8b")) == "is cut short in its gzip data"


def test_a_gzip_of_nothing_is_empty(write) -> None:
    assert refusal(write(gzip.compress(b""))) == "is empty"


def test_a_gzip_bomb_does_not_grow_memory(write) -> None:
    section = Section()
    size = 100_000_000
    data = (
        section.header()
        + section.interface()
        + section.pack("II", 0x0A, size)
        + bytes(size - 12)
        + section.pack("I", size)
    )
    path = write(gzip.compress(data + section.enhanced(1, b"x"), compresslevel=1))
    del data
    tracemalloc.start()
    try:
        assert read_all(path) == ([(1000, ETHERNET, b"x", 1)], None)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


# --- where the bytes come from does not matter


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    data = gzip.compress(pcap(RECORDS))

    def feed() -> None:
        with fifo.open("wb", buffering=0) as file:
            for at in range(len(data)):
                file.write(data[at : at + 1])

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        assert read_all(fifo) == (RECORDS, None)
    finally:
        thread.join()


def test_the_position_reaches_the_size_of_the_file(write) -> None:
    for data in (pcap(RECORDS), gzip.compress(pcap(RECORDS))):
        with CaptureFile(write(data)) as file:
            list(file)
            assert file.position == len(data)


def test_more_bytes_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="room"):
        RecordReader(bytearray(10)).filled(11)
    with pytest.raises(ValueError, match="buffer"):
        RecordReader(bytearray(10), 11)
    with pytest.raises(BufferError):
        RecordReader(b"not writable")


@pytest.mark.parametrize("end", [100, 150, 400])
def test_unread_bytes_may_be_moved_anywhere_in_the_buffer(end: int) -> None:
    data, cut = pcap(RECORDS), 140
    buffer = bytearray(1000)
    buffer[:cut] = data[:cut]
    reader = RecordReader(buffer, cut)
    records = list(reader)
    reader.move(end)
    buffer[end : end + len(data) - cut] = data[cut:]
    reader.filled(len(data) - cut)
    assert records + list(reader) == RECORDS
    assert reader.position == len(data)
    with pytest.raises(ValueError, match="no room"):
        reader.move(1001)


def test_a_reader_is_starved_until_more_is_filled_in() -> None:
    data = pcap(RECORDS)
    buffer = bytearray(data)
    reader = RecordReader(buffer, 30)
    assert (list(reader), reader.starved) == ([], True)
    reader.filled(0)
    assert reader.starved
    reader.filled(len(data) - 30)
    assert not reader.starved
    assert (list(reader), reader.starved) == (RECORDS, True)


def valid_files() -> list[bytes]:
    section = Section(">")
    pcapng = section.header() + section.interface() + section.interface(113, options=option(section, 9, b"\x09"))
    pcapng += section.enhanced(1, b"abc") + section.block(0x0A, bytes(600)) + section.simple(b"xy", 2)
    pcapng += section.statistics(if_dropped=2) + section.obsolete(1 << 40, b"obsolete", interface=1)
    return [pcap(RECORDS), pcap(RECORDS, order=">", magic=PCAP_NS), pcapng, pcapng + OPENED + SECTION.enhanced(1, b"x")]


@st.composite
def mutated_files(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(valid_files())))
    for at, value in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=6)):
        data[at] = value
    return bytes(data[: draw(st.integers(0, len(data)))])


@settings(max_examples=300)
@given(mutated_files() | st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: OPENED + tail))
def test_whole_and_in_steps_a_file_gives_the_same_records(data: bytes) -> None:
    reader = RecordReader(bytearray(data), len(data))
    whole = (list(reader), reader.problem)
    assert read_in_steps(data, 1, 1024 * 1024) == whole
    assert read_in_steps(data, 7, 1024 * 1024) == whole


# --- the captures of others


def capinfos_counts(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """Packets of each file as capinfos counts them; those that it cannot open are left out."""
    if not (capinfos := shutil.which("capinfos")):
        pytest.fail("capinfos is missing: it comes with tshark")
    command = [capinfos, "-T", "-r", "-c", *map(str, paths)]
    for line in subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines():
        name, count = line.split("\t")
        yield name, count


def test_records_of_the_corpus_are_as_many_as_capinfos_counts(corpus: Path, negative_captures: Path) -> None:
    paths = [path for path in corpus.glob("*_pcap/**/*") if path.is_file()] + sorted(negative_captures.iterdir())
    counted = dict(capinfos_counts(paths))
    assert len(counted) > 800
    slow, wrong = [], []
    for path in paths:
        start = time.process_time()
        records, _ = read_all(path)
        if time.process_time() - start > LONGEST_READ_S:
            slow.append(path.name)
        if (count := counted.get(str(path))) is not None and count != str(len(records)):
            wrong.append((path.name, len(records), count))
    assert (slow, wrong) == ([], [])
