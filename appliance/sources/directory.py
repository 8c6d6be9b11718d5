"""A directory into which another program rotates captures: each file is read once, when it is complete.

A file is complete when its writer closed it or moved it here. Of those that lay here before, or where the kernel does
not tell (network file systems), one is taken to be complete that has not been written to for SETTLED_S while a later
one has, and the latest after ABANDONED_S: several may write here, and on a quiet line they are silent for long. Hidden
files are left alone, and so are those that somebody is still copying, by their suffix. What was read is remembered in
the state directory under its name, size and time, so that a restart reads nothing twice; a file that was being read
when the box went down is read again from its start.
"""

import contextlib
import ctypes
import errno
import os
import select
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance import log
from appliance.sources.errors import SourceError
from appliance.sources.source import Source, SourceCounters
from capture.errors import CaptureFileError
from capture.file import CaptureFile
from capture.source import RecordSource

MEMORY_FILE = "captures-read.json"
# Files of the directory that are looked at and remembered; the rest wait until some are taken away.
MAXIMUM_FILES = 65536
# How often the directory is looked at when nothing was said of it.
SCAN_S = 2.0
SETTLED_S = 30.0
ABANDONED_S = 600.0
UNFINISHED = (".tmp", ".part", ".partial", ".swp", ".filepart")

# inotify(7)
IN_CLOSE_WRITE = 0x8
IN_MOVED_TO = 0x80
IN_IGNORED = 0x8000
IN_NONBLOCK = os.O_NONBLOCK  # the same by definition
EVENT = struct.Struct("=iIII")
EVENTS_BYTES = 65536


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A file of the directory, in the order in which they are read."""

    modified_ns: int
    name: str
    size: int

    @property
    def identity(self) -> tuple[str, int, int]:
        return self.name, self.size, self.modified_ns


class DirectorySource(Source):
    """Reads what comes into `directory`, and remembers it in `state_dir`."""

    live = False

    def __init__(self, directory: Path, state_dir: Path) -> None:
        super().__init__(str(directory))
        self._directory = directory
        self._memory_path = state_dir / MEMORY_FILE
        self._read = _remembered(self._memory_path)
        self._idle = RecordSource()  # up, with nothing to read
        self._capture: CaptureFile | None = None
        self._current: Found | None = None
        self._closed: set[str] = set()  # names that their writer is done with
        self._next_scan_s = 0.0
        self._inotify = self._wake = -1
        self._epoll: select.epoll | None = None
        self._packets = self._bytes = self._dropped = self._duplicates = self._errors = 0

    def fileno(self) -> int:
        return -1 if self._epoll is None else self._epoll.fileno()

    def counters(self) -> SourceCounters:
        packets, size, dropped, duplicates = self._packets, self._bytes, self._dropped, self._duplicates
        if self._capture is not None:
            reader = self._capture.reader
            packets += reader.records
            size += reader.position
            dropped += reader.dropped or 0
            duplicates += reader.duplicates
        return SourceCounters(packets, dropped, size, duplicates, self._errors + self.failures)

    def _open(self) -> RecordSource:
        try:
            self._inotify = _watch(self._directory)
            self._wake = os.eventfd(0, os.EFD_NONBLOCK)
            self._epoll = select.epoll()
            self._epoll.register(self._inotify, select.EPOLLIN)
            self._epoll.register(self._wake, select.EPOLLIN)
        except OSError as error:
            self._close()
            raise SourceError(f"cannot be watched: {_reason(error)}") from error
        self._next_scan_s = 0.0
        return self._idle

    def _receive(self) -> None:
        if self._capture is not None:
            # what is within reach must have been taken first: at the end of the file all of it would be lost
            if not self._capture.reader.starved or self._capture.fill():
                return
            self._end_file()
        if self._hear() or time.monotonic() >= self._next_scan_s:
            self._next_scan_s = time.monotonic() + SCAN_S
            self._begin_file()

    def _hear(self) -> bool:
        """Takes the kernel's news of the directory: whether there was any."""
        heard = False
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._inotify, EVENTS_BYTES):
                heard = True
                at = 0
                while at < len(data):
                    _, mask, _, length = EVENT.unpack_from(data, at)
                    name = data[at + EVENT.size : at + EVENT.size + length].rstrip(b"\0")
                    at += EVENT.size + length
                    if mask & IN_IGNORED:
                        raise SourceError("is not there any more")
                    if name and len(self._closed) < MAXIMUM_FILES:
                        self._closed.add(os.fsdecode(name))
        return heard

    def _begin_file(self) -> None:
        """Opens the oldest file that is complete and was not read; remembers no others than those that are there."""
        found = self._scan()
        names = {one.name for one in found}
        self._closed &= names
        self._read &= {one.identity for one in found}
        for one in found:
            if one.identity in self._read or not self._complete(one, found[-1]):
                continue
            try:
                self._capture = CaptureFile(self._directory / one.name)
            except CaptureFileError as error:
                self._errors += 1
                log.warning("capture file was not read", file=one.name, problem=error.reason)
                self._remember(one)
                continue
            self._current = one
            self.reader = self._capture.reader
            os.eventfd_write(self._wake, 1)  # whoever waits comes back at once until the file is read
            return

    def _end_file(self) -> None:
        assert self._capture is not None
        assert self._current is not None
        reader = self._capture.reader
        if self._capture.problem is not None:
            self._errors += 1
            log.warning("capture file was not read to its end", file=self._current.name, problem=self._capture.problem)
        self._packets += reader.records
        self._bytes += reader.position
        self._dropped += reader.dropped or 0
        self._duplicates += reader.duplicates
        self._capture.close()
        self._capture = None
        self._remember(self._current)
        self._closed.discard(self._current.name)
        self._current = None
        self.reader = self._idle
        self._next_scan_s = 0.0
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)

    def _scan(self) -> list[Found]:
        try:
            with os.scandir(self._directory) as entries:
                found = [one for entry in entries if (one := _found(entry)) is not None]
        except OSError as error:
            raise SourceError(f"cannot be read: {_reason(error)}") from error
        return sorted(found)[:MAXIMUM_FILES]

    def _complete(self, one: Found, newest: Found) -> bool:
        untouched_s = (time.time_ns() - one.modified_ns) / 1e9
        return one.name in self._closed or untouched_s > (SETTLED_S if one is not newest else ABANDONED_S)

    def _remember(self, one: Found) -> None:
        self._read.add(one.identity)
        partial = self._memory_path.with_suffix(".new")
        try:
            partial.write_bytes(msgspec.json.encode(sorted(self._read)))
            partial.replace(self._memory_path)
        except OSError as error:
            log.warning("what was read is not remembered", file=str(self._memory_path), problem=_reason(error))

    def _close(self) -> None:
        if self._capture is not None:
            self._capture.close()
            self._capture = self._current = None
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None
        for number in (self._inotify, self._wake):
            if number >= 0:
                os.close(number)
        self._inotify = self._wake = -1


def _found(entry: os.DirEntry[str]) -> Found | None:
    if entry.name.startswith(".") or entry.name.endswith(UNFINISHED):
        return None
    try:
        if not entry.is_file():
            return None
        status = entry.stat()
    except OSError:  # gone meanwhile
        return None
    return Found(status.st_mtime_ns, entry.name, status.st_size)


def _remembered(path: Path) -> set[tuple[str, int, int]]:
    try:
        return set(msgspec.json.decode(path.read_bytes(), type=list[tuple[str, int, int]]))
    except FileNotFoundError:
        return set()
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("what was read before is not known", file=str(path), problem=str(error))
        return set()


def _watch(directory: Path) -> int:
    """An inotify descriptor that tells of files that are closed or moved here. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    number = library.inotify_init1(IN_NONBLOCK | os.O_CLOEXEC)
    if number < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if library.inotify_add_watch(number, os.fsencode(directory), IN_CLOSE_WRITE | IN_MOVED_TO) < 0:
        problem = ctypes.get_errno()
        os.close(number)
        raise OSError(problem, os.strerror(problem))
    if not directory.is_dir():
        os.close(number)
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    return number


def _reason(error: OSError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
