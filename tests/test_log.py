"""The log: what a line says, what it may never say, and that nobody waits for it."""

import json
import logging
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import log
from appliance.mask import mask, mask_text

NUMBER = "+4915112345678"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raises = root.handlers[:], root.level, logging.raiseExceptions
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raises


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


# --- masks


def test_a_number_keeps_its_head_and_its_tail() -> None:
    assert mask(NUMBER) == "+4915*******78"
    assert mask("4915112345678") == "4915*******78"


def test_a_short_number_and_a_name_keep_one_character() -> None:
    assert mask("4711") == "4***"
    assert mask("12345678") == "1*******"
    assert mask("alice") == mask("al") == "a***"
    assert mask("") == ""


@given(st.from_regex(r"\+?[0-9]{4,20}", fullmatch=True))
def test_at_least_three_digits_of_every_number_are_hidden(number: str) -> None:
    assert mask(number).count("*") >= 3
    assert len(mask(number)) == len(number)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("no route to sip:alice@192.0.2.7:5060", "no route to sip:a***@192.0.2.7:5060"),
        ("<sips:+4915112345678;phone=x@h>", "<sips:+4915*******78@h>"),
        ("sip:bob:hunter2@h", "sip:b***@h"),
        ("tel:+49-151-12345678;ext=1", "tel:+***;ext=1"),
        (f"calls {NUMBER}, again", "calls +4915*******78, again"),
        ("sip:192.0.2.7:5060 took 123456 ns", "sip:192.0.2.7:5060 took 123456 ns"),
        ("hash 9f86d081884c7d659a2f at 2026-11-24T10:00:00Z", "hash 9f86d081884c7d659a2f at 2026-11-24T10:00:00Z"),
    ],
)
def test_a_text_is_masked_where_it_names_a_subscriber(text: str, masked: str) -> None:
    assert mask_text(text) == masked


# --- lines


def test_a_line_for_people_has_level_event_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "text")
    log.warning("source is down", source="eth1", problem="no such interface", packets=7, since=None)
    (line,) = lines(capsys)
    assert line[20:] == 'warning source is down source=eth1 problem="no such interface" packets=7'


def test_a_line_for_machines_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    log.info("source is up", source="eth1", packets=7, event_of="x")
    (line,) = lines(capsys)
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {"level": "info", "event": "source is up", "source": "eth1", "packets": 7, "event_of": "x"}


def test_a_field_cannot_stand_for_the_event(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    log.info("source is up", time="never", level="low")
    (line,) = lines(capsys)
    assert json.loads(line)["level"] == "info"


def test_below_its_level_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warning", "text")
    log.info("source is up", source="eth1")
    log.debug("block", packets=1)
    assert lines(capsys) == []


@pytest.mark.parametrize("form", ["text", "json"])
def test_subscribers_are_masked_and_secrets_never_shown(form: log.Format, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", form)
    log.info("unknown key", key="hep.key_fil")
    log.info("call flagged", caller=NUMBER, callee="4711", user="alice", hep_key="s3cr3t", password="s3cr3t")
    log.error("could not parse", problem=f"INVITE sip:{NUMBER}@192.0.2.1 SIP/2.0", peer="192.0.2.1:5060")
    said = "".join(lines(capsys))
    for hidden in (NUMBER, NUMBER[1:], "alice", "4711", "s3cr3t"):
        assert hidden not in said
    assert "192.0.2.1:5060" in said
    assert "hep.key_fil" in said


def test_an_exception_is_one_line_with_its_place_and_without_subscribers(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "text")
    try:
        raise ValueError(f"bad caller {NUMBER}\nforged line")
    except ValueError:
        log.exception("recorder failed")
    (line,) = lines(capsys)
    assert "test_log.py" in line
    assert NUMBER not in line


@pytest.mark.parametrize("form", ["text", "json"])
@given(value=st.text(max_size=60))
def test_no_value_can_forge_a_line_or_move_a_cursor(form: log.Format, value: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "x", 1, "event", (), None)
    record.fields = {"problem": value}
    written = log.as_text(record) if form == "text" else log.as_json(record)
    assert written.isprintable()
    assert len(written.splitlines()) == 1


def test_a_long_value_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "text")
    log.info("malformed", problem="x" * 100_000)
    assert len(lines(capsys)[0]) < log.MAX_VALUE_CHARACTERS + 100


def test_what_a_library_has_to_say_comes_out_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    logging.getLogger("asyncio").warning("slow callback for %s", f"sip:{NUMBER}@h")
    (line,) = lines(capsys)
    assert json.loads(line)["event"] == "slow callback for sip:+4915*******78@h"


# --- repetition


def test_an_event_that_repeats_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = [0.0]
    log.configure("info", "text")
    (handler,) = logging.getLogger().handlers
    handler.filters[:] = [log.Repetition(lambda: now_s[0])]
    for i in range(1000):
        log.warning("malformed HEP", peer=f"192.0.2.{i % 250}")
    log.info("source is up", source="eth1")
    assert len(lines(capsys)) == log.BURST_LINES + 1
    now_s[0] = log.BURST_SECONDS
    log.warning("malformed HEP", peer="192.0.2.1")
    log.warning("malformed HEP", peer="192.0.2.2")
    first, second = lines(capsys)
    assert first.endswith(f"repeated={1000 - log.BURST_LINES}")
    assert "repeated" not in second


def test_the_count_of_repetitions_is_bounded() -> None:
    repetition = log.Repetition(lambda: 0.0)
    for i in range(log.MAX_EVENTS * 2):
        assert repetition.filter(logging.LogRecord("x", logging.INFO, "x", 1, f"event {i}", (), None))
    assert len(repetition._windows) == log.MAX_EVENTS


# --- journald


@pytest.fixture
def journald(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket at which entries in journald's protocol arrive."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "journal"))
        listener.settimeout(5)
        monkeypatch.setattr(log, "JOURNAL_SOCKET", str(tmp_path / "journal"))
        yield listener


def entry(datagram: bytes) -> dict[str, str]:
    """The fields of an entry, read as journald reads them."""
    fields = {}
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        (length,) = struct.unpack("<Q", rest[:8])
        fields[name.decode()] = rest[8 : 8 + length].decode()
        assert rest[8 + length : 9 + length] == b"\n"
        datagram = rest[9 + length :]
    return fields


def test_journald_gets_priority_message_and_fields(journald: socket.socket) -> None:
    log.configure("info", "journal")
    log.warning("source is down", source="eth1", problem="two\nlines", caller=NUMBER)
    assert entry(journald.recv(65536)) == {
        "MESSAGE": 'source is down source=eth1 problem="two\\nlines" caller=+4915*******78',
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "sipwarden",
        "SIPWARDEN_SOURCE": "eth1",
        "SIPWARDEN_PROBLEM": "two\nlines",
        "SIPWARDEN_CALLER": "+4915*******78",
    }


@pytest.mark.parametrize(
    ("write", "priority"), [(log.debug, "7"), (log.info, "6"), (log.warning, "4"), (log.error, "3")]
)
def test_each_level_has_its_priority(journald: socket.socket, write, priority: str) -> None:
    log.configure("debug", "journal")
    write("event")
    assert entry(journald.recv(65536))["PRIORITY"] == priority


def test_a_journald_that_does_not_read_holds_nobody_up_and_the_loss_is_said(journald: socket.socket) -> None:
    log.configure("info", "journal")
    for i in range(5000):
        log.info(f"event {i}", text="x" * 500)
    journald.setblocking(False)
    taken = 0
    try:
        while True:
            journald.recv(65536)
            taken += 1
    except BlockingIOError:
        pass
    log.info("again")
    journald.settimeout(5)
    assert entry(journald.recv(65536))["SIPWARDEN_LOST"] == str(5000 - taken)
    assert entry(journald.recv(65536))["MESSAGE"] == "again"


def test_a_journald_that_was_started_again_is_found_again(journald: socket.socket, tmp_path: Path) -> None:
    log.configure("info", "journal")
    journald.close()
    (tmp_path / "journal").unlink()
    log.info("while it was away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "journal"))
        listener.settimeout(5)
        log.info("after it came back")
        assert entry(listener.recv(65536))["SIPWARDEN_LOST"] == "1"
        assert entry(listener.recv(65536))["MESSAGE"] == "after it came back"


def test_without_journald_it_says_so_and_logs_as_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(log, "JOURNAL_SOCKET", str(tmp_path / "nowhere"))
    log.configure("info", "journal")
    log.info("source is up")
    first, second = lines(capsys)
    assert "journald cannot be reached" in first
    assert second.endswith("info    source is up")


def test_the_journal_is_chosen_only_when_standard_error_leads_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/null").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        status = Path("/dev/null").stat()
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert log.stderr_is_the_journal()
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino + 1}")
        assert not log.stderr_is_the_journal()
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not log.stderr_is_the_journal()
