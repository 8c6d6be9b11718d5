"""The findings store: what is put is found again, whatever happens to the process and the disk."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from appliance.errors import StoreError
from appliance.report import StoredFinding
from appliance.storage import store_lists
from appliance.storage.store import MAX_TRANSACTION, MAX_WAITING, Store
from appliance.storage.store_labels import read_labels
from appliance.storage.store_lists import ListEntry
from tests.disks import ROOT_ONLY, tmpfs
from tests.waiting import PATIENCE_S

DAY_NS = 86400 * 10**9
SECOND_NS = 10**9
MIB = 1 << 20


class Time:
    """Both clocks of a store."""

    def __init__(self):
        self.ns = 1_700_000_000 * SECOND_NS

    def __call__(self):
        return self.ns

    def wait(self, ns):
        self.ns += ns


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def store(tmp_path, time):
    made = make(tmp_path / "findings.db", time)
    yield made
    made.close()


def make(path, time, max_bytes=64 * MIB, max_age_ns=90 * DAY_NS):
    return Store(path, max_bytes, max_age_ns, now_ns=time, monotonic_ns=time)


def finding(n=1, *, verdict="flag", caller="+49 30 1234", bytes_=0, **fields):
    line = {"type": "call", "caller_e164": "+49301234", "bundle": "call@3", "filler": "x" * bytes_}
    return StoredFinding(
        **{
            "time_ns": n * SECOND_NS,
            "kind": "call",
            "verdict": verdict,
            "score": 0.75,
            "fraud_types": ["wangiri"],
            "source": "192.0.2.1:5060",
            "caller": caller,
            "callee": "00442079460123",
            "call_id": f"{n}@example.org",
            "line": msgspec.json.encode(line),
        }
        | fields
    )


def party(source="192.0.2.1", **fields):
    return finding(kind="source", call_id=None, source=source, callee=None, line=b'{"type":"source"}', **fields)


def ids(findings):
    return [found.id for found in findings]


# -- finding ------------------------------------------------------------------------------------------------------


def test_what_was_put_is_found_again_whole(store):
    put = finding()
    store.put([put])
    assert store.find() == [msgspec.structs.replace(put, id=1)]
    assert store.get(1) == store.get("1") == store.get("1@example.org") == store.find()[0]
    assert store.get(2) is None
    assert store.get("nobody") is None


def test_findings_are_found_newest_first_page_after_page(store):
    store.put(finding(n) for n in range(1, 26))
    pages = []
    before = None
    while page := store.find(before_id=before, limit=10):
        pages.append(ids(page))
        before = page[-1].id
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [found for page in pages for found in page] == list(range(25, 0, -1))


def test_findings_are_found_by_each_of_their_marks_and_by_all_together(store):
    store.put([finding(1), finding(2, verdict="watch"), party(), finding(4, fraud_types=["irsf", "toll_fraud"])])
    assert ids(store.find(kind="source")) == [3]
    assert ids(store.find(verdict="watch")) == [2]
    assert ids(store.find(fraud_type="toll_fraud")) == [4]
    assert ids(store.find(since_ns=2 * SECOND_NS)) == [4, 2]
    assert ids(store.find(kind="call", verdict="flag", since_ns=2 * SECOND_NS)) == [4]


@pytest.mark.parametrize("written", ["+49301234", "0049 30 1234", "49-30-1234", "+49 (30) 1234;ext=5", "442079460123"])
def test_a_number_is_found_however_it_is_written(store, written):
    store.put([finding(), finding(2, caller="030999", callee="112", line=b"{}")])
    assert ids(store.find(number=written)) == [1]


@pytest.mark.parametrize(
    ("address", "sources"),
    [
        ("192.0.2.1", ["192.0.2.1", "192.0.2.1:5060"]),
        ("192.0.2.10", ["192.0.2.10:5060"]),
        ("2001:db8::1", ["2001:db8::1", "[2001:db8::1]:5060"]),
        ("192.0.2", []),
        ("2001:db8::", []),
    ],
)
def test_an_address_finds_itself_and_calls_from_any_port_of_it(store, address, sources):
    for n, socket in enumerate(["192.0.2.1:5060", "192.0.2.10:5060", "[2001:db8::1]:5060", "[2001:db8::10]:1"]):
        store.put([finding(n, source=socket)])
    store.put([party("192.0.2.1"), party("2001:db8::1")])
    assert sorted(found.source for found in store.find(source=address)) == sources


def test_a_name_is_found_whatever_its_case(store):
    store.put([finding(caller="Alice")])
    assert ids(store.find(number="alice")) == [1]


def test_later_news_of_a_call_or_a_party_update_its_finding(store):
    store.put([finding(verdict="watch", score=0.5), party(verdict="watch")])
    first = store.get(1)
    store.put([finding(score=0.9, line=b'{"type":"call","state":"completed"}', time_ns=5), party()])
    assert ids(store.find()) == [2, 1]
    updated = store.get(1)
    assert (updated.verdict, updated.score) == ("flag", 0.9)
    assert updated.time_ns == first.time_ns, "the moment at which it was first reached"
    assert b"completed" in updated.line
    assert store.health().findings == 2


def test_a_party_that_was_quiet_for_more_than_a_day_makes_another_finding(store, time):
    store.put([party()])
    time.wait(DAY_NS + 1)
    store.put([party()])
    assert ids(store.find()) == [2, 1]


def test_text_that_is_hostile_to_sql_and_to_utf_8_is_kept_as_it_came(store):
    hostile = "'; DROP TABLE findings; --\x00\u202e\ud800"
    store.put([finding(caller=hostile, call_id=hostile)])
    assert store.get(1).caller == hostile.replace("\ud800", "?")
    assert store.get(hostile).id == 1
    assert ids(store.find(number=hostile)) == [1]


def test_a_finding_that_cannot_be_stored_does_not_keep_others_waiting(store):
    store.put([finding(1), finding(2, time_ns=1 << 70), finding(3, bytes_=2 * MIB), finding(4)])
    assert [found.call_id for found in store.find()] == ["4@example.org", "1@example.org"]
    assert store.health().lost == 2
    assert store.health().waiting == 0


def test_counters_of_a_minute_add_up(store, time):
    minute = 60 * SECOND_NS
    first = time.ns - time.ns % minute
    store.count(first + 5, {"calls": 3, "flagged": 1})
    store.put([])
    store.count(first + 59, {"calls": 2})
    store.count(first + 2 * minute, {"calls": 1})
    store.put([])
    assert store.minutes(first, first + 2 * minute) == {first: {"calls": 5, "flagged": 1}}
    assert list(store.minutes(first + 1, first + 3 * minute)) == [first + 2 * minute]


def test_readers_do_not_wait_for_a_write(store):
    store.put([finding()])
    assert ids(store.find()) == [1]
    with store._database.write():
        found = []
        reader = threading.Thread(target=lambda: found.extend(store.find()))
        reader.start()
        reader.join(PATIENCE_S)
        assert ids(found) == [1]


# -- labels and lists ---------------------------------------------------------------------------------------------


def test_a_label_keeps_what_the_box_had_said_and_outlives_its_finding(store, tmp_path, time):
    store.put([finding(1), finding(2)])
    store.label(1, "honest", "ann", 5)
    store.put([finding(1, score=0.99)])
    time.wait(91 * DAY_NS)
    store.put([])
    assert store.find() == []
    (label,) = store.labels()
    assert (label.finding, label.label, label.labelled_by, label.time_ns) == (1, "honest", "ann", 5)
    assert (label.verdict, label.score, label.fraud_types, label.bundle) == ("flag", 0.75, ["wangiri"], "call@3")
    assert read_labels(tmp_path / "findings.db") == [label]


def test_a_later_label_counts_instead_of_an_earlier(store):
    store.put([finding(1), finding(2)])
    store.label(1, "fraud", "ann", 5)
    store.label(2, "fraud", "ann", 6)
    store.label(1, "honest", "bob", 7)
    assert {label.finding: label.label for label in store.labels()} == {1: "honest", 2: "fraud"}


def test_a_finding_that_an_operator_vouches_for_can_be_found_and_labelled(store):
    store.put([finding(verdict="allowed")])
    assert ids(store.find(verdict="allowed")) == [1]
    store.label(1, "honest", "ann", 5)
    assert [label.verdict for label in store.labels()] == ["allowed"]


def test_the_labels_of_some_findings_are_found_together(store):
    store.put([finding(n) for n in range(1, 4)])
    store.label(1, "fraud", "alice", 5)
    store.label(3, "fraud", "alice", 6)
    store.label(3, "honest", "bob", 7)
    assert store.labels_of([1, 2, 3, 99]) == {1: "fraud", 3: "honest"}
    assert store.labels_of([]) == {}


def test_only_a_finding_that_is_there_can_be_labelled(store):
    with pytest.raises(StoreError, match="no finding 1"):
        store.label(1, "fraud", "ann", 5)


def entry(value="+49301234", name="deny", expires_ns="never"):
    return ListEntry(list=name, value=value, added_by="ann", added_ns=1, why="a case", expires_ns=expires_ns)


def test_entries_of_the_lists_are_kept_until_they_expire_or_are_deleted(store, time):
    brief = entry("112", "allow", time.ns + DAY_NS)
    store.add_entry(entry())
    store.add_entry(brief)
    assert store.entries() == [entry(), brief]
    assert store.entries("allow") == [brief]
    time.wait(DAY_NS)
    assert store.entries() == [entry()]
    assert store.delete_entry("deny", "+49301234")
    assert not store.delete_entry("deny", "+49301234")
    assert store.entries() == []


def test_an_entry_takes_the_place_of_one_with_the_same_value(store):
    store.add_entry(entry())
    store.add_entry(msgspec.structs.replace(entry(), why="another case"))
    assert [kept.why for kept in store.entries()] == ["another case"]


def test_the_lists_are_bounded(store, monkeypatch):
    monkeypatch.setattr(store_lists, "MAX_ENTRIES", 2)
    store.add_entry(entry("1"))
    store.add_entry(entry("2"))
    with pytest.raises(StoreError, match="full"):
        store.add_entry(entry("3"))
    assert len(store.entries()) == 2


# -- bounds -------------------------------------------------------------------------------------------------------


def test_findings_that_are_too_old_go(store, time):
    store.put([finding(1)])
    time.wait(60 * DAY_NS)
    store.put([finding(2)])
    time.wait(31 * DAY_NS)
    store.put([])
    assert [found.call_id for found in store.find()] == ["2@example.org"]
    assert store.health().findings == 1
    assert store.health().retired == 0


def test_a_clock_that_is_set_soon_after_the_boot_has_made_nothing_too_old(store, tmp_path, time):
    store.put([finding(1)])
    store.close()
    wrong_ns = 80 * 365 * DAY_NS
    booted = Store(
        tmp_path / "findings.db", 64 * MIB, 90 * DAY_NS, now_ns=lambda: time.ns + wrong_ns, monotonic_ns=time
    )
    booted.put([finding(2)])
    wrong_ns = 0
    time.wait(3600 * SECOND_NS)
    booted.put([finding(3)])
    assert ids(booted.find()) == [3, 2, 1]
    booted.close()


def test_the_store_stays_within_its_size_and_watched_findings_go_before_flagged_ones(tmp_path, time):
    store = make(tmp_path / "findings.db", time, max_bytes=2 * MIB)
    for n in range(0, 4000, 100):
        store.put(finding(m, verdict="flag" if m % 10 == 0 else "watch", bytes_=1000) for m in range(n, n + 100))
    health = store.health()
    assert health.bytes <= 2 * MIB
    assert health.findings + health.retired == 4000
    assert len(store.find(verdict="flag", limit=1000)) == 400
    watched = store.find(verdict="watch", limit=1000)
    assert watched[0].time_ns == 3999 * SECOND_NS
    assert (tmp_path / "findings.db").stat().st_size <= 3 * MIB
    store.close()


def test_a_size_that_was_lowered_shrinks_the_file(tmp_path, time):
    path = tmp_path / "findings.db"
    store = make(path, time)
    store.put(finding(n, bytes_=1000) for n in range(4000))
    store.close()
    before = path.stat().st_size
    store = make(path, time, max_bytes=MIB)
    for _ in range(20):
        store.put([])
    store.close()
    assert path.stat().st_size < before / 2


# -- the process --------------------------------------------------------------------------------------------------

KILLED = """
import sys
from pathlib import Path
from appliance.storage.store import Store
from tests.test_store import finding
store = Store(Path(sys.argv[1]), 1 << 30, 1 << 62)
n = 0
while True:
    store.put([finding(n), finding(n + 1)])
    n += 2
    print(n, flush=True)
"""


def test_kill_9_loses_no_finding_that_was_put(tmp_path):
    path = tmp_path / "findings.db"
    put = 0
    for round_ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED.replace("n = 0", f"n = {put}"), str(path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        ) as process:
            for line in process.stdout:
                put = int(line)
                if put > 100 * (round_ + 1):
                    process.send_signal(signal.SIGKILL)
                    break
            put = int((process.stdout.read().split() or [put])[-1])
        store = Store(path, 1 << 30, 1 << 62)
        stored = {found.call_id for found in store.find(limit=1000)}
        store.close()
        assert stored >= {f"{n}@example.org" for n in range(put)}


def test_the_file_is_readable_by_its_owner_alone(store, tmp_path):
    before = os.umask(0)
    try:
        store.put([finding()])
        modes = {name.name: stat.S_IMODE(name.stat().st_mode) for name in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert set(modes) == {"findings.db", "findings.db-wal", "findings.db-shm"}
    assert set(modes.values()) == {0o600}


# -- the disk -----------------------------------------------------------------------------------------------------


def test_a_corrupt_file_is_moved_aside_and_labels_and_lists_are_saved(tmp_path, time):
    path = tmp_path / "findings.db"
    store = make(path, time)
    store.put(finding(n, bytes_=500) for n in range(2000))
    store.label(7, "fraud", "ann", 5)
    store.add_entry(entry())
    store.close()
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'findings'").fetchone()
    connection.close()
    damage(path, (root - 1) * 4096, 4096)
    store = make(path, time)
    store.put([finding(5000)])
    health = store.health()
    assert health.state == "ok"
    assert "corrupt" in health.problem
    assert "1 labels and 1 entries" in health.problem
    (aside,) = tmp_path.glob("findings.db.corrupt-*")
    assert aside.name == "findings.db.corrupt-20231114T221320Z"
    assert [found.call_id for found in store.find()] == ["5000@example.org"]
    assert store.find()[0].id > 2000, "a label must not come to be of another finding"
    assert [label.finding for label in store.labels()] == [7]
    assert store.entries() == [entry()]
    store.close()


@pytest.mark.parametrize("offset", [0, 16, 28, 60, 100, 110])
def test_damage_to_the_head_of_the_file_is_told_and_mended(tmp_path, time, offset):
    path = tmp_path / "findings.db"
    store = make(path, time)
    store.put([finding()])
    store.close()
    damage(path, offset, 4)
    store = make(path, time)
    store.put([finding(2)])
    assert "2@example.org" in {found.call_id for found in store.find()}
    assert store.health().state == "ok"
    store.close()


def test_only_the_last_corrupt_files_are_kept(tmp_path, time):
    path = tmp_path / "findings.db"
    for _ in range(4):
        path.write_bytes(b"no database" * 1000)
        store = make(path, time)
        store.put([finding()])
        store.close()
        time.wait(SECOND_NS)
    assert len(list(tmp_path.glob("findings.db.corrupt-*"))) == 2


def test_a_file_of_a_newer_version_is_left_alone(tmp_path, time):
    path = tmp_path / "findings.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    store = make(path, time)
    store.put([finding()])
    assert store.health().state == "unavailable"
    assert "newer version" in store.health().problem
    assert store.health().waiting == 1
    assert list(tmp_path.glob("*.corrupt-*")) == []
    store.close()


def damage(path, offset, count):
    with path.open("r+b") as file:
        file.seek(offset)
        content = file.read(count)
        file.seek(offset)
        file.write(bytes(byte ^ 0xFF for byte in content))


def test_while_another_program_holds_the_file_findings_wait(store, tmp_path, time):
    store.put([finding(1)])
    other = sqlite3.connect(tmp_path / "findings.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.put([finding(2)])
    assert store.health().state == "unavailable"
    assert store.health().waiting == 1
    with pytest.raises(StoreError, match=r"findings\.db.*locked"):
        store.label(1, "fraud", "ann", 5)
    other.execute("ROLLBACK")
    other.close()
    time.wait(2 * SECOND_NS)
    store.put([])
    assert ids(store.find()) == [2, 1]
    assert store.health().state == "ok"


def test_what_waits_for_the_disk_is_bounded_and_the_watched_are_given_up_first(tmp_path, time):
    store = make(tmp_path / "missing" / "findings.db", time)
    for n in range(0, MAX_WAITING + 500, 500):
        store.put(finding(m, verdict="flag" if m < 500 else "watch") for m in range(n, n + 500))
    health = store.health()
    assert (health.waiting, health.lost) == (MAX_WAITING, 500)
    (tmp_path / "missing").mkdir()
    time.wait(2 * SECOND_NS)
    store.put([])
    assert (store.health().waiting, store.health().state) == (0, "ok")
    assert store.health().findings == MAX_WAITING
    assert len(store.find(verdict="flag", limit=1000)) == 500
    store.close()


def test_a_file_that_is_deleted_while_the_service_runs_is_begun_anew(store, tmp_path):
    store.put([finding(1)])
    for name in tmp_path.iterdir():
        name.unlink()
    store.put([finding(2)])
    assert [found.call_id for found in store.find()] == ["2@example.org"]
    assert store.health().findings == 1


@ROOT_ONLY
def test_a_full_disk_is_told_and_survived(tmp_path, time):
    with tmpfs(tmp_path / "disk", "4m") as disk:
        store = make(disk / "findings.db", time)
        store.put([finding(0)])
        (disk / "filler").write_bytes(bytes((4 << 20) - 400_000))
        for n in range(1, 401):
            store.put([finding(n, bytes_=2000)])
        health = store.health()
        assert health.state == "full"
        assert "full" in health.problem
        assert health.waiting > 0
        assert store.get("0@example.org"), "what is stored can still be read"
        (disk / "filler").unlink()
        time.wait(2 * SECOND_NS)
        store.put([])
        assert (store.health().state, store.health().problem) == ("ok", None)
        assert (store.health().findings, store.health().waiting, store.health().lost) == (401, 0, 0)
        store.close()


@ROOT_ONLY
def test_a_disk_that_is_read_only_is_told_and_survived(tmp_path, time):
    with tmpfs(tmp_path / "disk", "8m") as disk:
        store = make(disk / "findings.db", time)
        store.put([finding(1)])
        store.close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        store = make(disk / "findings.db", time)
        store.put([finding(2)])
        assert (store.health().state, store.health().waiting) == ("read_only", 1)
        with pytest.raises(StoreError, match=r"findings\.db"):
            store.add_entry(entry())
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        time.wait(2 * SECOND_NS)
        store.put([])
        assert store.health().state == "ok"
        assert ids(store.find()) == [2, 1]
        store.close()


@ROOT_ONLY
def test_a_folder_that_may_not_be_written_is_told_and_survived(tmp_path):
    outcome = subprocess.run(
        [sys.executable, "-c", NOT_PERMITTED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.split() == ["unavailable", "1", "0", "ok", "0", "0"]


NOT_PERMITTED = """
import os, sys
from pathlib import Path
from appliance.storage.store import Store
from tests.test_store import Time, finding, make
time = Time()
folder = Path(sys.argv[1]) / "state"
folder.mkdir()
for above in (folder.parent, folder.parent.parent, folder.parent.parent.parent):
    above.chmod(0o755)
store = make(folder / "findings.db", time)
os.seteuid(65534)
store.put([finding()])
print(store.health().state, store.health().waiting, store.health().lost)
os.seteuid(0)
folder.chmod(0o777)
os.seteuid(65534)
time.wait(2 * 10**9)
store.put([])
print(store.health().state, store.health().waiting, store.health().lost)
store.close()
"""


def test_more_than_a_transaction_is_written_at_once(store):
    store.put(finding(n) for n in range(2 * MAX_TRANSACTION + 1))
    assert store.health().findings == 2 * MAX_TRANSACTION + 1
    assert store.health().waiting == 0
