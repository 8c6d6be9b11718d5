"""What goes wrong between an admin client and the service; every error says what to do about it."""

from pathlib import Path


class AdminError(Exception):
    """A request that was not answered with a result.

    `code` is for programs and stays the same, `message` says what happened and `hint` what to do about it ("" when
    there is nothing to do). `str()` is both, on one line.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.code = code
        self.message = message
        self.hint = hint


class SocketError(AdminError):
    """The socket of the service cannot be used: it is not running, or not for this user."""


class SocketInUseError(SocketError):
    """Another process serves the socket: the fault of who starts a second one."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "in_use",
            f"{path}: another process is serving this socket",
            "stop it, or give this one a socket of its own: [admin] socket",
        )


class ProtocolError(AdminError):
    """The other side does not keep to the protocol."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__("protocol", message, hint)
