"""Reports on their way to the collector: kept on disk until it says that it has them.

Invariants
----------
1. At least once: a record leaves the spool when it was acknowledged, or to make room, which is counted.
2. Order: batches hand records out in the order in which they were put.
3. (epoch, sequence) names one payload for ever. An epoch is a random number drawn each time the spool is opened;
   within one, sequences count up from 1 and are never reused, not even that of a record that could not be written.
   So nothing has to be known of the past to keep names unique: a lost or damaged file, a power cut or a restored
   backup cannot make the spool give a name twice. A gap in an epoch's sequences is a loss.
4. A record is handed out only when the checksum over its name and payload is right. Whatever else stands in the
   files is skipped and counted: reading goes on at the next record, which begins with its epoch. Who writes
   payloads does not know it, so that no payload can pass for a record.
5. Bounded: at most `max_bytes` on disk. Room is made from the lowest grade, there from the oldest, a segment at a time;
   a record of a lower grade than everything that is stored is refused itself. A grade may have a bound of its own.
6. `put` returns after the record was handed to the kernel: `kill -9` loses none. The disk is made to keep it within
   SYNC_NS while records come, so a power cut loses the last second at most.
7. Trouble with the disk is never raised: it is counted, `health` says it, and each `put` and `try_again` tries again.

Records of a grade are in segments of their own (appliance/storage/spool_segment.py), so that room is made by deleting
files; a batch merges the grades by sequence.
"""

import contextlib
import heapq
import os
import secrets
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import blake2b
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from appliance.storage.database import Fault, fault_of
from appliance.storage.spool_age import Ages
from appliance.storage.spool_segment import MAX_PAYLOAD_BYTES, Appender, Segment, pack

GRADES = 8  # 0 is the lowest
MAX_SEGMENT_BYTES = 1 << 20  # read as a whole
LEAST_SEGMENTS = 16  # so that little goes at once when room is made
EPOCH_BITS = 63  # fits a signed integer of a database
SYNC_NS = 10**9
ACKNOWLEDGED = "acknowledged"
PROBE, PROBE_BYTES = "probe", 1 << 16  # on a disk with less room a segment would soon fill it again
MARK = struct.Struct("<QQ8s")  # epoch, sequence, checksum


class Batch(NamedTuple):
    """Records of one epoch, in order; none when nothing waits."""

    epoch: int
    records: list[tuple[int, bytes]]  # (sequence, payload)


class SpoolHealth(msgspec.Struct, frozen=True):
    """How the spool is."""

    state: Literal["ok"] | Fault
    problem: str | None
    bytes: int
    depth: int  # records that wait
    dropped: int  # records that made room for others, or were refused
    lost: int  # records that could not be written, or not be read again
    damaged: int  # stretches of the files that could not be read
    oldest_ns: int | None = None  # when the record that waits the longest was put, by the wall clock; None: none waits


class Spool:
    """The spool in the folder `path`: `max_bytes` at most, `max_of_grade` of them of a grade. Any thread may call."""

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        max_of_grade: Mapping[int, int] | None = None,
        *,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._max_of_grade = max_of_grade or {}
        self.epoch = 1 + secrets.randbelow((1 << EPOCH_BITS) - 1)
        self._segment_bytes = min(MAX_SEGMENT_BYTES, max_bytes // LEAST_SEGMENTS)
        self._monotonic_ns = monotonic_ns
        self._wall_ns = wall_ns
        self._ages = Ages()
        self._lock = threading.Lock()  # of all below; `_health` is replaced as a whole, and read without it
        self._health = SpoolHealth("ok", None, 0, 0, 0, 0, 0)
        self._segments: deque[Segment] = deque()  # by ordinal
        self._appenders: dict[int, Appender] = {}  # by grade
        self._rank: dict[int, int] = {}  # epoch -> ordinal of its first segment
        self._handed_out: tuple[int, int] = (0, 0)  # epoch and sequence of the last record of a batch
        self._sequence = 0
        self._ordinal = 0
        self._bytes = [0] * GRADES  # of the segments of each grade
        self._miscounted = False  # since the last time that all was summed up, more happened than records were appended
        self._gone_damage = 0  # of segments that are no more
        self._synced_ns = 0
        self._loaded = False
        with self._lock:
            self._guarded(self._load)

    def put(self, grade: int, payload: bytes) -> None:
        """Appends a record. grade: 0..GRADES - 1, of which the lowest goes first when room is needed.

        A payload of more than MAX_PAYLOAD_BYTES is lost. Raises ValueError on another grade.
        """
        if not 0 <= grade < GRADES:
            raise ValueError(f"grade: expected 0..{GRADES - 1}, got {grade}")
        with self._lock:
            self._sequence += 1
            if len(payload) > MAX_PAYLOAD_BYTES or not self._guarded(lambda: self._put(grade, payload)):
                self._say(lost=self._health.lost + 1)
            else:
                self._ages.put(self._sequence, self._wall_ns())
                waits = self._health.oldest_ns or (self._ages.oldest_ns if self._health.depth else None)
                self._say(state="ok", problem=None, oldest_ns=waits)
            if self._miscounted:
                self._sum_up()

    def batch(self, max_bytes: int, max_items: int) -> Batch:
        """The oldest records that wait: at most `max_items`, and at most `max_bytes` unless the first alone has more.

        The same ones again until they are acknowledged.
        """
        with self._lock:
            self._guarded(self._load)
            batch = Batch(self.epoch, [])
            size = 0
            for _, sequence, segment, payload in heapq.merge(*map(self._waiting, self._grades()), key=itemgetter(0, 1)):
                size += len(payload)
                if batch.records and (size > max_bytes or segment.epoch != batch.epoch):
                    break
                batch = Batch(segment.epoch, batch.records)
                batch.records.append((sequence, payload))
                if len(batch.records) >= max_items:
                    break
            if batch.records:
                self._handed_out = max(
                    self._handed_out,
                    (batch.epoch, batch.records[-1][0]),
                    key=lambda name: (self._rank.get(name[0], -1), name[1]),
                )
            self._sum_up()
            return batch

    def acknowledge(self, epoch: int, sequence: int) -> None:
        """The collector has everything of `epoch` up to `sequence`, and everything of the epochs before it.

        What was never handed out is not taken for acknowledged, whoever says so.
        """
        with self._lock:
            handed_epoch, handed_sequence = self._handed_out
            if epoch not in self._rank or self._rank[epoch] > self._rank.get(handed_epoch, -1):
                return
            if epoch == handed_epoch:
                sequence = min(sequence, handed_sequence)
            if self._guarded(lambda: self._acknowledge(epoch, sequence)):
                self._say(state="ok", problem=None)
            self._sum_up()

    def try_again(self) -> None:
        """Sees whether a disk that was in trouble can be written again: `put` does, but where nothing is found nothing
        is put. Call it every few seconds."""
        with self._lock:
            if self._health.state != "ok" and self._guarded(self._probe):
                self._say(state="ok", problem=None)

    def health(self) -> SpoolHealth:
        """How the spool is, without touching the disk or waiting for it."""
        return self._health

    def close(self) -> None:
        """Makes the disk keep everything."""
        with self._lock:
            self._guarded(self._sync)
            for appender in self._appenders.values():
                appender.close()
            self._appenders.clear()

    # -- all below hold the lock and may raise OSError ------------------------------------------------------

    def _put(self, grade: int, payload: bytes) -> None:
        self._load()
        data = pack(self.epoch, self._sequence, payload)
        if not self._make_room(grade, len(data)):
            self._say(dropped=self._health.dropped + 1)
            return
        try:
            self._append(grade, data)
        except OSError as error:  # others may have filled the disk: what is worth less makes room
            if fault_of(error, self.path) != "full" or not self._drop_lowest(grade - 1):
                raise
            self._append(grade, data)
        if self._monotonic_ns() - self._synced_ns >= SYNC_NS:
            self._sync()

    def _append(self, grade: int, data: bytes) -> None:
        """Appends a packed record, and counts it: there may be hundreds of segments to sum up."""
        self._appender(grade, len(data)).append(self._sequence, data)
        self._bytes[grade] += len(data)
        self._say(bytes=self._health.bytes + len(data), depth=self._health.depth + 1)

    def _probe(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = self.path / PROBE
        try:
            probe.write_bytes(bytes(PROBE_BYTES))
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)

    def _load(self) -> None:
        """Once: finds what an earlier run left."""
        if self._loaded:
            return
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        epoch, sequence = self._read_mark()
        found = [segment for name in sorted(self.path.iterdir()) if (segment := Segment.found(name))]
        self._loaded = True
        for segment in found:
            self._ordinal = max(self._ordinal, segment.ordinal)
            self._rank.setdefault(segment.epoch, segment.ordinal)
            try:
                segment.examine(sequence if segment.epoch == epoch else 0)
            except OSError as error:  # it stays where it is, for the next start
                self._trouble(error)
                self._gone_damage += 1
                continue
            self._segments.append(segment)
            if segment.pending == 0:
                self._guarded(partial(self._delete, segment))
        self._sum_up()

    def _appender(self, grade: int, size: int) -> Appender:
        """Where a record of `size` bytes goes."""
        appender = self._appenders.get(grade)
        if appender is not None:
            if not appender.is_gone and (
                appender.segment.size == 0 or appender.segment.size + size <= self._segment_bytes
            ):
                return appender
            del self._appenders[grade]
            try:
                appender.sync()
            finally:
                appender.close()
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ordinal += 1
        segment = Segment.named(self.path, self._ordinal, grade, self.epoch)
        appender = Appender(segment)
        self._rank.setdefault(self.epoch, self._ordinal)
        self._segments.append(segment)
        self._appenders[grade] = appender
        return appender

    def _make_room(self, grade: int, size: int) -> bool:
        """Deletes segments of this grade or lower ones until there is room. False when there is none to be made."""
        bound = self._max_of_grade.get(grade, self.max_bytes)
        if self._bytes[grade] + size > bound:
            own = [segment for segment in self._segments if segment.grade == grade]
            while own and self._bytes[grade] + size > bound:
                self._drop(own.pop(0))
        while sum(self._bytes) + size > self.max_bytes:
            if not self._drop_lowest(grade):
                return False
        return True

    def _drop_lowest(self, grade: int) -> bool:
        """Deletes the oldest segment of the lowest grade. False when that is above `grade`."""
        lowest = min(self._segments, key=lambda segment: (segment.grade, segment.ordinal), default=None)
        if lowest is None or lowest.grade > grade:
            return False
        self._drop(lowest)
        return True

    def _drop(self, segment: Segment) -> None:
        self._delete(segment)
        self._say(dropped=self._health.dropped + segment.pending)

    def _delete(self, segment: Segment) -> None:
        segment.path.unlink(missing_ok=True)
        self._segments.remove(segment)
        self._bytes[segment.grade] -= segment.size
        self._miscounted = True
        self._gone_damage += len(segment.damage)
        appender = self._appenders.get(segment.grade)
        if appender is not None and appender.segment is segment:
            del self._appenders[segment.grade]
            appender.close()

    def _grades(self) -> list[list[Segment]]:
        return [[segment for segment in self._segments if segment.grade == grade] for grade in range(GRADES)]

    def _waiting(self, segments: list[Segment]) -> Iterator[tuple[int, int, Segment, bytes]]:
        """Records of one grade with their place among all. A segment of which nothing can be read any more goes."""
        for segment in segments:
            rank = self._rank[segment.epoch]
            any_read = False
            try:
                for record in segment.records():
                    any_read = True
                    yield rank, record.sequence, segment, record.payload
            except OSError as error:
                self._trouble(error)
                if not isinstance(error, FileNotFoundError):
                    continue
            if not any_read and segment.pending:
                self._say(lost=self._health.lost + segment.pending)
                self._guarded(partial(self._delete, segment))

    def _acknowledge(self, epoch: int, sequence: int) -> None:
        name = (self._rank[epoch], sequence)
        for segments in self._grades():
            for segment in segments:
                if (self._rank[segment.epoch], segment.last_sequence) > name:
                    if segment.epoch == epoch:
                        segment.acknowledge(sequence)
                    break
                self._delete(segment)
        if epoch == self.epoch:
            self._ages.gone(sequence)
        self._write_mark(epoch, sequence)

    def _sync(self) -> None:
        self._synced_ns = self._monotonic_ns()
        for appender in self._appenders.values():
            appender.sync()

    def _write_mark(self, epoch: int, sequence: int) -> None:
        """Not forced to the disk: what is acknowledged once more does no harm."""
        new = self.path / f"{ACKNOWLEDGED}.new"
        descriptor = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, MARK.pack(epoch, sequence, _mark_checksum(epoch, sequence)))
        finally:
            os.close(descriptor)
        new.rename(self.path / ACKNOWLEDGED)

    def _read_mark(self) -> tuple[int, int]:
        """Epoch and sequence acknowledged last; (0, 0) when that is not known, so that it is all sent again."""
        try:
            epoch, sequence, checksum = MARK.unpack((self.path / ACKNOWLEDGED).read_bytes())
        except (OSError, struct.error):
            return 0, 0
        return (epoch, sequence) if checksum == _mark_checksum(epoch, sequence) else (0, 0)

    # -- what is said -----------------------------------------------------------------------------------------

    def _guarded(self, action: Callable[[], object]) -> bool:
        """Runs what may have trouble with the disk. Whether it had none."""
        try:
            action()
        except OSError as error:
            self._trouble(error)
            return False
        return True

    def _trouble(self, error: OSError) -> None:
        self._miscounted = True
        self._say(state=fault_of(error, self.path), problem=f"{error.filename or self.path}: {error.strerror or error}")

    def _sum_up(self) -> None:
        self._miscounted = False
        self._bytes = [sum(segment.size for segment in segments) for segments in self._grades()]
        self._say(
            bytes=sum(self._bytes),
            depth=sum(segment.pending for segment in self._segments),
            damaged=self._gone_damage + sum(len(segment.damage) for segment in self._segments),
            oldest_ns=self._oldest_ns(),
        )

    def _oldest_ns(self) -> int | None:
        waiting = [segment for segment in self._segments if segment.pending]
        before = [segment.written_ns for segment in waiting if segment.epoch != self.epoch]
        if before:
            return min(before)
        return self._ages.oldest_ns if waiting else None

    def _say(self, **news: Any) -> None:
        self._health = msgspec.structs.replace(self._health, **news)


def _mark_checksum(epoch: int, sequence: int) -> bytes:
    return blake2b(struct.pack("<QQ", epoch, sequence), digest_size=8).digest()
