"""A process that is started, watched and ended for `make run`, with its log in a file."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
END_S = 20  # in which a process ends that was told to
SHOWN_LINES = 12  # of the log of one that failed
# A process is told when this one is gone, however that came about.
WITH_PARENT = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


class ProcessError(Exception):
    """A part ended that should not have, or never began."""


class Process:
    """`python -m MODULE ARGUMENTS...`, in a session of its own: Ctrl-C is for `make run`, which ends it in order."""

    def __init__(self, name: str, log: Path, module: str, *arguments: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        with log.open("a") as file:
            self._process = subprocess.Popen(
                [*WITH_PARENT, *command(module, *arguments)],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def check(self) -> None:
        """Raises ProcessError when it has ended."""
        if self.is_over:
            raise ProcessError(f"{self.name} ended by itself, status {self._process.returncode}; {self.last_words()}")

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
        return "\n  ".join([f"the end of {self.log}:", *lines])

    def stop(self) -> int:
        """Tells it to end, waits, and kills it when it does not. Its exit status."""
        if not self.is_over:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._kill()
            except BaseException:  # who interrupts the waiting does not want to wait
                self._kill()
                raise
        return self._process.returncode

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()


def command(module: str, *arguments: str) -> list[str]:
    """A command of the project, run by the interpreter that runs this."""
    return [sys.executable, "-m", module, *arguments]


def ask(module: str, *arguments: str, environment: Mapping[str, str], stdin: str = "") -> str:
    """What a command says. Secrets go in by `stdin` and out by its answer. Raises ProcessError."""
    done = subprocess.run(
        command(module, *arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode:
        raise ProcessError(f"{module} {' '.join(arguments)}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()
