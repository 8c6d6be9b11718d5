"""What somebody means to do: the vocabulary between the populations (who calls whom, when) and the dialogue (SIP)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from simulator.identity import STYLE_ONLY, IdentityPolicy
from simulator.sounds import Sound
from simulator.vendors import Style

HONEST = "honest"


class Outcome(StrEnum):
    """How a call ends, as RFC 3261 tells it; the value is the `state` of the screening contract."""

    ANSWERED = "completed"
    CANCELLED = "cancelled"  # the caller gives up while it rings: CANCEL, 487
    REJECTED = "rejected"  # another final 4xx or a 6xx, see `Call.status_code`
    FAILED = "failed"  # a final 5xx, or 408
    UNREACHED = "expired"  # no reply at all: INVITE is retransmitted until timer B


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where packets come from and go to."""

    address: str
    port: int = 5060


@dataclass(slots=True)
class Line:
    """One calling identity: a number, written in one way, behind one device at one address."""

    number: str  # E.164 digits
    user: str  # as its From header writes it
    endpoint: Endpoint
    style: Style
    agent: str  # User-Agent, empty: none is sent
    domain: str  # host part of its own URIs
    challenged: bool = False  # its INVITEs are asked for credentials (407)
    cached_nonce: bool = False  # they bring some at once, for a challenge of before, and are asked all the same
    identity: IdentityPolicy = STYLE_ONLY  # what its network says of it
    asserted: str = ""  # E.164 digits the network asserts; empty: its own number


Heard = Literal["both", "line", "server"]  # whose RTP there is


@dataclass(slots=True)
class Call:
    """One call attempt. Times are in seconds unless the name says otherwise."""

    start_ns: int
    line: Line
    callee: str  # E.164 digits, or what was dialled when it is no number
    dialled: str  # as the Request-URI writes it
    outcome: Outcome
    population: str
    ring_s: float = 0.0  # from the first ringing to answer, CANCEL or rejection; 0: it never rings
    talk_s: float = 0.0
    post_dial_delay_s: float = 0.5
    status_code: int = 200
    caller_hangs_up: bool = True
    heard: Heard = "both"
    mailbox: bool = False  # a machine of the callee's operator answers
    caller_sound: Sound | None = None  # what the calling side plays; none: somebody speaks
    callee_sound: Sound | None = None  # and the answering side
    diverted_by: str = ""  # who forwarded it here, E.164 digits
    target: str = ""  # server address, empty: the home server
    far: Line | None = None  # the device that the server hands it to: then the server sends the INVITE, to that device
    label: str = HONEST
    variant: str = ""


@dataclass(slots=True)
class Request:
    """One request outside a call: REGISTER or OPTIONS, with the answers it gets in turn."""

    start_ns: int
    line: Line
    method: str
    user: str  # address of record (REGISTER) or Request-URI user (OPTIONS)
    status_codes: tuple[
        int, ...
    ]  # one per attempt; a 401/407 before another code means credentials follow; 0: no reply
    population: str
    target: str = ""  # server address, empty: the home server
    target_port: int = 5060
    label: str = HONEST
    variant: str = ""
    expires_s: int = 3600
    series: str = ""  # requests of one series of the line share a Call-ID, and count their CSeq on; empty: its own
    authorized: bool = False  # brings credentials at once, for a challenge of before
    stale: bool = False  # a challenge to them says that only its nonce was too old (RFC 2617 3.2.1)


@dataclass(slots=True)
class Datagram:
    """A datagram that is no SIP, and its reply: the management traffic of a gateway."""

    start_ns: int
    line: Line
    port: int  # of the device, and of the server it talks to
    user: str  # whom it is about
    payload: bytes
    reply: bytes
    population: str
    target: str = ""  # server address, empty: the home server
    label: str = HONEST
    variant: str = ""


Intent = Call | Request | Datagram
