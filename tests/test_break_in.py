# ruff: noqa: RUF001 - Chinese has its own marks
"""An account that was broken into is told, whatever its address was flagged for before, and nobody else is accused."""

import msgspec
import pytest

from appliance.break_in import is_break_in, reason_of
from appliance.config import Config, Limits
from appliance.outlet import Outlet
from appliance.pipeline import Pipeline
from capture.file import CaptureFile
from collector.console.reasons import in_chinese
from models.fraud_types import BIT_OF
from models.verdict import FLAG, PASS, WATCH
from tests.scans import HONEST, SCANNER, SCANS, guessed, tried, users


@pytest.fixture
def told(tmp_path):
    """What is told at once of the scanner's address in what a script plays, in the order in which it is."""

    def screened(script, **limits):
        alerts = []
        pipeline, outlet = Pipeline(Config(limits=Limits(**limits))), Outlet(alert=alerts.append)
        with CaptureFile(script.write(tmp_path / "requests.pcap")) as capture:
            while pipeline.run(capture.reader) or capture.fill():
                pipeline.end_block(outlet)
        pipeline.end_block(outlet)
        lines = [msgspec.json.decode(line) for line in alerts]
        return [one for one in lines if one["type"] == "source" and (one["source"], one["caller"]) == (SCANNER, None)]

    return screened


BLOCKS = pytest.mark.parametrize("block_packets", [1, 4096])


@BLOCKS
@pytest.mark.parametrize("name", ["600 passwords, found", "300 passwords by INVITE, found"])
def test_an_account_that_was_guessed_is_told_though_its_address_was_flagged_before(told, name, block_packets):
    lines = told(SCANS[name][0](), block_packets=block_packets)
    assert lines[-1]["verdict"] == "flag"
    assert "password_guessing" in lines[-1]["fraud_types"]
    assert lines[-1]["reasons"][0]["text"].startswith("let in as 1** after ")
    assert lines[-1]["reasons"][0]["value"] > 200
    assert len(lines[-1]["reasons"]) > 1, "what it was flagged for is no longer told"
    assert not any(one["text"].startswith("let in") for line in lines[:-1] for one in line["reasons"])


def test_an_address_that_is_only_watched_is_flagged_when_it_gets_in(told):
    watched = guessed(["100"], 26, 0.5, method="INVITE", found=True)  # thirty would be a flag
    lines = told(watched(), block_packets=1)
    assert [line["verdict"] for line in lines] == ["watch", "flag"]
    assert lines[-1]["reasons"][0]["text"] == "let in as 1** after 25 wrong passwords"


@BLOCKS
def test_one_password_of_many_for_many_users_that_is_right_is_told_as_that(told, block_packets):
    script = tried("REGISTER", users(60), (404,), 0.5)()  # it is flagged for its search, and goes on
    for k in range(180):
        script.ask(60 + 2.0 * k, "REGISTER", users(60)[k % 60], 401, 401 if k < 179 else 200)
    lines = told(script, block_packets=block_packets)
    assert lines[-1]["reasons"][0]["text"].startswith("let in as 1** after 17")
    assert lines[-1]["reasons"][0]["text"].endswith(" users")
    assert lines[-1]["fraud_types"] == ["registration_scan", "password_guessing"]


@BLOCKS
def test_a_password_that_is_right_among_a_few_for_each_of_many_users_is_told(told, block_packets):
    lines = told(SCANS["the same, and one is right"][0](), block_packets=block_packets)
    assert (lines[-1]["verdict"], lines[-1]["fraud_types"]) == ("flag", ["password_guessing"])
    assert lines[-1]["reasons"][0]["text"].startswith("let in as 1** after 17")
    assert lines[-1]["reasons"][0]["text"].endswith(" users")


@pytest.mark.parametrize("name", ["an old password, put right", "a password mistyped five times"])
def test_a_telephone_whose_password_is_put_right_is_not_accused(told, name):
    assert told(HONEST[name]()) == []


def test_who_is_known_for_guessing_or_flagged_for_searching_has_broken_in():
    guessing, searching, gateway = (BIT_OF[name] for name in ("password_guessing", "registration_scan", "goip_gateway"))
    assert not is_break_in(PASS, 0, 1)
    assert is_break_in(WATCH, guessing, 1)
    assert not is_break_in(WATCH, guessing, 60)  # an office whose passwords are put right
    assert is_break_in(FLAG, guessing, 60)
    assert is_break_in(FLAG, searching, 1)
    assert not is_break_in(WATCH, searching, 1)  # an exchange that restarts
    assert not is_break_in(FLAG, gateway, 1)


def test_the_user_is_masked_as_numbers_are():
    assert "+4915*****78" in reason_of(b"+49151234578", 37.0, 1.0).text
    assert "a***" in reason_of(b"alice\xff", 37.0, 1.0).text
    assert reason_of(b"", 37.0, 1.0).text == "let in as an unnamed user after 37 wrong passwords"


def test_the_console_says_it_in_chinese():
    for users_tried, before in ((1.0, ""), (60.0, "为 60 个用户")):
        reason = msgspec.to_builtins(reason_of(b"alice", 37.0, users_tried))
        assert in_chinese(reason) == f"{before}尝试错误密码 37 次后，以用户 a*** 的身份获准登录"
