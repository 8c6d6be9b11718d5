"""The commands about what was found: listing, following, explaining, labelling."""

import time
from collections.abc import AsyncIterator
from difflib import get_close_matches
from typing import Any, Literal

from msgspec import structs

from appliance import log
from appliance.admin.commands_calls import Limit, address
from appliance.admin.errors import AdminError
from appliance.admin.following import following
from appliance.admin.live_calls import live_calls
from appliance.admin.peer import Role
from appliance.admin.registry import Arguments, Context, Natural, registry
from appliance.admin.rows import FindingRow, Mask, Unmaskable, finding_row, masked, masking
from appliance.admin.stored import each
from appliance.errors import StoreError
from appliance.report import Record, StoredVerdict
from models.fraud_types import FraudType

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
    return await context.aside(_rows, context, arguments, hide)


@registry.command("follow", Role.READER)
async def follow(context: Context, arguments: FindingsArguments) -> AsyncIterator[FindingRow]:
    """Findings as they come: the latest, and then each that is new or whose verdict changes."""
    hide = masking(context, arguments, "follow")
    rows = following(
        lambda: context.aside(_rows, context, arguments, hide), lambda row: row.id, lambda row: row.verdict
    )
    async for row in rows:
        yield row


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


def _rows(context: Context, arguments: FindingsArguments, hide: Mask) -> list[FindingRow]:
    wanted = structs.asdict(arguments)
    del wanted["unmasked"]
    wanted["source"] = address(arguments.source)
    rows = [finding_row(finding, hide) for finding in each(context.box.store, **wanted)]
    labels = context.box.store.labels_of([row.id for row in rows])
    return [structs.replace(row, label=labels.get(row.id)) for row in rows]


def not_kept(error: StoreError) -> AdminError:
    """Of what a person wanted to be kept."""
    return AdminError("store", str(error), "`sipwarden doctor` says how the store is")


async def unknown_id(context: Context, wanted: str) -> AdminError:
    """With the ids that are near: of the latest findings, and of calls that are going on."""
    latest = await context.aside(lambda: [(one.id, one.call_id) for one in each(context.box.store, NEAR_FINDINGS)])
    if wanted.isdecimal():
        near = [str(number) for number, _ in latest if abs(number - int(wanted)) <= 3][:3]
    else:
        near = get_close_matches(wanted, [call_id for _, call_id in latest if call_id], n=3)
    hint = f"near it: {', '.join(near)}" if near else "`sipwarden findings` and `sipwarden calls` list what there is"
    return AdminError("unknown_id", f"there is no finding and no live call {wanted!r}", hint)
