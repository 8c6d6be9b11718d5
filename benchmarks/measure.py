"""What one run of a command cost, as the kernel accounts it."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    cpu_s: float  # user and system time of the process and the children it waited for
    wall_s: float
    peak_bytes: int  # largest resident set; Linux reports no less than that of the process that started it


class RunError(Exception):
    """A command under measurement failed, or was ended after its time."""


def run(command: Sequence[str], timeout_s: float) -> Cost:
    """Runs `command` with no terminal and no output; raises RunError when it does not end well in time."""
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    overtime = threading.Timer(timeout_s, os.killpg, (process.pid, signal.SIGKILL))
    overtime.start()
    try:
        # wait4 and not Popen.wait: it accounts this child alone, where getrusage sums all of them.
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        overtime.cancel()
    wall_s = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        reason = f"ended after {timeout_s:.0f} s" if wall_s >= timeout_s else f"status {process.returncode}"
        raise RunError(f"{' '.join(command)}: {reason}")
    return Cost(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss * 1024)
