"""What listings are made of. The fields are stable: they are only ever added to.

Moments are RFC 3339 in UTC; numbers are masked unless an administrator asked for them.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from appliance import log
from appliance.admin.errors import AdminError
from appliance.admin.peer import Role
from appliance.admin.registry import Arguments, Context
from appliance.findings import moment
from appliance.mask import mask
from appliance.report import Record, StoredFinding

Mask = Callable[[str], str]

SHOWN_REASONS = 3
# Of the lines of a report: what is a telephone number, or the user part of a URI.
NUMBERS = ("caller", "callee", "caller_e164", "callee_e164")


class Unmaskable(Arguments, frozen=True, kw_only=True):
    """Arguments of a command whose answer has telephone numbers."""

    unmasked: bool = False


class CallRow(Record, frozen=True, kw_only=True):
    """A call that is going on, or that was over some seconds ago."""

    call_id: str
    start: str
    state: str
    caller: str
    callee: str
    source: str
    destination: str
    duration_s: float | None
    verdict: str
    score: float
    fraud_types: list[str]
    one_way: bool
    reasons: list[str]


class FindingRow(Record, frozen=True, kw_only=True):
    """A stored finding."""

    id: int
    time: str
    kind: Literal["call", "source"]
    verdict: str
    score: float
    fraud_types: list[str]
    source: str | None
    caller: str | None
    callee: str | None
    call_id: str | None
    label: str | None
    reasons: list[str]


def masking(context: Context, arguments: Unmaskable, command: str) -> Mask:
    """What to do with the numbers of an answer. Raises AdminError when they are not for who asks."""
    if not arguments.unmasked:
        return mask
    if context.role is not Role.ADMINISTRATOR:
        raise AdminError(
            "forbidden", "numbers are shown to administrators only", "leave --unmasked out: numbers are masked then"
        )
    log.warning("numbers were shown unmasked", command=command, by=context.peer.user, uid=context.peer.uid)
    return str


def call_row(line: bytes, hide: Mask) -> CallRow:
    """The row of a line of a live call."""
    call = masked(line, hide)
    return CallRow(
        call_id=call["call_id"],
        start=call["start"],
        state=call["state"],
        caller=call["caller_e164"] or call["caller"],
        callee=call["callee_e164"] or call["callee"],
        source=call["source"],
        destination=call["destination"],
        duration_s=call["duration_s"],
        verdict=call["verdict"],
        score=call["score"],
        fraud_types=call["fraud_types"],
        one_way=call["quality"]["one_way"],
        reasons=_reasons(call),
    )


def finding_row(finding: StoredFinding, hide: Mask, label: str | None = None) -> FindingRow:
    return FindingRow(
        id=finding.id,
        time=moment(finding.time_ns),
        kind=finding.kind,
        verdict=finding.verdict,
        score=finding.score,
        fraud_types=list(finding.fraud_types),
        source=finding.source,
        caller=_hidden(finding.caller, hide),
        callee=_hidden(finding.callee, hide),
        call_id=finding.call_id,
        label=label,
        reasons=_reasons(masked(finding.line, hide)),
    )


def masked(line: bytes, hide: Mask) -> dict[str, Any]:
    """A line of the report as its JSON object, with its numbers hidden; empty when it is none.

    It is not held to the schema: a store has lines of earlier versions.
    """
    try:
        found = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
    return found | {name: _hidden(found[name], hide) for name in NUMBERS if name in found}


def _reasons(line: dict[str, Any]) -> list[str]:
    return [str(reason.get("text", "")) for reason in line.get("reasons", [])[:SHOWN_REASONS]]


def _hidden(number: str | None, hide: Mask) -> str | None:
    return None if number is None else hide(number)
