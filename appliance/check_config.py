"""`sipwarden check-config`: whether the service would start with this configuration."""

from pathlib import Path

from appliance import config as configuration
from appliance.errors import ConfigError
from appliance.exit import Exit, complain
from appliance.memory import unit_limits
from appliance.pipeline import load_scorers
from models.errors import ModelError


def run(path: Path | None, unit: bool = False) -> Exit:
    """The command: one line on stdout, or on stderr what is wrong. `unit`: the limits for systemd instead."""
    try:
        config = configuration.load(path)
        load_scorers(config.screen.bundles)  # what the configuration names must be usable too
    except (ConfigError, ModelError) as error:
        complain(error)
        return Exit.UNUSABLE
    if unit:
        # the compiled tables, which only know their sizes
        print(unit_limits(config), end="")
        return Exit.DONE
    names = ", ".join(map(str, configuration.files(path)))
    print(f"{names or 'the defaults'}: valid")
    return Exit.DONE
