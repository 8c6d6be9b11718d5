"""The commands about what was found: listing, following, explaining, labelling."""

import asyncio
import time
from collections.abc import AsyncIterator
from difflib import get_close_matches
from typing import Any, Literal

from appliance import log
from appliance.admin.commands_calls import Limit
from appliance.admin.errors import AdminError
from appliance.admin.peer import Role
from appliance.admin.protocol import MAX_ROWS
from appliance.admin.registry import Arguments, Context, Natural, registry
from appliance.admin.rows import FindingRow, Mask, Unmaskable, finding_row, masked, masking
from appliance.errors import StoreError
from appliance.live_calls import live_calls
from appliance.report import Record, StoredFinding, StoredVerdict
from models.fraud_types import FraudType

FOLLOW_S = 1.0  # between two looks for news
NEAR_FINDINGS = 500  # among so many of the latest an unknown id is looked for


class FindingsArguments(Unmaskable, frozen=True, kw_only=True):
    """`number`: of caller or callee; `source`: an address; `since_ns`: capture time; `before_id`: for the next page."""

    kind: Literal["call", "source"] | None = None
    verdict: StoredVerdict | None = None
    fraud_type: FraudType | None = None
    number: str | None = None
    source: str | None = None
    since_ns: Natural | None = None
    before_id: Natural | None = None
    limit: Limit = 50


class ExplainArguments(Unmaskable, frozen=True, kw_only=True):
    """`id`: of a finding, or a Call-ID."""

    id: str


class Explanation(Record, frozen=True, kw_only=True):
    """One call or party in full: `line` is its line of the report (docs: `call` or `source`)."""

    id: int | None  # of the finding; None for a live call that is none
    origin: Literal["live", "store"]
    label: str | None
    line: dict[str, Any]


class LabelArguments(Arguments, frozen=True, kw_only=True):
    """`id`: of a finding, or the Call-ID of one."""

    id: str
    label: Literal["fraud", "honest"]


class Labelled(Record, frozen=True, kw_only=True):
    """A label that was kept."""

    id: int
    label: str
    labelled_by: str
    verdict: str


@registry.command("findings", Role.READER)
async def findings(context: Context, arguments: FindingsArguments) -> list[FindingRow]:
    """What was found, the newest first."""
    hide = masking(context, arguments, "findings")
    return await context.aside(lambda: rows_of(context, _find(context, arguments), hide))


@registry.command("follow", Role.READER)
async def follow(context: Context, arguments: FindingsArguments) -> AsyncIterator[FindingRow]:
    """Findings as they come: the latest, and then each that is new or whose verdict changes."""
    hide = masking(context, arguments, "follow")
    known: dict[int, str] = {}
    while True:
        found = await context.aside(_find, context, arguments)
        news = [finding for finding in reversed(found) if known.get(finding.id) != finding.verdict]
        for row in await context.aside(rows_of, context, news, hide):
            yield row
        known = {finding.id: finding.verdict for finding in found}
        await asyncio.sleep(FOLLOW_S)


@registry.command("explain", Role.READER)
async def explain(context: Context, arguments: ExplainArguments) -> Explanation:
    """One call or finding in full, with the reasons of its verdict."""
    hide = masking(context, arguments, "explain")
    live = await live_calls(context.box.ask, limit=1, call_id=arguments.id)
    finding = await context.aside(context.box.store.get, arguments.id)
    if not live and finding is None:
        raise await unknown_id(context, arguments.id)
    line = live[0] if live else finding.line  # type: ignore[union-attr]
    return Explanation(
        id=finding.id if finding else None,
        origin="live" if live else "store",
        label=(await context.aside(context.box.store.labels_of, [finding.id])).get(finding.id) if finding else None,
        line=masked(line, hide),
    )


@registry.command("label", Role.ADMINISTRATOR)
async def label(context: Context, arguments: LabelArguments) -> Labelled:
    """Say what a finding turned out to be: fraud or honest."""
    finding = await context.aside(context.box.store.get, arguments.id)
    if finding is None:
        raise await unknown_id(context, arguments.id)
    try:
        kept = await context.aside(
            context.box.store.label, finding.id, arguments.label, context.peer.user, time.time_ns()
        )
    except StoreError as error:
        raise not_kept(error) from error
    log.info("a finding was labelled", finding=finding.id, label=arguments.label, by=context.peer.user)
    return Labelled(id=finding.id, label=kept.label, labelled_by=kept.labelled_by, verdict=kept.verdict)


def rows_of(context: Context, found: list[StoredFinding], hide: Mask) -> list[FindingRow]:
    labels = context.box.store.labels_of([finding.id for finding in found])
    return [finding_row(finding, hide, labels.get(finding.id)) for finding in found]


def not_kept(error: StoreError) -> AdminError:
    """Of what a person wanted to be kept."""
    return AdminError("store", str(error), "`sipwarden doctor` says how the store is")


def _find(context: Context, arguments: FindingsArguments) -> list[StoredFinding]:
    return context.box.store.find(
        kind=arguments.kind,
        verdict=arguments.verdict,
        fraud_type=arguments.fraud_type,
        number=arguments.number,
        source=arguments.source,
        since_ns=arguments.since_ns,
        before_id=arguments.before_id,
        limit=min(arguments.limit, MAX_ROWS),
    )


async def unknown_id(context: Context, wanted: str) -> AdminError:
    """With the ids that are near: of the latest findings, and of calls that are going on."""
    latest = await context.aside(context.box.store.find, limit=NEAR_FINDINGS)
    if wanted.isdecimal():
        near = [str(finding.id) for finding in latest if abs(finding.id - int(wanted)) <= 3][:3]
    else:
        near = get_close_matches(wanted, [finding.call_id for finding in latest if finding.call_id], n=3)
    hint = f"near it: {', '.join(near)}" if near else "`sipwarden findings` and `sipwarden calls` list what there is"
    return AdminError("unknown_id", f"there is no finding and no live call {wanted!r}", hint)
