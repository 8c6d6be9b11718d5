"""The collector's configuration: one TOML file, checked as a whole before anything starts.

The file is the one named by `--config`, else by SIPWARDEN_COLLECTOR_CONFIG, else /etc/sipwarden/collector.toml when
there is one. A key is overridden by the environment: SIPWARDEN_COLLECTOR_<SECTION>_<KEY>. docs/collector.toml lists
every key.
"""

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

from collector.errors import ConfigError

SYSTEM_CONFIG = Path("/etc/sipwarden/collector.toml")
ENVIRONMENT = "SIPWARDEN_COLLECTOR_"

Days = Annotated[int, Meta(ge=1, le=36500)]
Positive = Annotated[int, Meta(ge=1)]
# A pattern is said by its description.
Listen = Annotated[
    str, Meta(pattern=r"^$|^(\[[0-9a-fA-F:]+\]|[^:\[\]]+):\d{1,5}$", description='ADDRESS:PORT, or "" for none')
]


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


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file. Every key has a default; an unknown one is an error."""


class Service(Section, frozen=True):
    """Where the collector keeps what is its own."""

    state_dir: str = "/var/lib/sipwarden-collector"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Tls(Section, frozen=True):
    """Who the collector is, and who vouches for boxes."""

    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    authority: str = ""
    certificate: str = ""
    key: str = ""
    box_days: Days = 90


class Ingest(Section, frozen=True):
    """What is taken from boxes, and how much of it."""

    listen: Listen = "0.0.0.0:8443"
    url: str = ""
    max_body_kib: Positive = 1024
    max_batch_kib: Positive = 16384
    reports_per_s: Positive = 500
    burst_reports: Positive = 20000
    queue_mib: Positive = 64
    clock_flag_s: Positive = 30
    clock_refuse_s: Positive = 6 * 3600


class Enrolment(Section, frozen=True):
    """How boxes get their first certificate."""

    listen: Listen = "0.0.0.0:8444"
    attempts_per_minute: Positive = 10
    token_hours: Positive = 24


class StoreSection(Section, frozen=True):
    """Where reports are kept."""

    url: str = ""


class Retention(Section, frozen=True):
    """For how many days."""

    findings_days: Days = 365
    calls_days: Days = 30
    minutes_days: Days = 14
    hours_days: Days = 730
    health_days: Days = 14
    events_days: Days = 180
    audit_days: Days = 1095


class NumbersSection(Section, frozen=True):
    """How telephone numbers are stored."""

    policy: Literal["plain", "pseudonym"] = "plain"
    key_file: str = ""


class Console(Section, frozen=True):
    """The web console and the REST API."""

    listen: Listen = "127.0.0.1:8080"
    tls: bool = False


class MetricsSection(Section, frozen=True):
    """Where Prometheus asks."""

    listen: Listen = "127.0.0.1:9161"


class WebhooksSection(Section, frozen=True):
    """How findings are told to others."""

    networks: tuple[str, ...] = ()
    ca: str = ""
    timeout_s: Positive = 10
    first_retry_s: Positive = 5
    longest_retry_s: Positive = 3600
    give_up_s: Positive = 86400
    queue: Positive = 10000


class Config(Section, frozen=True):
    """The whole file."""

    service: Service = Service()
    tls: Tls = Tls()
    ingest: Ingest = Ingest()
    enrolment: Enrolment = Enrolment()
    store: StoreSection = StoreSection()
    retention: Retention = Retention()
    numbers: NumbersSection = NumbersSection()
    console: Console = Console()
    webhooks: WebhooksSection = WebhooksSection()
    metrics: MetricsSection = MetricsSection()

    @property
    def state_dir(self) -> Path:
        return Path(self.service.state_dir)

    @property
    def authority_dir(self) -> Path:
        return Path(self.tls.authority) if self.tls.authority else self.state_dir / "authority"

    @property
    def store_url(self) -> str:
        return self.store.url or f"sqlite:///{self.state_dir.absolute() / 'store.sqlite'}"


def split_listen(listen: str) -> tuple[str, int]:
    """(address, port) of an `address:port`; an IPv6 address without its brackets."""
    address, _, port = listen.rpartition(":")
    return address.strip("[]"), int(port)


def url_of(name: str, listen: str) -> str:
    """The https URL by which a listener is reached at `name`, a host name or an address."""
    host = f"[{name}]" if ":" in name else name
    return f"https://{host}:{split_listen(listen)[1]}"


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Config:
    """Reads the configuration from where the module says; the defaults when there is none. Raises ConfigError."""
    if path is None:
        named = environment.get(f"{ENVIRONMENT}CONFIG")
        path = Path(named) if named else SYSTEM_CONFIG if SYSTEM_CONFIG.exists() else None
    text = _read(path) if path else ""
    where = path or Path("(environment)")
    try:
        overridden = _overridden(tomllib.loads(text), environment)
        config = msgspec.convert(overridden, Config, strict=False)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(where, f"is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise _invalid(where, text, environment, str(error)) from error
    if config.ingest.clock_flag_s > config.ingest.clock_refuse_s:
        raise ConfigError(where, "must not be above ingest.clock_refuse_s", "ingest.clock_flag_s")
    if bool(config.tls.certificate) != bool(config.tls.key):
        raise ConfigError(where, "tls.certificate and tls.key are given both or not at all", "tls.certificate")
    for network in config.webhooks.networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ConfigError(where, str(error), "webhooks.networks") from error
    return config


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"is not UTF-8 text (byte {error.start})") from error


def _invalid(path: Path, text: str, environment: Mapping[str, str], message: str) -> ConfigError:
    """What msgspec says of a value (`Expected ... - at `$.ingest.listen``), of where it was written."""
    reason, _, place = message.partition(" - at `$")
    key = re.sub(r"\[.*\]$", "", place.strip("`.") or "")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", reason):
        names = _kind(key).__struct_fields__
        close = difflib.get_close_matches(unknown[1], names, n=1)
        reason = f"unknown key (did you mean {close[0]}?)" if close else f"unknown key (known here: {', '.join(names)})"
        key = f"{key}.{unknown[1]}".lstrip(".")
    elif "matching regex" in reason:
        hint = get_type_hints(_kind(key.partition(".")[0]), include_extras=True)[key.partition(".")[2]]
        reason = f"expected {hint.__metadata__[0].description}"
    else:
        for word, ours in TOML_WORDS.items():
            reason = reason.replace(word, ours)
    variable = f"{ENVIRONMENT}{key.replace('.', '_')}".upper()
    return (
        ConfigError(Path(variable), reason)
        if variable in environment
        else ConfigError(path, reason, key, _line_of(text, key))
    )


def _kind(section: str) -> type[Section]:
    return get_type_hints(Config).get(section, Config)


def _line_of(text: str, key: str) -> int | None:
    """The line of `section.key` or `[section]`; None when it is written in a way that this does not see."""
    section, _, name = key.rpartition(".")
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*(\w+)\s*\]", line):
            current = header[1]
            if current == key:
                return number
        elif current == section and re.match(rf"\s*{re.escape(name)}\s*=", line):
            return number
    return None


def _overridden(tables: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The tables of the file with the values of the environment in their place; lists by commas."""
    merged = {name: dict(table) if isinstance(table, dict) else table for name, table in tables.items()}
    for section in msgspec.structs.fields(Config):
        for field in msgspec.structs.fields(section.type):
            value = environment.get(f"{ENVIRONMENT}{section.name}_{field.name}".upper())
            if value is not None:
                wanted = value.split(",") if field.type == tuple[str, ...] else value
                merged.setdefault(section.name, {})[field.name] = wanted
    return merged
