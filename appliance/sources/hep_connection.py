"""One connection of a HEP agent: bytes in, whole messages on to the feed."""

import socket
import ssl
import time

from capture.hep_feed import LARGEST_MESSAGE, HepFeed

# A message that is waited for, and what came of the next.
BUFFER_BYTES = 2 * (LARGEST_MESSAGE + 1)
# An agent that has nothing to send is silent for hours; whether it is still there the kernel finds out.
KEEPALIVE_IDLE_S = 60
# What OpenSSL says of a handshake that failed -> what an operator can do something about.
TLS_PROBLEMS = {
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the agent says that our certificate is not valid at its time",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the agent does not take our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the agent does not take our certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the agent does not know who issued our certificate",
    "UNSUPPORTED_PROTOCOL": "the agent speaks no TLS as new as 1.2",
    "WRONG_VERSION_NUMBER": "the agent does not speak TLS",
    "HTTP_REQUEST": "that was HTTP, and not HEP over TLS",
}


class Connection:
    """An accepted socket; `peer` names who is at the other end."""

    def __init__(self, accepted: socket.socket, peer: str, tls: ssl.SSLContext | None) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        self.peer = peer
        self.heard_s = 0.0  # when the last whole message came: those of none give way first, the oldest before others
        self.has_more = False  # whole messages may wait here, of which the kernel knows nothing
        self._socket = accepted
        if tls is not None:
            # the handshake is made by the first read
            self._socket = tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._used = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self, feed: HepFeed) -> str | None:
        """Reads what is there, a buffer at most so that every agent gets its turn, and hands it on.

        Gives None, or why the connection has to be closed: "" when it has ended well.
        """
        self.has_more = True
        problem = self._hand_on(feed)
        if problem is not None or feed.full or self._used == BUFFER_BYTES:
            return problem
        try:
            count = self._socket.recv_into(self._view[self._used :])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self.has_more = False
            return None
        except OSError as error:
            return connection_problem(error)
        if count == 0:
            return "ended in the middle of a message" if self._used else ""
        self._used += count
        problem = self._hand_on(feed)
        # what the kernel still has, it tells of itself; what TLS has opened already, it does not
        self.has_more = feed.full or isinstance(self._socket, ssl.SSLSocket)
        return problem

    def _hand_on(self, feed: HepFeed) -> str | None:
        taken = feed.take_stream(self._view[: self._used])
        if taken < 0:
            return "sent what is not HEP version 3"
        if taken:
            self.heard_s = time.monotonic()
            self._buffer[: self._used - taken] = self._view[taken : self._used].tobytes()
            self._used -= taken
        return None

    def close(self) -> None:
        self._view.release()
        self._socket.close()


def connection_problem(error: OSError) -> str:
    """What went wrong with a connection, for an operator."""
    if isinstance(error, ssl.SSLError):
        return TLS_PROBLEMS.get(error.reason or "", f"TLS failed: {error.reason or error}")
    return (error.strerror or str(error)).lower()
