"""From the configuration to the sources that it names."""

from appliance import log
from appliance.config import Config
from appliance.sources import filter as packet_filter
from appliance.sources.ring import RingSource
from appliance.sources.source import Source


def open_sources(config: Config) -> list[Source]:
    """All sources that are configured, each of which opens itself at its first `receive`.

    Raises SourceError for what no later attempt would mend: a filter that is not one, a key that cannot be read.
    """
    capture = config.capture
    sources: list[Source] = []
    if capture.interfaces:
        packet_filter.check(capture.filter)
        if unseen := packet_filter.blind_spots(capture.filter):
            log.warning("the filter does not see SIP in some tunnels", tunnels=", ".join(unseen), filter=capture.filter)
        sources += [RingSource(interface, capture) for interface in capture.interfaces]
    return sources
