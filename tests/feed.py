"""Sources for the tracker that need no network: a capture file as a recording, and packets handed over as they are."""

import os
import struct
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance.config import Config
from appliance.live.clock import Clock
from appliance.live.tracker import Tracker
from appliance.outlet import Outlet
from appliance.pipeline import Pipeline
from appliance.sources.source import Source, SourceCounters
from capture.file import CaptureFile
from capture.records import RecordReader


class Recording(Source):
    """A capture file, from its beginning to its end."""

    live = False

    def __init__(self, path: Path) -> None:
        super().__init__(path.name)
        self._path = path
        self._file: CaptureFile | None = None
        self.ended = False

    def fileno(self):
        return -1

    def counters(self):
        return SourceCounters()

    def _open(self):
        self._file = CaptureFile(self._path)
        return self._file.reader

    def _receive(self):
        self.ended = self._file.reader.starved and not self._file.fill()

    def _close(self):
        if self._file is not None:
            self._file.close()


class Feed(Source):
    """Ethernet frames that a test hands over, with the time that a card or an agent stamped on them."""

    BUFFER_BYTES = 4 << 20

    def __init__(self, name: str = "feed", *, live: bool = True) -> None:
        super().__init__(name)
        self.live = live
        self.waiting: deque[bytes] = deque()
        self._buffer = memoryview(bytearray(self.BUFFER_BYTES))
        self._event = os.eventfd(0, os.EFD_NONBLOCK)
        self.packets = 0

    def send(self, time_ns: int, *frames: bytes) -> None:
        head = struct.pack("<II", time_ns // 10**9, time_ns % 10**9)
        for frame in frames:
            self.waiting.append(head + struct.pack("<II", len(frame), len(frame)) + frame)
        os.eventfd_write(self._event, 1)

    def fileno(self):
        return self._event

    def counters(self):
        return SourceCounters(packets=self.packets)

    def _open(self):
        head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)  # nanoseconds
        self._buffer[: len(head)] = head
        reader = RecordReader(self._buffer, len(head))
        assert reader.read_header()
        return reader

    def _receive(self):
        kept = self.reader.compact()
        filled = kept
        with suppress(BlockingIOError):
            os.eventfd_read(self._event)
        while self.waiting and filled + len(self.waiting[0]) <= self.BUFFER_BYTES:
            record = self.waiting.popleft()
            self._buffer[filled : filled + len(record)] = record
            filled += len(record)
            self.packets += 1
        if self.waiting:
            os.eventfd_write(self._event, 1)
        self.reader.filled(filled - kept)

    def _close(self):
        """The descriptor lives as long as the test."""


class Lines:
    """An outlet that keeps everything."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        self.findings: list[bytes] = []
        self.alerts: list[bytes] = []
        self.outlet = Outlet(self.calls.append, self.findings.append, self.alerts.append)


@contextmanager
def tracking(*sources: Source, config: Config | None = None, clock: Clock | None = None, delay_s: float = 0.002):
    """A tracker at work, and its lines. What is open at the end is not reported."""
    lines = Lines()
    tracker = Tracker(Pipeline(config or Config()), sources, lines.outlet, delay_s, clock)
    tracker.start()
    try:
        yield tracker, lines
    finally:
        tracker.stop()
        tracker.join()
    assert tracker.failure is None
