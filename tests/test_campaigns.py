"""The shipped bundles before campaigns and honest look-alikes that were written by hand (tests/campaigns.py)."""

import pytest

from tests.campaigns import CAMPAIGNS, HONEST, screened

# Calls after which a campaign must have been noticed, and the share of the calls after them that must be.
NOTICED_BY, NOTICED_SHARE = 20, 0.8

# Missed, and known to be: docs/DETECTION.md says why.
PASSED: set[str] = set()


@pytest.mark.parametrize("name", sorted(set(CAMPAIGNS) - PASSED))
def test_a_plain_campaign_is_watched_or_flagged_under_its_name(name):
    play, types = CAMPAIGNS[name]
    calls = screened(play)
    later = calls[min(NOTICED_BY, len(calls) // 2) :]
    noticed = [call for call in later if call["verdict"] != "pass"]
    assert len(noticed) >= NOTICED_SHARE * len(later)
    named = [call for call in noticed if types & set(call["fraud_types"])]
    assert len(named) >= NOTICED_SHARE * len(noticed)
    assert all(call["reasons"] for call in noticed)


@pytest.mark.parametrize("name", sorted(HONEST))
def test_what_honest_people_do_alike_is_not_flagged_and_hardly_watched(name):
    calls = screened(HONEST[name])
    assert [call["verdict"] for call in calls].count("flag") == 0
    assert sum(call["verdict"] == "watch" for call in calls) <= max(1, 0.05 * len(calls))
