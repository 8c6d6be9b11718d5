"""The bundles that an operator installed over the shipped ones.

    STATE/bundles/call/0.2.0-3fa9c1d2/      a version: named by its number and its card's digest, never changed
    STATE/bundles/call/active -> 0.2.0-...  what the service uses, after its next start or reload
    STATE/bundles/call/before -> 0.1.0-...  what it used before; absent when that was the shipped one

A version is copied beside the others under a name that nobody reads, flushed, and only then linked, so that a crash
leaves the old version or the new one in use and never a part of one. Where nothing is installed, the shipped bundle is
used.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.errors import InstallError
from models.bundle import CARD_FILE, MODEL_FILE, NUMBERS_FILE, SHIPPED, Bundle, read_file
from models.scorer import Scorer
from models.signature import SIGNATURE_FILE, check_signature

ACTIVE, BEFORE = "active", "before"
# Versions of one kind that are kept: enough to go back some weeks, in well under a megabyte.
KEPT_VERSIONS = 8


class InstalledBundles:
    """The folder of installed bundles below a state directory."""

    def __init__(self, state_dir: Path) -> None:
        self.root = state_dir / "bundles"

    def folder(self, rows: str) -> Path:
        """The bundle for rows of this kind: the installed one, or else the shipped one."""
        active = self.root / rows / ACTIVE
        return active.resolve() if active.is_dir() else SHIPPED / rows

    def install(self, folder: Path, keys: Sequence[Ed25519PublicKey] = ()) -> Bundle:
        """Checks a bundle as scoring would, with its signature when `keys` are given; then copies and activates it.

        Raises ModelError for a bundle that will not do, InstallError for a state directory that will not.
        """
        bundle = Bundle.load(folder)
        Scorer(bundle)
        if keys:
            check_signature(folder, keys)
        home = self.root / bundle.card.rows
        digest = hashlib.sha256(read_file(folder / CARD_FILE)).hexdigest()
        try:
            version = self._copy(folder, home, f"{bundle.card.version}-{digest[:8]}")
            self._activate(home, version)
            self._prune(home)
        except OSError as error:
            raise InstallError(home, error) from error
        return Bundle.load(home / version)

    def rollback(self, rows: str) -> Bundle:
        """Goes back to what was used before, and from there, asked once more, to the shipped one. Raises InstallError
        when the shipped one is in use already, or is broken."""
        home = self.root / rows
        if not (home / ACTIVE).is_symlink():
            raise InstallError(home, "nothing is installed: the shipped bundle is in use")
        try:
            if (home / BEFORE).is_dir():
                (home / BEFORE).rename(home / ACTIVE)
            else:
                (home / ACTIVE).unlink()
        except OSError as error:
            raise InstallError(home, error) from error
        return Bundle.load(self.folder(rows))

    def _copy(self, folder: Path, home: Path, version: str) -> str:
        if (home / version).is_dir():
            return version
        home.mkdir(parents=True, exist_ok=True)
        fresh = home / f".{version}.{os.getpid()}"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        for name in (CARD_FILE, NUMBERS_FILE, MODEL_FILE, SIGNATURE_FILE):
            if (folder / name).is_file():
                with (fresh / name).open("wb") as file:
                    file.write(read_file(folder / name))
                    file.flush()
                    os.fsync(file.fileno())
        fresh.rename(home / version)
        return version

    def _activate(self, home: Path, version: str) -> None:
        active = home / ACTIVE
        if active.is_symlink():
            if active.readlink() == Path(version):
                return
            _link(home / BEFORE, active.readlink())
        else:
            (home / BEFORE).unlink(missing_ok=True)
        _link(active, Path(version))

    def _prune(self, home: Path) -> None:
        used = {(home / name).readlink().name for name in (ACTIVE, BEFORE) if (home / name).is_symlink()}
        versions = [path for path in home.iterdir() if path.is_dir() and not path.is_symlink()]
        idle = sorted((path for path in versions if path.name not in used), key=lambda path: path.stat().st_mtime_ns)
        for path in idle[: max(0, len(versions) - KEPT_VERSIONS)]:
            shutil.rmtree(path)


def _link(link: Path, target: Path) -> None:
    """Makes or moves a symbolic link in one step."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.rename(link)
