"""A service as a process of its own, on a state directory and a socket of its own, with a directory of captures."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from appliance.admin.client import Client
from appliance.admin.errors import SocketError
from appliance.pipeline import REPLAY_SECRET
from appliance.storage.store import Store
from tests.waiting import PATIENCE_S, until

LONG_AGO_S = 1_000_000_000


class Service:
    """`more` is TOML behind the sections that every service here has."""

    def __init__(self, folder: Path, more: str = "", environment: dict[str, str] | None = None) -> None:
        self.state = folder / "state"
        self.captures = folder / "captures"
        self.config = folder / "sipwarden.toml"
        self.socket = folder / "admin.sock"
        self.errors = folder / "stderr"
        self.environment = environment or {}
        self.process: subprocess.Popen | None = None
        self.captures.mkdir(exist_ok=True)
        self.state.mkdir(exist_ok=True)
        # sketches depend on it: with the secret of `screen` the verdicts are those of `screen`
        (self.state / "secret").write_text(f"{REPLAY_SECRET:016x}\n")
        self.configure(more)

    def configure(self, more: str) -> None:
        self.config.write_text(
            f'service.state_dir = "{self.state}"\nservice.snapshot_interval_s = 1\n'
            f'admin.socket = "{self.socket}"\nadmin.administrators = ["{getpass.getuser()}"]\nadmin.readers = []\n'
            f'metrics.listen = ""\ncapture.directory = "{self.captures}"\n{more}\n'
        )

    def start(self, *arguments: str) -> "Service":
        command = [sys.executable, "-m", "appliance", "run", "--config", str(self.config), *arguments]
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(command, stderr=errors, env={**os.environ, **self.environment})
        until(self._is_up)
        return self

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.errors.read_text()
        try:
            with Client(self.socket):
                return True
        except SocketError:
            return False

    def give(self, capture: Path) -> None:
        """Moves a capture into the watched directory, whole."""
        fresh = self.captures / f".{capture.name}"
        shutil.copy(capture, fresh)
        os.utime(fresh, (LONG_AGO_S, LONG_AGO_S))  # nobody has written to it for long: it is complete
        fresh.rename(self.captures / capture.name)

    def status(self) -> dict:
        with Client(self.socket) as client:
            return client.ask("status")

    def has_taken(self, packets: int) -> None:
        until(lambda: self.status()["traffic"]["sip_messages"] >= packets)

    def has_remembered(self) -> None:
        """Waits for a snapshot of all that it has taken: the next one may have been begun before that."""
        for _ in range(2):
            taken = self.status()["snapshot"]["taken"]
            until(lambda taken=taken: self.status()["snapshot"]["taken"] != taken)

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def findings(self) -> list:
        """What is in the store."""
        store = Store(self.state / "findings.sqlite", 1 << 30, 1 << 62)
        found, before = [], None
        while page := store.find(limit=1000, before_id=before):
            found += page
            before = page[-1].id
        store.close()
        return found


class Systemd:
    """The end of NOTIFY_SOCKET that systemd has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def heard(self, patience_s: float) -> list[str]:
        """The messages that are there and come within the time, in order, as single assignments."""
        end_s = time.monotonic() + patience_s
        heard = []
        while (left_s := end_s - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                heard += self._socket.recv(4096).decode().splitlines()
            except TimeoutError:
                break
        return heard

    def hears(self, wanted: str, patience_s: float = PATIENCE_S) -> list[str]:
        """All messages up to the first that begins with `wanted`."""
        heard: list[str] = []
        self._socket.settimeout(patience_s)
        while not heard or not heard[-1].startswith(wanted):
            heard += self._socket.recv(4096).decode().splitlines()
        return heard

    def close(self) -> None:
        self._socket.close()
