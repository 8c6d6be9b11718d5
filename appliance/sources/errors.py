"""Errors of the live sources; each says whose fault it was."""

from appliance.errors import ApplianceError


class SourceError(ApplianceError):
    """Base: a source cannot be opened, or not go on. `str()` is the end of a sentence about it."""


class FilterError(SourceError):
    """The filter expression is not one: the fault of who wrote it."""


class InterfaceError(SourceError):
    """The interface is missing or down, or the kernel refuses: tried again later."""


class ListenError(SourceError):
    """The address cannot be listened on: tried again later."""
