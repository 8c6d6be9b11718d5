"""A scenario played live, as UDP on the loopback interface: what `sipwarden run --interface lo` can watch.

Theory of operation. The server's SIP port is HOST:PORT. Every other address gets a place of its own in 127.0.0.0/8,
which Linux has whole on `lo`, and keeps its port; so sources stay as distinct as in a capture. SIP to the server goes
to HOST:PORT from such an address. What the server says goes out of HOST:PORT when nobody else has that port, and is
left out otherwise: then whoever listens there hears the callers alone. Addresses inside messages stay those of the
scenario. Nothing is ever sent to an address that is not loopback, and a run ends after LIMIT_S.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address

from simulator.errors import ScenarioError
from simulator.intent import Endpoint
from simulator.packets import ETHERNET_BYTES, HEADER_BYTES, IPV4_BYTES
from simulator.player import Player

SOCKETS = 256  # open at once; the one longest unused is closed
# First octet of a scenario's address block -> second octet of its place; the blocks of one run's scenarios follow.
_PLACES = {10: 10, 100: 64, 172: 128, 198: 192}
_PORTS = struct.Struct("!HH")
# An address that cannot be had or reached is a datagram lost, as on any network; all else is the machine's fault.
_LOST = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES, errno.ENOBUFS, errno.ECONNREFUSED, errno.EAGAIN)


def target(text: str) -> Endpoint:
    """HOST:PORT as an endpoint; raises ScenarioError unless HOST is an IPv4 loopback address."""
    host, _, port = text.rpartition(":")
    try:
        address, number = IPv4Address("127.0.0.1" if host == "localhost" else host), int(port)
    except ValueError as error:
        raise ScenarioError(f"--live {text}: not HOST:PORT with an IPv4 address") from error
    if not address.is_loopback or not 0 < number < 65536:
        raise ScenarioError(f"--live {text}: only loopback addresses (127.0.0.0/8) and ports 1 to 65535 are played to")
    return Endpoint(str(address), number)


def place(address: str) -> str:
    """Where an address of a scenario is on the loopback interface."""
    first, second, third, fourth = map(int, address.split("."))
    base = {10: 0, 100: 64, 172: 16, 198: 18}[first]
    return f"127.{_PLACES[first] + second - base}.{third}.{fourth}"


class LivePlayer(Player):
    """Sends the datagrams of frames from and to the places of their addresses."""

    def __init__(
        self,
        to: Endpoint,
        servers: Iterable[Endpoint],
        speed: float = 1.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        super().__init__(speed, clock=clock, sleep=sleep)
        self._target = (to.address, to.port)
        self._servers = {(server.address, server.port) for server in servers}
        self._sockets: OrderedDict[tuple[str, int], socket.socket] = OrderedDict()
        self._server = self._bound(self._target)

    def __exit__(self, *_: object) -> None:
        for one in (self._server, *self._sockets.values()):
            if one:
                one.close()

    def _send(self, whole: bytes) -> None:
        addresses = whole[ETHERNET_BYTES + 12 : ETHERNET_BYTES + IPV4_BYTES]
        ports = _PORTS.unpack_from(whole, ETHERNET_BYTES + IPV4_BYTES)
        source = self._placed(socket.inet_ntoa(addresses[:4]), ports[0])
        out = self._server if source == self._target else self._line(source)
        try:
            if out:
                out.sendto(whole[HEADER_BYTES:], self._placed(socket.inet_ntoa(addresses[4:]), ports[1]))
        except OSError as error:
            if error.errno not in _LOST:
                raise
            out = None
        self.packets += out is not None
        self.skipped += out is None

    def _placed(self, address: str, port: int) -> tuple[str, int]:
        """Where an address and port of the scenario are; the servers' SIP port is the target, and nothing else is."""
        return self._target if (address, port) in self._servers else (place(address), port)

    def _line(self, here: tuple[str, int]) -> socket.socket | None:
        """The socket that sends from here; None when somebody else has the port."""
        if here not in self._sockets:
            found = self._bound(here)
            if found is None:
                return None
            self._sockets[here] = found
            if len(self._sockets) > SOCKETS:
                self._sockets.popitem(last=False)[1].close()
        self._sockets.move_to_end(here)
        return self._sockets[here]

    @staticmethod
    def _bound(here: tuple[str, int]) -> socket.socket | None:
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            out.bind(here)
        except OSError as error:
            out.close()
            if error.errno not in _LOST:
                raise
            return None
        return out
