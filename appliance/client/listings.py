"""How each listing of the client commands looks. The fields of `raw` are part of the contract with scripts: they are
only ever added to, at the end."""

from dataclasses import replace

from appliance.client.output import NOTHING, Column, Listing, Row, moment, shown, stacked


def _parties(row: Row) -> str:
    return f"{row['caller'] or '(none)'}\n> {row['callee'] or '(none)'}"


def _until(row: Row) -> str:
    return stacked(row["expires"]) if row["expires"] else "always"


def _added(row: Row) -> str:
    return f"{stacked(row['added'])}\nby {row['added_by']}"


def _finding(row: Row) -> list[str]:
    label = f"  labelled {row['label']}" if row["label"] else ""
    parties = [f"{name} {row[name]}" for name in ("caller", "callee", "source") if row[name]]
    return [
        f"{row['id']:>6}  {row['verdict']} {row['score']:.2f}  {', '.join(row['fraud_types']) or NOTHING}  "
        f"{moment(row['time'])} UTC{label}",
        f"        {', '.join(parties) or NOTHING}",
        *([f"        Call-ID {row['call_id']}"] if row["call_id"] else []),
        *(f"        {reason}" for reason in row["reasons"]),
    ]


def _call(row: Row) -> list[str]:
    return [
        f"{moment(row['start'])} UTC  {row['state']}  {row['verdict']} {row['score']:.2f}  "
        f"{', '.join(row['fraud_types']) or NOTHING}",
        f"        {_parties(row).replace(chr(10), ' ')}, {row['source']}, Call-ID {row['call_id']}",
    ]


CALLS = Listing(
    columns=(
        Column("verdict", styled=True),
        Column("score", right=True),
        Column("state"),
        Column("since (UTC)", text=lambda row: stacked(row["start"])),
        Column("caller > callee", text=_parties),
        Column("source, Call-ID", text=lambda row: f"{row['source']}\n{row['call_id']}", folds=True),
    ),
    raw=(
        "call_id", "start", "state", "caller", "callee", "source", "destination", "duration_s", "verdict", "score",
        "fraud_types", "one_way",
    ),
    empty="No calls.",
)  # fmt: skip

FOLLOWED_CALLS = replace(CALLS, columns=(), card=_call)

FINDINGS = Listing(
    card=_finding,
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
        Column("until (UTC)", text=_until),
        Column("added (UTC)", text=_added),
        Column("why", folds=True),
    ),
    raw=("value", "kind", "expires", "added", "added_by", "why"),
    empty="Nothing is allowed.",
)

DECISIONS = Listing(
    columns=(
        Column("denied", "value", folds=True),
        Column("kind"),
        Column("until (UTC)", text=_until),
        Column("added (UTC)", text=_added),
        Column("effect now", "effect", folds=True),
        Column("why", folds=True),
    ),
    raw=("value", "kind", "expires", "added", "added_by", "why", "action", "effect"),
    empty="No decisions.",
)

EVIDENCE = Listing(
    columns=(
        Column("about", folds=True),
        Column("verdict", styled=True),
        Column("findings", right=True),
        Column("fraud", "fraud_types"),
        Column("last (UTC)", text=lambda row: stacked(row["last"])),
        Column("latest id", text=lambda row: str(row["latest"]), right=True),
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
