"""Gzip captures are inflated ahead by a thread of their own: nobody could tell, but for the time that it takes."""

import gzip
import io
import os
import random
import threading
from pathlib import Path

import pytest

from capture import file as capture_file
from capture.file import CaptureFile
from capture.read_ahead import Block, ReadAhead
from tests.captures import ETHERNET, Record, Section, pcap
from tests.waiting import until

# Half of a payload is noise, so that compressed and inflated bytes are both several blocks.
RECORDS: list[Record] = [
    (i * 1000, ETHERNET, random.Random(i).randbytes(1000) + bytes(1000), 2000) for i in range(2000)
]
PLAIN = pcap(RECORDS)
GZIPPED = gzip.compress(PLAIN, compresslevel=1, mtime=0)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "read-ahead"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert threads() == []


@pytest.fixture
def write(tmp_path: Path):
    def write(data: bytes) -> Path:
        path = tmp_path / "test.pcap.gz"
        path.write_bytes(data)
        return path

    return write


def story(path: Path) -> tuple[list[Record], list[int], str | None]:
    """What a file gave, where in the file each of its blocks ended, and why it could not be read to its end."""
    records: list[Record] = []
    positions = []
    with CaptureFile(path) as file:
        records += file.reader
        while file.fill():
            positions.append(file.position)
            records += file.reader
        return records, positions, file.problem


def damaged(at: int, size: int = 1000) -> bytes:
    data = bytearray(GZIPPED)
    data[at : at + size] = bytes(size)
    return bytes(data)


FILES = {
    "whole": GZIPPED,
    "padded": GZIPPED + bytes(512),
    "of many members": b"".join(gzip.compress(PLAIN[at : at + 100_001]) for at in range(0, len(PLAIN), 100_001)),
    "cut short": GZIPPED[: len(GZIPPED) * 2 // 3],
    "without its last byte": GZIPPED[:-1],
    "corrupt in its middle": damaged(len(GZIPPED) // 2),
    "of a wrong checksum": GZIPPED[:-8] + bytes(8),
    "of a capture that ends in a record": gzip.compress(PLAIN[:-1], compresslevel=1),
    "of a capture that is damaged": gzip.compress(
        PLAIN[:3_000_024] + b"\xff" * 3000 + PLAIN[3_003_024:], compresslevel=1
    ),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES.keys())
def test_a_file_gives_with_the_thread_what_it_gives_without(write, monkeypatch, data: bytes) -> None:
    path = write(data)
    ahead = story(path)
    monkeypatch.setattr(capture_file, "AHEAD_FROM_BYTES", len(PLAIN) + 1)
    assert story(path) == ahead
    assert len(ahead[0]) > len(RECORDS) // 3


def test_a_record_across_many_blocks_is_in_one_piece(write) -> None:
    section = Section()
    largest = random.Random(1).randbytes(262_144)
    data = section.header() + section.interface()
    for time_us in range(20):
        data += section.enhanced(time_us, largest[time_us:])
    with CaptureFile(write(gzip.compress(data, compresslevel=1))) as file:
        for time_us, record in enumerate(file):
            assert record[2] == largest[time_us:]
            assert threads() != [] or time_us != 10
        assert time_us == 19


def test_plain_files_short_ones_and_pipes_start_no_thread(write, tmp_path: Path) -> None:
    for data in (PLAIN, gzip.compress(PLAIN[: capture_file.AHEAD_FROM_BYTES // 2])):
        with CaptureFile(write(data)) as file:
            assert len(list(file)) > 0
            assert threads() == []
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(GZIPPED,))
    writer.start()
    with CaptureFile(fifo) as file:
        assert list(file) == RECORDS
        assert threads() == []
    writer.join()


def test_who_leaves_early_leaves_no_thread(write) -> None:
    with pytest.raises(KeyboardInterrupt), CaptureFile(write(GZIPPED)) as file:
        for number, _ in enumerate(file):
            if number == len(RECORDS) * 3 // 4:
                assert threads() != []
                raise KeyboardInterrupt


def test_an_error_of_reading_ends_the_file_behind_what_was_read(write, monkeypatch) -> None:
    class Failing(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            if self.tell() > len(GZIPPED) * 3 // 4:
                raise OSError(5, "Input/output error")
            return super().read(size) or b""

    monkeypatch.setattr(capture_file, "open", lambda path, *_, **__: Failing(path), raising=False)
    records, _, problem = story(write(GZIPPED))
    assert problem == "cannot be read to its end: input/output error"
    assert 0.7 * len(RECORDS) < len(records) < 0.8 * len(RECORDS)
    assert records == RECORDS[: len(records)]


# --- the thread by itself


def rooms(count: int) -> list[memoryview]:
    return [memoryview(bytearray(1)) for _ in range(count)]


def test_blocks_come_in_order_and_an_error_in_its_place() -> None:
    answers = iter([Block(1, 1, None), Block(1, 2, None)])

    def read(_: memoryview) -> Block:
        try:
            return next(answers)
        except StopIteration:
            raise MemoryError from None

    ahead = ReadAhead(read, rooms(2))
    left = memoryview(bytearray(1))
    assert [ahead.next(left).position, ahead.next(left).position] == [1, 2]
    with pytest.raises(MemoryError):
        ahead.next(left)
    ahead.close()


def test_no_more_is_read_ahead_than_there_are_rooms() -> None:
    filled: list[memoryview] = []

    def read(room: memoryview) -> Block:
        filled.append(room)
        return Block(1, len(filled), None)

    both = rooms(2)
    ahead = ReadAhead(read, both)
    until(lambda: len(filled) == 2)
    left = memoryview(bytearray(1))
    assert ahead.next(left).position == 1
    until(lambda: len(filled) == 3)
    assert [id(room) for room in filled] == [id(room) for room in (*both, left)]
    ahead.close()
    assert len(filled) == 3
