"""The filter of the live interfaces: whether it is one, and what of SIP it keeps away."""

from collections.abc import Iterator

from appliance.config import Capture
from appliance.doctor.check import Check, fail, ok, warn
from appliance.sources.errors import FilterError
from appliance.sources.filter import blind_spots, sees_sip


def filter_checks(capture: Capture, sip_is_seen: bool) -> Iterator[Check]:
    """`sip_is_seen`: some came through, so that what the filter leaves out may well be meant."""
    if not capture.interfaces or not capture.filter.strip():
        return
    try:
        plain, unseen = sees_sip(capture.filter), blind_spots(capture.filter)
    except FilterError as error:
        yield fail("filter", str(error), "[capture] filter takes what tcpdump takes")
        return
    if sip_is_seen:
        yield ok("filter", f"{capture.filter!r} lets SIP through")
    elif not plain:
        yield warn("filter", f"{capture.filter!r} keeps port 5060 away", "name the ports of the signalling in it")
    elif unseen:
        cure = "does the mirror tunnel? Then let its tunnels through: `or proto gre or udp port 4789`"
        yield warn("filter", f"{capture.filter!r} does not see SIP in {', '.join(unseen)}", cure)
    else:
        yield ok("filter", f"{capture.filter!r} lets SIP through")
