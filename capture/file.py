"""A capture file as a run of records: opened, inflated when it is gzip, and read through one fixed buffer.

    with CaptureFile(path) as file:
        while True:
            ...                     # take records from file.reader until it finds no more
            if not file.fill():
                break
        file.problem                # None, or why the file could not be read to its end

A plain read into a fixed buffer is used for every source rather than mmap: memory stays bounded, pipes
and gzip take the same path, and a file that is cut while it is read cannot raise SIGBUS.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from capture.errors import CaptureFileError
from capture.gz import MAGIC as GZIP_MAGIC
from capture.gz import GzipSource
from capture.records import RecordReader

# The largest record (records.MAXIMUM_BLOCK, 512 KiB) fits twice, so that one always fits whole.
BUFFER_BYTES = 1024 * 1024
# Read at a time: what was read stays in the second-level cache until it is decoded.
READ_BYTES = 256 * 1024


class CaptureFile:
    """Opens `path`; CaptureFileError when it is not a capture file that can be read at all."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._reading_problem: str | None = None
        self._ended = False
        self.reader = RecordReader(self._buffer)
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
        self._file.close()

    def fill(self) -> bool:
        """Reads more of the file into the buffer; False when there is no more, or no sense in more.

        What `reader` handed out before is no longer valid.
        """
        if self._ended or self.reader.problem is not None:
            return False
        kept = self.reader.compact()
        try:
            count = self._source.readinto(self._buffer[kept : kept + READ_BYTES])
        except OSError as error:
            self._reading_problem = f"cannot be read to its end: {_reason(error)}"
            count = 0
        self.reader.filled(count)
        self._ended = count == 0
        return not self._ended

    @property
    def problem(self) -> str | None:
        """Why the file could not be read to its end (the end of a sentence about it), or None."""
        return self.reader.problem or self._reading_problem or self._source_problem() or self._cut_problem()

    @property
    def position(self) -> int:
        """Bytes of the file that were read so far, as they lie on the disk."""
        return self._source.position if isinstance(self._source, GzipSource) else self.reader.position

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
            head = self._file.read(len(GZIP_MAGIC))
            while 0 < len(head) < len(GZIP_MAGIC) and (more := self._file.read(1)):
                head += more  # a pipe gives what it has
            if head == GZIP_MAGIC:
                self._source = GzipSource(self._file, head)
            else:
                self._source = self._file
                self._buffer[: len(head)] = head
                self.reader.filled(len(head))
        while not self.reader.read_header():
            if not self.fill():
                raise CaptureFileError(self.path, self._opening_problem())

    def _opening_problem(self) -> str:
        if self.problem is None:
            return "is empty"
        if self._reading_problem or self._source_problem():
            return self.problem
        return self.reader.problem or "is too short for a capture file"

    def _source_problem(self) -> str | None:
        return self._source.problem if isinstance(self._source, GzipSource) else None

    def _cut_problem(self) -> str | None:
        return "is cut short in the middle of a record" if self._ended and self.reader.incomplete else None


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
