"""The reporter: brings what is in the spool to the collector, in order, and forgets it only when it is told to.

Theory of operation. One task of the service's event loop; one batch is on its way at a time, so that order holds. The
spool touches the disk and is asked in a thread. What the answer is decides what comes next:

    acknowledged          forget up to the acknowledged sequence; the next batch at once if more waits
    429, 503              the same again after Retry-After, or after a pause
    no connection, 5xx    the same again after a pause
    malformed, too large  the same with half the reports; a report that is refused alone is given up, and counted
    anything else         nothing here can help: say so, try again after REFUSED_S

What malformed is must be said by a collector: of a proxy's 400 nothing is given up. And a second report in a row is
given up only after REFUSED_S: what is refused one by one may all be refused for a reason that is not in it.

A pause is drawn between 0 and a bound that doubles with each failure in a row (full jitter), so that a fleet whose
collector was away does not come back at the same moment. What is on its way when the service stops is sent again.
"""

import asyncio
import gzip
import logging
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import httpx
import msgspec

from appliance import log
from appliance.config import Collector as CollectorConfig
from appliance.errors import IdentityError
from appliance.findings import moment
from appliance.report import Acknowledgement, encode_batch
from appliance.reporting.enroll import problem_text, read_issued
from appliance.reporting.identity import Collector, Identity, Request
from appliance.storage.spool import Batch, Spool

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 120.0
REFUSED_S = 300.0
RENEWAL_CHECK_S = 3600.0
TIMEOUT_S = 60.0  # the collector answers after its commit
MAX_RETRY_AFTER_S = 3600.0
COMPRESSION = 5  # a level above costs more time than it saves bytes

State = Literal["off", "ready", "up", "waiting", "refused"]  # off: the box is not enrolled

# A collector's reasons (docs/REPORTS.md) that are about this very batch: part of it may still go through.
OF_THE_BATCH = frozenset({"malformed", "too_large"})


class ReporterStatus(msgspec.Struct, frozen=True):
    """How reporting goes. `clock_offset_ms`: our clock less the collector's, by the last acknowledgement."""

    state: State
    problem: str | None = None
    acknowledged: int = 0  # reports
    given_up: int = 0  # reports that the collector refused one by one
    last_ns: int | None = None  # of the last acknowledgement
    clock_offset_ms: int | None = None


class Refused(Exception):
    """The collector will not take this batch, whole or at all."""

    def __init__(self, problem: str, divide: bool) -> None:
        super().__init__(problem)
        self.divide = divide


class Later(Exception):
    """Not now. `after_s` as the collector says, None where it says nothing."""

    def __init__(self, problem: str, after_s: float | None = None) -> None:
        super().__init__(problem)
        self.after_s = after_s


class Reporter:
    """Reports what `spool` holds, with `identity`. `status` may be read at any time."""

    def __init__(
        self,
        config: CollectorConfig,
        spool: Spool,
        identity: Identity,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._config = config
        self._spool = spool
        self._identity = identity
        self._wall_ns = wall_ns
        self._failures = 0
        self._gave_up = False  # a report, and nothing was acknowledged since
        self._most = config.max_batch_reports
        self._renewal_checked = -RENEWAL_CHECK_S
        self.status = ReporterStatus("off")

    async def run(self) -> None:
        """Reports until it is cancelled. Waits for enrolment where there was none."""
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log every request
        while True:
            try:
                await self._with_identity()
            except IdentityError as error:
                self._say("refused", str(error))
                await asyncio.sleep(REFUSED_S)
            except Exception as error:
                # a fault in here must not end reporting until the next start
                log.exception("the reporter failed")
                self._say("waiting", f"the reporter failed: {error}")
                await asyncio.sleep(LONGEST_PAUSE_S)

    async def _with_identity(self) -> None:
        """Reports with the identity as it is now; returns when it was renewed."""
        while not self._identity.exists:
            await asyncio.sleep(self._config.interval_ms / 1000)
        collector = self._identity.collector()
        if self.status.state == "off":
            self._say("ready")
        url = (self._config.url or collector.url).rstrip("/")
        context = self._identity.context(self._ca(collector))
        proxy = self._config.proxy or None
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        async with httpx.AsyncClient(
            verify=context, proxy=proxy, trust_env=False, timeout=TIMEOUT_S, limits=limits
        ) as client:
            while not await self._renewed(client, url, collector):
                await self._turn(client, url, collector.box)

    async def _turn(self, client: httpx.AsyncClient, url: str, box: str) -> None:
        """One batch, or one pause."""
        batch = await asyncio.to_thread(self._spool.batch, self._config.max_batch_kib * 1024, self._most)
        if not batch.records:
            await asyncio.sleep(self._config.interval_ms / 1000)
            return
        try:
            answer = await self._send(client, url, box, batch)
        except Refused as refused:
            await self._refused(batch, refused)
        except Later as later:
            self._say("waiting", str(later))
            await asyncio.sleep(self._pause_s(later.after_s))
        else:
            await self._acknowledged(batch, answer)

    # --- answers

    async def _acknowledged(self, batch: Batch, answer: Acknowledgement) -> None:
        sequence = min(answer.sequence, batch.records[-1][0])
        self._failures = 0
        self._gave_up = False
        self._most = min(self._config.max_batch_reports, self._most * 2)
        count = sum(each <= sequence for each, _ in batch.records)
        if answer.rejected:
            log.warning("collector rejected reports", count=len(answer.rejected), first=answer.rejected[0][1])
        self._say(
            "up",
            acknowledged=self.status.acknowledged + count,
            given_up=self.status.given_up + len(answer.rejected),
            last_ns=self._wall_ns(),
        )
        # said first: who sees the spool empty sees in the status where everything went
        await asyncio.to_thread(self._spool.acknowledge, batch.epoch, sequence)
        if len(batch.records) < self._config.max_batch_reports:
            await asyncio.sleep(self._config.interval_ms / 1000)

    async def _refused(self, batch: Batch, refused: Refused) -> None:
        if not refused.divide:
            self._say("refused", str(refused))
            await asyncio.sleep(random.uniform(REFUSED_S / 2, REFUSED_S))
        elif len(batch.records) > 1:
            self._most = max(1, len(batch.records) // 2)
        else:
            if self._gave_up:
                await asyncio.sleep(REFUSED_S)
            self._gave_up = True
            log.error("report given up", problem=str(refused))
            self._say("up", str(refused), given_up=self.status.given_up + 1)
            await asyncio.to_thread(self._spool.acknowledge, batch.epoch, batch.records[0][0])

    def _pause_s(self, after_s: float | None) -> float:
        bound = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        drawn = random.uniform(0, bound)
        return drawn if after_s is None else min(after_s, MAX_RETRY_AFTER_S) + drawn

    def _say(self, state: State, problem: str | None = None, **changes: int) -> None:
        if state != self.status.state:
            tell = log.info if state in ("ready", "up") else log.warning
            tell("reporting to the collector", state=state, problem=problem)
        self.status = msgspec.structs.replace(self.status, state=state, problem=problem, **changes)

    # --- requests

    async def _send(self, client: httpx.AsyncClient, url: str, box: str, batch: Batch) -> Acknowledgement:
        """The collector's acknowledgement. Raises Refused or Later."""
        sent_ns = self._wall_ns()
        data = encode_batch(box, f"{batch.epoch:016x}", moment(sent_ns), batch.records)
        body = await asyncio.to_thread(gzip.compress, data, COMPRESSION)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        answer = await self._post(client, f"{url}/v1/batches", content=body, headers=headers)
        try:
            acknowledgement = msgspec.json.decode(answer.content, type=Acknowledgement)
        except msgspec.DecodeError as error:
            raise Later(f"who answers is no collector: {error}") from error
        self._compare_clocks(sent_ns, acknowledgement)
        return acknowledgement

    def _compare_clocks(self, sent_ns: int, answer: Acknowledgement) -> None:
        """The collector looked at its clock between our sending and now; taken as the middle."""
        middle_ns = (sent_ns + self._wall_ns()) // 2
        offset_ms = (middle_ns - answer.time_ns) // 1_000_000
        self.status = msgspec.structs.replace(self.status, clock_offset_ms=offset_ms)

    async def _post(self, client: httpx.AsyncClient, url: str, **options: object) -> httpx.Response:
        try:
            answer = await client.post(url, **options)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            raise Later(f"the collector cannot be reached: {error or type(error).__name__}") from error
        if answer.status_code == httpx.codes.OK:
            return answer
        problem = f"the collector refused: {problem_text(answer)}"
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise Later(problem, _retry_after_s(answer))
        raise Refused(problem, divide=_reason(answer) in OF_THE_BATCH)

    # --- renewal

    async def _renewed(self, client: httpx.AsyncClient, url: str, collector: Collector) -> bool:
        """Gets a new certificate when the old one's time nears its end; True when it did."""
        now = time.monotonic()
        if now - self._renewal_checked < RENEWAL_CHECK_S:
            return False
        self._renewal_checked = now
        if not self._identity.renewal_due():
            return False
        request = Request(collector.box)
        try:
            answer = await self._post(client, f"{url}/v1/renew", json={"csr": request.csr})
            issued = read_issued(answer.content)
            kept = Collector(url=collector.url, ca=issued.ca, box=collector.box)
            await asyncio.to_thread(self._identity.save, request.key_with(issued.certificate), kept)
        except (Later, Refused, IdentityError) as problem:
            log.warning("certificate not renewed", problem=str(problem))
            return False
        log.info("certificate renewed", until=self._identity.validity()[1].isoformat())
        return True

    def _ca(self, collector: Collector) -> str:
        if not self._config.ca:
            return collector.ca
        try:
            return Path(self._config.ca).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise IdentityError(f"{self._config.ca} cannot be read: {error}") from error


def _retry_after_s(answer: httpx.Response) -> float | None:
    """Retry-After in seconds (RFC 9110 10.2.3); the form with a date is not what a collector sends."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None


def _reason(answer: httpx.Response) -> str:
    """The reason that a collector gives (RFC 9457), "" when it is not a collector that answers."""
    try:
        prefix, _, reason = str(answer.json()["type"]).rpartition(":")
        return reason if prefix == "urn:sipwarden:problem" else ""
    except (ValueError, KeyError, TypeError):
        return ""
