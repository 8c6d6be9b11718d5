"""The allow list as verdicts are held against it: whose calls are never reported as fraud."""

import ipaddress
from collections.abc import Iterable

from appliance.party import Party
from appliance.store_findings import number_key
from appliance.store_lists import ListEntry


class AllowList:
    """The entries of the list `allow`, made anew whenever the list changes. Reading it takes no lock."""

    def __init__(self, entries: Iterable[ListEntry] = ()) -> None:
        self._exact: dict[str, ListEntry] = {}  # numbers by their key, sources by their address
        self._ranges: dict[str, ListEntry] = {}  # by the digits that they begin with
        self._networks: list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ListEntry]] = []
        for entry in entries:
            party = Party.read(entry.value)
            if party.kind == "network":
                self._networks.append((ipaddress.ip_network(party.value), entry))
            elif party.kind == "range":
                self._ranges[party.value.strip("+*")] = entry
            else:
                self._exact[_key(party)] = entry
        self._range_lengths = sorted({len(digits) for digits in self._ranges})

    def covers(self, now_ns: int, *, source: str | None, numbers: Iterable[str | None]) -> ListEntry | None:
        """The entry that allows the source address or one of the numbers of a caller; None when there is none.

        `numbers`: as sent and in E.164, None for what is not known. `now_ns`: wall clock, for what has expired.
        """
        for entry in self._matching(source, numbers):
            if entry.expires_ns == "never" or entry.expires_ns > now_ns:
                return entry
        return None

    def _matching(self, source: str | None, numbers: Iterable[str | None]) -> Iterable[ListEntry]:
        for number in filter(None, numbers):
            key = number_key(number)
            if key in self._exact:
                yield self._exact[key]
            for length in self._range_lengths:
                if key[:length] in self._ranges:
                    yield self._ranges[key[:length]]
        if source is None:
            return
        if source in self._exact:
            yield self._exact[source]
        if self._networks:
            address = ipaddress.ip_address(source)
            yield from (entry for network, entry in self._networks if address in network)


def _key(party: Party) -> str:
    return party.value if party.kind == "source" else number_key(party.value)
