"""The configuration: every section and key, and where a setting is taken from.

A setting is taken from the command line, else from the environment (SIPWARDEN_<SECTION>_<KEY>), else from the files:
conf.d/*.toml beside the main file, the last by name first, then the main file itself. That is the one named by
`--config`, else by SIPWARDEN_CONFIG, else /etc/sipwarden/sipwarden.toml when there is one. docs/sipwarden.toml lists
every key. A configuration is checked as a whole before anything starts: appliance/config_file.py words what is wrong.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from appliance.errors import ConfigError, SettingError

SYSTEM_CONFIG = Path("/etc/sipwarden/sipwarden.toml")
PREFIX = "SIPWARDEN_"  # of environment variables
ENVIRONMENT = "SIPWARDEN_CONFIG"
FOLDER = "conf.d"
FINGERPRINT_DIGITS = 12

# What the command line sets: (flag, section, key, value).
Flags = Iterable[tuple[str, str, str, object]]

# Slots are numbered by int32 and indices are half empty: beyond this a table would take tens of gigabytes.
MAX_ENTRIES = 1 << 24
Entries = Annotated[int, Meta(ge=16, le=MAX_ENTRIES)]
Packets = Annotated[int, Meta(ge=1, le=1 << 20)]
Bytes = Annotated[int, Meta(ge=1 << 20, le=1 << 36)]
MAX_PORT = 65535
Mebibytes = Annotated[int, Meta(ge=1, le=1 << 20)]
# Longer names are not possible for the kernel (IFNAMSIZ with its final zero).
Interface = Annotated[str, Meta(pattern=r"^[^/\s]{1,15}$", description="the name of a network interface")]
# An address that a socket is bound to; "" is off.
Listen = Annotated[
    str, Meta(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):\d{1,5}$|^$", description='ADDRESS:PORT or ""')
]
Member = Annotated[str, Meta(pattern=r"^@?[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$", description="a user, or a @group")]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file. Every key has a default; an unknown one is an error."""


class Screen(Section, frozen=True):
    """How calls are read and scored."""

    region: str | None = None
    bundles: str | None = None
    trusted_keys: tuple[str, ...] = ()


class Limits(Section, frozen=True):
    """How much is remembered: what is beyond is evicted, and counted."""

    calls: Entries = 65536
    callers: Entries = 131072
    callees: Entries = 131072
    sources: Entries = 16384
    subscribers: Annotated[int, Meta(ge=0, le=1 << 22)] = 0
    findings: Entries = 65536
    streams: Entries = 16384
    tcp_connections: Entries = 8192
    tcp_bytes: Bytes = 64 << 20
    block_packets: Packets = 65536


class Service(Section, frozen=True):
    """The service itself."""

    state_dir: Annotated[str, Meta(min_length=1)] = "/var/lib/sipwarden"
    snapshot_interval_s: Annotated[int, Meta(ge=1, le=86400)] = 60
    verdict_delay_ms: Annotated[int, Meta(ge=0, le=1000)] = 1
    cpus: Annotated[int, Meta(ge=1, le=1024)] = 2


class Capture(Section, frozen=True):
    """Where packets are taken from."""

    interfaces: tuple[Interface, ...] = ()
    filter: str = ""
    ring_mib: Annotated[int, Meta(ge=1, le=4096)] = 64
    snaplen: Annotated[int, Meta(ge=256, le=65535)] = 65535
    promiscuous: bool = True
    fanout_group: Annotated[int, Meta(ge=0, le=65535)] = 0
    fallback: bool = False
    remove_duplicates: bool = True
    duplicate_window_ms: Annotated[int, Meta(ge=1, le=10000)] = 50
    directory: str = ""


class Hep(Section, frozen=True):
    """What is sent by the capture agents of proxies and gateways."""

    listen: Listen = ""
    key_file: str = ""
    tls_certificate: str = ""
    tls_key: str = ""


class Store(Section, frozen=True):
    """The findings that are kept on disk."""

    max_mib: Mebibytes = 512
    max_age_days: Annotated[int, Meta(ge=1, le=36500)] = 90


class Spool(Section, frozen=True):
    """What waits for the collector on disk."""

    max_mib: Mebibytes = 256


class Collector(Section, frozen=True):
    """Where reports go once the box is enrolled."""

    url: Annotated[str, Meta(pattern=r"^$|^https://[^\s]+$", description='a URL that begins with https://, or ""')] = ""
    ca: str = ""
    directory: str = ""
    proxy: str = ""
    interval_ms: Annotated[int, Meta(ge=50, le=3_600_000)] = 1000
    max_batch_kib: Annotated[int, Meta(ge=1, le=16384)] = 1024
    max_batch_reports: Annotated[int, Meta(ge=1, le=5000)] = 1000
    call_summaries: Literal["off", "suspected", "all"] = "suspected"
    call_sample: Annotated[int, Meta(ge=0, le=1_000_000)] = 1000


class Admin(Section, frozen=True):
    """Who may ask and who may change."""

    socket: Annotated[str, Meta(min_length=1)] = "/run/sipwarden/admin.sock"
    administrators: tuple[Member, ...] = ("root",)
    readers: tuple[Member, ...] = ("@sipwarden",)


class Metrics(Section, frozen=True):
    """For Prometheus."""

    listen: Listen = "127.0.0.1:9160"


class Log(Section, frozen=True):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "journal", "text", "json"] = "auto"


class Config(Section, frozen=True):
    """The whole of it."""

    screen: Screen = Screen()
    limits: Limits = Limits()
    service: Service = Service()
    capture: Capture = Capture()
    hep: Hep = Hep()
    store: Store = Store()
    spool: Spool = Spool()
    collector: Collector = Collector()
    admin: Admin = Admin()
    metrics: Metrics = Metrics()
    log: Log = Log()

    @property
    def fingerprint(self) -> str:
        """The same for the same settings, wherever they were read from: tells whether two boxes are set alike."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:FINGERPRINT_DIGITS]

    @property
    def identity_dir(self) -> Path:
        """Where the box's key and certificate for the collector are."""
        return Path(self.collector.directory or Path(self.service.state_dir) / "collector")


def load(path: Path | None = None, flags: Flags = ()) -> Config:
    """Reads the configuration from `path`, else from where the module says; the defaults when there is none.

    Raises ConfigError, which names the file, the variable or the flag, the key and what was expected.
    """
    named = files(path)
    if not (named or flags or any(variable.startswith(PREFIX) for variable in os.environ)):
        return Config()  # as most captures are screened: reading nothing would take as long as a small one

    from appliance.config_file import Tables, read_environment, read_file, read_flags  # noqa: PLC0415

    tables = Tables()
    for file in named:
        tables.put(read_file(file))
    tables.put(read_environment(os.environ))
    tables.put(read_flags(flags))
    return tables.config(path or default_path())


def admin_socket(path: Path | None = None) -> Path:
    """Where the service is asked by the configuration of `load`, whatever else in it is wrong.

    Raises ConfigError when a file cannot be read.
    """
    try:
        return Path(load(path).admin.socket)
    except ConfigError:
        from appliance.config_file import sound_value  # noqa: PLC0415

        found = sound_value("admin", "socket", files(path), os.environ)
        return Path(found or Admin().socket)


def files(path: Path | None = None) -> list[Path]:
    """The files that make the configuration, those that win last; `path` is what the command line names."""
    if path is None:
        path = default_path()
    if path is None:
        return []
    return [path, *sorted((path.parent / FOLDER).glob("*.toml"))]


@contextmanager
def blaming(path: Path | None = None, flags: Flags = ()) -> Iterator[None]:
    """A SettingError of what is done within is raised as a ConfigError: with the file and line, the variable or the
    flag that the setting comes from, where `load` with these arguments gave it."""
    try:
        yield
    except SettingError as error:
        from appliance.config_file import origin  # noqa: PLC0415

        place, line = origin(error.key, files(path), os.environ, flags)
        raise ConfigError(place, error.reason, error.key, line) from error


def default_path() -> Path | None:
    """The main file when the command line names none."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    return SYSTEM_CONFIG if SYSTEM_CONFIG.exists() else None


def problems(config: Config) -> Iterator[tuple[str, str]]:
    """(key, what was expected) of what is wrong with single settings and types cannot say."""
    region = config.screen.region
    if region is not None and not known_region(region):
        yield "screen.region", f"expected an ISO 3166 country code such as GB, got {region!r}"
    for key, listen in (("hep.listen", config.hep.listen), ("metrics.listen", config.metrics.listen)):
        if listen and not 0 <= int(listen.rpartition(":")[2]) <= MAX_PORT:
            yield key, f"expected a port up to {MAX_PORT}, got {listen!r}"


def disagreements(config: Config) -> Iterator[tuple[str, str]]:
    """The same of settings that do not go together, wherever each of them comes from."""
    hep = config.hep
    if bool(hep.tls_certificate) != bool(hep.tls_key):
        missing, given = ("tls_key", "tls_certificate") if hep.tls_certificate else ("tls_certificate", "tls_key")
        yield f"hep.{missing}", f"expected a file, since hep.{given} names one"


def known_region(region: str) -> bool:
    """Whether `region` is an ISO 3166 alpha-2 code with a numbering plan."""
    # a few milliseconds that a run without a region does not need
    from kernels.numbering_table import REGIONS  # noqa: PLC0415

    return region.isalpha() and region.upper() in REGIONS
