"""One SQLite file of the box's state: opening it, its schema, its faults told apart, a corrupt one moved aside.

Theory of operation
-------------------
Two connections: one writes, in explicit transactions, on whichever thread holds the write lock; the other reads, so
that a listing waits for no commit. The journal is a write-ahead log with `synchronous=NORMAL`: a commit is in the
kernel's hands when it returns, so `kill -9` loses none, and the log is forced to the disk when it is folded back into
the file, so a power cut can lose the last commits but never leaves a torn file. `FULL` would save those few seconds
at the price of a forced write for every commit, which flash storage of a gateway takes 10 to 100 ms for.

The schema's version is SQLite's `user_version`; each migration raises it by one, in a transaction of its own.
"""

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, LiteralString

Fault = Literal["full", "read_only", "corrupt", "unavailable"]

BUSY_MS = 250  # how long another program may hold the file before a write is put off
PAGE_BYTES = 4096
WAL_PAGES = 1000  # SQLite's own default: the log is folded back every 4 MiB
CACHE_KIB = 2048  # of each connection
WRITER: tuple[LiteralString, ...] = (
    f"page_size = {PAGE_BYTES}",  # this one and the next count for a new file only
    "auto_vacuum = INCREMENTAL",
    "journal_mode = WAL",
    "synchronous = NORMAL",
    f"wal_autocheckpoint = {WAL_PAGES}",
    f"journal_size_limit = {WAL_PAGES * PAGE_BYTES}",
    "foreign_keys = ON",
)
GIVEN_BACK_PAGES = 250  # at once: some milliseconds
KEPT_ASIDE = 2  # corrupt files that are kept for whoever wants to look; more would fill the disk
FILE_MODE = 0o600  # numbers of subscribers are in it

SQLITE_FAULTS: dict[int, Fault] = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
}
SYSTEM_FAULTS: dict[int, Fault] = {errno.ENOSPC: "full", errno.EDQUOT: "full", errno.EROFS: "read_only"}
# SQLite's words for a schema that is not the one that was made, which it takes for the query's fault
NOT_OUR_SCHEMA = ("no such table", "no such column", "no such index", "already exists")
MOST_VERSIONS = 1000  # a schema beyond is no newer program's but a damaged file's


def fault_of(error: sqlite3.Error | OSError, path: Path) -> Fault:
    """What an error says of the disk that `path` is on. Whatever is not known better is `unavailable`: locked, not
    permitted, I/O."""
    if isinstance(error, OSError):
        fault = SYSTEM_FAULTS.get(error.errno or 0)
    else:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # 0: raised by the module itself
        fault = SQLITE_FAULTS.get(code)
        if code == sqlite3.SQLITE_ERROR and any(words in str(error) for words in NOT_OUR_SCHEMA):
            fault = "corrupt"
    return fault or _fault_of_disk(path)


def _fault_of_disk(path: Path) -> Fault:
    """SQLite says of a log that it cannot make only that it cannot be opened."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return "unavailable"
    if disk.f_flag & os.ST_RDONLY:
        return "read_only"
    return "full" if disk.f_blocks and disk.f_bavail == 0 else "unavailable"


class Database:
    """The file at `path`, with the schema that `migrations` make of an empty one.

    Every method may raise sqlite3.Error or OSError, which `fault_of` tells apart.
    """

    def __init__(self, path: Path, migrations: Sequence[LiteralString]) -> None:
        self.path = path
        self.migrations = migrations
        self.opened = 0  # times that the file was opened to be written: what was known of its content is not after one
        self._writing = threading.RLock()
        self._reading = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._written: int | None = None  # the inode that each connection has open
        self._read: int | None = None

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, undone when the body or the commit raises."""
        with self._writing:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    with suppress(sqlite3.Error):  # a disk in trouble: closing undoes it too
                        connection.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """What was committed last. Opens the file when no write did so before."""
        with self._reading:
            if self._reader is not None and self._read != _inode(self.path):
                self._reader.close()
                self._reader = None
            if self._reader is None:
                with self._writing:
                    self._open()
                self._read = _inode(self.path)
                self._reader = self._connect("query_only = ON")
            yield self._reader

    def give_back(self) -> None:
        """Shrinks the file by some pages when most are free."""
        with self._writing:
            connection = self._open()
            if connection.execute("PRAGMA page_count").fetchone()[0] * PAGE_BYTES > 2 * used_bytes(connection):
                connection.executescript(f"PRAGMA incremental_vacuum({GIVEN_BACK_PAGES})")

    def close(self) -> None:
        with self._reading, self._writing:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    with suppress(sqlite3.Error):
                        connection.close()
            self._reader = self._writer = None

    def move_aside(self, when: str) -> Path:
        """Moves the file and its log away, under the time `when`, so that a new one is begun. Its new name."""
        self.close()
        aside = self.path.with_name(f"{self.path.name}.corrupt-{when}")
        for suffix in ("-wal", "-shm", ""):  # the file last: as long as it is there, a new one is not begun
            moved = Path(f"{self.path}{suffix}")
            if moved.exists():
                moved.rename(f"{aside}{suffix}")
        for old in self.moved_aside()[:-KEPT_ASIDE]:
            for suffix in ("-wal", "-shm", ""):
                Path(f"{old}{suffix}").unlink(missing_ok=True)
        return aside

    def moved_aside(self) -> list[Path]:
        """The corrupt files that are kept, oldest first."""
        names = self.path.parent.glob(f"{self.path.name}.corrupt-*")
        return sorted(name for name in names if not name.name.endswith(("-wal", "-shm")))

    def _open(self) -> sqlite3.Connection:
        """The connection that writes; opened anew when the file was taken away from under it."""
        if self._writer is not None and self._written != _inode(self.path):
            self._writer.close()
            self._writer = None
        if self._writer is None:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))
            self._written = _inode(self.path)
            connection = self._connect(*WRITER)
            self.opened += 1
            try:
                self._migrate(connection)
            except BaseException:
                connection.close()
                raise
            self._writer = connection
        return self._writer

    def _connect(self, *settings: LiteralString) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
        connection.text_factory = _text
        try:
            for setting in (f"cache_size = -{CACHE_KIB}", "trusted_schema = OFF", *settings):
                connection.execute(f"PRAGMA {setting}").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > MOST_VERSIONS or version < 0:
            damaged = sqlite3.DatabaseError(f"schema version {version}")
            damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damaged
        if version > len(self.migrations):
            raise OSError(f"was written by a newer version (schema {version}, known here {len(self.migrations)})")
        for number, migration in enumerate(self.migrations[version:], start=version + 1):
            connection.executescript(f"BEGIN IMMEDIATE; {migration}; PRAGMA user_version = {number}; COMMIT;")


def read_only(path: Path) -> closing[sqlite3.Connection]:
    """A connection for another program than the service, which neither writes nor makes the file."""
    return closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_MS / 1000))


def used_bytes(connection: sqlite3.Connection) -> int:
    """Of pages in use: freed ones are reused before the file grows."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    return (pages - connection.execute("PRAGMA freelist_count").fetchone()[0]) * PAGE_BYTES


def values(connection: sqlite3.Connection, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query, parameters).fetchall()


def _text(stored: bytes) -> str:
    """Text with a flipped bit is still worth reading."""
    return stored.decode(errors="replace")


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
