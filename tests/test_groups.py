"""What rows say of calls that share something: an address, its newcomers, a route, a style, a block, an account."""

import numpy as np
import pytest
from tap import CALLEE, CALLER, Tap, sip
from tap import request as sip_request
from tap import response as sip_response
from test_behaviour import engine_rows, numbers
from test_profiles import CALL_COLUMN, END, SETUP, SOURCE_COLUMN, ask, call, play, request, source, source_value, value

from kernels.profiles import Profiles

AWAY = ("203.0.113.77", 5060)


def short_call(i, caller, callee, **more):
    return call(20 * i, caller, callee, rings_s=2, answered_s=4, ends_s=8, **more)


# -- one address ----------------------------------------------------------------------------------------------


def test_a_campaign_with_another_number_on_each_call_is_known_by_its_address():
    rows = play(
        *(short_call(i, a, b) for i, (a, b) in enumerate(zip(numbers(40), numbers(40, 442090000000), strict=True)))
    )
    assert value(rows, 39, SETUP, "caller_evidence") == 1
    assert value(rows, 39, SETUP, "source_short_ratio") > 0.9
    assert value(rows, 39, SETUP, "source_talk_mean_s") < 15
    assert value(rows, 39, SETUP, "source_numbers_day") > 30
    assert value(rows, 39, SETUP, "source_fan_out_ratio") > 0.9
    assert value(rows, 39, SETUP, "newcomer_ratio") > 0.95


def test_newcomers_of_a_trunk_are_told_from_its_customers():
    customers = [call(10 * i, numbers(2)[i % 2], callee, rings_s=5, answered_s=9, ends_s=400)
                 for i, callee in enumerate(numbers(60, 442090000000))]  # fmt: skip
    pairs = zip(numbers(60, 442110000000), numbers(60, 442120000000), strict=True)
    rows = play(*customers, *(short_call(15 + i, a, b) for i, (a, b) in enumerate(pairs)))
    assert value(rows, 119, SETUP, "newcomer_talk_mean_s") < 60
    assert value(rows, 119, SETUP, "source_talk_mean_s") > 120
    assert value(rows, 119, SETUP, "newcomer_short_ratio") > 0.8


def test_a_number_is_a_newcomer_in_its_first_three_calls():
    rows = play(*(call(i) for i in range(5)))
    assert rows[:, SETUP, CALL_COLUMN["newcomer_calls_hour"]] == pytest.approx([1, 2, 3, 3, 3], abs=0.01)


def test_a_recording_is_known_by_calls_of_one_length_whoever_makes_them():
    same = play(*(call(60 * i, a, answered_s=3, ends_s=25.2) for i, a in enumerate(numbers(12))))
    other = play(*(call(60 * i, a, answered_s=3, ends_s=10 + 7 * i) for i, a in enumerate(numbers(12))))
    assert value(same, 11, END, "source_repeated_ratio") > 0.75
    assert value(other, 11, END, "source_repeated_ratio") < 0.1


@pytest.mark.parametrize(
    ("caller", "callee", "want"),
    [
        ("442071234567", "442071239999", 4),
        ("442071234567", "442071234568", 1),
        ("442071234567", "12125551234", 12),
        ("442071234567", "442071234567", 0),
    ],
)
def test_the_digits_in_which_two_numbers_differ_are_those_behind_their_common_beginning(caller, callee, want):
    rows = play(call(0, caller, callee))
    assert value(rows, 0, SETUP, "differing_digits") == want
    assert value(rows, 0, SETUP, "source_differing_digits") == pytest.approx((want + 18) / 3 if want else 9)


def test_numbers_that_are_not_e164_are_not_compared():
    assert np.isnan(value(play(call(0, "1001", "1002")), 0, SETUP, "differing_digits"))


def test_numbers_of_one_block_at_one_address_are_counted():
    rows = play(
        *(call(i, str(442071230000 + i)) for i in range(30)), *(call(40 + i, a) for i, a in enumerate(numbers(3)))
    )
    assert value(rows, 29, SETUP, "range_numbers_day") > 20
    assert value(rows, 32, SETUP, "range_numbers_day") == pytest.approx(1, abs=0.1)


def test_a_source_that_went_leaves_nothing_to_the_next_one_of_its_slot():
    profiles = Profiles(64, 1)
    play(*(short_call(i, a, a) for i, a in enumerate(numbers(9))), profiles=profiles)
    rows = play(call(500, source=source(9)), profiles=profiles)
    assert value(rows, 0, SETUP, "source_short_ratio") == pytest.approx(0.1)
    assert value(rows, 0, SETUP, "newcomer_calls_hour") == 1


# -- one route ------------------------------------------------------------------------------------------------


def test_a_route_that_answers_before_it_rings_is_told_from_its_neighbours():
    calls = []
    for i, (a, b) in enumerate(zip(numbers(30), numbers(30, 442090000000), strict=True)):
        calls.append(call(20 * i, a, b, answered_s=0.4, ends_s=9, heard=2, status_code=200, destination=source(8)))
        calls.append(call(20 * i + 5, b, a, rings_s=2, answered_s=9, ends_s=99, heard=1, destination=source(9)))
    rows = play(*calls)
    cheating, fair = (
        {name: value(rows, i, END, f"route_{name}") for name in ("unrung_ratio", "one_sided_ratio", "short_ratio")}
        for i in (58, 59)
    )
    assert all(cheating[name] > 0.8 for name in cheating)
    assert all(fair[name] < 0.1 for name in fair)


def hasty(times: dict, *, calls: int = 3, **more) -> float:
    """`route_hasty_ratio` after so many calls like this one to one address."""
    played = [
        call(40 * i, a, b, destination=source(8), **{"status_code": 200} | times | more)
        for i, (a, b) in enumerate(zip(numbers(calls), numbers(calls, 442090000000), strict=True))
    ]
    return value(play(*played), calls - 1, END, "route_hasty_ratio")


def test_calls_answered_at_once_and_soon_over_are_told_of_their_route_whoever_calls():
    assert hasty({"answered_s": 0.4, "ends_s": 9}) > 0.6
    assert hasty({"rings_s": 1, "answered_s": 2.5, "ends_s": 20}) > 0.6
    assert hasty({"answered_s": 0.4, "ends_s": 9}, calls=1) == pytest.approx(1.06 / 3, rel=1e-2)


@pytest.mark.parametrize(
    "times",
    [
        {"rings_s": 1, "answered_s": 4, "ends_s": 12},  # somebody picked up
        {"answered_s": 0.4, "ends_s": 60},  # a hotline to which one listens
        {"rings_s": 1, "ends_s": 3},  # nobody did
    ],
)
def test_a_call_that_rang_or_lasted_is_not_hasty(times):
    assert hasty(times) < 0.03


def test_an_answer_of_which_only_the_ack_is_seen_is_not_hasty():
    assert hasty({"answered_s": 3, "ends_s": 9}, status_code=0) < 0.03


# -- through the engine ---------------------------------------------------------------------------------------


def talk(tap, i=0, *, voices=("caller", "callee"), hangs_up="caller", replies=True, wait_s=0.0):
    """One call with a second of RTP."""
    fields = {"call_id": f"call-{i}", "branch": f"b{i}"}
    ends = {"caller": (CALLER[0], 4000 + 2 * i), "callee": (CALLEE[0], 6000 + 2 * i)}
    tap.send(sip_request("INVITE", sdp=ends["caller"], **fields))
    if replies:
        tap.reply(sip_response(200, to_tag="bob", sdp=ends["callee"], **fields))
    tap.send(sip_request("ACK", to_tag="bob", call_id=f"call-{i}", branch=f"a{i}"))
    tap.wait(wait_s)
    for who in voices:
        other = "callee" if who == "caller" else "caller"
        tap.rtp(ends[who], ends[other], ssrc=i * 16 + (who == "caller") + 1)
    bye = {"call_id": f"call-{i}", "branch": f"c{i}", "cseq": 2}
    if hangs_up == "caller":
        tap.send(sip_request("BYE", to_tag="bob", **bye))
    else:
        tap.reply(sip("BYE sip:alice@192.0.2.10 SIP/2.0", method="BYE", from_tag="bob", to_tag="alice", **bye))


def last_row(tap, folder, *names):
    row = engine_rows(tap, folder)[0][-1]
    return [float(row[CALL_COLUMN[name]]) for name in names]


@pytest.mark.parametrize(
    ("voices", "want"), [(("caller", "callee"), 0), (("caller",), 1), (("callee",), 0), ((), np.nan)]
)
def test_a_call_in_which_only_the_caller_is_heard_is_one_sided(voices, want, tmp_path):
    tap = Tap()
    talk(tap, voices=voices)
    assert last_row(tap, tmp_path, "one_sided") == pytest.approx([want], nan_ok=True)


def test_a_mirror_of_one_direction_says_nothing_of_silence(tmp_path):
    tap = Tap()
    talk(tap, voices=("caller",), replies=False)
    assert last_row(tap, tmp_path, "one_sided", "callee_hung_up") == pytest.approx([np.nan, 0], nan_ok=True)


def test_it_is_told_how_long_after_the_answer_the_callee_is_heard(tmp_path):
    tap = Tap()
    talk(tap, voices=("callee", "caller"), wait_s=3)
    assert last_row(tap, tmp_path, "callee_voice_delay_s") == pytest.approx([3.02], abs=0.05)


@pytest.mark.parametrize(("who", "want"), [("caller", 0), ("callee", 1)])
def test_who_hung_up_is_whose_bye_it_was(who, want, tmp_path):
    tap = Tap()
    talk(tap, hangs_up=who)
    assert last_row(tap, tmp_path, "callee_hung_up") == [want]


def test_a_style_is_counted_by_its_addresses_and_a_contact_by_its_numbers(tmp_path):
    tap = Tap()
    for i in range(6):
        invite = sip_request("INVITE", call_id=f"call-{i}", branch=f"b{i}", caller=f"+49301234567{i}",
                             extra=("Contact: <sip:x@10.1.1.1:5060>",))  # fmt: skip
        tap.send(invite, source=(f"192.0.2.{10 + i % 3}", 5060))
    assert last_row(tap, tmp_path, "style_addresses_day", "contact_numbers_day") == pytest.approx([3, 6], abs=0.5)


def register(tap, i, status, *, at=CALLER, user="+493012345678", credentials=True):
    fields = {"call_id": f"register-{i}", "branch": f"r{i}", "method": "REGISTER", "caller": user, "callee": user}
    extra = ('Authorization: Digest username="bob"',) if credentials else ()
    tap.send(sip("REGISTER sip:example.net SIP/2.0", extra=extra, **fields), source=at)
    tap.reply(sip(f"SIP/2.0 {status} Reason", to_tag="x", **fields), destination=at)


def test_a_call_from_another_address_than_the_telephone_is_registered_at_is_seen(tmp_path):
    tap = Tap()
    register(tap, 0, 200)
    for i, at in enumerate((CALLER, AWAY)):
        tap.send(sip_request("INVITE", call_id=f"call-{i}", branch=f"b{i}"), source=at)
    tap.send(sip_request("INVITE", call_id="call-2", branch="b2", caller="+493099999999"), source=AWAY)
    rows, _ = engine_rows(tap, tmp_path)
    assert rows[:, CALL_COLUMN["registered_elsewhere"]] == pytest.approx([0, 1, np.nan], nan_ok=True)


def test_guesses_for_a_user_whose_telephone_is_registered_are_told_from_a_telephone_with_a_wrong_password(tmp_path):
    tap = Tap()
    register(tap, 0, 200)
    for i in range(1, 7):
        register(tap, i, 403, at=AWAY)
        register(tap, 10 + i, 403, at=("192.0.2.99", 5060), user="+493099999999")
    _, sources = engine_rows(tap, tmp_path)
    found = sources[:, SOURCE_COLUMN["source_failed_bound_day"]]
    assert sorted(found)[-1] == pytest.approx(4, abs=0.1)  # the last row is of the fifth, and before its answer
    assert (found == 0).any()


def test_guesses_for_one_user_from_many_addresses_are_seen_at_each():
    asked = [request(10 * i + k, status=403, credentials=True, address=k) for i in range(4) for k in range(1, 5)]
    rows, _ = ask(*asked, profiles=Profiles(8, 8))
    assert source_value(rows, 15, "source_failed_shared_day") >= 3
    alone, _ = ask(*(request(10 * i, status=403, credentials=True) for i in range(8)))
    assert source_value(alone, 7, "source_failed_shared_day") == 0


def ring_out(tap, i, status=None, *, provisional=False):
    """One call that is refused with `status`, or only begins."""
    fields = {"call_id": f"call-{i}", "branch": f"b{i}"}
    tap.send(sip_request("INVITE", **fields))
    if provisional:
        tap.reply(sip_response(180, to_tag="bob", **fields))
    if status:
        tap.reply(sip_response(status, to_tag="bob", **fields))


def test_calls_to_which_nobody_replies_are_known_while_they_wait(tmp_path):
    silent, ringing, refused = Tap(), Tap(), Tap()
    for i in range(20):
        ring_out(silent, i)
        ring_out(ringing, i, provisional=True)
        ring_out(refused, i, 486, provisional=True)
    assert last_row(silent, tmp_path, "source_calls_replied_ratio")[0] < 0.1
    assert last_row(ringing, tmp_path, "source_calls_replied_ratio")[0] > 0.9
    assert last_row(refused, tmp_path, "source_calls_replied_ratio")[0] > 0.9


def test_in_a_mirror_of_requests_what_only_follows_a_reply_proves_it(tmp_path):
    tap = Tap()
    for i in range(20):
        talk(tap, i, replies=False)
    assert last_row(tap, tmp_path, "source_calls_replied_ratio")[0] > 0.9


def test_a_call_that_is_replied_to_twice_counts_once(tmp_path):
    tap = Tap()
    for i in range(20):
        ring_out(tap, i, 486 if i % 2 else None, provisional=i % 2 == 1)
    assert last_row(tap, tmp_path, "source_calls_replied_ratio") == pytest.approx([0.54], abs=0.05)


# -- where an account is used ---------------------------------------------------------------------------------


def test_what_a_thief_calls_from_his_address_is_expensive_whatever_the_owner_calls_from_home():
    home = [call(60 * i, callee=callee) for i, callee in enumerate(numbers(9, 442090000000))]
    away = [call(600 + 30 * i, callee=f"3712012345{i}", source=source(77)) for i in range(6)]
    rows = play(*home, *away)
    assert value(rows, 14, SETUP, "source_high_cost_ratio") == pytest.approx(6 / 8, abs=0.01)
    assert value(rows, 14, SETUP, "caller_high_cost_ratio") < 0.4
    assert value(rows, 8, SETUP, "source_high_cost_ratio") == 0
