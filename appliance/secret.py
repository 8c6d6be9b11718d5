"""The secret that keys the hashes of a live box: what it remembers is found by them, so it has to outlive a restart.

Nobody who does not know it can choose numbers or Call-IDs that fall on one place of a table. It is drawn once for each
box, kept in the state folder, readable by the service alone, and never leaves the box.
"""

import os
import re
import secrets
from pathlib import Path

SECRET_FILE = "secret"
SECRET_BYTES = 8
FILE_MODE = 0o600


def load_secret(state_dir: Path) -> tuple[int, str | None]:
    """The box's secret, drawn when there is none, and what is to be said of it.

    One that cannot be read or kept is replaced by a fresh one: the box starts, and remembers nothing of before.
    """
    path = state_dir / SECRET_FILE
    try:
        text = path.read_text(encoding="ascii")
        if path.stat().st_mode & 0o077:
            path.chmod(FILE_MODE)
    except FileNotFoundError:
        return _drawn(path, None)
    except (OSError, UnicodeDecodeError) as error:
        return _drawn(path, f"{path}: cannot be read: {error}")
    if not re.fullmatch(r"[0-9a-f]{16}\n?", text):
        return _drawn(path, f"{path}: is damaged")
    return int(text, 16), None


def _drawn(path: Path, problem: str | None) -> tuple[int, str | None]:
    secret = secrets.token_hex(SECRET_BYTES)
    try:
        write_private(path, f"{secret}\n".encode())
    except OSError as error:
        problem = problem or f"{path}: cannot be kept: {error.strerror}"
    return int(secret, 16), problem


def write_private(path: Path, content: bytes) -> None:
    """Replaces a file as a whole, or not at all; only its owner can read it. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Has the disk keep the names in a folder. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
