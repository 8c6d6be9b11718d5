"""What one entry of a feature row is, and how a reason says it."""

import math
from dataclasses import dataclass

from kernels import wording

SETUP, ANSWER, END = "setup", "answer", "end"

NAN = math.nan
MOST_EVENTS = 1e6
MOST_SECONDS = 86400.0
MOST_EVIDENCE = 32.0
MOST_CV = 6.0  # above sqrt(31): the cadence remembers 32 intervals

YES_NO = ("no", "yes")
PRICE_CLASSES = ("ordinary", "high-cost country", "satellite or international network", "premium rate")


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One entry of a row: float32, in low..high, or NaN where `meaning` says so."""

    name: str
    unit: str  # calls, numbers, digits, addresses, users, servers, spellings, s, ratio, flag, class; empty: a number
    meaning: str
    reason: str  # a sentence with {value} and {typical}
    low: float = 0.0
    high: float
    group: str = "call"  # which row: call or source
    source: str = "caller"  # whose: caller, callee, the sending address (source), or the call itself
    moment: str = SETUP  # NaN before
    unseen: float = 0.0  # what it is without any evidence: the prior, or NaN
    words: tuple[str, ...] = ()  # of the values of a flag or class
    revision: int = 1

    def text(self, value: float) -> str:
        """A value as a person reads it."""
        return wording.text(self.unit, self.words, value)

    def sentence(self, value: float, typical: float) -> str:
        """The reason in plain words: what was seen, and what is typical."""
        return self.reason.format(value=self.text(value), typical=self.text(typical))


MOST = {"ratio": 1.0, "flag": 1.0, "s": MOST_SECONDS}


def feature(name: str, unit: str, meaning: str, reason: str, **more) -> Feature:
    """A feature whose upper end, unless given, is that of its unit."""
    return Feature(
        name=name, unit=unit, meaning=meaning, reason=reason, **{"high": MOST.get(unit, MOST_EVENTS), **more}
    )
