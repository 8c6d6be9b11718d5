"""A console over a store with some boxes, findings and accounts, without a network."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import sqlalchemy as sa
from argon2 import PasswordHasher
from litestar.testing import TestClient

from appliance.findings import moment
from appliance.report import CallSummary, Health, payload
from collector.config import Config, Service
from collector.console.app import console_app
from collector.pseudonyms import Numbers
from collector.store import tables
from collector.store.store import Store
from collector.store.webhooks import Message, Outcome
from tests.collectors import Desk, call_line, minute

PASSWORD = "correct horse battery"
QUICK = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)  # hundreds of logins in the tests
ROLES = ("reader", "analyst", "administrator")
# What somebody who calls can put into his messages: markup, ends of lines, marks that turn the writing round, controls.
HOSTILE = {
    "call_id": "<script>alert(1)</script>\r\nSet-Cookie: a=b",
    "caller": "<script>alert(document.cookie)</script>",
    "callee": "\u202e0049\u2066\x1b[31m\x07",
    "caller_e164": None,
    "callee_e164": None,
    "user_agent": '"><img src=x onerror=alert(1)>{{ 7*7 }}\u200b' + "A" * 900,
}


# And more of it: longer than any number, written from right to left, in heaps of accents, of what nobody can see.
BOMBS = (
    {"caller": "+49" + "9" * 5000, "caller_e164": None},
    {"caller": "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 +49", "caller_e164": None},
    {"caller": "a\u0300\u0301\u0302" * 100, "caller_e164": None},
    {"callee": "\0\0\0", "callee_e164": None},
    {"call_id": "x" * 4000, "user_agent": "\u2028\u2029\ufeff\ufffe" * 50},
)


def filled(path: Path) -> Store:
    """A new SQLite store, filled."""
    return fill(Store.open(f"sqlite:///{path}", create=True))


def fill(store: Store) -> Store:
    """A store with two boxes, one silent; findings, hostile ones last; trends, events, a webhook with a dead delivery;
    and an account of each role."""
    desk = Desk(store)
    serial = desk.enrol("edge-1")
    desk.enrol("edge-2")
    now = time.time_ns()
    stream = {"ssrc": 7, "source": "192.0.2.1:4000", "destination": "198.51.100.1:4002"}
    stream |= {"codec": "PCMA", "packets": 620, "lost": 3, "jitter_ms": 2.5}
    lines = [call_line(n, "flag" if n % 2 else "watch", streams=[stream]) for n in range(60)]
    lines.append(call_line(61, **HOSTILE))
    start = moment(now)
    summary = CallSummary(
        call_id="plain@1", caller="+4930123400001", callee="+4930999000", source="192.0.2.2:5060", start=start,
        state="completed", duration_s=3.0, verdict="pass", score=0.01,
    )  # fmt: skip
    health = Health(
        time=start, version="0.1.0", started=start, capture_loss=0.01, spool_depth=3, bundles=["call@1"],
        config="c0ffee", problems=["the disk is <b>full</b>"],
    )  # fmt: skip
    reports = [*lines, payload(summary), payload(health)]
    for back in range(30):
        at = moment((now // (60 * 10**9) - back) * 60 * 10**9)
        reports.append(minute(at, calls=40 + back, answered=20, flagged=back % 5, watched=3, packets=900, dropped=back))
    answer = desk.put("edge-1", serial, list(enumerate(reports, 1)))
    assert not answer.rejected, answer
    desk.writer.stop()
    store.journal.event("refused", "other_box", box="<i>rogue</i>", address="203.0.113.9", detail="not its certificate")
    store.webhooks.add("siem", "https://siem.example/in?key=hidden", "test", "watch")
    dead_delivery(store)
    add_accounts(store)
    return store


def dead_delivery(store: Store) -> int:
    """A delivery to the webhook `siem` that was given up; its id."""
    hook = store.webhooks.webhook("siem")
    with store.engine.begin() as connection:
        connection.execute(sa.insert(tables.announcements).values(findings=[[1, 2]]))
    announced = store.webhooks.announcement()
    assert announced is not None
    store.webhooks.queue(announced.id, [Message(hook.id, 1, "finding.flagged", b"{}")], room=1000)
    (leased,) = store.webhooks.lease(hook.id, 1, 0)
    store.webhooks.record(hook.id, [Outcome(leased.id, 500, "the answer was 500")])
    return leased.id


def add_accounts(store: Store) -> None:
    """An account of each role, called by it."""
    with mock.patch("collector.store.accounts._hasher", QUICK):
        for role in ROLES:
            store.accounts.add_user(role, role, PASSWORD, "test")  # type: ignore[arg-type]


class Browser:
    """A client of the console that sends forms as the pages have them."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def get(self, path: str, **headers: str):
        return self.client.get(path, headers=headers, follow_redirects=False)

    def submit(self, page: str, action: str, **fields: str):
        """Sends a form to `action` with the token of `page`."""
        found = re.search(r'name="_csrf_token" value="(\w+)"', self.client.get(page).text)
        assert found, page
        return self.client.post(action, data={"_csrf_token": found[1], **fields}, follow_redirects=False)

    def login(self, name: str, password: str = PASSWORD):
        return self.submit("/login", "/login", name=name, password=password)


def browsers(store: Store, state_dir: Path, numbers: Numbers | None = None) -> Iterator[Browser]:
    """Browsers of one console, each without cookies."""
    config = Config(service=Service(state_dir=str(state_dir)))
    app = console_app(config, store, numbers or Numbers("plain"))
    while True:
        yield Browser(TestClient(app, base_url="http://console.test"))


def given(text: str) -> str:
    """The password or secret that a page shows once."""
    found = re.search(r'<code class="secret">([^<]+)</code>', text)
    assert found, text
    return found[1]
