"""Refusals of the API: problem details (RFC 9457). A route names the statuses that it can answer with."""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from sqlalchemy.exc import OperationalError

from collector.errors import BusyError, ConflictError, NotFoundError, RefusedError
from collector.problem import PROBLEM_JSON, on_busy, problem
from collector.store.database import first_line
from collector.writer import RETRY_AFTER_DOWN_S

log = logging.getLogger("collector.api")

WHEN = {
    400: "A parameter or the body is not what it should be.",
    401: "There is no good token.",
    403: "The token has not the scope.",
    404: "There is nothing of this name or id.",
    409: "It cannot be done as things are.",
    413: "The body is too large.",
    429: "Too much at once: `Retry-After` says when to come back.",
    500: "The collector failed; its log says why.",
    503: "The store cannot be reached: `Retry-After` says when to come back.",
}
_REASONS = {400: "malformed", 401: "token", 403: "scope", 404: "not_found", 405: "method", 413: "too_large"}


class Problem(msgspec.Struct, frozen=True):
    """Problem details. `type` is `urn:sipwarden:problem:` and a word for programs, `detail` a sentence for people."""

    type: str
    title: str
    status: int
    detail: str


def responses(*statuses: int) -> dict[int, ResponseSpec]:
    """What a route's description says of some statuses."""
    return {
        status: ResponseSpec(Problem, generate_examples=False, description=WHEN[status], media_type=PROBLEM_JSON)  # type: ignore[arg-type]
        for status in statuses
    }


def _on_http_error(_request: Request, error: HTTPException) -> Response:
    reason = _REASONS.get(error.status_code, "failed" if error.status_code >= 500 else "malformed")
    headers = {name.title(): value for name, value in (error.headers or {}).items()}
    return problem(error.status_code, reason, _detail(error), headers)


def _detail(error: HTTPException) -> str:
    """What is wrong with which parameter. The framework's own sentence repeats the address, which may hold numbers."""
    extra: Any = getattr(error, "extra", None)
    found = [
        f"{each['key']}: {each['message']}" if "key" in each else str(each.get("message"))
        for each in (extra if isinstance(extra, list) else [])
        if isinstance(each, Mapping)
    ]
    return "; ".join(found) or error.detail


def _on_unreadable(_request: Request, _error: Exception) -> Response:
    """litestar lets these through from a body that is not UTF-8, or nested too deeply."""
    return problem(400, "malformed", "the body is not JSON in UTF-8")


def _on_refused(_request: Request, error: RefusedError) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return problem(error.status, error.reason, error.detail, headers)


def _on_missing(_request: Request, error: NotFoundError) -> Response:
    return problem(404, "not_found", str(error))


def _on_conflict(_request: Request, error: ConflictError) -> Response:
    return problem(409, "conflict", str(error))


def _on_store_away(request: Request, error: OperationalError) -> Response:
    log.error("api_store_away error=%r", first_line(error))
    return on_busy(request, BusyError(503, RETRY_AFTER_DOWN_S, "the store cannot be reached"))


def _on_failure(_request: Request, error: Exception) -> Response:
    log.error("api_failed", exc_info=error)
    return problem(500, "failed", "the collector failed")


EXCEPTION_HANDLERS: dict[Any, Any] = {
    BusyError: on_busy,
    RefusedError: _on_refused,
    NotFoundError: _on_missing,
    ConflictError: _on_conflict,
    OperationalError: _on_store_away,
    UnicodeDecodeError: _on_unreadable,
    RecursionError: _on_unreadable,
    HTTPException: _on_http_error,
    Exception: _on_failure,
}
