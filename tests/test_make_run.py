"""What who types `make run` gets: a box, a collector and a console that one can log into, and an end without traces."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.waiting import PATIENCE_S, until
from tools.run.collector import CONSOLE
from tools.run.ports import HOST, PortError, free_port
from tools.run.process import Process, ProcessError

ROOT = Path(__file__).parent.parent
MARK = "SIPWARDEN_TEST_MARK"  # in the environment of all processes of a run
FINDING = re.compile(r"^  \d\d:\d\d:\d\d  (call  |source)  (watch|flag )  \d\.\d\d  \w+", re.MULTILINE)
TOKEN = re.compile(rb"\.[0-9a-f]{64}")
CHOSEN = "correct horse battery staple"


class Run:
    """`make run` as a terminal has it, a process group of its own; `prefix` is what it is started with."""

    def __init__(self, folder: Path, seconds: str = "", prefix: tuple[str, ...] = (), interface: str = "") -> None:
        self.mark = f"{os.getpid()}-{time.time_ns()}"
        self._file = folder / "stdout"
        made = [f"--old-file={name}" for name in ("build", ".venv/.with-collector")]
        with self._file.open("w") as out:
            self.process = subprocess.Popen(
                [
                    *prefix,
                    "make",
                    "--silent",
                    *made,
                    f"BIN={Path(sys.executable).parent}",
                    f"SECONDS={seconds}",
                    f"INTERFACE={interface}",
                    "run",
                ],
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, MARK: self.mark},
            )

    @property
    def said(self) -> str:
        return self._file.read_text()

    def says(self, pattern: str | re.Pattern) -> re.Match:
        """Waits for it."""

        def found() -> bool:
            assert self.process.poll() is None or re.search(pattern, self.said), self.said
            return re.search(pattern, self.said) is not None

        until(found, why=lambda: self.said)
        match = re.search(pattern, self.said)
        assert match
        return match

    def interrupt(self) -> int:
        """Ctrl-C: the terminal tells the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(PATIENCE_S)

    def left(self) -> list[str]:
        """The command lines of its processes that are there."""
        return [line.replace(b"\0", b" ").decode() for line in command_lines(f"{MARK}={self.mark}".encode())]


@contextlib.contextmanager
def running(*arguments, **options) -> Iterator[Run]:
    run = Run(*arguments, **options)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.interrupt()


def command_lines(variable: bytes) -> Iterator[bytes]:
    """Of the processes that have it in their environment."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if variable in (process / "environ").read_bytes().split(b"\0"):
                yield (process / "cmdline").read_bytes()


@contextlib.contextmanager
def watched(run: Run) -> Iterator[set[bytes]]:
    """All command lines that a run has meanwhile."""
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            seen.update(command_lines(f"{MARK}={run.mark}".encode()))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def test_make_run_brings_up_a_box_a_collector_and_a_console_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    with running(tmp_path) as run, watched(run) as seen:
        url = run.says(r"console +(http://\S+)")[1]
        password = run.says(r"password +(\S+)")[1]
        finding = run.says(FINDING)
        with httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as browser:
            assert submit(browser, "/login", name="admin", password=password).headers["location"] == "/password"
            assert browser.get("/findings").headers["location"] == "/password", "opens nothing but this page"
            changed = submit(browser, "/password", current=password, new=CHOSEN, again=CHOSEN)
            assert changed.headers["location"] == "/findings"
            until(lambda: "127.128.0.6" in browser.get("/findings").text)
            assert "demo" in browser.get("/fleet").text
        with httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as browser:
            assert submit(browser, "/login", name="admin", password=password).status_code == 401, "good once"
        run.interrupt()
    assert re.search(r"seen +[1-9][\d,]* packets, .* [1-9]\d* calls? in", run.said), run.said
    reported = re.search(r"reported +(\d+) reports? acknowledged by the collector, which has (\d+); (\d+)", run.said)
    assert reported, (run.said, finding)
    acknowledged, stored, waiting = map(int, reported.groups())
    assert acknowledged == stored > 0
    assert waiting == 0
    assert run.left() == []
    assert any(b"enroll" in line for line in seen), "the watch saw the command that gets the token"
    assert not [line for line in seen if TOKEN.search(line) or password.encode() in line]
    assert (ROOT / ".run").stat().st_mode & 0o077 == 0, "what it holds is for its user alone"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights that it can go without")
def test_make_run_without_the_right_to_capture_and_without_its_port_says_so_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # taken already, then
            other.bind((HOST, CONSOLE))
            other.listen()
        with running(tmp_path, prefix=("setpriv", "--bounding-set=-net_raw")) as run:
            port = int(run.says(rf"port {CONSOLE} is taken by another program: the console is on (\d+)")[1])
            assert port > CONSOLE
            assert run.says(r"console +http://127.0.0.1:(\d+)")[1] == str(port)
            assert run.says(r"watches HEP on 127.0.0.1:\d+, for want of the right to capture")
            run.says(FINDING)
            run.interrupt()
    assert "what it came to" in run.said
    assert run.left() == []


def test_make_run_on_an_interface_that_is_not_there_says_so_and_ends_by_itself(tmp_path: Path) -> None:
    with running(tmp_path, seconds="1", interface="nosuch0") as run:
        run.says(r"(?m)^  nosuch0: is not there")
        assert run.process.wait(PATIENCE_S) == 0, run.said


def submit(browser: httpx.Client, page: str, **fields: str) -> httpx.Response:
    """Sends the form of a page as a browser does."""
    token = re.search(r'name="_csrf_token" value="(\w+)"', browser.get(page).text)
    assert token
    return browser.post(page, data={"_csrf_token": token[1], **fields})


def test_a_part_that_does_not_begin_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    part = Process("the part", tmp_path / "part.log", "no_such_module", environment={})
    until(lambda: part.is_over)
    with pytest.raises(ProcessError, match=r"the part ended by itself, status 1(.|\n)*No module named no_such_module"):
        part.check()


def test_ports_that_are_all_taken_are_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.run.ports.TRIED", 1)
    with socket.create_server((HOST, 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(PortError, match=f"{taken}.*all taken"):
            free_port(taken)
