"""What a HEP source keeps its door with: the key of the agents, and a certificate."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from appliance import log
from appliance.config import Hep
from appliance.errors import SettingError


@dataclass(frozen=True, slots=True)
class HepSecrets:
    """As the files of `[hep]` had them when they were read."""

    key: bytes | None  # None: any agent is believed
    tls: ssl.SSLContext | None  # None: TLS is not spoken

    @classmethod
    def read(cls, settings: Hep) -> "HepSecrets":
        """Raises SettingError when a key or a certificate cannot be used."""
        return cls(_key(settings.key_file), _tls(settings))


def _key(path: str) -> bytes | None:
    if not path:
        return None
    try:
        key = Path(path).read_bytes().strip()
    except OSError as error:
        raise SettingError("hep.key_file", f"{path} cannot be read: {error.strerror}") from error
    if not key:
        raise SettingError("hep.key_file", f"{path} is empty")
    return key


def _tls(settings: Hep) -> ssl.SSLContext | None:
    if not settings.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
        own = x509.load_pem_x509_certificate(Path(settings.tls_certificate).read_bytes())
    except (OSError, ssl.SSLError, ValueError) as error:
        raise SettingError("hep.tls_certificate", f"{settings.tls_certificate} cannot be used: {error}") from error
    begin, end = own.not_valid_before_utc, own.not_valid_after_utc
    if not begin <= datetime.now(UTC) < end:
        # whether that matters is for the agents to say: many never look
        log.warning(
            "the certificate for HEP is not valid now",
            certificate=settings.tls_certificate,
            begin=f"{begin:%Y-%m-%dT%H:%M:%SZ}",
            end=f"{end:%Y-%m-%dT%H:%M:%SZ}",
        )
    return context
