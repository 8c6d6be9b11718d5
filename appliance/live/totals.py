"""What the tracker has counted so far, as other threads may read it: made on its thread, never changed afterwards."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from appliance.live.status import SourceStatus
from appliance.pipeline import Pipeline
from appliance.sources.source import Source, SourceCounters
from models.drift import DriftReport


@dataclass(frozen=True, slots=True)
class Totals:
    """Since the start. `summary` has the names of the summary line; `time_ns` is 0 before the first packet."""

    summary: Mapping[str, int | float]
    evictions: Mapping[str, int]  # by table
    open_calls: int
    findings: int
    time_ns: int
    corrected: int  # packets whose time could not be
    drift: tuple[DriftReport, ...]
    sources: tuple[SourceStatus, ...]
    captured: SourceCounters  # by all sources, those that are closed by now too

    @classmethod
    def of(cls, pipeline: Pipeline, sources: Iterable[Source], closed: SourceCounters) -> "Totals":
        engine = pipeline.engine
        counters = [(source, source.counters()) for source in sources]
        return cls(
            summary=pipeline.summary(),
            evictions={**engine.evictions(), "findings": pipeline.findings.evicted},
            open_calls=engine.open_calls,
            findings=len(pipeline.findings),
            time_ns=engine.time_ns,
            corrected=engine.corrected,
            drift=tuple(pipeline.drift()),
            sources=tuple(_status(source, counted) for source, counted in counters),
            captured=sum((counted for _, counted in counters), closed),
        )


def _status(source: Source, counted: SourceCounters) -> SourceStatus:
    return SourceStatus(
        name=source.name,
        state=source.state,
        problem=source.problem,
        packets=counted.packets,
        dropped=counted.dropped,
        bytes=counted.bytes,
        duplicates=counted.duplicates,
        errors=counted.errors,
    )
