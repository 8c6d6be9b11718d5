"""Who a call says it is from, beside From: the headers that trunks add, keep or strip.

P-Asserted-Identity and Privacy (RFC 3325, RFC 3323), Remote-Party-ID (the draft that came before it, still sent),
Diversion (RFC 5806), History-Info (RFC 7044), Identity with a PASSporT (RFC 8224, RFC 8225, RFC 8588), and the verstat
parameter (3GPP TS 24.229 7.2A.20). A PASSporT has the right syntax and a signature of random bytes: who verifies it
learns that it was not signed.
"""

from __future__ import annotations

import base64
import json
from random import Random
from typing import Any, Literal

import msgspec

from simulator.keys import Ratio
from simulator.rhythm import NS_PER_S

SIGNATURE_BYTES = 64  # ES256 (RFC 7518 3.4)
CERTIFICATE = "https://certificates.example.net/shaken.pem"
ANONYMOUS, ANONYMOUS_HOST = "anonymous", "anonymous.invalid"  # RFC 3323 4.1.1.3
_VERSTAT = {
    "none": "",
    "passed": ";verstat=TN-Validation-Passed",
    "failed": ";verstat=TN-Validation-Failed",
    "missing": ";verstat=No-TN-Validation",
}


class IdentityPolicy(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What a trunk or an access network says of its callers; the keys of a population's `identity` table."""

    asserted: Literal["style", "none", "pai", "rpid", "both"] = "style"  # `style`: as the product does
    attestation: Literal["none", "A", "B", "C"] = "none"  # of the PASSporT (RFC 8588 4), none: no Identity header
    verstat: Literal["none", "passed", "failed", "missing"] = "none"  # what the network before this one found
    ill_signed_ratio: Ratio = 0.0  # exchanges whose numbers fail where others' have passed: signed wrongly, but theirs
    diverted_ratio: Ratio = 0.0  # calls that somebody forwarded to their callee
    diverted_by: Literal["none", "diversion", "history_info", "both"] = "diversion"  # the headers that say so
    diverter_asserted: bool = False  # of a forwarded call the network names who forwarded it, and not who called
    private_ratio: Ratio = 0.0  # callers who hide their number
    presented_ratio: Ratio = 0.0  # exchanges that show a number of a client, and are asserted by their own
    head_abroad_ratio: Ratio = 0.0  # exchanges of which the network asserts the head office, in another country

    def hides(self, number: str) -> bool:
        """Is this one of the callers who hide their number? A property of the number, the same at every call."""
        digits = number[-3:]
        return digits.isdigit() and int(digits) < 1000 * self.private_ratio

    def presents(self, number: str) -> bool:
        """Is the number of an exchange, a block of 1000, that presents a client's?"""
        return _place(number) < self.presented_ratio

    def finding(self, number: str) -> str:
        """What the network before this one found of a number: a key of `_VERSTAT`."""
        ill_signed = self.verstat == "passed" and abs(_place(number) - 0.5) < self.ill_signed_ratio / 2
        return "failed" if ill_signed else self.verstat

    def is_led_from_abroad(self, number: str) -> bool:
        return _place(number) >= 1 - self.head_abroad_ratio


def _place(number: str) -> float:
    """Of a block of 1000 numbers among the others: 0 to 1, by the digits that its numbers share."""
    digits = number[-6:-3]
    return int(digits) / 1000 if digits.isdigit() else 0.5


STYLE_ONLY = IdentityPolicy()  # what the product does by itself


class Claim(msgspec.Struct, frozen=True):
    """One call's claim: digits of E.164 but for `host`, the asserting side's address."""

    shown: str  # what From says
    asserted: str  # what the network says
    callee: str
    diverting: str  # who forwarded it; empty: nobody
    host: str


def fields(claim: Claim, policy: IdentityPolicy, rng: Random, at_ns: int) -> dict[str, str]:
    """The header fields of an INVITE with this claim; an empty P-Asserted-Identity takes away the product's own."""
    found: dict[str, str] = {}
    verstat = _VERSTAT[policy.finding(claim.shown)]
    identity = f"<sip:+{claim.asserted}{verstat}@{claim.host};user=phone>"
    private = policy.hides(claim.shown)
    if policy.asserted in ("pai", "both") or (verstat and policy.asserted != "rpid"):
        found["P-Asserted-Identity"] = identity
    elif policy.asserted != "style":
        found["P-Asserted-Identity"] = ""
    if policy.asserted in ("rpid", "both"):
        privacy = "full" if private else "off"
        found["Remote-Party-ID"] = f"{identity};party=calling;screen=yes;privacy={privacy}"
    if private:
        found["Privacy"] = "id"
    if claim.diverting:
        found |= _diversion(claim, policy)
    if policy.attestation != "none":
        token = passport(claim.shown, claim.callee, policy.attestation, rng, at_ns)
        found["Identity"] = f"{token};info=<{CERTIFICATE}>;alg=ES256;ppt=shaken"
    return found


def _diversion(claim: Claim, policy: IdentityPolicy) -> dict[str, str]:
    by = f"sip:+{claim.diverting}@{claim.host}"
    found = {}
    if policy.diverted_by in ("diversion", "both"):
        found["Diversion"] = f"<{by}>;reason=no-answer;counter=1;privacy=off"
    if policy.diverted_by in ("history_info", "both"):
        found["History-Info"] = (
            f"<{by}?Reason=SIP%3Bcause%3D408>;index=1,<sip:+{claim.callee}@{claim.host};cause=408>;index=1.1;mp=1"
        )
    return found


def passport(shown: str, callee: str, attestation: str, rng: Random, at_ns: int) -> str:
    """A SHAKEN PASSporT in compact JWS form (RFC 8225 6, RFC 8588), its signature random."""
    header = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": CERTIFICATE}
    bits = f"{rng.getrandbits(128):032x}"
    claims = {
        "attest": attestation,
        "dest": {"tn": [callee]},
        "iat": at_ns // NS_PER_S,
        "orig": {"tn": shown},
        "origid": f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}",
    }
    return f"{_json(header)}.{_json(claims)}.{_base64url(rng.randbytes(SIGNATURE_BYTES))}"


def _json(value: dict[str, Any]) -> str:
    """Lexicographic order and no white space (RFC 8225 9)."""
    return _base64url(json.dumps(value, separators=(",", ":"), sort_keys=True).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
