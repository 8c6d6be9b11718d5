"""The findings that the box keeps for its desk, with labels, counters of each minute and the lists.

Invariants
----------
- `put` returns after its findings are in the database, so that `kill -9` loses none of them, or after they were
  taken into the memory of what waits for the disk. That is bounded; what it loses is counted in `health().lost`.
- Trouble with the disk is never raised to who puts or finds: `health()` says it. What a person asks for (a label, an
  entry of a list) is in the database when the call returns, else StoreError is raised.
- A corrupt file is moved aside under its time and a new one begun, with the labels and lists that could still be read.
- Everything has a bound: findings by age and size (watched ones go before flagged ones, then the oldest first),
  counters by age, labels and entries by number.

Any thread may call: writes take turns, reads do not wait for writes.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from appliance.database import Database, fault_of, values
from appliance.errors import StoreError
from appliance.report import StoredFinding
from appliance.store_schema import MIGRATIONS, PRECIOUS
from models.fraud_types import FraudType
from models.verdict import Verdict

LabelValue = Literal["fraud", "honest"]
ListName = Literal["allow", "deny"]
State = Literal["ok", "full", "read_only", "corrupt", "unavailable"]

DAY_NS = 86400 * 10**9
MINUTE_NS = 60 * 10**9
RETRY_NS = 10**9  # between two tries of a disk in trouble
SAME_PARTY_NS = DAY_NS  # news of a call or party after a longer silence is another finding
MAX_WAITING = 10_000  # findings in memory while the disk is in trouble: some 20 MiB
MAX_TRANSACTION = 500  # findings: a commit of a few milliseconds
MAX_LINE_BYTES = 1 << 20
MAX_LABELS = 100_000
MAX_ENTRIES = 100_000
MAX_PAGE = 1000
RETIRE_CHUNK = 200  # findings that go at once when the size is exceeded
RETIRE_NS = MINUTE_NS  # between two looks for what is too old

FINDING = "id, time_ns, kind, verdict, score, fraud_types, source, caller, callee, call_id, line"
LABEL = "finding, label, labelled_by, time_ns, kind, verdict, score, fraud_types, bundle"


class StoreHealth(msgspec.Struct, frozen=True):
    """How the store is."""

    state: State
    problem: str | None
    bytes: int  # in use by what is stored, without the write-ahead log
    findings: int
    waiting: int  # in memory, for the disk
    lost: int  # findings that were never stored
    retired: int  # that made room for newer ones before their age


class FindingLabel(msgspec.Struct, frozen=True, kw_only=True):
    """What a person found out about a finding, and what the box had said of it then."""

    finding: int
    label: LabelValue
    labelled_by: str
    time_ns: int
    kind: Literal["call", "source"]
    verdict: Verdict
    score: float
    fraud_types: list[FraudType]
    bundle: str | None  # name@version; None for a party


class ListEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A number, a source or a caller that a list names. It expires, or says that it never does."""

    list: ListName
    value: str
    added_by: str
    added_ns: int
    why: str
    expires_ns: int | Literal["never"]


class Store:
    """The store in the SQLite file `path`, of at most about `max_bytes`; findings older than `max_age_ns` go.

    `now_ns` gives the wall clock's time, `monotonic_ns` that of waiting. Makes no file before it is first used.
    """

    def __init__(
        self, path: Path, max_bytes: int, max_age_ns: int, *, now_ns=time.time_ns, monotonic_ns=time.monotonic_ns
    ) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.max_age_ns = max_age_ns
        self._now_ns = now_ns
        self._monotonic_ns = monotonic_ns
        self._database = Database(path, MIGRATIONS)
        self._lock = threading.RLock()
        self._waiting: deque[StoredFinding] = deque()
        self._counts: dict[tuple[int, str], int] = {}
        self._state: State = "ok"
        self._problem: str | None = None
        self._retry_ns = 0
        self._retire_ns = 0
        self._findings: int | None = None
        self._bytes = 0
        self.lost = 0
        self.retired = 0

    # -- what the recorder calls: never raises for trouble with the disk ------------------------------------

    def put(self, findings: Iterable[StoredFinding]) -> None:
        """Stores findings in the order given; a later one of the same call or party updates the earlier.

        Also without findings it writes what waits once the disk is back: call it at least every few seconds.
        """
        raise NotImplementedError

    def count(self, time_ns: int, counts: Mapping[str, int]) -> None:
        """Adds to the counters of the minute of `time_ns`. They are written with the next `put`."""
        raise NotImplementedError

    # -- reading: empty when the file cannot be read, which `health` says ----------------------------------

    def find(
        self,
        kind: Literal["call", "source"] | None = None,
        verdict: Verdict | None = None,
        fraud_type: FraudType | None = None,
        number: str | None = None,
        since_ns: int | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[StoredFinding]:
        """At most `limit` (1..MAX_PAGE) findings, newest first; the next page has `before_id` of the last's id.

        `number`: of a caller or callee, as sent or in E.164, however it is written; `since_ns`: capture time.
        """
        raise NotImplementedError

    def get(self, id_or_call_id: int | str) -> StoredFinding | None:
        """The finding of that id, or the newest of that Call-ID; a text of digits may be either."""
        raise NotImplementedError

    def minutes(self, since_ns: int, until_ns: int) -> dict[int, dict[str, int]]:
        """Counters by the start of their minute, ns since the epoch, of since_ns <= minute < until_ns."""
        raise NotImplementedError

    def labels(self) -> list[FindingLabel]:
        """The latest label of every finding that ever had one, also of those that were retired."""
        raise NotImplementedError

    def entries(self, name: ListName | None = None) -> list[ListEntry]:
        """What is on the lists now, in the order in which it was put there."""
        raise NotImplementedError

    def health(self) -> StoreHealth:
        """How the store is, without touching the disk."""
        raise NotImplementedError

    # -- what a person asks for: raises StoreError when it could not be kept --------------------------------

    def label(self, finding_id: int, label: LabelValue, by: str, time_ns: int) -> FindingLabel:
        """Says what a finding turned out to be; a later label of it counts instead of an earlier."""
        raise NotImplementedError

    def add_entry(self, entry: ListEntry) -> None:
        """Puts an entry on its list, in place of one with the same value."""
        raise NotImplementedError

    def delete_entry(self, name: ListName, value: str) -> bool:
        """Takes an entry off. False when there was none."""
        raise NotImplementedError

    def close(self) -> None:
        """Writes what waits, if that is possible, and closes the file."""
        raise NotImplementedError
