"""Destination ranges against a plain longest match, and against libphonenumber's plans."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType

from kernels import destination, reference
from simulator.numbers import HIGH_COST as SIMULATED

ORDINARY, HIGH_COST, SATELLITE, PREMIUM = range(4)
CLASSES = (
    dict.fromkeys(destination.HIGH_COST, HIGH_COST)
    | dict.fromkeys(destination.SATELLITE, SATELLITE)
    | dict.fromkeys(destination.PREMIUM, PREMIUM)
)


def price(number, caller=""):
    return destination.destinations([number.encode()], [caller.encode()])[0][0]


def country(number):
    return destination.destinations([number.encode()])[1][0]


def example(region, kind):
    found = phonenumbers.example_number_for_type(region, kind)
    return found and f"{found.country_code}{phonenumbers.national_significant_number(found)}"


def starts():
    return st.one_of(st.just(""), st.sampled_from(sorted(CLASSES)))


@given(starts(), st.text("0123456789", max_size=15))
def test_the_class_is_that_of_the_longest_matching_range(start, rest):
    number = (start + rest)[:15]
    assert price(number) == CLASSES.get(reference.longest_prefix(number, CLASSES), ORDINARY)


def test_no_range_stands_in_two_classes():
    assert len(CLASSES) == len(destination.HIGH_COST) + len(destination.SATELLITE) + len(destination.PREMIUM)


def test_premium_rate_numbers_of_the_plans_that_the_table_knows_are_premium():
    known = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        code = str(phonenumbers.country_code_for_region(region))
        number = example(region, PhoneNumberType.PREMIUM_RATE)
        if number and any(prefix.startswith(code) for prefix in destination.PREMIUM):
            known += 1
            assert price(number) == PREMIUM, (region, number)
    assert known > 100


def test_no_plain_number_of_any_country_is_premium_or_satellite():
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE):
            number = example(region, kind)
            assert number is None or price(number) in (ORDINARY, HIGH_COST), (region, number)


@pytest.mark.parametrize("prefix", ["870", "881", "882", "883"])
def test_networks_without_a_country_are_satellite_or_international(prefix):
    assert price(prefix + "16123456") == SATELLITE


def test_international_premium_rate_is_premium():
    assert price("979123456789") == PREMIUM


def test_what_the_simulated_thieves_call_is_expensive():
    for ranges in SIMULATED.values():
        for prefix, digits in ranges:
            assert price(prefix.ljust(digits, "5")) != ORDINARY, prefix


@pytest.mark.parametrize("number", ["37491123456", "998901234567", "38641123456", "16845551234", "211912345678"])
def test_neighbours_of_expensive_countries_that_are_as_expensive_are_not_left_out(number):
    assert price(number) == HIGH_COST


def test_an_expensive_country_is_ordinary_to_those_who_live_there():
    assert price("37120123456") == HIGH_COST
    assert price("37120123456", caller="442071234567") == HIGH_COST
    assert price("37120123456", caller="37120654321") == ORDINARY
    assert price("37190123456", caller="37120654321") == PREMIUM


def test_an_island_of_the_north_american_plan_is_another_country():
    assert price("18765551234", caller="12125551234") == HIGH_COST
    assert price("18765551234", caller="18765554321") == ORDINARY
    assert country("18765551234") == 1876
    assert country("12125551234") == country("14165551234") == 1


def test_kazakhstan_is_not_russia():
    assert country("77012345678") == 77
    assert country("79161234567") == 7


def test_countries_are_those_of_libphonenumber():
    for region in phonenumbers.SUPPORTED_REGIONS:
        found = phonenumbers.example_number(region)
        if found.country_code not in (1, 7):
            assert country(example(region, PhoneNumberType.FIXED_LINE) or str(found.country_code)) == found.country_code


def test_what_is_no_number_is_ordinary_and_without_a_country():
    for text in ("", "0", "anonymous", "+371", "\0" * 3):
        assert (price(text), country(text)) == (ORDINARY, 0)


def test_numbers_that_are_too_long_are_refused():
    with pytest.raises(ValueError, match="at most 15"):
        destination.destinations([b"3" * 16])
    with pytest.raises(ValueError, match="one length"):
        destination.destinations([b"37"], [])
