"""`sipwarden enroll URL --token T`: the box gets its certificate from a collector.

The token pins the collector's root certificate: it is fetched from an unknown peer, compared, and only a server for
which that root vouches is then told the secret. The private key is made here and not sent.
"""

import hashlib
import re
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import httpx
import msgspec

from appliance.config import load
from appliance.errors import ApplianceError, IdentityError
from appliance.exit import Exit, complain
from appliance.report import BoxName
from appliance.reporting.identity import Collector, Identity, Request, trusting

TIMEOUT_S = 30.0
MAX_CA_BYTES = 65536


class Issued(msgspec.Struct, frozen=True):
    """What a collector gives: a certificate with its chain, its root (PEM), where to report, and our name there."""

    certificate: str
    ca: str
    url: str
    box: str


def run(url: str, token: str, name: str | None, ca_file: Path | None, config_path: Path | None) -> Exit:
    """Enrols the box; `token` may be `-` for standard input, so that it is in no process list."""
    try:
        config = load(config_path)
        secret, fingerprint = split_token(sys.stdin.readline().strip() if token == "-" else token)
        identity = Identity(config.identity_dir)
        box = box_name(name or socket.gethostname())
        proxy = config.collector.proxy or None
        ca = _read_ca(ca_file) if ca_file else fetch_ca(url, fingerprint, proxy)
        issued = enroll(url, secret, box, ca, proxy, identity)
    except ApplianceError as error:
        complain(error)
        return Exit.UNUSABLE
    until = identity.validity()[1]
    print(f"enrolled as {issued.box}; reports go to {issued.url}; the certificate is good until {until:%Y-%m-%d}")
    return Exit.DONE


def enroll(url: str, secret: str, box: str, ca: str, proxy: str | None, identity: Identity) -> Issued:
    """Asks for a certificate and saves it. Raises IdentityError."""
    request = Request(box)
    body = {"token": secret, "box": box, "csr": request.csr}
    with httpx.Client(verify=trusting(ca), proxy=proxy, trust_env=False, timeout=TIMEOUT_S) as client:
        answer = _ask(client, "POST", f"{url.rstrip('/')}/v1/enrol", json=body)
    issued = read_issued(answer.content)
    identity.save(request.key_with(issued.certificate), Collector(url=issued.url, ca=issued.ca, box=issued.box))
    return issued


def read_issued(content: bytes) -> Issued:
    """A collector's answer. Raises IdentityError."""
    try:
        return msgspec.json.decode(content, type=Issued)
    except msgspec.DecodeError as error:
        raise IdentityError(f"the collector's answer is not one: {error}") from error


def fetch_ca(url: str, fingerprint: str, proxy: str | None) -> str:
    """The collector's root certificate (PEM), from whoever answers, if it has the fingerprint. Raises IdentityError."""
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    with httpx.Client(verify=anybody, proxy=proxy, trust_env=False, timeout=TIMEOUT_S) as client:
        answer = _ask(client, "GET", f"{url.rstrip('/')}/v1/ca")
    if len(answer.content) > MAX_CA_BYTES:
        raise IdentityError("the collector's root certificate is too large to be one")
    try:
        der = ssl.PEM_cert_to_DER_cert(answer.text)
    except ValueError as error:
        raise IdentityError("the collector's root certificate is not one") from error
    if hashlib.sha256(der).hexdigest() != fingerprint:
        raise IdentityError(
            "who answers is not the collector that the token is from: its root certificate has another fingerprint"
        )
    return answer.text


def split_token(token: str) -> tuple[str, str]:
    """(secret, fingerprint of the root certificate). Raises IdentityError."""
    secret, dot, fingerprint = token.rpartition(".")
    if not dot or not secret or not re.fullmatch(r"[0-9a-f]{64}", fingerprint):
        raise IdentityError("not an enrolment token: `sipwarden-collector token create` makes one")
    return secret, fingerprint


def box_name(name: str) -> str:
    """A name for the box in the form of a DNS label. Raises IdentityError."""
    label = name.partition(".")[0].lower().replace("_", "-")
    try:
        return msgspec.convert(label, BoxName)
    except msgspec.ValidationError as error:
        raise IdentityError(
            f"{label!r} is not a name for a box (letters, digits, hyphens): choose one with --name"
        ) from error


def _ask(client: httpx.Client, method: str, url: str, **options: Any) -> httpx.Response:
    if not url.startswith("https://"):
        raise IdentityError(f"{url}: expected a URL that begins with https://: a token is not sent in the clear")
    try:
        answer = client.request(method, url, **options)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise IdentityError(f"{url} cannot be reached: {error or type(error).__name__}") from error
    if answer.status_code != httpx.codes.OK:
        raise IdentityError(f"the collector refused: {problem_text(answer)}")
    return answer


def problem_text(answer: httpx.Response) -> str:
    """What a collector says of a refusal (RFC 9457), else the status."""
    try:
        detail = answer.json()["detail"]
        return f"{detail} (status {answer.status_code})"
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"


def _read_ca(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise IdentityError(f"{path} cannot be read: {error}") from error
