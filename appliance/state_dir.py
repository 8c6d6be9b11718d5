"""The folder of what outlives the process, and who may have it.

One service for each folder: it is locked (flock) from the start to the end, and the kernel lets go of it however the
process ends. The folder itself is locked rather than a file in it, so that a disk that takes no writes does not keep
the service from screening.
"""

import fcntl
import os
from pathlib import Path
from typing import Self

from appliance.errors import StateError

FOLDER_MODE = 0o750


class StateDir:
    """Takes the folder, which is made when it is not there. Raises StateError, which names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            self._lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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
