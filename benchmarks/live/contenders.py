"""Who watches the link: started, left alone while traffic comes, ended by a signal, and asked what it saw."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from benchmarks.live.link import TAP, watched
from benchmarks.live.traffic import sip_packets

RING_MIB = 64  # for all: sipwarden's default
# What is left in the rings is read in this time after the last packet.
DRAIN_S = 0.7
STARTED_S = 20.0


@dataclass(frozen=True)
class Watched:
    """What a contender says. `seen` and `dropped` are packets, of SIP only where `sip_only`."""

    seen: int
    dropped: int | None  # None: it does not say
    cpu_s: float
    sip_only: bool = False
    peak_mib: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None


class Contender(ABC):
    """`with contender: send(...)`, then `contender.result()`."""

    name: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def result(self) -> Watched: ...

    def ready(self) -> None:
        """Waits until it watches."""
        time.sleep(1.0)

    def __enter__(self) -> "Contender":
        self.process = subprocess.Popen(
            watched(self.command()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.fspath(Path(__file__).parents[2])},
        )
        self.ready()
        return self

    def __exit__(self, *exception: object) -> None:
        time.sleep(DRAIN_S)
        self.process.send_signal(signal.SIGINT)
        # read before it is waited for: a full pipe would hold it up, and the usage is that of this child alone
        self.output = self.process.stdout.read()  # type: ignore[union-attr]
        self.errors = self.process.stderr.read()  # type: ignore[union-attr]
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.process.stdout.close()  # type: ignore[union-attr]
        self.process.stderr.close()  # type: ignore[union-attr]
        self.cpu_s = usage.ru_utime + usage.ru_stime


class Sipwarden(Contender):
    """Decodes, tracks, and scores every call."""

    name = "sipwarden"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.live.watcher", TAP]

    def ready(self) -> None:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if line.strip() != "ready":
            raise RuntimeError(f"sipwarden did not start: {self.process.stderr.read()}")  # type: ignore[union-attr]
        time.sleep(0.5)  # its first visit to the source opens the ring

    def result(self) -> Watched:
        said = json.loads(self.output.splitlines()[-1])
        return Watched(
            said["packets"],
            said["dropped"],
            said["cpu_s"],
            peak_mib=said["peak_mib"],
            p50_ms=said["p50_ms"],
            p99_ms=said["p99_ms"],
        )


class Tcpdump(Contender):
    """Copies packets to nowhere: what a receiver in C costs that looks at nothing."""

    name = "tcpdump"

    def command(self) -> list[str]:
        return ["tcpdump", "-i", TAP, "-n", "-p", "-B", str(RING_MIB << 10), "-w", "/dev/null"]

    def result(self) -> Watched:
        return Watched(self._said("captured"), self._said("dropped by kernel"), self.cpu_s)

    def _said(self, what: str) -> int:
        found = re.search(rf"(\d+) packets? {what}", self.errors)
        if found is None:
            raise RuntimeError(f"tcpdump does not say what it {what}: {self.errors}")
        return int(found[1])


class Sngrep(Contender):
    """Shows calls. It does not say what it lost: the SIP that it saved is counted instead."""

    name = "sngrep"

    def command(self) -> list[str]:
        return ["sngrep", "-N", "-q", "-d", TAP, "-B", str(RING_MIB), "-O", str(self.saved)]

    @property
    def saved(self) -> Path:
        return self.folder / "sngrep.pcap"

    def result(self) -> Watched:
        seen = sip_packets(self.saved)
        self.saved.unlink()
        return Watched(seen, None, self.cpu_s, sip_only=True)


CONTENDERS = (Sipwarden, Tcpdump, Sngrep)
