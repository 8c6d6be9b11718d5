"""Metrics over HTTP: `GET /metrics`, and nothing else."""

import contextlib
import ipaddress
import socket
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import urlsplit

from prometheus_client import MetricsHandler

from appliance import log
from appliance.errors import MetricsError
from appliance.metrics import Metrics

PATH = "/metrics"
# A scraper takes milliseconds. One that stalls is let go of, and no more than these are served at a time.
CLIENT_TIMEOUT_S = 5.0
MAX_CLIENTS = 8


class _Handler(MetricsHandler):
    """Serves PATH and nothing else."""

    server_version = "sipwarden"
    sys_version = ""

    def do_GET(self) -> None:
        if urlsplit(self.path).path != PATH:
            self.send_error(404, explain=f"The metrics are at {PATH}.")
            return
        super().do_GET()


class _HttpServer(ThreadingHTTPServer):
    """A thread for each client, of which there are few and none for long."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 2 * MAX_CLIENTS  # who is turned away is told at once

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._deadlines_s: dict[socket.socket, float] = {}  # of the clients being served
        super().__init__(address, handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's would ask the DNS for the name of this host

    def verify_request(self, request, client_address) -> bool:
        if len(self._deadlines_s) >= MAX_CLIENTS:
            return False
        self._deadlines_s[request] = time.monotonic() + CLIENT_TIMEOUT_S
        return True

    def service_actions(self) -> None:
        """Called every half second: lets go of who neither asks nor reads, whose thread then finds the stream ended."""
        now_s = time.monotonic()
        for client, deadline_s in list(self._deadlines_s.items()):
            if now_s >= deadline_s:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request) -> None:
        self._deadlines_s.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            log.exception("metrics could not be given")


class Server:
    """Serves the metrics on `listen` (`address:port`, port 0 for any that is free) from threads of its own.

    Raises MetricsError when that address cannot be had.
    """

    def __init__(self, metrics: Metrics, listen: str) -> None:
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        handler = type("Handler", (_Handler,), {"registry": metrics.registry})
        try:
            self._http = _HttpServer((host, int(port)), handler)
        except OSError as error:
            raise MetricsError(f"metrics.listen: cannot listen on {listen}: {error.strerror}") from error
        self.port: int = self._http.server_address[1]
        if not ipaddress.ip_address(str(self._http.server_address[0])).is_loopback:
            log.warning("metrics are open to the network", listen=listen)
        self._thread = threading.Thread(target=self._http.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
