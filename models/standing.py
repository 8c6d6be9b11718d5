"""Who was flagged a short while ago: of a campaign that is known, no call is only watched."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from models.fraud_types import BIT_OF
from models.verdict import FLAG, WATCH

# A party stands as known after so many flagged calls; it begins anew after so long, since numbers are given back and
# telephones are cleaned.
STANDING_CALLS = 3
STANDING_NS = 3600 * 10**9

# Whose fraud it is not: who is falsely answered, or handed to a gateway, calls honestly.
OF_THE_ROUTE = BIT_OF["false_answer"] | BIT_OF["goip_gateway"]


@dataclass(frozen=True, slots=True)
class Flagged:
    """A call that the model has flagged."""

    call: int
    time_ns: int
    types: int


class Standing:
    """Standing(limit): at most so many parties, those longest without a flag given up for others.

    A party is a caller at its address. Rows of its calls come in order of time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._flagged: OrderedDict[Hashable, list[Flagged]] = OrderedDict()  # the latest STANDING_CALLS of each

    def verdict(self, party: Hashable, call: int, time_ns: int, verdict: int, types: int) -> int:
        """The verdict of a row, given what the model says of it: FLAG, too, where it is watched as what three calls of
        its party were flagged as within the hour."""
        types &= ~OF_THE_ROUTE
        if verdict == FLAG and types:
            self._note(party, Flagged(call, time_ns, types))
        elif verdict == WATCH and party in self._flagged:
            calls = self._flagged[party]
            for one in calls:
                types &= one.types
            if types and len(calls) == STANDING_CALLS and time_ns - calls[0].time_ns <= STANDING_NS:
                return FLAG
        return verdict

    def kept(self) -> list[tuple[Hashable, list[Flagged]]]:
        """All of them, those longest without a flag first."""
        return list(self._flagged.items())

    def restore(self, kept: Iterable[tuple[Hashable, list[Flagged]]]) -> None:
        """Puts back what `kept` gave, behind what is there."""
        self._flagged.update(kept)

    def _note(self, party: Hashable, flagged: Flagged) -> None:
        others = [one for one in self._flagged.get(party, ()) if one.call != flagged.call]
        self._flagged[party] = [*others[1 - STANDING_CALLS :], flagged]
        self._flagged.move_to_end(party)
        if len(self._flagged) > self._limit:
            self._flagged.popitem(last=False)
