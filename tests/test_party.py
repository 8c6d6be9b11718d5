"""What lists can name, and whom the allow list covers."""

import pytest

from appliance.allow_list import AllowList
from appliance.errors import PartyError
from appliance.party import Party, is_emergency
from appliance.store_lists import ListEntry


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("+44 20 7946-0123", "number", "+442079460123"),
        ("0044 (20) 79460123", "number", "+442079460123"),
        ("1234", "number", "1234"),
        ("alice", "number", "alice"),
        ("+44 20*", "range", "+4420*"),
        ("192.0.2.7", "source", "192.0.2.7"),
        ("192.0.2.7/32", "source", "192.0.2.7"),
        ("192.0.2.77/24", "network", "192.0.2.0/24"),
        ("2001:DB8::0:1", "source", "2001:db8::1"),
        ("2001:db8::/32", "network", "2001:db8::/32"),
    ],
)
def test_every_spelling_of_a_party_is_the_same_entry(text: str, kind: str, value: str) -> None:
    assert Party.read(f" {text} ") == Party(kind, value)


@pytest.mark.parametrize(
    "text", ["", "a b", "+4*", "1*", "*", "+44207946012345*", "0.0.0.0/0", "::/0", "x" * 64, "\x1b[2J"]
)
def test_what_names_nobody_or_everybody_is_refused(text: str) -> None:
    with pytest.raises(PartyError):
        Party.read(text)


@pytest.mark.parametrize(
    ("number", "region", "expected"),
    [
        ("112", None, True), ("112", "JP", True), ("911", "GB", True), ("999", "GB", True), ("999", "DE", False),
        ("110", "DE", True), ("110", None, True), ("+44999", "DE", True), ("+49110", None, True), ("000", "AU", True),
        ("+442079460123", "GB", False), ("1234", "GB", False), ("alice", "GB", False),
    ],
)  # fmt: skip
def test_emergency_numbers_are_known_by_country(number: str, region: str | None, expected: bool) -> None:
    assert (Party("number", number).why_never_denied(region) is not None) == expected
    assert number == "alice" or is_emergency(number, region) == expected


def allowing(*values: str, expires_ns="never") -> AllowList:
    return AllowList(
        ListEntry(list="allow", value=value, added_by="root", added_ns=1, why=value, expires_ns=expires_ns)
        for value in values
    )


@pytest.mark.parametrize(
    ("value", "source", "number"),
    [
        ("+442079460123", None, "+442079460123"),
        ("+442079460123", None, "00442079460123"),
        ("+4420*", None, "+442079460123"),
        ("alice", None, "Alice"),
        ("192.0.2.7", "192.0.2.7", None),
        ("192.0.2.0/24", "192.0.2.200", None),
        ("2001:db8::/32", "2001:db8::5", None),
    ],
)
def test_who_is_on_the_list_is_covered(value: str, source: str | None, number: str | None) -> None:
    covering = allowing("+331*", value).covers(5, source=source, numbers=[None, number])
    assert covering is not None
    assert covering.why == value


@pytest.mark.parametrize(
    ("value", "source", "number"),
    [
        ("+442079460123", "192.0.2.7", "+442079460124"),
        ("+4420*", None, "+4421"),
        ("192.0.2.7", "192.0.2.70", None),
        ("192.0.2.0/24", "192.0.3.1", None),
        ("192.0.2.0/24", "2001:db8::5", None),
    ],
)
def test_who_is_near_an_entry_is_not_covered(value: str, source: str | None, number: str | None) -> None:
    assert allowing(value).covers(5, source=source, numbers=[number]) is None


def test_an_entry_that_has_expired_covers_nobody() -> None:
    allowed = allowing("+442079460123", "192.0.2.0/24", expires_ns=10)
    assert allowed.covers(9, source="192.0.2.1", numbers=[]) is not None
    assert allowed.covers(10, source="192.0.2.1", numbers=["+442079460123"]) is None
