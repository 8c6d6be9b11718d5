"""What the simulator draws from: daily curves, machines' beats, numbering plans, products, and the two regimes."""

import math
from collections import Counter
from itertools import pairwise
from random import Random
from typing import get_args

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.identity import IdentityPolicy
from simulator.numbers import HIGH_COST, PLANS, successor, written
from simulator.rhythm import CURVES, NS_PER_S, arrivals, machine_arrivals
from simulator.scenario import SHIPPED, Capture, Media, Network, Population, Scenario, load
from simulator.simulation import Play
from simulator.vendors import STYLES, pool


def test_the_day_has_more_calls_of_firms_than_the_night():
    rng, day = Random(1), 24 * 3600 * NS_PER_S
    hours = Counter(at_ns // (3600 * NS_PER_S) for at_ns in arrivals(rng, 0, day, 200.0, "business", 0.0))
    assert sum(hours.values()) == pytest.approx(24 * 200, rel=0.05)
    assert hours[10] > 20 * hours[3]
    shifted = Counter(at_ns // (3600 * NS_PER_S) for at_ns in arrivals(rng, 0, day, 200.0, "business", 8.0))
    assert shifted[2] > 20 * shifted[19]  # 10:00 and 03:00 eight hours further east


def test_every_curve_has_a_mean_of_one():
    assert all(sum(curve) == pytest.approx(24.0) for curve in CURVES.values())


@pytest.mark.parametrize("cadence", ["steady", "poisson", "bursty"])
def test_a_machine_keeps_its_rate_at_every_cadence(cadence: str):
    gaps = [b - a for a, b in pairwise(machine_arrivals(Random(2), 0, 20 * 3600 * NS_PER_S, 600.0, cadence))]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) / mean
    assert mean == pytest.approx(6 * NS_PER_S, rel=0.06)
    low, high = {"steady": (0.0, 0.1), "poisson": (0.9, 1.1), "bursty": (1.5, 6.0)}[cadence]
    assert low < spread < high


@given(st.sampled_from(sorted(PLANS)), st.integers(0, 2**32))
def test_drawn_numbers_are_possible_numbers_of_their_country(country: str, seed: int):
    number = PLANS[country].draw(Random(seed))
    parsed = phonenumbers.parse("+" + number)
    assert phonenumbers.is_possible_number(parsed)
    assert country in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[parsed.country_code]
    for form in ("national", "international", "e164"):
        text = written(number, form, PLANS[country])
        assert (
            phonenumbers.format_number(phonenumbers.parse(text, country), phonenumbers.PhoneNumberFormat.E164)
            == "+" + number
        )


def test_expensive_ranges_are_possible_numbers():
    for ranges in HIGH_COST.values():
        for prefix, digits in ranges:
            assert phonenumbers.is_possible_number(phonenumbers.parse("+" + prefix.ljust(digits, "5")))


@given(st.integers(0, 10**11), st.integers(0, 1000))
def test_a_successor_has_as_many_digits(value: int, step: int):
    number = str(value).zfill(12)
    assert len(successor(number, step)) == 12
    assert int(successor(number, step)) == value + step


@pytest.mark.parametrize("role", ["phone", "pbx", "gateway", "carrier", "scanner", "sim_gateway"])
def test_teaching_and_judging_each_have_products_the_other_has_not(role: str):
    train, judge = ({style.name for style in pool(role, regime)} for regime in ("train", "eval"))
    assert train - judge
    assert judge - train


@pytest.mark.parametrize("regime", ["train", "eval"])
def test_the_shipped_scenarios_of_a_regime_show_its_products_only(regime: str):
    allowed = {style.name for style in STYLES.values() if regime in style.regimes}
    for path in SHIPPED.glob(f"{regime}_*.toml"):
        scenario = load(path)
        assert scenario.regime == regime
        play = Play(scenario, seed=1)
        used = {intent.line.style.name for intent in play.intents} | {play.dialogue.server.style.name}
        assert used <= allowed


def test_judging_has_fraud_variants_seeds_and_countries_that_teaching_has_not():
    def known(regime: str) -> tuple[set, set]:
        scenarios = [load(path) for path in SHIPPED.glob(f"{regime}_*.toml")]
        variants = {
            population.variant
            for one in scenarios
            for population in one.population
            if getattr(population, "variant", "")
        }
        return variants, {one.seed for one in scenarios}

    (taught, train_seeds), (judged, eval_seeds) = known("train"), known("eval")
    assert {"slow_rotating", "neighbour", "mimicry", "low_concurrency", "all_401"} <= judged - taught
    assert not train_seeds & eval_seeds


def test_every_key_of_a_scenario_is_documented():
    text = (SHIPPED.parent.parent / "docs" / "SIMULATOR.md").read_text()
    structs = [Scenario, Network, Capture, Media, IdentityPolicy, *get_args(Population)]
    keys = {field for struct in structs for field in struct.__struct_fields__} - {
        "network",
        "capture",
        "media",
        "population",
    }
    kinds = {struct.__struct_config__.tag for struct in get_args(Population)}
    assert {key for key in keys | kinds if f"`{key}`" not in text} == set()
