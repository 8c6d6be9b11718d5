"""Errors of the collector; each says whose fault it was."""

from pathlib import Path


class CollectorError(Exception):
    """Base of the package's errors. `str()` is the one line for a user."""


class ConfigError(CollectorError):
    """The configuration cannot be used: the fault of who wrote it. Names the file or variable and, where known, the
    line and the key."""

    def __init__(self, path: Path, reason: str, key: str | None = None, line: int | None = None) -> None:
        place = f"{path}:{line}" if line else str(path)
        super().__init__(f"{place}: {key}: {reason}" if key else f"{place}: {reason}")
        self.path = path
        self.key = key
        self.reason = reason


class StoreError(CollectorError):
    """The store cannot be opened or is not one of this version: the fault of its operator or of its server."""


class NotFoundError(CollectorError):
    """Something was asked for by a name or an id that is not there: the fault of who asked."""


class ConflictError(CollectorError):
    """Something cannot be done as things are: the fault of who asked."""


class AuthorityError(CollectorError):
    """The certificate authority's files cannot be used: the fault of their operator."""


class NumberKeyError(CollectorError):
    """The key of the number pseudonyms is missing or not one: the fault of its operator."""


class RefusedError(CollectorError):
    """A request is refused: the fault of who sent it.

    `status` is that of HTTP, `reason` a word of `collector.problem.REASONS`, `box` the box that is known or claimed.
    """

    def __init__(self, status: int, reason: str, detail: str, box: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.box = box


class BusyError(CollectorError):
    """Nobody's fault: the collector takes no more for now. `retry_after_s` says when to come back."""

    def __init__(self, status: int, retry_after_s: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after_s = retry_after_s
