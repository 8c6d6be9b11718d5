"""Errors of the capture package; each says whose fault it was."""


class CaptureError(Exception):
    """Base of the package's errors."""


class CaptureFileError(CaptureError):
    """A file that cannot be opened as a capture file: the fault of the file, or of who named it.

    `path` is the file and `reason` the end of a sentence about it; `str()` is the one line for a user.
    """

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
