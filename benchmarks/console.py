"""How long the console's pages take over a long history.

    python -m benchmarks.console --store postgresql --findings 1000000

Fills an empty store (`benchmarks.history`), starts a collector on it as a process of its own, logs in, and asks for
every page in turn, some rounds over. Printed is the median of each page from the request to its last byte, and the
processor time of the collector and of its database for it: on a busy machine that is what can be relied on.
"""

import argparse
import contextlib
import os
import re
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import httpx

from benchmarks.history import DAY_NS, Known, Size, fill
from collector.store.store import Store
from tests.collectors import CollectorProcess, free_port
from tests.postgres import cluster

ROUNDS = 9
START_S = 30
TARGET_MS = 300
NAME, PASSWORD = "bench", "a password for the benchmark"


@dataclass
class Taken:
    """What a page took, each time that it was asked for."""

    times_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


def pages(known: Known, store: Store) -> dict[str, str]:
    """What is asked for: name -> path."""
    old = store.findings.find(before=known.oldest_id, limit=1).items[0].id

    def findings(**query: object) -> str:
        return f"/findings?{urlencode(query)}"

    def at(days_ago: float) -> str:
        return f"{datetime.fromtimestamp((known.until_ns - days_ago * DAY_NS) / 1e9, UTC):%Y-%m-%dT%H:%M}"

    def party(kind: str, value: str, **query: object) -> str:
        return f"/party?{urlencode({'kind': kind, 'value': value, **query})}"

    length_days = (known.until_ns - known.since_ns) / DAY_NS
    return {
        "findings": "/findings",
        "findings, half way down": findings(before=known.middle_id),
        "findings, at the end": findings(before=known.oldest_id),
        "findings, one verdict": findings(verdict="watch"),
        "findings, one verdict, at the end": findings(verdict="flag", before=known.oldest_id),
        "findings, a common fraud type": findings(fraud_type="wangiri", before=known.middle_id),
        "findings, the rarest fraud type": findings(fraud_type="false_answer"),
        "findings, a rare fraud type, one verdict": findings(fraud_type="call_pumping", verdict="watch"),
        "findings, a common fraud type, labelled": findings(fraud_type="wangiri", label="honest"),
        "findings, two filters that exclude each other": findings(fraud_type="wangiri", number=known.busiest_callee),
        "findings, one verdict of the rarest type": findings(fraud_type="false_answer", verdict="flag"),
        "findings, labelled": findings(label="fraud"),
        "findings, not labelled": findings(label="none", before=known.middle_id),
        "findings, labelled, one verdict": findings(label="honest", verdict="flag"),
        "findings, one box": findings(box="edge-000", before=known.middle_id),
        "findings, one box, a rare fraud type": findings(box="edge-150", fraud_type="call_pumping"),
        "findings, one box, all filters": findings(
            box="edge-000", fraud_type="vishing", verdict="flag", label="fraud", since=at(80), until=at(2)
        ),
        "findings, a number seen often": findings(number=known.busiest_caller),
        "findings, a number seen often, one verdict": findings(number=known.busiest_callee, verdict="flag"),
        "findings, a number never seen": findings(number="+19995550100"),
        "findings, of an hour long ago": findings(since=at(0.8 * length_days), until=at(0.8 * length_days - 0.04)),
        "findings, until long ago": findings(until=at(0.8 * length_days)),
        "findings, until long ago, one verdict": findings(until=at(0.8 * length_days), verdict="flag"),
        "findings, until long ago, a fraud type": findings(until=at(0.8 * length_days), fraud_type="vishing"),
        "findings, of today": findings(since=at(1)),
        "finding": f"/findings/{known.newest_id}",
        "finding, old": f"/findings/{old}",
        "caller, long history": party("caller", known.busiest_caller),
        "callee, long history": party("callee", known.busiest_callee, before=known.middle_id),
        "source, long history": party("source", known.busiest_source),
        "source, at its end": party("source", known.busiest_source, before=known.oldest_id),
        "caller, never seen": party("caller", "+19995550100"),
        "fleet": "/fleet",
        "trends, a day of minutes": "/trends?range=day",
        "trends, a week of hours": "/trends?range=week",
        "trends, the longest": "/trends?range=month",
        "trends, one box": "/trends?range=day&box=edge-000",
        "events": "/events",
        "events, refused": "/events?kind=refused&before=2000",
        "audit trail": "/audit",
        "audit trail, one person": "/audit?actor=anna&before=2000",
        "judgements": "/labels",
        "judgements, half way down": f"/labels?before={known.labels // 2}",
        "webhooks, as many as there may be": "/webhooks",
        "webhook, all that it may have given up": "/webhooks/desk-00",
        "webhook, what waits for it": "/webhooks/desk-00?state=waiting",
        "box": "/boxes/edge-000",
        "accounts": "/accounts",
        "password": "/password",
    }


def patient(client: httpx.Client, path: str) -> httpx.Response:
    """A page of a console that is only starting."""
    for _ in range(START_S * 10):
        try:
            return client.get(path)
        except httpx.ConnectError:
            time.sleep(0.1)
    raise TimeoutError(f"the console did not start within {START_S} s")


def login(client: httpx.Client) -> None:
    page = patient(client, "/login").text
    token = re.search(r'name="_csrf_token" value="(\w+)"', page)
    assert token, page
    answer = client.post("/login", data={"_csrf_token": token[1], "name": NAME, "password": PASSWORD})
    assert answer.status_code == 303, answer.text


def on_cpu_ns(pids: list[int]) -> int:
    """What the scheduler gave to all threads of some processes."""
    spent = 0
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                spent += int(file.read_text().split()[0])
    return spent


def timed(client: httpx.Client, path: str) -> float:
    """Milliseconds until the whole page was here."""
    start = time.perf_counter()
    answer = client.get(path)
    elapsed = (time.perf_counter() - start) * 1000
    assert answer.status_code == 200, (path, answer.status_code)
    return elapsed


def ask(client: httpx.Client, asked: dict[str, str], rounds: int, pids: list[int]) -> dict[str, Taken]:
    """Asks for all pages in turn; what each took."""
    taken = {name: Taken() for name in asked}
    for _ in range(rounds):
        for name, path in asked.items():
            before = on_cpu_ns(pids)
            taken[name].times_ms.append(timed(client, path))
            taken[name].cpu_ms.append((on_cpu_ns(pids) - before) / 1e6)
    return taken


def tell(taken: dict[str, Taken]) -> int:
    """Prints what pages took; 1 when one is above the target."""
    print(f"  {'page':48} {'median':>8} {'slowest':>8} {'first':>8} {'CPU':>8}  (ms)")
    above = 0
    for name, each in taken.items():
        median = statistics.median(each.times_ms)
        above += median > TARGET_MS
        mark = "  ABOVE THE TARGET" if median > TARGET_MS else ""
        cpu = statistics.median(each.cpu_ms)
        print(f"  {name:48} {median:8.0f} {max(each.times_ms):8.0f} {each.times_ms[0]:8.0f} {cpu:8.1f}{mark}")
    return int(above > 0)


def measure(kind: str, size: Size, rounds: int, folder: Path) -> int:
    """Fills a store of one kind and measures its pages; 1 when one is above the target."""
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(cluster(safe=True)) if kind == "postgresql" else None
        collector = CollectorProcess(folder / kind, postgres.url() if postgres else "")
        port = free_port()
        collector.environment["SIPWARDEN_COLLECTOR_CONSOLE_LISTEN"] = f"127.0.0.1:{port}"
        collector.config.state_dir.mkdir(parents=True)
        store = Store.open(collector.config.store_url, create=True)
        stack.callback(store.close)
        start = time.monotonic()
        known = fill(store, size)
        filled_s = time.monotonic() - start
        store.accounts.add_user(NAME, "administrator", PASSWORD, "bench")
        collector.start()
        stack.callback(collector.stop)
        assert collector.process is not None
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False))
        login(client)
        pids = [collector.process.pid, *(postgres.processes() if postgres else ())]
        taken = ask(client, pages(known, store), rounds, pids)
    print(
        f"{kind}: {size.findings} findings, {size.calls} calls, {size.boxes} boxes, filled in {filled_s:.0f} s, "
        f"{rounds} rounds, load average {os.getloadavg()[0]:.1f}"
    )
    return tell(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--findings", type=int, default=Size.findings, help="and as many calls")
    parser.add_argument("--boxes", type=int, default=Size.boxes)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    size = Size(findings=options.findings, calls=options.findings, boxes=options.boxes)
    kinds = ("sqlite", "postgresql") if options.store == "both" else (options.store,)
    with tempfile.TemporaryDirectory(prefix="sipwarden-bench-") as folder:
        return max(measure(kind, size, options.rounds, Path(folder)) for kind in kinds)


if __name__ == "__main__":
    raise SystemExit(main())
