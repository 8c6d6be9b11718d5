"""A new configuration for a running service: what can be put in force, and what waits for the next start."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from appliance.config import Config
from appliance.installed import InstalledBundles
from appliance.pipeline import ROW_KINDS, load_scorers
from appliance.sources import Source, open_sources
from appliance.sources.hep_secrets import HepSecrets
from models.bundle import Bundle
from models.scorer import Scorer

# What is given its size, its place or its address once, when the service starts.
AT_START = (
    "screen.region",
    "limits",
    "service.state_dir",
    "service.cpus",
    "store",
    "spool",
    "collector",
    "admin.socket",
    "metrics",
)


def scorers_of(config: Config, installed: InstalledBundles) -> dict[str, Scorer]:
    """Those of the folder that the configuration names, else those that were installed, else the shipped ones.

    Raises ModelError.
    """
    if config.screen.bundles is not None:
        return load_scorers(config.screen.bundles)
    return {kind: Scorer(Bundle.load(installed.folder(kind))) for kind in ROW_KINDS}


@dataclass(frozen=True, slots=True)
class Reload:
    """Everything that the new configuration needs, found to be usable."""

    config: Config
    scorers: Mapping[str, Scorer]
    sources: list[Source] | None  # None: those that are there go on
    hep: HepSecrets | None  # for the one that goes on: key and certificate may have been renewed in their files

    @classmethod
    def prepare(cls, old: Config, new: Config, installed: InstalledBundles) -> "Reload":
        """Reads what `new` names. Raises ModelError and SettingError."""
        scorers = scorers_of(new, installed)
        if (old.capture, old.hep) != (new.capture, new.hep):
            return cls(new, scorers, open_sources(new), None)
        return cls(new, scorers, None, HepSecrets.read(new.hep) if new.hep.listen else None)


def changes(old: Config, new: Config) -> list[str]:
    """One sentence for each key that differs."""
    before, after = (msgspec.to_builtins(config) for config in (old, new))
    return [
        f"{section}.{key}: {_text(before[section][key])} -> {_text(value)}"
        + (" (at the next start)" if waits_for_start(f"{section}.{key}") else "")
        for section, keys in after.items()
        for key, value in keys.items()
        if value != before[section][key]
    ]


def waits_for_start(key: str) -> bool:
    return key in AT_START or key.partition(".")[0] in AT_START


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
