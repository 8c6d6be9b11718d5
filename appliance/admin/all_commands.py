"""The registry with every command in it: importing a module of commands registers them."""

from appliance.admin import commands_calls, commands_evidence, commands_findings, commands_lists, commands_service
from appliance.admin.registry import registry

__all__ = [
    "commands_calls",
    "commands_evidence",
    "commands_findings",
    "commands_lists",
    "commands_service",
    "registry",
]
