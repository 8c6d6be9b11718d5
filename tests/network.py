"""Network namespaces for tests: a new network of one's own, in which a test may do what it likes."""

import ctypes
import functools
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000


def _enter() -> None:
    """Puts the calling thread, and what it starts, into a new network namespace, which goes with the thread."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    # no neighbour discovery: what is on a link is what the test puts there
    for scope in ("all", "default"):
        Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")
    ip("link", "set", "lo", "up")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def link(name: str, peer: str) -> None:
    """A cable between two new interfaces, plugged in."""
    ip("link", "add", name, "type", "veth", "peer", peer)
    ip("link", "set", name, "up")
    ip("link", "set", peer, "up")


@functools.cache
def why_no_namespace() -> str | None:
    if not shutil.which("ip"):
        return "no ip command on this machine (package iproute2)"
    try:
        with ThreadPoolExecutor(1) as one:
            one.submit(_enter).result()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespace to be had: {error}"
    return None


def in_a_network_of_its_own(*programs: str):
    """Runs a test inside a new network namespace; skips it where that, or one of `programs`, is not to be had."""

    def decorate(test):
        @functools.wraps(test)
        def run(*args, **kwargs):
            if reason := why_no_namespace():
                pytest.skip(reason)
            for program in programs:
                if not shutil.which(program):
                    pytest.skip(f"no {program} on this machine")

            def inside():
                _enter()
                return test(*args, **kwargs)

            with ThreadPoolExecutor(1) as thread:
                thread.submit(inside).result()

        return run

    return decorate
