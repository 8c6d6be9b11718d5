"""The commands about the lists: numbers and sources that are allowed, and those that are to be denied."""

import time
from typing import Annotated

from msgspec import Meta

from appliance import log
from appliance.admin.commands_findings import not_kept
from appliance.admin.errors import AdminError
from appliance.admin.party import Party
from appliance.admin.peer import Role
from appliance.admin.registry import Arguments, Context, registry
from appliance.admin.rows import Mask, Unmaskable, masking
from appliance.errors import PartyError, StoreError
from appliance.findings import moment
from appliance.report import Record
from appliance.storage.store import ListEntry, ListName

MAX_DENIAL_S = 30 * 86400  # every block expires: who blocks for longer looks again
MAX_SPAN_S = 10 * 365 * 86400  # for longer there is "always"
MAX_WHY_CHARACTERS = 500

Seconds = Annotated[int, Meta(ge=1, le=MAX_SPAN_S)]
Why = Annotated[str, Meta(min_length=1, max_length=MAX_WHY_CHARACTERS)]


class EntryRow(Record, frozen=True, kw_only=True):
    """An entry of a list."""

    value: str
    kind: str  # number, range, source or network
    added: str
    added_by: str
    expires: str | None  # None: never
    why: str


class DecisionRow(EntryRow, frozen=True, kw_only=True):
    """A denial, and what it does now."""

    action: str = "deny"
    effect: str


class AddArguments(Unmaskable, frozen=True, kw_only=True):
    """`value`: a number, a range of numbers (+4420*), an address or a network; `for_s`: None until it is
    deleted."""

    value: str
    why: Why
    for_s: Seconds | None = None


class DeleteArguments(Arguments, frozen=True, kw_only=True):
    """`value`: as it was added."""

    value: str


@registry.command("allow.list", Role.READER)
async def allow_list(context: Context, arguments: Unmaskable) -> list[EntryRow]:
    """The numbers and sources whose calls are never reported as fraud."""
    hide = masking(context, arguments, "allow list")
    return [EntryRow(**_fields(entry, hide)) for entry in await _entries(context, "allow")]


@registry.command("allow.add", Role.ADMINISTRATOR)
async def allow_add(context: Context, arguments: AddArguments) -> EntryRow:
    """Allow a number, a range, a source or a network."""
    entry = await _add(context, "allow", _party(arguments.value), arguments)
    return EntryRow(**_fields(entry, masking(context, arguments, "allow add")))


@registry.command("allow.delete", Role.ADMINISTRATOR)
async def allow_delete(context: Context, arguments: DeleteArguments) -> None:
    """Take an entry off the allow list."""
    await _delete(context, "allow", arguments.value)


@registry.command("decisions.list", Role.READER)
async def decisions_list(context: Context, arguments: Unmaskable) -> list[DecisionRow]:
    """The numbers and sources that are to be denied, and until when."""
    hide = masking(context, arguments, "decisions list")
    mode = context.box.status().mode
    return [_decision_row(entry, hide, mode) for entry in await _entries(context, "deny")]


@registry.command("decisions.add", Role.ADMINISTRATOR)
async def decisions_add(context: Context, arguments: AddArguments) -> DecisionRow:
    """Decide that a number, a range, a source or a network is to be denied for a time."""
    hide = masking(context, arguments, "decisions add")
    if arguments.for_s is None or arguments.for_s > MAX_DENIAL_S:
        days = MAX_DENIAL_S // 86400
        raise AdminError("arguments", f"a denial expires after {days} days at most", f"--for 24h, up to --for {days}d")
    party = _party(arguments.value)
    problem = await context.aside(party.why_never_denied, context.box.config.screen.region)
    if problem:
        raise AdminError("never_denied", f"{party.value} cannot be denied: {problem}")
    return _decision_row(await _add(context, "deny", party, arguments), hide, context.box.status().mode)


@registry.command("decisions.delete", Role.ADMINISTRATOR)
async def decisions_delete(context: Context, arguments: DeleteArguments) -> None:
    """Take a decision back."""
    await _delete(context, "deny", arguments.value)


def _party(value: str) -> Party:
    try:
        return Party.read(value)
    except PartyError as error:
        raise AdminError("arguments", str(error), "such as +442079460123, +4420*, 192.0.2.7 or 192.0.2.0/24") from error


async def _entries(context: Context, name: ListName) -> list[ListEntry]:
    return await context.aside(context.box.store.entries, name)


async def _add(context: Context, name: ListName, party: Party, arguments: AddArguments) -> ListEntry:
    now_ns = time.time_ns()
    entry = ListEntry(
        list=name,
        value=party.value,
        added_by=context.peer.user,
        added_ns=now_ns,
        why=arguments.why,
        expires_ns="never" if arguments.for_s is None else now_ns + arguments.for_s * 10**9,
    )
    try:
        await context.aside(context.box.store.add_entry, entry)
    except StoreError as error:
        raise not_kept(error) from error
    await context.box.lists_changed()
    who = {party.kind: party.value}  # by its kind: the log hides numbers, and shows networks
    log.info("an entry was added", list=name, **who, by=context.peer.user, seconds=arguments.for_s)
    return entry


async def _delete(context: Context, name: ListName, value: str) -> None:
    party = _party(value)
    try:
        deleted = await context.aside(context.box.store.delete_entry, name, party.value)
    except StoreError as error:
        raise not_kept(error) from error
    if not deleted:
        listing = "allow list" if name == "allow" else "decisions list"
        raise AdminError("unknown_id", f"{party.value} is not listed", f"`sipwarden {listing}` says what is")
    await context.box.lists_changed()
    log.info("an entry was deleted", list=name, **{party.kind: party.value}, by=context.peer.user)


def _fields(entry: ListEntry, hide: Mask) -> dict:
    party = Party.read(entry.value)
    return {
        "value": hide(entry.value) if party.kind == "number" else entry.value,
        "kind": party.kind,
        "added": moment(entry.added_ns),
        "added_by": entry.added_by,
        "expires": None if entry.expires_ns == "never" else moment(entry.expires_ns),
        "why": entry.why,
    }


def _decision_row(entry: ListEntry, hide: Mask, mode: str) -> DecisionRow:
    effect = "none: the box only observes" if mode == "observe" else "in force"
    return DecisionRow(**_fields(entry, hide), effect=effect)
