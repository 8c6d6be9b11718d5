"""HTTP of one connection: the certificate of a TLS client is brought to the application, and who stalls is hung up on.

ASGI's TLS extension is not in uvicorn yet. What a request is told instead is `request.state.peer_serial`: the serial
number of the client's certificate as the store has it, None without one. TLS has by then verified its chain.

uvicorn knows a time limit only for a connection that is idle: half a head would keep a connection, and one of the few
places of its listener, for ever.
"""

import asyncio
import ssl

from cryptography import x509
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from collector.authority import serial_text

# No byte within this time after connecting, and the connection is closed.
FIRST_BYTE_S = 10
# From a request's first byte to its last. Longer than ingest.BODY_S, which answers instead of hanging up.
REQUEST_S = 45
CLOSE_S = 1
# Connections of a listener, as a multiple of its requests at a time: more are hung up on, for the files that a process
# may have open are shared with the listener for reports.
CONNECTIONS_TO_REQUESTS = 2


class PeerProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's HTTP protocol, h11 or httptools, which copies `app_state` into the state of each request."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_TO_REQUESTS * self.limit_concurrency:
            transport.abort()
            return
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self.app_state = {**self.app_state, "peer_serial": _serial(tls)}  # type: ignore[has-type]
        self.timeout_keep_alive_task = self.loop.call_later(FIRST_BYTE_S, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()  # of the next request a part may be here already

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._lift()

    def _watch(self) -> None:
        """Sets the time limit when a request begins to arrive, and lifts it when it is whole."""
        idle = self.timeout_keep_alive_task is not None  # has uvicorn's own limit
        arriving = self.cycle is None or self.cycle.response_complete or self.cycle.more_body
        if idle or not arriving:
            self._lift()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _lift(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def shutdown(self) -> None:
        """Closes when idle. TLS would wait for the client's answer, which one that is not reading never gives."""
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(CLOSE_S, self.transport.abort)


def _serial(tls: ssl.SSLObject | None) -> str | None:
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    return serial_text(x509.load_der_x509_certificate(certificate).serial_number) if certificate else None
