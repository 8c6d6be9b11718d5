"""The collector and its boxes through everything that goes wrong, for minutes; counts at the end must be exact.

    python -m benchmarks.collector_soak --store postgresql --boxes 20 --seconds 300

Real spools and reporters, each with its own certificate, report through a relay that can be cut. Meanwhile the
collector is killed with -9 again and again, the database is crashed (PostgreSQL), the network is away for a while, and
old batches of the same boxes come again, out of order.
"""

import argparse
import asyncio
import contextlib
import logging
import random
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from appliance.config import Collector as CollectorConfig
from appliance.findings import moment
from appliance.report import encode_batch
from appliance.reporting import reporter as reporter_module
from appliance.reporting.reporter import Reporter
from appliance.storage.spool import Batch, Spool
from collector.store import tables
from collector.store.store import Store
from tests.collectors import CollectorProcess, EnrolledBox, call_line
from tests.postgres import Cluster, cluster

MIB = 1 << 20
REMEMBERED = 50  # batches of a box that may come again
CUT_SHARE = 0.4  # of the time without a network: two of five minutes
DRAIN_S = 300


class RememberingSpool(Spool):
    """A spool that keeps what it handed out, to send it again later."""

    handed_out: list[Batch]

    def batch(self, max_bytes: int, max_items: int) -> Batch:
        found = super().batch(max_bytes, max_items)
        if found.records:
            self.handed_out = [*getattr(self, "handed_out", []), found][-REMEMBERED:]
        return found


class Relay:
    """Passes connections on to the collector, unless it is cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self.cut = False
        self.port = 0

    async def start(self) -> None:
        server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    def set_cut(self, cut: bool) -> None:
        self.cut = cut
        for writer in list(self._open) if cut else []:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        with contextlib.suppress(asyncio.CancelledError):  # the end of the run
            await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer), return_exceptions=True)
        self._open -= {writer, far_writer}

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.transport.abort()


class Soak:
    """One run."""

    def __init__(self, folder: Path, collector: CollectorProcess, postgres: Cluster | None, boxes: int) -> None:
        self._collector = collector
        self._postgres = postgres
        self._boxes = [collector.enrolled(f"soak-{number:02}") for number in range(boxes)]
        self._spools = [RememberingSpool(folder / "spools" / box.name, 64 * MIB) for box in self._boxes]
        self._put = [0] * boxes
        self.done: dict[str, int] = {"kill -9": 0, "database crash": 0, "network cut": 0, "old batch again": 0}

    async def run(self, seconds: float, rate: float, kills: int) -> None:
        relay = Relay(self._collector.ingest_port)
        await relay.start()
        config = CollectorConfig(url=f"https://127.0.0.1:{relay.port}", interval_ms=200, max_batch_reports=200)
        pairs = zip(self._boxes, self._spools, strict=True)
        reporters = [Reporter(config, spool, box.identity) for box, spool in pairs]
        tasks = [asyncio.create_task(reporter.run()) for reporter in reporters]
        until = time.monotonic() + seconds
        trouble = (
            self._produce(until, rate),
            self._kill(until, seconds / (kills + 1)),
            self._cut(until, relay, seconds),
            self._replay(until),
        )
        await asyncio.gather(*trouble)
        waiting = sum(spool.health().depth for spool in self._spools)
        print(f"reports come no more; {waiting} wait in the spools", flush=True)
        deadline = time.monotonic() + DRAIN_S
        while any(spool.health().depth for spool in self._spools) and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _produce(self, until: float, rate: float) -> None:
        share = rate / len(self._boxes) / 10
        owed = 0.0
        while time.monotonic() < until:
            await asyncio.sleep(0.1)
            owed += share
            for number, box in enumerate(self._boxes):
                for _ in range(int(owed)):
                    self._put[number] += 1
                    line = call_line(self._put[number], call_id=f"{box.name}-{self._put[number]}@soak")
                    self._spools[number].put(2, line)
            owed -= int(owed)

    async def _kill(self, until: float, every_s: float) -> None:
        while time.monotonic() + every_s < until:
            await asyncio.sleep(every_s * random.uniform(0.5, 1))
            await asyncio.to_thread(self._collector.kill)
            self.done["kill -9"] += 1
            if self._postgres is not None and self.done["kill -9"] % 3 == 0:
                await asyncio.to_thread(self._postgres.stop, "immediate")
                await asyncio.to_thread(self._postgres.start)
                self.done["database crash"] += 1
            await asyncio.to_thread(self._collector.start)
            if self._postgres is not None and self.done["kill -9"] % 3 == 1:  # and once under a running collector
                await asyncio.sleep(every_s * 0.2)
                await asyncio.to_thread(self._postgres.stop, "immediate")
                await asyncio.to_thread(self._postgres.start)
                self.done["database crash"] += 1

    async def _cut(self, until: float, relay: Relay, seconds: float) -> None:
        await asyncio.sleep(seconds * 0.4)
        relay.set_cut(True)
        self.done["network cut"] += 1
        await asyncio.sleep(min(seconds * CUT_SHARE, until - time.monotonic()))
        relay.set_cut(False)

    async def _replay(self, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(0.3)
            number = random.randrange(len(self._boxes))
            handed_out = getattr(self._spools[number], "handed_out", [])
            if handed_out:
                with contextlib.suppress(Exception):  # the collector may be dead just now
                    await asyncio.to_thread(_send_again, self._boxes[number], random.choice(handed_out))
                    self.done["old batch again"] += 1

    def exact(self, store: Store) -> bool:
        """Whether every report is in the store, once; says what is not."""
        good = True
        calls = tables.findings.c.call_id
        with store.engine.connect() as connection:
            for box, put in zip(self._boxes, self._put, strict=True):
                stored = store.fleet.box(box.name)
                query = sa.select(sa.func.count(), sa.func.count(calls.distinct()))
                rows, distinct = connection.execute(query.where(tables.findings.c.box_id == stored.id)).one()
                if not rows == distinct == stored.items == put or stored.lost:
                    counts = f"rows {rows}, distinct {distinct}, {stored.items} counted, {stored.lost} lost"
                    print(f"{box.name}: put {put}, {counts}")
                    good = False
        return good

    @property
    def total(self) -> int:
        return sum(self._put)


def _send_again(box: EnrolledBox, batch: Batch) -> None:
    box.post(encode_batch(box.name, f"{batch.epoch:016x}", moment(time.time_ns()), batch.records)).raise_for_status()


def soak(kind: str, boxes: int, seconds: float, rate: float, kills: int) -> int:
    """Runs one soak; 0 when the counts are exact."""
    logging.getLogger("sipwarden").setLevel(logging.CRITICAL)  # each box says each time that nobody answers
    reporter_module.LONGEST_PAUSE_S = 5.0  # minutes here stand for hours there
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(cluster(safe=True)) if kind == "postgresql" else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipwarden-soak-")))
        limits = "[ingest]\nreports_per_s = 100000\nburst_reports = 1000000\n[enrolment]\nattempts_per_minute = 10000\n"
        collector = CollectorProcess(folder, postgres.url() if postgres else "", limits).start()
        run = Soak(folder, collector, postgres, boxes)
        start = time.monotonic()
        asyncio.run(run.run(seconds, rate, kills))
        store = collector.store()
        good = run.exact(store)
        store.close()
        collector.stop()
    print(f"{kind}: {run.total} reports of {boxes} boxes in {time.monotonic() - start:.0f} s; {run.done}")
    print("exact: every report is in the store, once" if good else "NOT EXACT")
    return 0 if good else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--boxes", type=int, default=20)
    parser.add_argument("--rate", type=float, default=200, help="reports a second, of all boxes together")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    return max(
        soak(kind, options.boxes, options.seconds, options.rate, options.kills)
        for kind in options.store or ["sqlite", "postgresql"]
    )


if __name__ == "__main__":
    raise SystemExit(main())
