"""The box, on its defaults, with its state and its socket in one folder."""

import getpass
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance.admin.client import Client
from appliance.admin.errors import SocketError
from appliance.admin.protocol import MAX_ROWS
from tools.run.ports import HOST, free_port
from tools.run.process import Process, ask

MODULE = "appliance"
NAME = "demo"
HEP = 19060
LOOPBACK = "lo"
LATEST = 100  # findings looked at each time
REMEMBERED = 10_000  # findings that were shown


class Box:
    """`sipwarden run` in `folder`: on `interface`, else on simulated traffic."""

    def __init__(self, folder: Path, log: Path, interface: str) -> None:
        self.is_real = bool(interface)  # what it watches
        self.socket = folder / "admin.sock"
        self.hep = None if interface or may_capture() else f"{HOST}:{free_port(HEP, socket.SOCK_DGRAM)}"
        self.watches = interface or (f"HEP on {self.hep}" if self.hep else LOOPBACK)
        self._shown: dict[int, str] = {}  # finding -> the verdict that was shown last
        self._environment = {
            "SIPWARDEN_CONFIG": os.environ.get("SIPWARDEN_CONFIG", os.devnull),  # the defaults, whatever is in /etc
            "SIPWARDEN_SERVICE_STATE_DIR": str(folder / "state"),
            "SIPWARDEN_ADMIN_SOCKET": str(self.socket),
            "SIPWARDEN_ADMIN_ADMINISTRATORS": getpass.getuser(),
            "SIPWARDEN_ADMIN_READERS": "",
            "SIPWARDEN_METRICS_LISTEN": os.environ.get("SIPWARDEN_METRICS_LISTEN", ""),
            **({"SIPWARDEN_HEP_LISTEN": self.hep} if self.hep else {}),
        }
        watch = ["--interface", interface] if interface else []
        if self.watches == LOOPBACK and not self.is_real:
            watch = ["--interface", LOOPBACK, "udp and net 127.0.0.0/8"]
        self.process = Process("the box", log, MODULE, "run", *watch, environment=self._environment)

    @property
    def is_up(self) -> bool:
        """Whether it answers. Raises ProcessError when it has ended."""
        self.process.check()
        try:
            Client(self.socket).close()
        except SocketError:
            return False
        return True

    def enrol(self, url: str, token: str) -> None:
        """Gets its certificate from the collector. The token is in no process list. Raises ProcessError."""
        ask(MODULE, "enroll", url, "--token", "-", "--name", NAME, environment=self._environment, stdin=token)

    def status(self) -> dict[str, Any]:
        """The object of `sipwarden status -o json`. Raises ProcessError when the box has ended."""
        self.process.check()
        with Client(self.socket) as client:
            return client.ask("status")

    def parties(self) -> list[dict[str, Any]]:
        """Findings about callers and addresses, the newest."""
        with Client(self.socket) as client:
            return client.ask("findings", kind="source", limit=MAX_ROWS)

    def news(self) -> Iterator[dict[str, Any]]:
        """Findings whose verdict has not been shown: suspected parties, and flagged calls, with masked numbers. Calls
        that are watched are only counted: they come by the hundred."""
        self.process.check()
        with Client(self.socket) as client:
            rows = client.ask("findings", kind="source", limit=LATEST)
            rows += client.ask("findings", kind="call", verdict="flag", limit=LATEST)
        for row in sorted(rows, key=lambda row: row["time"]):
            if self._shown.get(row["id"]) != row["verdict"]:
                self._shown[row["id"]] = row["verdict"]
                yield row
        while len(self._shown) > REMEMBERED:
            del self._shown[next(iter(self._shown))]


def may_capture() -> bool:
    """Whether this user may read packets off an interface (CAP_NET_RAW)."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except OSError:
        return False
    return True
