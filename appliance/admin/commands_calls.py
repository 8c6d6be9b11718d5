"""The commands about calls that are going on."""

import ipaddress
from collections.abc import AsyncIterator
from typing import Annotated

from msgspec import Meta

from appliance.admin.errors import AdminError
from appliance.admin.following import following
from appliance.admin.live_calls import live_calls
from appliance.admin.peer import Role
from appliance.admin.protocol import MAX_ROWS
from appliance.admin.registry import Context, registry
from appliance.admin.rows import CallRow, Mask, Unmaskable, call_row, masking
from appliance.report import State

Limit = Annotated[int, Meta(ge=1, le=MAX_ROWS)]


class CallsArguments(Unmaskable, frozen=True, kw_only=True):
    """`number`: of the caller or callee; `source`: the address of the INVITE."""

    state: State | None = None
    number: str | None = None
    source: str | None = None
    limit: Limit = 50


@registry.command("calls", Role.READER)
async def calls(context: Context, arguments: CallsArguments) -> list[CallRow]:
    """The calls that are going on, those that began last first."""
    return await _rows(context, arguments, masking(context, arguments, "calls"))


@registry.command("calls.follow", Role.READER)
async def follow(context: Context, arguments: CallsArguments) -> AsyncIterator[CallRow]:
    """Calls as they come: those that are going on, and then each that is new or whose state or verdict changes."""
    hide = masking(context, arguments, "calls.follow")
    rows = following(
        lambda: _rows(context, arguments, hide),
        lambda row: (row.call_id, row.start),
        lambda row: (row.state, row.verdict),
    )
    async for row in rows:
        yield row


def address(source: str | None) -> str | None:
    """`--source` as reports have addresses. Raises AdminError when it is none."""
    try:
        return None if source is None else str(ipaddress.ip_address(source))
    except ValueError as error:
        raise AdminError("arguments", f"--source: {error}", "give an IP address, without a port") from error


async def _rows(context: Context, arguments: CallsArguments, hide: Mask) -> list[CallRow]:
    lines = await live_calls(
        context.box.ask,
        limit=arguments.limit,
        state=arguments.state,
        number=arguments.number,
        source=address(arguments.source),
    )
    return [call_row(line, hide) for line in lines]
