"""The REST API: who gets in where, what it answers, and that a token is worth only what it says."""

import itertools
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from unittest import mock

import pytest
from litestar.routes import HTTPRoute

from collector.api.access import BAD_AT_ONCE, REQUESTS_AT_ONCE
from collector.api.app import PREFIX
from collector.api.cursor import PATTERN, decode, encode
from collector.scopes import SCOPES, Scope
from collector.store.findings import Filter
from tests.apis import PSEUDONYM, Api, opened
from tests.collectors import Desk, call_line, enrol, health
from tests.consoles import HOSTILE, PASSWORD, browsers, dead_delivery

# route -> (a path of it, a body, its scope; None: any token, "": no token), below the prefix.
ROUTES: dict[str, tuple[str, object, Scope | str | None]] = {
    "GET /health": ("/health", None, ""),
    "GET /openapi.json": ("/openapi.json", None, ""),
    "GET /version": ("/version", None, None),
    "GET /token": ("/token", None, None),
    "GET /findings": ("/findings?verdict=flag&limit=3", None, "findings:read"),
    "GET /findings/{finding_id:int}": ("/findings/{finding}", None, "findings:read"),
    "GET /findings/{finding_id:int}/labels": ("/findings/{finding}/labels", None, "findings:read"),
    "POST /findings/{finding_id:int}/labels": ("/findings/{finding}/labels", {"label": "fraud"}, "labels:write"),
    "GET /labels": ("/labels", None, "findings:read"),
    "GET /calls": ("/calls", None, "findings:read"),
    "GET /parties": ("/parties?kind=caller&value=%2B4930123400001", None, "findings:read"),
    "GET /trends": ("/trends?range=week", None, "findings:read"),
    "GET /boxes": ("/boxes?silent=true", None, "fleet:read"),
    "GET /boxes/{name:str}": ("/boxes/edge-1", None, "fleet:read"),
    "GET /boxes/{name:str}/health": ("/boxes/edge-1/health", None, "fleet:read"),
    "POST /boxes/{name:str}/revoke": ("/boxes/box{n}/revoke", {"reason": "stolen"}, "fleet:write"),
    "GET /events": ("/events", None, "events:read"),
    "GET /audit": ("/audit", None, "audit:read"),
    "GET /accounts": ("/accounts", None, "accounts:read"),
    "GET /webhooks": ("/webhooks", None, "webhooks:read"),
    "POST /webhooks": ("/webhooks", {"name": "new{n}", "url": "https://siem.example/in"}, "webhooks:write"),
    "GET /webhooks/{name:str}": ("/webhooks/siem", None, "webhooks:read"),
    "PATCH /webhooks/{name:str}": ("/webhooks/siem", {"enabled": False}, "webhooks:write"),
    "DELETE /webhooks/{name:str}": ("/webhooks/old{n}", None, "webhooks:write"),
    "POST /webhooks/{name:str}/retry": ("/webhooks/siem/retry", None, "webhooks:write"),
    "POST /webhooks/{name:str}/discard": ("/webhooks/siem/discard", None, "webhooks:write"),
    "GET /deliveries": ("/deliveries?dead=true", None, "webhooks:read"),
    "POST /deliveries/{delivery_id:int}/retry": ("/deliveries/{dead}/retry", None, "webhooks:write"),
    "DELETE /deliveries/{delivery_id:int}": ("/deliveries/{dead}", None, "webhooks:write"),
    "POST /numbers/reveal": ("/numbers/reveal", {"pseudonym": PSEUDONYM}, "numbers:reveal"),
}


# What the console shows and does -> where that is in the API. None: it is of the browser, or for people alone.
OF_THE_CONSOLE: dict[str, tuple[str, ...] | None] = {
    "/": None,
    "/static/{name:str}": None,
    "/login": None,
    "/logout": None,
    "/password": None,
    "/language": None,
    "/findings": ("GET /findings",),
    "/findings/{finding_id:int}": ("GET /findings/{finding_id:int}", "GET /findings/{finding_id:int}/labels"),
    "/findings/{finding_id:int}/label": ("POST /findings/{finding_id:int}/labels",),
    "/labels": ("GET /labels",),
    "/party": ("GET /parties", "GET /findings", "GET /calls"),
    "/reveal": ("POST /numbers/reveal",),
    "/fleet": ("GET /boxes",),
    "/boxes/{name:str}": ("GET /boxes/{name:str}", "GET /boxes/{name:str}/health", "GET /events"),
    "/boxes/{name:str}/revoke": ("POST /boxes/{name:str}/revoke",),
    "/trends": ("GET /trends",),
    "/events": ("GET /events",),
    "/audit": ("GET /audit",),
    "/webhooks": ("GET /webhooks", "POST /webhooks"),
    "/webhooks/{name:str}": ("GET /webhooks/{name:str}", "GET /deliveries"),
    "/webhooks/{name:str}/switch": ("PATCH /webhooks/{name:str}",),
    "/webhooks/{name:str}/remove": ("DELETE /webhooks/{name:str}",),
    "/webhooks/{name:str}/retry": ("POST /webhooks/{name:str}/retry",),
    "/webhooks/{name:str}/discard": ("POST /webhooks/{name:str}/discard",),
    "/deliveries/{delivery_id:int}/retry": ("POST /deliveries/{delivery_id:int}/retry",),
    "/deliveries/{delivery_id:int}/discard": ("DELETE /deliveries/{delivery_id:int}",),
    "/accounts": ("GET /accounts",),
    "/accounts/{name:str}/role": None,
    "/accounts/{name:str}/lock": None,
    "/accounts/{name:str}/password": None,
}
# Of the API itself.
OF_THE_API = {"GET /health", "GET /openapi.json", "GET /version", "GET /token"}
GOOD = {
    "POST /findings/{finding_id:int}/labels": 201,
    "POST /webhooks": 201,
    "DELETE /webhooks/{name:str}": 204,
    "DELETE /deliveries/{delivery_id:int}": 204,
}
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(f"sqlite:///{tmp_path_factory.mktemp('api') / 'store.sqlite'}") as made:
        yield made.unthrottled()


def ask(api: Api, route: str, token: str | None):
    """A good request to a route."""
    path, body, _ = ROUTES[route]
    number = next(NUMBERS)
    if "old{n}" in path:
        api.store.webhooks.add(f"old{number}", "https://siem.example/in", "test")
    if "box{n}" in path:
        enrol(api.store, f"box{number}")
    dead = dead_delivery(api.store) if "{dead}" in path else 0
    path = path.format(finding=finding_of(api), n=number, dead=dead)
    if isinstance(body, dict):
        body = {key: value.format(n=number) if key == "name" else value for key, value in body.items()}
    return api.ask(route.split(maxsplit=1)[0], path, token, json=body)


def finding_of(api: Api) -> int:
    return api.store.findings.find(Filter(caller="+4930123400001")).items[0].id


def test_every_route_is_known_to_these_tests(api: Api) -> None:
    found = {
        f"{method} {route.path.removeprefix(PREFIX)}"
        for route in api.app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method != "OPTIONS"
    }
    assert found == set(ROUTES)


def test_everything_that_the_console_shows_is_in_the_api_and_the_other_way_round(api: Api, tmp_path: Path) -> None:
    console = next(browsers(api.store, tmp_path)).client.app
    assert {route.path for route in console.routes} == set(OF_THE_CONSOLE)
    assert {each for routes in OF_THE_CONSOLE.values() for each in routes or ()} | OF_THE_API == set(ROUTES)


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_opens_to_its_scope_only(api: Api, route: str) -> None:
    scope = ROUTES[route][2]
    others = [each for each in SCOPES if each != scope]
    wrong, right = api.make_token(f"wrong{next(NUMBERS)}", *others), api.token
    statuses = [ask(api, route, token).status_code for token in (None, "swc_" + "A" * 43, wrong, right)]
    good = GOOD.get(route, 200)
    closed = 403 if scope else good
    assert statuses == ([good] * 4 if scope == "" else [401, 401, closed, good])
    if scope:
        only = api.make_token(f"only{next(NUMBERS)}", scope)  # type: ignore[arg-type]
        assert ask(api, route, only).status_code == good
        assert ask(api, route, None).headers["www-authenticate"] == "Bearer"
        assert ask(api, route, wrong).json()["type"] == "urn:sipwarden:problem:scope"


def test_a_session_of_the_console_opens_nothing_here(api: Api, tmp_path: Path) -> None:
    browser = next(browsers(api.store, tmp_path))
    assert browser.login("administrator", PASSWORD).status_code == 303
    cookies = "; ".join(f"{name}={value}" for name, value in browser.client.cookies.items())
    assert api.get("/findings", None, headers={"Cookie": cookies}).status_code == 401


def test_a_token_that_ended_opens_nothing(api: Api) -> None:
    accounts = api.store.accounts
    for name, lifetime_s, wanted in (("short", 0, 401), ("long", 60, 200)):
        _, secret = accounts.create_api_token(name, ["findings:read"], "test", lifetime_s=lifetime_s)
        assert api.get("/findings", secret).status_code == wanted
    accounts.revoke_api_token("long", "test")
    assert api.get("/findings", secret).status_code == 401
    (used,) = [token for token in accounts.api_tokens().items if token.name == "long"]
    assert used.used_ns is not None
    assert time.time_ns() - used.used_ns < 60 * 10**9


def at_one_moment():
    """Nothing flows into a bucket meanwhile, however long it takes."""
    return mock.patch("collector.limits.time", **{"monotonic.return_value": 0.0})


def test_bad_tokens_are_throttled_and_seen_and_good_ones_of_the_same_address_are_not(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'store.sqlite'}") as api, at_one_moment():
        bad = "swc_" + "B" * 43
        statuses = [api.get("/token", bad).status_code for _ in range(BAD_AT_ONCE + 3)]
        assert statuses == [401] * BAD_AT_ONCE + [429] * 3
        assert int(api.get("/token", "no token at all").headers["retry-after"]) >= 1
        assert api.get("/token").status_code == 200
        api.refusals.write()
        (event,) = [event for event in api.store.journal.events("refused").items if event.reason == "token"]
        assert event.count == BAD_AT_ONCE
        assert "BBB" not in str(event)


def test_a_token_has_so_many_requests_a_second(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'store.sqlite'}") as api, at_one_moment():
        other = api.make_token("other", "findings:read")
        statuses = [api.get("/token").status_code for _ in range(REQUESTS_AT_ONCE + 1)]
        assert statuses == [200] * REQUESTS_AT_ONCE + [429]
        assert api.get("/token", other).status_code == 200


# --- what it answers


def test_every_text_of_the_pattern_is_a_cursor(api: Api) -> None:
    for path in ("/findings?verdict=flag&label=none", "/findings?since=2026-01-01T00:00:00Z", "/calls?", "/boxes?"):
        for cursor in ("_" * 11, "-" * 11, "A" * 11):
            assert api.get(f"{path}&cursor={cursor}").status_code == 200, (path, cursor)
    for key in (0, 1, 62_793_620_389_948, (1 << 63) - 1):
        assert decode(encode(key)) == key
    assert [len(encode(0) or ""), decode("___________"), PATTERN] == [11, (1 << 63) - 1, r"^[A-Za-z0-9_-]{11}$"]


def test_findings_are_found_by_every_filter(api: Api) -> None:
    def found(**query: object) -> int:
        answer = api.get("/findings", params={"limit": 1000, **query})
        assert answer.status_code == 200, answer.text
        return len(answer.json()["items"])

    assert found() == found(kind="call") == found(box="edge-1") == found(fraud_type="wangiri") == 61
    assert found(verdict="flag") + found(verdict="watch") == 61
    assert found(caller="+4930123400001") == found(number="+4930123400001") == found(call_id="call-1@192.0.2.1") == 1
    assert found(source="192.0.2.2") == 1
    assert found(min_score=0.97) == 61
    assert found(min_score=0.98) == found(box="edge-2") == found(kind="source") == found(callee="nobody\0") == 0
    assert found(since="2026-01-01T00:00:00Z", until="9999-12-31T23:59:59+00:00") == 61
    assert found(until="0001-01-01T00:00:00Z") == 0


def test_one_finding_has_reasons_streams_quality_and_its_labels(api: Api) -> None:
    finding = finding_of(api)
    made = api.post(f"/findings/{finding}/labels", {"label": "honest", "comment": " a hospital\0 "})
    assert made.status_code == 201
    whole = api.get(f"/findings/{finding}").json()
    assert whole["line"]["reasons"][0]["feature"] == "ring_s"
    assert whole["line"]["streams"][0]["codec"] == "PCMA"
    assert whole["line"]["quality"] == {"capture_loss": 0.0, "one_way": False, "truncated": False}
    assert whole["label"] == "honest"
    assert whole["labels"][0] == made.json()
    assert (made.json()["by"], made.json()["comment"]) == ("token:all", "a hospital\ufffd")
    assert api.store.journal.audit_trail(subject=str(finding)).items[0].actor == "token:all"
    assert abs(datetime.fromisoformat(made.json()["time"]).timestamp() - time.time()) < 60


def test_what_a_caller_sent_arrives_as_it_was(api: Api) -> None:
    (found,) = api.get("/findings", params={"caller": HOSTILE["caller"]}).json()["items"]
    assert found["callee"] == HOSTILE["callee"]
    assert api.get(f"/findings/{found['id']}").json()["line"]["user_agent"] == HOSTILE["user_agent"]


def test_a_party_goes_on_at_findings_and_calls(api: Api) -> None:
    party = api.get("/parties", params={"kind": "callee", "value": "+4930999000", "limit": 50}).json()
    rest = api.get("/findings", params={"callee": "+4930999000", "cursor": party["findings"]["next"]}).json()
    assert len(party["findings"]["items"]) + len(rest["items"]) == 60
    assert [call["call_id"] for call in party["calls"]["items"]] == ["plain@1"]


def test_the_fleet_says_who_is_silent_and_how_each_box_is(api: Api) -> None:
    def named(query: str) -> dict[str, dict]:
        return {box["name"]: box for box in api.get(f"/boxes?{query}").json()["items"]}

    silent, loud = named("silent=true&revoked=false"), named("silent=false")
    assert ("edge-2" in silent, "edge-1" in silent, silent["edge-2"]["health"]) == (True, False, None)
    assert ("edge-2" in loud, "edge-1" in loud) == (False, True)
    assert not silent.keys() & loud.keys()
    assert silent.keys() | loud.keys() == named("").keys()
    box = api.get("/boxes/edge-1").json()
    assert box["history"] == [box["health"]]
    assert (box["health"]["spool_depth"], len(box["certificates"])) == (3, 1)
    (report,) = api.get("/boxes/edge-1/health").json()["items"]
    assert report["report"] == box["health"]
    assert abs(report["clock_offset_ms"]) < 60_000


def test_a_box_is_revoked_by_a_token_and_the_audit_trail_says_which(api: Api) -> None:
    enrol(api.store, "stolen")
    answer = api.post("/boxes/stolen/revoke", {"reason": " stolen "}).json()
    assert (answer["state"], answer["certificates"][0]["reason"]) == ("revoked", "stolen")
    assert "stolen" in {box["name"] for box in api.get("/boxes?revoked=true").json()["items"]}
    (entry,) = api.store.journal.audit_trail(subject="stolen", actor="token:all").items
    assert (entry.action, entry.detail) == ("box.revoke", {"reason": "stolen"})


def test_accounts_are_listed_without_anything_to_log_in_with(api: Api) -> None:
    listed = api.get("/accounts").json()["items"]
    assert [(each["name"], each["role"], each["disabled"]) for each in listed] == [
        ("administrator", "administrator", None),
        ("analyst", "analyst", None),
        ("reader", "reader", None),
    ]
    assert "argon2" not in str(listed)


def test_a_finding_has_the_configuration_that_its_box_had(api: Api) -> None:
    assert api.get(f"/findings/{finding_of(api)}").json()["config"] is None, "it came before the first health report"
    desk = Desk(api.store)
    serial = desk.enrol("edge-cfg")
    desk.put("edge-cfg", serial, [(1, health(config="c0ffee"))])
    desk.put("edge-cfg", serial, [(2, call_line(4711))])
    desk.writer.stop()
    (found,) = api.store.findings.find(Filter(call_id="call-4711@192.0.2.1")).items
    assert api.get(f"/findings/{found.id}").json()["config"] == "c0ffee"


def test_dead_deliveries_are_tried_again_or_forgotten(api: Api) -> None:
    one, other = dead_delivery(api.store), dead_delivery(api.store)
    assert api.ask("DELETE", f"/deliveries/{one}").status_code == 204
    assert api.ask("DELETE", f"/deliveries/{one}").status_code == 404
    assert api.post(f"/deliveries/{other}/retry").json()["state"] == "waiting"
    assert api.ask("DELETE", f"/deliveries/{other}").json()["type"] == "urn:sipwarden:problem:conflict"
    dead = api.get("/webhooks/siem").json()["dead"]
    assert api.post("/webhooks/siem/discard").json() == {"deliveries": dead}
    assert api.get("/deliveries?webhook=siem&dead=true").json()["items"] == []
    actions = [entry.action for entry in api.store.journal.audit_trail(actor="token:all").items]
    assert "webhook.discard" in actions


def test_trends_are_those_of_the_console(api: Api) -> None:
    day = api.get("/trends").json()
    assert (day["span_s"], len(day["points"])) == (60, 30)
    assert sum(point["calls"] for point in day["points"]) == sum(40 + back for back in range(30))
    assert api.get("/trends?range=month&box=edge-2").json()["points"] == []


def test_a_number_is_revealed_by_its_scope_and_that_is_kept(api: Api) -> None:
    assert api.post("/numbers/reveal", {"pseudonym": PSEUDONYM}).json() == {"number": "+4930123400001"}
    refused = api.post("/numbers/reveal", {"pseudonym": "~no_such_thing", "reason": "called back"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:sipwarden:problem:number_key")
    entries = api.store.journal.audit_trail(actor="token:all").items[:2]
    assert [(entry.action, entry.subject, entry.detail) for entry in entries] == [
        ("number.reveal.refused", "~no_such_thing", {"reason": "called back"}),
        ("number.reveal", PSEUDONYM, None),
    ]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/nowhere", 404, "not_found"),
        ("/findings/1", 404, "no finding 1"),
        ("/findings/" + "9" * 30, 404, "no finding"),
        ("/findings/" + "9" * 5000, 404, "not_found"),
        ("/findings/abc", 404, "not_found"),
        ("/boxes/nowhere", 404, "no box is called"),
        ("/findings?limit=0", 400, "limit"),
        ("/findings?limit=1001", 400, "limit"),
        ("/findings?cursor=1", 400, "cursor"),
        ("/findings?verdic=flag", 400, "no parameter 'verdic'"),
        ("/findings?since=yesterday", 400, "since"),
        ("/findings?verdict=null", 400, "verdict"),
        ("/findings?caller=" + "1" * 513, 400, "caller"),
        ("/parties?kind=box&value=1", 400, "kind"),
        ("/trends?range=century", 400, "range"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_is_wrong(api: Api, path: str, status: int, says: str) -> None:
    answer = api.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert says in answer.text


def test_a_body_that_is_none_is_refused(api: Api) -> None:
    path = f"/findings/{finding_of(api)}/labels"
    for content in (
        b"",
        b"{",
        b"[]",
        b'{"label": "perhaps"}',
        b'{"label": "fraud", "more": 1}',
        b'{"label": "\xff"}',
        b"[" * 9000,
    ):
        answer = api.ask("POST", path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, (content, answer.text)
    assert api.ask("POST", path, content=b" " * 20_000).status_code == 413
    answer = api.ask("DELETE", path)
    assert (answer.status_code, answer.json()["type"]) == (405, "urn:sipwarden:problem:method")
    assert "POST" in answer.headers["allow"]


def test_no_answer_is_kept_or_taken_for_a_page(api: Api) -> None:
    for path in ("/findings", "/nowhere", "/health", "/openapi.json"):
        headers = api.get(path).headers
        assert headers["cache-control"] == "no-store", path
        assert headers["x-content-type-options"] == "nosniff", path
