"""The snapshot of what the box remembers: taken now and then, put back at the next start, or refused by name.

The file, little-endian:

    magic     MAGIC
    head      4 bytes of length, then JSON (`Head`): when, of which layout, region and secret
    chunks    1 byte of kind, 4 bytes of length, content (kernels/snapshot.pyx, or JSON of this module)
    end       a chunk of kind END: BLAKE2b of all before, keyed with the box's secret

It is written beside the old one and takes its place when it is whole and on the disk. Nothing of it is put back before
its checksum was found right, so a file that was cut or changed anywhere is refused as a whole. It holds numbers and
addresses of calls and findings, and behaviour by hashes that mean nothing without the secret.
"""

import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from appliance.call_reasons import CALL_REASONS_BYTES
from appliance.errors import SnapshotError
from appliance.findings import FINDING_BYTES
from appliance.pipeline import Pipeline
from appliance.storage.secret import FILE_MODE, sync_folder
from kernels.regions import layout
from kernels.restore import EngineRestore
from kernels.schema_subscriber import SUBSCRIBER_SCHEMA_HASH
from kernels.snapshot import EngineSnapshot

SNAPSHOT_FILE = "state.snapshot"
MAGIC = b"sipwarden snapshot 1\n"
LENGTH = struct.Struct("<I")
CHUNK = struct.Struct("<BI")
END, ENGINE, FINDINGS, REASONS, PARTIES = range(5)
DIGEST_BYTES = 32
STEP_BYTES = 1 << 20
STEP_ENTRIES = 2048  # findings or reasons that are copied in one step: some 700 KiB
MAX_HEAD_BYTES = 1 << 16
MAX_CHUNK_BYTES = 16 << 20

T = TypeVar("T")
Ask = Callable[[Callable[[Pipeline], T]], T]
_encode = msgspec.json.Encoder().encode


class Head(msgspec.Struct, frozen=True):
    """Whose snapshot it is. Another box, program or configuration cannot use it."""

    written_ns: int  # wall clock
    layout: dict[str, int | str]
    region: str | None
    secret: str  # a mark of it


class Parties(msgspec.Struct, frozen=True):
    """The totals of findings about parties."""

    flagged_sources: int
    watched_sources: int
    evicted: int


class SnapshotTaken(msgspec.Struct, frozen=True):
    """How the taking of a snapshot went."""

    bytes: int
    steps: int
    longest_step_s: float  # how long the packets waited at most
    elapsed_s: float


def save(path: Path, ask: Ask, *, region: str | None, secret: int) -> SnapshotTaken:
    """Takes a snapshot in steps and writes it to `path`.

    `ask` runs a function of the pipeline between two of its blocks and gives its answer (Tracker.ask). Raises
    SnapshotError, with the old snapshot still there, and whatever `ask` does.
    """
    new = path.with_name(f"{path.name}.new")
    began_s = time.monotonic()
    try:
        descriptor = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            steps, longest_s = _write(file, ask, region, secret)
            size = file.tell()
        new.rename(path)
        sync_folder(path.parent)
    except TimeoutError:  # an OSError that says nothing of the disk: `ask` gave up
        raise
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):  # it is there no more, or the disk takes no change at all
            new.unlink()
    return SnapshotTaken(size, steps, longest_s, time.monotonic() - began_s)


def load(path: Path, pipeline: Pipeline, *, region: str | None, secret: int) -> int | None:
    """Puts a snapshot back into a fresh pipeline. When it was written (ns, wall clock), None when there is none.

    Raises SnapshotError when it cannot be used: the pipeline is as fresh as before, unless the text says `contradicts
    itself`, which only a file can that was made with the box's secret; then it has to be thrown away.
    """
    try:
        with path.open("rb") as file:
            head = _read_head(path, file)
            _refuse_other(path, head, whole_layout(pipeline), region, secret)
            _check(path, file, secret)
            file.seek(0)
            _read_head(path, file)
            _put_back(path, file, pipeline)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read: {error.strerror}") from error
    return head.written_ns


# -- writing ----------------------------------------------------------------------------------------------------


def whole_layout(pipeline: Pipeline) -> dict[str, int | str]:
    """Of the engine, and of what is kept beside it."""
    return layout(pipeline.engine) | {
        "findings": f"{FINDING_BYTES} bytes",
        "reasons": f"{CALL_REASONS_BYTES} bytes",
        "subscriber features": SUBSCRIBER_SCHEMA_HASH,
    }


class _Taking:
    """The steps of one snapshot; each is made on the pipeline's thread."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.layout = whole_layout(pipeline)
        self._engine = EngineSnapshot(pipeline.engine)
        self._findings, self._found = pipeline.findings, 0
        self._reasons, self._explained = pipeline.reasons, 0
        self._parties: Parties | None = Parties(
            pipeline.flagged_sources, pipeline.watched_sources, pipeline.findings.evicted
        )

    def step(self) -> tuple[int, bytes | bytearray]:
        """Kind and content of the next chunk."""
        if found := self._findings.copy(self._found, STEP_ENTRIES):
            self._found += STEP_ENTRIES
            return FINDINGS, found
        if (reasons := self._reasons.copy(self._explained, STEP_ENTRIES)) is not None:
            self._explained += STEP_ENTRIES
            return REASONS, reasons
        if self._parties is not None:
            parties, self._parties = self._parties, None
            return PARTIES, _encode(parties)
        chunk = self._engine.step(STEP_BYTES)
        return (END, b"") if chunk is None else (ENGINE, chunk)


def _write(file: BinaryIO, ask: Ask, region: str | None, secret: int) -> tuple[int, float]:
    digest = _digest(secret)

    def write(content: bytes | bytearray) -> None:
        digest.update(content)
        file.write(content)

    taking, longest_s = ask(_timed(_Taking))
    head = _encode(Head(time.time_ns(), taking.layout, region, _mark(secret)))
    write(MAGIC + LENGTH.pack(len(head)) + head)
    steps = 1
    while True:
        (kind, content), elapsed_s = ask(_timed(lambda _: taking.step()))
        steps += 1
        longest_s = max(longest_s, elapsed_s)
        if kind == END:
            break
        write(CHUNK.pack(kind, len(content)))
        write(content)
    write(CHUNK.pack(END, DIGEST_BYTES))
    file.write(digest.digest())
    file.flush()
    os.fsync(file.fileno())
    return steps, longest_s


def _timed(question: Callable[[Pipeline], T]) -> Callable[[Pipeline], tuple[T, float]]:
    def timed(pipeline: Pipeline) -> tuple[T, float]:
        began_s = time.perf_counter()
        answer = question(pipeline)
        return answer, time.perf_counter() - began_s

    return timed


# -- reading ----------------------------------------------------------------------------------------------------


def _read_head(path: Path, file: BinaryIO) -> Head:
    if file.read(len(MAGIC)) != MAGIC:
        raise SnapshotError(f"{path}: is no snapshot of this version")
    (length,) = LENGTH.unpack(_exactly(path, file, LENGTH.size))
    if length > MAX_HEAD_BYTES:
        raise SnapshotError(f"{path}: is damaged: a head of {length} bytes")
    try:
        return msgspec.json.decode(_exactly(path, file, length), type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{path}: is damaged: {error}") from error


def _refuse_other(path: Path, head: Head, expected: dict[str, int | str], region: str | None, secret: int) -> None:
    for key in sorted(expected.keys() | head.layout.keys()):
        theirs, ours = head.layout.get(key, "none"), expected.get(key, "none")
        if theirs != ours:
            raise SnapshotError(f"{path}: {key}: has {theirs}, this program and configuration have {ours}")
    if head.region != region:
        raise SnapshotError(f"{path}: region: numbers were read for {head.region}, and now for {region}")
    if head.secret != _mark(secret):
        raise SnapshotError(f"{path}: was made with another secret")


def _check(path: Path, file: BinaryIO, secret: int) -> None:
    """Reads the whole file. Nothing may stand behind its end."""
    digest = _digest(secret)
    end = os.fstat(file.fileno()).st_size - DIGEST_BYTES
    file.seek(0)
    while file.tell() < end:
        digest.update(_exactly(path, file, min(1 << 20, end - file.tell())))
    if end < 0 or file.read() != digest.digest():
        raise SnapshotError(f"{path}: is damaged: the checksum is wrong")


def _chunks(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    while True:
        kind, length = CHUNK.unpack(_exactly(path, file, CHUNK.size))
        if kind == END:
            return
        if length > MAX_CHUNK_BYTES:
            raise ValueError(f"a chunk of {length} bytes")
        yield kind, _exactly(path, file, length)


def _put_back(path: Path, file: BinaryIO, pipeline: Pipeline) -> None:
    try:
        engine = EngineRestore(pipeline.engine)
        findings = bytearray()
        for kind, content in _chunks(path, file):
            if kind == ENGINE:
                engine.feed(content)
            elif kind == FINDINGS:
                findings += content
            elif kind == REASONS:
                pipeline.reasons.restore(content)
            elif kind == PARTIES:
                parties = msgspec.json.decode(content, type=Parties)
                pipeline.flagged_sources = parties.flagged_sources
                pipeline.watched_sources = parties.watched_sources
                pipeline.findings.evicted = parties.evicted
            else:
                raise ValueError(f"a chunk of kind {kind}")
        engine.finish()
        pipeline.findings.restore(findings)
    except (ValueError, msgspec.MsgspecError) as error:
        raise SnapshotError(f"{path}: contradicts itself: {error}") from error


def _exactly(path: Path, file: BinaryIO, length: int) -> bytes:
    content = file.read(length)
    if len(content) < length:
        raise SnapshotError(f"{path}: is damaged: it ends too early")
    return content


def _digest(secret: int) -> blake2b:
    return blake2b(digest_size=DIGEST_BYTES, key=secret.to_bytes(8, "little"))


def _mark(secret: int) -> str:
    return blake2b(digest_size=8, key=secret.to_bytes(8, "little"), person=b"sipwarden").hexdigest()
