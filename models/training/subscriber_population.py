"""Simulated subscribers: the calls of honest lines and of fraud, and their voice statistics.

The populations and their ranges are in subscribers.toml. The same seed gives the same subscribers.
"""

import tomllib
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from kernels.reference_subscriber import COLUMNS, DAY_S, HOUR_S, statistics
from models.training.regimes import drawn

POPULATIONS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("subscribers.toml").read_text())

MOST_CALLS = 8000  # of one subscriber: its statistics hardly change beyond
FIRST_DAY = 20_454  # 2026-01-01, days since the Unix epoch
SHORTEST_S, LONGEST_S = 1.0, 14400.0


class Calls(NamedTuple):
    """Calls of one subscriber, in no order."""

    counterpart: np.ndarray  # int64 [n]
    outgoing: np.ndarray  # bool [n]
    duration_s: np.ndarray  # float64 [n], whole seconds
    time_s: np.ndarray  # int64 [n], local time since the Unix epoch


def simulate(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`count` honest subscribers and as many of fraud: (statistics float64 [2 count, len(COLUMNS)], fraud bool
    [2 count], population str [2 count])."""
    chooser, rng = Random(seed), np.random.default_rng(seed)
    table, fraud, names = [], [], []
    for side in ("honest", "fraud"):
        parts = POPULATIONS[side]
        for part in chooser.choices(parts, [one["weight"] for one in parts], k=count):
            table.append(statistics(*calls_of(drawn_habits(part, chooser.getrandbits(32)), rng)))
            fraud.append(side == "fraud")
            names.append(part["name"])
    return np.array(table).reshape(-1, len(COLUMNS)), np.array(fraud), np.array(names)


def drawn_habits(part: dict[str, Any], seed: int) -> dict[str, Any]:
    """What one subscriber of a population is like."""
    rng = Random(seed)
    return {key: drawn(value, rng) for key, value in (POPULATIONS["shared"] | part).items()}


def calls_of(habits: dict[str, Any], rng: np.random.Generator) -> Calls:
    """The calls of a subscriber with these habits; at least one."""
    days = active_days(habits, rng)
    life = (habits["hours_first"], habits["hours_last"])
    work = (habits["work_first"], habits["work_last"])
    # A spell of work somewhere in the time that the line was seen.
    spell = max(1, round(habits["work_span"] * len(days)))
    start = int(rng.integers(len(days) - spell + 1))
    parts = [
        contact_calls(habits, rng, days, life),
        work_calls(habits, rng, days[start : start + spell], work),
        stranger_calls(habits, rng, days, life),
    ]
    calls = Calls(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    if not len(calls.time_s):
        return contact_calls(habits | {"contact_calls": 0.0}, rng, days[:1], life, least=1)
    chosen = rng.permutation(len(calls.time_s))[:MOST_CALLS]
    return Calls(*(column[chosen] for column in calls))


def active_days(habits: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """The days on which the line may be used."""
    days = FIRST_DAY + int(rng.integers(365)) + np.arange(max(1, round(habits["days"])))
    active = days[rng.random(len(days)) < habits["active_ratio"]]
    return active if len(active) else days[:1]


def times(rng: np.random.Generator, days: np.ndarray, hours: tuple[int, int], count: int) -> np.ndarray:
    """Local times of `count` calls: days of unequal weight, hours with a hump in the morning and one later."""
    weight = rng.gamma(2.0, size=len(days))
    first, last = hours
    hump = np.where(rng.random(count) < 0.5, rng.beta(2.5, 4, count), rng.beta(4, 2.5, count))
    second = ((first + hump * (last + 1 - first)) * HOUR_S).astype(np.int64)
    return rng.choice(days, count, p=weight / weight.sum()) * DAY_S + second


def durations(rng: np.random.Generator, median_s: np.ndarray | float, spread: float, count: int) -> np.ndarray:
    return np.clip(np.round(rng.lognormal(np.log(median_s), spread, count)), SHORTEST_S, LONGEST_S)


def contact_calls(habits, rng, days, hours, least=0) -> Calls:
    count = min(max(least, int(rng.poisson(habits["contact_calls"] * len(days)))), MOST_CALLS)
    contacts = habits["contacts"]
    share = np.arange(1, contacts + 1) ** -float(habits["contact_skew"])
    contact = rng.choice(contacts, count, p=share / share.sum())
    # With some one talks longer than with others.
    median_s = habits["contact_talk_s"] * rng.lognormal(0, 0.4, contacts)
    return Calls(
        contact,
        rng.random(count) < habits["contact_outgoing"],
        durations(rng, median_s[contact], habits["talk_spread"], count),
        times(rng, days, hours, count),
    )


def work_calls(habits, rng, days, hours) -> Calls:
    """Calls to strangers, some of them called again, some calling back within the day."""
    wanted = min(int(rng.poisson(habits["work_calls"] * len(days))), MOST_CALLS)
    # Each stranger is called 1 / (1 - repeats) times on average.
    strangers = round(wanted * (1 - habits["work_repeats"]))
    attempts = rng.geometric(1 - habits["work_repeats"], strangers)
    back = rng.random(strangers) < habits["work_callbacks"]
    stranger = np.concatenate([np.repeat(np.arange(strangers), attempts), np.flatnonzero(back)])
    outgoing = np.arange(len(stranger)) < attempts.sum()
    duration_s = durations(rng, habits["work_talk_s"], habits["work_spread"], len(stranger))
    caught = rng.random(len(stranger)) < habits["caught_ratio"]
    duration_s[caught] = durations(rng, habits["caught_talk_s"], 0.6, int(caught.sum()))
    first_s = times(rng, days, hours, strangers)
    later_s = rng.exponential(3 * HOUR_S, len(stranger)).astype(np.int64)
    return Calls(1_000_000 + stranger, outgoing, duration_s, first_s[stranger] + later_s)


def stranger_calls(habits, rng, days, hours) -> Calls:
    count = min(int(rng.poisson(habits["stranger_calls"] * len(days))), MOST_CALLS)
    return Calls(
        2_000_000_000 + np.arange(count),
        np.zeros(count, bool),
        durations(rng, habits["work_talk_s"], habits["work_spread"], count),
        times(rng, days, hours, count),
    )
