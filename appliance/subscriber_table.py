"""Reading a table of subscribers from a CSV file."""

import csv
import sys
from pathlib import Path

from models.errors import TableError
from models.subscriber import Table, read_table


class UnreadableError(TableError):
    """The file could not be read, or is no CSV file."""


def load(path: Path) -> Table:
    """Raises TableError, which names the file and what is wrong with it."""
    csv.field_size_limit(min(sys.maxsize, 1 << 20))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            records = csv.reader(file, strict=True)
            header = [name.strip() for name in next(records, [])]
            return read_table(header, records)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableError(f"{path}: not a CSV file in UTF-8: {error}") from error
    except TableError as error:
        raise TableError(f"{path}: {error}") from error
