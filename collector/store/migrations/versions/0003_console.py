"""What the console's pages need to stay quick over a long history.

An index from which a list with several filters is read without its rows; the findings of one Call-ID, which callers
choose, in order; counters of all boxes together, and an index
by which those of one box, or of all, are found.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COUNTED = ("calls", "answered", "watched", "flagged", "sip_messages", "packets", "dropped")


def upgrade() -> None:
    listed = ["time_ns", "id", "verdict", "fraud_types", "box_id", "label"]
    op.create_index("ix_findings_listing", "findings", listed)
    op.drop_index(op.f("ix_findings_time_ns"), "findings")
    op.create_index(op.f("ix_findings_call_id_id"), "findings", ["call_id", "id"])
    op.drop_index(op.f("ix_findings_call_id"), "findings")
    for table, key, counted in (("counters", "", COUNTED), ("fraud_counters", ", fraud_type", ("flagged",))):
        op.create_index(op.f(f"ix_{table}_box_id_span_s_time_ns"), table, ["box_id", "span_s", "time_ns"])
        sums = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in counted)
        op.execute(
            sa.text(
                f"INSERT INTO {table} (span_s, time_ns, box_id{key}, {', '.join(counted)}) "
                f"SELECT span_s, time_ns, 0{key}, {sums} FROM {table} GROUP BY span_s, time_ns{key}"
            )
        )
