"""The console: who gets in, who may do what, and that what callers send is harmless on its pages."""

import re
import stat
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from litestar import Litestar

from collector.console import account
from collector.console.app import HEADERS
from collector.console.catalogue import LANGUAGES, WORDS, language_of
from collector.console.sessions import COOKIE, MAX_OF_ONE_USER
from collector.console.text import visible
from collector.store.findings import Filter
from collector.store.store import Store
from models.fraud_types import FRAUD_TYPES
from tests.consoles import HOSTILE, PASSWORD, ROLES, Browser, browsers, filled

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


def hostile_id(store: Store) -> int:
    return store.findings.find(Filter(caller=HOSTILE["caller"])).items[0].id


def pages(store: Store) -> dict[str, str]:
    """Each page for people with an account -> the lowest role that may see it."""
    finding = store.findings.find().items[-1]
    return {
        "/findings": "reader",
        f"/findings/{finding.id}": "reader",
        "/party?kind=caller&value=%2B4930123400001": "reader",
        "/fleet": "reader",
        "/trends": "reader",
        "/trends?range=week&box=edge-1": "reader",
        "/password": "reader",
        "/events": "analyst",
        "/audit": "administrator",
    }


def test_every_page_opens_to_its_roles_only(store: Store, opened: Iterator[Browser]) -> None:
    for role in ROLES:
        browser = next(opened)
        assert browser.login(role).headers["location"] == "/findings"
        for path, lowest in pages(store).items():
            wanted = 200 if ROLES.index(role) >= ROLES.index(lowest) else 403
            assert browser.get(path).status_code == wanted, (role, path)


def test_no_route_is_forgotten_by_the_test_of_roles(browser: Browser, store: Store) -> None:
    app: Litestar = browser.client.app
    known = {re.sub(r"\d+", "{finding_id:int}", path.partition("?")[0]) for path in pages(store)}
    open_or_forms = {"/", "/static/{name:str}", "/login", "/logout", "/language", "/findings/{finding_id:int}/label"}
    assert {route.path for route in app.routes} == known | open_or_forms


def test_strangers_are_sent_to_the_login_from_everywhere(browser: Browser, store: Store) -> None:
    for path in ["/", *pages(store)]:
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login"), path
    assert COOKIE not in browser.client.cookies


def test_readers_cannot_label_and_analysts_can(store: Store, opened: Iterator[Browser]) -> None:
    finding = store.findings.find().items[-1].id
    reader, analyst = next(opened), next(opened)
    reader.login("reader")
    assert reader.submit("/findings", f"/findings/{finding}/label", label="fraud").status_code == 403
    assert store.findings.get(finding).label is None
    analyst.login("analyst")
    answer = analyst.submit(f"/findings/{finding}", f"/findings/{finding}/label", label="fraud", comment="<b>sure</b>")
    assert answer.headers["location"] == f"/findings/{finding}"
    assert store.findings.get(finding).label == "fraud"
    assert "&lt;b&gt;sure" in analyst.get(f"/findings/{finding}").text
    assert store.journal.audit_trail(subject=str(finding)).items[0].actor == "analyst"
    assert analyst.submit("/findings", f"/findings/{finding}/label", label="perhaps").status_code == 400
    assert analyst.submit("/findings", "/findings/1/label", label="fraud").status_code == 404


def test_a_form_without_its_token_is_refused(browser: Browser, store: Store) -> None:
    browser.login("analyst")
    finding = store.findings.find().items[0].id
    for path in (f"/findings/{finding}/label", "/language", "/password", "/logout"):
        for token in ({}, {"_csrf_token": "0" * 128}):
            answer = browser.client.post(path, data={"label": "honest", **token}, follow_redirects=False)
            assert answer.status_code == 403, path
    assert store.findings.get(finding).label is None
    assert browser.get("/findings").status_code == 200


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


class Markup(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_hostile_call_is_shown_harmless(browser: Browser, store: Store) -> None:
    browser.login("administrator")
    for path in ("/findings", f"/findings/{hostile_id(store)}", "/events", "/fleet", "/audit"):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        tags = Markup(answer.text).tags
        assert not {"script", "style", "img", "i", "b"} & {tag for tag, _ in tags}, path
        assert not [name for _, attributes in tags for name in attributes if name.startswith("on") or name == "style"]
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08\x0b-\x1f\x7f]", answer.text), path
    text = browser.get(f"/findings/{hostile_id(store)}").text
    assert "&lt;script&gt;alert(document.cookie)" in text
    assert "&lt;U+202E&gt;0049" in text
    assert "{{ 7*7 }}" in text
    party = browser.client.get("/party", params={"kind": "caller", "value": HOSTILE["caller"]})
    assert party.status_code == 200
    assert "<script" not in party.text


def test_what_cannot_be_seen_is_written_out() -> None:
    assert visible("a\u202eb\x00\n") == "a<U+202E>b<U+0000><U+000A>"
    assert visible("中文 é +49") == "中文 é +49"


def test_every_answer_has_the_headers_that_keep_a_browser_in(browser: Browser) -> None:
    browser.login("reader")
    for path in ("/login", "/findings", "/nowhere", "/audit", "/static/console.css"):
        headers = browser.get(path).headers
        assert {name: headers.get(name) for name in HEADERS} == HEADERS, path


@pytest.mark.parametrize(
    "path",
    [
        "/findings?verdict=perhaps",
        "/findings?since=9999-12-31T00:00",
        "/findings?since=yesterday",
        "/findings?before=99999999999999999999999",
        "/findings?before=-1",
        "/findings?number=%00",
        "/party",
        "/party?kind=box&value=1",
        "/trends?range=century",
        "/events?kind=x",
        "/findings/99999999999999999999999",
        "/findings/1",
    ],
)
def test_an_address_that_makes_no_sense_is_answered_with_a_page(browser: Browser, path: str) -> None:
    browser.login("analyst")
    answer = browser.get(path)
    assert answer.status_code in (400, 404), answer.text
    assert "<h1>" in answer.text


def test_findings_are_filtered_and_paged(browser: Browser, store: Store) -> None:
    browser.login("reader")
    seen: list[str] = []
    path = "/findings"
    while path:
        text = browser.get(path).text
        seen += re.findall(r'href="/findings/(\d+)"', text)
        more = re.search(r'rel="next" href="([^"]+)"', text)
        path = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == len(set(seen)) == store.findings.count()
    number = store.findings.find().items[-1].caller
    found = browser.client.get("/findings", params={"number": number, "verdict": "watch"}).text
    assert len(set(re.findall(r'href="/findings/(\d+)"', found))) == 1
    assert "/findings/" not in browser.get("/findings?box=edge-2").text


def test_the_fleet_names_silent_boxes(browser: Browser) -> None:
    browser.login("reader")
    text = browser.get("/fleet").text
    assert "1 active box has been silent" in text
    assert text.index("edge-2") < text.index("edge-1")
    assert "1.0%" in text


def test_the_language_is_the_accounts_else_the_browsers(browser: Browser, store: Store) -> None:
    assert "登录" in browser.get("/login", **{"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"}).text
    browser.login("reader")
    assert "Findings" in browser.get("/findings").text
    browser.submit("/findings", "/language", language="zh")
    assert '<html lang="zh-Hans">' in browser.get("/findings", **{"accept-language": "en"}).text
    store.accounts.set_language("reader", None, "test")
    assert language_of(None, "de, en;q=0.3, zh;q=0.2") == "en"
    assert language_of(None, "") == "en"


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
    prefixes |= {"error."}
    unused = {
        key
        for key in WORDS
        if not (re.search(rf"['\"]{re.escape(key)}['\"]", code) or key in FRAUD_TYPES)
        and not any(key.startswith(prefix) for prefix in prefixes)
        and not key.startswith("ladder.")
    }
    assert not unused, unused


def test_chinese_pages_have_no_english_words(browser: Browser, store: Store) -> None:
    browser.login("administrator")
    store.accounts.set_language("administrator", "zh", "test")
    for path in pages(store):
        text = browser.get(path).text
        for english, chinese in WORDS.values():
            if english != chinese and " " in english and "{" not in english:
                assert f">{english}<" not in text, (path, english)
    store.accounts.set_language("administrator", None, "test")
