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
    styles = [STYLES[name] for name in names] if names else pool(role, regime)
    return styles[int(rng.random() * len(styles))]
