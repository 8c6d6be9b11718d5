"""The collector under load: many boxes, each over its own mutual TLS connection, against a real store.

    python -m benchmarks.collector --store postgresql --boxes 200 --rate 2000 --seconds 60

One process sends, another is the collector, a third one PostgreSQL with its commits on the disk. A box sends once a
second what it found in that second. Measured is the time from a batch's first byte to its acknowledgement, which
comes after the commit; at the end every finding must be in the store, once.
"""

import argparse
import asyncio
import contextlib
import gzip
import json
import os
import resource
import ssl
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from appliance.findings import moment
from appliance.report import encode_batch
from appliance.reporting.identity import Collector, Identity, Request
from collector.authority import Authority
from collector.store.paging import every
from collector.store.store import Store
from tests.collectors import CollectorProcess, call_line
from tests.postgres import cluster

INTERVAL_S = 1.0
INCARNATION = "00000000000bec41"
LIMITS = "[ingest]\nreports_per_s = 100000\nburst_reports = 1000000\n"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    """Latencies of acknowledged batches in seconds, and what else there is to tell."""

    latencies_s: list[float] = field(default_factory=list)
    stored: int = 0
    refused: dict[int, int] = field(default_factory=dict)
    late: int = 0  # batches whose turn came while the one before was still on its way

    def quantile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


class Box:
    """One box on one connection; HTTP/1.1 by hand, so that the sender costs little beside what it measures."""

    def __init__(self, name: str, url: str, context: ssl.SSLContext) -> None:
        self.name = name
        self._port = int(url.rpartition(":")[2])
        self._context = context
        self._sequence = 0
        self._calls = 0

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._context, server_hostname="127.0.0.1"
        )

    def batch(self, findings: int) -> bytes:
        """A request with so many new findings."""
        items = []
        for _ in range(findings):
            self._sequence += 1
            items.append((self._sequence, call_line(self._sequence, call_id=f"{self.name}-{self._sequence}@bench")))
        data = gzip.compress(encode_batch(self.name, INCARNATION, moment(time.time_ns()), items), 1)
        head = (
            "POST /v1/batches HTTP/1.1",
            "Host: 127.0.0.1",
            "Content-Encoding: gzip",
            f"Content-Length: {len(data)}",
        )
        return "\r\n".join((*head, "", "")).encode() + data

    async def send(self, request: bytes) -> tuple[int, dict]:
        """(status, body) of the answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return int(lines[0].split()[1]), json.loads(body)

    async def run(self, rate: float, offset_s: float, until_s: float, measured: Measured) -> None:
        """Sends once an interval until the time is over; `rate` in findings a second."""
        turn, owed = time.monotonic() + offset_s, 0.0
        while turn < until_s:
            await asyncio.sleep(max(0.0, turn - time.monotonic()))
            owed += rate * INTERVAL_S
            findings, owed = int(owed), owed - int(owed)
            if findings:
                request = self.batch(findings)
                start = time.monotonic()
                status, body = await self.send(request)
                if status == 200:
                    measured.latencies_s.append(time.monotonic() - start)
                    measured.stored += body["stored"]
                else:
                    measured.refused[status] = measured.refused.get(status, 0) + 1
            turn += INTERVAL_S
            measured.late += time.monotonic() > turn


def enrolled(collector: CollectorProcess, count: int) -> list[Box]:
    """So many boxes, enrolled without the network: its limit on attempts is not what is measured."""
    authority = Authority.open(collector.config.authority_dir, collector.config.tls.names)
    store = Store.open(collector.config.store_url)
    boxes = []
    for number in range(count):
        name = f"bench-{number:03}"
        request = Request(name)
        certificate, row = authority.box_certificate(request.csr, name, 1)
        store.fleet.create_token(name, "bench", 3600, name)
        store.fleet.enrol(name, name, row)
        identity = Identity(collector.folder / "boxes" / name)
        identity.save(
            request.key_with(certificate), Collector(url=collector.ingest_url, ca=authority.root_pem, box=name)
        )
        boxes.append(Box(name, collector.ingest_url, identity.context(authority.root_pem)))
    store.close()
    return boxes


async def load(boxes: list[Box], rate: float, seconds: float) -> Measured:
    measured = Measured()
    for box in boxes:
        await box.connect()
    until_s = time.monotonic() + seconds
    share = rate / len(boxes)
    await asyncio.gather(
        *(box.run(share, INTERVAL_S * n / len(boxes), until_s, measured) for n, box in enumerate(boxes))
    )
    return measured


def cpu_s(pids: list[int]) -> float:
    """Processor time of processes, user and system; of one that ended, none."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def measure(kind: str, boxes: int, rate: float, seconds: float) -> int:
    """Runs one load and prints what came of it; 1 when something was lost or doubled."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sipwarden-bench-"))
        postgres = stack.enter_context(cluster(safe=True)) if kind == "postgresql" else None
        collector = CollectorProcess(Path(folder), postgres.url() if postgres else "", LIMITS).start()
        assert collector.process is not None
        ready = enrolled(collector, boxes)
        pids = [collector.process.pid]
        used, own, start = cpu_s(pids), time.process_time(), time.monotonic()
        database = cpu_s(postgres.processes()) if postgres else 0.0
        measured = asyncio.run(load(ready, rate, seconds))
        elapsed = time.monotonic() - start
        used, own = cpu_s(pids) - used, time.process_time() - own
        database = cpu_s(postgres.processes()) - database if postgres else 0.0
        memory = next(
            line for line in Path(f"/proc/{collector.process.pid}/status").read_text().splitlines() if "VmHWM" in line
        )
        store = collector.store()
        found = sum(box.items for box in every(store.fleet.boxes))
        rows = store.findings.count()
        store.close()
        collector.stop()
    sent = sum(box._sequence for box in ready)
    print(
        f"{kind}: {boxes} boxes, {rate:g} findings/s asked for, {elapsed:.0f} s, load average {os.getloadavg()[0]:.1f}"
    )
    print(f"  acknowledged {measured.stored} of {sent} ({measured.stored / elapsed:.0f}/s), in the store {rows}")
    print(f"  refused {measured.refused or 'none'}, batches late {measured.late} of {len(measured.latencies_s)}")
    quantiles = ", ".join(f"p{share * 100:g} {measured.quantile_ms(share):.0f} ms" for share in (0.5, 0.9, 0.99, 0.999))
    print(f"  batch to acknowledgement: {quantiles}")
    cores = f"collector {used / elapsed:.2f} cores, database {database / elapsed:.2f}, sender {own / elapsed:.2f}"
    print(f"  processor: {cores}; collector {memory}")
    exact = measured.stored == found == rows and not (measured.stored != sent and not measured.refused)
    print(
        f"  {'exact' if exact else 'NOT EXACT'}: acknowledged, counted and stored are {'' if exact else 'not '}the same"
    )
    return 0 if exact else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--boxes", type=int, default=200)
    parser.add_argument("--rate", type=float, help="findings a second; 500 on SQLite and 2000 on PostgreSQL")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    kinds = ("sqlite", "postgresql") if options.store == "both" else (options.store,)
    standard = {"sqlite": 500, "postgresql": 2000}
    return max(measure(kind, options.boxes, options.rate or standard[kind], options.seconds) for kind in kinds)


if __name__ == "__main__":
    raise SystemExit(main())
