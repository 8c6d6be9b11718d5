"""The commands about the service as a whole."""

import msgspec

from appliance import log
from appliance.admin.errors import AdminError
from appliance.admin.peer import Role
from appliance.admin.registry import CommandLine, Context, NoArguments, registry
from appliance.doctor.check import Check
from appliance.doctor.examination import from_inside
from appliance.errors import ConfigError
from appliance.live_calls import live_calls
from appliance.report import CallLine, decode
from appliance.support import Support, process_facts, without_secrets
from models.errors import ModelError

EXAMINED_CALLS = 500  # of the newest, for the share that is seen from one side only


@registry.command("commands", Role.READER)
async def commands(_: Context, __: NoArguments) -> list[CommandLine]:
    """The commands of this version."""
    return registry.lines()


@registry.command("status", Role.READER)
async def status(context: Context, _: NoArguments) -> object:
    """How the service is doing."""
    return context.box.status()


@registry.command("metrics", Role.READER)
async def metrics(context: Context, _: NoArguments) -> str:
    """The metrics, in Prometheus' text format."""
    return context.box.metrics_text()


@registry.command("reload", Role.ADMINISTRATOR)
async def reload(context: Context, _: NoArguments) -> list[str]:
    """Put the configuration in force that is in its files now."""
    try:
        changed = list(await context.box.reload())
    except (ConfigError, ModelError) as error:
        raise AdminError(
            "config", str(error), "nothing was changed: the configuration from before is in force"
        ) from error
    log.info("the configuration was reloaded", by=context.peer.user, changed=len(changed))
    return changed


@registry.command("doctor", Role.READER)
async def doctor(context: Context, _: NoArguments) -> list[Check]:
    """What keeps the service from seeing and judging calls, and the cure."""
    box = context.box
    lines = await live_calls(box.ask, limit=EXAMINED_CALLS)
    calls = [call for call in map(decode, lines) if isinstance(call, CallLine)]
    return await context.aside(from_inside, box.config, box.status(), calls)


@registry.command("support", Role.ADMINISTRATOR)
async def support(context: Context, _: NoArguments) -> Support:
    """What a support dump has of the service: no numbers, no secrets."""
    box = context.box
    log.info("a support dump is made", by=context.peer.user)
    return Support(
        status=box.status(),
        config=without_secrets(msgspec.to_builtins(box.config)),
        doctor=await doctor(context, NoArguments()),
        metrics=box.metrics_text(),
        process=await context.aside(process_facts),
    )
