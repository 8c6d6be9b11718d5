"""What rows say of scans, guesses and honest look-alikes that were written by hand (tests/scans.py), and what the
shipped source bundle makes of them."""

import numpy as np
import pytest

from capture.file import CaptureFile
from kernels.engine import BLOCK, Engine
from kernels.schema import SOURCE_FEATURES
from models.training.collect import LIMITS, SECRET, packed
from tests.scans import HONEST, SCANNER, SCANS, SERVER, STALE, Script, in_vain, screened, tried, users

COLUMN = {feature.name: i for i, feature in enumerate(SOURCE_FEATURES)}


@pytest.fixture
def last_row(tmp_path):
    """The last row of an address in what a script plays, by feature name."""

    def read(script: Script, address: str = SCANNER) -> dict[str, float]:
        engine = Engine(**LIMITS, secret=SECRET, region=None)
        with CaptureFile(script.write(tmp_path / "requests.pcap")) as file:
            while engine.run(file.reader) != BLOCK and file.fill():  # each is less than a block
                pass
        rows = [row for i, row in enumerate(engine.source_block) if engine.note_of_row(i, True)[0] == packed(address)]
        return {name: float(rows[-1][i]) for name, i in COLUMN.items()}

    return read


def test_a_sweep_by_invite_asks_many_servers(last_row):
    row = last_row(SCANS["addresses, by INVITE, one user"][0]())
    assert row["source_targets_day"] == pytest.approx(120, rel=0.35)
    assert row["source_invite_ratio"] > 0.9


def test_a_challenge_that_calls_the_nonce_stale_is_read(last_row):
    assert last_row(HONEST["the same, each nonce too old"]())["source_wrong_passwords_minute"] == 0
    assert last_row(SCANS["120 passwords in a minute, one dialog"][0]())["source_wrong_passwords_minute"] > 70


@pytest.mark.parametrize(
    ("challenge", "tries"),
    [
        ('Digest realm="r", nonce="n", stale=TRUE', 0),
        ('Digest stale = "true",realm="r"', 0),
        ('Digest realm="r", nonce="n", stale=false', 1),
        ('Digest realm="stale"', 1),
        ("stale=tru", 1),
    ],
)
def test_stale_is_read_as_clients_and_servers_write_it(last_row, challenge, tries):
    script = Script()
    for k in range(8):
        script.ask(k, "REGISTER", "100", 401, authorized=True, challenge=challenge)
    assert (last_row(script)["source_wrong_passwords_minute"] > 0) == tries


def test_a_registrar_is_known_by_what_it_grants(last_row):
    assert last_row(HONEST["an exchange asks its telephones"](), SERVER)["source_granted_day"] == 0
    later = HONEST["an exchange asks its telephones"]()
    later.ask(-1.0, "OPTIONS", "100", 200, source=SERVER, target=SCANNER)  # its first own request
    assert last_row(later, SERVER)["source_granted_day"] == pytest.approx(80, rel=0.05)


def test_an_account_that_was_guessed_is_looked_at_at_once(last_row):
    assert last_row(SCANS["600 passwords, found"][0]())["source_guessed_tries_day"] == pytest.approx(599, rel=0.01)


def invites(*codes, count=20, **more):
    script = Script()
    for k in range(count):
        script.ask(k, "INVITE", "100", *codes, **more)
    return script


def test_a_password_that_an_invite_tries_counts_as_one_of_a_registration_does(last_row):
    tried = [last_row(SCANS[f"120 passwords in a minute{how}"][0]()) for how in ("", ", by INVITE")]
    for name in ("source_wrong_passwords_minute", "source_user_failures_minute", "source_wrong_passwords_day"):
        assert tried[1][name] == pytest.approx(tried[0][name], rel=0.1)
        assert tried[1][name] > 70


def test_a_call_with_many_wrong_passwords_is_many_tries(last_row):
    assert last_row(invites(401, 401, call_id="of all"))["source_wrong_passwords_day"] > 15


@pytest.mark.parametrize(
    ("codes", "more"),
    [
        ((401, 200), {}),
        ((401, 200), {"authorized": True}),
        ((401,), {"authorized": True}),
        ((401, 403), {}),
        ((401, 486), {}),
        ((401, 401), {"challenge": STALE}),
    ],
    ids=["challenged", "challenged anew", "asked again only", "forbidden", "busy", "nonce too old"],
)
def test_what_honest_callers_hear_of_their_credentials_is_no_wrong_password(last_row, codes, more):
    row = last_row(invites(*codes, **more))
    assert row["source_wrong_passwords_day"] == row["source_guessed_day"] == 0


def test_who_is_let_in_by_an_invite_after_wrong_passwords_has_guessed(last_row):
    assert last_row(SCANS["300 passwords by INVITE, found"][0]())["source_guessed_tries_day"] > 250


def test_passwords_of_users_who_were_let_in_here_before_are_told_apart(last_row):
    row = last_row(HONEST["60 telephones, 401 to all for ten minutes"]())
    assert row["source_failed_own_day"] == pytest.approx(600, rel=0.1)
    assert last_row(HONEST["60 telephones, all passwords changed"]())["source_failed_own_day"] == 0


def test_tries_that_begin_anew_are_told_from_those_of_telephones(last_row):
    guessing = last_row(SCANS["three passwords for each of 60 users"][0]())
    assert guessing["source_failed_anew_day"] > 60  # of 120, less the errors of both sketches
    assert guessing["source_failed_anew_ratio"] > 0.5
    telephones = last_row(HONEST["60 telephones, all passwords changed"]())
    assert telephones["source_failed_anew_ratio"] < 0.05
    first_turn = last_row(in_vain(0, 1, 401, 403, count=300)())
    assert first_turn["source_failed_anew_day"] < 20
    let_in_before = last_row(HONEST["60 softphones that were let in before, the same"]())
    assert let_in_before["source_failed_anew_day"] == 0


def test_users_whom_three_addresses_try_are_tried_together(last_row):
    together = last_row(SCANS["one user, from six addresses, one in ten seconds"][0](), "203.0.113.1")
    assert together["source_failed_crowd_day"] == pytest.approx(38, abs=2)
    alone = last_row(HONEST["two telephones with an old password, each try anew"]())
    assert alone["source_failed_crowd_day"] == 0


def test_where_requests_only_are_seen_nobody_is_called_unanswered(last_row):
    assert np.isnan(last_row(HONEST["a monitor of 20 servers, requests only"]())["source_replied_ratio"])


# As honest devices do it: a client that is broken and begins anew with each try, and the telephone of a user under
# attack; and as an office whose passwords were all changed does at its first turn.
WATCHED = {"a password every ten seconds", "one user, from six addresses, one in ten seconds"}
UNNOTICED = {"a password for each of 150 users"}
# Nothing but their number tells them from guessing, or, where no reply is seen, from a search.
WATCHED_HONEST = {
    "an old password that calls, every ten seconds",
    "a monitor of 20 servers, requests only",
    "20 softphones, all passwords changed, each try anew",
}


@pytest.mark.parametrize("name", sorted(SCANS.keys() - UNNOTICED))
def test_a_plain_scan_is_noticed_under_its_name(name):
    play, fraud_type = SCANS[name]
    found = screened(play)
    assert found
    for one in found:
        assert fraud_type in one["fraud_types"]
        assert one["reasons"]
        assert one["verdict"] == ("watch" if name in WATCHED else "flag")


@pytest.mark.parametrize("name", sorted(UNNOTICED))
def test_what_is_not_noticed_is_said_to_be_so(name):
    assert screened(SCANS[name][0]) == []


def test_a_search_for_users_is_noticed_within_its_first_twenty_five():
    for every_s in (1 / 6, 60.0, 600.0):
        (found,) = screened(tried("REGISTER", users(25), (401,), every_s))
        assert (found["verdict"], found["fraud_types"]) == ("flag", ["registration_scan"])


@pytest.mark.parametrize("name", sorted(HONEST.keys() - WATCHED_HONEST))
def test_what_honest_devices_do_alike_passes(name):
    assert screened(HONEST[name]) == []


@pytest.mark.parametrize("name", sorted(WATCHED_HONEST))
def test_what_only_looks_like_a_scan_is_watched_at_most(name):
    assert {one["verdict"] for one in screened(HONEST[name])} <= {"watch"}
