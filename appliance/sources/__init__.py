"""Live sources: what brings packets within reach of the engine, and says how it fares.

`open_sources` gives those that a configuration names; each is a `Source`.
"""

from appliance.sources.opening import open_sources
from appliance.sources.source import Source, SourceCounters

__all__ = ["Source", "SourceCounters", "open_sources"]
