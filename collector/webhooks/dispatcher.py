"""Sends what webhooks are to be told. It works from the store alone: what it has not finished when the collector ends
is there at the next start, and ingest never waits for it.

Each webhook is served by a task of its own, so that one which stalls holds up nobody else.
"""

import asyncio
import logging
import random
import ssl
import time
from dataclasses import dataclass

import httpx
from sqlalchemy.exc import SQLAlchemyError

from collector.config import WebhooksSection
from collector.errors import CollectorError
from collector.store.database import first_line
from collector.store.store import Store
from collector.store.webhooks import Leased, Outcome, Webhook
from collector.webhooks.message import headers, message_id, messages
from collector.webhooks.target import TargetError, Targets

POLL_S = 1.0
AT_ONCE = 8  # requests to one webhook
LEASE_MARGIN_S = 30  # beyond the time that an attempt may take: to write down how it ended

log = logging.getLogger("collector.webhooks")


@dataclass(slots=True)
class Totals:
    """Attempts since the start."""

    delivered: int = 0
    failed: int = 0  # and to be tried again
    died: int = 0


class Dispatcher:
    """Turns announcements into deliveries and sends them, until it is cancelled."""

    def __init__(self, store: Store, config: WebhooksSection) -> None:
        """Raises CollectorError when the authorities' file cannot be read."""
        self._store = store
        self._config = config
        self._targets = Targets(config.networks)
        self._context = _context(config.ca)
        self._senders: dict[int, asyncio.Task] = {}
        self.totals = Totals()

    async def run(self) -> None:
        try:
            while True:
                try:
                    await self._turn()
                except SQLAlchemyError as error:
                    log.error("webhooks_store_failed error=%r", first_line(error))
                except Exception:  # one bad turn must not end all that follow
                    log.exception("webhooks_failed")
                await asyncio.sleep(POLL_S)
        finally:
            for sender in self._senders.values():
                sender.cancel()
            await asyncio.gather(*self._senders.values(), return_exceptions=True)
            self._targets.close()

    async def _turn(self) -> None:
        hooks, secrets, due = await asyncio.to_thread(self._prepare)
        self._senders = {hook_id: task for hook_id, task in self._senders.items() if not task.done()}
        for hook in hooks:
            if hook.id in due and hook.id in secrets and hook.id not in self._senders:
                self._senders[hook.id] = asyncio.create_task(self._serve(hook, secrets[hook.id]))

    def _prepare(self) -> tuple[list[Webhook], dict[int, str], set[int]]:
        """Queues what was announced; the webhooks in use, their secrets, and which of them have something due."""
        store = self._store.webhooks
        hooks = [hook for hook in store.webhooks() if hook.disabled_ns is None]
        while (announced := store.announcement()) is not None:
            rows = self._store.findings.some([finding_id for finding_id, _ in announced.findings])
            store.queue(announced.id, messages(announced.findings, rows, hooks), self._config.queue)
        return (hooks, store.secrets(), store.due()) if hooks else ([], {}, set())

    async def _serve(self, hook: Webhook, secret: str) -> None:
        """Sends what is due for one webhook. Its connections are its own: they are to whom its name was proved."""
        lease_s = self._config.timeout_s + LEASE_MARGIN_S
        try:
            async with httpx.AsyncClient(
                verify=self._context, trust_env=False, timeout=self._config.timeout_s
            ) as client:
                while leased := await asyncio.to_thread(self._store.webhooks.lease, hook.id, AT_ONCE, lease_s):
                    attempts = [self._attempt(client, hook, secret, delivery) for delivery in leased]
                    outcomes = await asyncio.gather(*attempts)
                    await asyncio.to_thread(self._store.webhooks.record, hook.id, outcomes)
                    self._count(hook, outcomes)
        except SQLAlchemyError as error:
            log.error("webhooks_store_failed webhook=%s error=%r", hook.name, first_line(error))
        except Exception:
            log.exception("webhook_failed webhook=%s", hook.name)

    async def _attempt(self, client: httpx.AsyncClient, hook: Webhook, secret: str, delivery: Leased) -> Outcome:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                status = await self._post(client, hook, secret, delivery)
        except TimeoutError:
            return self._failed(delivery, None, f"no answer within {self._config.timeout_s} s")
        except (TargetError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return self._failed(delivery, None, f"{type(error).__name__}: {error}")
        if 200 <= status < 300:
            return Outcome(delivery.id, status)
        return self._failed(delivery, status, f"the answer was {status}")

    async def _post(self, client: httpx.AsyncClient, hook: Webhook, secret: str, delivery: Leased) -> int:
        url = self._targets.check(hook.url)
        address = await self._targets.resolve(url)
        sent = headers(secret, message_id(delivery.finding_id, delivery.event), int(time.time()), delivery.body)
        request = client.build_request(
            "POST",
            url.copy_with(host=address),
            content=delivery.body,
            headers={**sent, "Host": url.netloc.decode(), "User-Agent": "sipwarden-collector"},
            extensions={"sni_hostname": url.host},
        )
        response = await client.send(request, stream=True)  # nobody reads what it says
        await response.aclose()
        return response.status_code

    def _failed(self, delivery: Leased, status: int | None, error: str) -> Outcome:
        """When to try again: twice as long as before, less up to half of it by chance."""
        now = time.time_ns()
        if now - delivery.queued_ns >= self._config.give_up_s * 10**9:
            return Outcome(delivery.id, status, error)
        doublings = min(delivery.attempts, 30)
        wait_s = min(self._config.first_retry_s * 2**doublings, self._config.longest_retry_s)
        return Outcome(delivery.id, status, error, now + int(wait_s * random.uniform(0.5, 1) * 10**9))

    def _count(self, hook: Webhook, outcomes: list[Outcome]) -> None:
        failed = [outcome for outcome in outcomes if outcome.error is not None]
        died = [outcome for outcome in failed if outcome.next_ns is None]
        self.totals.delivered += len(outcomes) - len(failed)
        self.totals.failed += len(failed) - len(died)
        self.totals.died += len(died)
        if failed:
            log.warning(
                "webhook_refused webhook=%s failed=%d dead=%d error=%r",
                hook.name,
                len(failed),
                len(died),
                failed[0].error,
            )


def _context(ca: str) -> ssl.SSLContext:
    """Authorities of the system, and the operator's."""
    context = ssl.create_default_context()
    if ca:
        try:
            context.load_verify_locations(ca)
        except (OSError, ssl.SSLError) as error:
            raise CollectorError(f"webhooks.ca: {ca} cannot be read: {error}") from error
    return context
