"""How products speak SIP: header order, the shapes of tags, branches and Call-IDs, agents, Allow lists, SDP.

The styles are data, in `vendors.toml`. Each is written from what such a product is known to send, and stands for a
family, not for one firmware. `regimes` keeps training and evaluation apart: a style of one regime is never seen in the
other.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, Literal

import msgspec

from simulator.errors import ScenarioError
from simulator.patterns import Pattern

Regime = Literal["train", "eval", "any"]
Role = Literal["phone", "pbx", "gateway", "carrier", "dialler", "scanner", "sim_gateway"]

# The name of a style that is drawn anew for each device, and what it is made of.
SCRIPTED = "scripted"
_SCRIPT_TOKENS = {
    "train": ("{hex:8}", "{hex:16}", "{digits:6}", "{digits:10}", "{alnum:10}", "-{digits:8}", "{lower:5}-{digits:4}"),
    "eval": ("{HEX:12}", "{digits:8}", "{uuid}", "{lower:9}", "{alnum:14}", "call-{digits:5}", "{dec:1-9999}"),
}
_SCRIPT_AGENTS = {
    "train": ("", "", "test", "SIP UA", "python-sip/0.3"),
    "eval": ("", "", "ua", "Client 1.0", "node-sip"),
}

VENDORS_FILE = Path(__file__).parent / "vendors.toml"

# The order of RFC 3261's examples: headers that a style's own order does not name follow in this one, before Content-*.
DEFAULT_ORDER = (
    "Via", "Record-Route", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "RAck", "RSeq", "Authorization",
    "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Expires", "Date", "User-Agent", "Allow",
    "Supported", "Require", "Session-Expires", "Min-SE", "Reason", "P-Asserted-Identity", "Remote-Party-ID", "Privacy",
    "Diversion", "History-Info", "Identity", "X-ACrypt", "Allow-Events", "Accept",
    "Accept-Language", "Content-Disposition", "P-Early-Media", "Cisco-Guid", "Content-Type", "Content-Length",
)  # fmt: skip
COMPACT = {  # RFC 3261 7.3.3 and 20
    "Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Supported": "k", "Content-Type": "c",
    "Content-Length": "l",
}  # fmt: skip
CODECS = {  # payload type -> rtpmap: the static ones of RFC 3551, and the dynamic ones that these products choose
    0: "PCMU/8000", 3: "GSM/8000", 4: "G723/8000", 8: "PCMA/8000", 9: "G722/8000", 18: "G729/8000",
    96: "telephone-event/8000", 100: "telephone-event/8000", 101: "telephone-event/8000", 102: "iLBC/8000",
    107: "opus/48000/2", 111: "opus/48000/2",
}  # fmt: skip


class _Strict(msgspec.Struct, forbid_unknown_fields=True, dict=True):
    pass


class SdpShape(_Strict, kw_only=True):
    """The session description a product writes (RFC 4566)."""

    user: str = "-"  # o=
    session: str = "-"  # s=
    id: Pattern = Pattern("{dec:1000000000-4000000000}")
    version_is_id: bool = True  # else it begins at 1
    codecs: tuple[int, ...] = (8, 0, 101)
    events: str = "0-15"  # fmtp of telephone-event
    attributes: tuple[str, ...] = ("ptime:20", "sendrecv")
    map_static: bool = True  # an rtpmap for static payload types too
    bandwidth: str = ""  # b=
    rtcp: bool = False  # a=rtcp: (RFC 3605)


# What a gateway of SIM cards says of a busy line, and who hands that on.
REMOTE_BUSY = {"480": "Remote Busy"}


class Style(_Strict, kw_only=True):
    """One product's way of writing SIP. Patterns are those of `simulator.patterns`."""

    name: str = ""  # its table's name
    roles: tuple[Role, ...]
    regimes: tuple[Literal["train", "eval"], ...] = ("train", "eval")
    agents: tuple[str, ...]  # User-Agent; "": none is sent
    tag: Pattern
    branch: Pattern  # what follows the magic cookie z9hG4bK
    call_id: Pattern
    cseq: Pattern = Pattern("1")  # of its first request
    order: tuple[str, ...] = ()
    colon: str = ": "
    compact: bool = False  # compact header names
    display_name: bool = False  # the user part as display name too
    max_forwards: int = 70
    rport: bool = True  # RFC 3581
    user_phone: bool = False  # ";user=phone" in From and To
    allow: str = ""
    supported: str = ""
    extras: dict[str, Pattern] = msgspec.field(default_factory=dict)  # further headers of its INVITE
    asserts_identity: bool = False  # P-Asserted-Identity (RFC 3325)
    reasons: dict[str, str] = msgspec.field(default_factory=dict)  # status code -> a reason phrase of its own
    contact: bool = True  # its requests beside REGISTER have a Contact
    offers: bool = True  # its INVITE has a session description; else there is none on either side
    retransmits: bool = True  # a request without a reply is sent again (RFC 3261 17.1.1.2)
    reliable: float = 0.0  # share of its calls with PRACK (RFC 3262)
    session_timer_s: int = 0  # Session-Expires (RFC 4028); 0: none
    early_media: float = 0.2  # share of ringing told as 183 with SDP, when it is the server
    sdp: SdpShape = msgspec.field(default_factory=SdpShape)

    @cached_property
    def prefixes(self) -> tuple[tuple[str, str], ...]:
        """(header name, what its line begins with), in the order of this product."""
        names = [*self.order, *(name for name in DEFAULT_ORDER if name not in self.order)]
        if not any(name.startswith("Content-") for name in self.order):
            names = [
                *(name for name in names if not name.startswith("Content-")),
                "Content-Disposition",
                "Content-Type",
                "Content-Length",
            ]
        compact = COMPACT if self.compact else {}
        return tuple((name, compact.get(name, name) + self.colon) for name in names)


def _decode(kind: type, value: Any) -> Any:
    if kind is Pattern:
        return Pattern(value)
    raise NotImplementedError(kind)


def load_styles(path: Path = VENDORS_FILE) -> dict[str, Style]:
    """All styles by name; raises ScenarioError naming the file and the key."""
    try:
        styles = msgspec.toml.decode(path.read_bytes(), type=dict[str, Style], dec_hook=_decode)
    except msgspec.DecodeError as error:
        raise ScenarioError(f"{path}: {error}") from error
    for name, style in styles.items():
        style.name = name
    return styles


STYLES = load_styles()


def pool(role: Role, regime: Regime) -> list[Style]:
    """The styles of a role that the regime may use, in a fixed order; `any` may use all."""
    return [style for style in STYLES.values() if role in style.roles and (regime == "any" or regime in style.regimes)]


def some(role: Role, regime: Regime, rng: Random, names: tuple[str, ...] = ()) -> Style:
    """One of the named styles, or of the role's pool."""
    if SCRIPTED in names:
        return scripted(rng, regime)
    styles = [STYLES[name] for name in names] if names else pool(role, regime)
    return styles[int(rng.random() * len(styles))]


def scripted(rng: Random, regime: Regime) -> Style:
    """A style that no product has, drawn at random: of a script, of test gear, or of a border element that takes away
    what it does not need. Training and evaluation have shapes of tokens, agents and descriptions of their own."""
    world = ("train", "eval") if regime == "any" else (regime,)
    tokens = [Pattern(text) for one in world for text in _SCRIPT_TOKENS[one]]
    middle = ["From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "User-Agent"]
    rng.shuffle(middle)
    host = rng.choice(("", "@{host}"))
    return Style(
        name=SCRIPTED,
        roles=(),
        agents=(rng.choice([agent for one in world for agent in _SCRIPT_AGENTS[one]]),),
        tag=rng.choice(tokens),
        branch=rng.choice(tokens),
        call_id=Pattern(rng.choice(tokens).text + host),
        cseq=Pattern(rng.choice(("1", "1", "{dec:1-20000}"))),
        order=("Via", *middle),
        compact=rng.random() < 0.1,
        display_name=rng.random() < 0.3,
        rport=rng.random() < 0.5,
        user_phone=rng.random() < 0.1,
        allow=rng.choice(("", "", "INVITE, ACK, BYE, CANCEL", "INVITE, ACK, CANCEL, OPTIONS, BYE")),
        contact=rng.random() < 0.6,
        offers=rng.random() < 0.5,
        retransmits=rng.random() < 0.5,
        early_media=0.0,
        sdp=SdpShape(
            user=rng.choice(("-", "user1", "root", "test")),
            session=rng.choice(("-", "session", "call")),
            codecs=rng.choice(((0,), (8,), (8, 101), (0, 8, 101))),
            attributes=rng.choice(((), ("sendrecv",))),
            map_static=rng.random() < 0.5,
        ),
    )
