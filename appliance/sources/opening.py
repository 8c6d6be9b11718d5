"""From the configuration to the sources that it names."""

from pathlib import Path

from appliance import log
from appliance.config import Config
from appliance.errors import SettingError
from appliance.sources import filter as packet_filter
from appliance.sources.directory import DirectorySource
from appliance.sources.errors import FilterError
from appliance.sources.hep import HepSource
from appliance.sources.ring import RingSource
from appliance.sources.sniff import SniffSource
from appliance.sources.source import Source


def open_sources(config: Config) -> list[Source]:
    """All sources that are configured, each of which opens itself at its first `receive`.

    Raises SettingError for what no later attempt would mend: a filter that is not one, a key that cannot be read.
    """
    capture = config.capture
    sources: list[Source] = []
    try:
        packet_filter.check(capture.filter)
    except FilterError as error:
        raise SettingError("capture.filter", f"{capture.filter!r}: {error}") from error
    if capture.interfaces:
        if unseen := packet_filter.blind_spots(capture.filter):
            log.warning("the filter does not see SIP in some tunnels", tunnels=", ".join(unseen), filter=capture.filter)
        watch = SniffSource if capture.fallback else RingSource
        sources += [watch(interface, capture) for interface in capture.interfaces]
    if capture.directory:
        sources.append(DirectorySource(Path(capture.directory), Path(config.service.state_dir)))
    if config.hep.listen:
        sources.append(HepSource(config.hep))
    return sources
