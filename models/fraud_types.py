"""The fraud types a finding may name. The position of a type is its bit in a `types` mask."""

from typing import Literal

FraudType = Literal[
    "goip_gateway",
    "wangiri",
    "robocall",
    "vishing",
    "irsf",
    "toll_fraud",
    "registration_scan",
    "password_guessing",
    "options_scan",
    "tdos",
    "caller_spoofing",
    "flash_call",
    "call_pumping",
    "false_answer",
]

FRAUD_TYPES: tuple[FraudType, ...] = (
    "goip_gateway",  # a SIM box passes international calls off as local ones
    "wangiri",  # one ring, then the victim calls back a premium number
    "robocall",  # recorded messages to many
    "vishing",  # a human campaign that talks victims out of money or secrets
    "irsf",  # international revenue share: traffic pumped to ranges that pay the caller
    "toll_fraud",  # somebody else's line or PBX pays for the calls
    "registration_scan",  # REGISTER for many users: which exist?
    "password_guessing",  # REGISTER for few users with many credentials
    "options_scan",  # OPTIONS across addresses or extensions: what answers?
    "tdos",  # telephony denial of service
    "caller_spoofing",  # the calling number is not the caller's
    "flash_call",  # a call whose number is the message; it is cancelled before any answer
    "call_pumping",  # traffic made to earn access charges
    "false_answer",  # answered, and billed, before the callee answers
)

BIT_OF: dict[str, int] = {name: 1 << position for position, name in enumerate(FRAUD_TYPES)}


def names_of(types: int) -> list[FraudType]:
    """The fraud types in a mask, in the order of FRAUD_TYPES."""
    return [name for name in FRAUD_TYPES if types & BIT_OF[name]]
