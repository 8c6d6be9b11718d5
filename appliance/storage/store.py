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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import msgspec

from appliance.errors import StoreError
from appliance.report import StoredFinding, StoredVerdict
from appliance.storage import store_labels, store_lists
from appliance.storage.database import Database, Fault, fault_of, used_bytes, values
from appliance.storage.store_findings import ADDRESS, COLUMNS, finding_of, number_key, retire, storable, store_finding
from appliance.storage.store_labels import FindingLabel, LabelValue, label_of, labels_of, store_label
from appliance.storage.store_lists import ListEntry, ListName, entry_of, store_entry
from appliance.storage.store_salvage import Salvage
from appliance.storage.store_schema import MIGRATIONS
from models.fraud_types import FraudType

MINUTE_NS = 60 * 10**9
RETRY_NS = 10**9  # between two tries of a disk in trouble
RETIRE_NS = MINUTE_NS  # between two looks for what is too old
# Before the first: a clock that was years ahead at the boot has been set by then, and nothing brings findings back.
FIRST_RETIRE_NS = 10 * MINUTE_NS
RETIRE_CHUNK = 200  # findings that go at once when the size is exceeded
MAX_TRANSACTION = 500  # findings: a commit of some milliseconds
MAX_WAITING = 10_000  # findings in memory while the disk is in trouble
MAX_WAITING_BYTES = 32 << 20
MAX_COUNTERS = 10_000  # of minutes, that wait in memory
MAX_PAGE = 1000
ID_DIGITS = 19  # a text of so many decimals may not fit SQLite's integer


class StoreHealth(msgspec.Struct, frozen=True):
    """How the store is."""

    state: Literal["ok"] | Fault
    problem: str | None
    bytes: int  # in use by what is stored, without the write-ahead log
    findings: int
    waiting: int  # in memory, for the disk
    lost: int  # findings that were never stored
    retired: int  # that made room for newer ones before their age


class Store:
    """The store in the SQLite file `path`, of at most about `max_bytes`; findings older than `max_age_ns` go.

    `now_ns` gives the wall clock's time, `monotonic_ns` that of waiting. Makes no file before it is first used.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        max_age_ns: int,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.max_age_ns = max_age_ns
        self._now_ns = now_ns
        self._monotonic_ns = monotonic_ns
        self._database = Database(path, MIGRATIONS)
        self._lock = threading.RLock()  # of all below; `_health` is replaced as a whole, and read without it
        self._health = StoreHealth("ok", None, 0, 0, 0, 0, 0)
        self._waiting: deque[StoredFinding] = deque()
        self._waiting_bytes = 0
        self._counts: dict[tuple[int, str], int] = {}
        self._held = (0, 0)  # findings in the database, and how often it had been opened when they were counted
        self._retry_ns = monotonic_ns()
        self._retire_ns = monotonic_ns() + FIRST_RETIRE_NS
        self._note: str | None = None  # what became of a corrupt file, said as long as it is kept

    # -- what the recorder calls: never raises for trouble with the disk ------------------------------------

    def put(self, findings: Iterable[StoredFinding]) -> None:
        """Stores findings in the order given; a later one of the same call or party updates the earlier.

        Also without findings it writes what waits once the disk is back: call it at least every few seconds.
        """
        with self._lock:
            for finding in findings:
                self._waiting.append(finding)
                self._waiting_bytes += len(finding.line)
            self._write()
            lost = 0
            while len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
                self._give_up_one()
                lost += 1
            self._say(waiting=len(self._waiting), lost=self._health.lost + lost)

    def count(self, time_ns: int, counts: Mapping[str, int]) -> None:
        """Adds to the counters of the minute of `time_ns`. They are written with the next `put`."""
        with self._lock:
            for name, value in counts.items():
                key = (time_ns // MINUTE_NS, storable(name))
                self._counts[key] = self._counts.get(key, 0) + value
            while len(self._counts) > MAX_COUNTERS:
                del self._counts[next(iter(self._counts))]

    def health(self) -> StoreHealth:
        """How the store is, without touching the disk or waiting for it."""
        return self._health

    def close(self) -> None:
        """Writes what waits, if that is possible, and closes the file. What cannot be written is lost, and counted."""
        with self._lock:
            self._retry_ns = self._monotonic_ns()
            self._write()
            self._say(waiting=0, lost=self._health.lost + len(self._waiting))
            self._waiting.clear()
            self._waiting_bytes = 0
            self._database.close()

    # -- reading: empty when the file cannot be read, which `health` says -----------------------------------

    def find(
        self,
        kind: Literal["call", "source"] | None = None,
        verdict: StoredVerdict | None = None,
        fraud_type: FraudType | None = None,
        number: str | None = None,
        source: str | None = None,
        since_ns: int | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[StoredFinding]:
        """At most `limit` (1..MAX_PAGE) findings, newest first; the next page has `before_id` of the last's id.

        `number`: of a caller or callee, as sent or in E.164, however it is written; `source`: an IP address, of calls
        from any port of it; `since_ns`: capture time.
        """
        conditions = {
            "kind = ?": kind,
            "verdict = ?": verdict,
            "instr(fraud_types, ?)": None if fraud_type is None else f'"{fraud_type}"',
            "id IN (SELECT finding FROM numbers WHERE number = ?)": None if number is None else number_key(number),
            f"? IN (source, {ADDRESS})": source,
            "time_ns >= ?": since_ns,
            "id < ?": before_id,
        }
        asked = {condition: value for condition, value in conditions.items() if value is not None}
        where = f"WHERE {' AND '.join(asked)} " if asked else ""
        return self._find(f"{where}ORDER BY id DESC LIMIT ?", *asked.values(), min(max(limit, 1), MAX_PAGE))

    def get(self, id_or_call_id: int | str) -> StoredFinding | None:
        """The finding of that id, or the newest of that Call-ID; a text of digits may be either."""
        if isinstance(id_or_call_id, int):
            return next(iter(self._find("WHERE id = ?", id_or_call_id)), None)
        found = self._find("WHERE call_id = ? ORDER BY id DESC LIMIT 1", storable(id_or_call_id))
        if not found and id_or_call_id.isascii() and id_or_call_id.isdecimal() and len(id_or_call_id) < ID_DIGITS:
            return self.get(int(id_or_call_id))
        return next(iter(found), None)

    def minutes(self, since_ns: int, until_ns: int) -> dict[int, dict[str, int]]:
        """Counters by the start of their minute, ns since the epoch, of since_ns <= minute < until_ns."""
        rows = self._read(
            "SELECT minute, name, value FROM minutes WHERE minute >= ? AND minute < ? ORDER BY minute, name",
            -(-since_ns // MINUTE_NS),
            -(-until_ns // MINUTE_NS),
        )
        counters: dict[int, dict[str, int]] = {}
        for minute, name, value in rows:
            counters.setdefault(minute * MINUTE_NS, {})[name] = value
        return counters

    def labels(self) -> list[FindingLabel]:
        """The latest label of every finding that ever had one, also of those that were retired."""
        return labels_of(self._read(store_labels.LATEST))

    def labels_of(self, findings: Sequence[int]) -> dict[int, LabelValue]:
        """The latest label of each of some findings (at most MAX_PAGE) that has one."""
        wanted = findings[:MAX_PAGE]
        rows = self._read(store_labels.latest_of(len(wanted)), *wanted)
        return {label.finding: label.label for label in labels_of(rows)}

    def entries(self, name: ListName | None = None) -> list[ListEntry]:
        """What is on the lists now, in the order in which it was put there."""
        return [entry_of(row) for row in self._read(store_lists.NOW, self._now_ns(), name, name)]

    # -- what a person asks for: raises StoreError when it could not be kept --------------------------------

    def label(self, finding_id: int, label: LabelValue, by: str, time_ns: int) -> FindingLabel:
        """Says what a finding turned out to be; a later label of it counts instead of an earlier."""
        with self._asked() as connection:
            found = values(connection, f"SELECT {COLUMNS} FROM findings WHERE id = ?", finding_id)
            finding = finding_of(found[0]) if found else None
            if finding is None:
                raise StoreError(f"there is no finding {finding_id}")
            labelled = label_of(finding, label, by, time_ns)
            store_label(connection, labelled)
        return labelled

    def add_entry(self, entry: ListEntry) -> None:
        """Puts an entry on its list, in place of one with the same value."""
        with self._asked() as connection:
            store_entry(connection, entry, self._now_ns(), self.path)

    def delete_entry(self, name: ListName, value: str) -> bool:
        """Takes an entry off. False when there was none."""
        with self._asked() as connection:
            return store_lists.delete_entry(connection, name, value)

    # -- writing --------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Writes what waits, unless the disk was in trouble just now."""
        if self._monotonic_ns() < self._retry_ns:
            return
        for _ in range(2):  # a second time at once after a corrupt file was moved aside
            try:
                if self._health.state == "corrupt":
                    self._begin_anew()
                while self._transaction():
                    pass
                self._database.give_back()
                self._say(state="ok", problem=self._note)
                return
            except (sqlite3.Error, OSError) as error:
                self._trouble(error)
            if self._health.state != "corrupt":
                return

    def _transaction(self) -> bool:
        """Writes some of what waits. Whether there is more."""
        findings = list(islice(self._waiting, MAX_TRANSACTION))
        added = unusable = 0
        with self._database.write() as connection:
            now_ns = self._now_ns()
            for finding in findings:
                try:
                    added += store_finding(connection, finding, now_ns)
                except (sqlite3.IntegrityError, sqlite3.ProgrammingError, ValueError, OverflowError):
                    unusable += 1  # must not keep the ones after it waiting for ever
            connection.executemany(
                "INSERT INTO minutes VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                [(minute, name, value) for (minute, name), value in self._counts.items()],
            )
            outdated = self._retire_old(connection, now_ns)
            retired = self._retire_oldest(connection)
            held, opened = self._held
            if opened == self._database.opened:
                held += added - outdated - retired
            else:
                held = values(connection, "SELECT count(*) FROM findings")[0][0]
            size = used_bytes(connection)
        self._held = (held, self._database.opened)
        self._counts.clear()
        for finding in findings:
            self._waiting.popleft()
            self._waiting_bytes -= len(finding.line)
        known = self._health
        self._say(bytes=size, findings=held, lost=known.lost + unusable, retired=known.retired + retired)
        return bool(self._waiting)

    def _retire_old(self, connection: sqlite3.Connection, now_ns: int) -> int:
        """Deletes what is too old, now and then. How many findings that were."""
        if self._monotonic_ns() < self._retire_ns:
            return 0
        oldest_ns = now_ns - self.max_age_ns
        gone = connection.execute("DELETE FROM findings WHERE updated_ns < ?", (oldest_ns,)).rowcount
        connection.execute("DELETE FROM minutes WHERE minute < ?", (oldest_ns // MINUTE_NS,))
        self._retire_ns = self._monotonic_ns() + RETIRE_NS
        return gone

    def _retire_oldest(self, connection: sqlite3.Connection) -> int:
        """Makes room when there is more than `max_bytes`. How many findings went for it."""
        retired = 0
        while used_bytes(connection) > self.max_bytes:
            gone = retire(connection, RETIRE_CHUNK)
            if not gone:
                break
            retired += gone
        return retired

    def _give_up_one(self) -> None:
        """The oldest that was not flagged, else the oldest of those that wait."""
        place = next((i for i, finding in enumerate(self._waiting) if finding.verdict != "flag"), 0)
        self._waiting_bytes -= len(self._waiting[place].line)
        del self._waiting[place]

    def _begin_anew(self) -> None:
        """Moves a corrupt file aside and begins another, with what a person had put in as far as it can be read."""
        salvage = Salvage.read(self.path)
        now = datetime.fromtimestamp(self._now_ns() // 10**9, UTC)
        aside = self._database.move_aside(f"{now:%Y%m%dT%H%M%SZ}")
        with self._database.write() as connection:
            salvage.write(connection, first_id=int(now.timestamp()))
        self._note = f"{self.path} was corrupt: moved to {aside.name}; {salvage} kept"

    def _trouble(self, error: sqlite3.Error | OSError) -> None:
        fault = fault_of(error, self.path)
        self._retry_ns = self._monotonic_ns() + RETRY_NS
        self._say(state=fault, problem=f"{self.path}: {error}")
        if fault != "full":  # opened anew at the next try: the disk may be another one then
            self._database.close()

    def _say(self, **news: Any) -> None:
        self._health = msgspec.structs.replace(self._health, **news)

    @contextmanager
    def _asked(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock, self._database.write() as connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            with self._lock:
                self._trouble(error)
            raise StoreError(f"{self.path}: {error}") from error

    # -- reading --------------------------------------------------------------------------------------------

    def _find(self, where: str, *parameters: Any) -> list[StoredFinding]:
        rows = self._read(f"SELECT {COLUMNS} FROM findings {where}", *parameters)
        return [finding for finding in map(finding_of, rows) if finding is not None]

    def _read(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        try:
            with self._database.read() as connection:
                return values(connection, query, *parameters)
        except (sqlite3.Error, OSError) as error:
            with self._lock:
                self._trouble(error)
            return []
