"""What the box is to its collector: a private key made here that never leaves, and the certificate for it.

Two files in a folder of their own: `box.pem` (the key, then the certificate and its chain; readable by the service
alone; one file, so that key and certificate cannot come apart) and `collector.json` (where to report, whom to trust).
"""

import os
import ssl
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.errors import IdentityError

KEY_FILE = "box.pem"
COLLECTOR_FILE = "collector.json"
RENEW_AFTER = 2 / 3  # of a certificate's life


class Collector(msgspec.Struct, frozen=True):
    """The collector as enrolment left it: its address, the root (PEM) that vouches for it, and our name there."""

    url: str
    ca: str
    box: str


class Request:
    """A new key and the certificate request (PKCS #10) for it."""

    def __init__(self, box: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, box)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self._key, hashes.SHA256())
        self.csr = request.public_bytes(serialization.Encoding.PEM).decode()

    def key_with(self, certificate: str) -> bytes:
        """The key and its certificate, PEM. Raises IdentityError when the certificate is for another key."""
        try:
            given = x509.load_pem_x509_certificate(certificate.encode())
        except ValueError as error:
            raise IdentityError("the collector's answer has no certificate in it") from error
        if given.public_key() != self._key.public_key():
            raise IdentityError("the collector's certificate is for another key")
        key = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key + certificate.encode()


class Identity:
    """The identity in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def exists(self) -> bool:
        """Whether the box was enrolled."""
        return (self._folder / COLLECTOR_FILE).exists()

    def collector(self) -> Collector:
        """Where to report. Raises IdentityError."""
        path = self._folder / COLLECTOR_FILE
        try:
            return msgspec.json.decode(path.read_bytes(), type=Collector)
        except OSError as error:
            raise IdentityError(f"{path} cannot be read: {error.strerror}") from error
        except msgspec.DecodeError as error:
            raise IdentityError(f"{path} is not what enrolment wrote: enrol the box again") from error

    def context(self, ca: str) -> ssl.SSLContext:
        """TLS with our certificate, to whom `ca` (PEM) vouches for. Raises IdentityError."""
        context = trusting(ca)
        try:
            context.load_cert_chain(self._folder / KEY_FILE)
        except (OSError, ssl.SSLError) as error:
            raise IdentityError(f"{self._folder / KEY_FILE} cannot be used: {error}") from error
        return context

    def renewal_due(self, now: datetime | None = None) -> bool:
        """Whether two thirds of the certificate's life are over."""
        start, end = self.validity()
        return (now or datetime.now(UTC)) >= start + (end - start) * RENEW_AFTER

    def validity(self) -> tuple[datetime, datetime]:
        """First and last moment of the certificate. Raises IdentityError."""
        path = self._folder / KEY_FILE
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError) as error:
            raise IdentityError(f"{path} cannot be used: {error}") from error
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc

    def save(self, key_and_certificate: bytes, collector: Collector) -> None:
        """Replaces the identity; a crash in between leaves the old one or the new one. Raises IdentityError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            owner = self._folder.parent.stat()
            _write(self._folder / KEY_FILE, key_and_certificate, owner)
            _write(self._folder / COLLECTOR_FILE, msgspec.json.encode(collector), owner)
            if os.geteuid() == 0:
                os.chown(self._folder, owner.st_uid, owner.st_gid)
        except OSError as error:
            raise IdentityError(f"cannot write in {self._folder}: {error.strerror}") from error


def trusting(ca: str | None) -> ssl.SSLContext:
    """TLS to a server for whom `ca` (PEM) vouches, or the system's authorities where it is None."""
    try:
        context = ssl.create_default_context(cadata=ca)
    except ssl.SSLError as error:
        raise IdentityError(f"the certificate of the authority cannot be used: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _write(path: Path, data: bytes, owner: os.stat_result) -> None:
    """Writes a file for its owner alone, whole or not at all. Root writes it for the service's account."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        if os.geteuid() == 0:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
