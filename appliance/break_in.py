"""Accounts that were broken into: an address that guesses passwords, or searches for users, was let in as somebody.

This is told whatever the address was flagged for before, and it is flagged then. Of others nothing is told: people
mistype their password, and telephones keep an old one until somebody puts it right.
"""

from appliance.findings import Finding
from appliance.mask import mask
from models.fraud_types import BIT_OF
from models.reason import Reason
from models.verdict import FLAG

GUESSING = BIT_OF["password_guessing"]
SEARCHES = BIT_OF["registration_scan"] | BIT_OF["options_scan"]

# What kernels/break_ins.pyx tells of one: the user as sent, wrong passwords, and for so many users they were.
Guess = tuple[bytes, float, float]


def is_break_in(finding: Finding | None, types: int) -> bool:
    """`finding`: what is known of the address so far; `types`: what it is watched or flagged as at this moment."""
    if types & GUESSING:
        return True
    return finding is not None and bool(
        finding.types & GUESSING or (finding.verdict == FLAG and finding.types & SEARCHES)
    )


def reason_of(guess: Guess) -> Reason:
    """Says who was let in, masked, and after what. No model's score rests on it: its effect is nothing."""
    user, tries, users = guess
    name = mask(user.decode("utf-8", "replace")) or "an unnamed user"
    others = f" for {users:.0f} users" if users >= 2 else ""
    text = f"let in as {name} after {tries:.0f} wrong passwords{others}"
    return Reason("source_guessed_tries_day", round(tries), 0.0, 0.0, text)
