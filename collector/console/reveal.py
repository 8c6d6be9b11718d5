"""The number behind a pseudonym: shown to an analyst who says why, and never without a line in the audit trail."""

from typing import Annotated

import msgspec
from litestar import Request, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import Body
from litestar.response import Template

from collector.console import query as asked
from collector.console.account import address_of
from collector.console.sessions import needs
from collector.errors import NumberKeyError
from collector.pseudonyms import PREFIX

MAX_WHY = 200


class RevealForm(msgspec.Struct):
    token: str = ""
    reason: str = ""


RevealData = Annotated[RevealForm, Body(media_type=RequestEncodingType.URL_ENCODED)]


@post("/reveal", guards=[needs("analyst")], status_code=200, sync_to_thread=True)
def reveal(request: Request, data: RevealData) -> Template:
    """The number. The audit trail has the pseudonym and the reason, not the number."""
    state = request.app.state
    token, reason = asked.typed(data.token, asked.MAX_TEXT), asked.typed(data.reason, MAX_WHY)
    if not reason or not token.startswith(PREFIX):
        raise ValidationException("a pseudonym and a reason are needed")
    try:
        number = state.numbers.reveal(token)
    except NumberKeyError as error:
        raise NotFoundException from error
    # first the line, then the number: what cannot be noted is not shown
    state.store.journal.audit(request.user.name, "number.reveal", token[:256], address_of(request), {"reason": reason})
    return Template("reveal.html", context={"token": token, "number": number, "reason": reason})


ROUTES = [reveal]
