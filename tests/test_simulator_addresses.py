"""What addresses do in the simulator beside calls: sweeps, registrations, and whether others live."""

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import simulator

HEAD = """
title = "test"
start = 2026-03-02T10:00:00+08:00
duration_s = 1200
seed = 21
"""


def capture_of(directory: Path, text: str) -> Path:
    path, capture = directory / "town.toml", directory / "town.pcap"
    path.write_text(text)
    simulator.run(path, out=capture)
    return capture


def test_a_sweep_asks_the_same_users_at_one_address_after_another(tmp_path: Path, tshark_fields: Callable):
    for method in ("INVITE", "REGISTER"):
        scan = f'[[population]]\nkind = "registration_scan"\nname = "sweep"\nmethod = "{method}"\nhosts = 40\n'
        capture = capture_of(tmp_path, f"{HEAD}{scan}users_per_host = 2\nalive_ratio = 0.5\nfor_s = 8\n")
        asked = tshark_fields(capture, f'sip.Method == "{method}"', "ip.dst", "sip.to.user", "sip.Call-ID")
        by_host = defaultdict(set)
        for host, user, _ in asked:
            by_host[host].add(user)
        assert len(by_host) == 40
        assert {len(users) for users in by_host.values()} == {2}
        replied = tshark_fields(capture, "sip.Status-Code >= 400", "sip.Call-ID")
        assert 0.3 < len({one[0] for one in replied}) / len({one[2] for one in asked}) < 0.7


def test_a_telephone_that_keeps_its_nonce_brings_credentials_at_once(tmp_path: Path, tshark_fields: Callable):
    homes = '[[population]]\nkind = "households"\nname = "homes"\nlines = 20\n'
    phones = '[[population]]\nkind = "registrations"\nname = "phones"\nevery_s = 300\ncached_nonce_ratio = 1\n'
    capture = capture_of(tmp_path, HEAD + homes + phones)
    assert not tshark_fields(capture, 'sip.Method == "REGISTER" && !sip.Authorization', "sip.Call-ID")
    stale = tshark_fields(capture, "sip.Status-Code == 401 && sip.auth", "sip.WWW-Authenticate")
    assert 0 < sum("stale=true" in one[0] for one in stale) < len(stale)


def test_an_exchange_asks_each_telephone_by_its_user(tmp_path: Path, tshark_fields: Callable):
    asks = '[[population]]\nkind = "monitoring"\nname = "asks"\npeers = 9\nown_users = true\nbehind_one = true\n'
    capture = capture_of(tmp_path, HEAD + asks)
    asked = tshark_fields(capture, 'sip.Method == "OPTIONS"', "ip.dst", "udp.dstport", "sip.r-uri.user")
    assert len({host for host, *_ in asked}) == 1
    assert len({port for _, port, _ in asked}) == len({user for *_, user in asked}) == 9


def test_an_exchange_that_is_too_busy_is_asked_again(tmp_path: Path, tshark_fields: Callable):
    reboot = '[[population]]\nkind = "pbx_reboot"\nname = "reboot"\nextensions = 60\noverload_ratio = 0.5\n'
    capture = capture_of(tmp_path, HEAD + reboot)
    asked = Counter(user for (user,) in tshark_fields(capture, 'sip.Method == "REGISTER"', "sip.to.user"))
    let_in = {user for (user,) in tshark_fields(capture, "sip.Status-Code == 200", "sip.to.user")}
    assert 10 < sum(count > 2 for count in asked.values()) < 50
    assert len(let_in) > 50


def test_passwords_are_tried_by_invite_until_one_is_right(tmp_path: Path, tshark_fields: Callable):
    guess = '[[population]]\nkind = "password_guessing"\nname = "guess"\nmethod = "INVITE"\nusers = 1\n'
    capture = capture_of(tmp_path, f"{HEAD}{guess}found_after = 30\n")
    tried = tshark_fields(capture, 'sip.Method == "INVITE" && sip.Proxy-Authorization', "sip.Call-ID", "sip.from.user")
    assert len({call_id for call_id, _ in tried}) == 30
    assert len({user for _, user in tried}) == 1
    answers = Counter(code for (code,) in tshark_fields(capture, "sip.Status-Code >= 400", "sip.Status-Code"))
    assert answers == {"407": 30 + 29, "487": 1}


def test_a_user_may_have_several_passwords_before_the_next_ones_turn(tmp_path: Path, tshark_fields: Callable):
    spray = '[[population]]\nkind = "password_guessing"\nname = "spray"\nusers = 40\nin_a_row = 3\nfor_s = 30\n'
    capture = capture_of(tmp_path, HEAD + '[[population]]\nkind = "households"\nname = "homes"\n' + spray)
    tried = [user for (user,) in tshark_fields(capture, "sip.Authorization", "sip.to.user")]
    runs = [len(list(run)) for _, run in groupby(tried)]
    assert set(runs[1:-1]) == {3}


def test_telephones_that_were_let_in_are_refused_when_their_passwords_have_changed(
    tmp_path: Path, tshark_fields: Callable
):
    office = '[[population]]\nkind = "password_change"\nname = "office"\nphones = 20\none_address = true\n'
    capture = capture_of(tmp_path, HEAD + office + "registered_ratio = 1\ncall_ratio = 0.5\nfixed_after_s = 9000\n")
    let_in = tshark_fields(capture, "sip.Status-Code == 200", "frame.time_relative")
    refused = tshark_fields(capture, "sip.Status-Code == 403", "frame.time_relative")
    assert len(let_in) == 20
    assert max(float(at) for (at,) in let_in) < min(float(at) for (at,) in refused)
    called = tshark_fields(capture, 'sip.Method == "INVITE" && sip.Proxy-Authorization', "sip.Call-ID")
    challenged = tshark_fields(capture, "sip.Status-Code == 407", "sip.Call-ID")
    assert len(challenged) == 2 * len(called) > 100


def test_a_server_out_of_order_may_refuse_the_right_passwords(tmp_path: Path, tshark_fields: Callable):
    homes = '[[population]]\nkind = "households"\nname = "homes"\nlines = 20\ncached_nonce_ratio = 1\n'
    phones = '[[population]]\nkind = "registrations"\nname = "phones"\nevery_s = 120\nwrong_password_ratio = 0\n'
    outage = "outage_after_s = 300\noutage_s = 240\noutage_code = 403\n"
    capture = capture_of(tmp_path, HEAD + homes + phones + outage)
    refused = [float(at) for (at,) in tshark_fields(capture, "sip.Status-Code == 403", "frame.time_relative")]
    assert len(refused) > 40
    assert max(refused) - min(refused) < 245
    first = 'sip.Method == "INVITE" && !sip.to.tag'
    assert tshark_fields(capture, f"{first} && sip.Proxy-Authorization", "sip.Call-ID")
