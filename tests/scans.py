"""Scans, guesses and their honest look-alikes, written by hand as plain SIP: nothing of the simulator is in them.

They judge the source bundle, as tests/campaigns.py does the call bundle. Nothing that teaches may be set by them; what
a flag of guessing needs was set with them in view.

`python -m tests.scans` prints what the shipped bundle says of each, for docs/DETECTION.md.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.tap import Tap, request, response, screen, udp_frame

SERVER, SCANNER = "198.51.100.20", "192.0.2.10"
CREDENTIALS = 'Authorization: Digest username="{}", realm="example.net", nonce="{}", uri="sip:e", response="{:032x}"'
CHALLENGE = 'Digest realm="example.net", nonce="{}"'


class Script:
    """Requests outside calls, and INVITEs that reach nobody, at chosen moments; seconds count from its beginning."""

    def __init__(self, requests_only: bool = False):
        self.requests_only = requests_only
        self._tap = Tap()
        self._begins_s = self._tap.now_s
        self._count = 0

    def ask(
        self,
        at_s: float,
        method: str,
        user: str,
        *codes: int,
        source: str = SCANNER,
        target: str = SERVER,
        call_id: str = "",
        authorized: bool = False,
        challenge: str = "",
    ) -> None:
        """A request and, when there are `codes`, what is said of it: after 401 it comes again with credentials, as long
        as there are any. `authorized`: the first brings some, too; `challenge`: what the first that does is asked."""
        self._count += 1
        known = {"call_id": call_id or f"{self._count:06d}@script", "caller": user, "from_tag": f"f{self._count}"}
        for number, code in enumerate(codes or (0,)):
            branch, brought = f"{self._count}-{number}", authorized or number > 0
            extra = (CREDENTIALS.format(user, branch, self._count),) if brought else ()
            fields = {"branch": branch, "cseq": 1 + number, "callee": user, **known}
            self._send(at_s, request(method, extra=extra, **fields), source, target)
            if code and not self.requests_only:
                asked = challenge if challenge and number == (not authorized) else CHALLENGE.format(branch)
                extra = (f"WWW-Authenticate: {asked}",) if code == 401 else ()
                said = response(code, method=method, extra=extra, **fields, to_tag=f"t{self._count}")
                self._send(at_s + 0.01, said, target, source)
                if method == "INVITE":
                    self._send(at_s + 0.02, request("ACK", **fields, to_tag=f"t{self._count}"), source, target)
            at_s += 0.03

    def write(self, path: Path) -> Path:
        self._tap.packets.sort(key=lambda packet: packet[0])
        return self._tap.write(path)

    def _send(self, at_s: float, payload: bytes, source: str, target: str) -> None:
        ends = (source, 5060), (target, 5060)
        self._tap.packets.append((self._begins_s + at_s, udp_frame(*ends, payload)))


def users(count: int) -> list[str]:
    return [str(100 + k) for k in range(count)]


def hosts(count: int) -> list[str]:
    return [f"203.0.113.{1 + k}" for k in range(count)]


def tried(method: str, names: Iterable[str], codes: tuple[int, ...], every_s: float) -> Callable[[], Script]:
    """One user after another, at one server."""

    def play() -> Script:
        script = Script()
        for k, user in enumerate(names):
            script.ask(k * every_s, method, user, *codes)
        return script

    return play


def swept(method: str, asked: list[str], places: list[str], code: int, every_s: float) -> Callable[[], Script]:
    """The same users at one address after another; one address in twelve replies."""

    def play() -> Script:
        script = Script()
        for k in range(len(places) * len(asked)):
            place, user = divmod(k, len(asked))
            codes = (code,) if place % 12 == 0 else ()
            script.ask(k * every_s, method, asked[user], *codes, target=places[place])
        return script

    return play


def guessed(
    names: list[str],
    tries: int,
    every_s: float,
    *,
    method: str = "REGISTER",
    one_dialog: bool = False,
    found: bool = False,
) -> Callable[[], Script]:
    """One password after another for these users, in turn. In one dialog each challenge is answered by the next one."""

    def play() -> Script:
        script = Script()
        for k in range(tries):
            end = 200 if found and k == tries - 1 else 401
            codes, call_id = ((end,), "always") if one_dialog else ((401, end), "")
            user = names[k % len(names)]
            script.ask(k * every_s, method, user, *codes, call_id=call_id, authorized=one_dialog and k > 0)
        return script

    return play


def guessed_together(names: list[str], addresses: list[str], tries: int, every_s: float) -> Callable[[], Script]:
    """The same, each from the next address: every address has tried every user in the end."""

    def play() -> Script:
        script = Script()
        for k in range(tries):
            turn, place = divmod(k, len(addresses))
            script.ask(k * every_s, "REGISTER", names[turn % len(names)], 401, 401, source=addresses[place])
        return script

    return play


def named(count: int, every_s: float) -> Callable[[], Script]:
    """Names, all in one dialog, as some scripts send them; one in ten exists, and is tried with a password."""

    def play() -> Script:
        script, rng = Script(), Random(37)
        for k in range(count):
            user = rng.choice(("anna", "berta", "carla", "dora", "emil")) + str(k // 5)
            codes = (401, 403) if k % 10 == 9 else (401,)
            script.ask(k * every_s, "REGISTER", user, *codes, call_id="of the script")
        return script

    return play


SCANS: dict[str, tuple[Callable[[], Script], str]] = {
    "users, six a second, 404": (tried("REGISTER", users(25), (404,), 1 / 6), "registration_scan"),
    "users, six a second, 401 to all": (tried("REGISTER", users(25), (401,), 1 / 6), "registration_scan"),
    "users, one a minute, 404": (tried("REGISTER", users(25), (404,), 60.0), "registration_scan"),
    "users, one a minute, 401 to all": (tried("REGISTER", users(25), (401,), 60.0), "registration_scan"),
    "users, by INVITE": (tried("INVITE", users(60), (404,), 0.2), "registration_scan"),
    "users, by OPTIONS, 404": (tried("OPTIONS", users(60), (404,), 0.1), "options_scan"),
    "users, by OPTIONS, 200 to all": (tried("OPTIONS", users(60), (200,), 0.1), "options_scan"),
    "addresses, by OPTIONS": (swept("OPTIONS", ["100"], hosts(120), 200, 0.05), "options_scan"),
    "addresses, by REGISTER, one user": (swept("REGISTER", ["100"], hosts(120), 401, 0.05), "registration_scan"),
    "addresses, by REGISTER, four users": (swept("REGISTER", users(4), hosts(60), 404, 0.05), "registration_scan"),
    "addresses, by INVITE, one user": (swept("INVITE", ["100"], hosts(120), 404, 0.05), "registration_scan"),
    "addresses, by INVITE, four users": (swept("INVITE", users(4), hosts(60), 404, 0.05), "registration_scan"),
    "names in one dialog, 401 to all": (named(120, 0.25), "registration_scan"),
    "120 passwords in a minute, one dialog": (
        guessed(["100"], 120, 0.5, one_dialog=True),
        "password_guessing",
    ),
    "120 passwords in a minute": (guessed(["100"], 120, 0.5), "password_guessing"),
    "600 passwords, found": (guessed(["100"], 600, 0.1, found=True), "password_guessing"),
    "a password every ten seconds": (guessed(["100"], 300, 10.0), "password_guessing"),
    "three passwords for each of 60 users": (guessed(users(60), 180, 2.0), "password_guessing"),
    "the same, and one is right": (guessed(users(60), 180, 2.0, found=True), "password_guessing"),
    "the same within an hour": (guessed(users(60), 180, 20.0), "password_guessing"),
    "a password for each of 150 users": (guessed(users(150), 150, 2.0), "password_guessing"),
    "one user, from six addresses, one in ten seconds": (
        guessed_together(["100"], hosts(6), 240, 10.0),
        "password_guessing",
    ),
    "five users, from 20 addresses, one a second": (
        guessed_together(users(5), hosts(20), 600, 1.0),
        "password_guessing",
    ),
    "120 passwords in a minute, by INVITE": (guessed(["100"], 120, 0.5, method="INVITE"), "password_guessing"),
    "300 passwords by INVITE, found": (
        guessed(["100"], 300, 0.2, method="INVITE", found=True),
        "password_guessing",
    ),
}


def old_password(every_s: float, tries: int, *, fixed: bool = False) -> Callable[[], Script]:
    """A telephone that keeps its Call-ID, until somebody puts the password right."""

    def play() -> Script:
        script = Script()
        for k in range(tries):
            end = 200 if fixed and k == tries - 1 else 403
            script.ask(k * every_s, "REGISTER", "201", 401, end, call_id="of the telephone")
        return script

    return play


def calls_in_vain() -> Script:
    """A telephone with an old password calls, and dials again."""
    script = Script()
    for k in range(60):
        script.ask(10.0 * k, "INVITE", "201", 401, 401)
    return script


def calls_asked_anew() -> Script:
    """An exchange's calls, with credentials for the challenge of the one before, which its proxy no longer knows."""
    script, rng = Script(), Random(35)
    for _ in range(300):
        script.ask(rng.uniform(0, 120), "INVITE", "trunk", 401, 200, authorized=True)
    return script


STALE = 'Digest realm="example.net", nonce="next", stale=true'


def telephones(*codes: int, authorized: bool = False, challenge: str = "") -> Callable[[], Script]:
    """60 behind one address, that register each minute and are let in."""

    def play() -> Script:
        script, rng = Script(), Random(31)
        for k in range(60):
            begins_s = rng.uniform(0, 60)
            more = {"call_id": f"of {k}", "authorized": authorized, "challenge": challenge}
            for turn in range(10):
                script.ask(begins_s + 60.0 * turn, "REGISTER", str(300 + k), *codes, **more)
        return script

    return play


def in_vain(
    before: int, turns: int, *codes: int, count: int = 60, every_s: float = 60.0, anew: bool = False, after: int = 0
) -> Callable[[], Script]:
    """Telephones behind one address, which are let in so many times, refused at each of their next turns, and let in
    `after` that; `anew`: each turn has a Call-ID of its own."""

    def play() -> Script:
        script, rng = Script(), Random(36)
        for k in range(count):
            begins_s = rng.uniform(0, every_s)
            for turn in range(before + turns + after):
                said = codes if before <= turn < before + turns else (401, 200)
                call_id = "" if anew else f"of {k}"
                script.ask(begins_s + every_s * turn, "REGISTER", str(300 + k), *said, call_id=call_id)
        return script

    return play


def monitor(requests_only: bool, peers: int, rounds: int) -> Callable[[], Script]:
    def play() -> Script:
        script, rng = Script(requests_only), Random(32)
        for turn in range(rounds):
            for k, place in enumerate(hosts(peers)):
                script.ask(30.0 * turn + k + rng.uniform(0, 0.2), "OPTIONS", "monitor", 200, target=place)
        return script

    return play


def restarted(count: int, within_s: float) -> Callable[[], Script]:
    """An exchange has come back, and all its extensions begin at once."""

    def play() -> Script:
        script, rng = Script(), Random(33)
        for k in range(count):
            script.ask(rng.uniform(0, within_s), "REGISTER", str(400 + k), 401, 200)
        return script

    return play


def power_cut(count: int, within_s: float) -> Callable[[], Script]:
    """All telephones behind one router begin at once; the first tries of every third are lost."""

    def play() -> Script:
        script, rng = Script(), Random(38)
        for k in range(count):
            begins_s = rng.uniform(0, within_s)
            if k % 3 == 0:
                script.ask(begins_s, "REGISTER", str(300 + k), call_id=f"of {k}")
                begins_s += rng.uniform(0.5, 4)
            script.ask(begins_s, "REGISTER", str(300 + k), 401, 200, call_id=f"of {k}")
        return script

    return play


def asks_without_a_password(every_s: float) -> Callable[[], Script]:
    """A monitor that wants to be challenged: the server lives."""

    def play() -> Script:
        script = Script()
        for k in range(240):
            script.ask(every_s * k, "REGISTER", "monitor", 401)
        return script

    return play


def exchange_asks() -> Script:
    """An exchange asks its telephones, which had registered with it, each by its user."""
    script, rng = Script(), Random(34)
    for k, place in enumerate(hosts(80)):
        script.ask(rng.uniform(0, 30), "REGISTER", str(500 + k), 401, 200, source=place)
    for turn in range(20):
        for k, place in enumerate(hosts(80)):
            script.ask(31.0 + 30.0 * turn + 0.1 * k, "OPTIONS", str(500 + k), 200, source=SERVER, target=place)
    return script


def mistyped() -> Script:
    script = Script()
    for k in range(6):
        script.ask(15.0 * k, "REGISTER", "201", 401, 403 if k < 5 else 200)
    return script


def keepalives() -> Script:
    script = Script()
    for k in range(400):
        script.ask(5.0 * k, "OPTIONS", "ping", 200)
    return script


HONEST: dict[str, Callable[[], Script]] = {
    "an old password, each minute": old_password(60.0, 240),
    "an old password, every ten seconds": old_password(10.0, 300),
    "an old password, put right": old_password(20.0, 60, fixed=True),
    "a password mistyped five times": mistyped,
    "60 telephones behind a router": telephones(401, 200),
    "the same, credentials at once": telephones(200, authorized=True),
    "the same, each nonce unknown": telephones(401, 200, authorized=True),
    "the same, each nonce too old": telephones(401, 200, authorized=True, challenge=STALE),
    "an old password that calls, every ten seconds": calls_in_vain,
    "300 calls of an exchange, each nonce unknown": calls_asked_anew,
    "60 telephones, all passwords changed": in_vain(0, 20, 401, 403),
    "60 telephones, 401 to all for ten minutes": in_vain(2, 10, 401, 401),
    "150 telephones move to another provider": in_vain(0, 3, 401, 403, count=150, every_s=120.0, after=3),
    "20 softphones, all passwords changed, each try anew": in_vain(0, 20, 401, 401, count=20, anew=True),
    "60 softphones that were let in before, the same": in_vain(1, 20, 401, 401, anew=True),
    "an old password, each minute, each try anew": in_vain(0, 120, 401, 401, count=1, anew=True),
    "two telephones with an old password, each try anew": in_vain(0, 60, 401, 401, count=2, anew=True),
    "300 telephones after a power cut": power_cut(300, 5.0),
    "a monitor that registers without a password": asks_without_a_password(30.0),
    "a monitor of 20 servers": monitor(False, 20, 20),
    "a monitor of 20 servers, requests only": monitor(True, 20, 20),
    "an exchange restarts, 200 in 5 s": restarted(200, 5.0),
    "an exchange restarts, 30 in 20 s": restarted(30, 20.0),
    "an exchange asks its telephones": exchange_asks,
    "a trunk's keep-alives": keepalives,
}


def screened(play: Callable[[], Script]) -> list[dict]:
    """What is found of addresses, as the screening report has it."""
    with TemporaryDirectory() as folder:
        lines = screen(play().write(Path(folder) / "requests.pcap"))
    return [line for line in lines if line.get("type") == "source" and line["caller"] is line["callee"] is None]


def said(name: str, play: Callable[[], Script]) -> str:
    """A line of the table: what is found, and how many seconds after the first request it was noticed."""
    everyone = screened(play)
    if not everyone:
        return f"| {name} | pass | never |  |"
    found = min(everyone, key=lambda one: one["flagged_at"])
    first, noticed = (datetime.fromisoformat(found[moment]) for moment in ("first", "flagged_at"))
    types, waited_s = ", ".join(found["fraud_types"]), (noticed - first).total_seconds()
    verdicts = " and ".join(sorted({one["verdict"] for one in everyone}))
    return f"| {name} | {verdicts} | {waited_s:.1f} s | {types} |"


def table() -> str:
    frauds = [said(name, play) for name, (play, _) in SCANS.items()]
    honest = [said(name, play) for name, play in HONEST.items()]
    head = ["| scan | verdict | first noticed | named |", "|---|---|--:|---|"]
    return "\n".join([*head, *frauds, "| **honest** | | | |", *honest])


if __name__ == "__main__":
    print(table())
