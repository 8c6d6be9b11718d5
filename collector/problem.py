"""Refusals as the sender sees them: problem details (RFC 9457), each with a reason that a program can read."""

import math
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from collector.errors import BusyError, RefusedError

PROBLEM_JSON = "application/problem+json"

# reason -> title. The reason is the last part of `type` and what events are filed under.
REASONS = {
    "malformed": "The request is not what it should be",
    "schema": "The schema of the batch is not read here",
    "encoding": "The encoding of the body is not read here",
    "too_large": "The request is too large",
    "too_slow": "The request took too long to arrive",
    "sequence": "The sequence numbers cannot be",
    "other_box": "The batch is not of the box of the certificate",
    "clock": "The clock of the box is wrong",
    "revoked": "The box is revoked",
    "unknown_certificate": "The certificate is not known",
    "token_unknown": "The enrolment token is not known",
    "token_used": "The enrolment token was used before",
    "token_expired": "The enrolment token has expired",
    "token_other_box": "The enrolment token is for another box",
    "box_exists": "There is a box of this name",
    "token": "There is no good token",
    "scope": "The token does not open this",
    "not_found": "There is no such thing",
    "method": "The method is not one of this address",
    "conflict": "It cannot be done as things are",
    "number_key": "The number cannot be revealed",
    "failed": "The collector failed",
    "limited": "Too much at once",
    "busy": "The collector is busy",
}
_OF_STATUS = {400: "malformed", 408: "too_slow", 413: "too_large", 415: "encoding", 429: "limited"}


def problem(status: int, reason: str, detail: str, headers: dict[str, str] | None = None, **members: Any) -> Response:
    """A problem details response."""
    content = {
        "type": f"urn:sipwarden:problem:{reason}",
        "title": REASONS.get(reason, "The request failed"),
        "status": status,
        "detail": detail,
        **members,
    }
    return Response(content, status_code=status, headers=headers, media_type=PROBLEM_JSON)


def on_refused(request: Request, error: RefusedError) -> Response:
    """What was wrong with the request; noted as an event."""
    request.app.state.refusals.note(error, request.client.host if request.client else None)
    return problem(error.status, error.reason, error.detail)


def on_busy(_request: Request, error: BusyError) -> Response:
    """Nothing was wrong: come again later."""
    reason = "limited" if error.status == 429 else "busy"
    return problem(error.status, reason, str(error), {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))})


def on_http_error(request: Request, error: HTTPException) -> Response:
    """The framework's own refusals: no such path, a body too large, a body that is not of its schema."""
    reason = _OF_STATUS.get(error.status_code)
    if reason is None:
        return problem(error.status_code, "malformed" if error.status_code < 500 else "busy", error.detail)
    return on_refused(request, RefusedError(error.status_code, reason, error.detail))


def on_unreadable(request: Request, _error: Exception) -> Response:
    """JSON that is not UTF-8, or nested too deeply: decoders do not say it as an error of their own."""
    return on_refused(request, RefusedError(400, "malformed", "the body is not JSON in UTF-8"))


EXCEPTION_HANDLERS: dict[Any, Any] = {
    RefusedError: on_refused,
    BusyError: on_busy,
    UnicodeDecodeError: on_unreadable,
    RecursionError: on_unreadable,
    HTTPException: on_http_error,
}
