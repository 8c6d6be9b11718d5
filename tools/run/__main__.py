"""`make run`: python -m tools.run [INTERFACE] [SECONDS]

Theory of operation. The collector and the box are started at the same time; when both answer, the box is enrolled with
a token that goes from one command's output into the other's input. Then traffic is played, and findings are shown as
the box has them. In the end, traffic stops first, what the box found is brought to the collector, and then box and
collector end. All state is in STATE, made anew by each run, so that what is shown was found by it.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from tools.run.box import NAME, Box
from tools.run.collector import ACCOUNT, Collector
from tools.run.ports import PortError
from tools.run.process import ROOT, ProcessError
from tools.run.screen import Screen
from tools.run.summary import counted, summary
from tools.run.traffic import Traffic

SIPWARDEN = os.path.relpath(Path(sys.executable).with_name("sipwarden"), ROOT)
STATE = Path(".run")  # from ROOT: the path of a socket must be short
START_S = 60
LOOK_S = 0.5
REPORTED_S = 10  # in which the last findings come to the collector
FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130


class StateError(Exception):
    """The state folder cannot be used."""


class Stopped(BaseException):
    """SIGINT, SIGTERM or SIGHUP."""


def main() -> int:
    interface, seconds = (*sys.argv[1:], "", "")[:2]
    screen = Screen()
    os.chdir(ROOT)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        duration_s = float(seconds) if seconds else float("inf")
    except ValueError:
        screen.wrong(f"error: SECONDS={seconds} is not a number")
        return UNUSABLE
    try:
        with the_only_one():
            run(screen, interface, duration_s)
    except (StateError, PortError) as error:
        screen.wrong(f"error: {error}")
        return UNUSABLE
    except ProcessError as error:
        screen.wrong(f"error: {error}")
        return FAILED
    except Stopped:
        return INTERRUPTED
    return 0


def _stop(*_: object) -> NoReturn:
    raise Stopped


@contextlib.contextmanager
def the_only_one() -> Iterator[None]:
    """The state folder, empty but for its lock, with nobody else in it. Raises StateError."""
    try:
        STATE.mkdir(mode=0o700, exist_ok=True)
        lock = (STATE / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for old in set(STATE.iterdir()) - {STATE / "lock"}:
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink()
    except BlockingIOError as error:
        raise StateError("make run is at work in this folder already") from error
    except OSError as error:
        raise StateError(f"{error.filename}: {error.strerror}; {STATE} is made anew when you remove it") from error
    with lock:
        yield


def run(screen: Screen, interface: str, duration_s: float) -> None:
    """Brings everything up, shows it, and takes it down, whatever happens."""
    screen.title()
    with screen.counting(), contextlib.ExitStack() as parts:
        collector = Collector(STATE / "collector", STATE / "collector.log")
        parts.callback(collector.process.stop)
        box = Box(STATE, STATE / "box.log", interface)
        parts.callback(box.process.stop)
        screen.count("starting the box and the collector ...")
        wait_until(lambda: box.is_up and collector.is_up, "box and collector do not answer")
        box.enrol(collector.enrolment_url, collector.token())
        traffic = None if interface else Traffic(STATE / "traffic.log", box.hep)
        if traffic is not None:
            parts.callback(traffic.stop)
        introduce(screen, box, collector, duration_s)
        with contextlib.suppress(Stopped):
            show(screen, box, collector, traffic, duration_s)
        screen.count("stopping ...")
        if traffic is not None:
            traffic.stop()
        status, stored = bring_home(box, collector)
        for row in box.news():
            screen.finding(row)
        screen.facts("what it came to", summary(status, box.parties(), stored))


def introduce(screen: Screen, box: Box, collector: Collector, duration_s: float) -> None:
    """Where everything is, and how to get in."""
    for note in collector.notes:
        screen.note(note)
    facts = {
        "console": collector.console_url,
        "account": ACCOUNT,
        "password": f"{collector.password()}   (good once: you choose your own when you log in)",
        "box": f"{NAME}, enrolled at the collector, watches {box.watches}",
        "traffic": "real" if box.is_real else "simulated: an edge with homes and offices, and some frauds",
        "ask it": f"{SIPWARDEN} status --socket {box.socket}",
        "logs": f"{STATE}/*.log",
        "stop": "Ctrl-C" if duration_s == float("inf") else f"Ctrl-C, or by itself after {duration_s:g} s",
    }
    if box.hep:
        facts["box"] += ", for want of the right to capture (CAP_NET_RAW)"
    screen.facts("", facts, strong=("console", "password"))
    screen.heading("findings: suspected parties, and flagged calls")


def show(screen: Screen, box: Box, collector: Collector, traffic: Traffic | None, duration_s: float) -> None:
    """Shows what the box finds, until the time is over, `make` is gone or Stopped is raised. Raises ProcessError."""
    parent, end_s = os.getppid(), time.monotonic() + duration_s
    told: set[str] = set()
    while time.monotonic() < end_s and os.getppid() == parent:
        collector.process.check()
        if traffic is not None:
            traffic.check()
        for row in box.news():
            screen.finding(row)
        status = box.status()
        for problem in set(status["problems"]) - told:
            screen.note(problem)
        told = set(status["problems"])
        screen.count(counted(status))
        time.sleep(LOOK_S)


def bring_home(box: Box, collector: Collector) -> tuple[dict[str, Any], int]:
    """Waits until what the box found is at the collector, for some seconds. The status of the box then, and how many
    reports the collector has."""
    end_s = time.monotonic() + REPORTED_S
    while True:
        status, stored = box.status(), collector.reports_of(NAME)
        is_home = not status["spool"]["depth"] and status["reporting"]["acknowledged"] == stored
        if is_home or time.monotonic() > end_s:
            return status, stored
        time.sleep(LOOK_S)


def wait_until(done: Callable[[], bool], problem: str) -> None:
    """Raises ProcessError after START_S."""
    end_s = time.monotonic() + START_S
    while not done():
        if time.monotonic() > end_s:
            raise ProcessError(f"{problem} after {START_S} s; see {STATE}/*.log")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
