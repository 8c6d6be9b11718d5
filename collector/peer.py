"""The certificate of a TLS client, brought to the application.

ASGI's TLS extension is not in uvicorn yet. What a request is told instead is `request.state.peer_serial`: the serial
number of the client's certificate as the store has it, None without one. TLS has by then verified its chain.
"""

import asyncio
import ssl

from cryptography import x509
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from collector.authority import serial_text

# No byte within this time after connecting, and the connection is closed.
FIRST_BYTE_S = 10
CLOSE_S = 1


class PeerProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's HTTP protocol, h11 or httptools, which copies `app_state` into the state of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self.app_state = {**self.app_state, "peer_serial": _serial(tls)}  # type: ignore[has-type]
        self.timeout_keep_alive_task = self.loop.call_later(FIRST_BYTE_S, self.timeout_keep_alive_handler)

    def shutdown(self) -> None:
        """Closes when idle. TLS would wait for the client's answer, which one that is not reading never gives."""
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(CLOSE_S, self.transport.abort)


def _serial(tls: ssl.SSLObject | None) -> str | None:
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    return serial_text(x509.load_der_x509_certificate(certificate).serial_number) if certificate else None
