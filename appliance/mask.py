"""Telephone numbers and SIP users, hidden so that a reader sees the range and not the subscriber.

The same number always gives the same mask, so that lines about one party are seen to belong together; as many as
a hundred thousand numbers share the mask of one of usual length.
"""

import re

HIDDEN = "*"
# What stays of a number: its head names country and range, its tail tells two of a list apart. Of every number at
# least MIN_HIDDEN digits go, and shorter ones, extensions among them, keep only the first.
HEAD_DIGITS = 4
TAIL_DIGITS = 2
MIN_HIDDEN = 3
# E.164 numbers without their country are seldom shorter; what is shorter in a text is a port, a status, a count.
MIN_DIGITS_IN_TEXT = 7

_NUMBER = re.compile(r"\+?[0-9]+")
# The user part of a SIP or SIPS URI (RFC 3261 25.1), and the number of a TEL URI (RFC 3966), however they are written.
_SIP_USER = re.compile(r"\b(sips?):([^@\s<>\"]+)@", re.IGNORECASE)
_TEL_NUMBER = re.compile(r"\b(tel):([^\s<>\";]+)", re.IGNORECASE)
# A run that is part of a word, such as a hexadecimal identifier, is no number.
_DIGITS_IN_TEXT = re.compile(rf"(?<![0-9A-Za-z_])\+?[0-9]{{{MIN_DIGITS_IN_TEXT},}}(?![0-9A-Za-z_])")


def mask(user: str) -> str:
    """A telephone number or the user part of a SIP URI, hidden: `+4915*****78`, `a***`."""
    if _NUMBER.fullmatch(user):
        return _mask_number(user)
    # The length of a name says something of it: all names are hidden alike.
    return user[:1] + HIDDEN * 3 if user else user


def mask_text(text: str) -> str:
    """`text` with the users of its SIP and TEL URIs, and what looks like a telephone number, hidden."""
    text = _SIP_USER.sub(lambda found: f"{found[1]}:{_mask_user(found[2])}@", text)
    text = _TEL_NUMBER.sub(lambda found: f"{found[1]}:{mask(found[2])}", text)
    return _DIGITS_IN_TEXT.sub(lambda found: _mask_number(found[0]), text)


def _mask_user(user: str) -> str:
    """A user part in a URI; parameters and a password after it (RFC 3261 19.1.1) go with it."""
    return mask(re.split("[:;]", user, maxsplit=1)[0])


def _mask_number(number: str) -> str:
    plus, digits = number[: number.startswith("+")], number.lstrip("+")
    if len(digits) < HEAD_DIGITS + TAIL_DIGITS + MIN_HIDDEN:
        return plus + digits[:1] + HIDDEN * (len(digits) - 1)
    hidden = len(digits) - HEAD_DIGITS - TAIL_DIGITS
    return plus + digits[:HEAD_DIGITS] + HIDDEN * hidden + digits[-TAIL_DIGITS:]
