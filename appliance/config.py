"""The configuration: one TOML file, checked as a whole before anything starts.

A setting is taken from the command line, else from the file; the file is the one named by `--config`, else by
SIPWARDEN_CONFIG, else /etc/sipwarden/sipwarden.toml when there is one. docs/sipwarden.toml lists every key.
"""

import os
import re
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from appliance.errors import ConfigError

SYSTEM_CONFIG = Path("/etc/sipwarden/sipwarden.toml")
ENVIRONMENT = "SIPWARDEN_CONFIG"

# Slots are numbered by int32 and indices are half empty: beyond this a table would take tens of gigabytes.
MAX_ENTRIES = 1 << 24
Entries = Annotated[int, Meta(ge=16, le=MAX_ENTRIES)]
Packets = Annotated[int, Meta(ge=1, le=1 << 20)]
Bytes = Annotated[int, Meta(ge=1 << 20, le=1 << 36)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file. Every key has a default; an unknown one is an error."""


class Screen(Section, frozen=True):
    """How calls are read and scored."""

    region: str | None = None
    bundles: str | None = None


class Limits(Section, frozen=True):
    """How much is remembered: what is beyond is evicted, and counted."""

    calls: Entries = 65536
    callers: Entries = 131072
    callees: Entries = 131072
    sources: Entries = 16384
    streams: Entries = 16384
    tcp_connections: Entries = 8192
    tcp_bytes: Bytes = 64 << 20
    block_packets: Packets = 65536


class Config(Section, frozen=True):
    """The whole file."""

    screen: Screen = Screen()
    limits: Limits = Limits()


def load(path: Path | None = None) -> Config:
    """Reads the configuration from `path`, else from where the module says; the defaults when there is none.

    Raises ConfigError, which names the file, the key and what was expected.
    """
    if path is None:
        path = default_path()
    return Config() if path is None else read(path)


def default_path() -> Path | None:
    """The file that is used when the command line names none."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    return SYSTEM_CONFIG if SYSTEM_CONFIG.exists() else None


def read(path: Path) -> Config:
    """Reads and checks one file."""
    # tomllib takes a few milliseconds to import, and most runs have no file to read.
    import tomllib  # noqa: PLC0415

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"is not UTF-8 text (byte {error.start})") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, str(error)) from error
    try:
        config = msgspec.convert(tables, Config)
    except msgspec.ValidationError as error:
        raise _invalid(path, text, str(error)) from error
    return _checked(path, text, config)


def known_region(region: str) -> bool:
    """Whether `region` is an ISO 3166 alpha-2 code with a numbering plan."""
    # a few milliseconds that a run without a region does not need
    from kernels.numbering_table import REGIONS  # noqa: PLC0415

    return region.isalpha() and region.upper() in REGIONS


def region_expected(region: str) -> str:
    """What to say of a region that is not known."""
    return f"expected an ISO 3166 country code such as GB, got {region!r}"


def _checked(path: Path, text: str, config: Config) -> Config:
    """What types cannot say."""
    region = config.screen.region
    if region is not None and not known_region(region):
        key = "screen.region"
        raise ConfigError(path, region_expected(region), key, _line_of(text, key))
    return config


def _syntax_error(path: Path, message: str) -> ConfigError:
    found = re.search(r" \(at line (\d+), column \d+\)$", message)
    if found is None:
        return ConfigError(path, f"is not TOML: {message}")
    return ConfigError(path, f"is not TOML: {message[: found.start()]}", line=int(found[1]))


def _invalid(path: Path, text: str, message: str) -> ConfigError:
    """msgspec says `Expected ... - at `$.limits.calls``."""
    reason, _, place = message.partition(" - at `$")
    key = place.strip("`").lstrip(".")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", reason)
    if unknown:
        reason = "unknown key" + _suggestion(key, unknown[1])
        key = f"{key}.{unknown[1]}".lstrip(".")
    else:
        reason = reason.replace("`", "").replace("Expected", "expected", 1)
        reason += _got(text, key) if ", got" not in reason else ""
    return ConfigError(path, reason, key or None, _line_of(text, key))


def _suggestion(section: str, key: str) -> str:
    import difflib  # noqa: PLC0415 - only a mistake needs it

    fields: dict[str, type[msgspec.Struct]] = {"": Config, "screen": Screen, "limits": Limits}
    names = fields[section].__struct_fields__ if section in fields else ()
    close = difflib.get_close_matches(key, names, n=1)
    return f" (did you mean {close[0]}?)" if close else f" (known here: {', '.join(names)})" if names else ""


def _got(text: str, key: str) -> str:
    line = _line_of(text, key)
    if line is None:
        return ""
    value = text.splitlines()[line - 1].partition("=")[2].partition("#")[0].strip()
    return f", got {value}" if value else ""


def _line_of(text: str, key: str) -> int | None:
    """The line of `section.key` or of `[section]`, None when it is written in a way that this does not see."""
    section, _, name = key.rpartition(".")
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([\w.-]+)\s*\]", line)
        if header:
            current = header[1]
            if current == key:
                return number
            continue
        written = name if current == section else key if not current else None
        if written and re.match(rf"\s*[\"']?{re.escape(written)}[\"']?\s*=", line):
            return number
    return None
