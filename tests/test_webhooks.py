"""Webhooks on findings, to a real HTTPS server: told once stored, signed, retried, given up, and never in the way."""

import ipaddress
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook, WebhookVerificationError

from collector.errors import ConflictError, NotFoundError
from collector.store import tables
from collector.store.store import Store
from collector.store.webhooks import MAX_WEBHOOKS
from collector.webhooks.dispatcher import LEASE_MARGIN_S
from collector.webhooks.message import headers
from collector.webhooks.target import TargetError, Targets, is_public
from tests.collectors import CollectorProcess, Desk, call_line
from tests.consoles import dead_delivery
from tests.receivers import Receiver, dispatching, receiving
from tests.waiting import PATIENCE_S, until


@pytest.fixture
def desk(store_url: str) -> Iterator[Desk]:
    opened = Desk(Store.open(store_url, create=True))
    yield opened
    opened.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Desk]:
    """A desk on SQLite, where the kind of store makes no difference."""
    opened = Desk(Store.open(f"sqlite:///{tmp_path / 'small.sqlite'}", create=True))
    yield opened
    opened.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path / "receiver") as made:
        yield made


def announcements(store: Store) -> int:
    with store.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(tables.announcements)) or 0


def test_a_finding_is_told_signed_and_once_and_again_when_its_verdict_rises(desk: Desk, receiver: Receiver) -> None:
    serial = desk.enrol("edge-1")
    desk.put("edge-1", serial, [(1, call_line(1))])  # before there was a webhook
    _, secret = desk.store.webhooks.add("siem", receiver.url, "test", "watch")
    with dispatching(desk.store, receiver.config()):
        desk.put("edge-1", serial, [(2, call_line(2, "watch", score=0.5)), (3, call_line(3))])
        until(lambda: len(receiver.arrived) == 2)
        desk.put("edge-1", serial, [(2, call_line(2, "watch", score=0.5))])  # the same batch again
        desk.put("edge-1", serial, [(4, call_line(3, state="failed"))])  # the same verdict again
        desk.put("edge-1", serial, [(5, call_line(2))])  # it rose
        until(lambda: len(receiver.arrived) == 3)
        until(lambda: desk.store.webhooks.webhook("siem").delivered == 3)
    told = [(message["type"], message["data"]["call_id"]) for message in receiver.messages()]
    assert sorted(told[:2]) == [
        ("finding.flagged", "call-3@192.0.2.1"),
        ("finding.watched", "call-2@192.0.2.1"),
    ]
    assert told[2] == ("finding.flagged", "call-2@192.0.2.1")
    assert len(set(receiver.ids())) == 3
    for sent, body in receiver.arrived:
        assert Webhook(secret).verify(body, sent) == json.loads(body)
    assert abs(int(receiver.arrived[0][0]["webhook-timestamp"]) - time.time()) < 60
    assert receiver.arrived[0][0]["host"] == f"localhost:{receiver.port}"
    assert desk.store.webhooks.deliveries().items == []
    assert announcements(desk.store) == 0


def test_a_webhook_is_told_of_what_it_asked_for_only(small: Desk, receiver: Receiver) -> None:
    add = small.store.webhooks.add
    add("all", receiver.url + "&to=all", "test", "watch")
    add("flags", receiver.url + "&to=flags", "test")
    add("irsf", receiver.url + "&to=irsf", "test", "watch", ["irsf", "tdos"])
    add("edge-2", receiver.url + "&to=edge-2", "test", "watch", None, "edge-2")
    add("off", receiver.url + "&to=off", "test", "watch")
    small.store.webhooks.set_enabled("off", False, "test")
    first, second = small.enrol("edge-1"), small.enrol("edge-2")
    small.put("edge-1", first, [(1, call_line(1)), (2, call_line(2, "watch", fraud_types=["irsf"]))])
    small.put("edge-2", second, [(1, call_line(3, "watch"))])
    with dispatching(small.store, receiver.config()):
        until(lambda: sum(hook.delivered for hook in small.store.webhooks.webhooks()) >= 6)
    delivered = {hook.name: hook.delivered for hook in small.store.webhooks.webhooks()}
    assert delivered == {"all": 3, "flags": 1, "irsf": 1, "edge-2": 1, "off": 0}


def test_without_a_webhook_nothing_is_announced(small: Desk) -> None:
    serial = small.enrol("edge-1")
    small.put("edge-1", serial, [(1, call_line(1))])
    assert announcements(small.store) == 0
    small.store.webhooks.add("siem", "https://siem.example/", "test")
    small.store.webhooks.set_enabled("siem", False, "test")
    small.put("edge-1", serial, [(2, call_line(2))])
    assert announcements(small.store) == 0


def test_a_receiver_that_fails_is_tried_again_with_the_same_message(small: Desk, receiver: Receiver) -> None:
    receiver.status = 503
    small.store.webhooks.add("siem", receiver.url, "test")
    small.put("edge-1", small.enrol("edge-1"), [(1, call_line(1))])
    with dispatching(small.store, receiver.config()):
        until(lambda: len(receiver.arrived) >= 3)
        (waiting,) = small.store.webhooks.deliveries("siem", "waiting").items
        assert (waiting.status, waiting.error) == (503, "the answer was 503")
        assert waiting.attempts >= 2
        receiver.status = 200
        until(lambda: small.store.webhooks.webhook("siem").delivered == 1)
    assert len(set(receiver.ids())) == 1
    assert len({body for _, body in receiver.arrived}) == 1
    assert small.store.webhooks.deliveries().items == []


def test_a_receiver_that_stalls_holds_up_neither_ingest_nor_another(
    small: Desk, receiver: Receiver, tmp_path: Path
) -> None:
    serial = small.enrol("edge-1")
    with receiving(tmp_path / "other") as other:
        other.server.socket  # noqa: B018 - a second server, with a certificate of the same kind
        receiver.stalled.set()
        add = small.store.webhooks.add
        add("stalls", receiver.url, "test")
        add("works", other.url, "test")
        both = tmp_path / "both.pem"
        both.write_text(receiver.ca.read_text() + other.ca.read_text())
        with dispatching(small.store, receiver.config(ca=str(both), timeout_s=1)):
            for n in range(1, 21):  # none of which would end if it waited for who stalls
                small.put("edge-1", serial, [(n, call_line(n))])
            until(lambda: small.store.webhooks.webhook("works").delivered == 20)
            until(lambda: any("no answer within 1 s" in str(each.error) for each in _waiting(small, "stalls")))
            assert small.store.webhooks.webhook("stalls").delivered == 0
            receiver.stalled.clear()
            receiver.released.set()
            until(lambda: small.store.webhooks.webhook("stalls").delivered == 20)


def _waiting(desk: Desk, name: str) -> list:
    return desk.store.webhooks.deliveries(name, "waiting").items


def test_what_is_given_up_is_kept_as_dead_and_can_be_tried_again(desk: Desk, receiver: Receiver) -> None:
    webhooks = desk.store.webhooks
    receiver.status = 500
    webhooks.add("siem", receiver.url, "test")
    serial = desk.enrol("edge-1")
    desk.put("edge-1", serial, [(n, call_line(n)) for n in (1, 2, 3)])
    with dispatching(desk.store, receiver.config(give_up_s=0.5)):
        until(lambda: len(webhooks.deliveries("siem", "dead").items) == 3)
    dead = webhooks.deliveries("siem", "dead").items
    first = dead[0].id
    told = [f"msg_{delivery.finding_id}_flagged" for delivery in dead]
    assert webhooks.queues()[webhooks.webhook("siem").id].dead == 3
    receiver.status = 200
    receiver.arrived.clear()
    webhooks.retry(first, "ann")
    with pytest.raises(ConflictError, match="it waits"):
        webhooks.retry(first, "ann")
    with dispatching(desk.store, receiver.config()):
        until(lambda: webhooks.webhook("siem").delivered == 1)
        assert receiver.ids() == told[:1]
        assert webhooks.retry_all("siem", "ann") == 2
        until(lambda: webhooks.webhook("siem").delivered == 3)
    assert sorted(receiver.ids()[1:]) == sorted(told[1:])
    with pytest.raises(NotFoundError):
        webhooks.retry(first, "ann")
    assert webhooks.retry_all("siem", "ann") == 0
    assert [entry.action for entry in desk.store.journal.audit_trail(actor="ann").items] == ["webhook.retry"] * 2


def test_dead_deliveries_are_forgotten_one_by_one_or_together_and_those_that_wait_are_not(desk: Desk) -> None:
    webhooks = desk.store.webhooks
    webhooks.add("siem", "https://siem.example/", "test")
    webhooks.add("other", "https://other.example/", "test")
    first, second, third = (dead_delivery(desk.store) for _ in range(3))
    webhooks.discard(second, "ann")
    with pytest.raises(NotFoundError):
        webhooks.delivery(second)
    webhooks.retry(first, "test")
    with pytest.raises(ConflictError, match="it waits"):
        webhooks.discard(first, "ann")
    assert webhooks.discard_all("other", "ann") == 0
    assert webhooks.discard_all("siem", "ann") == 1
    assert [delivery.id for delivery in webhooks.deliveries().items] == [first]
    assert third not in (first, second)
    with pytest.raises(NotFoundError):
        webhooks.discard_all("nobody", "ann")
    entries = desk.store.journal.audit_trail(actor="ann").items
    assert [(entry.action, entry.subject) for entry in entries] == [
        ("webhook.discard", "siem"),
        ("webhook.discard", f"delivery {second}"),
    ]


def test_a_queue_has_an_end_and_what_is_dropped_is_counted(small: Desk, receiver: Receiver) -> None:
    receiver.status = 500
    small.store.webhooks.add("siem", receiver.url, "test")
    serial = small.enrol("edge-1")
    small.put("edge-1", serial, [(n, call_line(n)) for n in range(1, 31)])
    with dispatching(small.store, receiver.config(queue=10)):
        until(lambda: small.store.webhooks.webhook("siem").dropped == 20)
        assert len(_waiting(small, "siem")) == 10


def test_dead_deliveries_are_bounded(small: Desk, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    monkeypatch.setattr("collector.store.webhooks.MAX_DEAD", 5)
    receiver.status = 500
    small.store.webhooks.add("siem", receiver.url, "test")
    small.put("edge-1", small.enrol("edge-1"), [(n, call_line(n)) for n in range(1, 21)])
    with dispatching(small.store, receiver.config(give_up_s=0)):
        until(lambda: not _waiting(small, "siem") and len(receiver.arrived) == 20)
    dead = small.store.webhooks.deliveries("siem", "dead").items
    assert len(dead) == 5
    assert [delivery.id for delivery in dead] == [20, 19, 18, 17, 16]


def test_webhooks_are_bounded_and_named_once(small: Desk) -> None:
    for n in range(MAX_WEBHOOKS):
        small.store.webhooks.add(f"hook{n}", "https://siem.example/", "test")
    with pytest.raises(ConflictError, match="more than that"):
        small.store.webhooks.add("one-more", "https://siem.example/", "test")
    small.store.webhooks.remove("hook0", "test")
    with pytest.raises(ConflictError, match="already"):
        small.store.webhooks.add("hook1", "https://siem.example/", "test")


def test_what_was_not_delivered_survives_a_kill(tmp_path: Path, receiver: Receiver) -> None:
    extra = f'[webhooks]\nnetworks = ["127.0.0.0/8"]\nca = "{receiver.ca}"\nfirst_retry_s = 1\nlongest_retry_s = 1\n'
    collector = CollectorProcess(tmp_path / "collector", extra=extra + "timeout_s = 2\n").start()
    made = collector.command("webhooks", "add", "siem", receiver.url)
    assert made.returncode == 0, made.stderr
    receiver.status = 503
    box = collector.enrolled("edge-1")
    assert box.send([(n, call_line(n)) for n in range(1, 6)]).status_code == 200
    collector.kill()  # at once: some of it may not even have been queued
    receiver.status = 200
    collector.start()
    store = collector.store()
    assert box.send([(n, call_line(n)) for n in range(6, 11)]).status_code == 200
    # what was on its way is let go of when its lease has ended
    until(lambda: store.webhooks.webhook("siem").delivered == 10, 2 * LEASE_MARGIN_S + PATIENCE_S, why=collector.log)
    assert len({message["data"]["call_id"] for message in receiver.messages()}) == 10
    for sent, body in receiver.arrived:
        assert Webhook(made.stdout.strip()).verify(body, sent)
    store.close()
    assert collector.stop() == 0


# --- where they may lead


@pytest.mark.parametrize(
    "url",
    [
        "http://siem.example/",
        "https://user:secret@siem.example/",
        "https://siem.example/#part",
        "https://siem.example:0/",
        "https://siem.example:99999/",
        "https://siem.example/ two",
        "https:///nowhere",
        "file:///etc/passwd",
        "https://127.0.0.1/",
        "https://10.0.0.8/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://0.0.0.0/",
        "https://siem.example/" + "x" * 2048,
    ],
)
def test_a_webhook_may_not_lead_there(url: str) -> None:
    with pytest.raises(TargetError):
        Targets().check(url)


def test_a_webhook_may_lead_into_networks_that_the_operator_named() -> None:
    targets = Targets(["10.20.0.0/16", "::1/128"])
    for url in ("https://10.20.3.4:8443/in", "https://[::1]/", "https://siem.example/in?a=b", "https://9.9.9.9"):
        targets.check(url)
    with pytest.raises(TargetError, match=r"webhooks\.networks"):
        targets.check("https://10.21.0.1/")


def test_an_address_is_judged_by_what_it_stands_for() -> None:
    inside = ("::ffff:192.168.0.1", "2002:a00:1::", "64:ff9b::7f00:1", "fe80::1", "fc00::1", "224.0.0.1", "100.64.0.1")
    assert not any(is_public(ipaddress.ip_address(each)) for each in inside)
    assert all(is_public(ipaddress.ip_address(each)) for each in ("9.9.9.9", "2606:4700::1111", "::ffff:9.9.9.9"))


@pytest.mark.parametrize(
    ("changes", "path", "why"),
    [
        ({"networks": ()}, "", "is in no network"),  # localhost is a name: judged when it is resolved
        ({"ca": ""}, "", "ConnectError"),  # a certificate that nobody vouches for
        ({}, "redirect", "the answer was 302"),
    ],
)
def test_what_does_not_lead_where_it_may_is_not_told(
    small: Desk, receiver: Receiver, changes: dict, path: str, why: str
) -> None:
    if path:
        receiver.status, receiver.location = 302, receiver.url
    small.store.webhooks.add("siem", receiver.url, "test")
    small.put("edge-1", small.enrol("edge-1"), [(1, call_line(1))])
    with dispatching(small.store, receiver.config(give_up_s=0, **changes)):
        until(lambda: small.store.webhooks.deliveries("siem", "dead").items)
    (dead,) = small.store.webhooks.deliveries("siem", "dead").items
    assert why in str(dead.error)
    assert len(receiver.arrived) == (1 if path else 0)
    assert small.store.webhooks.webhook("siem").delivered == 0


def test_the_signature_is_that_of_the_specification() -> None:
    secret, body = "whsec_" + "A1b2" * 11, b'{"test": "\xe4\xb8\xad"}'
    made = headers(secret.removeprefix("whsec_"), "msg_1_flagged", int(time.time()), body)
    assert Webhook(secret).verify(body, made) == {"test": "\u4e2d"}
    for changed in ({**made, "webhook-id": "msg_2_flagged"}, {**made, "webhook-timestamp": str(int(time.time()) - 9)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, changed)


# --- the command


def test_webhooks_and_api_tokens_are_managed_with_the_command(tmp_path: Path) -> None:
    collector = CollectorProcess(tmp_path)
    assert collector.command("migrate").returncode == 0
    made = collector.command(
        "webhooks", "add", "siem", "https://siem.example/in", "--fraud-type", "irsf", "--box", "edge-1"
    )
    assert made.stdout.startswith("whsec_")
    listed = collector.command("webhooks", "list", "--json").stdout
    assert json.loads(listed)["fraud_types"] == ["irsf"]
    assert made.stdout.strip().removeprefix("whsec_") not in listed
    refused = collector.command("webhooks", "add", "inside", "https://10.0.0.1/")
    assert (refused.returncode, "webhooks.networks" in refused.stderr) == (1, True)
    assert collector.command("webhooks", "add", "x", "https://a.example/", "--verdict", "pass").returncode == 2
    assert collector.command("webhooks", "add", "x", "https://a.example/", "--fraud-type", "luck").returncode == 2
    assert collector.command("webhooks", "add", "no name", "https://a.example/").returncode == 1
    assert collector.command("webhooks", "discard", "--all", "siem").stdout == "0 deliveries are forgotten\n"
    for command in ("disable", "enable", "deliveries", "remove"):
        assert collector.command("webhooks", command, "siem").returncode == 0, command
    assert collector.command("webhooks", "retry").returncode == 2
    assert collector.command("webhooks", "retry", "7").returncode == 1
    assert collector.command("webhooks", "retry", "--all", "siem").returncode == 1
    assert collector.command("webhooks", "discard").returncode == 2
    assert collector.command("webhooks", "discard", "7").returncode == 1

    token = collector.command("api-tokens", "create", "grafana", "--scope", "findings:read", "--days", "30")
    assert token.stdout.startswith("swc_")
    assert "for findings:read" in token.stderr
    assert collector.command("api-tokens", "create", "bad", "--scope", "everything").returncode == 2
    assert collector.command("api-tokens", "create", "grafana", "--scope", "audit:read").returncode == 1
    shown = json.loads(collector.command("api-tokens", "list", "--json").stdout)
    assert (shown["name"], shown["scopes"]) == ("grafana", ["findings:read"])
    assert shown["expires_ns"] - shown["created_ns"] == 30 * 86_400 * 10**9
    assert collector.store().accounts.api_token(token.stdout.strip()) is not None
    assert collector.command("api-tokens", "revoke", "grafana").returncode == 0
    assert collector.store().accounts.api_token(token.stdout.strip()) is None
    actions = [entry.action for entry in collector.store().journal.audit_trail().items]
    assert actions[:2] == ["api_token.revoke", "api_token.create"]
    assert {"webhook.add", "webhook.disable", "webhook.enable", "webhook.remove"} <= set(actions)
