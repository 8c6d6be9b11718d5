"""A call as a ladder: what passed between its two ends, and when."""

from dataclasses import dataclass
from typing import Any

STEP, TOP = 44, 56


@dataclass(frozen=True, slots=True)
class Rung:
    """One arrow. `word` is a key of the catalogue, `at_s` the time since the INVITE, None when it is not known."""

    y: int
    forward: bool  # from the caller
    word: str
    code: str
    at_s: float | None


@dataclass(frozen=True, slots=True)
class Ladder:
    """All rungs from above to below."""

    rungs: list[Rung]
    height: int


def ladder(call: dict[str, Any]) -> Ladder:
    """What the times and the last response of a call line say. A ring or an answer that was not seen is not drawn."""
    delay, ring, duration = (call.get(name) for name in ("post_dial_delay_s", "ring_s", "duration_s"))
    state, status = call.get("state"), call.get("status_code")
    steps: list[tuple[bool, str, str, float | None]] = [(True, "ladder.invite", "INVITE", 0.0)]
    if ring is not None:
        steps.append((False, "ladder.ringing", "180", delay))
    answered_s = None if delay is None and ring is None else (delay or 0.0) + (ring or 0.0)
    if state in ("answered", "completed"):
        steps.append((False, "ladder.answer", str(status or 200), answered_s))
    elif state == "cancelled":
        steps.append((True, "ladder.cancel", "CANCEL", answered_s))
    elif state in ("rejected", "failed"):
        steps.append((False, f"ladder.{state}", str(status or ""), answered_s))
    if state == "completed":
        ended_s = None if duration is None else (answered_s or 0.0) + duration
        steps.append((True, "ladder.end", "BYE", ended_s))
    rungs = [Rung(TOP + STEP * place, *step) for place, step in enumerate(steps)]
    return Ladder(rungs, TOP + STEP * len(rungs))
