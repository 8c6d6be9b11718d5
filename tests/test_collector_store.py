"""The collector's store, on SQLite and on PostgreSQL: exactly once, in pages, by filters, and for its time."""

import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from appliance.findings import moment
from appliance.report import CallSummary, Health, payload
from collector.config import Retention
from collector.errors import BusyError, NotFoundError, RefusedError, StoreError
from collector.maintenance import DAY_NS, maintain
from collector.pseudonyms import PREFIX, Numbers
from collector.store import tables
from collector.store.accounts import ExistsError
from collector.store.database import (
    is_sqlite,
    make_partitions,
    migrate,
    newest_revision,
    open_engine,
    partition_bounds,
    partitions,
)
from collector.store.findings import Filter
from collector.store.fleet import MAX_CERTIFICATES, Certificate
from collector.store.ids import Ids, arrival_ns, lowest_id
from collector.store.store import Store
from collector.writer import Writer
from models.fraud_types import FRAUD_TYPES
from tests.collectors import Desk, call_line, minute
from tests.waiting import PATIENCE_S

SENT = "2026-01-01T00:00:00.000000Z"
MINUTE_NS = 1_767_225_600 * 10**9  # of `minute`
ALWAYS = (0, 1 << 62)


@pytest.fixture
def desk(store_url: str) -> Iterator[Desk]:
    opened = Desk(Store.open(store_url, create=True))
    yield opened
    opened.close()


def count(store: Store, table: sa.Table) -> int:
    with store.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def source_line(**changes: object) -> bytes:
    line = {"type": "source", "source": "192.0.2.7", "caller": None, "callee": None, "first": SENT, "last": SENT}
    line |= {"flagged_at": SENT, "requests": 9, "verdict": "watch", "score": 0.6, "reasons": []}
    return json.dumps({**line, "fraud_types": ["registration_scan", "options_scan"], **changes}).encode()


# --- exactly once


def test_a_batch_that_comes_again_is_acknowledged_and_not_stored_again(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    reports = [(number, call_line(number)) for number in range(1, 6)] + [(6, minute()), (7, source_line())]
    first = desk.put("edge-1", serial, reports)
    again = desk.put("edge-1", serial, reports)
    assert (first.sequence, first.stored, first.duplicates) == (7, 7, 0)
    assert (again.sequence, again.stored, again.duplicates) == (7, 0, 7)
    assert count(desk.store, tables.findings) == 6
    assert desk.store.trends.points(60, *ALWAYS)[0].calls == 10
    assert desk.store.fleet.box("edge-1").items == 7


def test_batches_that_overlap_or_overtake_each_other_are_stored_exactly_once(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    batches = [(11, 20), (1, 10), (5, 25), (40, 45), (24, 41), (1, 45)]
    waiting = [
        desk.submit("edge-1", serial, [(number, call_line(number)) for number in range(first, last + 1)])
        for first, last in batches
    ]
    assert sum(future.result(PATIENCE_S).stored for future in waiting) == 45
    assert count(desk.store, tables.findings) == 45
    assert desk.store.fleet.box("edge-1").lost == 0


def test_numbers_that_never_came_are_counted_as_lost(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    desk.put("edge-1", serial, [(1, call_line(1)), (2, call_line(2))])
    desk.put("edge-1", serial, [(10, call_line(10))])
    assert desk.store.fleet.box("edge-1").lost == 7


def test_a_spool_that_began_anew_starts_its_own_count(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    assert desk.put("edge-1", serial, [(1, call_line(1))], incarnation="aaaaaaaa").stored == 1
    assert desk.put("edge-1", serial, [(1, call_line(2))], incarnation="bbbbbbbb").stored == 1
    assert count(desk.store, tables.findings) == 2


def test_the_same_numbers_of_two_boxes_are_two_things(desk: Desk) -> None:
    for box in ("edge-1", "edge-2"):
        assert desk.put(box, desk.enrol(box), [(1, call_line(1))]).stored == 1
    assert [finding.box for finding in desk.store.findings.of_call("call-1@192.0.2.1")] == ["edge-2", "edge-1"]


def test_only_so_many_spools_of_a_box_are_remembered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.deposit.MAX_INCARNATIONS", 3)
    serial = desk.enrol("edge-1")
    for number in range(8):
        desk.put("edge-1", serial, [(1, call_line(number))], incarnation=f"{number:08x}")
    with desk.store.engine.connect() as connection:
        kept = connection.execute(sa.select(tables.receipts.c.incarnation).order_by("incarnation")).scalars().all()
    assert kept[-3:] == ["00000005", "00000006", "00000007"]
    assert len(kept) == 4


def test_nothing_is_stored_after_a_revocation_and_others_in_the_same_transaction_are(desk: Desk) -> None:
    bad, good = desk.enrol("edge-1"), desk.enrol("edge-2")
    desk.store.fleet.revoke("edge-1", "test")
    futures = [
        desk.submit("edge-1", bad, [(1, call_line(1))]),
        desk.submit("edge-2", good, [(1, call_line(2))]),
        desk.submit("edge-3", "f" * 32, [(1, call_line(3))]),
    ]
    assert futures[1].result(PATIENCE_S).stored == 1
    for future, reason in ((futures[0], "revoked"), (futures[2], "unknown_certificate")):
        with pytest.raises(RefusedError) as caught:
            future.result(PATIENCE_S)
        assert caught.value.reason == reason
    assert [finding.box for finding in desk.store.findings.find().items] == ["edge-2"]


def test_one_report_that_is_none_does_not_keep_the_others_out(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    overflow = call_line(3, flagged_at="9999-12-31T00:00:00.000000Z")
    reports = [(1, call_line(1)), (2, b'{"type":"call"}'), (3, overflow), (4, b'{"type":"weather"}')]
    reports += [(5, minute(calls=1 << 62)), (6, call_line(6))]
    answer = desk.put("edge-1", serial, reports)
    assert (answer.sequence, answer.stored, answer.passed_over) == (6, 2, 1)
    assert [sequence for sequence, _ in answer.rejected] == [2, 3, 5]
    desk.put("edge-1", serial, reports[:1])
    totals = desk.writer.totals
    assert (totals.batches, totals.reports, totals.rejected, totals.duplicates) == (2, 2, 3, 1)


def test_a_batch_that_cannot_be_stored_does_not_keep_those_beside_it_out(desk: Desk) -> None:
    bad, good = desk.enrol("edge-1"), desk.enrol("edge-2")
    desk.writer.stop()
    desk.writer = Writer(desk.store, 64 << 20)
    line = call_line(1)
    arrival = desk.arrival("edge-1", bad, [(1, line)])
    arrival.findings[1]["time_ns"] = 1 << 70  # more than a column holds
    futures = [desk.writer.submit(arrival), desk.submit("edge-2", good, [(1, line)])]
    desk.writer.start()  # both were waiting: one transaction
    with pytest.raises(BusyError):
        futures[0].result(PATIENCE_S)
    assert futures[1].result(PATIENCE_S).stored == 1
    assert desk.put("edge-1", bad, [(1, line)]).stored == 1


@pytest.mark.parametrize(("most_bytes", "most_batches"), [(1000, 2048), (64 << 20, 1)], ids=["bytes", "batches"])
def test_what_there_is_no_room_for_is_told_to_come_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, most_bytes: int, most_batches: int
) -> None:
    serial = desk.enrol("edge-1")
    desk.writer.stop()
    monkeypatch.setattr("collector.writer.MAX_WAITING", most_batches)
    desk.writer = Writer(desk.store, most_bytes)  # which does not run yet: as one whose disk stalls
    waiting = desk.submit("edge-1", serial, [(1, call_line(1))])
    with pytest.raises(BusyError) as caught:
        desk.submit("edge-1", serial, [(2, call_line(2))])
    assert caught.value.status == 429
    assert caught.value.retry_after_s >= 1
    desk.writer.start()
    assert waiting.result(PATIENCE_S).stored == 1
    assert desk.put("edge-1", serial, [(2, call_line(2))]).stored == 1


# --- what is shown


def test_a_later_report_about_a_call_replaces_the_earlier_one_whichever_comes_first(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    early = call_line(1, "watch", score=0.6, fraud_types=["irsf"], state="ringing")
    late = call_line(1, "flag", score=0.9, fraud_types=["wangiri", "flash_call"])
    desk.put("edge-1", serial, [(1, early)])
    (before,) = desk.store.findings.find().items
    desk.put("edge-1", serial, [(3, late)])
    desk.put("edge-1", serial, [(2, early)])
    (after,) = desk.store.findings.find().items
    assert (before.id, before.verdict, before.fraud_types) == (after.id, "watch", ["irsf"])
    assert (after.verdict, after.score, after.fraud_types) == ("flag", 0.9, ["wangiri", "flash_call"])
    assert desk.store.findings.find(Filter(fraud_type="irsf")).items == []
    assert desk.store.findings.find(Filter(fraud_type="flash_call")).items == [after]


def test_pages_have_every_finding_once_while_more_arrive(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    desk.put("edge-1", serial, [(number, call_line(number)) for number in range(1, 51)])
    seen, before, more = [], None, 51
    while True:
        page = desk.store.findings.find(before=before, limit=7)
        seen += [finding.call_id for finding in page.items]
        desk.put("edge-1", serial, [(more, call_line(more))])
        more += 1
        if page.next is None:
            break
        before = page.next
    assert sorted(seen) == sorted(f"call-{number}@192.0.2.1" for number in range(1, 51))


def test_a_live_view_gets_what_arrived_since(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    desk.put("edge-1", serial, [(1, call_line(1)), (2, call_line(2))])
    newest = desk.store.findings.find(limit=1).items[0].id
    desk.put("edge-1", serial, [(3, call_line(3)), (4, call_line(4))])
    assert [finding.call_id for finding in desk.store.findings.newer(newest)] == [
        "call-3@192.0.2.1",
        "call-4@192.0.2.1",
    ]


def test_filters_find_what_they_say(desk: Desk) -> None:
    serials = {box: desk.enrol(box) for box in ("edge-1", "edge-2")}
    desk.put(
        "edge-1", serials["edge-1"], [(1, call_line(1)), (2, call_line(2, "watch", score=0.5)), (3, source_line())]
    )
    desk.put("edge-2", serials["edge-2"], [(1, call_line(3, fraud_types=["irsf", "tdos"]))])

    def calls(**wanted: Any) -> list[str | None]:
        return sorted(str(found.call_id or found.source) for found in desk.store.findings.find(Filter(**wanted)).items)

    one, two, three = (f"call-{number}@192.0.2.1" for number in (1, 2, 3))
    assert calls() == ["192.0.2.7", one, two, three]
    assert calls(kind="source") == calls(source="192.0.2.7") == ["192.0.2.7"]
    assert calls(verdict="flag") == [one, three]
    assert calls(fraud_type="tdos") == calls(box="edge-2") == [three]
    assert calls(caller="+4930123400001") == calls(number="+4930123400001") == [one]
    assert calls(number="+4930999000") == [one, two, three]
    assert calls(call_id=two) == calls(min_score=0, verdict="watch", box="edge-1", kind="call") == [two]
    assert calls(box="nowhere") == calls(since_ns=time.time_ns() + DAY_NS) == []
    assert calls(until_ns=time.time_ns() - DAY_NS) == ["192.0.2.7"], "its own time, not that of its arrival"
    assert calls(since_ns=time.time_ns() - DAY_NS) == [one, two, three]


def test_a_label_is_kept_with_who_gave_it_and_the_last_one_counts(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    desk.put("edge-1", serial, [(1, call_line(1)), (2, call_line(2))])
    finding = desk.store.findings.find().items[0]
    desk.store.findings.label(finding.id, "fraud", "ann")
    desk.store.findings.label(finding.id, "honest", "bob", "a hospital")
    assert desk.store.findings.get(finding.id).label == "honest"
    assert [(entry.by, entry.label) for entry in desk.store.findings.labels(finding.id).items] == [
        ("bob", "honest"),
        ("ann", "fraud"),
    ]
    assert [found.id for found in desk.store.findings.find(Filter(label="honest")).items] == [finding.id]
    assert len(desk.store.findings.find(Filter(label="none")).items) == 1
    desk.put("edge-1", serial, [(3, call_line(2, "watch", score=0.7))])
    assert desk.store.findings.get(finding.id).label == "honest", "a later report of the box takes no label away"
    with pytest.raises(NotFoundError):
        desk.store.findings.label(1, "fraud", "ann")


def test_hostile_text_is_stored_as_it_came_or_cut(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    nasty = "<script>\0\u202e'; DROP TABLE findings; --"
    changes = {"call_id": nasty + "x" * 3000, "caller": nasty, "caller_e164": None, "user_agent": nasty}
    assert desk.put("edge-1", serial, [(1, call_line(1, **changes))]).stored == 1
    (found,) = desk.store.findings.find().items
    assert found.caller == nasty.replace("\0", "\ufffd")
    assert len(found.call_id or "") == 256
    line = desk.store.findings.get(found.id).line
    assert json.loads(line or b"")["user_agent"] == nasty


def test_minutes_add_up_to_hours_for_one_box_and_for_all(desk: Desk) -> None:
    first, second = desk.enrol("edge-1"), desk.enrol("edge-2")
    later = "2026-01-01T00:59:00.000000Z"
    desk.put("edge-1", first, [(1, minute(fraud_types={"irsf": 2, "new_kind": 1})), (2, minute(later, dropped=3))])
    desk.put("edge-2", second, [(1, minute(calls=5, fraud_types={"irsf": 1}))])
    assert [(point.time_ns, point.calls) for point in desk.store.trends.points(60, *ALWAYS)] == [
        (MINUTE_NS, 15),
        (MINUTE_NS + 59 * 60 * 10**9, 10),
    ]
    (hour,) = desk.store.trends.points(3600, *ALWAYS)
    assert (hour.calls, hour.dropped) == (25, 3)
    (of_one,) = desk.store.trends.points(3600, *ALWAYS, box="edge-2")
    assert of_one.calls == 5
    (fraud,) = desk.store.trends.fraud_points(3600, *ALWAYS)
    assert (fraud.fraud_type, fraud.flagged) == ("irsf", 3)


def test_the_last_health_of_a_box_is_with_the_box(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    health = [
        Health(time=f"2026-01-01T00:0{n}:00.000000Z", version=f"0.{n}", started=SENT, capture_loss=0, spool_depth=n)
        for n in range(3)
    ]
    desk.put("edge-1", serial, [(n + 1, payload(health[n])) for n in (0, 1, 2)])
    box = desk.store.fleet.box("edge-1")
    assert box.health is not None
    assert box.health["version"] == "0.2"
    assert [row.body["spool_depth"] for row in desk.store.fleet.health(box.id).items] == [2, 1, 0]


def test_a_finding_of_a_box_whose_clock_is_off_is_marked(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    now_ns = time.time_ns()
    desk.put("edge-1", serial, [(1, call_line(1))], sent=moment(now_ns - 300 * 10**9))
    took_ms = (time.time_ns() - now_ns) // 10**6
    assert [found.skewed for found in desk.store.findings.find().items] == [True]
    assert -300_001 - took_ms <= (desk.store.fleet.box("edge-1").clock_offset_ms or 0) <= -300_000


def test_what_has_not_happened_yet_is_of_the_moment_of_its_arrival(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    ahead = moment(time.time_ns() + 2 * DAY_NS)
    summary = msgspec.structs.replace(call_summary(1), start=ahead)
    reports = [(1, call_line(1, flagged_at=ahead)), (2, payload(summary)), (3, minute(ahead)), (4, call_line(2))]
    answer = desk.put("edge-1", serial, reports)
    assert [(sequence, "has not come yet" in why) for sequence, why in answer.rejected] == [(3, True)]
    second, first = desk.store.findings.find().items
    (call,) = desk.store.findings.calls().items
    now = time.time_ns()
    assert max(second.time_ns, first.time_ns, call.time_ns) <= now
    assert (first.skewed, second.skewed) == (True, False)
    assert desk.store.findings.find(Filter(since_ns=now + DAY_NS // 2)).items == []


def test_a_box_has_so_many_certificates_and_the_newest_is_among_them(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    box = desk.store.fleet.box("edge-1")
    now = time.time_ns()
    serials = [f"{n:040x}" for n in range(MAX_CERTIFICATES + 5)]
    for n, new in enumerate(serials):
        begins = now + n if new != serials[-1] else now - DAY_NS  # at last the clock was set back
        desk.store.fleet.renew(serials[n - 1] if n else serial, Certificate(new, 0, begins, now + DAY_NS, None, None))
        assert desk.store.fleet.identify(new).id == box.id
    assert len(desk.store.fleet.certificates(box.id)) == MAX_CERTIFICATES
    with pytest.raises(RefusedError, match="not given out"):
        desk.store.fleet.identify(serial)


# --- numbers


def test_the_same_number_has_the_same_pseudonym_from_every_box_and_only_the_key_reveals_it(store_url: str) -> None:
    numbers = Numbers("pseudonym", bytes(range(64)))
    desk = Desk(Store.open(store_url, create=True), numbers)
    try:
        for box, caller in (("edge-1", "030123400001"), ("edge-2", "+4930123400001")):
            desk.put(box, desk.enrol(box), [(1, call_line(1, caller=caller))])
        token = numbers.search("+4930123400001")
        found = desk.store.findings.find(Filter(caller=token)).items
        assert [finding.box for finding in found] == ["edge-2", "edge-1"]
        assert token.startswith(PREFIX)
        assert numbers.reveal(token) == "+4930123400001"
        assert Numbers("pseudonym", bytes(64)).search("+4930123400001") != token
        with desk.store.engine.connect() as connection:
            rows = connection.execute(sa.select(tables.findings)).mappings().all()
        assert not any(part in repr(dict(row)) for row in rows for part in ("0123400001", "930999000"))
    finally:
        desk.close()


def test_a_summary_of_a_call_is_stored_once_with_its_numbers_by_the_policy(store_url: str) -> None:
    desk = Desk(Store.open(store_url, create=True), Numbers("pseudonym", bytes(range(64))))
    try:
        serial = desk.enrol("edge-1")
        reports = [(n, payload(call_summary(n))) for n in range(1, 6)]
        desk.put("edge-1", serial, reports[:3])
        answer = desk.put("edge-1", serial, reports)
        assert (answer.stored, answer.duplicates) == (2, 3)
        calls = desk.store.findings.calls().items
        assert sorted(call.call_id for call in calls) == [f"over-{n}" for n in range(1, 6)]
        assert {(call.state, call.duration_s, call.verdict) for call in calls} == {("completed", 3.5, "pass")}
        assert {desk.numbers.reveal(call.callee) for call in calls} == {"+4930999000"}
        caller = desk.numbers.search("+4930123400002")
        assert [call.call_id for call in desk.store.findings.calls(Filter(caller=caller)).items] == ["over-2"]
    finally:
        desk.close()


def call_summary(number: int) -> CallSummary:
    return CallSummary(
        call_id=f"over-{number}", caller=f"+493012340{number:04}", callee="+4930999000", source="192.0.2.1:5060",
        start=moment(time.time_ns()), state="completed", status_code=200, duration_s=3.5, verdict="pass", score=0.01,
    )  # fmt: skip


# --- schema and retention


def test_the_migrations_make_what_the_tables_say(store_url: str) -> None:
    engine = open_engine(store_url)
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_an_upgrade_from_the_first_schema_keeps_every_row(store_url: str) -> None:
    engine = open_engine(store_url)
    migrate(engine, "0001")
    first = sa.MetaData()
    first.reflect(engine)
    before: dict[str, list[dict]] = {}
    with engine.begin() as connection:
        if not is_sqlite(engine):
            for name in ("findings", "calls"):
                connection.exec_driver_sql(f"CREATE TABLE {name}_default PARTITION OF {name} DEFAULT")
        for table in first.sorted_tables:
            if table.name != "alembic_version":
                rows = [{column.name: value_for(column, n) for column in table.columns} for n in (1, 2, 3)]
                connection.execute(sa.insert(table), rows)
        for table in first.sorted_tables:
            before[table.name] = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
    migrate(engine)
    with engine.connect() as connection:
        for table in first.sorted_tables:
            if table.name != "alembic_version":
                after = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                after = [row for row in after if row.get("box_id") != tables.ALL_BOXES]  # sums, which are new
                assert after == before[table.name], table.name
        assert MigrationContext.configure(connection).get_current_revision() == newest_revision()
    engine.dispose()


def test_an_upgrade_adds_up_what_the_boxes_counted_before(store_url: str) -> None:
    engine = open_engine(store_url)
    migrate(engine, "0001")
    counted = dict.fromkeys(("calls", "answered", "watched", "flagged", "sip_messages", "packets", "dropped"), 7)
    keys = [{"span_s": 3600, "time_ns": MINUTE_NS, "box_id": box} for box in (1, 2)]
    with engine.begin() as connection:
        connection.execute(sa.insert(tables.counters), [{**key, **counted} for key in keys])
        connection.execute(sa.insert(tables.fraud_counters), [{**key, "fraud_type": 4, "flagged": 2} for key in keys])
    migrate(engine)
    engine.dispose()
    store = Store.open(store_url)
    (point,) = store.trends.points(3600, *ALWAYS)
    assert (point.calls, point.dropped) == (14, 14)
    assert store.trends.fraud_totals(3600, *ALWAYS) == {FRAUD_TYPES[4]: 4}
    store.close()


def value_for(column: sa.Column, number: int) -> object:
    """Some value of the column's type, different for each row."""
    kind = column.type
    if isinstance(kind, sa.JSON):
        return [number]
    if isinstance(kind, sa.LargeBinary):
        return bytes([number])
    if isinstance(kind, sa.Boolean):
        return number == 1
    return str(number) if isinstance(kind, sa.String) else number


def test_a_store_of_another_revision_is_not_opened_but_named(store_url: str) -> None:
    with pytest.raises(StoreError, match="sipwarden-collector migrate"):
        Store.open(store_url)
    Store.open(store_url, create=True).close()
    engine = open_engine(store_url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer sipwarden"):
        Store.open(store_url, create=True)
    engine.dispose()


def test_everything_has_its_time(desk: Desk) -> None:
    serial = desk.enrol("edge-1")
    health = Health(time=SENT, version="1", started=SENT, capture_loss=0, spool_depth=0)
    desk.put("edge-1", serial, [(1, call_line(1)), (2, minute(fraud_types={"irsf": 1})), (3, payload(health))])
    desk.store.findings.label(desk.store.findings.find().items[0].id, "fraud", "ann")
    desk.store.journal.event("refused", "malformed")
    kept = {"findings": 1, "finding_types": 1, "labels": 1, "health": 1, "events": 2, "counters": 4, "receipts": 1}
    kept["enrolment_tokens"] = 1
    longest = Retention(minutes_days=36500, hours_days=36500)
    maintain(desk.store, longest)
    assert {name: count(desk.store, tables.metadata.tables[name]) for name in kept} == kept
    maintain(desk.store, Retention(audit_days=700), time.time_ns() + 800 * DAY_NS)
    assert {name: count(desk.store, tables.metadata.tables[name]) for name in kept} == dict.fromkeys(kept, 0)
    assert desk.store.fleet.box("edge-1").items == 3, "boxes stay"


def test_on_postgresql_whole_weeks_are_dropped(postgres_cluster: Any) -> None:
    store = Store.open(postgres_cluster.url(), create=True)
    with store.engine.connect() as connection:
        before = partitions(connection, tables.findings)
    _, _, past = partition_bounds(time.time_ns())
    maintain(store, Retention(findings_days=1), arrival_ns(past) + DAY_NS)
    with store.engine.connect() as connection:
        after = partitions(connection, tables.findings)
    assert len(before) == 6
    assert set(before) - set(after) == {before[0]}
    store.close()


def test_on_postgresql_what_is_in_no_week_is_stored_too(postgres_cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(Store.open(postgres_cluster.url(), create=True))
    serial = desk.enrol("edge-1")
    then = time.time_ns() + 70 * DAY_NS
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", lambda: then)
        desk.put("edge-1", serial, [(1, call_line(1))])
        make_partitions(desk.store.engine)  # the week of that row cannot be made any more
        assert desk.put("edge-1", serial, [(2, call_line(2))]).stored == 1
    assert len(desk.store.findings.find().items) == 2
    desk.close()


# --- the small classes


def test_ids_rise_whatever_the_clock_does_and_lead_back_to_their_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    ids = Ids(0)
    first = ids.take(3)
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    second = ids.take(2)
    assert list(second) == [first[-1] + 1, first[-1] + 2]
    assert arrival_ns(first[0]) // 10**9 == now // 10**9
    assert first[0] >= lowest_id(now)
    assert first[0] < 1 << 53


def test_accounts_are_let_in_by_their_password_only(desk: Desk) -> None:
    accounts = desk.store.accounts
    accounts.add_user("ann", "analyst", "correct horse battery", "test")
    assert accounts.authenticate("ann", "correct horse battery") == accounts.user("ann")
    assert accounts.authenticate("ann", "wrong") is None
    assert accounts.authenticate("bob", "correct horse battery") is None
    with pytest.raises(ExistsError):
        accounts.add_user("ann", "reader", "another password", "test")
    accounts.set_disabled("ann", True, "test")
    assert accounts.authenticate("ann", "correct horse battery") is None
    assert [entry.action for entry in desk.store.journal.audit_trail(subject="ann").items] == [
        "user.disable",
        "user.add",
    ]


def test_an_api_token_is_good_until_it_ends_or_is_revoked(desk: Desk) -> None:
    accounts = desk.store.accounts
    token, secret = accounts.create_api_token("grafana", ["findings:read", "metrics"], "ann")
    assert accounts.api_token(secret) == token
    assert accounts.api_token(secret + "x") is None
    _, ended = accounts.create_api_token("old", [], "ann", lifetime_s=0)
    assert accounts.api_token(ended) is None
    accounts.revoke_api_token("grafana", "ann")
    assert accounts.api_token(secret) is None


def test_the_same_event_again_within_a_minute_is_counted(desk: Desk) -> None:
    for reason in ("malformed", "malformed", "clock", "malformed"):
        desk.store.journal.event("refused", reason, box="edge-1")
    found = {event.reason: event.count for event in desk.store.journal.events(box="edge-1").items}
    assert found == {"malformed": 3, "clock": 1}
