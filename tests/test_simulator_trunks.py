"""Who shares a carrier's trunk: honest callers, and campaigns, told apart by their labels alone."""

from collections import defaultdict
from pathlib import Path

from test_simulator_populations import HEAD, play

ON_A_TRUNK = """
[[population]]
kind = "wholesale"
name = "carrier"
calls_per_hour = 60.0

[[population]]
kind = "service_line"
name = "hotline"
through = "carrier"
outside_ratio = 1.0

[[population]]
kind = "conference"
name = "bridge"
through = "carrier"
firm_ratio = 1.0
bridges = 1

[[population]]
kind = "foreign_families"
name = "families"
through = "carrier"
calls_per_line_hour = 6.0
curve = "flat"

[[population]]
kind = "toll_fraud"
name = "thief"
through = "carrier"
accounts = 1
destinations = 10
scattered = true
starts_within_s = 60.0
talk_median_s = 20.0

[[population]]
kind = "call_pumping"
name = "pump"
through = "carrier"
ranges = 3
range_size = 4
foreign = true
"""


def test_honest_people_and_thieves_share_a_carriers_trunk(tmp_path: Path):
    _, labels = play(tmp_path, HEAD + ON_A_TRUNK)
    calls = defaultdict(list)
    for line in labels:
        if line["type"] == "call":
            calls[line["population"]].append(line)
    assert {line["source"] for lines in calls.values() for line in lines} == {calls["carrier"][0]["source"]}
    callers = {name: {line["caller_e164"] for line in lines} for name, lines in calls.items()}
    assert len(callers["hotline"]) > 30
    assert len(callers["families"]) > 3
    assert len(callers["bridge"]) == len(callers["thief"]) == 1
    stolen = {int(line["callee_e164"]) for line in calls["thief"]}
    assert max(stolen) - min(stolen) > 1000
    assert len({line["callee_e164"] for line in calls["pump"]}) == 12
    assert len({line["callee_e164"][:-4] for line in calls["pump"]}) == 3
