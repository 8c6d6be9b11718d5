"""Profiles of callers and sources: their rows against the twin, their bounds, their evictions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import destination, reference, replay
from kernels.profiles import PROFILE_BYTES, Profiles
from kernels.replay import CALL, REQUEST, replay_calls, replay_requests
from kernels.schema import CALL_FEATURES, SOURCE_FEATURES

SETUP, ANSWER, END = range(3)
TRYING, COMPLETED, CANCELLED, REJECTED, EXPIRED = 0, 3, 4, 5, 7
REGISTER, OPTIONS, INVITE = 5, 6, 1
SECOND = 10**9
START = 1_700_000_000 * SECOND
CALL_COLUMN = {feature.name: i for i, feature in enumerate(CALL_FEATURES)}
SOURCE_COLUMN = {feature.name: i for i, feature in enumerate(SOURCE_FEATURES)}


def source(last_octet):
    """An IPv4 address as the profiles see it: mapped into IPv6 (RFC 4291 2.5.5.2)."""
    return [0] * 10 + [0xFF, 0xFF, 192, 0, 2, last_octet]


def key(text):
    """A uniform 64-bit hash of a number, as the call table makes one."""
    return np.random.default_rng(list(text.encode())).integers(1, 2**64, dtype=np.uint64)


def call(at_s=0.0, caller="442071234567", callee="442079999999", *, rings_s=None, answered_s=None, ends_s=None, **more):
    """A call at `at_s` seconds; the other times count from there."""
    record = np.zeros(1, CALL)[0]
    record["caller_key"], record["callee_key"] = key(caller), key(callee)
    record["caller"], record["callee"] = caller.encode(), callee.encode()
    record["caller_e164"] = caller.encode() if caller.isdigit() and len(caller) > 7 else b""
    record["callee_e164"] = callee.encode() if callee.isdigit() and len(callee) > 7 else b""
    record["source"] = source(1)
    invite_ns = START + round(at_s * SECOND)
    record["invite_ns"] = invite_ns
    for name, value in (("ringing_ns", rings_s), ("answer_ns", answered_s), ("end_ns", ends_s)):
        record[name] = 0 if value is None else invite_ns + round(value * SECOND)
    record["progress_ns"] = record["reply_ns"] = record["ringing_ns"] or record["answer_ns"]
    record["state"] = TRYING if ends_s is None else CANCELLED if answered_s is None else COMPLETED
    for name, value in more.items():
        record[name] = value
    return record


def play(*calls, profiles=None):
    return replay_calls(profiles or Profiles(64, 8), np.array(list(calls), CALL))


def value(rows, i, stage, name):
    return rows[i, stage, CALL_COLUMN[name]]


def request(
    at_s,
    user="alice",
    method=REGISTER,
    status=0,
    address=1,
    credentials=False,
    target="registrar",
    call_id="one",
    branch=None,
    stale=False,
):
    record = np.zeros(1, REQUEST)[0]
    record["transaction_key"] = key(f"{user} {at_s} {credentials}" if branch is None else branch)
    record["stale"] = stale
    record["credentials"], record["target_key"], record["call_id_key"] = credentials, key(target), key(call_id)
    record["source"], record["method"], record["user_key"] = source(address), method, key(user)
    record["time_ns"] = START + round(at_s * SECOND)
    record["response_ns"] = record["time_ns"] + SECOND // 100
    record["status_code"] = status
    return record


def ask(*requests, profiles=None):
    return replay_requests(profiles or Profiles(8, 8), np.array(list(requests), REQUEST))


def source_value(rows, i, name):
    return rows[i, SOURCE_COLUMN[name]]


# -- against the twin -----------------------------------------------------------------------------------------

NUMBERS = ["442071234567", "12125551234", "37120123456", "442079990001", "442079990002", "88213123456", "18765551234"]
PREFIXES = ["", "", "+", "00", "011", "9", "900", "0"]
OFFSETS = st.one_of(st.none(), st.integers(0, 50_000))


@st.composite
def call_lists(draw):
    calls = []
    for _ in range(draw(st.integers(0, 14))):
        at_ms = draw(st.one_of(st.integers(0, 60_000), st.integers(0, 4 * 86_400_000)))
        ring, talk, after = draw(OFFSETS), draw(OFFSETS), draw(st.integers(1, 200_000))
        rings_s = None if ring is None else ring / 1000
        answered_s = None if talk is None else (ring or 0) / 1000 + talk / 1000
        ends_s = draw(st.sampled_from([None, ((ring or 0) + (talk or 0) + after) / 1000]))
        calls.append(
            call(
                at_ms / 1000,
                draw(st.sampled_from(NUMBERS[:5])),
                callee := draw(st.sampled_from(NUMBERS)),
                rings_s=rings_s,
                answered_s=answered_s,
                ends_s=ends_s,
                source=source(draw(st.integers(1, 2))),
                destination=source(draw(st.integers(8, 9))),
                hung_up=draw(st.integers(0, 2)),
                heard=draw(st.integers(0, 3)),
                answer_tag=draw(st.integers(0, 2)),
                caller_sound=draw(st.sampled_from([0, 7, 8])),
                callee_sound=draw(st.sampled_from([0, 7])),
                status_code=draw(st.sampled_from([404, 486, 487, 503, 600, 604])),
            )
        )
        calls[-1]["callee"] = (draw(st.sampled_from(PREFIXES)) + callee).encode()
        if draw(st.booleans()):
            calls[-1]["early_media_ns"] = calls[-1]["ringing_ns"]
            calls[-1]["callee_voice_ns"] = calls[-1]["answer_ns"] + draw(st.integers(-SECOND, SECOND))
        if ends_s is not None and answered_s is None:
            calls[-1]["state"] = draw(st.sampled_from([CANCELLED, REJECTED, EXPIRED]))
    return np.array(calls, CALL)


@settings(max_examples=60)
@given(call_lists())
def test_call_rows_are_those_of_the_twin(calls):
    rows = replay_calls(Profiles(64, 8), calls)
    prices, countries = destination.destinations(calls["callee_e164"].tolist(), calls["caller_e164"].tolist())
    _, homes = destination.destinations(calls["caller_e164"].tolist())
    want = reference.call_rows(calls, prices, np.stack([homes, countries], axis=1))
    for i, feature in enumerate(CALL_FEATURES):
        np.testing.assert_allclose(rows[:, :, i], want[:, :, i], rtol=2e-4, atol=2e-5, err_msg=feature.name)


@st.composite
def request_lists(draw):
    requests = []
    for _ in range(draw(st.integers(0, 20))):
        at_s = draw(st.one_of(st.integers(0, 60), st.integers(0, 3 * 86_400)))
        requests.append(
            request(
                at_s,
                draw(st.sampled_from("abcdefgh")),
                draw(st.sampled_from([REGISTER, REGISTER, OPTIONS, INVITE, 12])),
                draw(st.sampled_from([0, 100, 200, 401, 403, 404, 407, 500])),
                draw(st.integers(1, 2)),
                draw(st.booleans()),
                draw(st.sampled_from(["one", "two", "three"])),
                draw(st.sampled_from(["one", "two", "three", "four"])),
                f"branch {len(requests) if draw(st.booleans()) else draw(st.integers(0, 3))}",
                draw(st.booleans()),
            )
        )
    return np.array(requests, REQUEST)


@settings(max_examples=60)
@given(request_lists())
def test_source_rows_are_those_of_the_twin(requests):
    rows, _ = replay_requests(Profiles(8, 8), requests)
    want = reference.source_rows(requests)
    for i, feature in enumerate(SOURCE_FEATURES):
        np.testing.assert_allclose(rows[:, i], want[:, i], rtol=2e-4, atol=2e-5, err_msg=feature.name)


TIMES = st.one_of(st.just(0), st.integers(-(2**63), 2**63 - 1), st.integers(START, START + 1000))


@given(st.lists(st.tuples(TIMES, TIMES, TIMES, TIMES, TIMES, st.integers(0, 255), st.integers(0, 3)), max_size=12))
def test_rows_stay_in_their_ranges_whatever_the_times(lists):
    calls = np.zeros(len(lists), CALL)
    for record, (invite, progress, ringing, answer, end, state, caller) in zip(calls, lists, strict=True):
        record["invite_ns"], record["progress_ns"], record["ringing_ns"] = invite, progress, ringing
        record["answer_ns"], record["end_ns"], record["state"] = answer, end, state
        record["caller_key"], record["caller"] = caller, b"x"
    rows = replay_calls(Profiles(2, 2), calls)
    for i, feature in enumerate(CALL_FEATURES):
        known = rows[:, :, i][~np.isnan(rows[:, :, i])]
        assert ((known >= feature.low) & (known <= feature.high)).all(), feature.name


# -- what features say ----------------------------------------------------------------------------------------


def test_a_war_dialler_is_seen_by_its_successive_numbers():
    rows = play(*(call(i, callee=str(442070000000 + i)) for i in range(20)))
    assert value(rows, 19, SETUP, "caller_successor_ratio") > 0.8
    assert value(rows, 19, SETUP, "caller_callees_hour") > 14
    assert value(rows, 19, SETUP, "caller_burstiness") == pytest.approx(-1, abs=1e-6)


def test_numbers_that_are_not_e164_have_successors_too():
    rows = play(call(0, callee="1001"), call(1, callee="1002"), call(2, callee="bob"), call(3, callee="1003"))
    assert value(rows, 1, SETUP, "caller_successor_ratio") == pytest.approx(1 / 4, rel=1e-3)
    assert value(rows, 3, SETUP, "caller_successor_ratio") == pytest.approx(1 / 6, rel=1e-2)


def test_a_redial_is_no_successor():
    rows = play(call(0), call(1))
    assert value(rows, 1, SETUP, "caller_successor_ratio") == 0


def test_wangiri_is_seen_by_short_rings_that_are_given_up():
    rows = play(*(call(10 * i, callee=str(442070000000 + 997 * i), rings_s=1, ends_s=2) for i in range(20)))
    assert value(rows, 19, END, "caller_cancel_ratio_hour") > 0.9
    assert value(rows, 19, END, "caller_cancel_ring_s") < 3
    assert value(rows, 19, END, "cancelled") == 1
    assert value(rows, 19, END, "ring_s") == 1


def test_an_answered_call_counts_at_its_answer_and_is_short_only_at_its_end():
    rows = play(call(rings_s=2, answered_s=5, ends_s=9))
    assert value(rows, 0, SETUP, "caller_answer_ratio_hour") == pytest.approx(0.6)
    assert value(rows, 0, ANSWER, "caller_answer_ratio_hour") == pytest.approx((1 + 1.2) / 3)
    assert value(rows, 0, ANSWER, "caller_short_ratio_hour") == pytest.approx(0.1)
    assert value(rows, 0, END, "caller_short_ratio_hour") == pytest.approx((1 + 0.2) / 3)
    assert value(rows, 0, END, "caller_duration_mean_s") == pytest.approx((4 + 180) / 3)


def test_moments_are_known_only_when_they_have_come():
    voice = {"hung_up": 1, "heard": 1, "answer_tag": 1, "callee_voice_ns": START + 5 * SECOND}
    voice |= {"caller_sound": 1, "callee_sound": 2}
    rows = play(call(rings_s=2, answered_s=5, ends_s=9, early_media_ns=START + 2 * SECOND, **voice))
    for feature in CALL_FEATURES:
        known = ~np.isnan(rows[0, :, CALL_COLUMN[feature.name]])
        if feature.moment != "setup":
            assert known.tolist() == [False, feature.moment == "answer", True]
    assert value(rows, 0, ANSWER, "post_dial_delay_s") == 2
    assert value(rows, 0, ANSWER, "ring_s") == 3
    assert value(rows, 0, ANSWER, "early_media_s") == 3
    assert value(rows, 0, END, "duration_s") == 4


def test_a_call_that_was_not_answered_has_no_duration():
    rows = play(call(rings_s=2, ends_s=9))
    assert np.isnan(value(rows, 0, END, "duration_s"))
    assert np.isnan(rows[0, ANSWER]).all()


@pytest.mark.parametrize(("status", "feature"), [(486, "busy"), (600, "busy"), (404, "not_found"), (484, "not_found")])
def test_refusals_are_told_apart_by_their_status(status, feature):
    rows = play(call(ends_s=1, state=REJECTED, status_code=status))
    usual = {"busy": 0.05, "not_found": 0.02}
    for name, share in usual.items():
        want = ((name == feature) + 2 * share) / 3
        assert value(rows, 0, END, f"caller_{name}_ratio_day") == pytest.approx(want, rel=1e-4)


def test_a_call_that_expired_says_nothing_of_its_outcome():
    rows = play(call(ends_s=1, state=EXPIRED))
    assert value(rows, 0, END, "caller_answer_ratio_day") == pytest.approx(0.6)
    assert value(rows, 0, END, "caller_concurrency") == 0


def test_calls_at_the_same_time_are_counted_and_never_below_none():
    rows = play(call(0, ends_s=100), call(1, ends_s=100), call(2, ends_s=1))
    assert value(rows, 2, SETUP, "caller_concurrency") == 3
    assert value(rows, 2, END, "caller_concurrency") == 2
    assert value(rows, 1, END, "caller_concurrency") == 0


def test_expensive_destinations_are_counted():
    rows = play(*(call(i, callee=number) for i, number in enumerate(["37120123456", "88213123456", "442071111111"])))
    assert value(rows, 1, SETUP, "callee_price_class") == 2
    assert value(rows, 2, SETUP, "caller_high_cost_hour") == pytest.approx(2, rel=1e-3)
    assert value(rows, 2, SETUP, "caller_international_ratio") == pytest.approx((1 + 1 + 0.1) / 5, rel=1e-3)
    assert value(rows, 2, SETUP, "call_international") == 0


def test_a_callee_that_is_no_number_has_no_price_class():
    rows = play(call(callee="bob"))
    assert np.isnan(value(rows, 0, SETUP, "callee_price_class"))
    assert np.isnan(value(rows, 0, SETUP, "call_international"))
    assert value(rows, 0, SETUP, "callee_plausible") == 0


@pytest.mark.parametrize("user", ["anonymous", "Anonymous", "ANONYMOUS", "unknown", ""])
def test_callers_who_withhold_their_number_share_no_profile(user):
    profiles = Profiles(8, 8)
    rows = play(*(call(i, caller=user) for i in range(5)), profiles=profiles)
    assert (rows[:, SETUP, CALL_COLUMN["caller_anonymous"]] == 1).all()
    assert value(rows, 4, SETUP, "caller_evidence") == 0
    assert value(rows, 4, SETUP, "source_calls_hour") == pytest.approx(5, rel=1e-2)
    assert profiles.counters["callers"] == 0


@pytest.mark.parametrize("user", ["anonymou", "anonymous1", "bob", "100"])
def test_a_name_is_not_anonymous(user):
    assert value(play(call(caller=user)), 0, SETUP, "caller_anonymous") == 0


def test_an_answer_of_which_only_the_ack_is_seen_says_nothing_of_ringing():
    def unrung(**more) -> float:
        known = [call(20.0 * k, destination=source(2), answered_s=3, ends_s=9, **more) for k in range(8)]
        return value(play(*known, call(400, destination=source(2))), 8, SETUP, "route_unrung_ratio")

    assert unrung(status_code=200) > 0.5
    assert unrung(status_code=0) < 0.05


def test_many_callers_behind_one_address_are_seen_at_it():
    rows = play(*(call(i, caller=str(442080000000 + i)) for i in range(30)))
    assert value(rows, 29, SETUP, "source_callers_ratio") > 0.7
    assert value(rows, 29, SETUP, "caller_evidence") == 1


def test_the_fan_out_of_yesterday_is_forgotten():
    rows = play(*(call(i, callee=str(442070000000 + 37 * i)) for i in range(40)), call(30 * 3600))
    assert value(rows, 39, SETUP, "caller_callees_day") > 30
    assert value(rows, 40, SETUP, "caller_callees_day") == pytest.approx(1, abs=0.1)
    assert value(rows, 40, SETUP, "caller_calls_hour") == pytest.approx(1, abs=0.01)


def test_a_registration_scan_is_seen_by_its_users_and_answers():
    rows, _ = ask(*(request(i / 6, f"user{i}", status=404) for i in range(25)))
    assert 18 < source_value(rows, 24, "source_users_hour") < 33
    assert source_value(rows, 24, "source_user_ratio") > 0.7
    assert source_value(rows, 24, "source_not_found_ratio") > 0.9
    assert source_value(rows, 24, "source_registered_ratio") < 0.05


def test_a_telephone_that_registers_is_one_user():
    asked = [request(1800 * i + j, status=status) for i in range(10) for j, status in enumerate((401, 200))]
    rows, _ = ask(*asked)
    assert source_value(rows, 19, "source_users_day") == pytest.approx(1, abs=0.1)
    assert source_value(rows, 19, "source_user_ratio") < 0.15
    assert source_value(rows, 19, "source_registered_ratio") == pytest.approx(0.5, abs=0.1)


def test_a_telephone_with_a_wrong_password_keeps_its_call_id_and_a_guesser_does_not():
    def tries(address, call_ids):
        return [
            request(10 * i + j, status=401 + 2 * j, address=address, credentials=bool(j), call_id=call_ids[i])
            for i in range(30)
            for j in range(2)
        ]

    rows, _ = ask(*tries(1, ["always"] * 30), *tries(2, [f"{i}" for i in range(30)]))
    telephone, guesser = rows[59], rows[119]
    column = SOURCE_COLUMN["source_wrong_passwords_day"]
    assert telephone[column] == pytest.approx(guesser[column], rel=1e-3)
    column = SOURCE_COLUMN["source_call_ids_day"]
    assert (telephone[column], guesser[column]) == (pytest.approx(1, abs=0.1), pytest.approx(30, rel=0.3))
    column = SOURCE_COLUMN["source_call_id_ratio"]
    assert telephone[column] < 0.05
    assert 0.35 < guesser[column] < 0.65


def test_each_try_in_one_dialog_is_a_wrong_password_and_so_are_those_that_overtake_their_answers():
    one_dialog = [request(i / 4, status=401, credentials=True) for i in range(120)]
    hasty = [request(i / 1000, status=401, address=2, credentials=True) for i in range(120)]  # answers take 10 ms
    rows, _ = ask(*one_dialog, *hasty)
    assert source_value(rows, 119, "source_wrong_passwords_day") == pytest.approx(120, rel=0.01)
    assert source_value(rows, 239, "source_wrong_passwords_day") == pytest.approx(120, rel=0.01)


def test_guesses_are_fast_and_a_telephone_with_an_old_password_is_not():
    guesser = [request(i / 2, status=401, credentials=True) for i in range(120)]
    telephone = [request(60 * i, status=401, address=2, credentials=True) for i in range(120)]
    rows, _ = ask(*guesser, *telephone)
    assert source_value(rows, 119, "source_user_failures_minute") > 80
    assert source_value(rows, 239, "source_user_failures_minute") < 2.1
    assert source_value(rows, 239, "source_user_failures_day") > 100


def test_failures_of_many_users_are_told_from_those_of_one():
    spray = [request(i, f"user{i % 60}", status=403, credentials=True) for i in range(180)]
    rows, _ = ask(*spray)
    assert source_value(rows, 179, "source_failing_users_day") == pytest.approx(60, rel=0.35)
    assert source_value(rows, 179, "source_wrong_passwords_day") == pytest.approx(180, rel=0.01)
    assert source_value(rows, 179, "source_user_failures_minute") < 5


def test_a_nonce_that_is_too_old_is_no_wrong_password_where_the_server_says_so():
    rows, _ = ask(*(request(i, status=401, credentials=True, stale=True) for i in range(5)))
    assert source_value(rows, 4, "source_wrong_passwords_day") == 0
    assert source_value(rows, 4, "source_wrong_passwords_minute") == 0


def test_a_request_that_is_sent_again_and_answered_twice_is_one_wrong_password():
    tries = [request(i / 2, status=401, credentials=True, branch="the same") for i in range(2)]
    for i, record in enumerate(tries):
        record["response_ns"] = START + SECOND + i
    rows, _ = ask(*tries)
    assert source_value(rows, 1, "source_wrong_passwords_day") == pytest.approx(1, rel=1e-3)


def test_a_success_after_many_wrong_passwords_is_told_and_one_after_a_single_one_is_forgotten():
    guesser = [request(i, status=401 if i < 200 else 200, credentials=True) for i in range(201)]
    telephone = [request(i, status=401 if i < 1 else 200, address=2, credentials=True) for i in range(2)]
    rows, _ = ask(*guesser, *telephone)
    assert source_value(rows, 199, "source_guessed_tries_day") == 0
    assert source_value(rows, 200, "source_guessed_tries_day") == pytest.approx(200, rel=0.01)
    assert source_value(rows, 200, "source_wrong_passwords_day") == pytest.approx(200, rel=0.01)
    assert source_value(rows, 202, "source_guessed_tries_day") == 0
    assert source_value(rows, 202, "source_wrong_passwords_day") == 0


def test_users_that_are_asked_for_are_told_from_servers():
    monitor = [request(i, "ping", OPTIONS, 200, 1, target=f"peer {i}") for i in range(40)]
    scan = [request(i, f"user{i}", OPTIONS, 200, 2) for i in range(40)]
    rows, _ = ask(*monitor, *scan)
    assert source_value(rows, 39, "source_probed_users_day") == pytest.approx(1, abs=0.1)
    assert source_value(rows, 39, "source_targets_day") == pytest.approx(40, rel=0.35)
    assert source_value(rows, 79, "source_probed_users_day") == pytest.approx(40, rel=0.35)
    assert source_value(rows, 79, "source_targets_day") == pytest.approx(1, abs=0.1)


def test_where_nobody_is_answered_nothing_is_said_of_who_is_not():
    rows, _ = ask(*(request(i, method=OPTIONS) for i in range(9)), request(9, address=2, status=401), request(10))
    assert np.isnan(rows[:9, SOURCE_COLUMN["source_replied_ratio"]]).all()
    assert source_value(rows, 10, "source_replied_ratio") < 0.3


def test_a_monitor_asks_the_same_servers_again_and_a_sweep_does_not():
    peers = [f"peer {i}" for i in range(10)]
    monitor = [request(30 * i, "ping", OPTIONS, 200, 1, target=peers[i % 10]) for i in range(60)]
    sweep = [request(30 * i, "100", OPTIONS, 200 * (i % 20 == 0), 2, target=f"host {i}") for i in range(60)]
    rows, _ = ask(*monitor, *sweep)
    assert source_value(rows, 59, "source_probes_day") == pytest.approx(10, rel=0.3)
    assert source_value(rows, 59, "source_probe_ratio") < 0.25
    assert source_value(rows, 59, "source_replied_ratio") > 0.95
    assert source_value(rows, 119, "source_probes_day") == pytest.approx(60, rel=0.35)
    assert source_value(rows, 119, "source_probe_ratio") > 0.7
    assert source_value(rows, 119, "source_replied_ratio") < 0.15


def test_users_asked_for_with_options_count_at_one_server_too():
    rows, _ = ask(*(request(i, f"user{i}", OPTIONS, 404) for i in range(25)))
    assert source_value(rows, 24, "source_targets_day") == pytest.approx(1, abs=0.1)
    assert source_value(rows, 24, "source_probes_day") == pytest.approx(25, rel=0.35)


def rows_due(*requests):
    rows, _ = replay_requests(Profiles(8, 8), np.array(list(requests), REQUEST), only_due=True)
    return (np.flatnonzero(~np.isnan(rows[:, 0])) + 1).tolist()


def test_a_source_is_looked_at_again_when_it_has_grown_by_a_quarter():
    assert rows_due(*(request(i / 100) for i in range(25))) == [4, 5, 7, 9, 12, 15, 19, 24]


def test_a_busy_source_is_looked_at_every_64_requests():
    due = rows_due(*(request(i / 1000) for i in range(2000)))
    assert set(np.diff(due[-10:])) == {64}


def test_a_slow_source_is_looked_at_when_a_minute_has_passed():
    due = rows_due(*(request(i / 1000) for i in range(300)), request(90), request(100), request(151))
    assert due[-2:] == [301, 303]


def test_responses_to_nobody_and_provisional_ones_are_left_out():
    rows, _ = ask(request(0, status=180), request(1))
    assert source_value(rows, 1, "source_challenged_ratio") == pytest.approx(0.3)


def test_a_response_to_invite_is_counted_at_the_end_of_its_call():
    rows, _ = ask(request(0, method=INVITE, status=403))
    assert source_value(rows, 0, "source_forbidden_ratio") == 0


# -- bounds and evictions -------------------------------------------------------------------------------------


def test_a_profile_fits_its_bound():
    assert PROFILE_BYTES == {"caller": 536, "callee": 296, "source": 1640}, "kernels/behaviour.pxd says so"
    assert max(PROFILE_BYTES["caller"], PROFILE_BYTES["callee"]) <= 9 * 64  # lines of a cache
    assert PROFILE_BYTES["source"] <= 26 * 64


def test_sizes_that_make_no_sense_are_refused():
    for sizes in ((0, 1, 1), (1, 0, 1), (1, 1, 0), (2**24 + 1, 1, 1)):
        with pytest.raises(ValueError, match=r"expected 1\.\.16777216"):
            Profiles(*sizes)


def flood(n, first=1, start_s=100.0):
    """Spoofed callers, each with one call."""
    calls = np.zeros(n, CALL)
    calls["caller_key"] = np.random.default_rng(first).integers(1, 2**64, n, dtype=np.uint64)
    calls["caller"] = b"x"
    calls["invite_ns"] = START + round(start_s * SECOND) + np.arange(n) * 1000
    calls["source"] = source(1)
    return calls


def test_a_full_table_gives_up_profiles_and_counts_them():
    profiles = Profiles(100, 8)
    replay_calls(profiles, flood(250))
    assert profiles.counters == {
        "callers": 100,
        "callees": 0,
        "sources": 1,
        "evicted_callers": 150,
        "evicted_callees": 0,
        "evicted_sources": 0,
    }


def test_a_million_spoofed_callers_do_not_flush_the_watched_ones():
    profiles = Profiles(131072, 8)
    play(*(call(i, caller=f"44207000{i % 50:04d}") for i in range(50 * 20)), profiles=profiles)
    for part in range(10):
        replay_calls(profiles, flood(100_000, first=part + 1, start_s=2000 + part))
    rows = play(*(call(3000 + i, caller=f"44207000{i:04d}") for i in range(50)), profiles=profiles)
    assert profiles.counters["evicted_callers"] > 800_000
    assert (rows[:, SETUP, CALL_COLUMN["caller_evidence"]] == 21).all()


def test_a_watched_caller_who_falls_silent_is_given_up_in_the_end():
    profiles = Profiles(64, 8)
    play(*(call(i) for i in range(20)), profiles=profiles)
    replay_calls(profiles, flood(64 * 40))
    assert value(play(call(1000), profiles=profiles), 0, SETUP, "caller_evidence") == 1


def test_a_table_full_of_watched_callers_still_takes_new_ones():
    profiles = Profiles(256, 8)
    play(*(call(i, caller=f"44207000{i % 256:04d}") for i in range(256 * 16)), profiles=profiles)
    replay_calls(profiles, flood(10, start_s=9000))
    assert profiles.counters["evicted_callers"] == 10


def test_a_call_outlives_its_profile():
    profiles = Profiles(1, 1)
    calls = [call(0, answered_s=10, ends_s=20), call(5, caller="12125551234", source=source(2))]
    rows = play(*calls, profiles=profiles)
    assert value(rows, 0, ANSWER, "caller_evidence") == 0
    assert value(rows, 0, ANSWER, "caller_answer_ratio_day") == pytest.approx(0.6)
    # and the one that took its slot is not charged with it
    rows = play(call(30, caller="12125551234", source=source(2)), profiles=profiles)
    assert value(rows, 0, SETUP, "caller_answer_ratio_day") == pytest.approx(0.6)
    assert value(rows, 0, SETUP, "caller_concurrency") == 2


def test_the_same_calls_leave_the_same_rows():
    calls = np.concatenate([flood(500), np.array([call(100 + i / 7) for i in range(50)], CALL)])
    first, second = (replay_calls(Profiles(100, 2, secret=1), calls) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_rows_do_not_depend_on_where_a_block_ends():
    calls = np.array([call(7 * i, callee=NUMBERS[i % 7], answered_s=2, ends_s=4) for i in range(40)], CALL)
    whole = replay_calls(Profiles(8, 8), calls)
    profiles = Profiles(8, 8)
    parts = np.concatenate([replay_calls(profiles, calls[i : i + 7]) for i in range(0, 40, 7)])
    np.testing.assert_array_equal(whole, parts)


def test_facts_of_a_caller_and_a_source_can_be_read():
    profiles = Profiles(8, 8)
    play(call(0), call(60, ends_s=3), profiles=profiles)
    caller, address = profiles.caller_facts(0), profiles.source_facts(0)
    assert caller == {"calls": 2, "open_calls": 1, "first_ns": START, "last_ns": START + 60 * SECOND}
    assert address == {"address": "192.0.2.1", "requests": 2, "first_ns": START, "last_ns": START + 60 * SECOND}
    for facts in (profiles.caller_facts, profiles.source_facts):
        for slot in (-1, 1):
            with pytest.raises(IndexError, match="slot"):
                facts(slot)


def test_an_ipv6_source_is_read_back():
    profiles = Profiles(8, 8)
    address = [0x20, 0x01, 0x0D, 0xB8, *[0] * 11, 1]
    play(call(source=address), profiles=profiles)
    assert profiles.source_facts(0)["address"] == "2001:db8::1"


def test_records_of_another_kind_are_refused():
    with pytest.raises(TypeError, match="calls: expected records"):
        replay.replay_calls(Profiles(1, 1), np.zeros(3))
    with pytest.raises(ValueError, match=r"calls: expected shape \[n\]"):
        replay.replay_calls(Profiles(1, 1), np.zeros((1, 1), CALL))
    with pytest.raises(TypeError, match="requests: expected records"):
        replay.replay_requests(Profiles(1, 1), np.zeros(3, CALL))
