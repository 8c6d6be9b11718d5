"""Whose numbers are shown under the number that a network asserts: an account, or an exchange's main number."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.identity import identity
from kernels.reference_groups import Accounts
from kernels.reference_signalling import block
from tests.tap import Tap, request
from tests.test_goip import engine_rows
from tests.test_identity import USERS, invite

MAIN = "+493055550000"
CALLEES = [f"+4420794{k:05d}" for k in range(0, 90_000, 1700)]
STRANGERS = [f"+49172{k:07d}" for k in range(0, 9_000_000, 170_000)]
COUNTED = ("asserted_blocks_day", "shown_accounts_day")


def rows(*calls: tuple[str, str, str], source: str = "192.0.2.10", extra: tuple[str, ...] = ()) -> list[dict]:
    """Of calls (asserted, shown, callee), a second apart."""
    tap = Tap()
    for k, (asserted, shown, callee) in enumerate(calls):
        told = [f"P-Asserted-Identity: <sip:{asserted}@example.net>"] * bool(asserted)
        message = request("INVITE", call_id=f"c{k}", caller=shown, callee=callee, extra=[*told, *extra])
        tap.send(message, (source.split()[k % len(source.split())], 5060), after=1.0)
    with TemporaryDirectory() as folder:
        return engine_rows(tap, Path(folder))


def last(*calls, **more) -> tuple[float, float]:
    row = rows(*calls, **more)[-1]
    return tuple(round(row[name]) for name in COUNTED)


@given(USERS, USERS)
def test_numbers_are_of_one_block_when_the_twin_says_so(one, other):
    def blocks(user):
        found = identity(invite(f"P-Asserted-Identity: <sip:{user}@x>", caller="<sip:+33142685300@x>"))
        return found["account"]

    if one and other and "33142685300" not in (one, other) and blocks(one) and blocks(other):
        assert (blocks(one) == blocks(other)) == (block(one, 2) == block(other, 2))


FEW = st.tuples(st.sampled_from([MAIN, "+493055550099", "+493055550100"]), st.sampled_from(STRANGERS[:5]),
                st.sampled_from(CALLEES[:5]))  # fmt: skip


@settings(max_examples=30)
@given(st.lists(FEW, min_size=1, max_size=25))
def test_rows_are_those_of_the_twin(calls):
    twin = Accounts()
    want = [list(twin.row("", *call).values()) for call in calls]
    np.testing.assert_allclose([[row[name] for name in COUNTED] for row in rows(*calls)], want, atol=0.5)


def test_an_account_that_shows_another_number_at_each_call_is_counted_by_them():
    shown = last(*((MAIN, shown, callee) for shown, callee in zip(STRANGERS, CALLEES, strict=True)))
    assert shown[0] == pytest.approx(len(STRANGERS), rel=0.3)
    assert shown[1] == 1


def test_the_accounts_of_a_number_are_counted_and_their_neighbours_are_one():
    asserted = [f"+49305{k:07d}" for k in range(0, 200_000, 10_000)]
    assert last(*((one, STRANGERS[0], callee) for one, callee in zip(asserted, CALLEES, strict=False)))[1] > 14
    block_of_one = [f"+4930555500{k:02d}" for k in range(20)]
    assert last(*((one, STRANGERS[0], callee) for one, callee in zip(block_of_one, CALLEES, strict=False)))[1] == 1


def test_extensions_and_names_under_one_main_number_are_one():
    assert last(*((MAIN, str(200 + k), callee) for k, callee in enumerate(CALLEES)))[0] == 1
    assert last(*((MAIN, f"agent{k}", callee) for k, callee in enumerate(CALLEES)))[0] == 1


def test_who_has_his_calls_come_to_another_telephone_is_no_spoofer_whoever_calls_him():
    assert last(*((MAIN, shown, CALLEES[0]) for shown in STRANGERS)) == (1, 1)


def test_calls_that_say_they_were_forwarded_and_numbers_that_are_not_shown_count_for_nothing():
    diverted = ("Diversion: <tel:+493055550000>;reason=no-answer",)
    forwarded = rows((MAIN, STRANGERS[0], CALLEES[0]), extra=diverted)[0]
    assert all(np.isnan(forwarded[name]) for name in COUNTED)
    assert np.isnan(rows((MAIN, "anonymous", CALLEES[0]))[0]["asserted_blocks_day"])
    assert np.isnan(rows(("", STRANGERS[0], CALLEES[0]))[0]["asserted_blocks_day"])
    assert np.isnan(rows(("+491720000007", STRANGERS[0], CALLEES[0]))[0]["asserted_blocks_day"])  # its own block


def test_what_another_address_asserts_is_not_held_against_the_number():
    calls = [(MAIN, shown, callee) for shown, callee in zip(STRANGERS, CALLEES, strict=True)]
    other = rows(*calls[:20], (MAIN, STRANGERS[40], CALLEES[40]), source=" ".join(["192.0.2.10"] * 20 + ["192.0.2.11"]))
    assert round(other[19]["asserted_blocks_day"]) > 15
    assert round(other[20]["asserted_blocks_day"]) == 1
