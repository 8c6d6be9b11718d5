"""A PostgreSQL server of the tests' own: a cluster in a temporary folder, on a socket in it, gone afterwards."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

START_S = 120


@contextlib.contextmanager
def cluster(*, safe: bool = False) -> Iterator["Cluster"]:
    """A running server. Not below pytest's folders: the server's account may not enter them, and the path of a socket
    has 107 bytes at most."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() and not safe else None
    with tempfile.TemporaryDirectory(prefix="sipwarden-pg-", dir=where) as folder:
        Path(folder).chmod(0o755)
        running = Cluster(Path(folder) / "cluster", safe=safe)
        try:
            yield running
        finally:
            running.stop("immediate")


def programs() -> Path | None:
    """The folder of the newest PostgreSQL server programs, None when there is no server on this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


class Cluster:
    """One server; `url()` makes a new empty database on it. It refuses to run as root: then `postgres` runs it."""

    def __init__(self, folder: Path, *, safe: bool = False) -> None:
        """`safe`: commits are on the disk, as in production; else with the kernel, which survives the server's end."""
        bin_folder = programs()
        assert bin_folder is not None
        self._bin = bin_folder
        self._folder = folder
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(folder, self._user, self._user)
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D", self._data)
        settings = f"listen_addresses=''\nunix_socket_directories='{folder}'\n"
        if not safe:
            settings += "fsync=off\nfull_page_writes=off\nautovacuum=off\n"
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(settings)
        self.start()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Starts the server and waits for it."""
        self._run("pg_ctl", "start", "-w", "-t", str(START_S), "-D", self._data, "-l", self._folder / "log")

    def stop(self, mode: str = "fast") -> None:
        """Stops the server: `fast`, or `immediate` as in a crash."""
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", self._data)

    def processes(self) -> list[int]:
        """The server's processes: the first one, then its children."""
        first = int((self._data / "postmaster.pid").read_text().split()[0])
        stats = {path.parent.name: path for path in Path("/proc").glob("[0-9]*/stat")}
        parents = {}
        for pid, path in stats.items():
            with contextlib.suppress(OSError):  # it ended meanwhile
                parents[int(pid)] = int(path.read_text().rpartition(")")[2].split()[1])
        return [first, *(pid for pid, parent in parents.items() if parent == first)]

    def url(self) -> str:
        """A new, empty database."""
        name = f"sw_{uuid.uuid4().hex[:12]}"
        self._run("createdb", "-h", self._folder, name)
        return f"postgresql://{self._user}@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._bin / program), *map(str, arguments)]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={self._user}", f"--regid={self._user}", "--init-groups", *command]
        # the server inherits the output: to a file, for a pipe would stay open as long as it runs
        with (self._folder.parent / f"{self._folder.name}.out").open("a") as out:
            done = subprocess.run(command, cwd="/", stdout=out, stderr=out, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, (self._folder.parent / f"{self._folder.name}.out").read_text()[-2000:]
