"""Telephone numbers as they are stored: as they are, or as keyed pseudonyms.

A pseudonym is the number encrypted with AES-SIV (RFC 5297): without a nonce the same number always gives the same
token, from every box, so that a caller's history can be followed; without the key a token says nothing but how long
the number is. The key stays with the operator: a copy of the database reveals no subscriber.
"""

import base64
import binascii
import os
from pathlib import Path
from typing import Any, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from collector.authority import write_private
from collector.errors import NumberKeyError

PREFIX = "~"  # no number starts with it
KEY_BYTES = 64  # AES-256-SIV: two keys of 256 bits
MAX_NUMBER = 64  # characters: E.164 has 15 digits, the rest is room for user parts that are no numbers
_CONTEXT = [b"sipwarden number 1"]

Policy = Literal["plain", "pseudonym"]


class Numbers:
    """Makes what is stored of a number, by policy, and under the policy `pseudonym` the number again."""

    def __init__(self, policy: Policy, key: bytes | None = None) -> None:
        """`key` has KEY_BYTES; the policy `pseudonym` needs one. Raises NumberKeyError."""
        if key is not None and len(key) != KEY_BYTES:
            raise NumberKeyError(f"the key of the numbers has {len(key)} bytes, not {KEY_BYTES}")
        if policy == "pseudonym" and key is None:
            raise NumberKeyError("pseudonyms of numbers need a key: set numbers.key_file")
        self.policy = policy
        self._cipher = AESSIV(key) if key is not None else None

    @classmethod
    def open(cls, policy: Policy, key_file: Path) -> "Numbers":
        """With the key in `key_file` (hex). Under the policy `pseudonym` it is made when there is none."""
        if policy == "pseudonym" and not key_file.exists():
            write_private(key_file, os.urandom(KEY_BYTES).hex().encode() + b"\n")
        if not key_file.exists():
            return cls(policy)
        try:
            return cls(policy, bytes.fromhex(key_file.read_text().strip()))
        except (OSError, ValueError) as error:
            raise NumberKeyError(f"{key_file} is not a key of {KEY_BYTES} bytes in hex") from error

    def stored(self, number: str) -> str:
        """What is stored of a number or user part. Of a longer one only the first MAX_NUMBER characters are kept."""
        number = clean(number, MAX_NUMBER)
        if self.policy == "plain" or not number:
            return number
        assert self._cipher is not None
        sealed = self._cipher.encrypt(number.encode(), _CONTEXT)
        return PREFIX + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def search(self, text: str) -> str:
        """What to look for in the store when a user typed `text`: a number, or a pseudonym as it is shown."""
        return text if text.startswith(PREFIX) else self.stored(text)

    def reveal(self, token: str) -> str:
        """The number of a pseudonym. Raises NumberKeyError when it is none, or of another key."""
        if self._cipher is None:
            raise NumberKeyError("there is no key to reveal numbers with")
        try:
            sealed = base64.urlsafe_b64decode(token.removeprefix(PREFIX) + "=" * (-len(token.removeprefix(PREFIX)) % 4))
            return self._cipher.decrypt(sealed, _CONTEXT).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise NumberKeyError("not a pseudonym of this key") from error

    def knows(self, token: str) -> bool:
        """Whether a pseudonym is one of this key."""
        try:
            self.reveal(token)
        except NumberKeyError:
            return False
        return True

    def apply(self, line: Any) -> Any:
        """A call or source line with its numbers as they are stored. The number of a party is its E.164 where that is
        known, so that every way of writing it gives the same token."""
        if self.policy == "plain":
            return line
        changed: dict[str, str | None] = {}
        for party in ("caller", "callee"):
            known = getattr(line, f"{party}_e164", None)
            sent = getattr(line, party)
            if sent is not None:
                changed[party] = self.stored(known or sent)
            if known is not None:
                changed[f"{party}_e164"] = None  # its pattern has no room for a token, and `caller` has it
        return msgspec.structs.replace(line, **changed)


def clean(text: str, limit: int) -> str:
    """A text that came off the wire as PostgreSQL takes it: no NUL, not longer than `limit` characters."""
    return text[:limit].replace("\0", "\N{REPLACEMENT CHARACTER}")
