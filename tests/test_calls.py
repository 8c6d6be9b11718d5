"""Every state of a call, from messages as a tap sees them: complete, late, twice, or in one direction only."""

import pytest

from tests.tap import CALLEE, CALLER, Tap, calls_of, request, response, screen

PROXY = ("203.0.113.5", 5060)


@pytest.fixture
def tap():
    return Tap()


@pytest.fixture
def call(tap, tmp_path):
    """Screens what the tap has seen and gives its one call."""

    def run(**limits):
        lines = screen(tap.write(tmp_path / "tap.pcap"), **limits)
        calls = calls_of(lines)
        assert len(calls) == 1
        assert lines[-1]["calls"] == 1
        return calls.popitem()[1]

    return run


def invited(tap, **fields):
    return tap.send(request("INVITE", **fields)).reply(response(100, **fields))


def ringing(tap, wait=3):
    return invited(tap).wait(1).reply(response(180, to_tag="bob")).wait(wait)


def answered(tap):
    ringing(tap).reply(response(200, to_tag="bob"))
    return tap.send(request("ACK", to_tag="bob", branch="ack"))


def test_an_invite_alone_is_trying(tap, call):
    tap.send(request("INVITE"))
    result = call()
    assert result["state"] == "trying"
    assert result["status_code"] is None
    assert result["quality"] == {"capture_loss": 0.0, "one_way": False, "truncated": False}


def test_100_is_trying_and_no_post_dial_delay(tap, call):
    invited(tap)
    result = call()
    assert (result["state"], result["status_code"], result["post_dial_delay_s"]) == ("trying", 100, None)


@pytest.mark.parametrize("status", [180, 181, 183])
def test_a_provisional_response_is_ringing(tap, call, status):
    invited(tap).wait(2).reply(response(status, to_tag="bob"))
    result = call()
    assert (result["state"], result["status_code"]) == ("ringing", status)
    assert result["post_dial_delay_s"] == pytest.approx(2.02, abs=1e-5)


def test_a_2xx_is_answered(tap, call):
    answered(tap)
    result = call()
    assert (result["state"], result["status_code"], result["duration_s"]) == ("answered", 200, None)
    assert result["ring_s"] == pytest.approx(3.01, abs=1e-5)


def test_bye_completes(tap, call):
    answered(tap).wait(60).send(request("BYE", to_tag="bob", cseq=2, branch="bye"))
    tap.reply(response(200, method="BYE", to_tag="bob", cseq=2, branch="bye"))
    result = call()
    assert (result["state"], result["messages"]) == ("completed", 7)
    assert result["duration_s"] == pytest.approx(60.02, abs=1e-5)
    assert result["quality"]["capture_loss"] == 0


def test_bye_from_the_called_side_completes(tap, call):
    answered(tap).wait(5).reply(
        request(
            "BYE", from_tag="bob", to_tag="alice", cseq=9, branch="bye", caller="+442079460123", callee="+493012345678"
        )
    )
    result = call()
    assert result["state"] == "completed"
    assert (result["caller"], result["source"]) == ("+493012345678", "192.0.2.10:5060")


def test_cancel_and_487_is_cancelled_at_the_cancel(tap, call):
    ringing(tap).send(request("CANCEL")).wait(0.5).reply(response(487, to_tag="bob"))
    result = call()
    assert (result["state"], result["status_code"]) == ("cancelled", 487)
    assert result["ring_s"] == pytest.approx(3.01, abs=1e-5)


def test_cancel_without_any_final_response_is_cancelled(tap, call):
    ringing(tap).send(request("CANCEL"))
    assert call()["state"] == "cancelled"


def test_a_2xx_that_crosses_cancel_is_answered_and_its_bye_completes(tap, call):
    ringing(tap).send(request("CANCEL"), after=0.001).reply(response(200, to_tag="bob"))
    tap.reply(response(200, method="CANCEL")).send(request("ACK", to_tag="bob", branch="ack"))
    assert call()["state"] == "answered"
    tap.send(request("BYE", to_tag="bob", cseq=2, branch="bye"))
    assert call()["state"] == "completed"


@pytest.mark.parametrize(
    ("status", "state"),
    [(302, "rejected"), (404, "rejected"), (486, "rejected"), (603, "rejected"), (408, "failed"), (503, "failed")],
)
def test_a_final_failure_ends_the_attempt(tap, call, status, state):
    ringing(tap).reply(response(status, to_tag="bob"))
    tap.send(request("ACK", to_tag="bob"))
    result = call()
    assert (result["state"], result["status_code"]) == (state, status)


def test_a_challenge_is_not_the_end(tap, call):
    tap.send(request("INVITE")).reply(response(407, to_tag="proxy")).send(request("ACK", to_tag="proxy"))
    assert call()["state"] == "rejected"
    tap.send(request("INVITE", cseq=2, branch="b2")).wait(1).reply(response(180, cseq=2, branch="b2", to_tag="bob"))
    result = call()
    assert (result["state"], result["status_code"]) == ("ringing", 180)
    assert result["post_dial_delay_s"] > 1


def test_no_answer_for_longer_than_timer_c_is_expired(tap, call):
    ringing(tap, wait=300).send(request("OPTIONS", call_id="other"))
    assert call()["state"] == "expired"


def test_a_dialog_without_media_or_signalling_for_hours_is_expired(tap, call):
    answered(tap).wait(3 * 3600).send(request("OPTIONS", call_id="other"))
    assert call()["state"] == "expired"


def test_media_keeps_a_dialog_alive(tap, call):
    ringing(tap).reply(response(200, to_tag="bob", sdp=("198.51.100.20", 4000)))
    tap.send(request("ACK", to_tag="bob", branch="ack"))
    for _ in range(4):
        tap.wait(3000).rtp(("192.0.2.10", 4002), ("198.51.100.20", 4000), count=3, sequence=1)
    assert call()["state"] == "answered"


def test_retransmissions_change_nothing(tap, call):
    for _ in range(3):
        tap.send(request("INVITE")).wait(0.5)
    tap.reply(response(180, to_tag="bob")).reply(response(180, to_tag="bob"))
    for _ in range(3):
        tap.reply(response(200, to_tag="bob")).wait(0.5)
    tap.send(request("ACK", to_tag="bob", branch="ack")).send(request("ACK", to_tag="bob", branch="ack"))
    result = call()
    assert (result["state"], result["messages"]) == ("answered", 10)


def test_a_response_seen_before_its_request_is_the_same_call(tap, call):
    tap.reply(response(180, to_tag="bob"), after=0.001).send(request("INVITE"), source=CALLER)
    tap.wait(2).reply(response(200, to_tag="bob"))
    result = call()
    assert (result["state"], result["source"]) == ("answered", "192.0.2.10:5060")
    assert not result["quality"]["one_way"]


def test_a_mirror_of_the_callers_side_only(tap, call):
    tap.send(request("INVITE")).wait(5).send(request("ACK", to_tag="bob", branch="ack"))
    tap.wait(30).send(request("BYE", to_tag="bob", cseq=2, branch="bye"))
    result = call()
    assert result["state"] == "completed"
    assert result["duration_s"] == pytest.approx(30.01, abs=1e-5)
    assert result["quality"] == {"capture_loss": 0.0, "one_way": True, "truncated": False}


def test_a_mirror_of_the_callers_side_only_tells_a_failure_by_its_ack(tap, call):
    tap.send(request("INVITE")).wait(5).send(request("ACK", to_tag="bob"))
    result = call()
    assert (result["state"], result["status_code"]) == ("rejected", None)


def test_a_mirror_of_the_called_side_only(tap, call):
    tap.reply(response(180, to_tag="bob")).wait(4).reply(response(200, to_tag="bob")).wait(20)
    tap.reply(response(200, method="BYE", to_tag="bob", cseq=2, branch="bye"))
    result = call()
    assert (result["state"], result["source"]) == ("completed", "192.0.2.10:5060")
    assert result["duration_s"] == pytest.approx(20.01, abs=1e-5)
    assert result["quality"]["one_way"]


def test_a_fork_that_fails_does_not_end_the_call_while_another_rings(tap, call):
    tap.send(request("INVITE"), destination=PROXY)
    for branch in ("f1", "f2"):
        tap.send(request("INVITE", branch=branch), source=PROXY)
    tap.reply(response(180, branch="f2", to_tag="two"), destination=PROXY)
    tap.reply(response(486, branch="f1", to_tag="one"), destination=PROXY)
    assert call()["state"] == "ringing"
    tap.reply(response(200, branch="f2", to_tag="two"), destination=PROXY)
    result = call()
    assert (result["state"], result["destination"]) == ("answered", "203.0.113.5:5060")


def test_all_forks_failed_is_rejected(tap, call):
    tap.send(request("INVITE"), destination=PROXY)
    for branch in ("f1", "f2"):
        tap.send(request("INVITE", branch=branch), source=PROXY)
    for branch, status in (("f1", 404), ("f2", 486)):
        tap.reply(response(status, branch=branch, to_tag=branch), destination=PROXY)
    assert call()["state"] == "trying"
    tap.reply(response(486, to_tag="f2"), source=PROXY)
    assert (result := call())["state"] == "rejected"
    assert result["status_code"] == 486


def test_two_forks_that_answer_are_over_when_both_are(tap, call):
    invited(tap).reply(response(200, to_tag="one")).reply(response(200, to_tag="two"))
    tap.send(request("BYE", to_tag="two", cseq=2, branch="bye2"))
    assert call()["state"] == "answered"
    tap.wait(9).send(request("BYE", to_tag="one", cseq=2, branch="bye1"))
    result = call()
    assert result["state"] == "completed"
    assert result["duration_s"] > 9


def test_a_refused_re_invite_leaves_the_call_answered(tap, call):
    answered(tap).send(request("INVITE", cseq=2, branch="re", to_tag="bob"))
    tap.reply(response(488, cseq=2, branch="re", to_tag="bob"))
    assert call()["state"] == "answered"


def test_glare_leaves_the_call_answered(tap, call):
    answered(tap)
    tap.send(request("INVITE", cseq=2, branch="re-a", to_tag="bob"), after=0.001)
    tap.reply(request("INVITE", cseq=1, branch="re-b", from_tag="bob", to_tag="alice"), after=0.001)
    tap.reply(response(491, cseq=2, branch="re-a", to_tag="bob"))
    tap.send(response(491, cseq=1, branch="re-b", from_tag="bob", to_tag="alice"))
    result = call()
    assert (result["state"], result["status_code"]) == ("answered", 200)


def test_prack_update_and_refer_belong_to_the_call_and_do_not_change_it(tap, call):
    ringing(tap).send(request("PRACK", cseq=2, branch="p", to_tag="bob"))
    tap.reply(response(200, method="PRACK", cseq=2, branch="p", to_tag="bob"))
    tap.send(request("UPDATE", cseq=3, branch="u", to_tag="bob", sdp=("192.0.2.10", 7000)))
    tap.reply(response(200, method="UPDATE", cseq=3, branch="u", to_tag="bob"))
    assert call()["state"] == "ringing"
    tap.reply(response(200, to_tag="bob")).send(request("REFER", cseq=4, branch="r", to_tag="bob"))
    tap.reply(response(202, method="REFER", cseq=4, branch="r", to_tag="bob"))
    result = call()
    assert (result["state"], result["messages"]) == ("answered", 10)


def test_a_bye_in_an_early_dialog_cancels(tap, call):
    ringing(tap).send(request("BYE", cseq=2, branch="bye", to_tag="bob"))
    assert call()["state"] == "cancelled"


def test_a_capture_that_begins_inside_a_dialog_shows_it_answered(tap, call):
    tap.send(request("INVITE", cseq=7, to_tag="bob")).reply(response(200, cseq=7, to_tag="bob"))
    result = call()
    assert (result["state"], result["duration_s"]) == ("answered", None)


def test_requests_outside_a_call_make_no_call(tap, tmp_path):
    for method in ("REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE", "BYE", "CANCEL", "ACK"):
        tap.send(request(method, call_id=method, branch=method))
    lines = screen(tap.write(tmp_path / "tap.pcap"))
    assert calls_of(lines) == {}
    assert (lines[-1]["sip_requests"], lines[-1]["calls"]) == (7, 0)


def test_a_missing_ack_and_2xx_are_counted_as_capture_loss(tap, call):
    invited(tap).reply(response(200, to_tag="bob"))
    tap.wait(5).send(request("BYE", cseq=2, branch="bye", to_tag="bob"))
    assert call()["quality"]["capture_loss"] == pytest.approx(1 / 5)


def test_a_message_cut_by_the_snapshot_length_is_said(tap, tmp_path):
    tap.send(request("INVITE", sdp=("192.0.2.10", 4000)))
    [result] = calls_of(screen(tap.write(tmp_path / "tap.pcap", snaplen=400))).values()
    assert result["quality"]["truncated"]


def test_streams_of_a_call_are_listed_with_it(tap, call):
    tap.send(request("INVITE", sdp=("192.0.2.10", 4000))).reply(
        response(200, to_tag="bob", sdp=("198.51.100.20", 6000))
    )
    tap.send(request("ACK", branch="ack", to_tag="bob"))
    tap.rtp(("192.0.2.10", 4000), ("198.51.100.20", 6000), ssrc=1).rtp(
        ("198.51.100.20", 6000), ("192.0.2.10", 4000), ssrc=2, count=40
    )
    streams = {stream["ssrc"]: stream for stream in call()["streams"]}
    assert streams.keys() == {1, 2}
    assert streams[1] == {
        "ssrc": 1,
        "source": "192.0.2.10:4000",
        "destination": "198.51.100.20:6000",
        "codec": "PCMA",
        "packets": 50,
        "lost": 0,
        "jitter_ms": pytest.approx(0, abs=0.01),
    }


def test_the_dialled_number_is_that_of_the_request_uri(tap, call):
    message = request("INVITE", callee="+8821234567890").replace(
        b"To: <sip:+8821234567890@", b"To: <sip:+442079460123@"
    )
    tap.send(message)
    result = call()
    assert (result["callee"], result["callee_e164"]) == ("+442079460123", "+8821234567890")


@pytest.mark.parametrize(
    ("user", "shown"),
    [("a%22b", "a%22b"), ("na\xefve".encode("latin-1"), "na\ufffdve"), ("\u4e2d\u6587".encode(), "\u4e2d\u6587")],
)
def test_any_bytes_of_a_caller_are_shown_as_valid_json(tap, call, user, shown):
    user = user if isinstance(user, bytes) else user.encode()
    tap.send(request("INVITE", caller="USER").replace(b"USER", user))
    assert call()["caller"] == shown


def test_the_table_stays_inside_its_bound_and_evictions_are_counted(tap, tmp_path):
    for i in range(300):
        tap.send(request("INVITE", call_id=f"flood-{i}"), after=0.001)
    lines = screen(tap.write(tmp_path / "tap.pcap"), calls=100)
    assert len(calls_of(lines)) == 300
    assert lines[-1]["calls"] == 300
    assert lines[-1]["evicted"] == 200


def test_calls_that_are_over_are_evicted_before_calls_that_are_not(tap, tmp_path):
    answered(tap)
    for i in range(50):
        fields = {"call_id": f"busy-{i}"}
        tap.send(request("INVITE", **fields)).reply(response(486, to_tag="x", **fields))
    tap.send(request("BYE", cseq=2, to_tag="bob", branch="bye"))
    calls = calls_of(screen(tap.write(tmp_path / "tap.pcap"), calls=10))
    assert calls["call-1"]["state"] == "completed"


@pytest.mark.parametrize("swapped", [False, True])
def test_both_addresses_are_those_of_the_first_invite(tap, call, swapped):
    tap.send(request("INVITE"), *((CALLEE, CALLER) if swapped else (CALLER, CALLEE)))
    result = call()
    assert (result["source"], result["destination"]) == (
        ("198.51.100.20:5060", "192.0.2.10:5060") if swapped else ("192.0.2.10:5060", "198.51.100.20:5060")
    )
