"""The service: starts the parts in order, keeps them going, and ends them in order.

Three threads: the tracker (appliance/live/tracker.py) screens, the recorder (appliance/live/recorder.py) writes, and
this one runs the event loop with the signals, the admin socket, the watchdog and the snapshots. ARCHITECTURE.md has the
theory of operation.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

from appliance import config as configuration
from appliance import log
from appliance.admin.all_commands import registry
from appliance.admin.allow_list import AllowList
from appliance.admin.server import AdminServer
from appliance.config import Config, Flags
from appliance.errors import ApplianceError, BusyError
from appliance.installed import InstalledBundles
from appliance.live import garbage
from appliance.live.clock import Clock
from appliance.live.metrics import Metrics
from appliance.live.metrics_server import Server as MetricsServer
from appliance.live.notification import Notification, Watchdog
from appliance.live.observer import Observer
from appliance.live.recorder import Recorder
from appliance.live.reload import Reload, changes, scorers_of
from appliance.live.show import Show
from appliance.live.status import Status, shown_drift
from appliance.live.totals import Totals
from appliance.live.tracker import Tracker
from appliance.pipeline import Pipeline
from appliance.reporting.call_summaries import CallSummaries
from appliance.reporting.grades import CALL_SUMMARY, CALL_SUMMARY_SHARE
from appliance.reporting.identity import Identity
from appliance.reporting.reporter import Reporter
from appliance.reporting.self_report import SelfReport
from appliance.sources import open_sources
from appliance.storage.secret import load_secret
from appliance.storage.snapshots import Snapshots
from appliance.storage.spool import Spool, SpoolHealth
from appliance.storage.state_dir import StateDir
from appliance.storage.store import Store, StoreHealth
from appliance.storage.store_labels import STORE_FILE
from appliance.tally import Tally
from capture.memory import keep_resident
from models.errors import ModelError

T = TypeVar("T")

LOOK_S = 1.0  # between two looks at rates, counters and the parts
FIRST_TURN_S = 0.01  # between two looks whether all sources were tried once
DAY_NS = 86400 * 10**9
CURE_OF_NOTHING = "name interfaces or a directory in [capture], or an address to listen on in [hep]"


class Service:
    """One service with one configuration; the `Box` of the admin commands and what metrics are taken from.

    `flags` of the command line stay in force when the configuration is read again. Nothing is started, and little
    taken, before `serve`. Raises ApplianceError and ModelError, and then nothing is left behind.
    """

    def __init__(self, config: Config, path: Path | None, flags: Flags, *, show: bool = False) -> None:
        self.config = config
        self._path = path
        self._flags = flags
        self._observer = Observer()
        self._notification = Notification()
        self._problem: str | None = None  # of the latest reload
        self._health: dict[str, str] = {}  # what is kept -> the state of its place when it was looked at last
        self._drift: dict[str, str] = {}  # kind of row -> its state when it was looked at last
        self._reloading = asyncio.Lock()
        with contextlib.ExitStack() as stack:
            self._take(stack, show)
            self._stack = stack.pop_all()

    def _take(self, stack: contextlib.ExitStack, show: bool) -> None:
        config = self.config
        state = stack.enter_context(StateDir(Path(config.service.state_dir)))
        self._installed = InstalledBundles(state.path)
        with configuration.blaming(self._path, self._flags):
            sources = open_sources(config)
        capture = config.capture
        scorers = scorers_of(config, self._installed)
        secret, problem = load_secret(state.path)
        if problem is not None:
            log.error("a secret for this run alone", problem=problem)
        self._snapshots = Snapshots(state.path, config.screen.region, secret)
        keep_resident(True)
        window_ns = capture.duplicate_window_ms * 1_000_000 if capture.remove_duplicates else 0
        pipeline = self._snapshots.restore(lambda: Pipeline(config, secret, scorers, window_ns))
        # the engine's time goes on where it stood, as far from the wall clock as it was, and does not go back
        engine = pipeline.engine
        clock = Clock(min(engine.offset_ns, time.time_ns() - (engine.time_ns - engine.offset_ns)))
        self._bundles = _labels(pipeline)
        self.store = Store(state.path / STORE_FILE, config.store.max_mib << 20, config.store.max_age_days * DAY_NS)
        stack.callback(self.store.close)
        spool_bytes = config.spool.max_mib << 20
        spool = Spool(state.path / "spool", spool_bytes, {CALL_SUMMARY: int(spool_bytes * CALL_SUMMARY_SHARE)})
        stack.callback(spool.close)
        self._show = Show(sys.stdout) if show else None
        summaries = CallSummaries(config.collector, spool, lambda: self._reporter.status.state != "off")
        self._recorder = Recorder(self.store, spool, self._show.take if self._show else None, summaries=summaries)
        self._tracker = Tracker(pipeline, sources, self._recorder.outlet, config.service.verdict_delay_ms / 1e3, clock)
        self._reporter = Reporter(config.collector, spool, Identity(config.identity_dir))
        self._self_report = SelfReport(
            spool,
            self.status,
            lambda: self.tally.fraud_types,
            lambda: self._reporter.status,
            lambda: self.config.fingerprint,
        )
        self._watchdog = Watchdog(self._tracker, self._notification)
        self._metrics = Metrics(self)
        self._admin = AdminServer(self, registry)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- the run --------------------------------------------------------------------------------------------

    async def serve(self) -> bool:
        """Runs until SIGTERM or SIGINT, or until the tracker fails, which is True."""
        self._ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ended.set)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        await self._admin.start()
        metrics = None
        try:
            if self.config.metrics.listen:
                metrics = MetricsServer(self._metrics, self.config.metrics.listen)
            await self._work()
        finally:
            await self._admin.close()
            if metrics is not None:
                metrics.close()
        return self._tracker.failure is not None

    async def _work(self) -> None:
        await self.lists_changed()
        self._recorder.start()
        self._tracker.start()
        chores = [
            asyncio.ensure_future(chore)
            for chore in (
                self._look_after(),
                self._feed_the_watchdog(),
                self._remember(),
                garbage.collect(),
                self._reporter.run(),
                self._self_report.run(),
            )
        ]
        while self._tracker.turns == 0 and self._tracker.is_alive():
            await asyncio.sleep(FIRST_TURN_S)
        self._notification.ready()
        log.info("started", version=self.version, state_dir=self.config.service.state_dir)
        if not self._tracker.sources:
            log.warning("nothing is watched", cure=CURE_OF_NOTHING)
        await self._ended.wait()
        self._notification.stopping()
        log.info("stopping")
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await self._drain()
        log.info("stopped", packets=self._tracker.totals.summary["packets"], uptime_s=round(self._observer.uptime_s, 1))
        if self._show is not None:
            self._show.summary(self._tracker.totals, self._observer.uptime_s)

    async def _drain(self) -> None:
        """In the order in which what was captured moves on."""
        with contextlib.suppress(BusyError):  # it has failed: what was recorded before is kept
            await asyncio.wrap_future(self._tracker.drain())
        self._recorder.stop()
        await asyncio.to_thread(self._recorder.join)
        if self._tracker.failure is None:
            await asyncio.to_thread(self._snapshots.save, self._tracker.ask)
        self._tracker.stop()
        await asyncio.to_thread(self._tracker.join)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            totals = self._tracker.totals
            self._recorder.count(time.time_ns(), self._observer.sample(totals, self.tally))
            self._notification.status(self._sentence())
            self._tell_drift(totals)
            self._tell_health()
            if not self._tracker.is_alive():
                self._ended.set()

    def _tell_drift(self, totals: Totals) -> None:
        """A line when the rows of a bundle begin to be unlike those it was calibrated on, or are like them again."""
        for one in totals.drift:
            before, self._drift[one.rows] = self._drift.get(one.rows, "settling"), one.state
            if one.state != before and "drifted" in (one.state, before):
                say = log.warning if one.state == "drifted" else log.info
                say("rows have drifted" if one.state == "drifted" else "rows drift no longer",
                    rows=one.rows, bundle=one.bundle, ratio=shown_drift(one.ratio), feature=one.feature)  # fmt: skip

    def _tell_health(self) -> None:
        """A line when what keeps findings and reports is in trouble with its disk, or no longer is."""
        for part, health in self._kept_in():
            before, self._health[part] = self._health.get(part, "ok"), health.state
            if health.state not in (before, "ok"):
                log.error("a disk is in trouble", keeps=part, state=health.state, problem=health.problem or "")
            elif health.state != before:
                log.info("a disk is written to again", keeps=part, lost=health.lost)

    def _kept_in(self) -> Iterator[tuple[str, StoreHealth | SpoolHealth]]:
        yield "findings", self.store.health()
        yield "spool", self._recorder.spool.health()

    async def _feed_the_watchdog(self) -> None:
        if self._watchdog.pause_s is None:
            return
        while True:
            self._watchdog.look()
            await asyncio.sleep(self._watchdog.pause_s)

    async def _remember(self) -> None:
        while True:
            await asyncio.sleep(self.config.service.snapshot_interval_s)
            await asyncio.to_thread(self._snapshots.save, self._tracker.ask)

    def _sentence(self) -> str:
        """The status in one line, for `systemctl status`."""
        problem = next(self._problems(), None)
        if problem is not None:
            return problem
        summary, rates = self._tracker.totals.summary, self._observer.rates()
        return (
            f"{rates.packets:,.0f} packets/s, {rates.calls:,.1f} calls/s; "
            f"{summary['flagged']:,} flagged and {summary['watched']:,} watched of {summary['calls']:,} calls"
        )

    # -- a new configuration --------------------------------------------------------------------------------

    def _on_hangup(self) -> None:
        task = asyncio.ensure_future(self._reload_and_say())
        self._hangup = task  # the loop holds tasks weakly

    async def _reload_and_say(self) -> None:
        with contextlib.suppress(ApplianceError, ModelError):  # it was said
            await self.reload()

    async def reload(self) -> Sequence[str]:
        async with self._reloading:
            self._notification.reloading()
            try:
                said = await self._reload()
            except (ApplianceError, ModelError) as error:
                self._problem = f"the new configuration is refused, the old one goes on: {error}"
                log.error("the new configuration is refused, the old one goes on", problem=str(error))
                raise
            else:
                self._problem = None
                log.info("reloaded", changes="; ".join(said) or "none")
                return said
            finally:
                self._notification.ready()
                self._notification.status(self._sentence())

    async def _reload(self) -> list[str]:
        old = self.config
        new = await asyncio.to_thread(configuration.load, self._path, self._flags)
        with configuration.blaming(self._path, self._flags):
            ready = await asyncio.to_thread(Reload.prepare, old, new, self._installed)
        said = changes(old, new)
        await self.ask(lambda pipeline: pipeline.use(ready.scorers))
        before, self._bundles = self._bundles, {kind: scorer.bundle.label for kind, scorer in ready.scorers.items()}
        said += [
            f"bundle {kind}: {before[kind]} -> {label}"
            for kind, label in self._bundles.items()
            if label != before[kind]
        ]
        if ready.sources is not None:
            await asyncio.wrap_future(self._tracker.watch(ready.sources))
        elif ready.hep is not None:
            await asyncio.wrap_future(self._tracker.renew(ready.hep))
        self._tracker.delay_s = new.service.verdict_delay_ms / 1e3
        self.config = new
        self._admin.configure()
        log.configure(new.log.level, new.log.format)
        return said

    # -- what admin commands and metrics ask for ------------------------------------------------------------

    @property
    def version(self) -> str:
        return self._observer.version

    @property
    def tally(self) -> Tally:
        return self._tracker.tally

    def status(self) -> Status:
        return self._observer.status(
            self._tracker.totals,
            self.tally,
            self._recorder,
            self._reporter.status,
            self._bundles,
            self._snapshots.status(),
            self._problems(),
        )

    def evictions(self) -> Mapping[str, int]:
        return self._tracker.totals.evictions

    async def ask(self, question: Callable[[Pipeline], T]) -> T:
        return await asyncio.wrap_future(self._tracker.ask(question))

    async def lists_changed(self) -> None:
        entries = await asyncio.to_thread(self.store.entries, "allow")
        self._recorder.allowed = AllowList(entries)

    def metrics_text(self) -> str:
        return self._metrics.text()

    def _problems(self) -> Iterator[str]:
        """What keeps the service from doing its work, the gravest first."""
        totals = self._tracker.totals
        if not totals.sources:
            yield f"nothing is watched: {CURE_OF_NOTHING}"
        for source in totals.sources:
            if source.problem is not None:
                yield f"{source.name}: {source.problem}"
        if self._problem is not None:
            yield self._problem
        for part, health in self._kept_in():
            if health.problem is not None:
                yield f"{part}: {health.problem}"
        if self._snapshots.problem is not None:
            yield f"snapshot: {self._snapshots.problem}"
        if self._reporter.status.problem is not None:
            yield f"reporting: {self._reporter.status.problem}"


def _labels(pipeline: Pipeline) -> dict[str, str]:
    scorers = {"call": pipeline.calls, "source": pipeline.sources, "subscriber": pipeline.subscribers}
    return {kind: scorer.bundle.label for kind, scorer in scorers.items()}
