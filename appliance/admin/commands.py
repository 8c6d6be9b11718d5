"""The commands about the service as a whole."""

from appliance.admin.peer import Role
from appliance.admin.registry import CommandLine, Context, NoArguments, Registry

registry = Registry()


@registry.command("commands", Role.READER)
async def commands(_: Context, __: NoArguments) -> list[CommandLine]:
    """The commands of this version."""
    return registry.lines()


@registry.command("status", Role.READER)
async def status(context: Context, _: NoArguments) -> object:
    """How the service is doing."""
    return context.box.status()
