"""A segment of the spool: a file of records of one grade and one epoch, which is only ever appended to.

Record, little-endian, without padding:

    epoch     8 bytes   where a record begins, after damage too
    checksum  8 bytes   BLAKE2b of what follows and of the epoch
    length    4 bytes   of the payload
    sequence  8 bytes
    payload   `length` bytes
"""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

HEADER = struct.Struct("<QQIQ")
CHECKED = struct.Struct("<IQ")  # the part of the header that the checksum covers
MAX_PAYLOAD_BYTES = 512 << 10
FILE_MODE = 0o600  # numbers of subscribers are in it
NAME = re.compile(r"(\d{12})-(\d)-([0-9a-f]{16})\.spool")


class Record(NamedTuple):
    """A record that was read, and where the next one begins."""

    sequence: int
    payload: bytes
    end: int


def checksum(epoch: int, length: int, sequence: int, payload: bytes) -> int:
    digest = blake2b(CHECKED.pack(length, sequence), digest_size=8, key=epoch.to_bytes(8, "little"))
    digest.update(payload)
    return int.from_bytes(digest.digest(), "little")


def pack(epoch: int, sequence: int, payload: bytes) -> bytes:
    return HEADER.pack(epoch, checksum(epoch, len(payload), sequence, payload), len(payload), sequence) + payload


@dataclass(slots=True)
class Segment:
    """What is known of a segment. Its grade, its epoch and its place among the segments are in its name."""

    path: Path
    ordinal: int
    grade: int
    epoch: int
    size: int = 0
    head: int = 0  # offset of the first record that was not acknowledged
    pending: int = 0  # records from there on
    last_sequence: int = 0
    written_ns: int = 0  # when it was last appended to, as it was found at the start
    damage: set[int] = field(default_factory=set)  # offsets at which something unreadable begins

    @classmethod
    def named(cls, folder: Path, ordinal: int, grade: int, epoch: int) -> "Segment":
        return cls(folder / f"{ordinal:012d}-{grade}-{epoch:016x}.spool", ordinal, grade, epoch)

    @classmethod
    def found(cls, path: Path) -> "Segment | None":
        """The segment of a file; None for a file that is none."""
        match = NAME.fullmatch(path.name)
        return cls(path, int(match[1]), int(match[2]), int(match[3], 16)) if match else None

    def records(self) -> Iterator[Record]:
        """From `head` on, whatever can be read; notes where something cannot. Raises OSError."""
        with self.path.open("rb") as file:
            file.seek(self.head)
            data = file.read()
        marker = self.epoch.to_bytes(8, "little")
        at = 0
        whole = True
        while at < len(data):
            record = self._record_at(data, at)
            if record is not None:
                yield Record(record.sequence, record.payload, self.head + record.end)
                at = record.end
                whole = True
                continue
            if whole:
                self.damage.add(self.head + at)
                whole = False
            at = data.find(marker, at + 1)
            if at < 0:
                return

    def _record_at(self, data: bytes, at: int) -> Record | None:
        begin = at + HEADER.size
        if begin > len(data):
            return None
        epoch, check, length, sequence = HEADER.unpack_from(data, at)
        if epoch != self.epoch or length > MAX_PAYLOAD_BYTES or begin + length > len(data):
            return None
        payload = data[begin : begin + length]
        if checksum(epoch, length, sequence, payload) != check:
            return None
        return Record(sequence, payload, begin + length)

    def examine(self, acknowledged: int) -> None:
        """Learns from the file what there is, behind the records up to `acknowledged`. Raises OSError."""
        found = self.path.stat()
        self.size, self.written_ns = found.st_size, found.st_mtime_ns
        behind = 0
        for record in self.records():
            if record.sequence <= acknowledged:
                behind = record.end
            else:
                self.pending += 1
                self.last_sequence = record.sequence
        self.head = behind

    def acknowledge(self, sequence: int) -> None:
        """Moves the head behind the records up to `sequence`. Raises OSError."""
        head = self.head
        for record in self.records():
            if record.sequence > sequence:
                break
            head = record.end
            self.pending -= 1
        self.head = head


class Appender:
    """The segment that records of a grade are appended to. Every method raises OSError."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(segment.path, flags, FILE_MODE)
        self._unsynced = False

    @property
    def is_gone(self) -> bool:
        """Whether somebody deleted the file."""
        return os.fstat(self._file).st_nlink == 0

    def append(self, sequence: int, data: bytes) -> None:
        """Appends a packed record whole, or not at all."""
        try:
            written = 0
            while written < len(data):  # less is written where the disk ends, and the next try says so
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self.segment.size)
            raise
        self._unsynced = True
        self.segment.size += len(data)
        self.segment.pending += 1
        self.segment.last_sequence = sequence

    def sync(self) -> None:
        if self._unsynced:
            os.fdatasync(self._file)
            self._unsynced = False

    def close(self) -> None:
        os.close(self._file)
