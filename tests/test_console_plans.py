"""No page reads a large table whole: what the databases plan for every statement of every page, on a small history."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, event

from benchmarks.history import DAY_NS, Known, Size, fill
from collector.store.database import is_sqlite
from collector.store.store import Store
from tests.consoles import PASSWORD, Browser, add_accounts, browsers

SMALL = Size(
    findings=6000,
    calls=6000,
    boxes=6,
    days=30,
    call_days=20,
    minute_days=1,
    health_minutes=200,
    events=2000,
    audits=2000,
    dead=100,
)
LARGE = ("findings", "finding_types", "calls", "counters", "fraud_counters", "health", "events", "audit", "labels")
# Of SQLite: a table from one end to the other, whether by an index or not. With a LIMIT and nothing to look for that is
# the way to read the newest of all; with filters it is not.
SCAN = re.compile(rf"\bSCAN ({'|'.join(LARGE)})\b(?! USING COVERING INDEX ix_findings_listing)")
IS_LIST = re.compile(r"boxes\.name AS box\s+FROM findings")
LISTING = r"ix_findings_listing|time_ns_id_verdict"
SORT = "USE TEMP B-TREE FOR ORDER BY"
LOOKED_UP = re.compile(r"_pkey on .*\n +Index Cond: \(id = ANY")
SEQUENTIAL = re.compile(rf"Seq Scan on ({'|'.join(LARGE)})")


@pytest.fixture(scope="module")
def filled(module_store_url: str) -> Iterator[tuple[Store, Known]]:
    store = Store.open(module_store_url, create=True)
    known = fill(store, SMALL)
    add_accounts(store)
    yield store, known
    store.close()


@pytest.fixture
def browser(filled: tuple[Store, Known], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Browser:
    monkeypatch.setattr("collector.store.findings.FEW", 20)  # else all that a small history has is few
    monkeypatch.setattr("collector.store.findings.RARE", 15)
    opened = next(browsers(filled[0], tmp_path))
    opened.login("administrator", PASSWORD)
    return opened


def plans(store: Store, browser: Browser, path: str) -> list[tuple[str, str]]:
    """(statement, plan) of each query of a page."""
    asked: list[tuple[str, object]] = []

    def note(_connection: Connection, _cursor: object, statement: str, parameters: object, *_more: object) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        assert browser.get(path).status_code == 200, path
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
    with store.engine.connect() as connection:
        if is_sqlite(store.engine):
            explain = "EXPLAIN QUERY PLAN "
        else:
            explain = "EXPLAIN "
            # a small table is read whole all the same: what is asked is whether it has to be
            connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        return [
            (statement, "\n".join(str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters)))  # type: ignore[arg-type]
            for statement, parameters in asked
        ]


def addresses(known: Known) -> dict[str, str]:
    """Pages -> the index of the findings by which they must be read, in SQLite's words and in PostgreSQL's."""
    since, until = known.until_ns - 20 * DAY_NS, known.until_ns - 19 * DAY_NS

    def party(kind: str, value: str) -> str:
        return f"/party?{urlencode({'kind': kind, 'value': value, 'before': known.middle_id})}"

    def findings(**query: object) -> str:
        return f"/findings?{urlencode({'before': known.middle_id, **query})}"

    return {
        findings(): r"autoindex_findings_1|pkey",
        findings(verdict="watch"): r"verdict_id",
        findings(label="fraud"): r"label_id",
        findings(box="edge-003"): r"box_id_id",
        findings(fraud_type="wangiri"): r"autoindex_finding_types_1|pk_finding_types",
        findings(number=known.busiest_caller): r"caller_id",
        findings(number=known.busiest_callee, verdict="flag", label="fraud"): r"callee_id",
        findings(verdict="flag", fraud_type="wangiri"): LISTING,
        findings(verdict="flag", fraud_type="false_answer"): r"autoindex_finding_types_1|pk_finding_types",
        findings(verdict="flag", label="none", box="edge-000"): LISTING,
        findings(since=iso(since), until=iso(until)): LISTING,
        findings(until=iso(until), fraud_type="vishing"): LISTING,
        party("source", known.busiest_source): r"source_id",
        party("caller", known.busiest_caller): r"caller_id",
        f"/findings/{known.newest_id}": r"autoindex_findings_1|pkey|call_id_id",
    }


def iso(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%dT%H:%M}"


def test_findings_are_read_by_the_index_that_has_their_order(filled: tuple[Store, Known], browser: Browser) -> None:
    store, known = filled
    for path, wanted in addresses(known).items():
        of_findings = [plan for statement, plan in plans(store, browser, path) if IS_LIST.search(statement)]
        assert of_findings, path
        # of several filters PostgreSQL knows by its statistics which one leaves fewest rows
        is_free = not is_sqlite(store.engine) and path.count("=") > 2
        for plan in of_findings:
            assert re.search("Index" if is_free else wanted, plan), (path, plan)


def test_no_page_reads_a_large_table_whole(filled: tuple[Store, Known], browser: Browser) -> None:
    store, known = filled
    others = ["/fleet", "/boxes/edge-002", "/trends", "/trends?range=month", "/trends?box=edge-001", "/events"]
    others += ["/events?kind=refused&box=edge-001&before=900", "/audit", "/audit?actor=anna&before=900", "/accounts"]
    others += ["/labels", "/labels?before=900", "/webhooks"]
    for path in (*addresses(known), *others):
        for statement, plan in plans(store, browser, path):
            if is_sqlite(store.engine):
                is_newest_of_all = "WHERE" not in statement
                assert is_newest_of_all or not SCAN.search(plan), (path, statement, plan)
            else:
                assert not SEQUENTIAL.search(plan), (path, statement, plan)


def test_of_a_rare_fraud_type_with_or_without_another_filter_nothing_but_its_own_findings_is_read(
    filled: tuple[Store, Known], browser: Browser
) -> None:
    store, known = filled
    for other in ("", "verdict=flag", "label=none", "box=edge-003", f"until={iso(known.until_ns)}"):
        path = f"/findings?fraud_type=call_pumping&{other}"
        ((statement, plan),) = [found for found in plans(store, browser, path) if IS_LIST.search(found[0])]
        if is_sqlite(store.engine):
            assert not re.search(LISTING, plan), (path, statement, plan)
        else:
            assert LOOKED_UP.search(plan), (path, statement, plan)


def test_a_page_at_the_end_costs_what_one_at_the_beginning_costs(filled: tuple[Store, Known], browser: Browser) -> None:
    """Of the lists with one filter nothing is sorted: they are read where the page begins, as far as it goes."""
    store, known = filled
    if not is_sqlite(store.engine):
        pytest.skip("SQLite says when it sorts; PostgreSQL may choose to for so few rows")
    for query in ("", "verdict=flag", "label=honest", "box=edge-001", "fraud_type=robocall"):
        for statement, plan in plans(store, browser, f"/findings?before={known.oldest_id}&{query}"):
            assert "FROM findings" not in statement or SORT not in plan, (query, plan)
