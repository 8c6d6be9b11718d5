"""Counters over time, per box or of all: what charts are drawn from.

Minutes are kept for days, hours for as long as findings; both are written when a minute arrives (`collector.deposit`),
for its box and for all boxes together.
"""

import msgspec
import sqlalchemy as sa
from sqlalchemy import Engine

from collector.store import tables
from models.fraud_types import FRAUD_TYPES, FraudType

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
MAX_POINTS = 10_000
# What is looked at: name -> (length, span of a point)
RANGES = {"day": (DAY_S, MINUTE_S), "week": (7 * DAY_S, HOUR_S), "month": (30 * DAY_S, HOUR_S)}


class Point(msgspec.Struct, frozen=True):
    """The sums of one span of time."""

    time_ns: int
    calls: int
    answered: int
    watched: int
    flagged: int
    sip_messages: int
    packets: int
    dropped: int


class FraudPoint(msgspec.Struct, frozen=True):
    """Calls flagged as one fraud type within one span."""

    time_ns: int
    fraud_type: FraudType
    flagged: int


class Trends:
    """Reads counters."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def points(self, span_s: int, since_ns: int, until_ns: int, box: str | None = None) -> list[Point]:
        """Sums for each span of `span_s` (60 or 3600), oldest first; spans without a report are not there."""
        c = tables.counters.c
        query = sa.select(*(c[name] for name in Point.__struct_fields__)).order_by(c.time_ns)
        return [Point(**row._mapping) for row in self._rows(query, tables.counters, span_s, since_ns, until_ns, box)]

    def fraud_points(self, span_s: int, since_ns: int, until_ns: int, box: str | None = None) -> list[FraudPoint]:
        """Flagged calls by fraud type for each span, oldest first; zeroes are not there."""
        c = tables.fraud_counters.c
        query = sa.select(c.time_ns, c.fraud_type, c.flagged).order_by(c.time_ns, c.fraud_type)
        rows = self._rows(query, tables.fraud_counters, span_s, since_ns, until_ns, box)
        return [FraudPoint(time_ns, FRAUD_TYPES[position], flagged) for time_ns, position, flagged in rows]

    def fraud_totals(self, span_s: int, since_ns: int, until_ns: int, box: str | None = None) -> dict[FraudType, int]:
        """Flagged calls by fraud type of a whole time, most first."""
        c = tables.fraud_counters.c
        total = sa.cast(sa.func.sum(c.flagged), sa.BigInteger)
        query = sa.select(c.fraud_type, total).group_by(c.fraud_type).order_by(total.desc(), c.fraud_type)
        rows = self._rows(query, tables.fraud_counters, span_s, since_ns, until_ns, box)
        return {FRAUD_TYPES[position]: flagged for position, flagged in rows}

    def _rows(
        self, query: sa.Select, table: sa.Table, span_s: int, since_ns: int, until_ns: int, box: str | None
    ) -> list[sa.Row]:
        c = table.c
        query = query.where(c.span_s == span_s, c.time_ns >= since_ns, c.time_ns < until_ns).limit(MAX_POINTS)
        query = query.where(c.box_id == (tables.ALL_BOXES if box is None else tables.box_id(box)))
        with self._engine.connect() as connection:
            return list(connection.execute(query))
