"""An hour of 200 calls a second through the live path, on simulated time: memory must not grow.

    make soak                                  # python -m benchmarks.soak: 3,600 s at 200 calls/s
    python -m benchmarks.soak --seconds 600 --rate 100

The tracker, the recorder, the store and the spool are those of the service; only the packets are made here. Every call
has numbers of its own but for a tenth, which are those of robots, so that every table is full and evicting within the
first tenth. Prints the memory in RAM after the first tenth and at the end, and ends with 1 when it grew by 5 % or more.
"""

import argparse
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from appliance.config import Config, Limits
from appliance.live.recorder import Recorder
from appliance.live.tracker import Tracker
from appliance.pipeline import Pipeline
from appliance.sources.source import Source, SourceCounters
from appliance.storage.spool import Spool
from appliance.storage.store import Store
from capture.records import RecordReader

MOST_GROWTH = 0.05
START_S = 1_700_000_000
ROBOTS = 50
# Smaller than the defaults, so that they are full soon.
LIMITS = Limits(calls=32768, callers=16384, callees=16384, sources=4096, findings=1024)
PACKETS_AT_ONCE = 2048
MOST_WAITING = 20  # blocks of lines, before more packets come: what waits is memory too, and may find no room
# When the messages of a call come after its INVITE, in s; robots hang up after a second.
RINGING_S, ANSWER_S = 1.0, 4.0
TALK_S = (10.0, 90.0)
ROBOT_TALK_S = 1.0

CALLER, CALLEE, CALL = b"@@@@@@@@@", b"#########", b"%%%%%%%%%"
# (start line, CSeq, To tag, whether the called side sends it)
MESSAGES = (
    (b"INVITE sip:+49" + CALLEE + b"@example.net SIP/2.0", b"1 INVITE", b"", False),
    (b"SIP/2.0 180 Ringing", b"1 INVITE", b";tag=b", True),
    (b"SIP/2.0 200 OK", b"1 INVITE", b";tag=b", True),
    (b"BYE sip:+49" + CALLEE + b"@example.net SIP/2.0", b"2 BYE", b";tag=b", False),
    (b"SIP/2.0 200 OK", b"2 BYE", b";tag=b", True),
)


def _frame(start: bytes, cseq: bytes, tag: bytes, back: bool, length: int) -> bytes:
    """Ethernet, IPv4 and UDP around a SIP message of `length` bytes."""
    head = (
        start + b"\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK" + cseq.replace(b" ", b"") + CALL + b"\r\n"
        b"From: <sip:+49" + CALLER + b"@example.org>;tag=a" + CALL + b"\r\nTo: <sip:+49" + CALLEE + b"@example.net>"
        + tag + b"\r\nCall-ID: " + CALL + b"@soak\r\nCSeq: " + cseq + b"\r\nContent-Length: 0\r\nSubject: "
    )  # fmt: skip
    message = head + b"x" * (length - len(head) - 4) + b"\r\n\r\n"
    ends = (bytes([198, 51, 100, 20]), bytes([10, 0, 0, 1]))
    source, destination = ends[::-1] if not back else ends
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(message), 0, 0, 64, 17, 0, source, destination)
    return bytes(12) + b"\x08\x00" + ip + struct.pack("!HHHH", 5060, 5060, 8 + len(message), 0) + message


@dataclass(frozen=True, slots=True)
class Plan:
    """When each message of each call comes: its time in ns, its call, and which of MESSAGES it is."""

    time_ns: np.ndarray
    call: np.ndarray
    kind: np.ndarray

    @classmethod
    def of(cls, seconds: int, rate: int) -> "Plan":
        chance = np.random.default_rng(1)
        count = seconds * rate
        start_s = np.sort(chance.uniform(0, seconds, count))
        talk_s = np.where(_is_robot(np.arange(count)), ROBOT_TALK_S, chance.uniform(*TALK_S, count))
        after_s = (0.0, RINGING_S, ANSWER_S, ANSWER_S + talk_s, ANSWER_S + talk_s + 0.02)
        time_ns = np.concatenate([(start_s + after) * 1e9 for after in after_s]).astype(np.int64)
        order = np.argsort(time_ns, kind="stable").astype(np.int32)
        return cls(
            time_ns[order] + START_S * 10**9,
            (order % count).astype(np.int32),
            (order // count).astype(np.int8),
        )


def _is_robot(calls: np.ndarray) -> np.ndarray:
    return calls % 10 == 0


class SoakSource(Source):
    """The messages of a plan as records, and nothing kept of those that were taken."""

    live = False

    def __init__(self, plan: Plan, behind: Callable[[], bool]) -> None:
        super().__init__("soak")
        self.plan = plan
        self._behind = behind
        self.position = 0
        length = max(len(_frame(*message, 0)) for message in MESSAGES)
        frames = [_frame(*message, length) for message in MESSAGES]
        self._record_bytes = 16 + len(frames[0])
        head = struct.pack("<IIII", 0, 0, len(frames[0]), len(frames[0]))
        self._templates = np.stack([np.frombuffer(head + frame, np.uint8) for frame in frames])
        self._digits = [[(mark, _places(head + frame, mark)) for mark in (CALLER, CALLEE, CALL)] for frame in frames]
        self._buffer = memoryview(bytearray(1 << 21))

    @property
    def ended(self) -> bool:
        return self.position == len(self.plan.time_ns)

    @property
    def elapsed_s(self) -> float:
        """Of simulated time."""
        return (int(self.plan.time_ns[max(0, self.position - 1)]) - START_S * 10**9) / 1e9

    def fileno(self) -> int:
        return -1

    def counters(self) -> SourceCounters:
        return SourceCounters(packets=self.position)

    def _open(self) -> RecordReader:
        head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)  # nanoseconds
        self._buffer[: len(head)] = head
        reader = RecordReader(self._buffer, len(head))
        reader.read_header()
        return reader

    def _receive(self) -> None:
        assert isinstance(self.reader, RecordReader)
        kept = self.reader.compact()
        count = min(PACKETS_AT_ONCE, (len(self._buffer) - kept) // self._record_bytes)
        if self.ended or not count or self._behind():
            self.reader.filled(0)
            return
        records = self._records(slice(self.position, self.position + count))
        self._buffer[kept : kept + records.nbytes] = records.tobytes()
        self.position += len(records)
        self.reader.filled(records.nbytes)

    def _close(self) -> None:
        """There is nothing to let go of."""

    def _records(self, chosen: slice) -> np.ndarray:
        time_ns, call, kind = self.plan.time_ns[chosen], self.plan.call[chosen], self.plan.kind[chosen]
        records = self._templates[kind]
        records[:, :4] = (time_ns // 10**9).astype("<u4")[:, None].view(np.uint8)
        records[:, 4:8] = (time_ns % 10**9).astype("<u4")[:, None].view(np.uint8)
        robot = _is_robot(call)
        # large odd factors spread numbers over nine digits, and give each call one of its own
        numbers = {
            CALLER: np.where(robot, 301_000_000 + call // 10 % ROBOTS, 150_000_000 + call * 7919 % 849_999_999),
            CALLEE: 170_000_000 + call * 104_729 % 829_999_999,
            CALL: call,
        }
        digits = {mark: _digits_of(value) for mark, value in numbers.items()}
        for which, marks in enumerate(self._digits):
            rows = np.flatnonzero(kind == which)
            for mark, places in marks:
                for place in places:
                    records[rows, place : place + 9] = digits[mark][rows]
        return records


def _places(record: bytes, mark: bytes) -> list[int]:
    places, at = [], record.find(mark)
    while at >= 0:
        places.append(at)
        at = record.find(mark, at + len(mark))
    return places


def _digits_of(values: np.ndarray) -> np.ndarray:
    """int64 [n] -> uint8 [n, 9]: their last nine decimal digits in ASCII."""
    powers = 10 ** np.arange(8, -1, -1, dtype=np.int64)
    return (values.astype(np.int64)[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a soak came to."""

    first_tenth_bytes: int
    end_bytes: int
    summary: dict[str, int | float]
    stored: int
    dropped: int
    elapsed_s: float

    @property
    def growth(self) -> float:
        return self.end_bytes / self.first_tenth_bytes - 1


def soak(seconds: int, rate: int, limits: Limits = LIMITS) -> Outcome:
    """Runs it. What ended the tracker before its time is raised."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(
            Store(Path(folder, "findings.sqlite"), 256 << 20, 1 << 62), Spool(Path(folder, "spool"), 64 << 20)
        )
        # Simulated time is a hundred times as fast as a disk is made for.
        source = SoakSource(Plan.of(seconds, rate), lambda: recorder.depth > MOST_WAITING)
        tracker = Tracker(Pipeline(Config(limits=limits)), [source], recorder.outlet, 0.002)
        recorder.start()
        tracker.start()
        first = 0
        while tracker.is_alive() and not source.ended:
            time.sleep(0.02)
            if not first and source.elapsed_s >= seconds / 10:
                first = resident_bytes()
        wait([tracker.drain()])
        end = resident_bytes()
        tracker.stop()
        tracker.join()
        recorder.stop()
        recorder.join()
        if tracker.failure is not None:
            raise tracker.failure
        stored = recorder.store.health().findings
        recorder.spool.close()
        recorder.store.close()
    return Outcome(first, end, dict(tracker.totals.summary), stored, recorder.dropped, time.monotonic() - began_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3600, help="of simulated time")
    parser.add_argument("--rate", type=int, default=200, help="calls a second")
    asked = parser.parse_args()
    outcome = soak(asked.seconds, asked.rate)
    summary = outcome.summary
    print(
        f"{asked.seconds:,} s at {asked.rate} calls/s in {outcome.elapsed_s:,.0f} s: {summary['calls']:,} calls, "
        f"{summary['packets']:,} packets, {summary['flagged']:,} flagged, {summary['evicted']:,} evicted, "
        f"{outcome.stored:,} findings stored, {outcome.dropped:,} blocks dropped"
    )
    print(
        f"in RAM: {outcome.first_tenth_bytes / 2**20:.1f} MiB after the first tenth, "
        f"{outcome.end_bytes / 2**20:.1f} MiB at the end: {outcome.growth:+.2%}"
    )
    return int(outcome.growth >= MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
