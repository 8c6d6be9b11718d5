"""A capture file as a run of records: opened, inflated when it is gzip, and read through one fixed buffer.

    with CaptureFile(path) as file:
        while True:
            ...                     # take records from file.reader until it finds no more
            if not file.fill():
                break
        file.problem                # None, or why the file could not be read to its end

A plain read into a fixed buffer is used for every source rather than mmap: memory stays bounded, pipes
and gzip take the same path, and a file that is cut while it is read cannot raise SIGBUS.

The unread bytes of a block are carried to just before the next one, so that a record is always in one piece. A gzip
file of some size is inflated ahead by a thread of its own, into rooms for three blocks. A plain file is not: handing
its blocks over costs about what reading them does (docs/adr/0020). Nor is a pipe: a thread that waits for one cannot be
called off.
"""

import io
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from capture.errors import CaptureFileError
from capture.gz import MAGIC as GZIP_MAGIC
from capture.gz import GzipSource
from capture.read_ahead import Block, ReadAhead
from capture.records import RecordReader

# The largest record (records.MAXIMUM_BLOCK, 512 KiB) fits before the next block, so that one always fits whole.
CARRIED_BYTES = 512 * 1024
# Read at a time: what was read stays in the second-level cache until it is decoded.
READ_BYTES = 256 * 1024
ROOM_BYTES = CARRIED_BYTES + READ_BYTES
# Of a gzip file: one is at work, one is full, one is being filled.
ROOMS = 3
# What is shorter is read before a thread would have been of use.
AHEAD_FROM_BYTES = 1024 * 1024


class CaptureFile:
    """Opens `path`; CaptureFileError when it is not a capture file that can be read at all."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self._block = Block(0, 0, None)
        self._ahead: ReadAhead | None = None
        self._ended = False
        with _named_errors(path):
            self._file: io.RawIOBase = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - any path, kept open
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[int, int, bytes, int]]:
        """`(time_ns, link_type, data, wire_bytes)` of every record."""
        while True:
            yield from self.reader
            if not self.fill():
                return

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
        self._file.close()

    def fill(self) -> bool:
        """Reads more of the file into the buffer; False when there is no more, or no sense in more.

        What `reader` handed out before is no longer valid. All that is within its reach must have been taken.
        """
        if self._ended or self.reader.problem is not None:
            return False
        self._ended = True  # should reading raise
        self._block = self._next_block()
        self.reader.filled(self._block.filled)
        self._ended = self._block.filled == 0
        return not self._ended

    @property
    def problem(self) -> str | None:
        """Why the file could not be read to its end (the end of a sentence about it), or None."""
        return self.reader.problem or self._block.problem or self._cut_problem()

    @property
    def position(self) -> int:
        """Bytes of the file that were taken so far, as they lie on the disk."""
        return self._block.position

    @property
    def link_types(self) -> tuple[int, ...]:
        """LINKTYPE_ values described by the part that was read."""
        return self.reader.link_types

    @property
    def dropped(self) -> int | None:
        """Packets that the capturing host says it lost; None when the file does not say."""
        return self.reader.dropped

    @property
    def cut_by_snaplen(self) -> int:
        """Records of which less was captured than was on the wire."""
        return self.reader.cut_by_snaplen

    def _open(self) -> None:
        with _named_errors(self.path):
            is_regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
            head = self._file.read(len(GZIP_MAGIC))
            while 0 < len(head) < len(GZIP_MAGIC) and (more := self._file.read(1)):
                head += more  # a pipe gives what it has
        is_gzip = head == GZIP_MAGIC
        self._source = GzipSource(self._file, head) if is_gzip else PlainSource(self._file, head)
        count = ROOMS if is_gzip and is_regular else 1
        buffer = memoryview(mmap.mmap(-1, count * ROOM_BYTES))  # at the start of a page: see PlainSource
        self._rooms = [buffer[end - READ_BYTES : end] for end in range(ROOM_BYTES, len(buffer) + 1, ROOM_BYTES)]
        self._room = 0  # the one at work
        self.reader = RecordReader(buffer)
        while not self.reader.read_header():
            if not self.fill():
                raise CaptureFileError(self.path, self._opening_problem())

    def _next_block(self) -> Block:
        """Moves on to the next room, with the unread bytes before it, and waits until it is filled."""
        if self._ahead is None and len(self._rooms) > 1 and self.reader.position >= AHEAD_FROM_BYTES:
            self._ahead = ReadAhead(self._read, self._rooms[1:])
        if self._ahead is None:
            self.reader.move(CARRIED_BYTES)
            return self._read(self._rooms[0])
        left = self._rooms[self._room]
        self._room = (self._room + 1) % ROOMS
        self.reader.move(self._room * ROOM_BYTES + CARRIED_BYTES)
        return self._ahead.next(left)

    def _read(self, room: memoryview) -> Block:
        try:
            count = self._source.readinto(room)
        except OSError as error:
            return Block(0, self._source.position, f"cannot be read to its end: {_reason(error)}")
        return Block(count, self._source.position, self._source.problem)

    def _opening_problem(self) -> str:
        if self.problem is None:
            return "is empty"
        return self.reader.problem or self._block.problem or "is too short for a capture file"

    def _cut_problem(self) -> str | None:
        return "is cut short in the middle of a record" if self._ended and self.reader.incomplete else None


class PlainSource:
    """A raw binary file as it is, of which `head` was read already. Its bytes never end early.

    The first read goes on behind the head, so that all reads begin at pages of the file, and of memory as well. The
    kernel's copy (`rep movsb` on AMD Zen 4) takes half as long again where memory lies 16 bytes further into its page
    than the file, as a bytearray does, and four times as long where it is fewer.
    """

    problem = None

    def __init__(self, file: io.RawIOBase, head: bytes) -> None:
        self.position = len(head)
        self._file = file
        self._head = head

    def readinto(self, room: memoryview) -> int:
        """Fills `room` from its start; the bytes written, 0 only at the end."""
        head, self._head = self._head, b""
        room[: len(head)] = head
        count = self._file.readinto(room[len(head) :]) or 0
        self.position += count
        return len(head) + count


@contextmanager
def _named_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns the operating system's refusal into one line that names the file."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise CaptureFileError(path, _reason(error)) from error


def _reason(error: OSError | ValueError) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]
