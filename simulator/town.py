"""The place a scenario plays in: whose lines exist, which addresses and styles they have, and who answers how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from random import Random

from simulator.intent import HONEST, Call, Endpoint, Line, Outcome
from simulator.keys import Fate
from simulator.numbers import PLANS, Plan, written
from simulator.rhythm import NS_PER_S, Curve, arrivals, log_normal
from simulator.vendors import Regime, Role, Style, scripted, some

# Address blocks (RFC 1918 and the shared block of RFC 6598); each scenario of one run has its own /16 of each.
_SUBSCRIBERS, _TRUNKS, _SERVERS = IPv4Address("100.64.0.0"), IPv4Address("172.16.0.0"), IPv4Address("10.0.0.0")
_FOREIGN = IPv4Address("198.18.0.0")  # RFC 2544: addresses of nobody, for whoever is far away
_FOREIGN_BITS = 10  # of them for each scenario

# What becomes of calls that are not answered, in shares of those: from the usual split of a carrier's release causes.
_UNANSWERED = (
    (0.40, Outcome.CANCELLED, 487),
    (0.18, Outcome.REJECTED, 486),
    (0.17, Outcome.REJECTED, 480),
    (0.06, Outcome.REJECTED, 603),
    (0.05, Outcome.REJECTED, 404),
    (0.03, Outcome.FAILED, 408),
    (0.05, Outcome.FAILED, 503),
    (0.04, Outcome.FAILED, 500),
    (0.02, Outcome.UNREACHED, 0),
)
_RINGS_FIRST = {480, 603, 408, 487}

# A fate that is not `mixed` or `answered`: (outcome, status code).
_FATES: dict[Fate, tuple[Outcome, int]] = {
    "cancelled": (Outcome.CANCELLED, 487),
    "vacant": (Outcome.REJECTED, 404),
    "busy": (Outcome.REJECTED, 486),
    "declined": (Outcome.REJECTED, 603),
    "unavailable": (Outcome.REJECTED, 480),
    "congested": (Outcome.FAILED, 503),
    "forbidden": (Outcome.REJECTED, 403),
    "silent": (Outcome.UNREACHED, 0),
}
_MACHINE_DELAY_S = 0.05  # INVITE to the first response of a machine that answers for all numbers


@dataclass(frozen=True, slots=True)
class Answering:
    """How the called side behaves towards one population."""

    answer_ratio: float
    ring_median_s: float
    talk_median_s: float
    talk_sigma: float
    patience_median_s: float = 24.0
    not_found_ratio: float = 0.0  # numbers out of service, on top of the usual few
    talk_limit_s: float = 4 * 3600.0
    fate: Fate = "mixed"
    even: bool = False  # the same times at every call: a script, or a machine that answers for all numbers


def server_of(index: int) -> Endpoint:
    """The home server of the scenario that is the n-th of a run."""
    return Endpoint(str(_SERVERS + (index << 16) + 5))


class Town:
    """Lines, addresses and styles of one scenario; populations settle in it first, and then call."""

    def __init__(
        self,
        country: str,
        start_ns: int,
        duration_s: float,
        utc_offset_h: float,
        regime: Regime,
        index: int = 0,
        scripted_ratio: float = 0.0,
    ):
        self.home: Plan = PLANS[country]
        self.start_ns = start_ns
        self.end_ns = start_ns + int(duration_s * NS_PER_S)
        self.utc_offset_h = utc_offset_h
        self.regime = regime
        self.scripted_ratio = scripted_ratio
        self.server = server_of(index)
        self.media_server = str(_SERVERS + (index << 16) + 6)
        self.subscribers: list[Line] = []  # lines that others may call
        self.trunks: dict[str, Line] = {}  # population name -> the device its calls come through
        self.members: dict[str, list[Line]] = {}  # population name -> its own lines
        self._by_number: dict[str, Line] = {}
        self._subscriber_address = _SUBSCRIBERS + (index << 16)
        self._trunk_address = _TRUNKS + (index << 16)
        self._foreign_address = _FOREIGN + (index << _FOREIGN_BITS)
        self._numbers: set[str] = set()

    def handed_on(self, line: Line) -> Line:
        """The line as the home server shows it when it hands a call on: the server sends the INVITE, in its own style
        (see `Call.far`)."""
        return replace(line, endpoint=self.server, domain=self.server.address, challenged=False)

    def arrivals(self, rng: Random, per_hour: float, curve: Curve) -> Iterator[int]:
        """The moments of a Poisson process over the whole scenario, in local time."""
        return arrivals(rng, self.start_ns, self.end_ns, per_hour, curve, self.utc_offset_h)

    def new_number(self, rng: Random, mobile_share: float = 0.7, country: str = "") -> str:
        """A number that no one in this town has yet."""
        plan = PLANS[country] if country else self.home
        while True:
            number = plan.draw(rng, mobile_share)
            if number not in self._numbers:
                self._numbers.add(number)
                return number

    def number_of(self, rng: Random, block: str) -> str:
        """A number of a block of 10 000 that no one in this town has yet, while there is one to be had."""
        for _ in range(100):
            number = f"{block}{rng.randrange(10_000):04d}"
            if number not in self._numbers:
                break
        self._numbers.add(number)
        return number

    def subscriber_endpoint(self, rng: Random) -> Endpoint:
        """A new customer address; behind a NAT the port is not 5060."""
        self._subscriber_address += 1
        return Endpoint(str(self._subscriber_address), 5060 if rng.random() < 0.5 else rng.randrange(10_000, 65_000))

    def foreign_endpoint(self, rng: Random) -> Endpoint:
        """A new address far away, behind a NAT more often than not."""
        self._foreign_address += 1
        return Endpoint(str(self._foreign_address), 5060 if rng.random() < 0.4 else rng.randrange(10_000, 65_000))

    def trunk_endpoint(self) -> Endpoint:
        """A new address of an exchange, a gateway or another carrier."""
        self._trunk_address += 1
        return Endpoint(str(self._trunk_address))

    def style(self, role: Role, rng: Random, names: tuple[str, ...] = ()) -> Style:
        """One of the named styles, or of all that the role has in this regime; now and then one drawn at random."""
        if self.scripted_ratio and not names and rng.random() < self.scripted_ratio:
            return scripted(rng, self.regime)
        return some(role, self.regime, rng, names)

    def dial(self, number: str, rng: Random) -> str:
        """A number as people here dial it: mostly in the national form."""
        form = ("national", "national", "national", "e164", "international")[int(rng.random() * 5)]
        return written(number, form, self.home)

    def some_number(self, rng: Random, known_share: float = 0.3, mobile_share: float = 0.7) -> str:
        """A number to call: of a subscriber here, or of anybody in the country."""
        if self.subscribers and rng.random() < known_share:
            return self.subscribers[int(rng.random() * len(self.subscribers))].number
        return self.home.draw(rng, mobile_share)

    def add_subscriber(self, line: Line) -> None:
        self.subscribers.append(line)
        self._by_number[line.number] = line

    def line_of(self, number: str) -> Line | None:
        """The line here that has this number, to call back from it."""
        return self._by_number.get(number)


def call(
    rng: Random,
    town: Town,
    at_ns: int,
    line: Line,
    callee: str,
    how: Answering,
    population: str,
    *,
    label: str = HONEST,
    variant: str = "",
    dialled: str = "",
) -> Call:
    """A call whose end is drawn from how the called side answers."""
    made = Call(
        at_ns,
        line,
        callee,
        dialled or town.dial(callee, rng),
        Outcome.ANSWERED,
        population,
        label=label,
        variant=variant,
        post_dial_delay_s=log_normal(rng, 0.9, 0.6, 0.08, 9.0),
    )
    if line.identity.diverted_ratio and rng.random() < line.identity.diverted_ratio:
        made.diverted_by = town.some_number(rng)
    if how.even:
        made.post_dial_delay_s = _MACHINE_DELAY_S
    if how.fate != "mixed":
        return _ended(made, how, rng)
    luck = rng.random()
    if luck < how.not_found_ratio:
        made.outcome, made.status_code = Outcome.REJECTED, 404
    elif rng.random() < how.answer_ratio:
        _talk(made, how, rng)
        made.caller_hangs_up = rng.random() < 0.55
    else:
        made.outcome, made.status_code = _unanswered(rng)
        if made.status_code in _RINGS_FIRST:
            made.ring_s = log_normal(rng, how.patience_median_s, 0.45, 2.0, 90.0)
    return made


def _talk(made: Call, how: Answering, rng: Random) -> None:
    """How long it rings, and how long it lasts."""
    if how.even:
        made.ring_s, made.talk_s = how.ring_median_s, min(how.talk_median_s, how.talk_limit_s)
    else:
        made.ring_s = log_normal(rng, how.ring_median_s, 0.6, 0.6, 55.0)
        made.talk_s = log_normal(rng, how.talk_median_s, how.talk_sigma, 0.5, how.talk_limit_s)


def _ended(made: Call, how: Answering, rng: Random) -> Call:
    """The call with the fate that all calls of its population have; who is called in vain is not rung for long."""
    if how.fate == "answered":
        _talk(made, how, rng)
        return made
    made.outcome, made.status_code = _FATES[how.fate]
    if made.outcome is Outcome.CANCELLED or made.status_code in (603, 480):
        made.ring_s = how.ring_median_s if how.even else log_normal(rng, how.ring_median_s, 0.5, 0.3, 60.0)
    return made


def _unanswered(rng: Random) -> tuple[Outcome, int]:
    luck = rng.random()
    for share, outcome, status_code in _UNANSWERED:
        luck -= share
        if luck < 0:
            return outcome, status_code
    return Outcome.CANCELLED, 487
