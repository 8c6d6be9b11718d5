"""Reading what makes a configuration, and saying what is wrong with it: where, which key, what was expected.

Each file, variable and flag is checked by itself, so that a mistake is said of the place where it was made.
"""

import difflib
import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from appliance.config import ENVIRONMENT, PREFIX, Collector, Config, Flags, Section, disagreements, problems
from appliance.errors import ConfigError

Settings = dict[str, dict[str, object]]  # by section and key

SECTIONS: dict[str, type[Section]] = typing.get_type_hints(Config)
# The unit of a setting is the end of its name.
UNITS = {
    "_s": "seconds",
    "_ms": "milliseconds",
    "_days": "days",
    "_mib": "MiB",
    "_bytes": "bytes",
}

# What msgspec says, in the words of TOML, which knows no null.
TOML_WORDS = {
    " | null": "",
    "`int`": "an integer",
    "`float`": "a float",
    "`str`": "a string",
    "`bool`": "a boolean",
    "`array`": "a list",
    "`object`": "a table",
    "`": "",
    "Expected": "expected",
}


class Tables:
    """Settings of several places, laid over each other."""

    def __init__(self) -> None:
        self._settings: Settings = {}

    def put(self, settings: Settings) -> None:
        """`settings` win over those put before."""
        for section, keys in settings.items():
            self._settings.setdefault(section, {}).update(keys)

    def config(self, path: Path | None) -> Config:
        """The whole. Raises ConfigError, which names `path`, when its parts do not go together."""
        config = msgspec.convert(self._settings, Config)
        for key, reason in disagreements(config):
            raise ConfigError(path or Path("configuration"), reason, key)
        return config


def read_file(path: Path) -> Settings:
    """The settings of one file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"is not UTF-8 text (byte {error.start})") from error
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, str(error)) from error
    _check(path, settings, text)
    return settings


def read_environment(variables: Mapping[str, str]) -> Settings:
    """The settings of variables such as SIPWARDEN_LIMITS_CALLS. Raises ConfigError, which names the variable.

    Text is taken as it is and a list with commas between its entries; everything else is written as in the file.
    """
    settings: Settings = {}
    for section, kind in SECTIONS.items():
        prefix = f"{PREFIX}{section.upper()}_"
        for variable in sorted(variables):
            if not variable.startswith(prefix) or variable == ENVIRONMENT:
                continue
            key = variable[len(prefix) :].lower()
            if kind is Collector and key not in kind.__struct_fields__:
                continue  # of a collector on this machine: SIPWARDEN_COLLECTOR_CONFIG, ..._INGEST_LISTEN
            value = _value(typing.get_type_hints(kind).get(key), variables[variable])
            _check(Path(variable), {section: {key: value}})
            settings.setdefault(section, {})[key] = value
    return settings


def read_flags(flags: Flags) -> Settings:
    """The settings of the command line. Raises ConfigError, which names the flag."""
    settings: Settings = {}
    for flag, section, key, value in flags:
        try:
            _check(Path(flag), {section: {key: value}})
        except ConfigError as error:
            raise ConfigError(Path(flag), error.reason) from error
        settings.setdefault(section, {})[key] = value
    return settings


def origin(key: str, files: Sequence[Path], variables: Mapping[str, str], flags: Flags) -> tuple[Path, int | None]:
    """Where the value of a key that is in force comes from: its flag or variable, else its file and line, as far as it
    is seen. Raises ConfigError when a file cannot be read any more."""
    section, _, name = key.partition(".")
    flag = next((flag for flag, *place, _ in flags if place == [section, name]), None)
    variable = f"{PREFIX}{section}_{name}".upper()
    if flag is not None or variable in variables:
        return Path(flag or variable), None
    for path in reversed(files):
        if name in read_file(path).get(section, {}):
            return path, _line_of(path.read_text(encoding="utf-8"), key)
    return Path("configuration"), None


def sound_value(section: str, name: str, files: Sequence[Path], variables: Mapping[str, str]) -> str | None:
    """The text that a key has in files of which some cannot be used; None where none that is TOML has it. Raises
    ConfigError when one cannot be read."""
    found = variables.get(f"{PREFIX}{section}_{name}".upper())
    for path in () if found else reversed(files):
        try:
            value = tomllib.loads(path.read_text(encoding="utf-8")).get(section, {}).get(name)
        except OSError as error:
            raise ConfigError(path, f"cannot be read: {error.strerror}") from error
        except (ValueError, AttributeError):  # not TOML, not UTF-8, not a table
            continue
        if value and isinstance(value, str):
            return value
    return found


def _value(kind: object, text: str) -> object:
    """What a variable says, as what its key takes: what is not understood stays text, and is refused as such."""
    if typing.get_origin(kind) is tuple:
        return [entry for entry in (part.strip() for part in text.split(",")) if entry]
    if kind is str or kind == str | None or typing.get_origin(kind) is typing.Literal:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _check(path: Path, settings: Settings, text: str = "") -> None:
    """Raises ConfigError when `settings` are not a part of a configuration. `text` is the file that has them."""
    try:
        config = msgspec.convert(settings, Config)
    except msgspec.ValidationError as error:
        raise _invalid(path, text, str(error)) from error
    for key, reason in problems(config):
        raise ConfigError(path, reason, key, _line_of(text, key))


def _syntax_error(path: Path, message: str) -> ConfigError:
    found = re.search(r" \(at line (\d+), column \d+\)$", message)
    if found is None:
        return ConfigError(path, f"is not TOML: {message}")
    return ConfigError(path, f"is not TOML: {message[: found.start()]}", line=int(found[1]))


def _invalid(path: Path, text: str, message: str) -> ConfigError:
    """msgspec says `Expected ... - at `$.limits.calls``, with `[0]` behind it for an entry of a list."""
    reason, _, place = message.partition(" - at `$")
    key = re.sub(r"\[.*\]$", "", place.strip("`").lstrip("."))
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", reason)
    if unknown:
        reason = "unknown key" + _suggestion(key, unknown[1])
        key = f"{key}.{unknown[1]}".lstrip(".")
    else:
        reason = _expected(key, reason)
        reason += _got(text, key) if ", got" not in reason else ""
        unit = next((unit for end, unit in UNITS.items() if key.endswith(end)), None)
        reason += f" (in {unit})" if unit else ""
    return ConfigError(path, reason, key or None, _line_of(text, key))


def _expected(key: str, reason: str) -> str:
    """What msgspec says of a value, in words of the file."""
    section, _, name = key.rpartition(".")
    kind = typing.get_type_hints(SECTIONS[section], include_extras=True).get(name) if section in SECTIONS else None
    if reason.startswith("Invalid enum value"):
        return f"expected one of {', '.join(typing.get_args(kind))}, got {reason.split(maxsplit=3)[3]}"
    if "matching regex" in reason:
        return f"expected {_described(kind)}"
    for word, ours in TOML_WORDS.items():
        reason = reason.replace(word, ours)
    return reason


def _described(kind: object) -> str:
    """The description of an annotated type, or of the entries of a list of it."""
    if typing.get_origin(kind) is tuple:
        kind = typing.get_args(kind)[0]
    return next(meta.description for meta in typing.get_args(kind)[1:])


def _suggestion(section: str, key: str) -> str:
    fields = Config if not section else SECTIONS.get(section)
    names = fields.__struct_fields__ if fields is not None else ()
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
