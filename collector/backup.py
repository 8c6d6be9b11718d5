"""Backup and restore: the store as of one moment, the authority and the keys, in one tar file.

The store is copied while the collector goes on writing: SQLite by its online backup (one read transaction over the
write-ahead log), PostgreSQL by pg_dump (one snapshot). The file holds private keys and is readable by its owner only.
Restoring takes an empty place and never overwrites.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from collector.authority import write_private
from collector.config import Config
from collector.errors import StoreError
from collector.server import numbers_key_file
from collector.store.database import first_line, is_sqlite, newest_revision, revision_of, sqlite_path
from collector.store.store import Store

MANIFEST = "manifest.json"
SQLITE_COPY = "store.sqlite"
POSTGRES_DUMP = "store.pgdump"
PLAIN_FILES = ("authority/ca.pem", "authority/ca.key", "numbers.key")
_LIBPQ = {"host": "PGHOST", "port": "PGPORT", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds."""

    revision: str
    database: str  # sqlite | postgresql


def backup(config: Config, store: Store, target: Path) -> None:
    """Writes `target`, whole or not at all. Raises StoreError."""
    revision = revision_of(store.engine)
    assert revision is not None
    with _folder_beside(target) as folder:
        if is_sqlite(store.engine):
            _copy_sqlite(sqlite_path(store.engine), folder / SQLITE_COPY)
        else:
            _run("pg_dump", store.engine.url, "--format=custom", "--no-owner", f"--file={folder / POSTGRES_DUMP}")
        (folder / MANIFEST).write_bytes(msgspec.json.encode(Manifest(revision, store.engine.dialect.name)))
        for name, source in _plain_files(config).items():
            if source.exists():
                (folder / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(source, folder / name)
        beside = folder / "backup.tar"
        with tarfile.open(beside, "w") as archive:
            for name in (MANIFEST, SQLITE_COPY, POSTGRES_DUMP, *PLAIN_FILES):
                if (folder / name).exists():
                    archive.add(folder / name, name)
        beside.chmod(0o600)
        beside.replace(target)


def restore(config: Config, source: Path) -> list[str]:
    """Restores everything of a backup; what it was. Raises StoreError where something is in the way."""
    url = make_url(config.store_url)
    plain = _plain_files(config)
    for path in plain.values():
        if path.exists():
            raise StoreError(f"{path} is there already: restore into an empty place")
    config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    with _folder_beside(config.state_dir / "restore") as folder:
        _unpack(source, folder)
        manifest = _manifest(source, folder)
        if manifest.database != url.get_backend_name():
            raise StoreError(f"the backup is of {manifest.database}, the configuration says {url.get_backend_name()}")
        if manifest.database == "sqlite":
            _put_sqlite(folder / SQLITE_COPY, Path(url.database or ""))
        else:
            _check_empty(config.store_url)
            _run(
                "pg_restore", url, "--no-owner", "--exit-on-error", "--single-transaction", str(folder / POSTGRES_DUMP)
            )
        restored = [f"the store (schema revision {manifest.revision}, newest here {newest_revision()})"]
        for name, path in plain.items():
            if (folder / name).exists():
                write_private(path, (folder / name).read_bytes())
                restored.append(str(path))
    return restored


def _plain_files(config: Config) -> dict[str, Path]:
    """name in the backup -> path"""
    authority = config.authority_dir
    return dict(zip(PLAIN_FILES, (authority / "ca.pem", authority / "ca.key", numbers_key_file(config)), strict=True))


@contextlib.contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """A private folder on the same file system, gone afterwards."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.absolute().parent))
    except OSError as error:
        raise StoreError(f"cannot write beside {target}: {error.strerror}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_sqlite(source: Path, target: Path) -> None:
    try:
        with (
            contextlib.closing(sqlite3.connect(source)) as live,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        raise StoreError(f"cannot copy {source}: {error}") from error


def _put_sqlite(copy: Path, target: Path) -> None:
    if target.exists():
        raise StoreError(f"{target} is there already: restore into an empty place")
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise StoreError(f"the copy of the store in the backup is damaged: {verdict}")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    copy.chmod(0o600)
    shutil.move(copy, target)


def _check_empty(url: str) -> None:
    store = Store(url)
    try:
        if revision_of(store.engine) is not None:
            raise StoreError("the database is not empty: restore into an empty one")
    except SQLAlchemyError as error:
        raise StoreError(f"cannot open the database: {first_line(error)}") from error
    finally:
        store.close()


def _unpack(source: Path, folder: Path) -> None:
    """The known files of the archive, by name: nothing in it can point elsewhere."""
    try:
        with tarfile.open(source, "r:") as archive:
            for name in (MANIFEST, SQLITE_COPY, POSTGRES_DUMP, *PLAIN_FILES):
                if name in archive.getnames() and (member := archive.extractfile(name)) is not None:
                    (folder / name).parent.mkdir(exist_ok=True)
                    with (folder / name).open("wb") as file:
                        shutil.copyfileobj(member, file)
    except OSError as error:
        raise StoreError(f"{source} cannot be read: {error.strerror or error}") from error
    except tarfile.TarError as error:
        raise StoreError(f"{source} is not a backup: {error}") from error
    if not (folder / MANIFEST).exists():
        raise StoreError(f"{source} is not a backup: it has no {MANIFEST}")


def _manifest(source: Path, folder: Path) -> Manifest:
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{source} is not a backup: its {MANIFEST} cannot be read: {error}") from error


def _run(program: str, url: URL, *arguments: str) -> None:
    """A PostgreSQL client; how to connect is in its environment, so that no password is in the process list."""
    environment = {**os.environ, "PGDATABASE": url.database or ""}
    given = {"host": url.host, "port": url.port, **url.query}
    environment |= {_LIBPQ[name]: str(value) for name, value in given.items() if value and name in _LIBPQ}
    if url.username:
        environment["PGUSER"] = url.username
    if url.password:
        environment["PGPASSWORD"] = str(url.password)
    if program == "pg_restore":
        arguments = (f"--dbname={url.database}", *arguments)
    try:
        done = subprocess.run([program, *arguments], env=environment, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise StoreError(f"{program} is missing: install PostgreSQL's client programs") from error
    if done.returncode:
        raise StoreError(
            f"{program} failed: {done.stderr.strip().splitlines()[-1] if done.stderr else done.returncode}"
        )
