"""`sipwarden run`: the service in the foreground, until SIGTERM or SIGINT."""

import asyncio
import sys
from pathlib import Path

from appliance import config as configuration
from appliance import log
from appliance.admin.errors import AdminError
from appliance.config import Flags
from appliance.errors import ApplianceError
from appliance.exit import Exit, complain
from appliance.live.service import Service
from appliance.sources.errors import SourceError
from models.errors import ModelError

# A thread that wants the interpreter back after a pass without it waits so long for another one that computes. The
# tracker gives it away some times in a block, and a verdict may take 5 ms in all, which is what Python waits each time.
SWITCH_S = 0.0001


def run(config_path: Path | None, flags: Flags, *, show: bool = False) -> Exit:
    """Runs the service. `show`: what it finds is shown on stdout, and a summary at the end."""
    sys.setswitchinterval(SWITCH_S)
    try:
        config = configuration.load(config_path, flags)
        log.configure(config.log.level, config.log.format)
        with Service(config, config_path, flags, show=show) as service:
            failure = asyncio.run(service.serve())
    except (ApplianceError, ModelError, SourceError, AdminError) as error:
        complain(error)
        return Exit.UNUSABLE
    except MemoryError as error:
        complain(f"{error or 'not enough memory'}: lower the limits of the configuration")
        return Exit.UNUSABLE
    return Exit.FAILED if failure else Exit.DONE
