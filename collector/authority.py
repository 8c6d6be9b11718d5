"""The collector's small certificate authority (RFC 5280): one key, server and box certificates.

Two files in its folder: `ca.pem` (its certificate, then those above it, if it is an intermediate of the operator's own
authority) and `ca.key`. Without them an authority is made: ECDSA P-256, held by name constraints (4.2.1.10) to the
names of the collector and to names below BOX_DOMAIN, so that a box that trusts it for its collector has not trusted
it for the rest of the world. What a certificate request (CSR) says beside its public key is not looked at: names and
uses are the authority's to give.
"""

import hashlib
import ipaddress
import os
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from collector.errors import AuthorityError, RefusedError
from collector.store.fleet import Certificate

BOX_DOMAIN = "box.sipwarden.internal"  # a box's certificate is for NAME.box.sipwarden.internal
AUTHORITY_YEARS = 10
SERVER_DAYS = 365
RENEW_SERVER_DAYS = 60
BACKDATED = timedelta(hours=1)  # the clock of a box may be behind
MAX_CSR_BYTES = 8192
CURVES = (ec.SECP256R1, ec.SECP384R1)


class Authority:
    """Signs certificates. `chain` is what a peer must be shown, `root` the certificate that it must trust."""

    def __init__(self, certificates: list[x509.Certificate], key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificates[0]
        self._key = key
        self._chain = certificates[:-1] if len(certificates) > 1 else []
        self.root = certificates[-1]

    @classmethod
    def open(cls, folder: Path, names: Sequence[str]) -> "Authority":
        """The authority in `folder`; made for a collector of these names when there is none. Raises AuthorityError."""
        certificate, key = folder / "ca.pem", folder / "ca.key"
        if not certificate.exists() and not key.exists():
            _make(folder, names)
        try:
            certificates = x509.load_pem_x509_certificates(certificate.read_bytes())
            loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise AuthorityError(f"the certificate authority in {folder} cannot be read: {error}") from error
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise AuthorityError(f"{key}: the authority's key must be ECDSA")
        if loaded.public_key() != certificates[0].public_key():
            raise AuthorityError(f"{key} is not the key of the first certificate in {certificate}")
        return cls(certificates, loaded)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the root certificate (DER), lower-case hex: what an enrolment token pins."""
        return hashlib.sha256(self.root.public_bytes(serialization.Encoding.DER)).hexdigest()

    @property
    def root_pem(self) -> str:
        return pem(self.root)

    def box_certificate(self, csr_pem: str, box: str, days: int) -> tuple[str, Certificate]:
        """A client certificate for `box` with the key of a request: (PEM with its chain, row of it).

        The row's `box_id` is 0: the store knows it. Raises RefusedError for a request that is none.
        """
        request = _request(csr_pem, box)
        name = f"{box}.{BOX_DOMAIN}"
        certificate = self._sign(request.public_key(), box, [name], days, ExtendedKeyUsageOID.CLIENT_AUTH)
        row = Certificate(
            serial=serial_text(certificate.serial_number),
            box_id=0,
            not_before_ns=_ns(certificate.not_valid_before_utc),
            not_after_ns=_ns(certificate.not_valid_after_utc),
            revoked_ns=None,
            reason=None,
        )
        return "".join(pem(each) for each in (certificate, *self._chain)), row

    def server_certificate(self, folder: Path, names: Sequence[str]) -> tuple[Path, Path]:
        """(certificate, key) files for the collector itself in `folder`, made anew when they are missing, near their
        end, or for other names. Raises AuthorityError for names that the authority may not vouch for."""
        self._check(names)
        certificate_file, key_file = folder / "server.pem", folder / "server.key"
        if not _good_server(certificate_file, key_file, names):
            key = ec.generate_private_key(ec.SECP256R1())
            made = self._sign(key.public_key(), names[0], names, SERVER_DAYS, ExtendedKeyUsageOID.SERVER_AUTH)
            write_private(key_file, _private_pem(key))
            certificate_file.write_text("".join(pem(each) for each in (made, *self._chain)))
        return certificate_file, key_file

    def _check(self, names: Sequence[str]) -> None:
        try:
            constraints = self._certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            return
        permitted = constraints.permitted_subtrees or []
        wrong = [name for name in names if _constraint(name) not in permitted]
        if wrong:
            raise AuthorityError(
                f"the authority was made for other names than {', '.join(wrong)}: take the names of before, give the "
                "collector a certificate of your own, or begin with a new authority and enrol every box again"
            )

    def _sign(
        self, key: object, common_name: str, names: Sequence[str], days: int, usage: x509.ObjectIdentifier
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        end = min(now + timedelta(days=days), self._certificate.not_valid_after_utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])]))
            .issuer_name(self._certificate.subject)
            .public_key(key)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - BACKDATED, self._certificate.not_valid_before_utc))
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)  # type: ignore[arg-type]
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())


def server_context(certificate: Path, key: Path, client_root: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer for the collector's side; with `client_root` (PEM), only for clients whose certificate it
    vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    if client_root is not None:
        context.load_verify_locations(cadata=client_root)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def serial_text(serial: int) -> str:
    """A serial number as the store has it: hex, 40 digits at most (RFC 5280 4.1.2.2: 20 octets)."""
    return f"{serial:x}"


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _make(folder: Path, names: Sequence[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    # The name is unlike that of any other collector's: a trust store finds issuers by name.
    common_name = f"sipwarden collector {os.urandom(4).hex()}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    permitted = [_constraint(each) for each in names] + [x509.DNSName(BOX_DOMAIN)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=365 * AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    try:
        write_private(folder / "ca.key", _private_pem(key))
        (folder / "ca.pem").write_text(pem(certificate))
    except OSError as error:
        raise AuthorityError(f"cannot make a certificate authority in {folder}: {error.strerror}") from error


def _request(csr_pem: str, box: str) -> x509.CertificateSigningRequest:
    if len(csr_pem) > MAX_CSR_BYTES:
        raise RefusedError(413, "too_large", "the certificate request is too large", box=box)
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        key = request.public_key()
        good = request.is_signature_valid
    except (ValueError, InvalidSignature, TypeError) as error:
        raise RefusedError(400, "malformed", "not a certificate request (PKCS #10, PEM)", box=box) from error
    if not good:
        raise RefusedError(400, "malformed", "the certificate request is not signed with its own key", box=box)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, CURVES):
        raise RefusedError(400, "malformed", "the key must be ECDSA on P-256 or P-384", box=box)
    return request


def _good_server(certificate_file: Path, key_file: Path, names: Sequence[str]) -> bool:
    """Whether both are there, belong together (they are written one after the other), and will do for a while."""
    try:
        found = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        given = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    if key.public_key() != found.public_key():
        return False
    left = found.not_valid_after_utc - datetime.now(UTC)
    return left > timedelta(days=RENEW_SERVER_DAYS) and set(given) == {_general_name(name) for name in names}


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _constraint(name: str) -> x509.GeneralName:
    """A name as a subtree: an address is a network of one."""
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9
