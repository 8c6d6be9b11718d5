"""Cursors of pages: where the next page begins, as a text that says nothing to its holder.

Every text of the pattern is a cursor, if perhaps one behind which nothing is: there are no broken ones to refuse.
"""

import base64

BYTES = 8
PATTERN = r"^[A-Za-z0-9_-]{11}$"
MAX_KEY = (1 << 63) - 1


def encode(key: int | None) -> str | None:
    """The cursor of a page's key, None where there is no next page."""
    if key is None:
        return None
    return base64.urlsafe_b64encode(key.to_bytes(BYTES)).rstrip(b"=").decode()


def decode(cursor: str | None) -> int | None:
    """The key of a cursor of PATTERN."""
    if cursor is None:
        return None
    return int.from_bytes(base64.urlsafe_b64decode(f"{cursor}=")) & MAX_KEY
