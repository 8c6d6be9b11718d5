"""Every list of the API, page by page while rows arrive: each row that was there is found once, in the list's order.

On SQLite and on PostgreSQL, with pages of every size from one row to more than there are.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from appliance.findings import moment
from appliance.report import CallSummary, payload
from collector.api.app import PREFIX
from collector.pseudonyms import Numbers
from collector.store.store import Store
from tests.apis import KEY, Api
from tests.collectors import Desk, call_line, health
from tests.consoles import PASSWORD, QUICK, dead_delivery

ROWS = 6  # of each list at the beginning
ARRIVALS = 3  # while a list is read
HOUR_NS = 3600 * 10**9
ARRIVAL, OWN_TIME, BY_NAME = "arrival", "own time", "by name"
# Every list, with the filters that change how it is read -> the order of it.
LISTS = {
    "/findings": ARRIVAL,
    "/findings?verdict=flag": ARRIVAL,
    "/findings?fraud_type=wangiri": ARRIVAL,
    "/findings?label=none": ARRIVAL,
    "/findings?box=edge-1": ARRIVAL,
    "/findings?number=%2B4930999000": ARRIVAL,
    "/findings?callee=%2B4930999000&verdict=flag": ARRIVAL,
    "/findings?source=192.0.2.7": ARRIVAL,
    "/findings?verdict=flag&box=edge-1": OWN_TIME,
    "/findings?fraud_type=wangiri&label=none": OWN_TIME,
    "/findings?since=2020-01-01T00:00:00Z": OWN_TIME,
    "/findings?until=2100-01-01T00:00:00Z&fraud_type=wangiri": OWN_TIME,
    "/findings/{finding_id}/labels": ARRIVAL,
    "/labels": ARRIVAL,
    "/calls": ARRIVAL,
    "/calls?callee=%2B4930999000": ARRIVAL,
    "/calls?since=2020-01-01T00:00:00Z": ARRIVAL,
    "/boxes": BY_NAME,
    "/boxes?silent=true": BY_NAME,
    "/boxes?revoked=true": BY_NAME,
    "/boxes/{name}/health": ARRIVAL,
    "/events": ARRIVAL,
    "/events?kind=refused&box=edge-1": ARRIVAL,
    "/audit": ARRIVAL,
    "/audit?actor=ann": ARRIVAL,
    "/audit?subject=subject": ARRIVAL,
    "/accounts": BY_NAME,
    "/deliveries": ARRIVAL,
    "/deliveries?webhook=siem&dead=true": ARRIVAL,
}


@dataclass
class Full:
    """An API over a store with some rows of everything, and a way for more to arrive."""

    api: Api
    desk: Desk
    serial: str
    finding: int = 0
    arrived: int = 0

    def arrive(self, number: int) -> None:
        """One row more in every list: by name, time and arrival here and there in it."""
        store, desk = self.api.store, self.desk
        self.arrived += 1
        # every other one happened before those that came earlier, some at the same moment
        at = moment(time.time_ns() + (-1) ** number * (number // 3) * HOUR_NS // 10)
        start = moment(time.time_ns() - number * HOUR_NS)
        summary = CallSummary(
            call_id=f"over-{number}", caller="+4930123400001", callee="+4930999000", source="192.0.2.2:5060",
            start=start, state="completed", duration_s=3.0, verdict="pass", score=0.01,
        )  # fmt: skip
        line = call_line(number, source="192.0.2.7:5060", flagged_at=at)
        reports = [line, payload(summary), health(problems=[f"problem {number}"])]
        answer = desk.put("edge-1", self.serial, list(enumerate(reports, 3 * number + 1)))
        assert not answer.rejected, answer
        self.finding = self.finding or store.findings.find().items[0].id
        store.findings.label(self.finding, "fraud", "ann", f"look {number}")
        name = f"{'mz'[number % 2]}{(37 * number) % 100:02}-{number}"
        desk.enrol(name)
        desk.enrol(f"{name}-old")
        store.fleet.revoke(f"{name}-old", "ann")
        store.journal.event("refused", "malformed", box="edge-1", address=f"192.0.2.{number}")
        store.journal.audit("ann", "export", "subject", detail={"n": number})
        store.accounts.add_user(name, "reader", PASSWORD, "ann")
        dead_delivery(store)


@pytest.fixture(scope="module")
def full(module_store_url: str) -> Iterator[Full]:
    desk = Desk(Store.open(module_store_url, create=True))
    desk.store.webhooks.add("siem", "https://siem.example/in", "test", "watch")
    made = Full(Api(desk.store, Numbers("plain", KEY)).unthrottled(), desk, desk.enrol("edge-1"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("collector.store.accounts._hasher", QUICK)
        for number in range(ROWS):
            made.arrive(number)
        yield made
    desk.close()


class Walk:
    """One list, read by pages of `size`."""

    def __init__(self, full: Full, listed: str, size: int) -> None:
        path = listed.format(finding_id=full.finding, name="edge-1")
        self._api = full.api
        self._path = f"{path}{'&' if '?' in path else '?'}limit={size}"
        self._size = size
        self._cursor: str | None = ""
        self.rows: list[dict[str, Any]] = []

    def step(self) -> bool:
        """The next page; False when there is none."""
        if self._cursor is None:
            return False
        page = self._api.get(f"{self._path}{f'&cursor={self._cursor}' if self._cursor else ''}").json()
        self.rows += page["items"]
        self._cursor = page["next"]
        assert len(page["items"]) == self._size or (self._cursor is None and len(page["items"]) < self._size)
        return True


def read(full: Full, listed: str, size: int) -> list[dict[str, Any]]:
    """All rows of a list."""
    walk = Walk(full, listed, size)
    while walk.step():
        pass
    return walk.rows


def test_no_list_is_forgotten_here(full: Full) -> None:
    paths = json.loads(full.api.app.state.document)["paths"]
    paged = {
        path.removeprefix(PREFIX)
        for path, operations in paths.items()
        if any(parameter["name"] == "cursor" for parameter in operations.get("get", {}).get("parameters", ()))
    }
    assert {listed.partition("?")[0] for listed in LISTS} == paged


@pytest.mark.parametrize("listed", LISTS)
def test_a_list_has_each_row_once_and_in_its_order_whatever_the_size_of_its_pages(full: Full, listed: str) -> None:
    there = read(full, listed, 1000)
    assert len(there) >= ROWS - 1, "one has a label"
    for size in {*range(1, ROWS + 2), len(there) - 1, len(there), len(there) + 1}:
        assert read(full, listed, size) == there, size
    if LISTS[listed] == BY_NAME:
        names = [row["name"] for row in there]
        assert names == sorted(set(names))
    elif "labels" not in listed and listed.startswith("/findings"):
        places = [(row["time"] if LISTS[listed] == OWN_TIME else "", row["id"]) for row in there]
        assert places == sorted(set(places), reverse=True)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_lists_that_grow_while_they_are_read_have_each_row_that_was_there_once(full: Full, size: int) -> None:
    before = {listed: read(full, listed, 1000) for listed in LISTS}
    walks = {listed: Walk(full, listed, size) for listed in LISTS}
    arriving = iter(range(full.arrived, full.arrived + ARRIVALS))
    while sum(walk.step() for walk in walks.values()):  # each of them goes on
        if (number := next(arriving, None)) is not None:
            full.arrive(number)
    for listed, walk in walks.items():
        rows, there = ([json.dumps(row) for row in rows] for rows in (walk.rows, before[listed]))
        assert len(rows) == len(set(rows)), listed
        assert [row for row in rows if row in set(there)] == there, listed
        assert len(read(full, listed, 1000)) >= len(there) + ARRIVALS, "nothing arrived"
