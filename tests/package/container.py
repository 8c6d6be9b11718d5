"""A Debian of its own that boots systemd: debootstrap makes it once, systemd-nspawn boots a copy without a network."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What `debootstrap` made, kept between runs. The folder is not tracked.
CACHE = ROOT / "build" / "container"
SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
# What the package depends on, and what the tests look with.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3", "libpcap0.8", "iproute2", "procps")
BOOT_S = 120
COMMAND_S = 120


def missing() -> str | None:
    """Why no container can be had here."""
    if os.geteuid() != 0:
        return "booting a container needs root"
    for command in ("debootstrap", "systemd-nspawn", "nsenter"):
        if shutil.which(command) is None:
            return f"there is no {command}"
    return None


def base() -> Path:
    """The system that containers are copies of."""
    done = CACHE / SUITE
    if not done.is_dir():
        fresh = CACHE / f"{SUITE}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.parent.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(fresh), MIRROR]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        fresh.rename(done)
    return done


def named_package(variable: str) -> Path:
    """The package that the environment names; skips where there is none, or nothing to install it in."""
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} names no package: `make test-package` builds them and runs this")
    why = missing()
    if why:
        pytest.skip(why)
    return Path(named).resolve()


def newer(package: Path, folder: Path) -> Path:
    """The same package under a higher version."""
    raw, made = folder / "raw", folder / "newer.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", package, raw], check=True)
    control = raw / "DEBIAN" / "control"
    lines = [line + "+1" if line.startswith("Version: ") else line for line in control.read_text().splitlines()]
    control.write_text("\n".join(lines) + "\n")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", raw, made], check=True)
    return made


def until(true: Callable[[], object], timeout_s: float = 60.0, what: str = "") -> None:
    """Waits until `true()` is."""
    deadline_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline_s, what or "it did not come to pass"
        time.sleep(0.5)


class Container:
    """One booted copy at `root`. Its only interface is `lo`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._nspawn: subprocess.Popen | None = None
        subprocess.run(["cp", "-a", "--reflink=auto", str(base()), str(root)], check=True)

    def boot(self) -> None:
        command = [
            "systemd-nspawn",
            "--quiet",
            f"--directory={self.root}",
            f"--machine=sipwarden-{os.getpid()}",
            "--boot",
        ]
        command += ["--private-network", "--register=no", "--keep-unit", "--console=pipe", "--link-journal=no"]
        self._nspawn = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        deadline_s = time.monotonic() + BOOT_S
        while time.monotonic() < deadline_s:
            with contextlib.suppress(IndexError, subprocess.SubprocessError):
                if self.try_run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"):
                    return
            time.sleep(0.5)
        raise TimeoutError("the container did not boot")

    def off(self) -> None:
        if self._nspawn is not None:
            self._nspawn.send_signal(signal.SIGTERM)  # an orderly power-off
            try:
                self._nspawn.wait(60)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
            self._nspawn = None

    def __enter__(self) -> Self:
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        self.off()

    def _init(self) -> str:
        """The first process of the container, as the host sees it. IndexError while there is none."""
        assert self._nspawn is not None
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        return children[0]

    def try_run(self, *command: str, timeout_s: float = COMMAND_S, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command in the container, as root; how it ended is for the caller to judge."""
        inside = [
            "nsenter",
            f"--target={self._init()}",
            "--all",
            "--wd=/",
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
        ]
        return subprocess.run(
            [*inside, *command], check=False, capture_output=True, text=True, timeout=timeout_s, input=stdin
        )

    def run(self, *command: str, timeout_s: float = COMMAND_S, stdin: str = "") -> str:
        """The standard output of a command that must end well."""
        done = self.try_run(*command, timeout_s=timeout_s, stdin=stdin)
        assert done.returncode == 0, (
            f"{command}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
        return done.stdout

    def start(self, *command: str) -> subprocess.Popen[str]:
        """A command in the container that goes on beside the test."""
        inside = [
            "nsenter",
            f"--target={self._init()}",
            "--all",
            "--wd=/",
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        return subprocess.Popen([*inside, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def put(self, source: Path, target: str) -> None:
        shutil.copy(source, self.root / target.lstrip("/"))

    def write(self, target: str, text: str) -> None:
        path = self.root / target.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def exposure(self, unit: str) -> float:
        """How much a unit is open to, from 0 to 10, as `systemd-analyze security` sees it."""
        said = self.run("systemd-analyze", "security", "--no-pager", unit).splitlines()[-1]
        return float(said.split(f"{unit}: ")[1].split()[0])

    def property(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", unit, f"--property={name}", "--value").strip()
