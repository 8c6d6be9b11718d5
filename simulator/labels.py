"""The truth beside a capture: JSON Lines, one object per call and one per source of requests outside calls."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from simulator.intent import HONEST, Call, Datagram, Request
from simulator.rhythm import NS_PER_S


def timestamp(at_ns: int) -> str:
    """RFC 3339, UTC, microseconds, as the screening report writes it."""
    whole = datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{at_ns % NS_PER_S // 1000:06d}Z"


class CallLabel(msgspec.Struct, tag="call"):
    """What one call is. `caller` and `callee` are user parts as sent; `state` is the one of the screening contract."""

    call_id: str
    caller: str
    callee: str
    caller_e164: str
    callee_e164: str
    source: str
    start: str
    state: str
    status_code: int
    duration_s: float
    label: str
    population: str
    variant: str
    scenario: str


class SourceLabel(msgspec.Struct, tag="source"):
    """What the requests outside calls (management datagrams too) of one population at one address are; `users` counts
    distinct ones."""

    source: str
    first: str
    last: str
    requests: int
    users: int
    label: str
    population: str
    variant: str
    scenario: str


class Labels:
    """Collects labels while a scenario is played."""

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._sources: dict[tuple[str, ...], list[Any]] = {}
        self.calls = 0
        self.frauds = 0

    def of_call(self, call: Call, call_id: str, scenario: str) -> bytes:
        self.calls += 1
        self.frauds += call.label != HONEST
        source = call.line.endpoint
        return (
            self._encode(
                CallLabel(
                    call_id,
                    call.line.user,
                    call.dialled,
                    call.line.number,
                    call.callee,
                    f"{source.address}:{source.port}",
                    timestamp(call.start_ns),
                    call.outcome.value,
                    call.status_code,
                    round(call.talk_s, 3),
                    call.label,
                    call.population,
                    call.variant,
                    scenario,
                )
            )
            + b"\n"
        )

    def note_request(self, request: Request | Datagram, scenario: str) -> None:
        key = (request.line.endpoint.address, request.label, request.population, request.variant, scenario)
        note = self._sources.setdefault(key, [request.start_ns, 0, 0, set()])
        note[1] = request.start_ns
        note[2] += len(request.status_codes) if isinstance(request, Request) else 1
        note[3].add(request.user)

    def of_sources(self) -> Iterable[bytes]:
        """The source lines, in order of first request."""
        for key, (first_ns, last_ns, requests, users) in self._sources.items():
            source, label, population, variant, scenario = key
            yield (
                self._encode(
                    SourceLabel(
                        source,
                        timestamp(first_ns),
                        timestamp(last_ns),
                        requests,
                        len(users),
                        label,
                        population,
                        variant,
                        scenario,
                    )
                )
                + b"\n"
            )

    @property
    def sources(self) -> int:
        return len(self._sources)
