"""The log: one line per state change, with fields, to journald, to a terminal, or as JSON.

    log.info("source is up", source="eth1")
    log.warning("findings store is full", dropped=12)

An event is a constant text that says what happened; what differs from one time to the next is a field. Both are
cleaned on the way out, whoever wrote them: subscribers are masked, secrets never shown, and what came off the wire
cannot forge a line or move a cursor. An event that repeats is written a few times a minute and then counted.

Nobody waits for journald: its socket does not block, and what it does not take is counted and said later. The
standard library's `logging` carries it all, so that what a library has to say comes out in the same form.
"""

import json
import logging
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Literal

from appliance.mask import mask, mask_text
from appliance.printable import printable

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "journal", "text", "json"]
Value = str | int | float | bool | None

NAME = "sipwarden"
JOURNAL_SOCKET = "/run/systemd/journal/socket"
# Set by systemd to device:inode of the stream that journald reads (systemd.exec, "Environment Variables").
JOURNAL_STREAM = "JOURNAL_STREAM"

# A line says what happened; a message off the wire does not belong into it whole.
MAX_VALUE_CHARACTERS = 1024
MAX_FIELDS = 32
# journald itself allows 10,000 lines in 30 s for all of a service; one event gets this many.
BURST_LINES = 10
BURST_SECONDS = 60.0
MAX_EVENTS = 512

# Fields that hold a number or a SIP user by themselves: nothing else in the text may tell.
SUBSCRIBER_FIELDS = frozenset({"caller", "callee", "number", "user", "from", "to", "aor"})
# Identifiers made of digits that are no numbers, without which the line leads nowhere.
PLAIN_FIELDS = frozenset({"call_id"})
SECRET_FIELD = re.compile(r"_key$|(^|_)(password|secret|token|credential|authorization)$")  # `key` is one of TOML
SECRET = "(secret)"

# syslog's severities, which journald takes (RFC 5424 6.2.1).
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))
_JOURNAL_NAME = re.compile(r"[^A-Z0-9_]")

_logger = logging.getLogger(NAME)


def debug(event: str, **fields: Value) -> None:
    _logger.debug(event, extra={"fields": fields})


def info(event: str, **fields: Value) -> None:
    _logger.info(event, extra={"fields": fields})


def warning(event: str, **fields: Value) -> None:
    _logger.warning(event, extra={"fields": fields})


def error(event: str, **fields: Value) -> None:
    _logger.error(event, extra={"fields": fields})


def exception(event: str, **fields: Value) -> None:
    """An error with the exception being handled: what nobody thought of, with the place in the code."""
    _logger.error(event, exc_info=True, extra={"fields": fields})


def configure(level: Level = "info", format: Format = "auto") -> None:
    """Sends everything from `level` up, of libraries too, to journald or to standard error.

    `auto` is the journal when standard error leads there, else text.
    """
    handler = _journal() if format == "journal" or (format == "auto" and stderr_is_the_journal()) else None
    if handler is None:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Lines(as_json if format == "json" else as_text))
    handler.addFilter(Repetition())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # a line on standard error must do when the log itself fails; a traceback for every line would bury it
    logging.raiseExceptions = False


def stderr_is_the_journal() -> bool:
    """Whether journald reads standard error, as it does for a service."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return os.environ.get(JOURNAL_STREAM) == f"{status.st_dev}:{status.st_ino}"


def _journal() -> logging.Handler | None:
    try:
        return Journal(JOURNAL_SOCKET)
    except OSError as problem:
        print(f"{NAME}: journald cannot be reached ({problem.strerror}): logging as text", file=sys.stderr)
        return None


# --- what a line says


def fields_of(record: logging.LogRecord) -> dict[str, Value]:
    """The fields of a record as they may be seen."""
    fields: dict[str, Value] = getattr(record, "fields", {})
    seen = {name: _seen(name, value) for name, value in list(fields.items())[:MAX_FIELDS]}
    if record.exc_info and record.exc_info[1] is not None:
        seen["exception"] = _cut(mask_text(logging.Formatter().formatException(record.exc_info)), keep_end=True)
    return seen


def event_of(record: logging.LogRecord) -> str:
    return _cut(mask_text(record.getMessage()))


def _seen(name: str, value: Value) -> Value:
    if SECRET_FIELD.search(name):
        return SECRET
    if name in SUBSCRIBER_FIELDS and value is not None:
        return _cut(mask(str(value)))
    if value is None or isinstance(value, bool | int | float):
        return value
    text = _cut(str(value))
    return text if name in PLAIN_FIELDS else mask_text(text)


def _cut(text: str, keep_end: bool = False) -> str:
    if len(text) <= MAX_VALUE_CHARACTERS:
        return text
    return "…" + text[-MAX_VALUE_CHARACTERS:] if keep_end else text[:MAX_VALUE_CHARACTERS] + "…"


def sentence(record: logging.LogRecord) -> str:
    """The event and its fields as `event key=value`, printable and on one line."""
    fields = (f"{name}={_quoted(value)}" for name, value in fields_of(record).items() if value is not None)
    return " ".join([printable(event_of(record)), *fields])


def _quoted(value: Value) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    # JSON's escapes leave no control character, and none that turns the direction of the text
    return text if text.isascii() and re.fullmatch(r"[^\s\"=\x00-\x1f\x7f]+", text) else json.dumps(text)


def as_text(record: logging.LogRecord) -> str:
    """For people: local time, level, event and fields."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
    return f"{moment} {record.levelname.lower():<7} {sentence(record)}"


def as_json(record: logging.LogRecord) -> str:
    """For machines: one object with `time` (RFC 3339, UTC), `level`, `event`, and the fields beside them."""
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    line = {"time": f"{seconds}.{int(record.msecs):03}Z", "level": record.levelname.lower(), "event": event_of(record)}
    return json.dumps({**fields_of(record), **line})


class _Lines(logging.Formatter):
    def __init__(self, write: Callable[[logging.LogRecord], str]) -> None:
        super().__init__()
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        return self._write(record)


# --- journald


class Journal(logging.Handler):
    """Sends records in journald's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): fields that can be filtered by.

    `journalctl -u sipwarden SIPWARDEN_SOURCE=eth1` finds the lines with `source="eth1"`.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._lost = 0
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def emit(self, record: logging.LogRecord) -> None:
        if self._lost and self._send(_entry(4, f"{self._lost} lines of the log were lost", {"LOST": str(self._lost)})):
            self._lost = 0
        fields = {name.upper(): str(value) for name, value in fields_of(record).items() if value is not None}
        if not self._send(_entry(_priority(record.levelno), sentence(record), fields)):
            self._lost += 1

    def _send(self, entry: bytes) -> bool:
        """Whether journald took it. It may have been started again since, at the same path."""
        try:
            self._socket.send(entry)
        except BlockingIOError:
            return False
        except OSError:
            try:
                self._socket.connect(self._path)
                self._socket.send(entry)
            except OSError:
                return False
        return True

    def close(self) -> None:
        self._socket.close()
        super().close()


def _priority(level: int) -> int:
    return next(priority for least, priority in _PRIORITIES if level >= least or least == logging.DEBUG)


def _entry(priority: int, message: str, fields: dict[str, str]) -> bytes:
    """One entry: every value with its length before it, so that nothing in it can end it early."""
    named = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": NAME}
    named |= {"SIPWARDEN_" + _JOURNAL_NAME.sub("_", name): value for name, value in fields.items()}
    parts = []
    for name, value in named.items():
        encoded = value.encode(errors="replace")
        parts.append(name.encode() + b"\n" + len(encoded).to_bytes(8, "little") + encoded + b"\n")
    return b"".join(parts)


# --- repetition


class Repetition(logging.Filter):
    """Lets an event through BURST_LINES times in BURST_SECONDS, then counts it: the next line says how often it came.

    Who floods a box must not flood its log, whatever differs in the fields.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._windows: dict[str, tuple[float, int]] = {}  # event -> start, lines since
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        now_s = self._clock_s()
        event = str(record.msg)  # before arguments: the constant part
        with self._lock:
            start_s, lines = self._windows.get(event, (now_s, 0))
            kept_back = 0
            if now_s - start_s >= BURST_SECONDS:
                kept_back = max(0, lines - BURST_LINES)
                start_s, lines = now_s, 0
            elif event not in self._windows and len(self._windows) >= MAX_EVENTS:
                self._windows.pop(next(iter(self._windows)))
            self._windows[event] = (start_s, lines + 1)
        if lines >= BURST_LINES:
            return False
        if kept_back:
            record.fields = {**getattr(record, "fields", {}), "repeated": kept_back}
        return True
