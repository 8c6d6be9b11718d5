"""Calls that are over, in short, for the collector: which of them, and how they get into the spool.

Most calls are honest, and a collector of two hundred boxes has no use for each of them: at 200 calls a second a box
would send 17 million a day. By default the desk gets what its work needs: the suspected calls, every other call of a
caller who had one within SUSPECTED_S, so that his page shows what else he does, and a thin sample of the rest, so that
somebody can look at what passes.
"""

import time
from array import array
from collections.abc import Callable
from math import inf

import msgspec

from appliance.admin.allow_list import AllowList
from appliance.config import Collector as CollectorConfig
from appliance.report import MAX_TEXT, CallSummary, StoredFinding, payload
from appliance.reporting.grades import CALL_SUMMARY
from appliance.storage.spool import Spool

SUSPECTED_S = 24 * 3600
# Callers are remembered by their hash, which Python keys anew in each process, in sets of so many.
SETS, WAYS = 16384, 4


class OverCall(msgspec.Struct, frozen=True):
    """What is needed of a call's line (appliance/report.py); the rest is passed over, which takes microseconds."""

    call_id: str
    caller: str
    callee: str
    caller_e164: str | None
    callee_e164: str | None
    source: str
    start: str
    state: str
    status_code: int | None
    duration_s: float | None
    verdict: str
    score: float


class Suspected:
    """When there was news of which caller. At most 65,536 of them: of those of a set the one longest without news goes
    first. What it takes is taken at the start."""

    def __init__(self) -> None:
        self._hashes = array("q", [0]) * (SETS * WAYS)
        self._news_s = array("d", [-inf]) * (SETS * WAYS)

    def note(self, caller: str, now_s: float) -> None:
        hashed = hash(caller)
        places = self._places(hashed)
        place = next((at for at in places if self._hashes[at] == hashed), min(places, key=self._news_s.__getitem__))
        self._hashes[place] = hashed
        self._news_s[place] = now_s

    def news_s(self, caller: str) -> float:
        """When there was news of a caller; -inf: none that is remembered."""
        hashed = hash(caller)
        return max((self._news_s[at] for at in self._places(hashed) if self._hashes[at] == hashed), default=-inf)

    def _places(self, hashed: int) -> range:
        first = hashed % SETS * WAYS
        return range(first, first + WAYS)


_lines = msgspec.json.Decoder(OverCall)


class CallSummaries:
    """Puts summaries into `spool` while `wanted()`, as `config` has it. On one thread."""

    def __init__(
        self,
        config: CollectorConfig,
        spool: Spool,
        wanted: Callable[[], bool],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._which = config.call_summaries
        self._sample = config.call_sample
        self._spool = spool
        self._wanted = wanted
        self._monotonic = monotonic
        self._suspected = Suspected()
        self._others = 0  # calls that nothing spoke for

    def suspect(self, finding: StoredFinding) -> None:
        """The other calls of this caller are of interest from now on."""
        if finding.caller and self._which == "suspected":
            self._suspected.note(finding.caller, self._monotonic())

    def take(self, line: bytes, allowed: AllowList, time_ns: int) -> None:
        """The line of a call that is over. A call that is suspected and allowed is nobody's business but the box's."""
        if self._which == "off" or not self._wanted():
            return
        call = _lines.decode(line)
        if call.verdict != "pass":
            address = call.source.rpartition(":")[0].strip("[]")
            if allowed.covers(time_ns, source=address, numbers=[call.caller, call.caller_e164]) is not None:
                return
        elif not self._is_of_interest(call):
            return
        self._spool.put(CALL_SUMMARY, payload(summary(call)))

    def _is_of_interest(self, call: OverCall) -> bool:
        if self._which == "all":
            return True
        for number in (call.caller, call.caller_e164):
            if number and self._monotonic() - self._suspected.news_s(number) < SUSPECTED_S:
                return True
        self._others += 1
        return self._sample > 0 and self._others % self._sample == 0


def summary(call: OverCall) -> CallSummary:
    """The report. A Call-ID may be longer than the schema's texts are: it is cut."""
    return CallSummary(
        call_id=call.call_id[:MAX_TEXT],
        caller=(call.caller_e164 or call.caller)[:MAX_TEXT],
        callee=(call.callee_e164 or call.callee)[:MAX_TEXT],
        source=call.source,
        start=call.start,
        state=call.state,  # type: ignore[arg-type]
        status_code=call.status_code,
        duration_s=call.duration_s,
        verdict=call.verdict,  # type: ignore[arg-type]
        score=call.score,
    )
