"""What the service says to systemd (sd_notify), and the watchdog that it feeds.

systemd.service and sd_notify(3): READY=1, RELOADING=1 with MONOTONIC_USEC, STOPPING=1, STATUS=, WATCHDOG=1. Outside
systemd nothing is said.
"""

import os
import time

from sdnotify import SystemdNotifier

from appliance.tracker import Tracker

# systemd asks for a ping within WATCHDOG_USEC and recommends half of it; a late turn of the loop must not cost one.
PINGS_PER_PERIOD = 4


class Notification:
    """Says what happens to the service."""

    def __init__(self) -> None:
        self._systemd = SystemdNotifier()
        self._said = ""

    def ready(self) -> None:
        self._systemd.notify("READY=1")

    def reloading(self) -> None:
        self._systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._systemd.notify("STOPPING=1")

    def status(self, text: str) -> None:
        """What `systemctl status` shows; said when it is news."""
        if text != self._said:
            self._said = text
            self._systemd.notify("STATUS=" + text.replace("\n", " "))

    def ping(self) -> None:
        self._systemd.notify("WATCHDOG=1")


class Watchdog:
    """Pings when the tracker's loop went round since the last ping, and only then: a timer that pinged by itself would
    hide that nothing is screened any more. `pause_s` is None when nobody waits for pings."""

    def __init__(self, tracker: Tracker, notification: Notification) -> None:
        self.pause_s = period_s / PINGS_PER_PERIOD if (period_s := watchdog_s()) else None
        self._tracker = tracker
        self._notification = notification
        self._turns = -1

    def look(self) -> None:
        """Once every `pause_s`."""
        if self._tracker.turns != self._turns:
            self._turns = self._tracker.turns
            self._notification.ping()


def watchdog_s() -> float:
    """The watchdog's period as systemd gave it to this process (sd_watchdog_enabled(3)), 0 for none."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
    except ValueError:
        return 0.0
