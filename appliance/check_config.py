"""`sipwarden check-config`: whether the service would start with this configuration."""

from pathlib import Path

from appliance import config as configuration
from appliance.config import Config
from appliance.errors import ConfigError
from appliance.pipeline import load_bundles
from appliance.screen import Exit, complain
from models.errors import ModelError
from models.scorer import Scorer


def run(path: Path | None) -> Exit:
    """The command: one line on stdout, or on stderr what is wrong."""
    try:
        check(configuration.load(path))
    except (ConfigError, ModelError) as error:
        complain(error)
        return Exit.UNUSABLE
    names = ", ".join(map(str, configuration.files(path)))
    print(f"{names or 'the defaults'}: valid")
    return Exit.DONE


def check(config: Config) -> dict[str, Scorer]:
    """What a configuration names must be usable too: the scorers of its bundles. Raises ModelError."""
    return {kind: Scorer(bundle) for kind, bundle in load_bundles(config.screen.bundles).items()}
