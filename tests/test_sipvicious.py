"""SIPVicious, the tool of most scanners, against a real registrar: what it does is named by the fraud it is.

The bundles were not taught on it: it is a judge. What it does with passwords (svcrack) is not found, and stands in
docs/DETECTION.md.
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
WINDOW_NS = 10_000_000  # the loopback interface shows every packet twice

SCANS = {
    "a sweep over addresses": (["svmap", "127.0.0.1-120"], "options_scan"),
    "users by REGISTER": (["svwar", "--force", "-e", "100-220", "127.0.0.1"], "registration_scan"),
    "users by OPTIONS": (["svwar", "--force", "-m", "OPTIONS", "-e", "100-220", "127.0.0.1"], "options_scan"),
}


@pytest.mark.parametrize("scan", list(SCANS))
@in_a_network_of_its_own("kamailio")
def test_a_scan_is_flagged_as_what_it_is(tmp_path, scan):
    (tool, *arguments), fraud_type = SCANS[scan]
    found = findings(tmp_path, [TOOLS / f"sipvicious_{tool}", *ENDS, *arguments])
    assert [(one["verdict"], fraud_type in one["fraud_types"]) for one in found] == [("flag", True)]


def findings(folder, command):
    """About addresses, of what the command sends and hears."""
    config = Config(capture=Capture(interfaces=("lo",)))
    with kamailio.registrar(folder):
        watch = Watch(open_sources(config), config, WINDOW_NS)
        # the tools end with a status of their own
        watch.run_beside(["sh", "-c", '"$@" >"$0" 2>&1; true', folder / "log", *command])
        lines = watch.finish()
    return [line for line in lines if line["type"] == "source" and line["caller"] is None]
