"""Opening the database: SQLite (embedded, the default) or PostgreSQL; its schema, and its time partitions.

SQLite runs with a write-ahead log and `synchronous=FULL`: what was committed survives a loss of power, because the
box deletes a report once it was told that the report is stored.
"""

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from collector.errors import StoreError
from collector.store.ids import arrival_ns, lowest_id
from collector.store.tables import PARTITIONED

SQLITE_BUSY_MS = 10_000
PARTITION_DAYS = 7
PARTITIONS_AHEAD = 4
log = logging.getLogger("collector.store")

FIRST_MONDAY = datetime(2025, 1, 6, tzinfo=UTC)
_MIGRATION_LOCK = 0x5349_5057  # pg_advisory_xact_lock: two that start at once must not both migrate


def open_engine(url: str) -> Engine:
    """A pool of connections to `url` (`sqlite:////path` or `postgresql://...`). Raises StoreError."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"not a database URL (sqlite:////path or postgresql://user@host/name): {error}") from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database:
            raise StoreError("a store in memory would be lost: name a file, as in sqlite:////var/lib/x/store.sqlite")
        engine = sa.create_engine(parsed, connect_args={"timeout": SQLITE_BUSY_MS / 1000}, hide_parameters=True)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if backend == "postgresql":
        engine = sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=8,
            hide_parameters=True,  # they are numbers of subscribers, and errors are logged
        )
        event.listen(engine, "connect", _set_up_postgresql)
        return engine
    raise StoreError(f"the store is SQLite or PostgreSQL, not {backend}")


def is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"


def sqlite_path(engine: Engine) -> Path:
    """The file of an SQLite engine."""
    assert engine.url.database is not None
    return Path(engine.url.database)


def writing(connection: Connection) -> Connection:
    """Marks a connection whose next transaction writes: SQLite then takes its write lock at once, and waits for it."""
    return connection.execution_options(writing=True)


def _set_up_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET jit = off")  # to compile a query over many partitions takes longer than to run it
    connection.commit()


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transactions by itself: _begin_sqlite does
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={SQLITE_BUSY_MS}",
        "cache_size=-65536",
        "mmap_size=268435456",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and then writes fails at once when another wrote in between (SQLITE_BUSY_SNAPSHOT).
    immediate = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


# --- schema


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def newest_revision() -> str:
    """The revision that this version of the collector works with."""
    revision = ScriptDirectory.from_config(_alembic()).get_current_head()
    assert revision is not None
    return revision


def revision_of(engine: Engine) -> str | None:
    """The revision of a store, None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine, revision: str = "head") -> None:
    """Brings the store to `revision`, in one transaction. Raises StoreError."""
    config = _alembic()
    try:
        with writing(engine.connect()) as connection, connection.begin():
            if not is_sqlite(engine):
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            current = MigrationContext.configure(connection).get_current_revision()
            if current is not None and current not in known:
                raise StoreError(f"the store was made by a newer sipwarden (revision {current}): update the collector")
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except SQLAlchemyError as error:
        raise StoreError(f"cannot bring the store to revision {revision}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """SQLAlchemy's messages go on with the statement and its parameters, which may be numbers of subscribers."""
    return str(error).partition("\n")[0]


def size_bytes(engine: Engine) -> int:
    """What the store takes on the disk, its log with it."""
    if is_sqlite(engine):
        file = sqlite_path(engine)
        return sum(each.stat().st_size for each in (file, file.with_name(f"{file.name}-wal")) if each.exists())
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.pg_database_size(sa.func.current_database()))) or 0


# --- partitions (PostgreSQL)


def partition_bounds(time_ns: int) -> tuple[str, int, int]:
    """(suffix, lowest id, id that is past it) of the week that `time_ns` is in."""
    weeks = (datetime.fromtimestamp(time_ns / 1e9, UTC) - FIRST_MONDAY).days // PARTITION_DAYS
    start = FIRST_MONDAY + timedelta(days=PARTITION_DAYS * weeks)
    end = start + timedelta(days=PARTITION_DAYS)
    return f"{start:%Y%m%d}", lowest_id(int(start.timestamp()) * 10**9), lowest_id(int(end.timestamp()) * 10**9)


def make_partitions(engine: Engine) -> None:
    """Makes the partitions of this and the coming weeks where they are missing, and one for what is in none of them (as
    after a clock was set back). Nothing to do on SQLite."""
    if is_sqlite(engine):
        return
    now = time.time_ns()
    week_ns = PARTITION_DAYS * 86_400 * 10**9
    for table in PARTITIONED:
        made = f"CREATE TABLE IF NOT EXISTS {table.name}_{{}} PARTITION OF {table.name} {{}}"
        with engine.begin() as connection:
            connection.exec_driver_sql(made.format("rest", "DEFAULT"))
        for week in range(PARTITIONS_AHEAD + 1):
            suffix, first, past = partition_bounds(now + week * week_ns)
            try:
                with engine.begin() as connection:
                    connection.exec_driver_sql(made.format(suffix, f"FOR VALUES FROM ({first}) TO ({past})"))
            except IntegrityError:  # rows of that week are in the rest: they stay there, and so do those to come
                log.warning("partition_not_made table=%s week=%s", table.name, suffix)


def refresh_statistics(engine: Engine) -> None:
    """Tells the planner what is in the tables. PostgreSQL does it by itself for partitions, not for the whole."""
    with engine.begin() as connection:
        if is_sqlite(engine):
            connection.exec_driver_sql("PRAGMA optimize")
        else:
            connection.exec_driver_sql(f"ANALYZE {', '.join(table.name for table in PARTITIONED)}")


def drop_partitions(engine: Engine, table: sa.Table, before_ns: int) -> list[str]:
    """Drops the partitions that ended before `before_ns`; their names. Nothing to do on SQLite."""
    if is_sqlite(engine):
        return []
    dropped = []
    with engine.begin() as connection:
        for name in partitions(connection, table):
            suffix = name.removeprefix(f"{table.name}_")
            if not suffix.isdigit():
                continue
            start = datetime.strptime(suffix, "%Y%m%d").replace(tzinfo=UTC)
            _, _, past = partition_bounds(int(start.timestamp()) * 10**9)
            if arrival_ns(past) <= before_ns:
                connection.exec_driver_sql(f"DROP TABLE {name}")
                dropped.append(name)
    return dropped


def partitions(connection: Connection, table: sa.Table) -> list[str]:
    """The names of a table's partitions."""
    found = connection.execute(
        sa.text(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:name AS regclass) ORDER BY 1"
        ),
        {"name": table.name},
    )
    return sorted(found.scalars())
