"""Bundles that an operator installs, and goes back from."""

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from appliance.cli import app
from appliance.errors import InstallError
from appliance.installed import KEPT_VERSIONS, InstalledBundles
from models.bundle import CARD_FILE, MODEL_FILE, SHIPPED
from models.errors import BundleError, SignatureError
from models.signature import SIGNATURE_FILE, sign


@pytest.fixture
def installed(tmp_path: Path) -> InstalledBundles:
    return InstalledBundles(tmp_path / "state")


def version(tmp_path: Path, number: str) -> Path:
    """The shipped call bundle under another version number."""
    folder = tmp_path / f"call-{number}"
    shutil.copytree(SHIPPED / "call", folder)
    card = folder / CARD_FILE
    lines = card.read_text().splitlines()
    lines[[line.startswith("version = ") for line in lines].index(True)] = f'version = "{number}"'
    card.write_text("\n".join(lines) + "\n")
    return folder


def test_without_an_installed_bundle_the_shipped_one_is_used(installed: InstalledBundles) -> None:
    assert installed.folder("call") == SHIPPED / "call"


def test_an_installed_bundle_takes_the_place_of_the_shipped_one(installed: InstalledBundles, tmp_path: Path) -> None:
    assert installed.install(version(tmp_path, "7.0.0")).label == "call@7.0.0"
    assert installed.folder("call").name.startswith("7.0.0-")
    assert installed.folder("source") == SHIPPED / "source"


def test_a_rollback_goes_to_the_version_before_and_then_to_the_shipped_one(
    installed: InstalledBundles, tmp_path: Path
) -> None:
    installed.install(version(tmp_path, "7.0.0"))
    installed.install(version(tmp_path, "8.0.0"))
    assert installed.rollback("call").label == "call@7.0.0"
    assert installed.rollback("call").path == SHIPPED / "call"
    with pytest.raises(InstallError, match="nothing is installed"):
        installed.rollback("call")


def test_installing_the_active_version_again_does_not_lose_the_one_before(
    installed: InstalledBundles, tmp_path: Path
) -> None:
    installed.install(version(tmp_path, "7.0.0"))
    second = version(tmp_path, "8.0.0")
    installed.install(second)
    installed.install(second)
    assert installed.rollback("call").label == "call@7.0.0"


def test_a_version_that_is_newly_made_under_the_same_number_is_another_version(
    installed: InstalledBundles, tmp_path: Path
) -> None:
    folder = version(tmp_path, "7.0.0")
    first = installed.install(folder).path
    card = folder / CARD_FILE
    card.write_text(card.read_text() + "\n# made again\n")
    assert installed.install(folder).path != first


def test_a_damaged_bundle_is_refused_and_changes_nothing(installed: InstalledBundles, tmp_path: Path) -> None:
    installed.install(version(tmp_path, "7.0.0"))
    damaged = version(tmp_path, "8.0.0")
    (damaged / MODEL_FILE).write_bytes((damaged / MODEL_FILE).read_bytes()[:-1])
    with pytest.raises(BundleError, match="cut short or replaced"):
        installed.install(damaged)
    assert installed.folder("call").name.startswith("7.0.0-")


def test_with_trusted_keys_an_unsigned_bundle_is_refused(installed: InstalledBundles, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    folder = version(tmp_path, "7.0.0")
    with pytest.raises(SignatureError, match="not signed"):
        installed.install(folder, [key.public_key()])
    (folder / SIGNATURE_FILE).write_bytes(sign((folder / CARD_FILE).read_bytes(), key))
    bundle = installed.install(folder, [key.public_key()])
    assert (bundle.path / SIGNATURE_FILE).is_file()


def test_old_versions_go_and_the_two_in_use_stay(installed: InstalledBundles, tmp_path: Path) -> None:
    for number in range(KEPT_VERSIONS + 3):
        installed.install(version(tmp_path, f"{number}.0.0"))
    home = installed.root / "call"
    kept = [path for path in home.iterdir() if path.is_dir() and not path.is_symlink()]
    assert len(kept) == KEPT_VERSIONS
    assert installed.rollback("call").label == f"call@{KEPT_VERSIONS + 1}.0.0"


def test_a_state_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in its place")
    with pytest.raises(InstallError, match=str(tmp_path / "state")):
        InstalledBundles(tmp_path / "state").install(version(tmp_path, "7.0.0"))


def sipwarden(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["model", *map(str, arguments)])


def test_a_desk_signs_installs_and_takes_back_a_bundle_by_commands(tmp_path: Path) -> None:
    private, public, config = tmp_path / "key.pem", tmp_path / "key.pub", tmp_path / "sipwarden.toml"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    state = tmp_path / "state"
    config.write_text(f'[screen]\ntrusted_keys = ["{public}"]\n[service]\nstate_dir = "{state}"\n')
    folder = version(tmp_path, "7.0.0")

    refused = sipwarden("install", folder, "--config", config)
    assert (refused.exit_code, refused.stderr) == (2, f"sipwarden: {folder}: the bundle is not signed\n")

    assert sipwarden("sign", folder, "--key", private).exit_code == 0
    assert sipwarden("verify", folder, "--key", public).exit_code == 0
    assert sipwarden("install", folder, "--config", config).stdout.startswith("call@7.0.0: installed")
    assert InstalledBundles(state).folder("call").name.startswith("7.0.0-")

    back = sipwarden("rollback", "call", "--config", config)
    assert back.exit_code == 0
    assert str(SHIPPED / "call") in back.stdout
    again = sipwarden("rollback", "call", "--config", config)
    assert (again.exit_code, "nothing is installed" in again.stderr) == (2, True)


def test_verify_with_a_key_refuses_what_another_key_signed(tmp_path: Path) -> None:
    folder = version(tmp_path, "7.0.0")
    public = tmp_path / "key.pub"
    key = Ed25519PrivateKey.generate()
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (folder / SIGNATURE_FILE).write_bytes(sign((folder / CARD_FILE).read_bytes(), Ed25519PrivateKey.generate()))
    done = sipwarden("verify", folder, "--key", public)
    assert (done.exit_code, "is not trusted" in done.stderr) == (2, True)
