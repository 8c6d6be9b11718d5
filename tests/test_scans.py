"""What rows say of scans, guesses and honest look-alikes that were written by hand (tests/scans.py), and what the
shipped source bundle makes of them."""

import numpy as np
import pytest

from capture.file import CaptureFile
from kernels.engine import BLOCK, Engine
from kernels.schema import SOURCE_FEATURES
from models.training.collect import LIMITS, SECRET, packed
from tests.scans import HONEST, SCANNER, SCANS, SERVER, Script, screened

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


def test_where_requests_only_are_seen_nobody_is_called_unanswered(last_row):
    assert np.isnan(last_row(HONEST["a monitor of 20 servers, requests only"]())["source_replied_ratio"])


# A few wrong passwords for each of many users, at a telephone's pace: an office whose passwords were changed does so.
UNNOTICED = {"three passwords for each of 60 users"}


# Too few requests for a flag, or no faster than a telephone.
WATCHED = {
    "users, six a second, 404",
    "users, six a second, 401 to all",
    "users, one a minute, 404",
    "users, one a minute, 401 to all",
    "a password every ten seconds",
}


@pytest.mark.parametrize("name", sorted(SCANS.keys() - UNNOTICED))
def test_a_plain_scan_is_noticed_under_its_name(name):
    play, fraud_type = SCANS[name]
    found = screened(play)
    assert [fraud_type in one["fraud_types"] for one in found] == [True]
    assert found[0]["reasons"]
    assert found[0]["verdict"] == ("watch" if name in WATCHED else "flag")


@pytest.mark.parametrize("name", sorted(HONEST))
def test_what_honest_devices_do_alike_is_not_flagged(name):
    assert [one["verdict"] for one in screened(HONEST[name]) if one["verdict"] != "watch"] == []
