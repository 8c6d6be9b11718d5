"""An interface, watched through scapy: the fallback where no ring can be had.

scapy reads one packet with each system call, through Python: good for some thousands of packets a second. It is slow to
import, so that it is imported only by who asks for it. Its frames go through the reader of capture files, as a pcap of
nanosecond times that never ends: one path for what comes from outside.
"""

import struct
import time
from typing import Any

from appliance.config import Capture
from appliance.sources.errors import InterfaceError, SourceError
from appliance.sources.filter import at_any_tag
from appliance.sources.packet_socket import condition
from appliance.sources.source import Source, SourceCounters
from capture.records import RecordReader

LINKTYPE_ETHERNET = 1
LARGEST_FRAME_BYTES = 262144
# Taken at once, so that the other sources get their turn.
FRAMES_AT_ONCE = 1024
BUFFER_BYTES = 4 * LARGEST_FRAME_BYTES
# tcpdump.org: nanosecond pcap in this machine's byte order
PCAP_HEADER = struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, LARGEST_FRAME_BYTES, LINKTYPE_ETHERNET)
RECORD = struct.Struct("=IIII")
CHECK_S = 0.25


class SniffSource(Source):
    """Watches `interface` by scapy; the filter has been checked before."""

    def __init__(self, interface: str, settings: Capture) -> None:
        super().__init__(interface)
        self._settings = settings
        self._socket: Any = None
        self._records: RecordReader | None = None
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._before = SourceCounters()
        self._bytes = 0
        self._next_check_s = 0.0

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def counters(self) -> SourceCounters:
        return self._before + self._since_open() + SourceCounters(errors=self.failures)

    def _open(self) -> RecordReader:
        if (trouble := condition(self.name)) is not None:
            raise InterfaceError(trouble)
        try:
            import scapy.arch  # noqa: PLC0415 - it says which sockets there are on this system
            import scapy.layers.l2  # noqa: PLC0415, F401
            from scapy.config import conf  # noqa: PLC0415
            from scapy.error import Scapy_Exception  # noqa: PLC0415
        except ImportError as error:
            raise SourceError("capture.fallback needs scapy: in a checkout, pip install '.[fallback]'") from error
        try:
            self._socket = conf.L2listen(
                iface=self.name,
                filter=at_any_tag(self._settings.filter) or None,
                promisc=self._settings.promiscuous,
            )
        except (OSError, Scapy_Exception) as error:
            raise InterfaceError(f"cannot be sniffed: {error}") from error
        if self._socket.LL.__name__ != "Ether":
            self._close()
            raise InterfaceError("is no Ethernet, which is all that the fallback sniffs")
        self._buffer[: len(PCAP_HEADER)] = PCAP_HEADER
        self._records = RecordReader(self._buffer, len(PCAP_HEADER))
        return self._records

    def _receive(self) -> None:
        assert self._records is not None
        now_s = time.monotonic()
        if now_s >= self._next_check_s:
            self._next_check_s = now_s + CHECK_S
            if (trouble := condition(self.name)) is not None:
                raise InterfaceError(trouble)
        used = self._records.compact()
        began = used
        try:
            for _ in range(FRAMES_AT_ONCE):
                if BUFFER_BYTES - used < RECORD.size + LARGEST_FRAME_BYTES or not self._socket.select(
                    [self._socket], 0
                ):
                    break
                _, frame, time_s = self._socket.recv_raw(LARGEST_FRAME_BYTES)
                if frame is None:
                    continue
                used += self._put(used, frame, time.time() if time_s is None else float(time_s))
        except OSError as error:
            raise InterfaceError(f"cannot be sniffed: {error.strerror or error}") from error
        finally:
            self._records.filled(used - began)

    def _put(self, at: int, frame: bytes, time_s: float) -> int:
        """Writes one record of the pcap; the bytes of it."""
        kept = min(len(frame), self._settings.snaplen)
        seconds = int(time_s)
        header = RECORD.pack(seconds, int((time_s - seconds) * 1e9), kept, len(frame))
        self._buffer[at : at + RECORD.size] = header
        self._buffer[at + RECORD.size : at + RECORD.size + kept] = frame[:kept]
        self._bytes += len(frame)
        return RECORD.size + kept

    def _close(self) -> None:
        if self._socket is not None:
            self._before += self._since_open()
            self._bytes = 0
            self._socket.close()
            self._socket = self._records = None

    def _since_open(self) -> SourceCounters:
        if self._records is None:
            return SourceCounters()
        return SourceCounters(packets=self._records.records, bytes=self._bytes, duplicates=self._records.duplicates)
