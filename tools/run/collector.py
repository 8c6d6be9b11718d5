"""The collector and its console, on the loopback interface, with a state of its own."""

import json
import socket
from pathlib import Path

from tools.run.ports import HOST, free_port, taken_port
from tools.run.process import Process, ask

MODULE = "collector"
CONSOLE, INGEST, ENROLMENT = 8080, 8443, 8444
ACCOUNT = "admin"


class Collector:
    """`sipwarden-collector serve` in `folder`, on its usual ports or the next free ones."""

    def __init__(self, folder: Path, log: Path) -> None:
        console, ingest, enrolment = free_port(CONSOLE), free_port(INGEST), free_port(ENROLMENT)
        self.console_url = f"http://{HOST}:{console}"
        self.enrolment_url = f"https://{HOST}:{enrolment}"
        self.notes = [
            note
            for note in (
                taken_port(CONSOLE, "the console is", console),
                taken_port(INGEST, "reports are taken", ingest),
                taken_port(ENROLMENT, "boxes are enrolled", enrolment),
            )
            if note
        ]
        self._console = console
        self._folder = folder
        self._environment = {
            "SIPWARDEN_COLLECTOR_CONFIG": "/dev/null",  # the defaults, whatever this machine has in /etc
            "SIPWARDEN_COLLECTOR_SERVICE_STATE_DIR": str(folder),
            "SIPWARDEN_COLLECTOR_TLS_NAMES": f"{HOST},localhost",
            "SIPWARDEN_COLLECTOR_INGEST_LISTEN": f"{HOST}:{ingest}",
            "SIPWARDEN_COLLECTOR_ENROLMENT_LISTEN": f"{HOST}:{enrolment}",
            "SIPWARDEN_COLLECTOR_CONSOLE_LISTEN": f"{HOST}:{console}",
            "SIPWARDEN_COLLECTOR_METRICS_LISTEN": "",  # nobody asks
        }
        self.process = Process("the collector", log, MODULE, "serve", environment=self._environment)

    @property
    def is_up(self) -> bool:
        """Whether it takes connections. Raises ProcessError when it has ended."""
        self.process.check()
        try:
            socket.create_connection((HOST, self._console), timeout=1).close()
        except OSError:
            return False
        return True

    def password(self) -> str:
        """The one-time password of the first account: drawn by the collector, good until another is chosen."""
        return (self._folder / "console-password").read_text().strip()

    def token(self) -> str:
        """A token that enrols one box, once."""
        return ask(MODULE, "token", "create", environment=self._environment)

    def reports_of(self, box: str) -> int:
        """How many reports of the box it has in its store."""
        listed = ask(MODULE, "boxes", "list", "--json", environment=self._environment)
        return next(found["items"] for found in map(json.loads, listed.splitlines()) if found["name"] == box)
