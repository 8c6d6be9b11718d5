"""The operator's commands as they are typed, against a served box."""

import hashlib
import json
import os
import stat
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance import log
from appliance.client import listings
from appliance.exit import Exit
from appliance.live.status import Status
from tests.admin_box import CALLER, Box, call_finding, command, open_calls, serving, source_finding
from tests.test_cli import COMMAND, sipwarden

MASKED = "+4915*******78"


@pytest.fixture
def box(tmp_path: Path):
    box = Box(tmp_path)
    with serving(box):
        yield box


@pytest.fixture
def ask(box: Box):
    """Runs a command against the box and gives what it says; it must end well."""

    def run(*arguments: object) -> str:
        done = command(*arguments, "--socket", box.config.admin.socket)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


@pytest.fixture
def refused(box: Box):
    """Runs a command that is refused: its status and its one line."""

    def run(*arguments: object) -> tuple[int, str]:
        done = command(*arguments, "--socket", box.config.admin.socket)
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
        return done.returncode, done.stderr

    return run


@contextmanager
def following(box: Box, listing: str, *options: str) -> Iterator[Iterator[str]]:
    """The lines of a listing that goes on, and ends with the block."""
    follow = [*COMMAND, listing, "--follow", *options, "--socket", box.config.admin.socket]
    with subprocess.Popen(follow, stdout=subprocess.PIPE, text=True) as follower:
        try:
            yield follower.stdout
        finally:
            follower.terminate()


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


# --- status


def test_status_as_json_is_the_status_of_the_contract(ask, box: Box) -> None:
    status = json.loads(ask("status", "-o", "json"))
    assert set(status) == set(Status.__struct_fields__)
    assert {"packets", "dropped"} <= set(status["capture"])
    assert (status["calls"], status["flagged"]) == (0, 7)


def test_status_as_raw_is_a_name_and_a_value_a_line(ask) -> None:
    values = dict(rows(ask("status", "-o", "raw")))
    assert values["capture.dropped"] == "3"
    assert values["capture.sources.0.name"] == "eth1"
    assert values["snapshot.taken"] == "-"


def test_status_for_people_says_whether_the_box_does_its_work(ask) -> None:
    assert (
        ask("status")
        == """\
sipwarden 1.2.3, mode observe, up 1d 02:03:04 (since 2026-11-24 08:00:00 UTC)

capture   0 packets, 1,234/s; 3 dropped (100.000%); 0 duplicates left out
            eth1 up; 0 packets, 3 dropped (100.000%)
SIP       0 messages: 0 requests, 0 responses; 0 malformed
RTP       0 packets in 0 streams
calls     0, 6.7/s; 0 open; 7 flagged, 2 watched
findings  1 parties are suspected now
verdicts  12; half within 1 ms, 99 of 100 within 5 ms
tables    0 entries made room for newer ones
queue     0 wait, 0 dropped
store     ok; 0 findings in 0.0 MiB; 0 lost
spool     ok; 4 wait for the collector, 0 made room for others, 0 lost
reports   the box is not enrolled at a collector
drift     call rows stable
bundles   call@1 (call), source@1 (source)
snapshot  -
"""
    )


# --- calls


def test_calls_are_listed_newest_first_with_their_numbers_masked(ask, box: Box, tmp_path: Path) -> None:
    open_calls(box, tmp_path, 3)
    found = json.loads(ask("calls", "-o", "json"))
    assert [call["call_id"] for call in found] == ["call-2", "call-1", "call-0"]
    assert {call["caller"] for call in found} == {"+4930******00", "+4930******01", "+4930******02"}
    assert {call["state"] for call in found} == {"answered"}


def test_calls_as_raw_have_the_columns_that_are_documented(ask, box: Box, tmp_path: Path) -> None:
    open_calls(box, tmp_path, 1)
    (row,) = rows(ask("calls", "-o", "raw"))
    assert row[:3] == ["call-0", "2023-11-14T22:13:20.000000Z", "answered"]
    assert row[5] == "192.0.2.10:5060"
    assert len(row) == 12


def test_calls_are_chosen_by_state_number_and_source(ask, box: Box, tmp_path: Path) -> None:
    open_calls(box, tmp_path, 2)
    open_calls(box, tmp_path, 2, first=2, answered=False)

    def chosen(*options: object) -> list[str]:
        return [row[0] for row in rows(ask("calls", "-o", "raw", *options))]

    assert chosen("--state", "trying") == ["call-3", "call-2"]
    assert chosen("--number", "+49 30 1234-0001") == ["call-1"]
    assert chosen("--number", "+442079460002") == ["call-2"]
    assert chosen("--source", "192.0.2.10", "--limit", 1) == ["call-3"]
    assert chosen("--source", "192.0.2.11") == []


def test_followed_calls_come_a_card_each_as_they_begin(box: Box, tmp_path: Path) -> None:
    open_calls(box, tmp_path, 1)
    with following(box, "calls") as lines:
        first = [next(lines) for _ in range(2)]
        open_calls(box, tmp_path, 1, first=1, answered=False)
        second = [next(lines) for _ in range(2)]
    assert first == [
        "2023-11-14 22:13:20 UTC  answered  pass 0.00  -\n",
        "        +4930******00 > +4420******00, 192.0.2.10:5060, Call-ID call-0\n",
    ]
    assert "trying" in second[0]
    assert "Call-ID call-1" in second[1]


def test_calls_for_people_fit_a_terminal_of_80_columns(ask, box: Box, tmp_path: Path) -> None:
    open_calls(box, tmp_path, 1)
    assert [line.rstrip() for line in ask("calls").splitlines()] == [
        "verdict  score  state     since (UTC)  caller > callee  source, Call-ID",
        "───────────────────────────────────────────────────────────────────────",
        "pass      0.00  answered  2023-11-14   +4930******00    192.0.2.10:5060",
        "                          22:13:20     > +4420******00  call-0",
    ]


def test_no_calls_are_a_sentence_for_people_and_nothing_for_programs(ask) -> None:
    assert ask("calls") == "No calls.\n"
    assert ask("calls", "-o", "raw") == ""
    assert json.loads(ask("calls", "-o", "json")) == []


# --- findings


def test_findings_are_masked_unless_an_administrator_asks_for_the_numbers(ask, box: Box) -> None:
    box.store.put([call_finding(), source_finding(caller=CALLER)])
    masked = ask("findings", "-o", "json")
    assert "12345678" not in masked
    assert [finding["caller"] for finding in json.loads(masked)] == [MASKED, MASKED]
    assert CALLER in ask("findings", "-o", "json", "--unmasked")


def test_findings_for_people_say_who_when_and_why(ask, box: Box) -> None:
    box.store.put([call_finding()])
    assert (
        ask("findings")
        == """\
     1  flag 0.97  robocall  2023-11-14 22:13:20 UTC
        caller +4915*******78, callee +3361*****78, source 192.0.2.7:5060
        Call-ID bad-call@192.0.2.7
        310 numbers called in an hour
"""
    )


def test_raw_has_one_field_between_two_tabs_whatever_is_in_it(ask, box: Box) -> None:
    hostile = "a\tb\r\nc,d|e\x1b[2J"
    reasons = [
        {"feature": "x", "value": 1, "typical": 2, "effect": 0.1, "text": f"{n} calls, {hostile}"} for n in (1, 2)
    ]
    box.store.put([call_finding(call_id=hostile, fraud_types=["robocall", "wangiri"], reasons=reasons)])
    (row,) = rows(ask("findings", "-o", "raw"))
    assert len(row) == len(listings.FINDINGS.raw)
    unseen = "\N{REPLACEMENT CHARACTER}"
    assert row[5].split("|") == ["robocall", "wangiri"]
    assert row[9:11] == [f"a b{unseen} c,d|e{unseen}[2J", "-"]
    assert row[11].split("|") == [f"{n} calls, a b{unseen} c,d/e{unseen}[2J" for n in (1, 2)]


def test_findings_are_chosen_by_verdict_type_number_source_and_time(ask, box: Box) -> None:
    box.store.put([call_finding(), source_finding(), source_finding("198.51.100.77")])

    def chosen(*options: object) -> list[str]:
        return [row[2] + " " + row[6] for row in rows(ask("findings", "-o", "raw", *options))]

    assert chosen() == ["source 198.51.100.77", "source 192.0.2.7", "call 192.0.2.7:5060"]
    assert chosen("--verdict", "flag") == ["call 192.0.2.7:5060"]
    assert chosen("--type", "robocall") == ["call 192.0.2.7:5060"]
    assert chosen("--number", CALLER) == ["call 192.0.2.7:5060"]
    assert chosen("--source", "192.0.2.7") == ["source 192.0.2.7", "call 192.0.2.7:5060"]
    assert chosen("--since", "2023-11-14T22:13:21Z") == ["source 198.51.100.77", "source 192.0.2.7"]
    assert chosen("--since", "2d") == []
    assert chosen("--limit", 1) == ["source 198.51.100.77"]


def test_followed_findings_come_a_line_each_as_they_are_made(box: Box) -> None:
    box.store.put([call_finding("first@x")])
    with following(box, "findings", "-o", "json") as lines:
        assert json.loads(next(lines))["call_id"] == "first@x"
        box.store.put([call_finding("second@x")])
        assert json.loads(next(lines))["call_id"] == "second@x"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("findings", "--since", "yesterday"), "'yesterday': expected a time ago"),
        (("findings", "--since", "0h"), "'0h': expected a time"),
        (("findings", "--since", "1066-10-14"), "'1066-10-14': nothing can have been captured then"),
        (("findings", "--since", "9999-12-31"), "'9999-12-31': nothing can have been captured then"),
        (("calls", "--source", "192.0.2.7:5060"), "does not appear to be an IPv4 or IPv6 address"),
        (("allow", "add", "a b", "--why", "x"), "'a b' is no number, range, address or network"),
        (("decisions", "add", "0.0.0.0/0", "--why", "x"), "wider than /8"),
        (("decisions", "add", "+4*", "--why", "x"), "a range is + with 3 to 10 digits"),
        (("decisions", "add", CALLER, "--why", "x", "--for", "31d"), "expires after 30 days at most"),
        (("decisions", "add", CALLER, "--why", "x", "--for", "1y"), "'1y': expected a time such as 90s"),
        (("evidence", "export", "192.0.2.0/24", "--out", "/dev/null"), "evidence is about one number or one address"),
        (("findings", "--source", "999.1.1.1"), "--source: '999.1.1.1' does not appear to be an IPv4 or IPv6 address"),
    ],
)
def test_an_argument_that_cannot_be_used_is_named_and_ends_with_2(refused, arguments, message) -> None:
    status, line = refused(*arguments)
    assert status == Exit.UNUSABLE
    assert message in line


# --- explain, label


def test_explain_tells_a_stored_finding_with_its_reasons(ask, box: Box) -> None:
    box.store.put([call_finding()])
    for wanted in ("1", "bad-call@192.0.2.7"):
        text = ask("explain", wanted)
        assert f"{MASKED} calls +3361*****78, from 192.0.2.7:5060" in text
        assert "flag, score 0.970 by call@1, first at setup" in text
        assert "  310 numbers called in an hour" in text


def test_explain_tells_a_party_and_a_call_that_is_going_on(ask, box: Box, tmp_path: Path) -> None:
    box.store.put([source_finding()])
    assert "source 192.0.2.7: 310 requests" in ask("explain", "1")
    open_calls(box, tmp_path, 1)
    answer = json.loads(ask("explain", "call-0", "-o", "json"))
    assert (answer["origin"], answer["id"], answer["line"]["state"]) == ("live", None, "answered")


def test_an_unknown_id_is_refused_with_those_that_are_near(refused, box: Box) -> None:
    box.store.put([call_finding()])
    assert refused("explain", "bad-call@192.0.2.8") == (
        Exit.REFUSED,
        "sipwarden: there is no finding and no live call 'bad-call@192.0.2.8' (near it: bad-call@192.0.2.7)\n",
    )
    assert "near it: 1)" in refused("label", "3", "fraud")[1]


def test_a_label_is_kept_and_shown_with_its_finding(ask, box: Box) -> None:
    box.store.put([call_finding()])
    assert ask("label", "bad-call@192.0.2.7", "honest").startswith("finding 1 is labelled honest by ")
    assert rows(ask("findings", "-o", "raw"))[0][10] == "honest"
    assert ", labelled honest" in ask("explain", "1")
    assert [label.label for label in box.store.labels()] == ["honest"]


# --- lists


def test_a_finding_of_an_earlier_version_is_listed_exported_and_shown(ask, box: Box, tmp_path: Path) -> None:
    box.store.put(
        [replace(call_finding(), line=b'{"type": "call", "caller": "+4915112345678", "gone": 1}'), source_finding()]
    )
    assert [row[0] for row in rows(ask("findings", "-o", "raw"))] == ["2", "1"]
    ask("evidence", "export", CALLER, "--out", tmp_path / "out.json")
    assert json.loads(ask("explain", "1", "-o", "json"))["line"]["caller"] == MASKED
    assert MASKED in ask("explain", "1")


def test_the_log_shows_which_network_was_listed_and_hides_which_number(ask, caplog) -> None:
    caplog.set_level("INFO", log.NAME)
    for value in ("192.0.2.0/24", "+4420*", CALLER):
        ask("allow", "add", value, "--why", "x")
        ask("allow", "delete", value)
    said = [log.sentence(record).split("list=allow ")[1].split()[0] for record in caplog.records]
    assert said == [
        one for shown in ("network=192.0.2.0/24", "range=+4420*", f"number={MASKED}") for one in (shown, shown)
    ]


def test_what_is_allowed_is_listed_until_it_is_deleted(ask, box: Box) -> None:
    ask("allow", "add", "0049 151 12345678", "--why", "our own dialler", "--for", "30d")
    said = ask("allow", "add", "192.0.2.0/24", "--why", "the test lab")
    assert said == "192.0.2.0/24 (network) is listed until it is deleted\n"
    listed = rows(ask("allow", "list", "-o", "raw", "--unmasked"))
    assert [(row[0], row[1], row[5]) for row in listed] == [
        (CALLER, "number", "our own dialler"),
        ("192.0.2.0/24", "network", "the test lab"),
    ]
    assert listed[1][2] == "-"
    assert box.allowed.covers(time.time_ns(), source="192.0.2.9", numbers=[]).why == "the test lab"
    ask("allow", "delete", CALLER)
    assert [row["value"] for row in json.loads(ask("allow", "list", "-o", "json"))] == ["192.0.2.0/24"]


def test_a_denial_expires_and_says_that_it_does_nothing_while_the_box_observes(ask, box: Box) -> None:
    added = json.loads(ask("decisions", "add", "+4420*", "--why", "campaign", "-o", "json"))
    assert (added["kind"], added["action"], added["effect"]) == ("range", "deny", "none: the box only observes")
    (entry,) = box.store.entries("deny")
    assert entry.expires_ns - entry.added_ns == 86400 * 10**9
    assert "none: the box only observes" in ask("decisions", "list")
    assert ask("decisions", "delete", "+44 20*") == ""
    assert ask("decisions", "list") == "No decisions.\n"


@pytest.mark.parametrize("number", ["112", "911", "999", "+44999", "110"])
def test_an_emergency_number_is_never_denied(refused, number: str) -> None:
    status, line = refused("decisions", "add", number, "--why", "x")
    assert status == Exit.REFUSED
    assert "cannot be denied: it is an emergency number" in line


def test_deleting_what_is_not_listed_says_so(refused) -> None:
    assert refused("decisions", "delete", "192.0.2.7") == (
        Exit.REFUSED,
        "sipwarden: 192.0.2.7 is not listed (`sipwarden decisions list` says what is)\n",
    )


# --- evidence


def test_evidence_lists_the_parties_with_the_gravest_first(ask, box: Box) -> None:
    box.store.put([source_finding("198.51.100.77"), call_finding("a@x"), call_finding("b@x")])
    listed = [row[:4] for row in rows(ask("evidence", "list", "-o", "raw"))]
    assert listed == [
        [MASKED, "number", "flag", "2"],
        ["192.0.2.7", "source", "flag", "2"],
        ["198.51.100.77", "source", "watch", "1"],
    ]


@pytest.mark.parametrize(
    ("about", "kind", "count"),
    [(CALLER, "number", 2), ("192.0.2.7", "source", 3), ("a@x", "call", 1), ("3", "finding", 1)],
)
def test_exported_evidence_is_a_private_file_with_a_hash_that_checks(
    ask, box: Box, tmp_path: Path, about: str, kind: str, count: int
) -> None:
    box.store.put([call_finding("a@x"), call_finding("b@x"), source_finding()])
    out = tmp_path / "evidence.json"
    said = ask("evidence", "export", about, "--out", out)
    document = json.loads(out.read_bytes())
    assert (document["format"], document["kind"], len(document["findings"])) == ("sipwarden-evidence/1", kind, count)
    assert document["bundles"] == {"call": "call@1", "source": "source@1"}
    assert document["findings"][0]["line"]["reasons"][0]["text"] == "310 numbers called in an hour"
    assert any("no audio" in line for line in document["lacks"])
    assert b"12345678" not in out.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert hashlib.sha256(out.read_bytes()).hexdigest() in said
    subprocess.run(["sha256sum", "--check", "--strict", "evidence.json.sha256"], cwd=tmp_path, check=True)


def test_evidence_that_is_more_than_fits_says_that_it_is_not_all(ask, box: Box, tmp_path: Path, monkeypatch) -> None:
    box.store.put([call_finding(f"{n}@x") for n in range(5)])
    monkeypatch.setattr("appliance.admin.commands_evidence.MAX_ROWS", 3)
    assert "there are more than 3" in ask("evidence", "export", CALLER, "--out", tmp_path / "rows.json")
    monkeypatch.setattr("appliance.admin.commands_evidence.MAX_EVIDENCE_BYTES", len(call_finding().line) + 100)
    assert "there are more than 1" in ask("evidence", "export", CALLER, "--out", tmp_path / "bytes.json")


def test_listings_go_on_over_many_pages(ask, box: Box, monkeypatch) -> None:
    monkeypatch.setattr("appliance.admin.stored.PAGE", 3)
    box.store.put([call_finding(f"{n}@x") for n in range(10)])
    for limit in (1, 3, 4, 9, 10, 11):
        found = [row[0] for row in rows(ask("findings", "-o", "raw", "--limit", limit))]
        assert found == [str(n) for n in range(10, max(10 - limit, 0), -1)]


def test_evidence_is_never_written_over(refused, box: Box, tmp_path: Path) -> None:
    box.store.put([call_finding()])
    out = tmp_path / "evidence.json"
    out.write_text("earlier")
    status, line = refused("evidence", "export", CALLER, "--out", out)
    assert (status, line) == (Exit.FAILED, f"sipwarden: {out}: File exists\n")
    assert out.read_text() == "earlier"
    out.rename(tmp_path / "evidence.json.sha256")
    assert refused("evidence", "export", CALLER, "--out", out)[1] == f"sipwarden: {out}.sha256: File exists\n"
    assert not out.exists()


# --- the service as a whole


def test_metrics_are_what_prometheus_reads(ask, box: Box) -> None:
    assert ask("metrics") == box.metrics_text()


def test_reload_says_what_changed_or_what_is_wrong(ask, refused, box: Box) -> None:
    assert ask("reload") == "log.level\n"
    assert json.loads(ask("reload", "-o", "json")) == {"changed": ["log.level"]}
    box.fails_to_reload = True
    status, line = refused("reload")
    assert status == Exit.UNUSABLE
    assert "sipwarden.toml:7: limits.cals: unknown key (nothing was changed" in line


def test_doctor_names_a_cure_for_what_it_finds(ask, box: Box) -> None:
    done = command("doctor", "-o", "json", "--socket", box.config.admin.socket)
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert checks["service"]["state"] == "ok"
    assert checks["drops"]["state"] == "fail"
    assert checks["drops"]["cure"]
    assert done.returncode == Exit.FAILED
    assert all(bool(check["cure"]) == (check["state"] != "ok") for check in checks.values())


def test_doctor_works_without_the_service(tmp_path: Path) -> None:
    config = tmp_path / "sipwarden.toml"
    config.write_text(f'[service]\nstate_dir = "{tmp_path}"\n[capture]\ninterfaces = ["lo", "absent0"]\n')
    done = command("doctor", "-o", "raw", "--config", config, "--socket", tmp_path / "absent.sock")
    checks = {row[1]: row for row in rows(done.stdout)}
    assert done.returncode == Exit.FAILED
    assert "no service answers at" in checks["service"][2]
    assert checks["interface absent0"][0] == "fail"
    assert checks["interface lo"][0] == checks["bundles"][0] == "ok"


def test_a_support_dump_has_all_but_numbers_and_secrets(ask, box: Box, tmp_path: Path) -> None:
    box.store.put([call_finding()])
    out = tmp_path / "dump.tar.gz"
    ask("support-dump", "--out", out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with tarfile.open(out) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    assert set(files) == {
        f"dump/{name}"
        for name in (
            "versions.json", "metrics.txt", "status.json", "config.json", "doctor.json", "process.json", "log.txt"
        )
    }  # fmt: skip
    assert json.loads(files["dump/versions.json"])["sipwarden"]
    assert b"12345678" not in b"".join(files.values())


def test_a_support_dump_is_made_without_the_service_too(tmp_path: Path) -> None:
    out = tmp_path / "dump.tar.gz"
    done = command("support-dump", "--out", out, "--socket", tmp_path / "absent.sock")
    assert done.returncode == 0
    with tarfile.open(out) as archive:
        assert "dump/service.txt" in archive.getnames()


# --- finding the service


def test_the_socket_is_found_by_config_environment_and_flag(box: Box, tmp_path: Path) -> None:
    config = tmp_path / "sipwarden.toml"
    config.write_text(f'[admin]\nsocket = "{box.config.admin.socket}"\n')
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SIPWARDEN")}
    for arguments, more in (
        (("--config", config), {}),
        ((), {"SIPWARDEN_CONFIG": str(config)}),
        ((), {"SIPWARDEN_ADMIN_SOCKET": box.config.admin.socket}),
    ):
        done = sipwarden("status", "-o", "json", *arguments, env=environment | more)
        assert json.loads(done.stdout)["version"] == Box.version


def test_a_service_that_does_not_run_is_said_with_its_socket_and_the_cure(tmp_path: Path) -> None:
    done = sipwarden("status", "--socket", tmp_path / "absent.sock")
    assert done.returncode == Exit.UNREACHABLE
    assert done.stderr.decode() == (
        f"sipwarden: no service answers at {tmp_path}/absent.sock "
        "(start it: `systemctl start sipwarden`, or `sipwarden run`; another socket: --socket)\n"
    )


def test_a_shell_completes_commands_and_what_an_option_takes(tmp_path: Path) -> None:
    def completed(words: str, at: int) -> list[str]:
        more = {"_SIPWARDEN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        return sipwarden(env=os.environ | more).stdout.decode().split()

    assert completed("sipwarden fi", 1) == ["findings"]
    assert completed("sipwarden findings --type r", 3) == ["robocall", "registration_scan"]
    assert completed("sipwarden decisions ", 2) == ["list", "add", "delete"]


def test_screening_does_not_wait_for_the_commands_of_the_service() -> None:
    loaded = "import sys; sys.argv = ['sipwarden', 'screen', '--help']\nfrom appliance import cli\n"
    loaded += "try: cli.main()\nexcept SystemExit: print([m for m in sys.modules if m.startswith('appliance.admin')])"
    done = subprocess.run([Path(os.sys.executable), "-c", loaded], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
