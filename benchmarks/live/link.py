"""A veth pair between two network namespaces of its own: one end sends, the other is watched."""

import os
import subprocess
from collections.abc import Sequence
from typing import Self

# two benchmarks may run at once
WATCHED, SENDING = (f"sipwarden-{what}-{os.getpid()}" for what in ("watched", "sending"))
TAP, PORT = "tap0", "port0"


class Link:
    """Needs root. Both namespaces go when it is closed, and with them what is in them."""

    def __enter__(self) -> Self:
        self.close()
        for name in (WATCHED, SENDING):
            _ip("netns", "add", name)
            _ip("netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            _ip("netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        _ip("-n", WATCHED, "link", "add", TAP, "type", "veth", "peer", PORT, "netns", SENDING)
        _ip("-n", WATCHED, "link", "set", TAP, "up")
        _ip("-n", SENDING, "link", "set", PORT, "up")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for name in (WATCHED, SENDING):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def watched(command: Sequence[str]) -> list[str]:
    """`command`, where the traffic arrives."""
    return ["ip", "netns", "exec", WATCHED, *command]


def sending(command: Sequence[str]) -> list[str]:
    return ["ip", "netns", "exec", SENDING, *command]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
