"""What each client command does: asks the service over its socket, and shows the answer in the form that is wanted.

Every function gives an exit status; what goes wrong is one line on stderr that says what to do about it.
"""

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance import config as configuration
from appliance.admin.client import Client
from appliance.admin.errors import AdminError, ProtocolError, SocketError
from appliance.client import listings
from appliance.client.output import Form, Listing, show_object
from appliance.errors import ConfigError
from appliance.exit import Exit, complain

UNUSABLE_CODES = ("arguments", "config", "unknown_command")
UNREACHABLE_CODES = ("version", "busy", "denied")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
SPAN = re.compile(r"(\d{1,9})([smhdw])")


class UsageError(Exception):
    """An argument of the command cannot be used: the fault of who typed it."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service is to be found: its socket, else the configuration that names it."""

    socket: Path | None = None
    config: Path | None = None

    def path(self) -> Path:
        """Raises ConfigError when no configuration can be read. One with mistakes is no reason not to ask: the service
        goes on with what it had before, and says what is wrong."""
        return self.socket or configuration.admin_socket(self.config)

    def connect(self) -> Client:
        """Raises ConfigError, AdminError."""
        return Client(self.path())


def guarded(command: Callable[[], Exit | None]) -> Exit:
    """Runs a client command; what goes wrong is one line on stderr and a status."""
    try:
        status = command() or Exit.DONE
        sys.stdout.flush()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stdout = None  # nobody reads: the interpreter must not try again as it exits
        return Exit.NOBODY_READS
    except (ConfigError, UsageError) as error:
        complain(error)
        return Exit.UNUSABLE
    except AdminError as error:
        complain(error)
        return status_of(error)
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
        return Exit.FAILED
    return status


def status_of(error: AdminError) -> Exit:
    if error.code in UNUSABLE_CODES:
        return Exit.UNUSABLE
    if isinstance(error, SocketError | ProtocolError) or error.code in UNREACHABLE_CODES:
        return Exit.UNREACHABLE
    return Exit.REFUSED


def listing(service: Service, form: Form, look: Listing, command: str, **arguments: object) -> None:
    """A command whose result is a list of rows."""
    with service.connect() as client:
        look.show(client.ask(command, **arguments), form)


def following(service: Service, form: Form, look: Listing, command: str, **arguments: object) -> None:
    """A command that sends rows as they come."""
    with service.connect() as client:
        for row in client.follow(command, **arguments):
            look.show_one(row, form)


def telling(service: Service, form: Form, human: Callable[[dict], str], command: str, **arguments: object) -> None:
    """A command whose result is one object."""
    with service.connect() as client:
        show_object(client.ask(command, **arguments), form, human)


def metrics(service: Service) -> None:
    with service.connect() as client:
        sys.stdout.write(client.ask("metrics"))


def delete(service: Service, command: str, value: str) -> None:
    with service.connect() as client:
        client.ask(command, value=value)


def reload(service: Service, form: Form) -> None:
    with service.connect() as client:
        changed = client.ask("reload")
    show_object({"changed": changed}, form, lambda _: "\n".join(changed) or "nothing has changed")


def doctor(service: Service, form: Form) -> Exit:
    """FAILED when something keeps the service from its work. Without the service: what can be told from outside."""
    try:
        with service.connect() as client:
            checks = client.ask("doctor")
    except AdminError as error:
        # what an examination from outside needs takes a second to import
        import msgspec  # noqa: PLC0415

        from appliance.doctor.examination import from_outside  # noqa: PLC0415

        config = configuration.load(service.config)
        checks = msgspec.to_builtins(from_outside(config, error))
    listings.CHECKS.show(checks, form)
    return Exit.FAILED if any(check["state"] == "fail" for check in checks) else Exit.DONE


def span_s(text: str) -> int:
    """Seconds of `90s`, `15m`, `24h`, `30d` or `2w`. Raises UsageError."""
    found = SPAN.fullmatch(text.strip())
    if not found or int(found[1]) == 0:
        raise UsageError(f"{text!r}: expected a time such as 90s, 15m, 24h, 30d or 2w")
    return int(found[1]) * UNITS_S[found[2]]


def since_ns(text: str | None) -> int | None:
    """Nanoseconds since the epoch of `2h` (ago), `2026-11-24` or `2026-11-24T08:00:00Z`; UTC where no zone is given.

    Raises UsageError, for moments before the epoch and beyond the year 2262, too: nanoseconds of 64 bits have none.
    """
    if text is None:
        return None
    if SPAN.fullmatch(text.strip()):
        found = time.time_ns() - span_s(text) * 10**9
    else:
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError as error:
            raise UsageError(
                f"{text!r}: expected a time ago such as 2h, or a moment such as 2026-11-24T08:00Z"
            ) from error
        found = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 10**9
    if not 0 <= found < 1 << 63:
        raise UsageError(f"{text!r}: nothing can have been captured then")
    return found


def labelled(answer: dict[str, Any]) -> str:
    by = answer["labelled_by"]
    return f"finding {answer['id']} is labelled {answer['label']} by {by} (verdict: {answer['verdict']})"


def entered(answer: dict[str, Any]) -> str:
    until = f"until {answer['expires'][:19].replace('T', ' ')} UTC" if answer["expires"] else "until it is deleted"
    effect = f"; effect now: {answer['effect']}" if "effect" in answer else ""
    return f"{answer['value']} ({answer['kind']}) is listed {until}{effect}"
