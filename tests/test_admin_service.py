"""The operator's commands against the real service, which has screened the sample capture."""

import json
import socket
from pathlib import Path

import pytest

from appliance.exit import Exit
from tests.admin_box import command
from tests.running import Service
from tests.tap import Tap, request, screen
from tests.waiting import until

SAMPLE = Path(__file__).resolve().parent.parent / "simulator" / "samples" / "sample.pcap.gz"

READING = [
    ("status",),
    ("calls",),
    ("findings", "--limit", "1000"),
    ("evidence", "list", "--limit", "1000"),
    ("allow", "list"),
    ("decisions", "list"),
    ("doctor",),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory):
    """All that it found in the sample is stored: that is certain when it has been stopped."""
    service = Service(tmp_path_factory.mktemp("service"), 'log.format = "json"').start()
    service.give(SAMPLE)
    service.has_taken(screen(SAMPLE)[-1]["sip_messages"])
    assert service.stop() == 0
    yield service.start()
    service.kill()


def ask(service: Service, *arguments: object) -> str:
    done = command(*arguments, "--socket", service.socket)
    assert done.stderr == ""
    assert done.returncode == Exit.DONE or arguments[0] == "doctor"
    return done.stdout


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_every_reading_command_answers_in_its_three_forms(service: Service, arguments: tuple[str, ...]) -> None:
    assert ask(service, *arguments)
    answer = json.loads(ask(service, *arguments, "-o", "json"))
    raw = ask(service, *arguments, "-o", "raw").splitlines()
    if isinstance(answer, list):
        assert len(raw) == len(answer)
        assert len({line.count("\t") for line in raw}) <= 1
    else:
        assert {line.count("\t") for line in raw} == {1}


def test_a_flagged_call_is_explained_as_it_was_found(service: Service) -> None:
    (finding,) = json.loads(ask(service, "findings", "--verdict", "flag", "--limit", "1", "-o", "json"))
    text = ask(service, "explain", finding["id"])
    assert f"finding {finding['id']}" in text
    assert "flag, score" in text
    assert all(f"  {reason}" in text for reason in finding["reasons"])


def test_what_is_allowed_is_stored_as_such_from_then_on(service: Service, tmp_path: Path) -> None:
    before = service.status()
    caller = "+491701234567"
    ask(service, "allow", "add", "192.0.2.10", "--why", "the test of this")
    tap = Tap(now_s=1_900_000_000)
    for i in range(400):  # a campaign that is flagged without the list
        tap.send(request("INVITE", call_id=f"allowed-{i}", caller=caller, callee=f"+4420794{i:05}"), after=0.05)
    service.give(tap.write(tmp_path / "campaign.pcap"))
    service.has_taken(before["traffic"]["sip_messages"] + 400)

    def verdicts() -> set[str]:
        found = json.loads(ask(service, "findings", "--source", "192.0.2.10", "-o", "json"))
        return {row["verdict"] for row in found}

    until(lambda: verdicts() == {"allowed"})
    assert service.status()["spool"]["depth"] == before["spool"]["depth"]
    ask(service, "allow", "delete", "192.0.2.10")


def test_showing_numbers_is_written_to_the_log_with_who_did_it(service: Service) -> None:
    ask(service, "findings", "--unmasked", "--limit", "1")
    lines = [json.loads(line) for line in service.errors.read_text().splitlines() if line.startswith("{")]
    shown = [line for line in lines if line["event"] == "numbers were shown unmasked"]
    assert shown[-1]["command"] == "findings"
    assert shown[-1]["by"]


def test_a_reload_over_the_socket_says_what_has_changed(service: Service) -> None:
    service.configure('log.format = "json"\nlog.level = "warning"')
    assert 'log.level: "info" -> "warning"' in ask(service, "reload")
    service.configure('log.format = "json"\nlog.levle = "warning"')
    done = command("reload", "--socket", service.socket)
    assert done.returncode == Exit.UNUSABLE
    assert "did you mean level" in done.stderr


def test_clients_that_stall_and_never_read_do_not_hold_screening_up(service: Service, tmp_path: Path) -> None:
    before = service.status()["calls"]
    greeting = b'{"protocol": 1, "client": "x"}\n'
    ask_much = b'{"id": 1, "command": "findings", "arguments": {"limit": 1000}}\n'
    stalling = []
    for i in range(24):
        one = socket.socket(socket.AF_UNIX)
        one.connect(str(service.socket))
        one.sendall((b'{"protocol"', greeting + b'{"id": 1, ', greeting + 20 * ask_much)[i % 3])
        stalling.append(one)
    tap = Tap(now_s=1_950_000_000)
    for i in range(1000):
        tap.send(request("INVITE", call_id=f"meanwhile-{i}"))
    service.give(tap.write(tmp_path / "meanwhile.pcap"))
    until(lambda: service.status()["calls"] == before + 1000, 9)  # before those who never read are given up
    for one in stalling:
        one.close()
