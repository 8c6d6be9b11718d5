"""Who is at the other end of a connection, as the kernel says it, and what that one may do.

The kernel gives the user and the groups that the client had when it connected (unix(7), SO_PEERCRED and
SO_PEERGROUPS): nothing that the client says is believed, and no directory service is asked while others wait.
"""

import errno
import grp
import os
import pwd
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from appliance import log
from appliance.admin.protocol import RoleName

SO_PEERGROUPS = 59  # asm-generic/socket.h; Python does not name it
MAX_GROUPS = 256  # Python takes an option of at most 1024 bytes
CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
GROUP = struct.Struct("I")


class Role(IntEnum):
    """What a peer may do; each may do all that those before it may."""

    NOBODY = 0
    READER = 1
    ADMINISTRATOR = 2

    @property
    def title(self) -> RoleName:
        """Of one who may connect at all."""
        return "administrator" if self is Role.ADMINISTRATOR else "reader"


@dataclass(frozen=True, slots=True)
class Peer:
    """A connected process. Its pid is for logs only: it may be another's by the time it is looked at."""

    pid: int
    uid: int
    groups: frozenset[int]

    @property
    def user(self) -> str:
        """The user's name, or the number when there is none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


def peer_of(connection: socket.socket) -> Peer:
    """The process that called `connect`. Raises OSError when the kernel does not say, KeyError for an unknown user."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, uid, gid = CREDENTIALS.unpack(packed)
    return Peer(pid, uid, frozenset([gid, *_groups_of(connection, uid, gid)]))


def _groups_of(connection: socket.socket, uid: int, gid: int) -> list[int]:
    try:
        packed = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, MAX_GROUPS * GROUP.size)
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)  # too many for the kernel to tell us
    return [group for (group,) in GROUP.iter_unpack(packed)]


class Access:
    """Who may do what: the users and @groups of the configuration, by their numbers.

    Names are looked up once: a reload of the configuration looks again. The user that the service runs as is an
    administrator always: it could do all that from outside.
    """

    def __init__(self, administrators: Iterable[str], readers: Iterable[str]) -> None:
        self._members = {
            Role.ADMINISTRATOR: _numbers("administrators", administrators),
            Role.READER: _numbers("readers", readers),
        }
        self._members[Role.ADMINISTRATOR][0].add(os.geteuid())
        self.names = {Role.ADMINISTRATOR: tuple(administrators), Role.READER: tuple(readers)}

    def role_of(self, peer: Peer) -> Role:
        for role, (users, groups) in self._members.items():  # the higher one first
            if peer.uid in users or peer.groups & groups:
                return role
        return Role.NOBODY


def _numbers(key: str, names: Iterable[str]) -> tuple[set[int], set[int]]:
    """(uids, gids) of users and @groups, by name or, as chown takes them, by number. One that is not on this machine
    is said in the log and lets nobody in."""
    users: set[int] = set()
    groups: set[int] = set()
    for name in names:
        plain = name.removeprefix("@")
        try:
            if name.startswith("@"):
                groups.add(int(plain) if plain.isdecimal() else grp.getgrnam(plain).gr_gid)
            else:
                users.add(int(plain) if plain.isdecimal() else pwd.getpwnam(plain).pw_uid)
        except KeyError:
            log.warning("no such user or group on this machine", setting=f"admin.{key}", name=name)
    return users, groups
