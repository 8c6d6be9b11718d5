"""`sipwarden top`: the running service on one screen, looked at again and again.

Drawn with curses: it sends what differs from one look to the next, and nothing else, which is what a slow line to a box
in the field needs; and it is there on every box without another library.
"""

import contextlib
import curses
import locale
import sys
import time
from collections.abc import Iterator

from appliance.admin.client import Client
from appliance.admin.errors import AdminError
from appliance.exit import Exit
from appliance.operate import Service, UsageError
from appliance.top_screen import SORTS, View, screen

FETCHED_CALLS = 200
FETCHED_FINDINGS = 100
ANSWER_S = 5.0  # a service that takes longer is said not to answer
ESCAPE_KEY = 27


def run(service: Service, interval_s: float, unmasked: bool) -> Exit:
    """Shows the service until `q`. Raises ConfigError, AdminError when it cannot be reached at the start."""
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise UsageError("top needs a terminal; `sipwarden status` and `sipwarden findings --follow` do not")
    locale.setlocale(locale.LC_ALL, "")
    watched = Watched(service, unmasked)
    watched.look()  # what is wrong from the start is said on a line, not on a screen
    if watched.refusal is not None:
        raise watched.refusal
    with contextlib.suppress(KeyboardInterrupt), _terminal() as window:
        Top(window, watched, interval_s).run()
    return Exit.DONE


@contextlib.contextmanager
def _terminal() -> Iterator["curses.window"]:
    """The terminal as curses wants it, and afterwards as it was."""
    try:
        window = curses.initscr()
    except curses.error as error:
        raise UsageError(f"this terminal cannot be drawn on ({error}): is TERM right?") from error
    try:
        curses.noecho()
        curses.cbreak()
        window.keypad(True)
        with contextlib.suppress(curses.error):  # terminals without
            curses.curs_set(0)
            curses.start_color()
            curses.use_default_colors()
            curses.init_pair(1, curses.COLOR_RED, -1)
            curses.init_pair(2, curses.COLOR_YELLOW, -1)
        yield window
    finally:
        window.keypad(False)
        curses.nocbreak()
        curses.echo()
        curses.endwin()


class Watched:
    """The service as it is looked at: what it said last, and why there is nothing newer."""

    def __init__(self, service: Service, unmasked: bool) -> None:
        self.view = View()
        self.refusal: AdminError | None = None
        self._path = service.path()
        self._unmasked = unmasked
        self._client: Client | None = None
        self._packets: dict[str, tuple[float, int]] = {}  # by source: when, how many

    def look(self) -> None:
        """Asks for everything; when that fails, connects again the next time."""
        try:
            if self._client is None:
                self._client = Client(self._path, ANSWER_S)
            client = self._client
            self.view.status = client.ask("status")
            self.view.findings = client.ask("findings", limit=FETCHED_FINDINGS, unmasked=self._unmasked)
            self.view.calls = client.ask("calls", limit=FETCHED_CALLS, unmasked=self._unmasked)
        except AdminError as error:
            self.refusal = error
            self.view.problem = f"trying again: {error.message}"
            self.close()
        else:
            self.refusal = self.view.problem = None
            self._rate()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _rate(self) -> None:
        assert self.view.status is not None
        now_s = time.monotonic()
        for source in self.view.status["capture"]["sources"]:
            name, packets = source["name"], source["packets"]
            then_s, before = self._packets.get(name, (now_s, packets))
            if now_s > then_s:
                self.view.source_rates[name] = max(packets - before, 0) / (now_s - then_s)
            self._packets[name] = (now_s, packets)


class Top:
    """Keys and drawing."""

    def __init__(self, window: "curses.window", watched: Watched, interval_s: float) -> None:
        self._window = window
        self._watched = watched
        self._interval_s = interval_s
        colours = curses.has_colors()
        self._attributes = {
            "bold": curses.A_BOLD,
            "flag": curses.A_BOLD | (curses.color_pair(1) if colours else 0),
            "watch": curses.color_pair(2) if colours else curses.A_NORMAL,
            "dim": curses.A_DIM,
            "reverse": curses.A_REVERSE,
        }

    def run(self) -> None:
        due_s = time.monotonic() + self._interval_s
        while True:
            self._draw()
            self._window.timeout(max(int((due_s - time.monotonic()) * 1000), 0))
            key = self._window.getch()
            if key in (ord("q"), ord("Q"), ESCAPE_KEY):
                self._watched.close()
                return
            self._press(key)
            if time.monotonic() >= due_s:
                if not self._watched.view.paused:
                    self._watched.look()
                due_s = time.monotonic() + self._interval_s

    def _press(self, key: int) -> None:
        view = self._watched.view
        if key == ord("p"):
            view.paused = not view.paused
        elif key == ord("s"):
            view.sort = SORTS[(SORTS.index(view.sort) + 1) % len(SORTS)]
        elif key == curses.KEY_RESIZE:
            curses.update_lines_cols()
        else:
            focus = {ord("f"): "findings", ord("c"): "calls", ord("?"): "help", ord("h"): "help"}.get(key)
            if focus is not None:
                view.focus = "" if view.focus == focus else focus

    def _draw(self) -> None:
        height, width = self._window.getmaxyx()
        self._window.erase()
        for row, (text, style) in enumerate(screen(self._watched.view, width, height)):
            line = text.ljust(width) if style == "reverse" else text
            # curses complains of the last column of the last line, which it has drawn
            with contextlib.suppress(curses.error):
                self._window.addnstr(row, 0, line, width, self._attributes.get(style, curses.A_NORMAL))
        self._window.refresh()
