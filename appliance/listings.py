"""How each listing of the client commands looks. The fields of `raw` are part of the contract with scripts: they are
only ever added to, at the end."""

from appliance.output import NOTHING, Column, Listing, Row, moment, shown


def _who(row: Row) -> str:
    parties = [(name, row[name]) for name in ("caller", "callee", "source")]
    return "\n".join(f"{name} {value}" for name, value in parties if value) or NOTHING


def _number_or_id(row: Row) -> str:
    return str(row["id"])  # without thousands: it is typed again


CALLS = Listing(
    columns=(
        Column("verdict", styled=True),
        Column("score", right=True),
        Column("state"),
        Column("since (UTC)", text=lambda row: moment(row["start"])[11:]),
        Column("caller", folds=True),
        Column("callee", folds=True),
        Column("source", folds=True),
        Column("Call-ID", "call_id", folds=True),
    ),
    raw=(
        "call_id", "start", "state", "caller", "callee", "source", "destination", "duration_s", "verdict", "score",
        "fraud_types", "one_way",
    ),
    empty="No calls.",
)  # fmt: skip

FINDINGS = Listing(
    columns=(
        Column("id", text=_number_or_id, right=True),
        Column("verdict", styled=True),
        Column("score", right=True),
        Column("fraud", "fraud_types", folds=True),
        Column("who", text=_who, folds=True),
        Column("when (UTC)", text=lambda row: moment(row["time"]), folds=True),
        Column("why", "reasons", folds=True),
        Column("label"),
    ),
    raw=(
        "id", "time", "kind", "verdict", "score", "fraud_types", "source", "caller", "callee", "call_id", "label",
        "reasons",
    ),
    empty="No findings.",
)  # fmt: skip

ALLOWED = Listing(
    columns=(
        Column("allowed", "value", folds=True),
        Column("kind"),
        Column("until (UTC)", text=lambda row: moment(row["expires"]) if row["expires"] else "always"),
        Column("added (UTC)", text=lambda row: moment(row["added"])),
        Column("by", "added_by"),
        Column("why", folds=True),
    ),
    raw=("value", "kind", "expires", "added", "added_by", "why"),
    empty="Nothing is allowed.",
)

DECISIONS = Listing(
    columns=(
        Column("denied", "value", folds=True),
        Column("kind"),
        Column("until (UTC)", text=lambda row: moment(row["expires"])),
        Column("added (UTC)", text=lambda row: moment(row["added"])),
        Column("by", "added_by"),
        Column("effect", folds=True),
        Column("why", folds=True),
    ),
    raw=("value", "kind", "expires", "added", "added_by", "why", "action", "effect"),
    empty="No decisions.",
)

EVIDENCE = Listing(
    columns=(
        Column("about", folds=True),
        Column("kind"),
        Column("verdict", styled=True),
        Column("findings", right=True),
        Column("score", right=True),
        Column("fraud", "fraud_types", folds=True),
        Column("first (UTC)", text=lambda row: moment(row["first"])),
        Column("last (UTC)", text=lambda row: moment(row["last"])),
        Column("latest id", text=lambda row: str(row["latest"])),
    ),
    raw=("about", "kind", "verdict", "findings", "score", "fraud_types", "first", "last", "latest"),
    empty="No findings, and so no evidence.",
)

CHECKS = Listing(
    columns=(
        Column("state", styled=True),
        Column("check", "name", folds=True),
        Column("what is seen", "seen", folds=True),
        Column("cure", text=lambda row: shown(row["cure"]) or NOTHING, folds=True),
    ),
    raw=("state", "name", "seen", "cure"),
    empty="No checks.",
)
