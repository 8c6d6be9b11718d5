"""Simulated traffic, played at real speed to where the box watches."""

import socket
from pathlib import Path

from tools.run.ports import HOST, free_port
from tools.run.process import Process

PORT = 15060
SEED = 11  # that of the scenario


class Traffic:
    """`sipwarden simulate live`, as HEP to `hep` or else as datagrams on the loopback interface; played again with
    other calls when it comes to its end."""

    def __init__(self, log: Path, hep: str | None) -> None:
        self._log = log
        self._target = ("--hep", hep) if hep else ("--live", f"{HOST}:{free_port(PORT, socket.SOCK_DGRAM)}")
        self._seed = SEED
        self.process = self._play()

    def _play(self) -> Process:
        return Process(
            "the simulated traffic",
            self._log,
            "appliance",
            "simulate",
            "live",
            *self._target,
            "--seed",
            str(self._seed),
            environment={},
        )

    def stop(self) -> None:
        """Ends it."""
        self.process.stop()

    def check(self) -> None:
        """Plays on when it is over. Raises ProcessError when it failed."""
        if self.process.is_over:
            if self.process.stop():
                self.process.check()
            self._seed += 1
            self.process = self._play()
