"""Moments as text: RFC 3339 in UTC with microseconds, as reports have them."""

from datetime import UTC, datetime


def moment_text(time_ns: int) -> str:
    """`time_ns` (nanoseconds since the Unix epoch), cut rather than rounded."""
    seconds, ns = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ns // 1000:06d}Z"
