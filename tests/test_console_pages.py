"""The pages of the console, on SQLite and on PostgreSQL: who may see and do what, and what is on them."""

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest
from litestar import Litestar

from collector.console.app import HEADERS
from collector.console.catalogue import WORDS
from collector.console.sessions import COOKIE
from collector.door import EXPIRED, FAILED, FOREIGN, MISSING
from collector.problem import REASONS
from collector.pseudonyms import Numbers
from collector.store.findings import Filter
from collector.store.store import Store
from tests.collectors import ROOT, Desk, call_line, enrol, health
from tests.consoles import BOMBS, HOSTILE, PASSWORD, QUICK, ROLES, Browser, browsers, fill, given

NEW = "another long one"
# Controls, and marks that turn the writing round or cannot be seen.
UNSEEN = "[\u202a-\u202e\u2066-\u2069\u200b\u2028\u2029\ufeff\ufffe\x00-\x08\x0b-\x1f\x7f]"
# Where forms go -> the lowest role that may send them.
FORMS = {
    "/findings/{finding_id:int}/label": "analyst",
    "/reveal": "analyst",
    "/boxes/{name:str}/revoke": "administrator",
    "/webhooks/{name:str}/switch": "administrator",
    "/webhooks/{name:str}/remove": "administrator",
    "/webhooks/{name:str}/retry": "administrator",
    "/webhooks/{name:str}/discard": "administrator",
    "/deliveries/{delivery_id:int}/retry": "administrator",
    "/deliveries/{delivery_id:int}/discard": "administrator",
    "/accounts/{name:str}/role": "administrator",
    "/accounts/{name:str}/lock": "administrator",
    "/accounts/{name:str}/password": "administrator",
}


@pytest.fixture(scope="module")
def store(module_store_url: str) -> Iterator[Store]:
    made = fill(Store.open(module_store_url, create=True))
    yield made
    made.close()


@pytest.fixture
def opened(store: Store, tmp_path: Path) -> Iterator[Browser]:
    return browsers(store, tmp_path)


@pytest.fixture
def browser(opened: Iterator[Browser]) -> Browser:
    return next(opened)


def bombs(store: Store) -> list[int]:
    """The ids of findings with all that a caller may put into his messages."""
    found = [finding.id for finding in store.findings.find(Filter(box="edge-bombs")).items]
    if not found:
        desk = Desk(store)
        reports = [(n, call_line(1000 + n, **each)) for n, each in enumerate(BOMBS, 1)]
        assert not desk.put("edge-bombs", desk.enrol("edge-bombs"), reports).rejected
        desk.writer.stop()
        return bombs(store)
    return found


def hostile_id(store: Store) -> int:
    return store.findings.find(Filter(caller=HOSTILE["caller"])).items[0].id


def pages(store: Store) -> dict[str, str]:
    """Each page for people with an account -> the lowest role that may see it."""
    finding = store.findings.find().items[-1]
    return {
        "/findings": "reader",
        f"/findings/{finding.id}": "reader",
        "/party?kind=caller&value=%2B4930123400001": "reader",
        "/labels": "reader",
        "/fleet": "reader",
        "/fleet?state=silent": "reader",
        "/trends": "reader",
        "/trends?range=week&box=edge-1": "reader",
        "/boxes/edge-1": "reader",
        "/boxes/edge-2": "reader",
        "/password": "reader",
        "/events": "analyst",
        "/events?kind=refused&box=edge-1": "analyst",
        "/webhooks": "analyst",
        "/webhooks/siem": "analyst",
        "/audit": "administrator",
        "/accounts": "administrator",
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
    known = {re.sub(r"findings/\d+", "findings/{finding_id:int}", path.partition("?")[0]) for path in pages(store)}
    known = {re.sub("(boxes|webhooks)/.*", r"\1/{name:str}", path) for path in known}
    for_all = {"/", "/static/{name:str}", "/login", "/logout", "/language"}
    assert {route.path for route in app.routes} == known | for_all | set(FORMS)


def test_every_form_is_taken_from_its_roles_only(store: Store, opened: Iterator[Browser]) -> None:
    for role in ROLES:
        browser = next(opened)
        browser.login(role)
        for form, lowest in FORMS.items():
            path = re.sub(r"\{\w+_id:int\}", "999999", form).replace("{name:str}", "nobody")
            allowed = ROLES.index(role) >= ROLES.index(lowest)
            assert (browser.submit("/findings", path).status_code == 403) != allowed, (role, path)


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
    ids = [hostile_id(store), *bombs(store)]
    paths = [f"/findings/{each}" for each in ids] + ["/events", "/fleet", "/boxes/edge-1", "/audit", "/accounts"]
    paths += [f"/party?{urlencode({'kind': 'caller', 'value': store.findings.get(each).caller})}" for each in ids]
    for path in ("/findings", *paths):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        tags = Markup(answer.text).tags
        assert not {"script", "style", "img", "i", "b"} & {tag for tag, _ in tags}, path
        assert not [name for _, attributes in tags for name in attributes if name.startswith("on") or name == "style"]
        assert not re.search(UNSEEN, answer.text), path
        assert len(answer.text) < 200_000, path
    text = browser.get(f"/findings/{hostile_id(store)}").text
    assert "&lt;script&gt;alert(document.cookie)" in text
    assert "&lt;U+202E&gt;0049" in text
    assert "{{ 7*7 }}" in text
    party = browser.client.get("/party", params={"kind": "caller", "value": HOSTILE["caller"]})
    assert party.status_code == 200
    assert "<script" not in party.text


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
        f"/findings?before={'0' * 20}{'9' * 20}",
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


def test_the_fleet_names_silent_boxes_before_all_others(store_url: str, tmp_path: Path) -> None:
    store = fill(Store.open(store_url, create=True))  # a fleet of its own: the other tests enrol boxes and revoke them
    browser = next(browsers(store, tmp_path))
    browser.login("reader")
    text = browser.get("/fleet").text
    assert "1 active box has been silent" in text
    assert text.index("edge-2") < text.index("edge-1")
    assert "1.0%" in text
    silent = browser.get("/fleet?state=silent").text
    assert "edge-2" in silent
    assert "edge-1" not in silent
    assert "No box is like this." in browser.get("/fleet?state=revoked").text
    assert browser.get("/fleet?state=lost").status_code == 400
    store.close()


def test_the_fleet_and_the_accounts_are_paged_by_name(
    browser: Browser, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("boxes", "people"):
        monkeypatch.setattr(f"collector.console.{module}.ROWS", 4)
    monkeypatch.setattr("collector.store.accounts._hasher", QUICK)
    names = [f"many-{n:02}" for n in range(12)]
    for name in names:
        enrol(store, name)
        store.accounts.add_user(name, "reader", PASSWORD, "test")
    browser.login("administrator")
    for here, name_of in (
        ("/fleet", r'<th scope="row"><a href="/boxes/([\w-]+)'),
        ("/accounts", r'row"><bdi.*?>([\w-]+)<'),
    ):
        seen: list[str] = []
        path = here
        while path:
            text = browser.get(path).text
            found = re.findall(name_of, text)
            assert len(found) <= 4
            seen += found
            assert ("First page" in text) == (path != here)
            more = re.search(r'rel="next" href="([^"]+)"', text)
            path = more[1].replace("&amp;", "&") if more else ""
        assert seen == sorted(set(seen))
        assert set(names) <= set(seen), here


def test_chinese_pages_have_no_english_words(browser: Browser, store: Store) -> None:
    browser.login("administrator")
    store.accounts.set_language("administrator", "zh", "test")
    for path in pages(store):
        text = browser.get(path).text
        for english, chinese in WORDS.values():
            if english != chinese and " " in english and "{" not in english:
                assert f">{english}<" not in text, (path, english)
    store.accounts.set_language("administrator", None, "test")


def test_a_box_tells_how_it_is_and_since_when_it_is_silent(browser: Browser, store: Store) -> None:
    browser.login("reader")
    text = browser.get("/boxes/edge-1").text
    assert "the disk is &lt;b&gt;full&lt;/b&gt;" in text
    assert "call@1" in text
    assert "c0ffee" in text
    (certificate,) = store.fleet.certificates(store.fleet.box("edge-1").id)
    assert certificate.serial in text
    assert "This box has never reported." in browser.get("/boxes/edge-2").text
    assert "/revoke" not in text, "only administrators are offered to revoke a box"
    assert browser.get("/boxes/nowhere").status_code == 404
    assert browser.get("/boxes/%00").status_code == 404


def test_the_health_of_a_box_is_paged(browser: Browser, store: Store) -> None:
    desk = Desk(store)
    serial = desk.enrol("edge-long")
    start = time.time_ns()
    reports = [(n, health(start - n * 10**9, problems=[f"problem {n}."])) for n in range(1, 71)]
    desk.put("edge-long", serial, reports)
    desk.writer.stop()
    browser.login("reader")
    seen: list[str] = []
    path = "/boxes/edge-long"
    while path:
        text = browser.get(path).text
        seen += re.findall(r"problem (\d+)\.", text.partition('id="history"')[2])
        more = re.search(r'rel="next" href="([^"]+)"', text)
        path = more[1].replace("&amp;", "&") if more else ""
    assert sorted(map(int, seen)) == list(range(1, 71))


def test_an_administrator_revokes_a_box_and_has_to_be_sure(browser: Browser, store: Store) -> None:
    Desk(store).enrol("edge-stolen")
    browser.login("administrator")
    here = "/boxes/edge-stolen"
    assert browser.submit(here, f"{here}/revoke", reason="stolen").status_code == 400
    assert store.fleet.box("edge-stolen").state == "active"
    assert browser.submit(here, f"{here}/revoke", reason="stolen", sure="yes").headers["location"] == here
    assert store.fleet.box("edge-stolen").state == "revoked"
    assert "Revoked at" in browser.get(here).text
    entry = store.journal.audit_trail(subject="edge-stolen").items[0]
    assert (entry.actor, entry.action, entry.detail) == ("administrator", "box.revoke", {"reason": "stolen"})


def test_an_account_is_made_with_a_password_that_is_good_once(store: Store, opened: Iterator[Browser]) -> None:
    administrator, newcomer, other = next(opened), next(opened), next(opened)
    administrator.login("administrator")
    page = administrator.submit("/accounts", "/accounts", name="night-desk", role="analyst")
    assert page.status_code == 201
    first = given(page.text)
    assert first not in administrator.get("/accounts").text, "it is shown once"
    assert newcomer.login("night-desk", first).headers["location"] == "/password"
    assert newcomer.get("/findings").headers["location"] == "/password"
    assert newcomer.submit("/password", "/password", current=first, new=NEW, again=NEW).status_code == 303
    assert newcomer.get("/findings").status_code == 200
    second = given(administrator.submit("/accounts", "/accounts/night-desk/password").text)
    assert newcomer.get("/findings").headers["location"] == "/login", "a new password ends the sessions"
    assert other.login("night-desk", NEW).status_code == 401
    assert other.login("night-desk", second).headers["location"] == "/password"
    actions = [entry.action for entry in store.journal.audit_trail(actor="administrator", subject="night-desk").items]
    assert actions == ["user.password", "user.add"]


def test_a_role_and_a_lock_hold_from_the_next_page_on(store: Store, opened: Iterator[Browser]) -> None:
    store.accounts.add_user("mover", "reader", PASSWORD, "test")
    administrator, mover = next(opened), next(opened)
    administrator.login("administrator")
    mover.login("mover")
    assert mover.get("/events").status_code == 403
    assert administrator.submit("/accounts", "/accounts/mover/role", role="analyst").status_code == 303
    assert mover.get("/events").status_code == 200
    there = administrator.submit("/accounts", "/accounts/mover/role?after=1", role="analyst").headers["location"]
    assert there == "/accounts?after=1", "one goes on where one was"
    administrator.submit("/accounts", "/accounts/mover/lock", disabled="yes")
    assert mover.get("/events").headers["location"] == "/login"
    administrator.submit("/accounts", "/accounts/mover/lock", disabled="no")
    assert mover.login("mover").headers["location"] == "/findings"


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/accounts", {"name": "reader", "role": "reader"}, 409),
        ("/accounts", {"name": "<script>", "role": "reader"}, 400),
        ("/accounts", {"name": "fine", "role": "emperor"}, 400),
        ("/accounts/nobody/lock", {"disabled": "yes"}, 404),
        ("/accounts/reader/lock", {"disabled": "perhaps"}, 400),
        ("/accounts/administrator/lock", {"disabled": "yes"}, 400),
        ("/accounts/administrator/role", {"role": "reader"}, 400),
    ],
)
def test_an_account_that_cannot_be_is_refused(browser: Browser, path: str, fields: dict, status: int) -> None:
    browser.login("administrator")
    answer = browser.submit("/accounts", path, **fields)
    assert answer.status_code == status
    assert "<h1>" in answer.text


def test_all_judgements_are_on_one_list(browser: Browser, store: Store) -> None:
    one, other = (finding.id for finding in store.findings.find(limit=2).items)
    store.findings.label(one, "fraud", "ann", "<b>three</b> complaints")
    store.findings.label(other, "honest", "bob")
    browser.login("reader")
    text = browser.get("/labels").text
    assert "&lt;b&gt;three" in text
    assert text.index(f"/findings/{other}") < text.index(f"/findings/{one}")


def test_a_number_is_revealed_for_a_reason_and_into_the_audit_trail(store: Store, tmp_path: Path) -> None:
    numbers = Numbers("pseudonym", bytes(range(64)))
    desk = Desk(store, numbers)
    number = "+4915112345678"
    desk.put("edge-private", desk.enrol("edge-private"), [(1, call_line(7777, caller=number, caller_e164=number))])
    desk.writer.stop()
    token = numbers.stored(number)
    (finding,) = store.findings.find(Filter(caller=token)).items
    opened = browsers(store, tmp_path, numbers)
    analyst, reader = next(opened), next(opened)
    reader.login("reader")
    analyst.login("analyst")
    here = f"/findings/{finding.id}"
    assert number not in analyst.get(here).text
    assert "/reveal" not in reader.get(here).text
    assert analyst.submit(here, "/reveal", token=token, reason=" ").status_code == 400
    assert analyst.submit(here, "/reveal", token="~AAAA", reason="x").status_code == 404
    page = analyst.submit(here, "/reveal", token=token, reason="called the victim back")
    assert number in page.text
    entry = store.journal.audit_trail(subject=token).items[0]
    assert (entry.actor, entry.action) == ("analyst", "number.reveal")
    assert entry.detail == {"reason": "called the victim back"}
    assert analyst.client.get("/findings", params={"number": number}).text.count(f"/findings/{finding.id}") == 1


def test_a_call_shows_how_it_went_and_what_was_judged_before(browser: Browser, store: Store) -> None:
    finding = store.findings.find().items[-2].id
    for n in range(12):
        store.findings.label(finding, "fraud" if n % 2 else "honest", "ann", f"look {n}.")
    browser.login("reader")
    text = browser.get(f"/findings/{finding}").text
    for word in (
        "INVITE",
        "180",
        "BYE",
        "PCMA",
        "2.5 ms",
        "3 (0.5%)",
        "call@1",
        "Both directions were seen",
        "look 11.",
    ):
        assert word in text, word
    assert "look 1." not in text
    more = re.search(r'rel="next" href="([^"]+)"', text)
    assert more
    assert "look 1." in browser.get(more[1].replace("&amp;", "&")).text


def test_every_refusal_is_said_in_words(browser: Browser, store: Store) -> None:
    reasons = {*REASONS, MISSING, FOREIGN, EXPIRED, FAILED}
    code = "".join(path.read_text() for path in (ROOT / "collector").rglob("*.py"))
    assert set(re.findall(r'RefusedError\(\s*\d+,\s*"(\w+)"', code)) <= reasons
    for reason in reasons:
        store.journal.event("refused", reason, box="edge-1", address="203.0.113.7")
    browser.login("analyst")
    text = browser.get("/events?kind=refused&box=edge-1").text
    for reason in reasons:
        assert WORDS[f"refused.{reason}"][0] in text
