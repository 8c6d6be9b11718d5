"""The application that a box without a certificate talks to: the authority's root, and enrolment by a token.

A token is `SECRET.FINGERPRINT`: the secret is good once and for a time, the fingerprint is that of the authority's
root. The box fetches the root, compares, and from then on talks to nobody whom the root does not vouch for. So a token
that was read over the telephone, or pasted, is all that a box needs to be told.
"""

import math
import secrets

import msgspec
from litestar import Litestar, MediaType, Request, get, post
from litestar.concurrency import sync_to_thread

from appliance.report import BoxName
from collector.authority import Authority
from collector.config import Config
from collector.errors import BusyError, RefusedError
from collector.ingest import Issued, in_store, read_body, report_url
from collector.limits import Buckets, network_of
from collector.problem import EXCEPTION_HANDLERS
from collector.refusals import Strangers
from collector.store.store import Store

SECRET_BYTES = 18
MAX_BODY = 16384


class Enrolment(msgspec.Struct, frozen=True):
    """What a box asks for: `token` is the secret of the token, `csr` its certificate request (PKCS #10, PEM)."""

    token: str
    box: BoxName
    csr: str


_decoder = msgspec.json.Decoder(Enrolment)


def make_token(authority: Authority) -> tuple[str, str]:
    """(token, its secret) of a new enrolment token."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return f"{secret}.{authority.fingerprint}", secret


@get("/v1/ca", media_type=MediaType.TEXT)
async def root(request: Request) -> str:
    """The certificate of the authority's root, PEM."""
    return request.app.state.authority.root_pem


@post("/v1/enrol", status_code=200)
async def enrol(request: Request) -> Issued:
    """A first certificate for a token. A token whose request is refused is not used up."""
    state = request.app.state
    address = request.client.host if request.client else ""
    if wait := state.attempts.take(network_of(address)):
        raise BusyError(429, math.ceil(wait), "too many attempts from this address")
    body = await read_body(request, MAX_BODY, None)
    try:
        wanted = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise RefusedError(400, "malformed", f"not an enrolment: {error}") from error
    certificate, row = await sync_to_thread(
        state.authority.box_certificate, wanted.csr, wanted.box, state.config.tls.box_days
    )
    await in_store(state.store.fleet.enrol, wanted.token, wanted.box, row, address)
    return Issued(certificate, state.authority.root_pem, report_url(state.config), wanted.box)


def enrolment_app(config: Config, store: Store, authority: Authority, refusals: Strangers) -> Litestar:
    """The application behind the listener that takes anybody."""
    app = Litestar(
        [root, enrol],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MAX_BODY,
    )
    per_minute = config.enrolment.attempts_per_minute
    app.state.update(
        config=config,
        store=store,
        authority=authority,
        refusals=refusals,
        attempts=Buckets(per_minute / 60, per_minute),
    )
    return app
