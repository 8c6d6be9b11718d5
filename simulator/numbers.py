"""Telephone numbers: numbering plans to draw real-looking numbers from, and the ways a number is written.

A number is held as its E.164 digits without "+" (ITU-T E.164, at most 15 digits). The prefixes are a sample of each
national plan, chosen so that libphonenumber calls the drawn numbers possible; no number here is known to be anyone's.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

Country = Literal["CN", "DE", "US", "GB", "FR", "AU"]
Zone = Literal["africa", "islands", "caribbean", "europe", "satellite", "premium"]
Ranges = tuple[tuple[str, int], ...]  # (national prefix, digits of the whole national number)

EXTENSION_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """One country's plan: how long its numbers are and what is dialled before a national or a foreign one."""

    country: str
    code: str
    trunk_prefix: str
    international_prefix: str
    mobile: Ranges
    fixed: Ranges

    def draw(self, rng: Random, mobile_share: float = 0.7) -> str:
        """A random number of this country, E.164 digits."""
        return self.code + draw_from(self.mobile if rng.random() < mobile_share else self.fixed, rng)


def _same_length(prefixes: str, digits: int) -> Ranges:
    return tuple((prefix, digits) for prefix in prefixes.split())


_CHINA_MOBILE = "130 131 132 135 136 137 138 139 150 151 152 158 159 166 176 177 182 185 186 187 188 189 191 199"
_CHINA_FIXED = _same_length("106 108 208 218 288 238 258", 10) + _same_length("5718 5918 7318 7558", 11)
_GERMANY_MOBILE = _same_length("1511 1512 1514 1520 1522 1573 1575 1577 1590", 11) + _same_length(
    "160 170 171 172 173 175 176 179", 10
)
_US_MOBILE = "202555 212555 305555 312555 404555 415555 512555 617555 702555 206555"

# Country, code, trunk prefix, international prefix, mobile ranges, fixed ranges.
PLANS = {
    plan.country: plan
    for plan in (
        Plan("CN", "86", "0", "00", _same_length(_CHINA_MOBILE, 11), _CHINA_FIXED),
        Plan("DE", "49", "0", "00", _GERMANY_MOBILE, _same_length("302 303 403 404 692 693 892 893 2219 7112", 10)),
        Plan(
            "US", "1", "", "011", _same_length(_US_MOBILE, 10), _same_length("2122 2132 3122 4152 6172 7132 3032", 10)
        ),
        Plan("GB", "44", "0", "00", _same_length("740 750 771 781 790", 10), _same_length("207 208 121 161 113", 10)),
        Plan("FR", "33", "0", "00", _same_length("61 62 66 75 76", 9), _same_length("142 145 478 491", 9)),
        Plan("AU", "61", "0", "0011", _same_length("40 41 42 43 47", 9), _same_length("28 29 38 39 73 89", 9)),
    )
}

# Destinations that lists of revenue-share fraud name (CFCA, i3forum): (E.164 prefix, digits of the whole number).
HIGH_COST: dict[str, Ranges] = {
    "africa": (("25261", 12), ("23177", 12), ("23222", 11), ("22032", 10), ("23566", 11), ("25768", 11), ("24388", 12)),
    "islands": (("96077", 10), ("67570", 11), ("24760", 8), ("68872", 10), ("67877", 10)),
    "caribbean": (("1876", 11), ("1809", 11), ("1473", 11), ("1268", 11), ("1767", 11)),
    "europe": (("37190", 11), ("37529", 12), ("38651", 11), ("38349", 11), ("35569", 12)),
    "satellite": (("88163", 12), ("88216", 12), ("88234", 12), ("87077", 12)),
    "premium": (("4490", 12), ("49900", 12), ("1900", 11), ("3389", 11)),
}


def draw_from(ranges: Ranges, rng: Random) -> str:
    """A random number of one of the ranges, its prefix first."""
    prefix, digits = ranges[int(rng.random() * len(ranges))]
    missing = digits - len(prefix)
    return prefix + str(int(rng.random() * 10**missing)).zfill(missing)


def draw_abroad(home: Plan, zones: tuple[Zone, ...], zone_ratio: float, rng: Random) -> str:
    """A random number of another country: of one of the expensive zones with `zone_ratio`, of a plan here otherwise."""
    if zones and rng.random() < zone_ratio:
        return draw_from(HIGH_COST[rng.choice(zones)], rng)
    return rng.choice([plan for plan in PLANS.values() if plan.code != home.code]).draw(rng)


RANGE_DIGITS = 6  # in which the numbers of one mobile range differ


def neighbour_of(number: str, digits: int, rng: Random) -> str:
    """A number that differs from another one in its last digits only, so many."""
    return number[:-digits] + f"{rng.randrange(10**digits):0{digits}d}"


def successor(number: str, step: int = 1) -> str:
    """The number `step` further, of the same length: what a war dialler calls next."""
    return str(int(number) + step).zfill(len(number))[-len(number) :]


def written(number: str, form: str, home: Plan) -> str:
    """`number` as a user part: `e164` with "+", `digits` without, `international` with the dialling prefix, or
    `national`: with the trunk prefix when it is of the home country (RFC 3261 19.1.1 leaves this to the dial plan);
    `extension` and `name` are what an exchange of its own calls the line, and no number to anybody else."""
    if form == "e164":
        return "+" + number
    if form == "national" and number.startswith(home.code):
        national = number[len(home.code) :]
        return national if _is_mobile_of_china(national, home) else home.trunk_prefix + national
    if form == "digits":
        return number
    if form == "extension":
        return number[-EXTENSION_DIGITS:]
    if form == "name":
        return f"user{number[-EXTENSION_DIGITS:]}"
    return home.international_prefix + number


def _is_mobile_of_china(national: str, home: Plan) -> bool:
    return home.country == "CN" and len(national) == 11 and national[0] == "1"  # dialled without the 0
