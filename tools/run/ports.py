"""Ports on the loopback interface that nobody has."""

import socket

HOST = "127.0.0.1"
TRIED = 50  # ports from the wanted one on


class PortError(Exception):
    """None is free near the wanted one."""


def free_port(wanted: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """`wanted`, else the next one that nobody has. Raises PortError."""
    for port in range(wanted, wanted + TRIED):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:  # as a server does it: what lingers of an earlier one is in nobody's way
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise PortError(f"the ports {wanted} to {wanted + TRIED - 1} of {HOST} are all taken")


def taken_port(wanted: int, what: str, got: int) -> str | None:
    """A line about a port that is not the wanted one."""
    return None if got == wanted else f"port {wanted} is taken by another program: {what} on {got}"
