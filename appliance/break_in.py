"""Accounts that were broken into: an address that guesses passwords, or searches for users, was let in as somebody.

This is told whatever the address was flagged for before, and it is flagged then. Of others nothing is told: people
mistype their password, and telephones keep an old one until somebody puts it right.
"""

from appliance.mask import mask
from models.fraud_types import BIT_OF
from models.reason import Reason
from models.verdict import FLAG

GUESSING = BIT_OF["password_guessing"]
SEARCHES = BIT_OF["registration_scan"] | BIT_OF["options_scan"]


def is_break_in(verdict: int, types: int, users: float) -> bool:
    """Of an address that is let in as somebody after wrong passwords for so many users, given what it is known for at
    that moment. An office whose passwords were all changed may be watched, and is let in as one after the other."""
    return bool(types & (GUESSING | SEARCHES)) if verdict == FLAG else bool(types & GUESSING) and users < 2


def reason_of(user: bytes, tries: float, users: float) -> Reason:
    """Says who was let in (as sent), masked, and after how many wrong passwords, for how many users. No model's score
    rests on it: its effect is nothing."""
    name = mask(user.decode("utf-8", "replace")) or "an unnamed user"
    others = f" for {users:.0f} users" if users >= 2 else ""
    text = f"let in as {name} after {tries:.0f} wrong passwords{others}"
    return Reason("source_guessed_tries_day", round(tries), 0.0, 0.0, text)
