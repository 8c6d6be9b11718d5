"""The tables of the collector, for SQLite and PostgreSQL alike.

Moments are integer nanoseconds since the Unix epoch (`_ns`), as on the box. The id of a finding or a call is made
by `collector.store.ids`: it rises with the moment of its arrival, so that it is at once the key of pages (newest
first), the key of the time partitions of PostgreSQL, and the key of retention.

Numbers (`caller`, `callee`) are what the number policy made of them: see `collector.numbers`.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    ScalarSelect,
    SmallInteger,
    String,
    Table,
    Text,
    select,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

# SQLite numbers rows by itself only in a column that is called INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")

# --- the fleet

boxes = Table(
    "boxes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("state", String(8), nullable=False),  # active | revoked
    Column("enrolled_ns", BigInteger, nullable=False),
    Column("revoked_ns", BigInteger),
    Column("last_report_ns", BigInteger),  # when a batch of it was last committed
    Column("address", String(64)),  # from which it last reported
    Column("clock_offset_ms", BigInteger),  # its clock less the collector's, at the last batch
    Column("items", BigInteger, nullable=False, default=0),  # stored of it in all, each once
    Column("lost", BigInteger, nullable=False, default=0),  # sequence numbers that never came
    Column("health", JSON),  # the last health report
    Column("health_ns", BigInteger),
)

certificates = Table(
    "certificates",
    metadata,
    Column("serial", String(40), primary_key=True),  # lower-case hex
    Column("box_id", RowId, ForeignKey("boxes.id"), nullable=False, index=True),
    Column("not_before_ns", BigInteger, nullable=False),
    Column("not_after_ns", BigInteger, nullable=False),
    Column("revoked_ns", BigInteger),
    Column("reason", String(32)),
)

enrolment_tokens = Table(
    "enrolment_tokens",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the secret; the secret is not kept
    Column("box", String(63)),  # the only box that it is good for
    Column("created_by", String(63), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("used_ns", BigInteger),
    Column("used_by", RowId, ForeignKey("boxes.id")),
)

receipts = Table(
    "receipts",
    metadata,
    Column("box_id", RowId, ForeignKey("boxes.id"), primary_key=True),
    Column("incarnation", String(32), primary_key=True),  # epoch of the box's spool: its sequences start anew
    Column("ranges", JSON, nullable=False),  # [[first, last], ...] of the sequences that were committed, rising
    Column("last_ns", BigInteger, nullable=False),
)

# --- what they report

LISTING = "ix_findings_listing"

findings = Table(
    "findings",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("box_id", BigInteger, nullable=False),
    Column("subject", BigInteger, nullable=False),  # hash of what it is about, on its box: a later report replaces it
    Column("incarnation", String(32), nullable=False),  # of the report that is shown
    Column("sequence", BigInteger, nullable=False),
    Column("kind", String(8), nullable=False),  # call | source
    Column("time_ns", BigInteger, nullable=False),  # flagged_at, by the box's clock
    Column("updated_ns", BigInteger, nullable=False),  # arrival of the report that is shown
    Column("verdict", SmallInteger, nullable=False),  # models.verdict: 0 pass, 1 watch, 2 flag
    Column("score", Float, nullable=False),
    Column("fraud_types", Integer, nullable=False),  # mask, bits of models.fraud_types
    Column("source", String(64)),  # IP address
    Column("caller", String(512)),
    Column("callee", String(512)),
    Column("call_id", String(256)),
    Column("bundle", String(128)),
    Column("skewed", Boolean, nullable=False),  # the clock of the box was off when it came
    Column("label", String(6)),  # fraud | honest: the last of the table `labels`
    Column("line", LargeBinary, nullable=False),  # the contract's line (JSON), with its numbers by policy
    Index(None, "subject"),
    Index(None, "box_id", "id"),
    Index(None, "verdict", "id"),
    Index(None, "source", "id"),
    Index(None, "caller", "id"),
    Index(None, "callee", "id"),
    Index(None, "call_id", "id"),
    Index(None, "label", "id"),
    # All that a list can be filtered by, in the order of time: read without the rows, which are a kilobyte each.
    Index(LISTING, "time_ns", "id", "verdict", "fraud_types", "box_id", "label"),
    postgresql_partition_by="RANGE (id)",
)

# A mask cannot be indexed: the findings of one fraud type are found here.
finding_types = Table(
    "finding_types",
    metadata,
    Column("fraud_type", SmallInteger, primary_key=True),  # position in models.fraud_types
    Column("finding_id", BigInteger, primary_key=True),
    Index(None, "finding_id"),
)

calls = Table(
    "calls",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("box_id", BigInteger, nullable=False),
    Column("time_ns", BigInteger, nullable=False),  # start, by the box's clock
    Column("call_id", String(256), nullable=False),
    Column("source", String(64), nullable=False),
    Column("caller", String(512), nullable=False),
    Column("callee", String(512), nullable=False),
    Column("state", String(10), nullable=False),
    Column("status_code", SmallInteger),
    Column("duration_s", Float),
    Column("verdict", SmallInteger, nullable=False),
    Column("score", Float, nullable=False),
    Index(None, "box_id", "id"),
    Index(None, "source", "id"),
    Index(None, "caller", "id"),
    Index(None, "callee", "id"),
    Index(None, "call_id"),
    postgresql_partition_by="RANGE (id)",
)

# Counters of each box, and under ALL_BOXES their sums: to add up hundreds of boxes for a chart takes too long.
ALL_BOXES = 0
counters = Table(
    "counters",
    metadata,
    Column("span_s", Integer, primary_key=True),  # 60 or 3600: kept for different times
    Column("time_ns", BigInteger, primary_key=True),  # start of the span
    Column("box_id", BigInteger, primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("answered", BigInteger, nullable=False),
    Column("watched", BigInteger, nullable=False),
    Column("flagged", BigInteger, nullable=False),
    Column("sip_messages", BigInteger, nullable=False),
    Column("packets", BigInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Index(None, "box_id", "span_s", "time_ns"),
)

fraud_counters = Table(
    "fraud_counters",
    metadata,
    Column("span_s", Integer, primary_key=True),
    Column("time_ns", BigInteger, primary_key=True),
    Column("box_id", BigInteger, primary_key=True),
    Column("fraud_type", SmallInteger, primary_key=True),  # position in models.fraud_types
    Column("flagged", BigInteger, nullable=False),
    Index(None, "box_id", "span_s", "time_ns"),
)

health = Table(
    "health",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("box_id", BigInteger, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("clock_offset_ms", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
    Index(None, "box_id", "id"),
)

# --- what people and the collector itself did

events = Table(
    "events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("first_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),  # the same again within a minute is counted, not added
    Column("kind", String(32), nullable=False),  # enrolled | refused
    Column("reason", String(32)),
    Column("box_id", RowId),
    Column("box", String(63)),  # the name that was claimed, which need not be a known box
    Column("address", String(64)),
    Column("detail", Text),
    Index(None, "kind", "id"),
    Index(None, "box", "id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("time_ns", BigInteger, nullable=False),
    Column("actor", String(63), nullable=False),  # a user, `token:NAME`, or `shell:USER` of the admin command
    Column("action", String(48), nullable=False),
    Column("subject", String(256)),
    Column("address", String(64)),
    Column("detail", JSON),
    Index(None, "actor", "id"),
    Index(None, "subject", "id"),
)

labels = Table(
    "labels",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("finding_id", BigInteger, nullable=False, index=True),
    Column("label", String(6), nullable=False),
    Column("by", String(63), nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("comment", Text),
)

users = Table(
    "users",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("role", String(13), nullable=False),  # reader | analyst | administrator
    Column("password", String(255), nullable=False),  # argon2
    Column("language", String(8)),
    Column("created_ns", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),  # of the password: older sessions are over; 0: one-time
    Column("disabled_ns", BigInteger),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256; the token itself is not kept
    Column("scopes", String(255), nullable=False),  # by spaces
    Column("created_by", String(63), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger),
    Column("used_ns", BigInteger),
    Column("revoked_ns", BigInteger),
)

# --- webhooks

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("url", String(2048), nullable=False),
    Column("secret", String(64), nullable=False),  # base64; messages are signed with it, so it has to be kept
    Column("verdict", SmallInteger, nullable=False),  # the lowest that it is told of
    Column("fraud_types", Integer, nullable=False),  # mask of those that it is told of, 0: all
    Column("box", String(63)),  # the only one that it is told of
    Column("created_by", String(63), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("disabled_ns", BigInteger),
    Column("delivered", BigInteger, nullable=False),
    Column("delivered_ns", BigInteger),  # the last one
    Column("dropped", BigInteger, nullable=False),  # for want of room in its queue
)

# Written with the findings, in their transaction: what webhooks are to be told.
announcements = Table(
    "announcements",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("findings", JSON, nullable=False),  # [[id, verdict], ...] of new ones and of those that rose
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("webhook_id", RowId, ForeignKey("webhooks.id"), nullable=False),
    Column("finding_id", BigInteger, nullable=False),
    Column("event", String(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(7), nullable=False),  # waiting | dead
    Column("created_ns", BigInteger, nullable=False),
    Column("queued_ns", BigInteger, nullable=False),  # when it was last put into the queue: its time runs from then
    Column("next_ns", BigInteger, nullable=False),  # when it is due
    Column("attempts", Integer, nullable=False),  # since it was queued
    Column("status", SmallInteger),  # of the last answer
    Column("error", String(200)),  # why the last attempt failed
    Index(None, "webhook_id", "state", "next_ns"),
    sqlite_autoincrement=True,  # what is delivered goes: its id must not come back for another
)

PARTITIONED = (findings, calls)
NUMBERED = (findings, calls, health)  # by `collector.store.ids.Ids`


def box_id(name: str) -> ScalarSelect[int]:
    """The id of a box by its name, as part of a query."""
    return select(boxes.c.id).where(boxes.c.name == name).scalar_subquery()
