"""Who vouches for a bundle: an Ed25519 signature (RFC 8032) beside it, in `bundle.sig`.

What is signed is bundle.toml, behind a prefix that keeps a signature from being taken for one of anything else. The
card has the SHA-256 of numbers.json and of model.tflite, so one signature holds for the whole bundle. Keys are PEM
files, as `openssl genpkey -algorithm ed25519` makes them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from models.bundle import CARD_FILE, read_file
from models.errors import KeyFileError, SignatureError

SIGNATURE_FILE = "bundle.sig"
DOMAIN = b"sipwarden bundle v1\n"
KEY_ID_DIGITS = 16


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """bundle.sig, as JSON."""

    key: str  # id of the public key: see `key_id`
    signature: str  # 64 bytes in hex


def key_id(key: Ed25519PublicKey) -> str:
    """The first hex digits of the SHA-256 of the raw public key: to tell keys apart, not to prove them."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:KEY_ID_DIGITS]


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Raises KeyFileError, which names the file."""
    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it is encrypted
        raise KeyFileError(f"{path}: is not an unencrypted private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: is not an Ed25519 key")
    return key


def read_public_keys(paths: Iterable[Path]) -> list[Ed25519PublicKey]:
    """Raises KeyFileError, which names the file."""
    keys = []
    for path in paths:
        try:
            key = load_pem_public_key(_read(path))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyFileError(f"{path}: is not a public key in PEM") from error
        if not isinstance(key, Ed25519PublicKey):
            raise KeyFileError(f"{path}: is not an Ed25519 key")
        keys.append(key)
    return keys


def sign(card: bytes, key: Ed25519PrivateKey) -> bytes:
    """What bundle.sig holds for a bundle.toml of these bytes."""
    return msgspec.json.encode(Signature(key_id(key.public_key()), key.sign(DOMAIN + card).hex())) + b"\n"


def check_signature(folder: Path, keys: Sequence[Ed25519PublicKey]) -> str:
    """The id of the key, one of `keys`, that signed the bundle in `folder`. Raises SignatureError."""
    path = folder / SIGNATURE_FILE
    if not path.is_file():
        raise SignatureError(f"{folder}: the bundle is not signed")
    try:
        signature = msgspec.json.decode(read_file(path), type=Signature)
        raw = bytes.fromhex(signature.signature)
    except (msgspec.DecodeError, ValueError) as error:
        raise SignatureError(f"{path}: {error}") from error
    signer = next((key for key in keys if key_id(key) == signature.key), None)
    if signer is None:
        known = ", ".join(map(key_id, keys)) or "none"
        raise SignatureError(f"{path}: signed by the key {signature.key}, which is not trusted (trusted: {known})")
    try:
        signer.verify(raw, DOMAIN + read_file(folder / CARD_FILE))
    except InvalidSignature as error:
        raise SignatureError(f"{path}: the signature is not that of {CARD_FILE}: one of them was changed") from error
    return signature.key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
