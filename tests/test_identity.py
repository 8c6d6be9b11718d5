"""Who an INVITE says is calling: against plain twins, and message by message."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import reference_signalling as twin
from kernels.identity import attestation, identity, is_same_number

USERS = st.one_of(
    st.text("0123456789", max_size=18),
    st.tuples(st.sampled_from(["+49", "0049", "0", "49", ""]), st.sampled_from(["3012345678", "3012345679", "12"])).map(
        "".join
    ),
    st.sampled_from(["alice", "+49-30-12345678", "03012345678;phone-context=+49", ""]),
)
CLAIMS = st.dictionaries(
    st.sampled_from(["attest", "dest", "orig", "origid", "iat"]),
    st.one_of(st.sampled_from(["A", "B", "C", "D", "AA", ""]), st.integers(0, 2**31)),
)


def passport(claims):
    """An Identity value whose signature is nothing: only claims are read."""
    return (
        ".".join(encoded(part) for part in ({"alg": "ES256", "ppt": "shaken"}, claims, "signature"))
        + ";info=<https://x>"
    )


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def invite(*fields, caller="<sip:+493012345678@example.org>"):
    lines = ["INVITE sip:200@192.0.2.1 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx", f"From: {caller};tag=a",
             "To: <sip:200@192.0.2.1>", "Call-ID: 1", "CSeq: 1 INVITE", *fields]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def asserted(*fields, **more):
    return identity(invite(*fields, **more))["asserted"]


@given(USERS, USERS)
def test_two_numbers_are_one_when_the_twin_says_so(a, b):
    assert is_same_number(a.encode(), b.encode()) == twin.is_same_number(a, b) == is_same_number(b.encode(), a.encode())


def test_a_number_is_the_same_with_and_without_its_country_code():
    assert asserted("P-Asserted-Identity: <sip:03012345678@example.net>") == "same"
    assert asserted("P-Asserted-Identity: <tel:004930-12345678>") == "same"
    assert asserted("P-Asserted-Identity: <tel:+493012355678>") == "other"


def test_an_exchange_may_assert_its_main_number_for_all_of_its_block():
    assert asserted("P-Asserted-Identity: <tel:+493012340000>") == "same"
    assert asserted("Remote-Party-ID: <sip:03012340000@example.net>;party=calling") == "same"
    assert asserted("P-Asserted-Identity: <tel:+493012340000>", caller="<sip:100@x>") == "other"


def abroad(asserted_as: str, *fields: str, caller: str = "+442079460001", callee: str = "+442079460999") -> bool:
    """Whether an asserted number is that of another country, in a call that is read in Britain."""
    message = invite(f"P-Asserted-Identity: <tel:{asserted_as}>", *fields, caller=f"<sip:{caller}@example.org>")
    return identity(message.replace(b"sip:200@", f"sip:{callee}@".encode()), "GB")["asserted"] == "abroad"


def test_a_number_of_neither_the_shown_country_nor_the_callees_is_asserted_abroad():
    assert abroad("+923001234567")
    assert abroad("00923001234567")
    assert not abroad("+442079990000")
    assert not abroad("02079990000")
    assert not abroad("555")


def test_who_lets_a_call_from_abroad_be_answered_elsewhere_in_the_callees_country_is_not_asserted_abroad():
    assert not abroad("+442079990000", caller="+923001234567")
    assert abroad("+493012345678", caller="+923001234567")


def test_a_forwarded_call_may_be_asserted_by_a_number_anywhere():
    assert not abroad("+923001234567", "Diversion: <sip:+442079990000@x>;reason=no-answer")


def test_a_number_that_is_none_has_no_country_but_its_callee_has():
    assert abroad("+923001234567", caller="100")
    assert not abroad("+923001234567", caller="100", callee="200")


def test_one_asserted_number_of_the_country_is_enough_not_to_be_abroad():
    assert not abroad("+923001234567", "P-Asserted-Identity: <tel:+442079990000>")


def test_two_numbers_of_one_block_abroad_are_one_head_office():
    blocks = {identity(invite(f"P-Asserted-Identity: <tel:+4420794{n}>"))["asserted_block"] for n in (61000, 62999)}
    assert len(blocks) == 1 and blocks != {0}
    assert identity(invite("P-Asserted-Identity: <tel:+442079471000>"))["asserted_block"] not in blocks
    assert identity(invite("P-Asserted-Identity: <tel:+493099999999>"))["asserted_block"] == 0


def test_one_of_two_asserted_identities_is_enough():
    fields = ("P-Asserted-Identity: <sip:main@example.net>", "P-Asserted-Identity: <tel:+493012345678>")
    assert asserted(*fields) == "same"
    assert asserted(fields[0]) == "other"


def test_remote_party_id_counts_where_nothing_is_asserted():
    assert asserted("Remote-Party-ID: <sip:555@example.net>;party=calling") == "other"
    assert asserted("Remote-Party-ID: <sip:555@x>", "P-Asserted-Identity: <tel:+493012345678>") == "same"
    assert asserted() == "none"


@pytest.mark.parametrize(
    "caller", ['"Anonymous" <sip:anonymous@anonymous.invalid>', "<sip:example.org>", "<sip:Restricted@x>"]
)
def test_a_withheld_number_differs_from_none(caller):
    assert asserted("P-Asserted-Identity: <tel:+493012345678>", caller=caller) == "withheld"


@given(CLAIMS)
def test_the_attestation_is_that_of_the_twin(claims):
    value = passport(claims)
    assert attestation(value.encode()) == twin.attestation(value)


@given(st.binary(max_size=60))
def test_no_bytes_are_an_attestation_by_chance(value):
    assert attestation(value) == "unreadable"


def test_a_payload_longer_than_the_bound_is_read_as_far_as_it_goes():
    assert attestation(passport({"attest": "A", "origid": "x" * 5000}).encode()) == "A"
    assert attestation(passport({"origid": "x" * 5000, "attest": "A"}).encode()) == "unreadable"


def test_of_several_passports_the_first_with_an_attestation_counts():
    fields = ("Identity: " + passport({"ppt": "div"}), "Identity: " + passport({"attest": "B"}))
    assert identity(invite(*fields))["attestation"] == "B"
    assert identity(invite())["attestation"] == "none"


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (";verstat=TN-Validation-Passed", "passed"), (";cpc=ordinary;verstat=TN-Validation-Failed", "failed"),
        (";verstat=No-TN-Validation", "not made"), (";verstat=TN-Validation-Passed-A", "passed"), ("", "none"),
        (";verstat=TN", "none"),
    ],
)  # fmt: skip
def test_a_verification_status_is_read_from_either_address(parameter, expected):
    address = f"<sip:+493012345678{parameter}@example.org;user=phone>"
    assert identity(invite(caller=address))["verstat"] == expected
    assert identity(invite(f"P-Asserted-Identity: {address}"))["verstat"] == expected


def test_a_forwarded_call_has_a_diversion_or_a_second_entry_of_history():
    one, two = "<sip:a@x>;index=1", '"b, c" <sip:b@x>;index=1.1'
    for fields, forwarded in (
        ([], False),
        ([f"History-Info: {one}"], False),
        ([f"History-Info: {two}"], False),
        ([f"History-Info: {one}, {two}"], True),
        ([f"History-Info: {one}", f"History-Info: {two}"], True),
        (["Diversion: <sip:a@x>;reason=no-answer"], True),
    ):
        assert identity(invite(*fields))["diverted"] == forwarded, fields


def test_privacy_is_asked_for_unless_none_is():
    assert [identity(invite(f"Privacy: {value}"))["privacy"] for value in ("id", "header;user", "none", "None")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not identity(invite())["privacy"]
