"""From captures to verdicts: the engine's blocks, scored, explained and reported.

A block is what one pass of the engine left behind: feature rows, and calls that are over. The rows are scored
in one batch, the verdicts go back to their calls, and then the finished calls are reported.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np

from appliance.call_line import CallLines
from appliance.call_reasons import CallReasons
from appliance.config import Config
from appliance.findings import Findings
from appliance.outlet import Outlet, Write
from appliance.tally import Tally
from capture.file import CaptureFile
from capture.source import RecordSource
from kernels.engine import BLOCK, Engine
from kernels.schema_subscriber import subscriber_rows
from kernels.subscribers import Subscribers
from models.bundle import CARD_FILE, SHIPPED, Bundle
from models.drift import DriftReport, RowDrift
from models.errors import BundleError
from models.reasons import explain
from models.scorer import Scorer, Scores
from models.verdict import FLAG, WATCH

# Keys the hashes of a replay. It is known, so that sketches estimate the same on every run; where entries lie in
# a table is salted apart from it (capture/index.pxd).
REPLAY_SECRET = 0x7369_7077_6172_6465

ROW_KINDS = ("call", "source", "subscriber")


class Outcome(msgspec.Struct, frozen=True):
    """How the reading of one capture ended."""

    problem: str | None  # why it could not be read to its end
    cut_by_snaplen: int  # packets of which less was captured than was on the wire


def load_bundles(folder: str | None) -> dict[str, Bundle]:
    """The bundle for each kind of row: those of `folder`, which is a bundle or holds some, else the shipped ones.

    Raises BundleError.
    """
    paths = {kind: SHIPPED / kind for kind in ROW_KINDS}
    if folder is not None:
        root = Path(folder)
        if (root / CARD_FILE).is_file():
            paths[Bundle.load(root).card.rows] = root
        else:
            held = {kind: root / kind for kind in ROW_KINDS if (root / kind).is_dir()}
            if not held:
                raise BundleError(
                    f"{root}: is neither a bundle, with a {CARD_FILE}, nor a folder of the bundles "
                    f"{', '.join(ROW_KINDS)}"
                )
            paths |= held
    return {kind: Bundle.load(path) for kind, path in paths.items()}


def load_scorers(folder: str | None) -> dict[str, Scorer]:
    """The bundles at work. Raises BundleError."""
    return {kind: Scorer(bundle) for kind, bundle in load_bundles(folder).items()}


class Pipeline:
    """One engine over any number of sources, in the order in which they are run.

    Raises BundleError when the bundles cannot be used. `secret` keys the hashes; `scorers` are those of the
    configuration when None; a packet that comes again within `duplicate_window_ns` is left out, 0 for none. `observed`:
    whether somebody asks how scores lie (`tally.scores`) and how rows drift, which is counted only then.
    """

    def __init__(
        self,
        config: Config,
        secret: int = REPLAY_SECRET,
        scorers: Mapping[str, Scorer] | None = None,
        duplicate_window_ns: int = 0,
        observed: bool = True,
    ) -> None:
        limits = config.limits
        self.engine = Engine(
            calls=limits.calls,
            callers=limits.callers,
            callees=limits.callees,
            sources=limits.sources,
            streams=limits.streams,
            tcp_connections=limits.tcp_connections,
            tcp_bytes=limits.tcp_bytes,
            block_packets=limits.block_packets,
            subscribers=limits.subscribers,
            secret=secret,
            region=config.screen.region,
            duplicate_window_ns=duplicate_window_ns,
        )
        self.tally = Tally()
        self.findings = Findings(limits.findings, secret)
        self.reasons = CallReasons(self.engine)
        self.flagged_sources = 0
        self.watched_sources = 0
        self._observed = observed
        self._drift: dict[str, RowDrift] = {}
        self.use(load_scorers(config.screen.bundles) if scorers is None else scorers)

    def use(self, scorers: Mapping[str, Scorer]) -> None:
        """Scores by these from the next block on."""
        self.calls = scorers["call"]
        self.sources = scorers["source"]
        self.subscribers = scorers["subscriber"]
        if self._observed:
            for kind, scorer in scorers.items():
                counted = self._drift.get(kind)
                if counted is None or counted.bundle.card != scorer.bundle.card:
                    self._drift[kind] = RowDrift(scorer.bundle)
        self._lines = CallLines(self.calls.bundle.label)

    def screen_file(self, path: Path, write: Write, advance: Callable[[int], object] | None = None) -> Outcome:
        """Screens one capture to its end, or to where it can no longer be read. `advance` takes bytes read.

        Raises CaptureFileError when it cannot be read at all.
        """
        outlet = Outlet(write, write)
        with CaptureFile(path) as capture:
            while True:
                if self.run(capture.reader):
                    self.end_block(outlet)
                    continue
                position = capture.position
                if not capture.fill():
                    return Outcome(capture.problem, capture.cut_by_snaplen)
                if advance is not None:
                    advance(capture.position - position)

    def finish(self, write: Write) -> None:
        """After the last capture: reports the calls that are still open, and the findings about their parties."""
        outlet = Outlet(write, write)
        more = True
        while more:
            more = self.engine.finish()
            self.end_block(outlet)
        for line in self.findings.lines():
            write(line)

    def run(self, source: RecordSource, *, live: bool = False) -> bool:
        """Takes packets until none is within reach. True when the block is full first: it has to be ended."""
        return self.engine.run(source, live) == BLOCK

    def advance(self, now_ns: int, offset_ns: int) -> bool:
        """Takes what time alone brings about (see Engine). True when the block is full first."""
        return self.engine.advance(now_ns, offset_ns) == BLOCK

    def refresh(self, outlet: Outlet, at_most: int) -> None:
        """Reports the findings about which there is news since they were last reported: `at_most` of `findings.untold`,
        those first that have waited the longest."""
        for line in self.findings.tell(at_most):
            outlet.findings(line)

    def open_lines(self, serials: np.ndarray, slots: np.ndarray) -> bytes:
        """The JSON lines, as they would be now, of calls that kernels/open_calls.pyx found in the table."""
        return self._lines.write_open(self.engine, serials, slots, self.reasons)

    def summary(self) -> dict[str, int | float]:
        """The totals so far, by the names of the summary line."""
        totals = self.engine.counters()
        totals["flagged"] += self.flagged_sources
        totals["watched"] += self.watched_sources
        totals["evicted"] += self.findings.evicted
        return totals

    def drift(self) -> list[DriftReport]:
        """How far the rows of each kind have moved from what their bundle was calibrated on."""
        return [self._drift[kind].report() for kind in ROW_KINDS if kind in self._drift]

    def end_block(self, outlet: Outlet) -> None:
        """Scores the rows of the block and reports what came of it."""
        rows = self.engine.call_block
        if len(rows):
            self._judge_calls(rows, self.calls.score(rows), outlet.alert)
        rows = self.engine.source_block
        if len(rows):
            self._judge_sources(rows, self.sources.score(rows), outlet.alert)
        if self.engine.subscribers is not None:
            self._judge_subscribers(self.engine.subscribers, outlet.alert)
        if self.engine.finished_calls:
            outlet.calls(self._lines.write(self.engine, self.reasons))
        for line in self.findings.take_given_up():
            outlet.findings(line)
        self.engine.next_block()

    def _observe(self, kind: str, rows: np.ndarray, scores: Scores) -> None:
        if self._observed:
            self.tally.scored(kind, scores.score)
            self._drift[kind].add(rows, scores)

    def _judge_calls(self, rows: np.ndarray, scores: Scores, alert: Write | None) -> None:
        self._observe("call", rows, scores)
        self.findings.stand(self.engine, scores.verdict, scores.types)
        raised = self.engine.judge_calls(scores.score, scores.verdict, scores.types)
        reasons = explain(self.calls, rows[raised])
        self.reasons.note(self.engine, raised, reasons)
        for i, is_raised, slot, before in self.findings.add_calls(self.engine, scores, raised, reasons):
            if is_raised:
                self.tally.rose("call", int(scores.verdict[i]), int(scores.types[i]))
                if alert is not None:
                    alert(self._lines.of_row(self.engine, i, self.reasons))
            self._rose(slot, before, alert)

    def _judge_sources(self, rows: np.ndarray, scores: Scores, alert: Write | None) -> None:
        self._observe("source", rows, scores)
        rising = self.findings.rising(self.engine, scores.verdict)
        reasons = explain(self.sources, rows[rising])
        for slot, before, broke_in in self.findings.add_sources(self.engine, scores, rising, reasons):
            self._rose(slot, before, alert, is_news=broke_in)

    def _judge_subscribers(self, found: Subscribers, alert: Write | None) -> None:
        """Of a subscriber only the number is known, wherever it calls from: the finding has no address."""
        statistics = found.due_statistics()
        if not len(statistics):
            return
        rows = subscriber_rows(statistics)
        scores = self.subscribers.score(rows)
        self._observe("subscriber", rows, scores)
        offset_ns = self.engine.offset_ns
        for i in scores.verdict.nonzero()[0].tolist():
            number, first_ns, last_ns, calls = found.note_of(i)
            slot, before = self.findings.add_number(
                f"+{number}",
                first_ns + offset_ns,
                last_ns + offset_ns,
                calls,
                scores.verdict[i],
                scores.score[i],
                scores.types[i],
            )
            if scores.verdict[i] > before:
                self.findings.explain(slot, explain(self.subscribers, rows[i : i + 1])[0])
            self._rose(slot, before, alert)

    def _rose(self, slot: int, before: int, alert: Write | None, is_news: bool = False) -> None:
        """Counts and reports a finding whose verdict is above what it was before; other news are reported, too."""
        verdict, types, is_of_source = self.findings.state_of(slot)
        if verdict != before:
            self.tally.rose("party", verdict, types)
            if is_of_source:
                self.watched_sources += (verdict == WATCH) - (before == WATCH)
                self.flagged_sources += verdict == FLAG
        if alert is not None and (verdict != before or is_news):
            alert(self.findings.line(slot))
