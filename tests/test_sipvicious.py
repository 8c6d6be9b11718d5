"""SIPVicious, the tool of most scanners, against a real registrar: what it does is named by the fraud it is.

The bundles were not taught on it: it is a judge.
"""

import sys
from pathlib import Path

import pytest

from appliance.config import Capture, Config
from appliance.sources import open_sources
from tests import kamailio
from tests.network import in_a_network_of_its_own
from tests.watch import Watch

SCANNER, TOOLS = "127.0.9.9", Path(sys.executable).parent
ENDS = ["-b", SCANNER, "-x", SCANNER, "-P", "5090"]
ALL = 120  # requests, of the shortest scan
WINDOW_NS = 10_000_000  # the loopback interface shows every packet twice

SCANS = {
    "a sweep over addresses": (["svmap", "127.0.0.1-120"], "options_scan"),
    "a sweep by INVITE": (["svmap", "-m", "INVITE", "127.0.0.1-120"], "registration_scan"),
    "a sweep by REGISTER": (["svmap", "-m", "REGISTER", "127.0.0.1-120"], "registration_scan"),
    "users by REGISTER": (["svwar", "--force", "-e", "100-220", "127.0.0.1"], "registration_scan"),
    "users by OPTIONS": (["svwar", "--force", "-m", "OPTIONS", "-e", "100-220", "127.0.0.1"], "options_scan"),
    "users by INVITE": (["svwar", "--force", "-m", "INVITE", "-e", "100-220", "127.0.0.1"], "registration_scan"),
    "120 passwords of one user": (["svcrack", "-u", "105", "-r", "1000-1119", "127.0.0.1"], "password_guessing"),
    "passwords for one challenge": (
        ["svcrack", "-n", "-u", "105", "-r", "1000-1119", "127.0.0.1"],
        "password_guessing",
    ),
}


@pytest.mark.parametrize("scan", list(SCANS))
@in_a_network_of_its_own("kamailio")
def test_a_scan_is_flagged_as_what_it_is(tmp_path, scan):
    (tool, *arguments), fraud_type = SCANS[scan]
    found = findings(tmp_path, [TOOLS / f"sipvicious_{tool}", *ENDS, *arguments])
    assert [(one["verdict"], fraud_type in one["fraud_types"]) for one in found] == [("flag", True)]


@in_a_network_of_its_own("kamailio")
def test_users_are_searched_for_where_all_are_said_to_be_there(tmp_path):
    command = [TOOLS / "sipvicious_svwar", *ENDS, "--force", "-m", "OPTIONS", "-e", "200-320", "127.0.0.1"]
    found = findings(tmp_path, command, others='"200", "OK"')
    assert [(one["verdict"], one["fraud_types"]) for one in found] == [("flag", ["options_scan"])]


def findings(folder, command, **registrar):
    """About addresses, of what the command sends and hears."""
    config = Config(capture=Capture(interfaces=("lo",)))
    with kamailio.registrar(folder, **registrar):
        watch = Watch(open_sources(config), config, WINDOW_NS)
        with kamailio.running(command, folder):
            # not to its end: it waits up to ten seconds more for what does not come
            watch.until(lambda: watch.counts()["sip_requests"] >= ALL).until_quiet(1.0)
        lines = watch.finish()
    return [line for line in lines if line["type"] == "source" and line["caller"] is None]
