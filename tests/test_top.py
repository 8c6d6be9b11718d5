"""`sipwarden top`: what it shows at any size, and how it behaves on a real terminal."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import to_builtins

from appliance.client.top_screen import View, screen, sorted_calls
from tests.admin_box import Box, call_finding, command, open_calls, serving, source_finding
from tests.waiting import until

ROOT = Path(__file__).resolve().parent.parent
SIZES = [(80, 24), (40, 12), (200, 60), (20, 5), (1, 1)]


@pytest.fixture
def box(tmp_path: Path):
    box = Box(tmp_path)
    box.store.put([call_finding(), source_finding()])
    open_calls(box, tmp_path, 30)
    with serving(box):
        yield box


@pytest.fixture
def view(box: Box) -> View:
    """What top would have been told of the box."""

    def asked(*arguments: str) -> list[dict]:
        return json.loads(command(*arguments, "-o", "json", "--socket", box.config.admin.socket).stdout)

    return View(status=to_builtins(box.status()), findings=asked("findings"), calls=asked("calls"))


def texts(view: View, width: int = 80, height: int = 24) -> list[str]:
    return [text.rstrip() for text, _ in screen(view, width, height)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("focus", ["", "findings", "calls", "help"])
def test_a_screen_fits_its_terminal_whatever_its_size(view: View, size: tuple[int, int], focus: str) -> None:
    view.focus = focus
    lines = screen(view, *size)
    assert len(lines) == size[1]
    assert all(len(text) <= size[0] for text, _ in lines)


def test_80_columns_and_24_lines_show_the_box_its_findings_and_its_calls(view: View) -> None:
    view.source_rates = {"eth1": 1234.0}
    shown = texts(view)
    assert shown[:8] == [
        "sipwarden 1.2.3  observe  up 1d 02:03:04",
        "packets     1,234/s   dropped 3 (4.76%)   SIP 60   RTP 0",
        "calls         6.7/s   open 30   flagged 7   watched 2   of 30",
        "verdict p99 5 ms   queue 0 (0 lost)   store ok   evicted 0",
        "  eth1           up        1,234/s   dropped 3",
        " FINDING VERDICT SCORE TIME     FRAUD              WHO",
        "       2 watch    0.60 22:13:21 registration_scan  192.0.2.7",
        "       1 flag     0.97 22:13:20 robocall           +4915*******78 192.0.2.7:5060",
    ]
    assert shown[8] == "CALL       VERDICT SCORE SINCE    CALLER           CALLEE           SOURCE"
    assert shown[9] == "answered   pass     0.00 22:13:20 +4930******29    +4420******29    192.0.2.10:5060"[:80]
    assert shown[-1] == "q quit  p pause  s sort  f findings  c calls  ? keys  [sort: newest]"
    assert all(line.startswith("answered") for line in shown[9:23])


def test_problems_and_what_is_down_stand_out(view: View) -> None:
    view.problem = "trying again: the service does not answer"
    view.status["problems"] = ["eth1: is down"]
    view.status["capture"]["sources"][0] |= {"state": "down", "problem": "no such interface"}
    styles = {text.split()[0]: style for text, style in screen(view, 80, 24) if text}
    assert styles["trying"] == styles["!"] == styles["eth1"] == "flag"


def test_text_off_the_wire_cannot_move_the_cursor(view: View) -> None:
    view.calls[0]["caller"] = "\x1b[2J\N{RIGHT-TO-LEFT OVERRIDE}evil\N{FULLWIDTH LATIN CAPITAL LETTER A}"
    line = next(text for text in texts(view) if "evil" in text)
    assert "?[2J?evil?" in line


def test_calls_are_sorted_as_asked(view: View) -> None:
    view.calls[7]["score"] = 0.9
    view.calls[3]["source"] = "10.0.0.1:5060"
    assert sorted_calls(view.calls, "newest") == view.calls
    assert sorted_calls(view.calls, "gravest")[0] == view.calls[7]
    assert sorted_calls(view.calls, "longest")[0] == view.calls[-1]
    assert sorted_calls(view.calls, "source")[0] == view.calls[3]


def test_before_the_first_answer_it_says_that_it_waits() -> None:
    assert texts(View(), 80, 3)[0] == "waiting for the service ..."


def test_without_a_terminal_it_names_what_works_without_one(box: Box) -> None:
    done = command("top", "--socket", box.config.admin.socket)
    assert done.returncode == 2
    assert "top needs a terminal" in done.stderr


# --- on a real terminal


class Terminal:
    """A tmux pane in which `sipwarden top` runs."""

    def __init__(self, server: Path, size: tuple[int, int], *arguments: object) -> None:
        self._tmux = ["tmux", "-S", str(server), "-f", "/dev/null"]
        self.status = server.with_name("status")
        words = " ".join(map(str, [sys.executable, "-m", "appliance", "top", *arguments]))
        shell = f"cd {ROOT}; {words}; echo status $? > {self.status}"
        self.tmux("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), "sh", "-c", shell)

    def tmux(self, *arguments: str) -> str:
        # readline, where Python has loaded it, puts the size of another terminal into the C library's environment
        done = subprocess.run(
            [*self._tmux, *arguments], check=True, capture_output=True, text=True, env=dict(os.environ)
        )
        return done.stdout

    def shown(self) -> str:
        return self.tmux("capture-pane", "-p")

    def press(self, key: str) -> None:
        self.tmux("send-keys", key)

    def ended(self) -> bool:
        """Whether its status is written, whole."""
        return self.status.exists() and self.status.read_text().endswith("\n")

    def see(self, text: str) -> str:
        return self.see_that(lambda shown: text in shown)

    def see_that(self, is_so: Callable[[str], bool]) -> str:
        """The screen on which it is: the next one may be drawn halfway."""
        seen: list[str] = []

        def looks() -> bool:
            seen[:] = [self.shown()]
            return is_so(seen[0])

        until(looks, why=lambda: seen[0])
        return seen[0]


@pytest.fixture
def terminal(tmp_path: Path):
    if not shutil.which("tmux"):
        pytest.skip("no tmux on this machine: it is the terminal of this test")
    panes = []

    def start(size: tuple[int, int], *arguments: object) -> Terminal:
        panes.append(Terminal(tmp_path / f"tmux{len(panes)}", size, *arguments))
        return panes[-1]

    yield start
    for pane in panes:
        subprocess.run([*pane._tmux, "kill-server"], check=False, capture_output=True)


def test_on_a_terminal_of_80_columns_keys_do_what_the_last_line_says(terminal, box: Box, tmp_path: Path) -> None:
    top = terminal((80, 24), "-d", "0.2", "--socket", box.config.admin.socket)
    shown = top.see("+4930******29")
    assert "sipwarden 1.2.3  observe" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    box.store.put([source_finding("203.0.113.9")])
    top.see("203.0.113.9")
    top.press("s")
    top.see("[sort: gravest]")
    top.press("p")
    top.see("PAUSED")
    top.press("f")
    top.see_that(lambda shown: "CALLER" not in shown)
    top.press("?")
    top.see("pause, and go on")
    top.press("q")
    until(top.ended)
    assert top.status.read_text() == "status 0\n"


def test_a_terminal_that_changes_its_size_is_drawn_anew(terminal, box: Box) -> None:
    top = terminal((120, 50), "-d", "0.2", "--socket", box.config.admin.socket)
    top.see("+4930******00")  # the oldest of thirty
    top.tmux("resize-window", "-x", "40", "-y", "10")
    shown = top.see_that(lambda shown: "sipwarden 1.2.3" in shown and "+4930******00" not in shown)
    assert max(map(len, shown.splitlines())) <= 40


def test_a_service_that_goes_is_said_and_one_that_comes_back_is_shown(terminal, tmp_path: Path) -> None:
    first = Box(tmp_path)
    with serving(first):
        top = terminal((80, 24), "-d", "0.2", "--socket", first.config.admin.socket)
        top.see("sipwarden 1.2.3")
    top.see("trying again")
    second = Box(tmp_path)
    second.version = "9.9.9"
    with serving(second):
        top.see_that(lambda shown: "sipwarden 9.9.9" in shown and "trying again" not in shown)
        top.press("q")
        until(top.ended)
