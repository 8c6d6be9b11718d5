"""`sipwarden explain`: one call of a capture as a ladder, with its verdict and reasons."""

import subprocess
import sys

import msgspec
import pytest

from appliance.ladder import MAX_MESSAGES, steps_of
from appliance.screen import Exit
from tests.tap import Tap, request, response
from tests.test_pipeline import SAMPLE


def explain(capture, call_id, *options):
    return subprocess.run(
        [sys.executable, "-m", "appliance", "explain", call_id, "--file", str(capture), *options],
        check=False, capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture
def capture(tmp_path):
    tap = Tap()
    tap.send(request("INVITE", sdp=("192.0.2.10", 4000))).wait(1).reply(response(180, to_tag="bob"))
    tap.send(request("OPTIONS", call_id="other")).wait(2).reply(response(200, to_tag="bob"))
    tap.send(request("ACK", to_tag="bob", branch="ack")).wait(9)
    tap.reply(request("BYE", from_tag="bob", to_tag="alice", cseq=7, branch="bye"))
    return tap.write(tmp_path / "tap.pcap")


def test_the_ladder_has_the_messages_of_the_call_in_order_and_their_direction(capture):
    done = explain(capture, "call-1")
    assert done.returncode == Exit.DONE
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    assert lines[0].startswith("+493012345678 calls +442079460123, from 192.0.2.10:5060")
    assert lines[0].endswith(": completed")
    assert lines[1].split() == ["192.0.2.10:5060", "198.51.100.20:5060"]
    steps = [line.split() for line in lines[2:7]]
    assert [step[0] for step in steps] == ["0.000", "1.010", "3.030", "3.040", "12.050"]
    assert [" ".join(step[1:]).strip("|<>- ") for step in steps] == [
        "INVITE (sdp)", "180 Reason", "200 Reason", "ACK", "BYE"]  # fmt: skip
    assert ["<" in line for line in lines[2:7]] == [False, True, True, False, True]


def test_a_flagged_call_says_why():
    screened = subprocess.run(
        [sys.executable, "-m", "appliance", "screen", "--json", str(SAMPLE)], check=True, capture_output=True
    )
    lines = map(msgspec.json.decode, screened.stdout.splitlines())
    flagged = next(line for line in lines if line["type"] == "call" and line["verdict"] == "flag")
    done = explain(SAMPLE, flagged["call_id"])
    assert f"fraud: {', '.join(flagged['fraud_types'])}" in done.stdout
    assert all(reason["text"] in done.stdout for reason in flagged["reasons"])


def test_the_forms_for_programs_have_the_call_as_screen_reports_it(capture):
    screened = subprocess.run(
        [sys.executable, "-m", "appliance", "screen", "--json", str(capture)], check=True, capture_output=True
    )
    line = next(line for line in map(msgspec.json.decode, screened.stdout.splitlines()) if line["type"] == "call")
    answer = msgspec.json.decode(explain(capture, "call-1", "-o", "json").stdout)
    assert answer == {"id": None, "origin": "capture", "label": None, "line": line}
    assert f"line.call_id\t{line['call_id']}" in explain(capture, "call-1", "-o", "raw").stdout.splitlines()


def test_a_capture_that_is_cut_short_is_said_beside_what_it_still_has(capture):
    capture.write_bytes(capture.read_bytes()[:-10])
    done = explain(capture, "call-1")
    assert done.returncode == Exit.UNREADABLE
    assert "+493012345678 calls +442079460123" in done.stdout
    assert f"{capture}: is cut short" in done.stderr
    assert "as far as it can be read: it is cut short" in explain(capture, "nobody").stderr


def test_a_call_id_that_is_not_there_is_said(capture):
    done = explain(capture, "nobody")
    assert done.returncode == Exit.UNUSABLE
    assert done.stdout == ""
    assert "no call has the Call-ID 'nobody'" in done.stderr


def test_a_missing_capture_is_said_by_name(tmp_path):
    done = explain(tmp_path / "absent.pcap", "call-1")
    assert done.returncode == Exit.UNREADABLE
    assert "absent.pcap" in done.stderr


def test_a_call_without_end_is_drawn_up_to_a_bound(tmp_path):
    tap = Tap()
    for i in range(MAX_MESSAGES + 50):
        tap.send(request("INVITE", cseq=i + 1, branch=f"b{i}"), after=0.001)
    assert len(steps_of(tap.write(tmp_path / "tap.pcap"), "call-1")) == MAX_MESSAGES + 1


def test_escape_sequences_of_a_reason_phrase_do_not_reach_the_terminal(tmp_path):
    tap = Tap()
    tap.send(request("INVITE")).reply(response(486, to_tag="x").replace(b"486 Reason", b"486 \x1b[2JBusy"))
    done = explain(tap.write(tmp_path / "tap.pcap"), "call-1")
    assert "\x1b" not in done.stdout
    assert "486" in done.stdout
