"""Errors of the simulator; each message names the file and the key at fault."""


class ScenarioError(ValueError):
    """A scenario file is missing, is no TOML, or has an unknown key or an unusable value (the author's fault)."""
