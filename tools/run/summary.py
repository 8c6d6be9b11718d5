"""What a run came to: what the box saw and found, and what of it the collector has."""

from collections import Counter
from typing import Any

from appliance.client.status_text import span

Row = dict[str, Any]


def counted(status: Row) -> str:
    """The object of `sipwarden status -o json` in one line."""
    return " · ".join(
        (
            span(status["uptime_s"]),
            many(status["calls"], "call"),
            f"{status['watched']:,} watched",
            f"{status['flagged']:,} flagged",
            f"{many(status['reporting']['acknowledged'], 'report')} at the collector",
        )
    )


def summary(status: Row, parties: list[Row], stored: int) -> dict[str, str]:
    """Names and what they came to. `parties`: findings about them; `stored`: reports that the collector has."""
    frauds = Counter(fraud for row in parties for fraud in row["fraud_types"])
    named = ", ".join(f"{fraud} {count}" for fraud, count in frauds.most_common())
    traffic, acknowledged = status["traffic"], status["reporting"]["acknowledged"]
    return {
        "seen": f"{many(status['capture']['packets'], 'packet')}, {many(traffic['sip_messages'], 'SIP message')}, "
        f"{many(status['calls'], 'call')} in {span(status['uptime_s'])}",
        "flagged": f"{status['flagged']:,} of calls and addresses; {status['watched']:,} are watched",
        "suspected": f"{many(len(parties), 'caller and address', 'callers and addresses')}: {named or 'none'}",
        "reported": f"{many(acknowledged, 'report')} acknowledged by the collector, which has {stored:,}; "
        f"{status['spool']['depth']:,} still to come",
    }


def many(count: int, one: str, more: str = "") -> str:
    """`1 call`, `2 calls`."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"
