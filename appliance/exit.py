"""The exit statuses of the command, and the one line on stderr that goes with them."""

import sys
from enum import IntEnum


class Exit(IntEnum):
    """What the process says when it ends."""

    DONE = 0
    FAILED = 1  # what was found could not be written; `doctor` found a fault; the message of `parse` is not valid
    UNUSABLE = 2  # arguments, configuration or bundle
    UNREADABLE = 3  # a file could not be read to its end; the others were screened
    UNREACHABLE = 4  # the service does not answer, or not to this user or version
    REFUSED = 5  # the service answered, and did not do what it was asked
    INTERRUPTED = 130  # 128 + SIGINT, as a shell would say it
    NOBODY_READS = 141  # 128 + SIGPIPE


def complain(message: object) -> None:
    """One line on stderr."""
    print(f"sipwarden: {message}", file=sys.stderr)
