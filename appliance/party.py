"""What a list can name: a number, a range of numbers, a source address, or a network of them."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from appliance.errors import PartyError

Kind = Literal["number", "range", "source", "network"]

# What people put between the digits of a number.
SEPARATORS = re.compile(r"[\s()./-]")
# A user part of a SIP URI as lists take it: without what needs escapes (RFC 3261 25.1), and no longer than is kept.
USER = re.compile(r"[A-Za-z0-9_.!~'()&=+$,/?#%:*-]{1,63}")
# Of longer ones there would be so few numbers that the range tells whose they are.
RANGE = re.compile(r"\+[1-9][0-9]{2,9}\*")
E164 = re.compile(r"\+[1-9][0-9]{1,14}")

# Wider ones would be a list of everybody: a mistake of one key.
SHORTEST_V4_PREFIX = 8
SHORTEST_V6_PREFIX = 19  # the largest that a registry hands out

# 3GPP TS 22.101 10.1: emergency numbers on every phone, in every country.
EMERGENCY_EVERYWHERE = ("112", "911")
LONGEST_EMERGENCY = 6


@dataclass(frozen=True, slots=True)
class Party:
    """`value` is how the list writes it, the same for every spelling."""

    kind: Kind
    value: str

    @classmethod
    def read(cls, text: str) -> "Party":
        """From what a person wrote. Raises PartyError."""
        text = text.strip()
        address = _address(text)
        if address is not None:
            return address
        plain = SEPARATORS.sub("", text)
        plain = f"+{plain[2:]}" if re.fullmatch(r"00[1-9][0-9]*\*?", plain) else plain
        if E164.fullmatch(plain) or re.fullmatch(r"[0-9]{1,15}", plain):
            return cls("number", plain)
        if plain.endswith("*"):
            if RANGE.fullmatch(plain):
                return cls("range", plain)
            raise PartyError(f"{text!r}: a range is + with 3 to 10 digits, and ends with *")
        if USER.fullmatch(text):
            return cls("number", text)
        raise PartyError(f"{text!r} is no number, range, address or network")

    def why_never_denied(self, region: str | None) -> str | None:
        """Why this can never be denied: it is an emergency number where `region` is home, or anywhere without one.

        Calls from there are call-backs to people in need (RFC 7090), so it holds for callers too.
        """
        if self.kind != "number" or not self.value.lstrip("+").isdecimal():
            return None
        return "it is an emergency number" if is_emergency(self.value, region) else None


def is_emergency(number: str, region: str | None) -> bool:
    """Whether `number`, as dialled in `region` or with its country code, is an emergency number there."""
    import phonenumbers  # noqa: PLC0415 - numbering plans of the world, needed by a few commands only

    if number.startswith("+"):
        try:
            parsed = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:
            return False
        number = phonenumbers.national_significant_number(parsed)
        regions = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
    else:
        regions = (region.upper(),) if region else tuple(phonenumbers.SUPPORTED_SHORT_REGIONS)
    if len(number) > LONGEST_EMERGENCY:
        return False
    return number in EMERGENCY_EVERYWHERE or any(phonenumbers.is_emergency_number(number, one) for one in regions)


def _address(text: str) -> Party | None:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    shortest = SHORTEST_V4_PREFIX if network.version == 4 else SHORTEST_V6_PREFIX
    if network.prefixlen < shortest:
        raise PartyError(f"{text!r}: wider than /{shortest}")
    if network.num_addresses == 1:
        return Party("source", str(network.network_address))
    return Party("network", str(network))
