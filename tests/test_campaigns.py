"""The shipped bundles before campaigns and honest look-alikes that were written by hand (tests/campaigns.py)."""

import pytest

from tests.campaigns import CAMPAIGNS, CARRIED, HONEST, screened

# Calls after which a campaign must have been noticed, and the share of the calls after them that must be; of those, the
# share that has a right name.
NOTICED_BY, NOTICED_SHARE, NAMED_SHARE = 20, 0.4, 0.8

# Of which fewer are noticed: nobody replies, which says little of a caller; an account that shows other people's
# numbers calls as the customers of a calling service do.
LESS_NOTICED = {
    "next numbers, no reply": 0.0,
    "any numbers, no reply": 0.0,
    "one callee, any callers": 0.0,
    "one callee, any callers, on a trunk": 0.0,
    "one account, the callees' neighbours": 0.0,
    "one account, any numbers, on a trunk": 0.2,
}

# Of which most calls after the first are flagged, not only watched.
FLAGGED = {
    "next numbers, all answered",
    "next numbers, answered at once",
    "next numbers, busy",
    "prefix scan",
    "prefix scan, refused in many ways",
    "next numbers, declined",
    "next numbers, vacant",
    "next numbers, from an extension",
    "any numbers, all answered",
    "forty calls, all answered",
    "another caller each time",
    "one ring",
    "one ring, requests only",
    "expensive range, an exchange",
    "expensive range, an account",
    "one callee, busy",
    "one callee, many ends",
    "numbers of one block ring once",
    "pumped range",
    "asserted elsewhere",
    "asserted elsewhere, on a trunk",
    "one account abroad, any numbers",
    "next numbers, vacant, on a trunk",
    "one ring, on a trunk",
    "expensive range, an exchange, on a trunk",
    "expensive range, an account, on a trunk",
    "one callee, busy, on a trunk",
    "one callee, many ends, on a trunk",
    "pumped range, on a trunk",
}


@pytest.mark.parametrize("name", sorted(CAMPAIGNS | CARRIED))
def test_a_plain_campaign_is_noticed_under_its_name_and_who_shares_its_trunk_is_not(name):
    play, types = (CAMPAIGNS | CARRIED)[name]
    calls, bystanders = screened(play)
    later = calls[min(NOTICED_BY, len(calls) // 2) :]
    noticed = [call for call in later if call["verdict"] != "pass"]
    assert len(noticed) >= LESS_NOTICED.get(name, NOTICED_SHARE) * len(later)
    named = [call for call in noticed if types & set(call["fraud_types"])]
    assert len(named) >= NAMED_SHARE * len(noticed)
    assert all(call["reasons"] for call in noticed)
    if name in FLAGGED:
        assert sum(call["verdict"] == "flag" for call in later) > len(later) / 2
    verdicts = [call["verdict"] for call in bystanders]
    assert verdicts.count("flag") == 0
    assert verdicts.count("watch") <= 0.02 * len(bystanders)


# Honest people of whose calls more are watched than a desk should have to look at, and the share that is.
WATCHED_HONEST = {"a firm joins a conference": 0.9, "telephones beside a gateway": 0.1}


@pytest.mark.parametrize("name", sorted(HONEST))
def test_what_honest_people_do_alike_is_not_flagged_and_hardly_watched(name):
    calls, _ = screened(HONEST[name])
    verdicts = [call["verdict"] for call in calls]
    assert verdicts.count("flag") == 0
    assert verdicts.count("watch") <= max(1, WATCHED_HONEST.get(name, 0.05) * len(calls))
