"""The shipped bundles before campaigns and honest look-alikes that were written by hand (tests/campaigns.py)."""

import pytest

from tests.campaigns import CAMPAIGNS, HONEST, screened

# Calls after which a campaign must have been noticed, and the share of the calls after them that must be; of those, the
# share that has a right name.
NOTICED_BY, NOTICED_SHARE, NAMED_SHARE = 20, 0.4, 0.8

# Missed, and known to be: each call shows another number, is answered and lasts seconds.
PASSED = {"another caller each time"}

# Of which most calls after the first are flagged, not only watched.
FLAGGED = {
    "next numbers, vacant",
    "any numbers, all answered",
    "one ring",
    "one ring, requests only",
    "expensive range, an exchange",
    "one callee, busy",
    "one callee, any callers",
    "numbers of one block ring once",
    "pumped range",
    "asserted elsewhere",
}

# Honest, and seen wrongly, which is known too: the share of calls that are watched, and how many are flagged.
WATCHED = {"a busy number, dialled again": 0.8, "a new exchange": 0.1}
WRONGLY_FLAGGED = {"a new exchange": 1}


@pytest.mark.parametrize("name", sorted(set(CAMPAIGNS) - PASSED))
def test_a_plain_campaign_is_noticed_under_its_name(name):
    play, types = CAMPAIGNS[name]
    calls = screened(play)
    later = calls[min(NOTICED_BY, len(calls) // 2) :]
    noticed = [call for call in later if call["verdict"] != "pass"]
    assert len(noticed) >= NOTICED_SHARE * len(later)
    named = [call for call in noticed if types & set(call["fraud_types"])]
    assert len(named) >= NAMED_SHARE * len(noticed)
    assert all(call["reasons"] for call in noticed)
    if name in FLAGGED:
        assert sum(call["verdict"] == "flag" for call in later) > len(later) / 2


@pytest.mark.parametrize("name", sorted(HONEST))
def test_what_honest_people_do_alike_is_not_flagged_and_hardly_watched(name):
    calls = screened(HONEST[name])
    verdicts = [call["verdict"] for call in calls]
    assert verdicts.count("flag") <= WRONGLY_FLAGGED.get(name, 0)
    assert verdicts.count("watch") <= max(1, WATCHED.get(name, 0.05) * len(calls))
