"""The commands about evidence: what the box has on a party, as a document that a desk can hand on."""

import time
from collections.abc import Iterator
from typing import Any, Literal

from appliance import log
from appliance.admin.commands_calls import Limit
from appliance.admin.commands_findings import unknown_id
from appliance.admin.errors import AdminError
from appliance.admin.peer import Role
from appliance.admin.protocol import MAX_ROWS
from appliance.admin.registry import Context, Natural, registry
from appliance.admin.rows import Mask, Unmaskable, masked, masking
from appliance.errors import PartyError
from appliance.findings import moment
from appliance.party import Party
from appliance.report import Record, StoredFinding

FORMAT = "sipwarden-evidence/1"
VERDICTS = ("pass", "allowed", "watch", "flag")  # the gravest last

HOLDS = (
    "every finding that the box still keeps about the party, the newest first, as it was judged",
    "of each: who, when, verdict, calibrated score, fraud types, reasons with their typical values, the model bundle, "
    "and how far the capture could be trusted (capture_loss, one_way, truncated)",
    "labels that the desk gave; the version of the software and of the bundles that run now",
)
LACKS = (
    "no packets, no SIP messages and no audio: the box does not keep them; record them at the probe or the SBC",
    "no calls that were neither watched nor flagged, and none whose findings have expired or made room",
    "no proof of who held a number or an address: signalling can be forged",
    "the hash shows that the file is unchanged since it was made, not who made it",
)


class EvidenceListArguments(Unmaskable, frozen=True, kw_only=True):
    """The parties of the latest findings."""

    limit: Limit = 50


class EvidenceRow(Record, frozen=True, kw_only=True):
    """A party that there are findings about, among the latest MAX_ROWS."""

    about: str
    kind: Literal["number", "source"]
    verdict: str  # the gravest
    findings: int
    score: float
    fraud_types: list[str]
    first: str
    last: str
    latest: int  # id of the latest finding


class ExportArguments(Unmaskable, frozen=True, kw_only=True):
    """`about`: a number, an address, the id of a finding, or a Call-ID."""

    about: str
    since_ns: Natural | None = None


class EvidenceItem(Record, frozen=True, kw_only=True):
    """One finding in full."""

    id: int
    time: str
    verdict: str
    label: str | None
    line: dict[str, Any]


class Evidence(Record, frozen=True, kw_only=True):
    """The document."""

    format: str
    about: str
    kind: str
    made: str
    made_by: str
    version: str
    bundles: dict[str, str]
    numbers_masked: bool
    complete: bool  # False: there are more findings than fit
    holds: tuple[str, ...]
    lacks: tuple[str, ...]
    findings: list[EvidenceItem]


@registry.command("evidence.list", Role.READER)
async def evidence_list(context: Context, arguments: EvidenceListArguments) -> list[EvidenceRow]:
    """The numbers and sources that there is evidence about, the gravest first."""
    hide = masking(context, arguments, "evidence list")
    return (await context.aside(lambda: _parties(context.box.store.find(limit=MAX_ROWS), hide)))[: arguments.limit]


@registry.command("evidence.export", Role.READER)
async def evidence_export(context: Context, arguments: ExportArguments) -> Evidence:
    """All findings about one call, number or source, with reasons, bundles and versions."""
    hide = masking(context, arguments, "evidence export")
    kind, found = await context.aside(_about, context, arguments)
    if not found:
        raise await unknown_id(context, arguments.about)
    labels = await context.aside(context.box.store.labels_of, [finding.id for finding in found])
    status = context.box.status()
    items = [
        EvidenceItem(
            id=finding.id,
            time=moment(finding.time_ns),
            verdict=finding.verdict,
            label=labels.get(finding.id),
            line=masked(finding.line, hide),
        )
        for finding in found
    ]
    log.info("evidence was exported", about_kind=kind, findings=len(items), by=context.peer.user)
    return Evidence(
        format=FORMAT,
        about=hide(arguments.about) if kind == "number" else arguments.about,
        kind=kind,
        made=moment(time.time_ns()),
        made_by=context.peer.user,
        version=context.box.version,
        bundles=status.bundles,
        numbers_masked=not arguments.unmasked,
        complete=len(items) < MAX_ROWS,
        holds=HOLDS,
        lacks=LACKS,
        findings=items,
    )


def _about(context: Context, arguments: ExportArguments) -> tuple[str, list[StoredFinding]]:
    """What is meant, and the findings about it: of a finding or call that one, else of an address, else of a number."""
    store, about = context.box.store, arguments.about
    finding = store.get(about)
    if finding is not None:
        return "call" if finding.kind == "call" else "finding", [finding]
    try:
        party = Party.read(about)
    except PartyError as error:
        raise AdminError("arguments", str(error)) from error
    if party.kind in ("range", "network"):
        raise AdminError("arguments", f"{about}: evidence is about one number or one address")
    if party.kind == "source":
        return party.kind, store.find(source=party.value, since_ns=arguments.since_ns, limit=MAX_ROWS)
    return party.kind, store.find(number=party.value, since_ns=arguments.since_ns, limit=MAX_ROWS)


def _parties(found: list[StoredFinding], hide: Mask) -> list[EvidenceRow]:
    groups: dict[tuple[str, str], list[StoredFinding]] = {}
    for finding in found:
        for party in _parties_of(finding):
            groups.setdefault(party, []).append(finding)
    rows = [
        EvidenceRow(
            about=hide(about) if kind == "number" else about,
            kind=kind,  # type: ignore[arg-type]
            verdict=max((finding.verdict for finding in group), key=VERDICTS.index),
            findings=len(group),
            score=max(finding.score for finding in group),
            fraud_types=sorted({fraud_type for finding in group for fraud_type in finding.fraud_types}),
            first=moment(min(finding.time_ns for finding in group)),
            last=moment(max(finding.time_ns for finding in group)),
            latest=group[0].id,
        )
        for (kind, about), group in groups.items()
    ]
    return sorted(rows, key=lambda row: (-VERDICTS.index(row.verdict), -row.score, -row.findings))


def _parties_of(finding: StoredFinding) -> Iterator[tuple[str, str]]:
    """Of a call its caller and where it came from; of a party itself."""
    number = finding.caller or (finding.callee if finding.kind == "source" else None)
    if number:
        yield "number", number
    if finding.source:
        address = finding.source
        if finding.kind == "call":  # ip:port, [ip]:port
            address = address.rpartition(":")[0].strip("[]")
        yield "source", address
