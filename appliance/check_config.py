"""`sipwarden check-config`: whether the service would start with this configuration."""

from pathlib import Path

from appliance import config as configuration
from appliance import log
from appliance.errors import ApplianceError
from appliance.exit import Exit, complain
from appliance.live.memory import unit_limits
from appliance.pipeline import load_scorers
from appliance.sources import open_sources
from models.errors import ModelError


def run(path: Path | None, unit: bool = False) -> Exit:
    """The command: one line on stdout, or on stderr what is wrong. `unit`: the limits for systemd instead."""
    log.configure("warning", "text")
    try:
        config = configuration.load(path)
        # what the configuration names must be usable too
        load_scorers(config.screen.bundles)
        with configuration.blaming(path):
            open_sources(config)
    except (ApplianceError, ModelError) as error:
        complain(error)
        return Exit.UNUSABLE
    if unit:
        # the compiled tables, which only know their sizes
        print(unit_limits(config), end="")
        return Exit.DONE
    names = ", ".join(map(str, configuration.files(path)))
    print(f"{names or 'the defaults'}: valid")
    return Exit.DONE
