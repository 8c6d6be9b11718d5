"""The console: who gets in, who may do what, and that what callers send is harmless on its pages."""

import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.console import account, reasons
from collector.console.catalogue import LANGUAGES, WORDS, language_of
from collector.console.sessions import COOKIE, MAX_OF_ONE_USER
from collector.console.text import visible
from collector.limits import network_of
from collector.server import Listener
from collector.store.store import Store
from kernels.schema import CALL_FEATURES, SOURCE_FEATURES
from models.fraud_types import FRAUD_TYPES
from tests.consoles import PASSWORD, Browser, browsers, filled

NEW = "another long one"
CONSOLE = Path(__file__).resolve().parent.parent / "collector" / "console"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = filled(tmp_path_factory.mktemp("console") / "store.sqlite")
    yield made
    made.close()


@pytest.fixture
def opened(store: Store, tmp_path: Path) -> Iterator[Browser]:
    return browsers(store, tmp_path)


@pytest.fixture
def browser(opened: Iterator[Browser]) -> Browser:
    return next(opened)


def test_a_planted_session_is_worth_nothing_after_the_login(opened: Iterator[Browser]) -> None:
    attacker, victim = next(opened), next(opened)
    attacker.login("reader")
    for planted in ("f" * 64, attacker.client.cookies[COOKIE]):
        victim.client.cookies.clear()
        victim.client.cookies.set(COOKIE, planted, domain="console.test")
        page = victim.client.get("/login", headers={"cookie": f"{COOKIE}={planted}"})
        token = re.search(r'name="_csrf_token" value="(\w+)"', page.text)
        assert token
        cookies = f"{COOKIE}={planted}; sipwarden_csrf={token[1]}"
        victim.client.cookies.clear()
        answer = victim.client.post(
            "/login",
            data={"_csrf_token": token[1], "name": "analyst", "password": PASSWORD},
            headers={"cookie": cookies},
            follow_redirects=False,
        )
        assert answer.status_code == 303
        fresh = victim.client.cookies[COOKIE]
        assert fresh != planted
        attacker.client.cookies.clear()
        assert attacker.get("/findings", cookie=f"{COOKIE}={planted}").status_code == 303


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    cookie = browser.login("reader").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_a_logout_a_lock_and_a_new_password_end_sessions(store: Store, opened: Iterator[Browser]) -> None:
    store.accounts.add_user("leaver", "reader", PASSWORD, "test")
    browser, other = next(opened), next(opened)
    browser.login("leaver")
    kept = browser.client.cookies[COOKIE]
    browser.submit("/findings", "/logout")
    assert browser.get("/findings", cookie=f"{COOKIE}={kept}").status_code == 303
    browser.login("leaver")
    other.login("leaver")
    changed = browser.submit("/password", "/password", current=PASSWORD, new=NEW, again=NEW)
    assert changed.status_code == 303
    assert browser.get("/findings").status_code == 200
    assert other.get("/findings").status_code == 303
    store.accounts.set_disabled("leaver", True, "test")
    assert browser.get("/findings").status_code == 303


def test_guessing_is_throttled_by_account_and_by_address(browser: Browser) -> None:
    for _ in range(account.OF_ACCOUNT):
        assert browser.login("reader", "wrong").status_code == 401
    answer = browser.login("reader")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert browser.login("analyst").status_code == 303

    throttle = account.Throttle()
    assert not any(throttle.take(f"user{n}", "192.0.2.1") for n in range(account.OF_ADDRESS))
    assert throttle.take("one more", "192.0.2.1") > 0
    assert throttle.take("one more", "192.0.2.2") == 0
    waits = [throttle.take(f"user{n}", f"2001:db8::{n:x}") for n in range(account.OF_ADDRESS + 1)]
    assert [bool(wait) for wait in waits] == [False] * account.OF_ADDRESS + [True], "a /64 is one's own to take from"
    assert throttle.take("one more", "2001:db8:0:1::1") == 0
    assert network_of("::ffff:192.0.2.1") == "::ffff:192.0.2.1"


def test_sessions_of_one_user_are_bounded(opened: Iterator[Browser], store: Store) -> None:
    browser = next(opened)
    browser.client.app.state.throttle = account.Throttle()
    cookies = []
    for _ in range(MAX_OF_ONE_USER):
        one = next(opened)
        assert one.login("reader").status_code == 303
        cookies.append(one.client.cookies[COOKIE])
    browser.client.app.state.throttle = account.Throttle()
    browser.login("reader")
    assert browser.get("/findings").status_code == 200
    assert next(opened).get("/findings", cookie=f"{COOKIE}={cookies[0]}").status_code == 303
    assert next(opened).get("/findings", cookie=f"{COOKIE}={cookies[1]}").status_code == 200


def test_the_first_password_opens_nothing_but_its_change(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.sqlite'}", create=True)
    browser = next(browsers(store, tmp_path))
    file = tmp_path / account.FIRST_PASSWORD_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.read_text().strip()
    assert browser.login(account.FIRST_USER, first).headers["location"] == "/password"
    assert browser.get("/audit").headers["location"] == "/password"
    new = "a password of my own"
    assert browser.submit("/password", "/password", current=first, new=first, again=first).status_code == 400
    assert browser.submit("/password", "/password", current=first, new=new, again="other" + new).status_code == 400
    assert browser.submit("/password", "/password", current=first, new=new, again=new).status_code == 303
    assert browser.get("/audit").status_code == 200
    assert not file.exists()
    assert browser.login(account.FIRST_USER, first).status_code == 401
    store.close()


def test_no_part_of_an_answer_waits_for_the_one_before_to_be_acknowledged(browser: Browser) -> None:
    listener = Listener("console", browser.client.app, "127.0.0.1:0", None, 1)
    with socket.create_connection(listener.socket.getsockname()[:2]), listener.socket.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    listener.socket.close()


def test_what_cannot_be_seen_is_written_out() -> None:
    assert visible("a\u202eb\x00\n") == "a<U+202E>b<U+0000><U+000A>"
    assert visible("中文 é +49") == "中文 é +49"


def test_the_language_is_the_accounts_else_the_browsers(browser: Browser, store: Store) -> None:
    assert "登录" in browser.get("/login", **{"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"}).text
    browser.login("reader")
    assert "Findings" in browser.get("/findings").text
    browser.submit("/findings", "/language", language="zh")
    assert '<html lang="zh-Hans">' in browser.get("/findings", **{"accept-language": "en"}).text
    store.accounts.set_language("reader", None, "test")
    assert language_of(None, "de, en;q=0.3, zh;q=0.2") == "en"
    assert language_of(None, "") == "en"


def test_every_reason_can_be_said_in_chinese_with_its_value_as_the_boxes_have_it() -> None:
    features = {feature.name: feature for feature in (*CALL_FEATURES, *SOURCE_FEATURES)}
    assert set(reasons.SENTENCES) == set(features)
    for name, feature in features.items():
        for value in (0.0, 0.034, 1.0, 2.0, 7.26, 250.0):
            expected = feature.text(value)
            said = reasons.in_chinese({"feature": name, "value": value, "typical": None})
            assert said is not None
            assert said.endswith(f"通常为 {reasons.NOT_KNOWN}")
            if feature.words:
                assert len(reasons.CLASSES.get(name, reasons.YES_NO)) == len(feature.words), name
            else:
                unit = {"ratio": (" %", "%"), "s": (" s", " 秒")}.get(feature.unit, ("", ""))
                assert expected.removesuffix(unit[0]) + unit[1] in said, (name, value)
    assert reasons.in_chinese({"feature": "of_a_newer_box", "value": 1.0, "typical": 0.0}) is None


def test_the_catalogue_is_complete_in_both_languages() -> None:
    for key, words in WORDS.items():
        assert len(words) == len(LANGUAGES), key
        assert all(words), key
    assert set(FRAUD_TYPES) <= set(WORDS)
    templates = "".join(path.read_text() for path in (CONSOLE / "templates").iterdir())
    used = set(re.findall(r"say\('([\w.]+)'[,)]", templates))
    assert used <= set(WORDS), used - set(WORDS)
    code = templates + "".join(path.read_text() for path in CONSOLE.glob("*.py") if path.name != "catalogue.py")
    prefixes = set(re.findall(r"say\('([\w]+\.)' ~", templates)) | {"label.", "verdict.", "events."}
    prefixes |= set(re.findall(r"words\(v, '([\w]+\.)'", templates)) | {"error.", "only.", "unit.", "ladder."}
    unused = {
        key
        for key in WORDS
        if not (re.search(rf"['\"]{re.escape(key)}['\"]", code) or key in FRAUD_TYPES)
        and not any(key.startswith(prefix) for prefix in prefixes)
        and not key.endswith(".one")
    }
    assert not unused, unused
