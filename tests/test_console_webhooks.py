"""Webhooks in the console, on SQLite and on PostgreSQL: made, switched, ended; what was not told; who sees what."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.store.store import Store
from tests.consoles import Browser, browsers, dead_delivery, fill, given


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


def test_a_webhook_is_made_with_a_secret_that_is_shown_once(browser: Browser, store: Store) -> None:
    browser.login("administrator")
    types = {"fraud_type": ["irsf", "tdos"]}
    page = browser.submit("/webhooks", "/webhooks", name="pager", url="https://pager.example/in", box="edge-1", **types)
    assert page.status_code == 201
    secret = given(page.text)
    assert secret.startswith("whsec_")
    for path in ("/webhooks", "/webhooks/pager", "/audit"):
        assert secret not in browser.get(path).text
    made = store.webhooks.webhook("pager")
    assert (made.verdict, made.fraud_types, made.box, made.created_by) == (
        "flag",
        ["irsf", "tdos"],
        "edge-1",
        "administrator",
    )
    one = {"fraud_type": "irsf", "verdict": "watch"}
    assert browser.submit("/webhooks", "/webhooks", name="one", url="https://one.example/", **one).status_code == 201
    assert (store.webhooks.webhook("one").fraud_types, store.webhooks.webhook("one").box) == (["irsf"], None)
    assert browser.submit("/webhooks/one", "/webhooks/one/switch", enabled="no").headers["location"] == "/webhooks/one"
    assert store.webhooks.webhook("one").disabled_ns
    assert browser.submit("/webhooks/one", "/webhooks/one/switch", enabled="yes").status_code == 303
    assert browser.submit("/webhooks/one", "/webhooks/one/remove").status_code == 400, "one has to be sure"
    assert browser.submit("/webhooks/one", "/webhooks/one/remove", sure="yes").headers["location"] == "/webhooks"
    assert browser.get("/webhooks/one").status_code == 404
    did = [entry.action for entry in store.journal.audit_trail(actor="administrator", subject="one").items]
    assert did == ["webhook.remove", "webhook.enable", "webhook.disable", "webhook.add"]
    store.webhooks.remove("pager", "test")


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"name": "siem"}, 409, "There is a webhook of this name."),
        ({"name": "<b>"}, 400, "A name has"),
        ({"url": "http://siem.example/"}, 400, "A webhook leads to https"),
        ({"url": "https://10.0.0.1/"}, 400, "A webhook leads to https"),
        ({"verdict": "pass"}, 400, ""),
        ({"fraud_type": "luck"}, 400, ""),
        ({"box": "nowhere"}, 404, ""),
        ({"box": "\0"}, 404, ""),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(
    browser: Browser, store: Store, fields: dict, status: int, says: str
) -> None:
    browser.login("administrator")
    before = len(store.webhooks.webhooks())
    answer = browser.submit("/webhooks", "/webhooks", **{"name": "new", "url": "https://siem.example/", **fields})
    assert (answer.status_code, says in answer.text) == (status, True)
    assert "<h1>" in answer.text
    assert "<b>" not in answer.text
    assert len(store.webhooks.webhooks()) == before


def test_webhooks_beyond_their_number_are_refused(
    browser: Browser, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.store.webhooks.MAX_WEBHOOKS", 1)
    browser.login("administrator")
    answer = browser.submit("/webhooks", "/webhooks", name="another", url="https://siem.example/")
    assert answer.status_code == 409
    assert "more are not kept" in answer.text


def test_what_could_not_be_delivered_is_delivered_again_or_discarded(browser: Browser, store: Store) -> None:
    here = "/webhooks/siem"
    browser.login("administrator")
    first, second, *_ = [dead_delivery(store) for _ in range(4)]
    text = browser.get(f"{here}?state=dead").text
    assert "HTTP 500" in text
    assert "were given up after a day" in text
    assert f'action="/deliveries/{first}/retry?state=dead"' in text
    assert browser.submit(here, f"/deliveries/{first}/retry").headers["location"] == here
    assert store.webhooks.delivery(first).state == "waiting"
    assert f"/deliveries/{first}/" not in browser.get(here).text, "what waits is let wait"
    assert browser.submit(here, f"/deliveries/{first}/retry").status_code == 409
    assert browser.submit(here, f"/deliveries/{first}/discard").status_code == 409
    discarded = browser.submit(here, f"/deliveries/{second}/discard?state=dead")
    assert discarded.headers["location"] == f"{here}?state=dead", "one goes on where one was"
    assert browser.submit(here, f"/deliveries/{second}/discard").status_code == 404
    assert browser.submit(here, f"{here}/discard").status_code == 400, "one has to be sure"
    dead = len(store.webhooks.deliveries("siem", "dead").items)
    assert dead >= 2
    assert browser.submit(here, f"{here}/discard", sure="yes").headers["location"] == here
    dead_delivery(store)
    assert browser.submit(here, f"{here}/retry").headers["location"] == here
    assert store.webhooks.deliveries("siem", "dead").items == []
    entries = store.journal.audit_trail(actor="administrator", subject="siem").items
    assert [(entry.action, entry.detail) for entry in entries] == [
        ("webhook.retry", {"deliveries": 1}),
        ("webhook.discard", {"deliveries": dead}),
    ]


def test_deliveries_are_paged(browser: Browser, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.console.webhooks.ROWS", 3)
    made = {dead_delivery(store) for _ in range(8)}
    browser.login("administrator")
    seen: list[str] = []
    path = "/webhooks/siem?state=dead"
    while path:
        text = browser.get(path).text
        found = re.findall(r"/deliveries/(\d+)/retry", text)
        assert len(found) <= 3
        seen += found
        more = re.search(r'rel="next" href="([^"]+)"', text)
        path = more[1].replace("&amp;", "&") if more else ""
    assert seen == sorted(set(seen), key=int, reverse=True)
    assert made <= set(map(int, seen))


def test_an_analyst_sees_where_a_webhook_leads_but_not_the_rest_of_its_address(
    store: Store, opened: Iterator[Browser]
) -> None:
    analyst, administrator = next(opened), next(opened)
    analyst.login("analyst")
    administrator.login("administrator")
    for path in ("/webhooks", "/webhooks/siem"):
        text = analyst.get(path).text
        assert "siem.example" in text
        assert "key=hidden" not in text
        assert 'action="/webhooks' not in text
        assert 'action="/deliveries' not in text
    assert "key=hidden" in administrator.get("/webhooks/siem").text
    assert analyst.get("/webhooks/nobody").status_code == 404
