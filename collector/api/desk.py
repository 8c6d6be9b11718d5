"""What happened and who did it: events, the audit trail, accounts, and numbers behind pseudonyms."""

from typing import Literal

from litestar import Request, post
from litestar.params import FromQuery, JSONBody

from collector.api import parameters as asked
from collector.api.access import actor_of, address_of, opened_by, reads
from collector.api.cursor import decode
from collector.api.parameters import Cursor, Limit, Text
from collector.api.schemas import Account, AuditEntry, Event, Listed, Number, Pseudonym, listed
from collector.errors import NumberKeyError, RefusedError
from collector.pseudonyms import clean
from collector.store.paging import DEFAULT_LIMIT

MAX_REASON = 200


@reads("/events", "events:read")
def list_events(
    request: Request,
    kind: FromQuery[Literal["refused", "enrolled"] | None] = None,
    box: Text = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listed[Event]:
    """What was refused and from whom, and who was enrolled; newest first."""
    page = request.app.state.store.journal.events(kind, asked.text(box), decode(cursor), limit)
    return listed(page, Event.of)


@reads("/audit", "audit:read")
def list_audit(
    request: Request,
    actor: Text = None,
    subject: Text = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listed[AuditEntry]:
    """Who did what, newest first."""
    journal = request.app.state.store.journal
    page = journal.audit_trail(asked.text(actor), asked.text(subject), decode(cursor), limit)
    return listed(page, AuditEntry.of)


@reads("/accounts", "accounts:read")
def list_accounts(request: Request, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Listed[Account]:
    """The accounts of the console, by name. They are made and changed there, by people."""
    return listed(request.app.state.store.accounts.users(decode(cursor), limit), Account.of)


@post("/numbers/reveal", status_code=200, **opened_by("numbers:reveal", 409, 413))
def reveal_number(request: Request, data: JSONBody[Pseudonym]) -> Number:
    """The number behind a pseudonym. It goes into the audit trail, also when there is none."""
    state = request.app.state
    subject = clean(data.pseudonym, 256)
    reason = clean(data.reason.strip(), MAX_REASON) if data.reason else ""
    detail = {"reason": reason} if reason else None
    try:
        number = state.numbers.reveal(data.pseudonym)
    except NumberKeyError as error:
        state.store.journal.audit(actor_of(request), "number.reveal.refused", subject, address_of(request), detail)
        raise RefusedError(409, "number_key", str(error)) from error
    state.store.journal.audit(actor_of(request), "number.reveal", subject, address_of(request), detail)
    return Number(number=number)


ROUTES = [list_events, list_audit, list_accounts, reveal_number]
