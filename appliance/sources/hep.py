"""HEP messages from the capture agents of proxies and gateways, over UDP and TCP on one port, or over TLS alone.

With a certificate only TLS is spoken: a second, open door beside it would make it useless. With a key only messages
count that carry it. A connection has a buffer for one message and what has come of the next; there are never more than
MAXIMUM_CONNECTIONS, and a new one takes the place of one that never sent a message, else of the one that has been
silent longest.
"""

import contextlib
import os
import select
import socket
import struct
import time

from appliance import log
from appliance.config import Hep
from appliance.sources.errors import ListenError
from appliance.sources.hep_connection import Connection, connection_problem
from appliance.sources.hep_secrets import HepSecrets
from appliance.sources.source import Source, SourceCounters
from capture.hep_feed import HepFeed

# Agents at once. Precedent: a carrier has some dozens of proxies, and each keeps one connection.
MAXIMUM_CONNECTIONS = 256
# Connections taken at once, so that a flood of them does not hold up the messages.
ACCEPTED_AT_ONCE = 16
# Asked for; without CAP_NET_ADMIN the kernel gives what net.core.rmem_max allows.
RECEIVE_BUFFER_BYTES = 8 << 20
SO_RCVBUFFORCE = 33
SO_MEMINFO = 55  # nine 32-bit counts, the last of them the packets that were dropped (linux/sock_diag.h)
MEMINFO_COUNTS = 9
# How often it is said that messages are not read.
COMPLAINT_S, LOOK_S = 60.0, 1.0

# Counters of the feed -> what is said of them.
UNREAD = {
    "malformed": "are malformed",
    "refused": "do not carry the key",
    "compressed": "have a compressed payload",
    "old": "are of HEP version 1 or 2",
}


class HepSource(Source):
    """Listens at `settings.listen`. Raises SettingError when the key or the certificate cannot be used."""

    def __init__(self, settings: Hep) -> None:
        super().__init__("hep")
        self._host, port = _host_and_port(settings.listen)
        self.port = port  # 0: any, and known once it is up
        secrets = HepSecrets.read(settings)
        self._tls = secrets.tls
        self._feed = HepFeed(secrets.key)
        self._datagrams: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._epoll: select.epoll | None = None
        self._wake = -1  # an eventfd: readable while whole messages wait in the buffers of connections
        self._connections: dict[int, Connection] = {}
        self._waiting: set[int] = set()
        self._lost_before = self._lost = 0
        self._broken_connections = 0
        self._complained: dict[str, int] = dict.fromkeys(UNREAD, 0)
        self._next_complaint_s = 0.0

    def fileno(self) -> int:
        return -1 if self._epoll is None else self._epoll.fileno()

    def counters(self) -> SourceCounters:
        counts = self._feed.counts()
        unread = sum(counts[name] for name in ("malformed", "refused", "compressed", "old"))
        return SourceCounters(
            packets=counts["messages"],
            dropped=self._lost_before + self._kernel_lost(),
            bytes=counts["bytes"],
            duplicates=self._feed.duplicates,
            errors=unread + self._broken_connections + self.failures,
        )

    def details(self) -> dict[str, int]:
        """What became of the messages, by name: `sip`, `other`, and the kinds that are not read."""
        return self._feed.counts() | {"connections": len(self._connections)}

    def use(self, secrets: HepSecrets) -> None:
        """Asks for another key from now on, and shows another certificate to whoever connects from now on."""
        self._tls = secrets.tls
        self._feed.use_key(secrets.key)

    def _open(self) -> HepFeed:
        try:
            self._listener = _listening(self._host, self.port)
            self.port = self._listener.getsockname()[1]
            self._epoll = select.epoll()
            self._wake = os.eventfd(0, os.EFD_NONBLOCK)
            self._epoll.register(self._wake, select.EPOLLIN)
            self._epoll.register(self._listener, select.EPOLLIN)
            if self._tls is None:
                self._datagrams = _datagrams(self._host, self.port)
                self._epoll.register(self._datagrams, select.EPOLLIN)
        except OSError as error:
            self._close()
            raise ListenError(f"cannot listen at {self._host} port {self.port}: {error.strerror}") from error
        return self._feed

    def _receive(self) -> None:
        assert self._epoll is not None
        assert self._listener is not None
        if self._feed.unread:
            return
        self._feed.begin()
        if self._datagrams is not None:
            # an error of the socket is told once and concerns one datagram
            with contextlib.suppress(OSError):
                self._feed.take_datagrams(self._datagrams.fileno())
        ready = {number for number, _ in self._epoll.poll(0)}
        if self._listener.fileno() in ready:
            self._accept()
        wanting = [one for number in ready | self._waiting if (one := self._connections.get(number)) is not None]
        for connection in sorted(wanting, key=lambda one: one.heard_s):
            if self._feed.full:
                break
            self._take(connection)
        self._set_wake()
        self._complain()

    def _accept(self) -> None:
        assert self._epoll is not None
        assert self._listener is not None
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted, peer = self._listener.accept()
            except OSError:  # nobody waits, or it is gone again, or no more files may be open
                return
            name = f"{peer[0]} port {peer[1]}"
            try:
                connection = Connection(accepted, name, self._tls)
            except OSError as error:  # reset since: TLS asks the socket who is at its other end
                accepted.close()
                self._broken_connections += 1
                log.warning("HEP connection was closed", peer=name, problem=connection_problem(error))
                continue
            if len(self._connections) == MAXIMUM_CONNECTIONS:
                silent = min(self._connections.values(), key=lambda one: one.heard_s)
                self._drop(silent, "gave way to another agent")
            self._connections[connection.fileno()] = connection
            self._epoll.register(connection, select.EPOLLIN)

    def _take(self, connection: Connection) -> None:
        number = connection.fileno()
        self._waiting.discard(number)
        problem = connection.receive(self._feed)
        if problem is not None:
            self._drop(connection, problem)
        elif connection.has_more:
            self._waiting.add(number)

    def _drop(self, connection: Connection, problem: str) -> None:
        assert self._epoll is not None
        number = connection.fileno()
        if problem:
            self._broken_connections += 1
            log.warning("HEP connection was closed", peer=connection.peer, problem=problem)
        self._epoll.unregister(number)
        self._waiting.discard(number)
        del self._connections[number]
        connection.close()

    def _set_wake(self) -> None:
        if self._waiting:
            os.eventfd_write(self._wake, 1)
        else:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)

    def _close(self) -> None:
        self._lost_before += self._kernel_lost()
        self._lost = 0
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        self._waiting.clear()
        for opened in (self._datagrams, self._listener, self._epoll):
            if opened is not None:
                opened.close()
        self._datagrams = self._listener = self._epoll = None
        if self._wake >= 0:
            os.close(self._wake)
            self._wake = -1

    def _kernel_lost(self) -> int:
        """Datagrams for which the socket had no room, since it was opened."""
        if self._datagrams is not None:
            with contextlib.suppress(OSError, struct.error):
                raw = self._datagrams.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * MEMINFO_COUNTS)
                self._lost = struct.unpack(f"={MEMINFO_COUNTS}I", raw)[-1]
        return self._lost

    def _complain(self) -> None:
        """Says how many messages were not read, and why: the first at once, then once in a while."""
        now_s = time.monotonic()
        if now_s < self._next_complaint_s:
            return
        self._next_complaint_s = now_s + LOOK_S
        counts = self._feed.counts()
        for name, what in UNREAD.items():
            if counts[name] > self._complained[name]:
                self._next_complaint_s = now_s + COMPLAINT_S
                log.warning(f"HEP messages {what}", messages=counts[name] - self._complained[name])
                self._complained[name] = counts[name]


def _host_and_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _listening(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(MAXIMUM_CONNECTIONS)
    except OSError:
        listener.close()
        raise
    return listener


def _datagrams(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
    )[0]
    datagrams = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    try:
        if family == socket.AF_INET6:
            datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        with contextlib.suppress(PermissionError):
            datagrams.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        datagrams.bind(address)
    except OSError:
        datagrams.close()
        raise
    return datagrams
