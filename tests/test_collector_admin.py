"""The admin command of the collector: enrolment by hand, accounts, export, backup and restore, each for real."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from appliance.exit import Exit
from appliance.reporting.enroll import run
from appliance.reporting.identity import Identity
from collector.authority import Authority
from collector.backup import backup
from collector.config import Config, NumbersSection, Service
from collector.errors import CollectorError, StoreError
from collector.pseudonyms import Numbers
from collector.server import Core
from collector.store import tables
from collector.store.database import migrate
from collector.store.store import Store
from tests.collectors import ROOT, CollectorProcess, Desk, call_line, health, minute
from tests.disks import ROOT_ONLY, tmpfs
from tests.waiting import until

USER = {"name": "ann", "role": "analyst", "password": "x", "created_ns": 1, "changed_ns": 1}


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    running = CollectorProcess(tmp_path_factory.mktemp("collector")).start()
    yield running
    assert running.stop() == 0


def contents(store: Store) -> dict[str, list[tuple]]:
    """Every row of every table."""
    with store.engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in tables.metadata.sorted_tables
        }


def filled(url: str) -> Desk:
    """A store with something of everything."""
    desk = Desk(Store.open(url, create=True))
    serial = desk.enrol("edge-1")
    desk.put("edge-1", serial, [(n, call_line(n)) for n in range(1, 30)] + [(40, minute(fraud_types={"irsf": 1}))])
    desk.store.findings.label(desk.store.findings.find().items[3].id, "fraud", "ann")
    desk.store.accounts.add_user("ann", "analyst", "correct horse battery", "test")
    desk.store.journal.event("refused", "malformed", box="edge-1")
    return desk


def test_a_box_is_enrolled_with_a_token_by_the_two_commands(collector: CollectorProcess, tmp_path: Path) -> None:
    made = collector.command("token", "create", "--hours", "1")
    assert made.returncode == 0, made.stderr
    assert f"sipwarden enroll https://127.0.0.1:{collector.enrolment_port}" in made.stderr
    config = tmp_path / "sipwarden.toml"
    config.write_text(f'[service]\nstate_dir = "{tmp_path}"\n')
    command = [sys.executable, "-m", "appliance", "enroll", collector.enrolment_url, "--token", "-", "--name", "edge-7"]
    done = subprocess.run(
        [*command, "--config", config], cwd=ROOT, input=made.stdout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"enrolled as edge-7; reports go to {collector.ingest_url}" in done.stdout
    assert Identity(tmp_path / "collector").collector().url == collector.ingest_url
    again = subprocess.run(
        [*command, "--config", config], cwd=ROOT, input=made.stdout, capture_output=True, text=True, check=False
    )
    assert again.returncode == 2
    assert "used before" in again.stderr
    listed = json.loads(collector.command("token", "list", "--json").stdout.splitlines()[0])
    assert listed["used_ns"]
    assert "digest" not in listed


def test_a_box_may_be_given_the_root_that_it_is_to_trust(
    collector: CollectorProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIPWARDEN_SERVICE_STATE_DIR", str(tmp_path))
    stranger, own = tmp_path / "stranger.pem", tmp_path / "own.pem"
    stranger.write_text(Authority.open(tmp_path / "stranger", ["127.0.0.1"]).root_pem)
    own.write_text(Authority.open(collector.config.authority_dir, collector.config.tls.names).root_pem)
    token = collector.token()
    assert run(collector.enrolment_url, token, "edge-ca", stranger, None) == Exit.UNUSABLE
    assert run(collector.enrolment_url, token, "edge-ca", own, None) == Exit.DONE
    assert Identity(tmp_path / "collector").collector().box == "edge-ca"
    assert run(collector.enrolment_url, "no-token", "edge-ca", own, None) == Exit.UNUSABLE
    assert run(collector.enrolment_url, token, "Not A Name!", own, None) == Exit.UNUSABLE


def test_a_box_is_listed_shown_and_revoked(collector: CollectorProcess) -> None:
    box = collector.enrolled("edge-8")
    assert box.send([(1, call_line(1))]).status_code == 200
    assert "edge-8" in collector.command("boxes", "list").stdout
    shown = json.loads(collector.command("boxes", "show", "edge-8", "--json").stdout)
    assert (shown["box"]["items"], len(shown["certificates"])) == (1, 1)
    assert shown["box"]["enrolled_ns"] > 10**18
    assert collector.command("boxes", "revoke", "edge-8", "--reason", "stolen").returncode == 0
    assert box.send([(2, call_line(2))]).status_code == 403
    store = collector.store()
    (entry,) = store.journal.audit_trail(subject="edge-8").items
    assert (entry.action, entry.detail) == ("box.revoke", {"reason": "stolen"})
    assert entry.actor.startswith("shell:")
    missing = collector.command("boxes", "show", "nowhere")
    assert (missing.returncode, missing.stderr) == (1, "error: no box is called 'nowhere'\n")


def test_a_box_is_shown_with_times_that_people_read_and_nothing_of_it_moves_a_cursor(
    collector: CollectorProcess,
) -> None:
    box = collector.enrolled("edge-9")
    said = health(config="1\x1b[2J", problems=["the disk is full", "no capture"])
    assert box.send([(1, said)]).status_code == 200
    shown = collector.command("boxes", "show", "edge-9")
    assert shown.returncode == 0, shown.stderr
    lines = [line.split(maxsplit=1) for line in shown.stdout.splitlines()]
    assert ["state", "active"] in lines
    assert ["problems", "the disk is full; no capture"] in lines
    assert ["config", "1\N{REPLACEMENT CHARACTER}[2J"] in lines
    now = f"{datetime.now(UTC):%Y-%m-%d}"
    assert sum(now in line for line in shown.stdout.splitlines()) >= 4, "enrolled, last report, health, certificate"
    assert not re.search(r"[0-9]{19}", shown.stdout), "no nanoseconds"


NO_NAMES = ["", "ann lee", " ann", "ann\n", "a\x1b[2J", "shell:root", "-ann", "a" * 64, "an\u200bn", "安"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_user_name_is_of_letters_and_digits_that_everybody_sees(tmp_path: Path, name: str) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.sqlite'}", create=True)
    with pytest.raises(CollectorError, match="a user name begins with a letter or digit"):
        store.accounts.add_user(name, "reader", "correct horse battery", "test")
    assert not store.accounts.users().items
    store.close()


def test_a_user_name_that_is_none_is_refused_before_a_password_is_asked_for(collector: CollectorProcess) -> None:
    done = collector.command("users", "add", "ann lee", stdin="")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: a user name begins with a letter or digit and goes on with letters, digits and . _ @ -, 63 at most\n"
    )


def test_an_account_is_added_with_a_password_from_standard_input(collector: CollectorProcess) -> None:
    assert (
        collector.command("users", "add", "ann", "--role", "analyst", stdin="correct horse battery\n").returncode == 0
    )
    assert collector.store().accounts.authenticate("ann", "correct horse battery") is not None
    assert json.loads(collector.command("users", "list", "--json").stdout)["role"] == "analyst"
    for arguments, stdin in (
        (("bob",), "short\n"),
        (("bob",), "longer than a login takes" * 11 + "\n"),
        (("bob", "--role", "king"), "correct horse battery\n"),
    ):
        assert collector.command("users", "add", *arguments, stdin=stdin).returncode == 2
    assert collector.command("users", "add", "ann", stdin="correct horse battery\n").returncode == 1


@ROOT_ONLY
def test_a_store_on_a_read_only_disk_is_said_to_be_on_one(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "32m") as disk:
        url = f"sqlite:///{disk / 'store.sqlite'}"
        Store.open(url, create=True).close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(StoreError, match=f"cannot open the store: the disk of {disk} is read-only"):
            Store.open(url)


def test_a_configuration_that_is_wrong_is_named(tmp_path: Path) -> None:
    collector = CollectorProcess(tmp_path, extra="[ingest]\nlisten_on = 1\n")
    done = collector.command("migrate")
    assert done.returncode == 1
    assert "listen_on" in done.stderr
    assert "ingest" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# --- export


def asked(state: Path, *command: str) -> subprocess.CompletedProcess:
    environment = {"SIPWARDEN_COLLECTOR_SERVICE_STATE_DIR": str(state), "SIPWARDEN_COLLECTOR_CONFIG": "/dev/null"}
    command = (sys.executable, "-m", "collector", *command)
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_before_the_first_start_a_command_says_where_the_store_would_be_and_what_makes_it(tmp_path: Path) -> None:
    done = asked(tmp_path, "boxes", "list")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path}/store.sqlite is not there")
    assert "sipwarden-collector migrate" in done.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("boxes", "list"), "No boxes: `sipwarden-collector token create` says how one is enrolled.\n"),
        (("token", "list"), "No tokens.\n"),
        (("webhooks", "list"), "No webhooks.\n"),
        (("boxes", "list", "--json"), ""),
    ],
)
def test_an_empty_list_is_said_to_be_empty(tmp_path: Path, command: tuple[str, ...], said: str) -> None:
    assert asked(tmp_path, "migrate").returncode == 0
    assert asked(tmp_path, *command).stdout == said


def test_deliveries_of_a_webhook_that_is_not_there_are_refused(tmp_path: Path) -> None:
    assert asked(tmp_path, "migrate").returncode == 0
    for command in (("deliveries", "seim"), ("retry", "--all", "seim")):
        done = asked(tmp_path, "webhooks", *command)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: no webhook is called 'seim'\n")


def test_an_export_to_where_nothing_can_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    assert asked(tmp_path, "migrate").returncode == 0
    (tmp_path / "file").touch()
    done = asked(tmp_path, "export", str(tmp_path / "file"))
    assert (done.returncode, done.stderr) == (1, f"error: {tmp_path}/file: File exists\n")


def test_an_export_has_every_row_with_names_for_numbers(store_url: str, tmp_path: Path) -> None:
    desk = filled(store_url)
    desk.close()
    collector = CollectorProcess(tmp_path / "c", store_url)
    done = collector.command("export", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "out").iterdir()} == {0o600}
    findings = pq.read_table(tmp_path / "out" / "findings.parquet").to_pylist()
    assert len(findings) == 29
    assert findings[0]["box"] == "edge-1"
    assert findings[0]["verdict"] == "flag"
    assert findings[0]["fraud_types"] == ["wangiri"]
    assert json.loads(findings[0]["line"])["call_id"] == findings[0]["call_id"]
    assert [row["label"] for row in pq.read_table(tmp_path / "out" / "labels.parquet").to_pylist()] == ["fraud"]
    (hour,) = pq.read_table(tmp_path / "out" / "hours.parquet").to_pylist()
    assert (hour["box"], hour["calls"]) == ("edge-1", 10)
    store = Store.open(store_url)
    until = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
    done = collector.command("export", str(tmp_path / "old"), "--until", until)
    assert "findings: 0 rows" in done.stdout
    assert store.journal.audit_trail().items[0].action == "export"
    store.close()


# --- backup


@pytest.mark.parametrize("manifest", [None, b"", b'{"revision": 1}', b"\xff"])
def test_what_is_no_backup_is_refused_in_one_line(tmp_path: Path, manifest: bytes | None) -> None:
    archive = tmp_path / "backup.tar"
    with tarfile.open(archive, "w") as made:
        if manifest is not None:
            member = tarfile.TarInfo("manifest.json")
            member.size = len(manifest)
            made.addfile(member, io.BytesIO(manifest))
    for file in (archive, Path(__file__)):
        done = asked(tmp_path / "state", "restore", str(file))
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {file} is not a backup")
        assert done.stderr.count("\n") == 1


def test_a_backup_restores_to_an_exact_copy_at_another_place(
    store_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    filled(store_url).close()
    old = CollectorProcess(tmp_path / "old", store_url)
    root = Authority.open(old.config.authority_dir, ["localhost"]).root_pem
    numbers = Numbers.open("pseudonym", old.config.state_dir / "numbers.key").stored("+49301234")
    archive = tmp_path / "backup.tar"
    done = old.command("backup", str(archive))
    assert done.returncode == 0, done.stderr
    assert archive.stat().st_mode & 0o777 == 0o600
    kind = store_url.partition(":")[0]
    new_url = "" if kind == "sqlite" else request.getfixturevalue("postgres_cluster").url()
    new = CollectorProcess(tmp_path / "new", new_url)
    done = new.command("restore", str(archive))
    assert done.returncode == 0, done.stderr
    before, after = Store.open(store_url), Store.open(new.config.store_url)
    was, is_now = contents(before), contents(after)
    was["audit"] = [row for row in was["audit"] if "backup" not in row]  # noted after the backup
    assert is_now == was
    assert Authority.open(new.config.authority_dir, ["localhost"]).root_pem == root
    assert Numbers.open("pseudonym", new.config.state_dir / "numbers.key").stored("+49301234") == numbers
    before.close()
    after.close()
    again = new.command("restore", str(archive))
    assert again.returncode == 1
    assert "into an empty place" in again.stderr


def test_a_backup_under_load_is_the_store_as_it_was_at_one_moment(
    store_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    desk = filled(store_url)
    serial = desk.enrol("edge-2")
    stop, acknowledged = threading.Event(), 0

    def load() -> None:
        nonlocal acknowledged
        while not stop.is_set():
            batch = [(acknowledged + n, call_line(acknowledged + n)) for n in range(1, 51)]
            acknowledged = desk.put("edge-2", serial, batch).sequence

    loading = threading.Thread(target=load)
    loading.start()
    until(lambda: acknowledged >= 200)
    old = CollectorProcess(tmp_path / "old", store_url)
    archive = tmp_path / "backup.tar"
    before = acknowledged
    done = old.command("backup", str(archive))
    after = acknowledged
    stop.set()
    loading.join()
    assert done.returncode == 0, done.stderr
    kind = store_url.partition(":")[0]
    new = CollectorProcess(
        tmp_path / "new", "" if kind == "sqlite" else request.getfixturevalue("postgres_cluster").url()
    )
    assert new.command("restore", str(archive)).returncode == 0
    copy, live = contents(new.store()), contents(desk.store)
    box = next(row for row in copy["boxes"] if "edge-2" in row)
    stored = new.store().fleet.box("edge-2").items
    assert before <= stored <= after + 50
    assert stored % 50 == 0, "a transaction is in it or not"
    findings = [row for row in copy["findings"] if row[1] == box[0]]
    assert len(findings) == stored
    assert set(findings) <= set(live["findings"])
    # the box sends what the restored collector never acknowledged, and both are the same again
    again = Desk(new.store())
    rest = [(number, call_line(number)) for number in range(stored + 1, acknowledged + 1)]
    for start in range(0, len(rest), 1000):
        again.put("edge-2", serial, rest[start : start + 1000])
    assert again.store.fleet.box("edge-2").items == desk.store.fleet.box("edge-2").items
    again.close()
    desk.close()


def test_a_backup_of_the_first_schema_restores_and_is_brought_up_to_date(
    store_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    old = CollectorProcess(tmp_path / "old", store_url)
    old.config.state_dir.mkdir()
    first = Store(store_url)
    migrate(first.engine, "0001")
    with first.engine.begin() as connection:
        connection.execute(sa.insert(tables.users).values(USER))
    archive = tmp_path / "backup.tar"
    backup(old.config, first, archive)
    first.close()
    kind = store_url.partition(":")[0]
    new = CollectorProcess(
        tmp_path / "new", "" if kind == "sqlite" else request.getfixturevalue("postgres_cluster").url()
    )
    assert "schema revision 0001" in new.command("restore", str(archive)).stdout
    assert "sipwarden-collector migrate" in new.command("users", "list").stderr
    assert new.command("migrate").returncode == 0
    assert json.loads(new.command("users", "list", "--json").stdout)["name"] == "ann"


def test_what_is_no_backup_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"no tar")
    done = CollectorProcess(tmp_path / "c").command("restore", str(tmp_path / "x.tar"))
    assert done.returncode == 1
    assert "is not a backup" in done.stderr
    absent = CollectorProcess(tmp_path / "c").command("restore", str(tmp_path / "y.tar"))
    assert absent.stderr == f"error: {tmp_path}/y.tar cannot be read: No such file or directory\n"


def test_another_key_than_that_of_the_stored_pseudonyms_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = tmp_path / "numbers.key"
    config = Config(service=Service(state_dir=str(tmp_path)), numbers=NumbersSection(policy="pseudonym"))

    def said() -> bool:
        caplog.clear()
        core = Core.open(config)
        core.store.close()
        return any("numbers_key_changed" in record.message for record in caplog.records)

    assert not said(), "nothing is stored yet"
    desk = Desk(Store.open(config.store_url), Numbers.open("pseudonym", key))
    desk.put("edge-1", desk.enrol("edge-1"), [(1, call_line(1))])
    desk.writer.stop()
    desk.store.close()
    assert not said()
    kept = key.read_bytes()
    key.unlink()
    assert said()
    key.write_bytes(kept)
    assert not said(), "the old one is back"


def test_a_pseudonym_is_revealed_with_the_key_and_the_audit_trail_knows(tmp_path: Path) -> None:
    collector = CollectorProcess(tmp_path, extra='[numbers]\npolicy = "pseudonym"\n')
    assert collector.command("migrate").returncode == 0
    token = Numbers.open("pseudonym", collector.config.state_dir / "numbers.key").stored("+4930123456")
    done = collector.command("reveal", token)
    assert done.stdout == "+4930123456\n", done.stderr
    (entry,) = collector.store().journal.audit_trail().items
    assert (entry.action, entry.subject) == ("number.reveal", token)
    assert collector.command("reveal", token[:-4]).returncode == 1
