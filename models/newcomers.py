"""The newcomers of an address: when nearly all their calls are watched as one fraud, they are one campaign's."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from kernels.schema import CALL_FEATURES
from models.fraud_types import BIT_OF
from models.verdict import FLAG, PASS, WATCH

# Frauds of campaigns that show another number at each call, or every few calls: no caller ever stands as flagged.
ROTATING = tuple(BIT_OF[name] for name in ("robocall", "vishing", "caller_spoofing", "flash_call", "tdos"))

# So many watched calls of newcomers, which must be so many of all their calls, are a campaign: honest trunks have
# newcomers, too, and few of those are watched. Both are counted with a half-life of an hour.
CAMPAIGN_CALLS = 20
CAMPAIGN_SHARE = 0.8
HALF_LIFE_NS = 3600 * 10**9

# A number is new in its first three calls; a number withheld has no calls.
NEW_CALLS = 3

_NAMES = [feature.name for feature in CALL_FEATURES]
EVIDENCE, NEWCOMER_CALLS = _NAMES.index("caller_evidence"), _NAMES.index("newcomer_calls_hour")


def of_newcomers(rows: np.ndarray, verdicts: np.ndarray) -> list[int]:
    """float32 [n, features], uint8 [n] -> which calls' rows are watched or flagged, and their callers new."""
    return np.flatnonzero((verdicts != PASS) & (rows[:, EVIDENCE] <= NEW_CALLS)).tolist()


@dataclass(slots=True)
class Watched:
    """How many calls of an address's newcomers were watched as one fraud."""

    calls: float
    time_ns: int
    latest: int  # of those calls, by their order


class Newcomers:
    """Newcomers(limit): of at most so many addresses, those longest without a watched call given up for others.

    Rows come in order of time, and calls are numbered in the order in which they began.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._watched: OrderedDict[Hashable, dict[int, Watched]] = OrderedDict()  # by a fraud's bit

    def verdict(self, address: Hashable, call: int, time_ns: int, verdict: int, types: int, newcomers: float) -> int:
        """The verdict of a row of `of_newcomers`, given the one before: FLAG, too, where it is watched as nearly all
        calls of its address's newcomers are. `newcomers` is the row's `newcomer_calls_hour`.
        """
        campaign = False
        for fraud in ROTATING:
            if types & fraud:
                campaign |= self._note(address, fraud, call, time_ns) >= max(CAMPAIGN_CALLS, CAMPAIGN_SHARE * newcomers)
        return FLAG if campaign and verdict == WATCH else verdict

    def kept(self) -> list[tuple[Hashable, dict[int, Watched]]]:
        """All of them, those longest without a watched call first."""
        return [
            (address, {fraud: replace(one) for fraud, one in frauds.items()})
            for address, frauds in self._watched.items()
        ]

    def restore(self, kept: Iterable[tuple[Hashable, dict[int, Watched]]]) -> None:
        """Puts back what `kept` gave, behind what is there."""
        self._watched.update(kept)

    def _note(self, address: Hashable, fraud: int, call: int, time_ns: int) -> float:
        """Counts the call, once; returns the count. One that is watched later than a call after it is not counted."""
        frauds = self._watched.setdefault(address, {})
        self._watched.move_to_end(address)
        if len(self._watched) > self._limit:
            self._watched.popitem(last=False)
        watched = frauds.setdefault(fraud, Watched(0.0, time_ns, -1))
        watched.calls *= 0.5 ** ((time_ns - watched.time_ns) / HALF_LIFE_NS)
        watched.time_ns = time_ns
        if call > watched.latest:
            watched.calls += 1
            watched.latest = call
        return watched.calls
