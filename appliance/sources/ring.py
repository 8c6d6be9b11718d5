"""An interface, watched through a ring that the kernel fills: the source for mirror ports."""

import time

from appliance.config import Capture
from appliance.sources import filter as packet_filter
from appliance.sources.errors import InterfaceError
from appliance.sources.packet_socket import LINKTYPE_ETHERNET, PacketSocket, condition
from appliance.sources.source import Source, SourceCounters
from capture.ring import Ring

# How often the interface is asked whether it is still the one that was opened.
CHECK_S = 0.25


class RingSource(Source):
    """Watches `interface`; the filter has been checked before."""

    def __init__(self, interface: str, settings: Capture) -> None:
        super().__init__(interface)
        self._settings = settings
        self._socket: PacketSocket | None = None
        self._trouble: str | None = None
        self._next_check_s = 0.0
        self._before = SourceCounters()  # of the rings that were closed
        # what names mean is looked up once: a name server that does not answer must not hold the packets up
        self._programs: dict[int, bytes] = {}

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def counters(self) -> SourceCounters:
        return self._before + self._since_open() + SourceCounters(errors=self.failures)

    def _open(self) -> Ring:
        if (trouble := condition(self.name)) is not None:
            raise InterfaceError(trouble)
        self._socket = PacketSocket(
            self.name,
            self._program,
            ring_bytes=self._settings.ring_mib << 20,
            promiscuous=self._settings.promiscuous,
            fanout_group=self._settings.fanout_group,
        )
        self._trouble = None
        self._next_check_s = 0.0
        return self._socket.ring

    def _program(self, link_type: int) -> bytes:
        if link_type not in self._programs:
            expression, snaplen = self._settings.filter, self._settings.snaplen
            if not expression.strip():
                code = packet_filter.everything(snaplen)
            elif link_type == LINKTYPE_ETHERNET:
                code = packet_filter.for_interface(expression, self.name, snaplen)
            else:
                code = packet_filter.for_packets(expression, snaplen)
            self._programs[link_type] = code
        return self._programs[link_type]

    def _receive(self) -> None:
        """Nothing has to be moved: what the kernel handed over is within reach. Only the interface is looked after."""
        assert self._socket is not None
        if self._trouble is not None or self._socket.ring.broken:
            raise InterfaceError(self._trouble or "gave a ring that makes no sense")
        now_s = time.monotonic()
        if self._socket.failed() or now_s >= self._next_check_s:
            # what came before the trouble is in the ring: it is read once more, and let go of at the next call
            self._trouble = self._socket.trouble()
            self._next_check_s = now_s + CHECK_S

    def _close(self) -> None:
        if self._socket is not None:
            self._before += self._since_open()
            self._socket.close()
            self._socket = None

    def _since_open(self) -> SourceCounters:
        if self._socket is None:
            return SourceCounters()
        ring = self._socket.ring
        _, dropped = self._socket.statistics()
        return SourceCounters(ring.packets, dropped, ring.bytes, ring.duplicates)
