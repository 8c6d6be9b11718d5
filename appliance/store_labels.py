"""Labels: what a person found out about a finding, and what the box had said of it then.

A label holds all that precision is computed from, and no number or address, so that it can outlive its finding.
"""

import sqlite3
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appliance.database import read_only, values
from appliance.errors import StoreError
from appliance.report import StoredFinding, StoredVerdict
from appliance.store_findings import json_text, read_line, storable
from models.fraud_types import FraudType

LabelValue = Literal["fraud", "honest"]

STORE_FILE = "findings.sqlite"  # in the state folder
MAX_LABELS = 100_000  # the oldest go: years of a desk's work, some 15 MiB
COLUMNS = "finding, label, labelled_by, time_ns, kind, verdict, score, fraud_types, bundle"
LATEST = f"SELECT {COLUMNS} FROM labels WHERE id IN (SELECT max(id) FROM labels GROUP BY finding) ORDER BY id"


def latest_of(count: int) -> str:
    """LATEST of `count` findings, whose ids are the parameters."""
    wanted = ", ".join("?" * count)
    return (
        f"SELECT {COLUMNS} FROM labels WHERE id IN"
        f" (SELECT max(id) FROM labels WHERE finding IN ({wanted}) GROUP BY finding) ORDER BY id"
    )


_types = msgspec.json.Decoder(list[str])


class FindingLabel(msgspec.Struct, frozen=True, kw_only=True):
    """The label of a finding, with a copy of the finding's state when it was given."""

    finding: int
    label: LabelValue
    labelled_by: str
    time_ns: int
    kind: Literal["call", "source"]
    verdict: StoredVerdict
    score: Annotated[float, Meta(ge=0, le=1)]
    fraud_types: list[FraudType]
    bundle: str | None  # name@version; None for a finding about a party


def label_of(finding: StoredFinding, label: LabelValue, by: str, time_ns: int) -> FindingLabel:
    return FindingLabel(
        finding=finding.id,
        label=label,
        labelled_by=storable(by),
        time_ns=time_ns,
        kind=finding.kind,
        verdict=finding.verdict,
        score=finding.score,
        fraud_types=finding.fraud_types,
        bundle=read_line(finding.line).bundle,
    )


def store_label(connection: sqlite3.Connection, label: FindingLabel) -> None:
    """Beside the earlier ones of the same finding, which stay as a record of who said what."""
    row = msgspec.structs.asdict(label) | {"fraud_types": json_text(label.fraud_types)}
    connection.execute(f"INSERT INTO labels ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", tuple(row.values()))
    connection.execute("DELETE FROM labels WHERE id <= (SELECT max(id) FROM labels) - ?", (MAX_LABELS,))


def labels_of(rows: list[tuple[Any, ...]]) -> list[FindingLabel]:
    """Rows of LATEST, without those that are damaged."""
    labels = []
    for row in rows:
        fields = dict(zip(FindingLabel.__struct_fields__, row, strict=True))
        try:
            labels.append(msgspec.convert(fields | {"fraud_types": _types.decode(row[-2])}, FindingLabel))
        except (msgspec.MsgspecError, TypeError):
            continue
    return labels


def read_labels(path: Path) -> list[FindingLabel]:
    """The latest label of each finding, for another program than the service. Raises StoreError."""
    if not path.exists():
        raise StoreError(f"{path}: there is no findings store")
    try:
        with read_only(path) as connection:
            return labels_of(values(connection, LATEST))
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
