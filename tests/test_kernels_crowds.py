"""Crowds and bindings against their twins, what a table of fixed size forgets, and the host of a Contact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import crowds, reference, reference_groups
from kernels.bindings import MEMORY_S, Bindings
from kernels.contact import contact_hash
from kernels.crowds import CROWD_BYTES, Crowds

SECOND = 10**9
START = 1_700_000_000 * SECOND
HASHES = np.random.default_rng(5).integers(1, 2**64, 40, dtype=np.uint64)
NOTES = st.lists(st.tuples(st.integers(0, 3), st.integers(4, 39), st.integers(0, 20_000)), max_size=60)


def notes(steps):
    keys = np.array([HASHES[a] for a, *_ in steps], np.uint64)
    members = np.array([HASHES[b] for _, b, _ in steps], np.uint64)
    return keys, members, START + np.cumsum(np.array([s * SECOND for *_, s in steps], np.int64))


@settings(max_examples=50)
@given(NOTES)
def test_crowds_are_those_of_the_twin(steps):
    want = reference_groups.crowd_counts(*notes(steps), reference.distinct_count, reference.HALF_DAY_NS)
    np.testing.assert_allclose(Crowds(4096).note(*notes(steps)), want, rtol=1e-5)


def test_a_full_set_gives_up_what_was_seen_least():
    table = Crowds(1)  # one set
    often = np.repeat(HASHES[:1], 9), HASHES[10:19], START + np.arange(9) * SECOND
    assert table.note(*often)[-1] > 7
    flood = HASHES[20:36], HASHES[20:36], START + 20 * SECOND + np.arange(16)
    assert (table.note(*flood) < 1.5).all()
    assert table.note(HASHES[:1], HASHES[10:11], np.array([START + 60 * SECOND]))[0] > 7


def test_what_a_crowd_costs_is_documented():
    assert CROWD_BYTES == 96
    assert crowds.SET == 4


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="one length"):
        Crowds(4).note(HASHES[:2], HASHES[:1], np.array([START]))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(4, 6), st.integers(0, 5000)), max_size=40))
def test_bindings_are_those_of_the_twin(steps):
    table, twin, now = Bindings(), reference_groups.Bindings(), START
    for registers, *at, wait_s in steps:
        now += wait_s * SECOND
        user, address = (int(HASHES[i]) for i in at)
        assert table.find(user, address, now) == twin.find(user, address, now)
        if registers:
            table.note(user, address, now)
            twin.note(user, address, now)


def test_a_full_set_gives_up_the_binding_that_is_oldest():
    table = Bindings(1)
    for i in range(5):
        table.note(int(HASHES[i]), int(HASHES[9]), START + i * SECOND)
    found = [table.find(int(HASHES[i]), int(HASHES[9]), START + 9 * SECOND) for i in range(5)]
    assert found == ["unknown", "here", "here", "here", "here"]


def test_a_registration_is_remembered_for_two_hours():
    assert MEMORY_S == 7200


@pytest.mark.parametrize(
    "contact",
    [
        "<sip:a@192.0.2.7:5060;transport=udp>",
        "sip:b@192.0.2.7;expires=60",
        '"x" <sips:192.0.2.7>;q=1',
        "<sip:c@192.0.2.7>",
    ],
)
def test_the_host_of_a_contact_is_what_counts(contact):
    def hashed(line):
        lines = ["INVITE sip:1@a SIP/2.0", "Via: SIP/2.0/UDP a;branch=z9hG4bK1", "From: <sip:1@a>;tag=1",
                 "To: <sip:2@a>", "Call-ID: 1", "CSeq: 1 INVITE", *line, "Content-Length: 0"]  # fmt: skip
        return contact_hash(("\r\n".join(lines) + "\r\n\r\n").encode())

    assert hashed([f"Contact: {contact}"]) == hashed(["m: <sip:other@192.0.2.7>"]) != 0
    assert hashed([f"Contact: {contact}"]) != hashed(["Contact: <sip:a@192.0.2.8>"])
    assert hashed([]) == hashed(["Contact: *"]) == 0
