"""Findings about callers and sources: what the flagged calls and requests of one party add up to."""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from appliance.report import SourceLine
from models.fraud_types import names_of
from models.reason import Reason
from models.verdict import VERDICTS, Verdict


@lru_cache(maxsize=4096)
def address_text(packed: bytes) -> str:
    """An address of 16 bytes as text; IPv4 when it is mapped (RFC 4291 2.5.5.2)."""
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def moment(time_ns: int) -> str:
    """RFC 3339 in UTC with microseconds, cut rather than rounded, as call lines are."""
    seconds, ns = divmod(time_ns, 1_000_000_000)
    date_time = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]  # strftime takes four times as long
    return f"{date_time}.{ns // 1000:06d}Z"


@dataclass(slots=True)
class Finding:
    """Of a source address, of one caller at it, or of a number wherever it calls from. Times are ns since the epoch."""

    source: str | None
    caller: str | None
    first_ns: int
    last_ns: int
    flagged_ns: int
    requests: int
    verdict: int = 0
    score: float = 0.0
    types: int = 0
    reasons: list[Reason] = field(default_factory=list)
    break_in: Reason | None = None  # the latest account that the address broke into, told before all reasons
    has_news: bool = False  # since its line was last asked for

    @property
    def verdict_name(self) -> Verdict:
        return VERDICTS[self.verdict]

    def add(self, time_ns: int, requests: int, verdict: int, score: float, types: int) -> bool:
        """One more row that was watched or flagged. True when the verdict rose, so that new reasons are due."""
        self.has_news = True
        self.last_ns = max(self.last_ns, time_ns)
        self.requests = max(self.requests, requests)
        self.score = max(self.score, score)
        self.types |= types
        if verdict <= self.verdict:
            return False
        self.verdict = verdict
        return True

    def line(self) -> SourceLine:
        self.has_news = False
        return SourceLine(
            source=self.source,
            caller=self.caller,
            first=moment(self.first_ns),
            last=moment(self.last_ns),
            flagged_at=moment(self.flagged_ns),
            requests=self.requests,
            verdict=self.verdict_name,
            score=round(self.score, 6),
            fraud_types=names_of(self.types),
            reasons=self.reasons if self.break_in is None else [self.break_in, *self.reasons],
        )


class Findings:
    """At most `limit` findings. When there are more, the one longest without news is counted and given to `report`."""

    def __init__(self, limit: int, report: Callable[[Finding], object]) -> None:
        self.limit = limit
        self.evicted = 0
        self._report = report
        self._by_party: OrderedDict[tuple[str | None, str | None], Finding] = OrderedDict()
        # Of these, those with news, the oldest news first. One whose line was asked for meanwhile is passed over when
        # its turn comes.
        self._untold: OrderedDict[tuple[str | None, str | None], Finding] = OrderedDict()

    def __iter__(self) -> Iterator[Finding]:
        """In the order in which they were first watched or flagged."""
        return iter(sorted(self._by_party.values(), key=lambda finding: finding.flagged_ns))

    def __len__(self) -> int:
        return len(self._by_party)

    def restore(self, findings: Iterable[Finding]) -> None:
        """Puts findings back into an empty list, those longest without news first (as `kept` gave them)."""
        for finding in findings:
            self._by_party[finding.source, finding.caller] = finding
            if finding.has_news:
                self._untold[finding.source, finding.caller] = finding

    @property
    def untold(self) -> int:
        """How many `tell` has to go through."""
        return len(self._untold)

    def tell(self, at_most: int) -> Iterator[Finding]:
        """Goes through the `at_most` that have had news the longest: those about which there is news still."""
        for _ in range(min(at_most, len(self._untold))):
            _, finding = self._untold.popitem(last=False)
            if finding.has_news:
                yield finding

    def kept(self) -> list[Finding]:
        """All of them, those longest without news first."""
        return list(self._by_party.values())

    def known(self, source: str | None, caller: str | None) -> Finding | None:
        """The finding about a party, when there is one."""
        return self._by_party.get((source, caller))

    def of(self, source: str | None, caller: str | None, *, first_ns: int, time_ns: int) -> Finding:
        """The finding about a party, to which a row is added now; a new one when there is none."""
        party = (source, caller)
        finding = self._by_party.get(party)
        if finding is None:
            if len(self._by_party) == self.limit:
                oldest, given_up = self._by_party.popitem(last=False)
                self._untold.pop(oldest, None)
                self._report(given_up)
                self.evicted += 1
            finding = Finding(source, caller, first_ns, time_ns, time_ns, 0)
            self._by_party[party] = finding
        else:
            self._by_party.move_to_end(party)
        if not finding.has_news:
            self._untold[party] = finding
        return finding
