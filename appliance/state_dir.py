"""The folder of what outlives the process: who may have it, and the secret that keys the hashes.

One service for each folder: a lock (flock) is held from the start to the end, and the kernel lets go of it however the
process ends.
"""

import fcntl
import os
import secrets
from pathlib import Path
from typing import Self

from appliance.errors import StateError

LOCK = "lock"
SECRET = "secret"
SECRET_BYTES = 8
FOLDER_MODE = 0o750
SECRET_MODE = 0o600


class StateDir:
    """Takes the folder, which is made when it is not there. Raises StateError, which names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, SECRET_MODE)
        except OSError as error:
            raise StateError(path, f"cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise StateError(path, "another service uses it already") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def secret(self) -> int:
        """The key of the hashes, drawn at the first start: what is kept in a snapshot is found by it again.

        Whoever knew it could make all calls meet in one place of a table.
        """
        path = self.path / SECRET
        try:
            if not path.exists():
                fresh = path.with_name(f".{SECRET}.{os.getpid()}")
                with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, SECRET_MODE), "w") as file:  # noqa: PTH123
                    file.write(secrets.token_hex(SECRET_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
                fresh.rename(path)
            return int(path.read_text(encoding="ascii"), 16)
        except OSError as error:
            raise StateError(path, f"cannot be used: {error.strerror}") from error
        except ValueError as error:
            raise StateError(path, "is not the secret of this service: take it away, and profiles begin anew") from error
