"""The registry with every command in it: importing a module of commands registers them."""

from appliance.admin import commands_calls, commands_evidence, commands_findings, commands_lists
from appliance.admin.commands import registry

__all__ = ["commands_calls", "commands_evidence", "commands_findings", "commands_lists", "registry"]
