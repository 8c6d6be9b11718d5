"""Reports on their way to the collector: kept on disk until it says that it has them.

Invariants
----------
1. At least once: a record leaves the spool when it was acknowledged, or to make room, which is counted.
2. Order: batches hand records out in the order in which they were put.
3. (epoch, sequence) names one payload for ever. An epoch is a random number of 64 bits drawn each time the spool is
   opened; within one, sequences count up from 1 and are never reused, not even that of a record that could not be
   written. So nothing has to be known of the past to keep names unique: a lost or damaged file, a power cut or
   a restored backup cannot make the spool give a name twice. A gap in an epoch's sequences is a loss.
4. A record is handed out only when the checksum over its name and payload is right. Whatever else stands in the
   files is skipped and counted: reading goes on at the next record, which begins with its epoch's 64 bits. Nobody
   who writes payloads knows them before they are drawn.
5. Bounded: at most `max_bytes` on disk. Room is made from the lowest grade, there from the oldest; a record of a lower
   grade than everything that is stored is refused itself.
6. `put` returns after the record was handed to the kernel: `kill -9` loses none. The disk is made to keep it within
   SYNC_NS while records come, so a power cut loses the last second at most.
7. Trouble with the disk is never raised: it is counted, `health` says it, and each `put` tries again.
"""

import threading
import time
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

State = Literal["ok", "full", "read_only", "unavailable"]

GRADES = 8  # 0 is the lowest


class Batch(NamedTuple):
    """Records of one epoch, in order; empty when nothing waits."""

    epoch: int
    records: list[tuple[int, bytes]]  # (sequence, payload)


class SpoolHealth(msgspec.Struct, frozen=True):
    """How the spool is."""

    state: State
    problem: str | None
    bytes: int
    depth: int  # records that wait
    dropped: int  # records that made room for others, or were refused
    lost: int  # records that could not be written
    damaged: int  # stretches of the files that could not be read


class Spool:
    """The spool in the folder `path`, of at most `max_bytes`. Any thread may call."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        raise NotImplementedError

    def put(self, grade: int, payload: bytes) -> None:
        """Appends a record. grade: 0..GRADES - 1, of which the lowest goes first when room is needed."""
        raise NotImplementedError

    def batch(self, max_bytes: int, max_items: int) -> Batch:
        """The oldest records that wait: at most `max_items`, and at most `max_bytes` unless the first alone has more.

        The same ones again until they are acknowledged.
        """
        raise NotImplementedError

    def acknowledge(self, epoch: int, sequence: int) -> None:
        """The collector has everything of `epoch` up to `sequence`, and everything of the epochs before it."""
        raise NotImplementedError

    def health(self) -> SpoolHealth:
        """How the spool is, without touching the disk."""
        raise NotImplementedError

    def close(self) -> None:
        """Makes the disk keep everything."""
        raise NotImplementedError
