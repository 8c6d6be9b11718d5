"""What rows say of numbers called, of call-backs, of called ranges and of registrations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tap import Tap, sip
from tap import request as sip_request
from tap import response as sip_response
from test_profiles import (
    CALL_COLUMN,
    END,
    OPTIONS,
    REJECTED,
    SETUP,
    SOURCE_COLUMN,
    ask,
    call,
    flood,
    play,
    request,
    source,
    source_value,
    value,
)

from capture.file import CaptureFile
from kernels.engine import BLOCK, Engine
from kernels.profiles import Profiles
from kernels.replay import REQUEST, replay_requests

VICTIM = "442079460123"


def numbers(n, first=442080000000, step=10_007):
    return [str(first + step * i) for i in range(n)]


# -- the number called ----------------------------------------------------------------------------------------


def test_a_flood_from_changing_callers_is_seen_at_the_number_it_goes_to():
    rows = play(*(call(i / 5, caller, VICTIM, ends_s=30) for i, caller in enumerate(numbers(60))))
    assert value(rows, 59, SETUP, "caller_evidence") == 1
    assert value(rows, 59, SETUP, "callee_calls_minute") > 50
    assert value(rows, 59, SETUP, "callee_callers_hour") > 40
    assert value(rows, 59, SETUP, "callee_concurrency") == 60


def test_victims_of_one_ring_are_known_by_the_rings():
    rows = play(*(call(600 * i, caller, VICTIM, rings_s=1, ends_s=3) for i, caller in enumerate(numbers(10))))
    assert value(rows, 9, END, "callee_one_ring_ratio_day") > 0.8
    patient = play(*(call(600 * i, caller, VICTIM, rings_s=1, ends_s=40) for i, caller in enumerate(numbers(10))))
    assert value(patient, 9, END, "callee_one_ring_ratio_day") < 0.01
    assert value(patient, 9, END, "callee_cancel_ratio_day") > 0.8


def test_pumped_numbers_have_long_calls_of_few_callers():
    pumped = play(*(call(60 * i, numbers(2)[i % 2], VICTIM, answered_s=1, ends_s=1801) for i in range(40)))
    bridge = play(*(call(60 * i, caller, VICTIM, answered_s=1, ends_s=1801) for i, caller in enumerate(numbers(40))))
    for rows in (pumped, bridge):
        assert value(rows, 39, END, "callee_duration_mean_s") > 1700
        assert value(rows, 39, SETUP, "callee_concurrency") == 31  # one of them ends at that very moment
    assert value(pumped, 39, END, "callee_callers_ratio") < 0.15
    assert value(bridge, 39, END, "callee_callers_ratio") > 0.7


def test_a_full_table_of_callees_gives_up_the_poor_ones_and_keeps_the_watched():
    profiles = Profiles(4096, 8, 64)
    play(*(call(i, caller, VICTIM) for i, caller in enumerate(numbers(20))), profiles=profiles)
    strangers = flood(1000)
    strangers["callee_key"], strangers["callee"] = strangers["caller_key"], b"x"
    for one in strangers:
        play(one, profiles=profiles)
    assert profiles.counters["evicted_callees"] > 900
    assert value(play(call(2000, callee=VICTIM), profiles=profiles), 0, SETUP, "callee_evidence") == 21


def test_a_call_whose_callee_was_given_up_ends_without_harm():
    profiles = Profiles(8, 8, 1)
    rows = play(call(0, ends_s=20), call(5, callee=VICTIM), profiles=profiles)
    assert value(rows, 0, END, "callee_evidence") == 0
    assert value(play(call(30, callee=VICTIM), profiles=profiles), 0, SETUP, "callee_concurrency") == 2


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=30))
def test_calls_at_a_time_are_never_below_none(steps):
    calls = [call(i, numbers(4)[a], numbers(4)[b], ends_s=0.5) for i, (a, b, _) in enumerate(steps)]
    for one, (*_, begun) in zip(calls, steps, strict=True):
        one["invite_ns"] *= begun  # its beginning was not seen
    rows = play(*calls)
    for name in ("callee_concurrency", "caller_concurrency", "source_concurrency"):
        assert np.isin(rows[:, END, CALL_COLUMN[name]], [0]).all(), name


# -- call-backs -----------------------------------------------------------------------------------------------

ALICE, BOB = "442071234567", "442087654321"


def test_a_call_back_says_whether_it_returns_a_missed_call():
    missed = play(call(0, ALICE, BOB, rings_s=1, ends_s=3), call(60, BOB, ALICE))
    talked = play(call(0, ALICE, BOB, answered_s=1, ends_s=30), call(60, BOB, ALICE))
    assert value(missed, 1, SETUP, "call_back") == 2
    assert value(talked, 1, SETUP, "call_back") == 1
    assert value(missed, 0, SETUP, "call_back") == 0


def test_a_second_call_in_the_same_direction_or_to_oneself_is_no_call_back():
    rows = play(call(0, ALICE, BOB), call(60, ALICE, BOB), call(90, BOB, BOB), call(95, BOB, BOB))
    assert (rows[:, SETUP, CALL_COLUMN["call_back"]] == 0).all()


def test_a_run_counts_the_calls_to_one_number_that_follow_one_another():
    rows = play(*(call(10 * i, ALICE, BOB) for i in range(70)), call(702, BOB, ALICE))
    assert rows[:3, SETUP, CALL_COLUMN["call_run"]].tolist() == [1, 2, 3]
    assert rows[61:70, SETUP, CALL_COLUMN["call_run"]].tolist() == [62, *[63] * 8]
    assert value(rows, 70, SETUP, "call_run") == 1  # the other way


def test_a_run_outlasts_other_calls_but_not_a_pause():
    rows = play(call(0, ALICE, BOB), call(200, ALICE, VICTIM), call(290, ALICE, BOB), call(700, ALICE, BOB))
    assert rows[:, SETUP, CALL_COLUMN["call_run"]].tolist() == [1, 1, 2, 1]


def test_who_withholds_the_number_has_no_run():
    rows = play(*(call(i, "anonymous", BOB, caller_e164=b"") for i in range(3)))
    assert rows[:, SETUP, CALL_COLUMN["call_run"]].tolist() == [1, 1, 1]


def test_wangiri_is_called_back_and_a_household_replies():
    victims = numbers(20)
    bait = [call(10 * i, ALICE, victim, rings_s=1, ends_s=2) for i, victim in enumerate(victims)]
    backs = [call(1000 + i, victim, ALICE) for i, victim in enumerate(victims)]
    rows = play(*bait, *backs, call(2000, ALICE, BOB))
    assert value(rows, 40, SETUP, "caller_called_back_ratio") > 0.8
    assert value(rows, 40, SETUP, "caller_reply_ratio") < 0.05
    assert value(rows, 39, SETUP, "caller_reply_ratio") == pytest.approx((1 + 0.2) / 3, rel=1e-3)


def test_a_call_that_is_returned_twice_is_counted_once():
    rows = play(call(0, ALICE, BOB), call(60, BOB, ALICE), call(70, BOB, ALICE), call(80, ALICE, "37120123456"))
    assert value(rows, 3, SETUP, "caller_called_back_ratio") == pytest.approx((1 + 0.2) / 4, rel=1e-2)


# -- ranges and hours -----------------------------------------------------------------------------------------


def test_calls_of_many_callers_into_one_range_are_seen():
    hot = [call(10 * i, caller, str(37120120000 + 37 * i)) for i, caller in enumerate(numbers(30))]
    rows = play(*hot, call(400, ALICE, "37129990000"))
    assert value(rows, 29, SETUP, "range_calls_hour") > 27
    assert value(rows, 29, SETUP, "source_top_range_ratio") > 0.9
    assert value(rows, 30, SETUP, "range_calls_hour") == 1


def test_extensions_have_no_range():
    rows = play(*(call(i, callee="1001") for i in range(6)))
    assert np.isnan(rows[:, SETUP, CALL_COLUMN["range_calls_hour"]]).all()
    assert np.isnan(value(rows, 5, SETUP, "caller_range_entropy"))


def test_a_machine_calls_round_the_clock_and_everywhere():
    rng = np.random.default_rng(1)
    machine = [call(1800 * i, ALICE, str(442000000000 + int(rng.integers(0, 10**9)))) for i in range(96)]
    person = [call(86_400 * (i // 4) + 600 * (i % 4), ALICE, VICTIM) for i in range(96)]
    wide, narrow = play(*machine), play(*person)
    for name in ("caller_hour_entropy", "caller_range_entropy"):
        assert value(wide, 95, SETUP, name) > 4
        assert value(narrow, 95, SETUP, name) < 1
        assert np.isnan(value(wide, 2, SETUP, name))


# -- sources --------------------------------------------------------------------------------------------------


def test_a_new_address_that_calls_without_a_registration_is_told_from_a_telephone():
    profiles = Profiles(64, 8)
    ask(request(0, status=401, address=2), request(1, status=200, address=2, credentials=True), profiles=profiles)
    rows = play(call(10, source=source(2)), call(10, source=source(3)), profiles=profiles)
    assert rows[:, SETUP, CALL_COLUMN["source_seen"]].tolist() == [3, 1]
    assert rows[:, SETUP, CALL_COLUMN["source_registrations_day"]] == pytest.approx([1, 0], abs=1e-3)


def scan(wait_s, status=404):
    rows, _ = ask(*(request(wait_s * i, f"user{i}", status=status) for i in range(25)))
    return {name: source_value(rows, 24, f"source_{name}") for name in SCAN}


SCAN = ("users_day", "user_ratio", "refused_ratio_day", "registered_ratio_day", "credentials_ratio_day")


def test_a_scan_of_six_requests_a_second_and_one_of_one_a_minute_look_the_same_by_their_25th_user():
    fast, slow = scan(1 / 6), scan(60)
    for found in (fast, slow):
        assert found["users_day"] > 18
        assert found["user_ratio"] > 0.7
        assert found["refused_ratio_day"] > 0.9
        assert found["registered_ratio_day"] < 0.05
        assert found["credentials_ratio_day"] < 0.05
    assert slow == pytest.approx(fast, rel=0.02)


def guess(n, *, status=401, user="alice", then=None):
    asked = []
    for i in range(n):
        asked += [request(10 * i, user, status=401), request(10 * i + 1, user, status=status, credentials=True)]
    if then is not None:
        asked.append(request(10 * n, user, status=then, credentials=True))
    rows, _ = ask(*asked)
    return {name: source_value(rows, len(asked) - 1, f"source_{name}_day") for name in GUESS}


GUESS = ("wrong_passwords", "user_failures", "guessed")


@pytest.mark.parametrize("status", [401, 403, 407])
def test_wrong_passwords_are_counted_by_user_and_challenges_are_not(status):
    found = guess(20, status=status)
    assert found["wrong_passwords"] == pytest.approx(20, rel=0.01)
    assert found["user_failures"] == found["wrong_passwords"]
    assert found["guessed"] == 0


def test_a_guess_that_succeeds_is_told_from_a_nonce_that_was_stale():
    assert guess(8, then=200)["guessed"] == 1
    stale = guess(1, then=200)
    assert stale["guessed"] == stale["wrong_passwords"] == 0


def test_a_telephone_whose_nonce_goes_stale_each_time_has_no_failures():
    asked = []
    for i in range(30):
        asked += [request(600 * i + j, status=s, credentials=True) for j, s in enumerate((401, 200))]
    rows, _ = ask(*asked)
    assert source_value(rows, 59, "source_wrong_passwords_day") == 0
    assert source_value(rows, 59, "source_guessed_day") == 0


def test_one_password_for_each_of_many_users_is_many_wrong_ones_and_few_for_each():
    rows, _ = ask(*(request(i, f"user{i}", status=401, credentials=True) for i in range(40)))
    assert source_value(rows, 39, "source_wrong_passwords_day") == pytest.approx(40, rel=0.01)
    assert source_value(rows, 39, "source_user_failures_day") <= 1


def test_a_response_that_comes_twice_is_one_wrong_password():
    profiles = Profiles(8, 8)
    ask(request(0, status=401, credentials=True), profiles=profiles)
    again = request(0.5, method=OPTIONS, status=0)
    twice = request(-1, status=401)  # its request without credentials came before
    twice["response_ns"] = again["time_ns"]
    rows, _ = ask(twice, again, profiles=profiles)
    assert source_value(rows, 0, "source_wrong_passwords_day") == pytest.approx(1, rel=1e-3)


def test_a_scanner_asks_many_servers_and_a_keep_alive_one():
    rows, _ = ask(*(request(i, method=OPTIONS, target=f"198.51.100.{i}") for i in range(40)))
    assert source_value(rows, 39, "source_targets_day") > 28
    rows, _ = ask(*(request(i, method=OPTIONS) for i in range(40)))
    assert source_value(rows, 39, "source_targets_day") == pytest.approx(1, abs=0.1)


def test_source_rows_do_not_depend_on_where_a_block_ends():
    asked = [request(i, f"user{i % 11}", status=(401, 200, 404)[i % 3], credentials=i % 2 == 0) for i in range(60)]
    whole, profiles = ask(*asked)[0], Profiles(8, 8)
    parts = [replay_requests(profiles, np.array(asked[i : i + 7], REQUEST))[0] for i in range(0, 60, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_rejected_calls_leave_a_callee_without_an_answer():
    rows = play(*(call(i, callee=VICTIM, ends_s=1, state=REJECTED, status_code=486) for i in range(10)))
    assert value(rows, 9, END, "callee_answer_ratio_day") < 0.15


# -- through the engine ---------------------------------------------------------------------------------------


def engine_rows(tap, folder, block_packets=4096):
    """(call rows, source rows) that an engine makes of a tap."""
    sizes = {"calls": 64, "callers": 64, "callees": 64, "sources": 64, "streams": 64, "tcp_connections": 8}
    engine = Engine(**sizes, tcp_bytes=1 << 20, block_packets=block_packets, secret=1)
    calls, sources = [], []
    with CaptureFile(tap.write(folder / "tap.pcap")) as file:
        while engine.run(file.reader) == BLOCK or file.fill():
            calls.append(engine.call_block.copy())
            sources.append(engine.source_block.copy())
            engine.next_block()
    engine.finish()
    calls.append(engine.call_block.copy())
    sources.append(engine.source_block.copy())
    return np.concatenate(calls), np.concatenate(sources)


def test_a_source_of_calls_alone_is_looked_at(tmp_path):
    tap = Tap()
    for i in range(5):
        tap.send(sip_request("INVITE", call_id=f"call-{i}", branch=f"b{i}"))
    _, sources = engine_rows(tap, tmp_path)
    assert sources[:, SOURCE_COLUMN["source_evidence"]].tolist() == [4, 5]
    assert sources[-1, SOURCE_COLUMN["source_open_calls"]] == 5


def test_an_extension_is_another_one_at_another_exchange(tmp_path):
    tap = Tap()
    for i, exchange in enumerate(("198.51.100.20", "198.51.100.21", "198.51.100.20")):
        invite = sip_request("INVITE", callee="100", call_id=f"call-{i}", branch=f"b{i}")
        tap.send(invite, destination=(exchange, 5060))
    calls, _ = engine_rows(tap, tmp_path)
    assert calls[:, CALL_COLUMN["callee_evidence"]].tolist() == [1, 1, 2]


def test_early_media_is_timed_from_the_first_session_description(tmp_path):
    tap = Tap()
    tap.send(sip_request("INVITE", sdp=("192.0.2.10", 4000)))
    tap.reply(sip_response(180, to_tag="bob"), after=2)
    tap.reply(sip_response(183, to_tag="bob", sdp=("198.51.100.20", 5000)), after=3)
    tap.reply(sip_response(200, to_tag="bob", sdp=("198.51.100.20", 5000)))
    calls, _ = engine_rows(tap, tmp_path)
    assert np.isnan(calls[0, CALL_COLUMN["early_media_s"]])
    assert calls[1, CALL_COLUMN["early_media_s"]] == pytest.approx(3, abs=1e-3)
    assert calls[1, CALL_COLUMN["ring_s"]] == pytest.approx(5, abs=1e-3)


@pytest.mark.parametrize(("header", "want"), [("Authorization", 4), ("Proxy-Authorization", 4), ("X-Nothing", 0)])
def test_credentials_are_read_from_either_header_field(header, want, tmp_path):
    tap = Tap()
    for i in range(5):
        fields = {"call_id": f"register-{i}", "branch": f"r{i}", "method": "REGISTER"}
        tap.send(sip("REGISTER sip:example.net SIP/2.0", extra=(f'{header}: Digest username="bob"',), **fields))
        tap.reply(sip("SIP/2.0 401 Unauthorized", to_tag="x", **fields))
    _, sources = engine_rows(tap, tmp_path)
    assert sources[-1, SOURCE_COLUMN["source_wrong_passwords_day"]] == pytest.approx(want, abs=1e-3)
    assert sources[-1, SOURCE_COLUMN["source_targets_day"]] == pytest.approx(1, abs=0.1)


def test_rows_do_not_depend_on_how_many_packets_a_block_takes(tmp_path):
    tap = Tap()
    for i in range(6):
        fields = {"call_id": f"register-{i}", "branch": f"r{i}", "method": "REGISTER"}
        tap.send(sip("REGISTER sip:example.net SIP/2.0", extra=("Authorization: Digest",) * (i % 2), **fields))
        tap.reply(sip(f"SIP/2.0 {(401, 200)[i % 2]} Reason", to_tag="x", **fields))
        fields = {"call_id": f"call-{i}", "branch": f"b{i}"}
        tap.send(sip_request("INVITE", **fields))
        tap.reply(sip_response(486, to_tag="bob", **fields))
        tap.send(sip_request("ACK", to_tag="bob", **fields))
    for one, other in zip(engine_rows(tap, tmp_path, 1), engine_rows(tap, tmp_path), strict=True):
        assert len(one) >= 5
        np.testing.assert_array_equal(one, other)
