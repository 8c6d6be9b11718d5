"""An AF_PACKET socket with a TPACKET_V3 ring: opened, filtered and bound in an order that lets no packet slip in.

Source: packet(7), Documentation/networking/packet_mmap.rst and include/uapi/linux/if_packet.h of Linux. A socket of
protocol 0 gets no packets. It is given its filter, its ring and its options first, and its protocol last, by bind: so
nothing that the filter refuses is ever in the ring.
"""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Self

from appliance.sources.errors import InterfaceError
from capture.ring import HEADROOM, Ring

# linux/if_packet.h, linux/if_ether.h, asm-generic/socket.h, linux/if.h, linux/if_arp.h
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_RX_RING = 5
PACKET_STATISTICS = 6
PACKET_VERSION = 10
PACKET_RESERVE = 12
PACKET_FANOUT = 18
PACKET_IGNORE_OUTGOING = 23
PACKET_MR_PROMISC = 1
PACKET_FANOUT_HASH = 0
PACKET_FANOUT_FLAG_DEFRAG = 0x8000
TPACKET_V3 = 2
ETH_P_ALL = 0x0003
SO_ATTACH_FILTER = 26
SO_TIMESTAMPNS = 35
SO_LOCK_FILTER = 44
SIOCGIFFLAGS = 0x8913
SIOCGIFHWADDR = 0x8927
IFF_UP = 0x1
ARPHRD_ETHER = 1
ARPHRD_LOOPBACK = 772

LINKTYPE_ETHERNET = 1
LINKTYPE_RAW = 101

# Bytes of one block. It must hold the largest frame whole: 64 KiB, put together by receive offload. A block that is
# larger than need be makes its first packet wait longer.
BLOCK_BYTES = 128 * 1024
# The kernel lets go of a block that is not full after this time. Before Linux 6.18 it counts in ticks, of 4 ms with
# Debian's kernel, and a block may wait for two of them.
RETIRE_MS = 1
# Frames are not of a fixed size in TPACKET_V3; the kernel only checks that this divides a block.
FRAME_BYTES = 2048

# What compiles the filter: takes the link type, gives sock_filter structures.
Program = Callable[[int], bytes]


class PacketSocket:
    """A ring that is open on `interface`; raises InterfaceError when it cannot be."""

    def __init__(
        self, interface: str, program: Program, *, ring_bytes: int, promiscuous: bool = True, fanout_group: int = 0
    ) -> None:
        self.interface = interface
        self._packets = self._dropped = 0
        self._memory: mmap.mmap | None = None
        with _refusals():
            self.index = socket.if_nametoindex(interface)
        kind = _hardware_type(interface)
        ethernet = kind in (ARPHRD_ETHER, ARPHRD_LOOPBACK)
        with _refusals():
            # where the link header is not Ethernet's, the kernel is asked to take it off
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW if ethernet else socket.SOCK_DGRAM, 0)
        try:
            self.link_type = LINKTYPE_ETHERNET if ethernet else LINKTYPE_RAW
            self._attach(program(self.link_type))
            with _refusals():
                # the moment is taken as the packet comes in, once, and not as each ring gets it
                self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                if kind == ARPHRD_LOOPBACK:  # it shows each packet as it goes and as it comes
                    self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
                self.ring = self._map(ring_bytes)
                if promiscuous and kind == ARPHRD_ETHER:
                    membership = struct.pack("=iHH8s", self.index, PACKET_MR_PROMISC, 0, b"")
                    self._socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
                self._socket.bind((interface, ETH_P_ALL))
                if fanout_group:
                    # both directions of a flow, and all fragments of a packet, go to the same ring
                    group = struct.pack("=HH", fanout_group, PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG)
                    self._socket.setsockopt(SOL_PACKET, PACKET_FANOUT, group)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def failed(self) -> bool:
        """Whether the kernel has something to say since it was last asked; reading it makes the socket wait again."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def trouble(self) -> str | None:
        """Why nothing comes any more, or None: the interface went down or away, or has another name now."""
        with contextlib.suppress(OSError):
            if socket.if_nametoindex(self.interface) != self.index:
                return "was replaced by another of that name"
        return condition(self.interface)

    def statistics(self) -> tuple[int, int]:
        """(packets that passed the filter, those of them that the ring had no room for), since it was opened."""
        # reading sets the kernel's counters to 0
        with contextlib.suppress(OSError):
            raw = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12)
            packets, dropped, _ = struct.unpack("=III", raw)
            self._packets += packets
            self._dropped += dropped
        return self._packets, self._dropped

    def close(self) -> None:
        if self._memory is not None:
            self.ring.close()
            self._memory.close()
            self._memory = None
        self._socket.close()

    def _attach(self, code: bytes) -> None:
        buffer = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
        with _refusals():
            self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
            self._socket.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)

    def _map(self, ring_bytes: int) -> Ring:
        blocks = max(2, ring_bytes // BLOCK_BYTES)
        total = blocks * BLOCK_BYTES
        self._socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        self._socket.setsockopt(SOL_PACKET, PACKET_RESERVE, HEADROOM)
        request = struct.pack("=7I", BLOCK_BYTES, blocks, FRAME_BYTES, total // FRAME_BYTES, RETIRE_MS, 0, 0)
        self._socket.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
        memory = mmap.mmap(self._socket.fileno(), total, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        ring = Ring(memory, BLOCK_BYTES, self.link_type)
        self._memory = memory
        return ring


def condition(interface: str) -> str | None:
    """None while the interface is there and up, else the end of a sentence about it."""
    try:
        flags = struct.unpack_from("=H", _ask(interface, SIOCGIFFLAGS), 16)[0]
    except OSError as error:
        return _reason(error.errno)
    return None if flags & IFF_UP else "is down"


def _hardware_type(interface: str) -> int:
    with _refusals():
        return int(struct.unpack_from("=H", _ask(interface, SIOCGIFHWADDR), 16)[0])


def _ask(interface: str, question: int) -> bytes:
    """An ifreq of netdevice(7), answered. Any socket may be asked. Not one of AF_PACKET: its end waits until no
    processor looks at it any more (synchronize_net), which takes up to 20 ms, with packets waiting behind it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asked:
        return fcntl.ioctl(asked, question, struct.pack("16s24x", interface.encode()))


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turns the operating system's refusal into the end of a sentence about the interface."""
    try:
        yield
    except OSError as error:
        raise InterfaceError(_reason(error.errno)) from error


def _reason(number: int | None) -> str:
    if number is None or number in (errno.ENODEV, errno.ENXIO):  # if_nametoindex gives no number
        return "is not there"
    if number == errno.ENETDOWN:
        return "is down"
    if number in (errno.EPERM, errno.EACCES):
        return "may not be listened on: the capability CAP_NET_RAW is missing"
    if number == errno.ENOMEM:
        return "cannot be given a ring of that size: not enough memory"
    text = os.strerror(number)
    return text[:1].lower() + text[1:]
