"""The file system's side of the admin socket: its file, its mode, and who may have it."""

import contextlib
import os
import socket
import stat
from pathlib import Path

from appliance.admin.errors import SocketError, SocketInUseError

MODE = 0o660  # the user and the group of the service, and root; roles are decided by who connects
BACKLOG = 64


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`, which no other process serves; a file that a dead one left is replaced.

    Raises SocketInUseError, or SocketError when it cannot be had.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        _remove_stale(path)
        # Linux gives the file the mode that the socket has before it is bound: there is no moment with a wider one.
        os.fchmod(listener.fileno(), MODE)
        listener.bind(os.fspath(path))
        path.chmod(MODE)  # the umask took away from it
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SocketError(
            "socket", f"{path}: {error.strerror or error}", "its folder must exist and be writable to the service"
        ) from error
    except SocketError:
        listener.close()
        raise
    return listener


def remove(path: Path) -> None:
    """Takes the file of a socket that was closed away, unless another process has put its own there."""
    with contextlib.suppress(OSError, SocketError):
        _remove_stale(path)


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketError("socket", f"{path}: is there and is not a socket", "move it, or set [admin] socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()  # nobody listens: its process is dead
            return
        except BlockingIOError:
            pass  # somebody listens, and has too much to do
    raise SocketInUseError(path)
