"""A receiver of webhooks: a real HTTPS server on loopback that fails, stalls and recovers as it is told."""

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

from collector.authority import Authority
from collector.config import WebhooksSection
from collector.store.store import Store
from collector.webhooks.dispatcher import Dispatcher
from tests.waiting import PATIENCE_S


class Receiver:
    """Takes messages at `url`; `status` is what it answers, and while `stalled` is set it does not answer at all."""

    def __init__(self, folder: Path) -> None:
        authority = Authority.open(folder / "authority", ["127.0.0.1", "localhost"])
        self.ca = folder / "ca.pem"
        self.ca.write_text(authority.root_pem)
        certificate, key = authority.server_certificate(folder, ["127.0.0.1", "localhost"])
        self.status = 204
        self.location = ""
        self.stalled = threading.Event()
        self.released = threading.Event()
        self.arrived: list[tuple[dict[str, str], bytes]] = []  # headers, body
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            timeout = PATIENCE_S

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.arrived.append(({name.lower(): value for name, value in self.headers.items()}, body))
                if receiver.stalled.is_set():
                    receiver.released.wait(PATIENCE_S)
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # shakes hands when the thread of a client reads: one that ends before would keep the listener waiting for ever
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/hook?from=sipwarden"

    def config(self, **changes: Any) -> WebhooksSection:
        """A configuration that may reach this receiver, and is quick to try again."""
        quick = {"networks": ("127.0.0.0/8",), "ca": str(self.ca), "first_retry_s": 0.1, "longest_retry_s": 0.5}
        return WebhooksSection(**{**quick, "timeout_s": 10, **changes})

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.arrived]

    def messages(self) -> list[dict]:
        return [json.loads(body) for _, body in self.arrived]

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def receiving(folder: Path) -> Iterator[Receiver]:
    folder.mkdir(parents=True, exist_ok=True)
    receiver = Receiver(folder)
    try:
        yield receiver
    finally:
        receiver.close()


@contextmanager
def dispatching(store: Store, config: WebhooksSection) -> Iterator[Dispatcher]:
    """A dispatcher at work, in a loop of its own, which looks often whether there is something to tell."""
    loop = asyncio.new_event_loop()
    dispatcher = Dispatcher(store, config)
    task = loop.create_task(dispatcher.run())

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run)
    try:
        with mock.patch("collector.webhooks.dispatcher.POLL_S", 0.02):
            thread.start()
            yield dispatcher
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(PATIENCE_S)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
