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


class SettingError(ApplianceError):
    """A setting cannot be used, whatever is tried: the fault of who wrote it. `key` is which (`capture.filter`)."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason


class InstallError(ApplianceError):
    """A bundle cannot be installed or taken back: the fault of the state directory, which is named."""

    def __init__(self, folder: Path, reason: OSError | str) -> None:
        super().__init__(f"{folder}: {reason.strerror if isinstance(reason, OSError) else reason}")


class StoreError(ApplianceError):
    """What an administrator asked to be kept could not be: `str()` names the file and why."""


class SnapshotError(ApplianceError):
    """A snapshot of the state cannot be used, or not be written: `str()` names the file and why."""


class PartyError(ApplianceError):
    """A text names no number, range, address or network that a list can hold: the fault of who wrote it."""


class MetricsError(ApplianceError):
    """Metrics cannot be served where the configuration says."""


class IdentityError(ApplianceError):
    """The box has no identity for its collector, or cannot get one: `str()` says why, and whose turn it is."""


class BusyError(ApplianceError):
    """The tracker cannot be asked: too many have asked already, or it has ended."""


class StateError(ApplianceError):
    """The state directory cannot be used: `str()` names it and says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
