"""Errors of the appliance; each says whose fault it was."""

from pathlib import Path


class ApplianceError(Exception):
    """Base of the package's errors."""


class ConfigError(ApplianceError):
    """The configuration cannot be used: the fault of who wrote it.

    `path` is its file, `key` the key in question (`limits.calls`) and `line` its line, None where there is none.
    `str()` is the one line for a user.
    """

    def __init__(self, path: Path, reason: str, key: str | None = None, line: int | None = None) -> None:
        place = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{place}: {key}: {reason}" if key else f"{place}: {reason}")
        self.path = path
        self.reason = reason
        self.key = key
        self.line = line


class MetricsError(ApplianceError):
    """Metrics cannot be served where the configuration says."""
