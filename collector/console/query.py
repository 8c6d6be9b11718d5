"""What the address of a page asks for."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from litestar.exceptions import ValidationException

from collector.errors import NotFoundError
from collector.pseudonyms import Numbers
from collector.store.findings import Filter
from collector.store.paging import Page
from models.fraud_types import FRAUD_TYPES
from models.verdict import VERDICTS

MAX_TEXT = 512  # characters
MAX_KEY = (1 << 63) - 1
FIRST_YEAR, LAST_YEAR = 1990, 2200  # nanoseconds of later ones do not fit
LABELS = ("fraud", "honest", "none")
FILTERS = ("verdict", "fraud_type", "label", "box", "number", "since", "until")

Query = Mapping[str, str]


def text(query: Query, name: str) -> str | None:
    """A text, None when it is missing or empty. Raises ValidationException."""
    value = query.get(name, "").strip()
    if len(value) > MAX_TEXT or "\0" in value:
        raise ValidationException(f"{name} is not a text that can be looked for")
    return value or None


def part(name: str) -> str:
    """A name out of the path. Raises NotFoundError for what no name is: databases take no NUL."""
    if "\0" in name or len(name) > MAX_TEXT:
        raise NotFoundError("no such name")
    return name


def typed(text: str, limit: int) -> str:
    """What was typed into a form, as it is stored."""
    return text.strip()[:limit].replace("\0", "")


def one_of(query: Query, name: str, allowed: Collection[str]) -> str | None:
    """One of some words. Raises ValidationException."""
    value = text(query, name)
    if value is not None and value not in allowed:
        raise ValidationException(f"{name} has no such value")
    return value


def key(query: Query, name: str) -> int | None:
    """The key of a page. Raises ValidationException."""
    value = text(query, name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()) or int(value) > MAX_KEY:
        raise ValidationException(f"{name} is not the key of a page")
    return int(value)


def time_ns(query: Query, name: str) -> int | None:
    """A moment as forms send it (2026-01-05T12:30), UTC. Raises ValidationException."""
    value = text(query, name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValidationException(f"{name} is not a moment") from error
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValidationException(f"{name} is not between the years {FIRST_YEAR} and {LAST_YEAR}")
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 10**9


def finding_filter(query: Query, numbers: Numbers) -> Filter:
    """The filter of the list of findings. Raises ValidationException."""
    number = text(query, "number")
    return Filter(
        verdict=one_of(query, "verdict", VERDICTS),  # type: ignore[arg-type]
        fraud_type=one_of(query, "fraud_type", FRAUD_TYPES),  # type: ignore[arg-type]
        label=one_of(query, "label", LABELS),  # type: ignore[arg-type]
        box=text(query, "box"),
        number=None if number is None else numbers.search(number),
        since_ns=time_ns(query, "since"),
        until_ns=time_ns(query, "until"),
    )


def paged(path: str, query: Query, page: Page, name: str = "before") -> dict[str, object]:
    """A page, with the links to the one that follows and back to the first one; its key is called `name`. `at` is for
    forms, which lead back to where they were sent from."""
    return {
        "page": page,
        "at": link("", query),
        "older": link(path, query, **{name: page.next}) if page.next else None,
        "newest": link(path, query, **{name: None}) if query.get(name) else None,
    }


def link(path: str, query: Query, **changes: object) -> str:
    """`path` with the query and some changes to it; None takes a key away."""
    merged = {**dict(query), **changes}
    kept = {name: value for name, value in merged.items() if value not in (None, "")}
    return f"{path}?{urlencode(kept)}" if kept else path
