"""Who watches the link: started, left alone while traffic comes, ended by a signal, and asked what it saw."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from appliance.admin.client import Client
from appliance.admin.errors import SocketError
from benchmarks.live.link import TAP, watched
from benchmarks.live.traffic import ENVIRONMENT, sip_packets

RING_MIB = 64  # for all: sipwarden's default
# What is left in the rings is read in this time after the last packet: libpcap lets a block wait for a second.
DRAIN_S = 1.5
STARTED_S = 60.0
SAMPLE_S = 0.25  # between two looks at the memory of the service


@dataclass(frozen=True)
class Watched:
    """What a contender says. `seen` and `dropped` are packets, of SIP only where `sip_only`."""

    seen: int
    dropped: int | None  # None: it does not say
    cpu_s: float
    sip_only: bool = False
    service: "ServiceFigures | None" = None


@dataclass(frozen=True)
class ServiceFigures:
    """What only sipwarden says. Latencies are from a packet to the verdict on it: the upper bounds of their buckets."""

    verdicts: int
    p50_ms: float | None  # None: above the last bucket
    p99_ms: float | None
    p999_ms: float | None
    calls: int
    flagged: int
    first_mib: float  # in RAM after the first tenth of the run, and at its end
    end_mib: float

    @property
    def growth(self) -> float:
        return self.end_mib / self.first_mib - 1


class Contender(ABC):
    """`with contender: send(...)`, then `contender.result()`."""

    name: str

    def __init__(self, folder: Path, realtime: bool = False) -> None:
        self.folder = folder
        # who watches before who sends: among equals a real-time thread waits until another one sleeps
        self.prefix, self.sender_prefix = (["chrt", "--fifo", str(at)] if realtime else [] for at in (10, 5))

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def result(self) -> Watched: ...

    def ready(self) -> None:
        """Waits until it watches."""
        deadline_s = time.monotonic() + STARTED_S
        while not self.is_watching():
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"{self.name} did not start: {self._said_so_far()}")
            time.sleep(0.1)
        time.sleep(0.5)  # its own start is over

    def is_watching(self) -> bool:
        """Whether it has bound a packet socket (packet(7))."""
        process = Path(f"/proc/{self.process.pid}")
        try:
            own = {str(path.readlink()) for path in (process / "fd").iterdir()}
            _, *sockets = (process / "net" / "packet").read_text().splitlines()
        except OSError:  # it has ended, or opens and closes files
            return False
        # sk, references, type, protocol, interface, running, memory, user, inode
        return any(row[4] != "0" and f"socket:[{row[8]}]" in own for row in map(str.split, sockets))

    def __enter__(self) -> "Contender":
        self.errors_file = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            watched([*self.prefix, *self.command()]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.errors_file,
            env=ENVIRONMENT,
        )
        self.ready()
        return self

    def __exit__(self, *exception: object) -> None:
        time.sleep(DRAIN_S)
        self.process.send_signal(signal.SIGINT)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.errors = self._said_so_far()
        self.errors_file.close()

    def _said_so_far(self) -> str:
        self.errors_file.seek(0)
        return self.errors_file.read()


class Sipwarden(Contender):
    """The service as it is installed, on its defaults: decodes, tracks, scores every call, stores, takes snapshots."""

    name = "sipwarden"

    def __init__(self, folder: Path, realtime: bool = False) -> None:
        super().__init__(folder, realtime)
        # on the disk, as its state is
        self.state = Path(tempfile.mkdtemp(prefix="sipwarden-"))
        self.socket = self.state / "admin.sock"
        self.memory_mib: list[float] = []
        self.ended = threading.Event()

    def command(self) -> list[str]:
        config = self.state / "sipwarden.toml"
        config.write_text(
            f'capture.interfaces = ["{TAP}"]\ncapture.ring_mib = {RING_MIB}\nservice.state_dir = "{self.state}"\n'
            f'admin.socket = "{self.socket}"\nadmin.readers = []\n'
        )
        return [sys.executable, "-m", "appliance", "run", "--config", str(config)]

    def ready(self) -> None:
        super().ready()
        self.started_s = self._processor_s()
        self.sampler = threading.Thread(target=self._sample)
        self.sampler.start()

    def __exit__(self, *exception: object) -> None:
        time.sleep(DRAIN_S)
        with Client(self.socket) as client:
            self.status = client.ask("status")
        self.used_s = self._processor_s() - self.started_s
        self.ended.set()
        self.sampler.join()
        super().__exit__(*exception)
        shutil.rmtree(self.state)

    def result(self) -> Watched:
        status, latency = self.status, self.status["latency"]
        figures = ServiceFigures(
            **{name: latency[name] for name in ("verdicts", "p50_ms", "p99_ms", "p999_ms")},
            calls=status["calls"],
            flagged=status["flagged"],
            first_mib=self.memory_mib[len(self.memory_mib) // 10],
            end_mib=self.memory_mib[-1],
        )
        captured = status["capture"]
        return Watched(captured["packets"], captured["dropped"], self.used_s, service=figures)

    def is_watching(self) -> bool:
        try:
            with Client(self.socket) as client:
                return client.ask("status")["capture"]["sources"][0]["state"] == "up"
        except SocketError:
            return False

    def _processor_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _sample(self) -> None:
        while not self.ended.wait(SAMPLE_S):
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
            self.memory_mib.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


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
