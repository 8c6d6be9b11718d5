"""Honest people who look like spoofers, gateways and false answers, and these where honest people share their place."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.test_simulator_populations import HEAD, play

SHORT = HEAD.replace("1200", "600")
FIRM = (
    '[[population]]\nkind = "office"\nname = "firm"\noffices = 1\nextensions = 10\ncalls_per_extension_hour = 12.0\n'
    'one_number_ratio = 0.0\ncurve = "flat"\nform = "e164"\n'
)
CARRIER = '[[population]]\nkind = "wholesale"\nname = "carrier"\ncallers = 50\ncalls_per_hour = 300.0\nform = "e164"\n'


def asserted(capture: Path, tshark_fields: Callable) -> Counter[str]:
    return Counter(
        number for (number,) in tshark_fields(capture, "sip.Method == INVITE && !sip.to.tag", "sip.pai.user")
    )


def test_a_firm_led_from_abroad_is_asserted_by_one_number_there(tmp_path: Path, tshark_fields: Callable):
    capture, labels = play(tmp_path, SHORT + FIRM + 'identity = { asserted = "pai", head_abroad_ratio = 1.0 }\n')
    own = {line["caller"] for line in labels if line.get("variant") != "call_back"}
    assert len(own) > 5 and all(number.startswith("+86") for number in own)
    ((number, count),) = asserted(capture, tshark_fields).items()
    assert not number.startswith("+86") and count > 10


def test_who_presents_a_clients_number_is_asserted_by_another_of_the_country(tmp_path: Path, tshark_fields: Callable):
    capture, labels = play(tmp_path, SHORT + FIRM + 'identity = { asserted = "pai", presented_ratio = 1.0 }\n')
    (number,) = asserted(capture, tshark_fields)
    assert number.startswith("+86")
    assert number not in {line["caller"] for line in labels}


def test_on_a_carriers_trunk_hardly_anybody_is_led_from_abroad(tmp_path: Path, tshark_fields: Callable):
    text = SHORT + CARRIER.replace("50", "5000").replace("300.0", "6000.0")
    capture, _ = play(tmp_path, text + 'identity = { asserted = "pai", head_abroad_ratio = 0.01 }\n')
    found = asserted(capture, tshark_fields)
    abroad = sum(count for number, count in found.items() if number and not number.startswith("+86"))
    assert 0 < abroad < 0.03 * found.total()


def test_a_spoofer_may_be_asserted_by_one_number_for_all_that_it_shows(tmp_path: Path, tshark_fields: Callable):
    spoofer = '[[population]]\nkind = "caller_spoofing"\nname = "s"\ncalls_per_hour = 300.0\nasserted_numbers = 1\n'
    capture, labels = play(tmp_path, SHORT + spoofer + 'identity = { asserted = "pai" }\n')
    assert len({line["caller"] for line in labels}) > 20
    assert len(asserted(capture, tshark_fields)) == 1


def test_a_gateway_behind_a_firms_nat_shares_its_address_and_not_its_style(tmp_path: Path, tshark_fields: Callable):
    gateway = '[[population]]\nkind = "goip_gateway"\nname = "g"\nthrough = "firm"\nshares_address = true\n'
    capture, labels = play(tmp_path, SHORT + FIRM + gateway + "terminating_ratio = 0.0\n")
    addresses = {
        kind: {one["source"].rpartition(":")[0] for one in labels if one["type"] == "call" and one["label"] == kind}
        for kind in ("honest", "goip_gateway")
    }
    assert addresses["goip_gateway"] and addresses["goip_gateway"] <= addresses["honest"]
    (address,) = addresses["goip_gateway"]
    asked = tshark_fields(capture, f"udp.dstport == 44444 && ip.src == {address}", "frame.number")
    assert len(asked) > 20
    from_there = f"sip.Method == INVITE && ip.src == {address}"
    assert len(set(tshark_fields(capture, from_there, "sip.User-Agent"))) == 2


def test_a_gateway_of_plain_style_is_given_away_by_what_is_beside_sip_alone(tmp_path: Path, tshark_fields: Callable):
    gateway = '[[population]]\nkind = "goip_gateway"\nname = "g"\nplain = true\n'
    capture, _ = play(tmp_path, SHORT + gateway)
    assert tshark_fields(capture, "udp.dstport == 44444", "frame.number")
    assert not tshark_fields(capture, 'sdp.session_name == "DBL Session"', "frame.number")


def test_a_sim_bank_is_not_the_server_that_honest_people_call(tmp_path: Path, tshark_fields: Callable):
    gateway = '[[population]]\nkind = "goip_gateway"\nname = "g"\nsim_bank = true\nterminating_ratio = 0.0\n'
    capture, _ = play(tmp_path, SHORT + gateway)
    banks = set(tshark_fields(capture, "udp.srcport == 56011", "ip.src"))
    servers = set(tshark_fields(capture, "sip.Method == INVITE", "ip.dst"))
    assert len(banks) == 2 and not banks & servers  # the gateway's end and the bank's


@pytest.mark.parametrize(
    "text",
    [
        '[[population]]\nkind = "interconnect"\nname = "i"\nremote_busy_ratio = 1.0\ncalls_per_hour = 3000.0\n',
        "[network]\nremote_busy = true\n" + CARRIER.replace("300.0", "3000.0"),
    ],
)
def test_an_honest_route_and_the_server_may_hand_on_the_status_line_of_a_gateway(
    text: str, tmp_path: Path, tshark_fields: Callable
):
    capture, labels = play(tmp_path, SHORT + text)
    assert {line["label"] for line in labels} == {"honest"}
    lines = {line for (line,) in tshark_fields(capture, "sip.Status-Code == 480", "sip.Status-Line")}
    assert lines == {"SIP/2.0 480 Remote Busy"}


def test_false_answers_to_one_country_abroad_may_be_handed_on_by_a_trunk_itself(
    tmp_path: Path, tshark_fields: Callable
):
    false = '[[population]]\nkind = "false_answer"\nname = "f"\nthrough = "carrier"\ncountries = 1\nfalse_ratio = 1.0\n'
    capture, labels = play(tmp_path, SHORT + CARRIER + false)
    (trunk,) = {line["source"] for line in labels if line["population"] == "carrier"}
    answered = [line for line in labels if line["label"] == "false_answer"]
    assert {line["source"] for line in answered} == {trunk}
    assert len({line["callee_e164"][:-6] for line in answered}) == 1
    assert not any(line["callee_e164"].startswith("86") for line in answered)
    honest = {line["caller"] for line in labels if line["population"] == "carrier"}
    assert {line["caller"] for line in answered} & honest
    agents = tshark_fields(capture, f"sip.Method == INVITE && ip.src == {trunk.rpartition(':')[0]}", "sip.User-Agent")
    assert len(set(agents)) == 1  # the trunk's, and not the server's


def test_the_route_to_a_hotline_is_answered_at_once_and_is_honest(tmp_path: Path, tshark_fields: Callable):
    line = '[[population]]\nkind = "interconnect"\nname = "i"\nvoicemail_ratio = 1.0\nnumbers = 2\n'
    capture, labels = play(tmp_path, SHORT + line)
    assert {one["label"] for one in labels} == {"honest"}
    assert len({one["callee_e164"] for one in labels}) == 2
    answered = {one["call_id"] for one in labels if one["state"] == "completed"}
    rung = {name for (name,) in tshark_fields(capture, "sip.Status-Code == 180", "sip.Call-ID")}
    assert len(answered) > 10 and not answered & rung


def test_a_spoofer_may_show_numbers_like_the_callees_or_of_few_blocks(tmp_path: Path):
    spoofer = '[[population]]\nkind = "caller_spoofing"\nname = "s"\ncalls_per_hour = 300.0\nform = "e164"\n'
    _, labels = play(tmp_path, SHORT + spoofer + 'shows = "neighbour"\nneighbour_digits = 5\n')
    assert len(labels) > 20
    assert all(line["caller_e164"][:-5] == line["callee_e164"][:-5] for line in labels if line["type"] == "call")
    _, labels = play(tmp_path, SHORT + spoofer + "blocks = 2\n")
    assert len({line["caller"][:-4] for line in labels if line["type"] == "call"}) == 2


def test_customers_of_a_calling_service_show_their_own_numbers_under_its_one(tmp_path: Path, tshark_fields: Callable):
    service = '[[population]]\nkind = "calling_service"\nname = "s"\nusers = 30\ncalls_per_user_hour = 20.0\n'
    capture, labels = play(tmp_path, SHORT + service + 'identity = { asserted = "pai" }\n')
    called = Counter((line["caller"], line["callee_e164"]) for line in labels if line["type"] == "call")
    assert len({caller[:-4] for caller, _ in called}) > 20
    assert max(called.values()) > 2
    assert len(asserted(capture, tshark_fields)) == 1


def test_a_hosted_exchange_asserts_a_number_of_each_firm_and_most_show_its_block(tmp_path: Path):
    service = '[[population]]\nkind = "calling_service"\nname = "s"\naccounts = 5\nusers = 4\nown_ratio = 0.0\n'
    _, labels = play(tmp_path, SHORT + service + "calls_per_user_hour = 20.0\n")
    assert len({line["caller"][:-2] for line in labels if line["type"] == "call"}) <= 5


def test_who_forwards_is_asserted_for_whoever_calls_and_nothing_else_tells(tmp_path: Path, tshark_fields: Callable):
    forwards = (
        '[[population]]\nkind = "forwarding"\nname = "f"\nnumbers = 3\ntargets = 1\ncalls_per_number_hour = 80.0\n'
    )
    identity = 'identity = { asserted = "pai", diverter_asserted = true, diverted_by = "none" }\n'
    capture, labels = play(tmp_path, SHORT + forwards + identity)
    calls = [line for line in labels if line["type"] == "call"]
    assert len(asserted(capture, tshark_fields)) == 3 == len({line["callee_e164"] for line in calls})
    assert len({line["caller"] for line in calls}) > 15
    assert not tshark_fields(capture, "sip.Diversion || sip.History-Info", "frame.number")


def test_of_a_network_that_checks_numbers_a_few_fail_that_are_their_callers(tmp_path: Path, tshark_fields: Callable):
    text = SHORT + CARRIER.replace("50", "2000").replace("300.0", "3000.0")
    capture, _ = play(tmp_path, text + 'identity = { asserted = "pai", verstat = "passed", ill_signed_ratio = 0.1 }\n')
    invites = "sip.Method == INVITE && !sip.to.tag && sip.P-Asserted-Identity contains "
    failed, passed = (
        len(tshark_fields(capture, f'{invites}"{word}"', "frame.number")) for word in ("Failed", "Passed")
    )
    assert 0.03 < failed / (failed + passed) < 0.3


def test_a_contact_centre_is_called_from_the_trunks_of_several_carriers_each_caller_from_one(tmp_path: Path):
    centre = '[[population]]\nkind = "service_line"\nname = "c"\ntrunks = 3\noutside_ratio = 1.0\nredial_ratio = 0.9\n'
    _, labels = play(tmp_path, SHORT + centre + "lines = 2\n")
    calls = [line for line in labels if line["type"] == "call"]
    carriers = {(line["caller_e164"], line["source"]) for line in calls}
    assert len({source for _, source in carriers}) == 3
    assert len(carriers) == len({number for number, _ in carriers}) < len(calls)


def test_an_announcer_keeps_a_beat_when_it_makes_one_call_after_the_other(tmp_path: Path):
    announcer = '[[population]]\nkind = "reminders"\nname = "r"\nrepeat_unanswered_ratio = 0.0\ncadence = "steady"\n'
    _, labels = play(tmp_path, SHORT + announcer + "wander = 0.5\n")
    starts = sorted(datetime.fromisoformat(line["start"]).timestamp() for line in labels if line["type"] == "call")
    gaps = [b - a for a, b in pairwise(starts)]
    assert len(gaps) > 10 and 10 < min(gaps) < 27 and 33 < max(gaps) < 50
