"""Who vouches for a bundle: signatures that hold, and those that do not."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import CARD_FILE, SHIPPED
from models.errors import KeyFileError, SignatureError
from models.signature import SIGNATURE_FILE, check_signature, key_id, read_private_key, read_public_keys, sign

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped call bundle, signed by KEY."""
    folder = tmp_path / "call"
    shutil.copytree(SHIPPED / "call", folder)
    (folder / SIGNATURE_FILE).write_bytes(sign((folder / CARD_FILE).read_bytes(), KEY))
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(SignatureError) as caught:
        check_signature(folder, [KEY.public_key()])
    return str(caught.value)


def test_a_signed_bundle_names_its_signer(folder: Path) -> None:
    others = [Ed25519PrivateKey.generate().public_key() for _ in range(3)]
    assert check_signature(folder, [*others, KEY.public_key()]) == key_id(KEY.public_key())


def test_a_bundle_without_a_signature_is_not_signed(folder: Path) -> None:
    (folder / SIGNATURE_FILE).unlink()
    assert refusal(folder) == f"{folder}: the bundle is not signed"


def test_a_stranger_s_signature_is_refused_by_its_key(folder: Path) -> None:
    stranger = Ed25519PrivateKey.generate()
    (folder / SIGNATURE_FILE).write_bytes(sign((folder / CARD_FILE).read_bytes(), stranger))
    assert key_id(stranger.public_key()) in refusal(folder)


def test_a_card_that_was_changed_after_it_was_signed_is_refused(folder: Path) -> None:
    card = folder / CARD_FILE
    card.write_text(card.read_text().replace("licence", "license", 1))
    assert "one of them was changed" in refusal(folder)


@settings(max_examples=50)
@given(data=st.data())
def test_a_signature_with_any_byte_changed_is_refused(folder: Path, data: st.DataObject) -> None:
    whole = sign((folder / CARD_FILE).read_bytes(), KEY)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytes([whole[at] ^ data.draw(st.integers(1, 127))])
    damaged = whole[:at] + changed + whole[at + 1 :]
    (folder / SIGNATURE_FILE).write_bytes(damaged)
    try:
        check_signature(folder, [KEY.public_key()])
    except SignatureError:
        return
    # the same in other bytes: hex digits in the other case, another white space at the end
    assert damaged.lower().split() == whole.split()


def test_keys_are_those_that_openssl_makes(folder: Path, tmp_path: Path) -> None:
    private, public = tmp_path / "key.pem", tmp_path / "key.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    key = read_private_key(private)
    (folder / SIGNATURE_FILE).write_bytes(sign((folder / CARD_FILE).read_bytes(), key))
    assert check_signature(folder, read_public_keys([public])) == key_id(key.public_key())


def test_what_is_no_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"none\.pem: No such file or directory"):
        read_private_key(tmp_path / "none.pem")
    (tmp_path / "text.pem").write_text("no key")
    with pytest.raises(KeyFileError, match=r"text\.pem: is not an unencrypted private key in PEM"):
        read_private_key(tmp_path / "text.pem")
    with pytest.raises(KeyFileError, match=r"text\.pem: is not a public key in PEM"):
        read_public_keys([tmp_path / "text.pem"])
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", tmp_path / "ec.pem"],
        check=True,
    )
    with pytest.raises(KeyFileError, match=r"ec\.pem: is not an Ed25519 key"):
        read_private_key(tmp_path / "ec.pem")
