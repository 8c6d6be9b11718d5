"""How products speak SIP: header order, the shapes of tags, branches and Call-IDs, agents, Allow lists, SDP.

A style is written from what such a product is known to send; it stands for a family, not for one firmware. `regimes`
keeps training and evaluation apart: a style of one regime only is never seen in the other.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Literal

Regime = Literal["train", "eval", "any"]
Role = Literal["phone", "pbx", "gateway", "carrier", "dialler", "scanner"]
Token = Callable[[Random], str]

_LOWER = "0123456789abcdefghijklmnopqrstuvwxyz"
_ALPHANUMERIC = _LOWER + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def hexadecimal(digits: int, prefix: str = "", upper: bool = False) -> Token:
    pattern = f"{prefix}%0{digits}{'X' if upper else 'x'}"
    return lambda rng: pattern % rng.getrandbits(4 * digits)


def decimal(low: int, high: int, prefix: str = "") -> Token:
    return lambda rng: prefix + str(int(low + rng.random() * (high - low)))


def letters(count: int, alphabet: str = _ALPHANUMERIC, prefix: str = "") -> Token:
    return lambda rng: prefix + "".join(rng.choices(alphabet, k=count))


def uuid(prefix: str = "", upper: bool = False) -> Token:
    def draw(rng: Random) -> str:
        text = f"{rng.getrandbits(128):032x}"
        text = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
        return prefix + (text.upper() if upper else text)

    return draw


def joined(*parts: Token, by: str = "-") -> Token:
    return lambda rng: by.join(part(rng) for part in parts)


# Header orders. What a message does not have is left out when it is rendered.
_ORDER_RFC = ("Via", "Max-Forwards", "Record-Route", "From", "To", "Call-ID", "CSeq", "Contact", "Authorization",
              "Proxy-Authorization", "Expires", "User-Agent", "Allow", "Supported", "Require", "RAck", "RSeq", "Session-Expires",
              "WWW-Authenticate", "Proxy-Authenticate", "Reason", "P-Asserted-Identity", "Content-Type", "Content-Length")
_ORDER_ASTERISK = ("Via", "Max-Forwards", "From", "To", "Contact", "Call-ID", "CSeq", "RAck", "RSeq", "User-Agent",
                   "Proxy-Authorization", "Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Expires", "Date", "Allow",
                   "Supported", "Require", "Session-Expires", "P-Asserted-Identity", "Reason", "Content-Type", "Content-Length")
_ORDER_PJSIP = ("Via", "Max-Forwards", "From", "To", "Contact", "Call-ID", "CSeq", "RAck", "RSeq", "Allow", "Supported", "Require",
                "Session-Expires", "Min-SE", "P-Asserted-Identity", "User-Agent", "Expires", "Authorization",
                "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Reason", "Content-Type", "Content-Length")
_ORDER_CISCO = ("Via", "P-Asserted-Identity", "From", "To", "Date", "Call-ID", "Supported", "Min-SE", "Cisco-Guid", "User-Agent", "Allow",
                "CSeq", "RAck", "RSeq", "Max-Forwards", "Contact", "Expires", "Authorization",
                "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Reason", "Require", "Session-Expires",
                "Content-Type", "Content-Length")
_ORDER_YEALINK = ("Via", "From", "To", "Call-ID", "CSeq", "RAck", "RSeq", "Contact", "Authorization", "Proxy-Authorization", "Content-Type",
                  "Allow", "Max-Forwards", "User-Agent", "Expires", "Supported", "Require", "Session-Expires", "Allow-Events",
                  "WWW-Authenticate", "Proxy-Authenticate", "Reason", "P-Asserted-Identity", "Content-Length")
_ORDER_FREESWITCH = ("Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "User-Agent", "Allow", "Supported", "Require", "RAck",
                     "RSeq", "Allow-Events", "Session-Expires", "Expires", "Authorization", "Proxy-Authorization",
                     "WWW-Authenticate", "Proxy-Authenticate", "Reason", "Content-Type", "Content-Disposition",
                     "Content-Length", "Remote-Party-ID", "P-Asserted-Identity")
_ORDER_POLYCOM = ("Via", "From", "To", "CSeq", "Call-ID", "Contact", "Allow", "User-Agent", "Accept-Language", "Supported", "Require",
                  "Session-Expires", "RAck", "RSeq", "Allow-Events", "Authorization", "Proxy-Authorization",
                  "WWW-Authenticate", "Proxy-Authenticate", "Reason", "Max-Forwards", "Expires", "P-Asserted-Identity",
                  "Content-Type", "Content-Length")
_ORDER_HUAWEI = ("Via", "Record-Route", "Call-ID", "From", "To", "CSeq", "RAck", "RSeq", "Allow", "Contact", "Max-Forwards", "Supported",
                 "Require", "Session-Expires", "Min-SE", "P-Asserted-Identity", "User-Agent", "P-Early-Media", "Expires",
                 "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Reason", "Content-Length",
                 "Content-Type")
_ORDER_SONUS = ("Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Allow", "Accept", "Contact", "P-Asserted-Identity", "Supported",
                "Require", "Session-Expires", "RAck", "RSeq", "Expires", "Authorization", "Proxy-Authorization",
                "WWW-Authenticate", "Proxy-Authenticate", "User-Agent", "Reason", "Content-Length", "Content-Disposition",
                "Content-Type")
_ORDER_SCANNER = ("Via", "Content-Length", "From", "Accept", "User-Agent", "To", "Contact", "CSeq", "RAck", "RSeq", "Call-ID",
                  "Max-Forwards", "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Expires",
                  "Allow", "Supported", "Require", "Session-Expires", "Reason", "P-Asserted-Identity", "Content-Type")
_ORDER_GOIP = ("Via", "From", "To", "Call-ID", "CSeq", "RAck", "RSeq", "Contact", "Max-Forwards", "Expires", "Authorization",
               "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "User-Agent", "Allow", "Supported", "Require",
               "Session-Expires", "Reason", "P-Asserted-Identity", "Content-Type", "Content-Length")

_ALLOW_FULL = "INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, PUBLISH, MESSAGE"

CODECS = {  # payload type -> rtpmap (RFC 3551)
    0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 18: "G729/8000", 3: "GSM/8000", 4: "G723/8000",
    101: "telephone-event/8000", 96: "telephone-event/8000", 100: "telephone-event/8000", 102: "iLBC/8000",
    107: "opus/48000/2", 111: "opus/48000/2", 97: "AMR/8000", 104: "AMR-WB/16000",
}


@dataclass(frozen=True, slots=True)
class SdpShape:
    """The session description a product writes (RFC 4566): who is in o=, what s= says, which codecs and attributes."""

    user: str = "-"
    session: str = "-"
    codecs: tuple[int, ...] = (8, 0, 101)
    events_fmtp: str = "0-15"
    session_id: Token = decimal(10**9, 4 * 10**9)
    version_is_id: bool = True          # else it starts at 1
    attributes: tuple[str, ...] = ("ptime:20", "sendrecv")
    map_static: bool = True             # an rtpmap for static payload types too
    bandwidth: str = ""                 # b= line
    rtcp: bool = False                  # a=rtcp: line (RFC 3605)


@dataclass(frozen=True)
class Style:
    """One product's way of writing SIP."""

    name: str
    roles: tuple[Role, ...]
    agents: tuple[str, ...]
    tag: Token
    branch: Token                       # what follows the magic cookie z9hG4bK
    call_id: Token
    call_id_host: bool = True           # "@" and the own address follow
    order: tuple[str, ...] = _ORDER_RFC
    allow: str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"
    supported: str = ""
    rport: bool = True
    compact: bool = False               # compact header names (RFC 3261 7.3.3)
    colon: str = ": "
    first_cseq: Token = decimal(1, 2)
    max_forwards: int = 70
    uri_parameters: str = ""            # of the From URI, such as ";user=phone"
    contact_parameters: str = ""
    quotes_name: bool = True
    says_100: bool = True
    reliable_provisional: float = 0.0   # share of its calls with 100rel / PRACK (RFC 3262)
    session_timer_s: int = 0            # RFC 4028; 0: none
    early_media: float = 0.2            # share of ringing told as 183 with SDP
    asserts_identity: bool = False      # P-Asserted-Identity (RFC 3325)
    extras: tuple[tuple[str, str], ...] = ()    # further fixed headers of its INVITE
    sdp: SdpShape = field(default_factory=SdpShape)
    regimes: frozenset[Regime] = frozenset(("train", "eval"))

    @cached_property
    def prefixes(self) -> tuple[tuple[str, str], ...]:
        """(header name, what the line starts with), in this product's order; extras take their order's place."""
        compact = {"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Supported": "k",
                   "Content-Type": "c", "Content-Length": "l"} if self.compact else {}
        return tuple((name, compact.get(name, name) + self.colon) for name in self.order)


_TRAIN, _EVAL = frozenset(("train",)), frozenset(("eval",))

STYLES = {
    style.name: style
    for style in (
        # --- telephones
        Style("yealink", ("phone",), ("Yealink SIP-T46S 66.84.0.15", "Yealink SIP-T23G 44.84.0.20", "Yealink SIP-T21P_E2 52.84.0.15"),
              decimal(10**8, 4 * 10**9), decimal(10**8, 4 * 10**9), joined(decimal(0, 9), decimal(10**8, 4 * 10**9), by="_"),
              order=_ORDER_YEALINK, allow="INVITE, INFO, PRACK, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REGISTER, SUBSCRIBE, REFER, PUBLISH, UPDATE, MESSAGE",
              supported="replaces", rport=False, extras=(("Allow-Events", "talk,hold,conference,refer,check-sync"),),
              sdp=SdpShape(session="SDP data", session_id=decimal(20000, 21000), codecs=(9, 0, 8, 18, 101))),
        Style("grandstream", ("phone",), ("Grandstream GXP2160 1.0.11.39", "Grandstream GXP1625 1.0.4.140", "Grandstream HT802 1.0.29.8"),
              decimal(10**8, 2 * 10**9), decimal(10**8, 2 * 10**9), joined(decimal(10**8, 2 * 10**9), decimal(5060, 5062), letters(1, "1234"), by="-"),
              allow="INVITE, ACK, OPTIONS, CANCEL, BYE, SUBSCRIBE, NOTIFY, INFO, REFER, UPDATE", supported="replaces, path, timer, eventlist",
              first_cseq=decimal(10, 900), sdp=SdpShape(session="SIP Call", session_id=decimal(8000, 8010), version_is_id=True,
                                                      codecs=(0, 8, 4, 18, 9, 101), attributes=("sendrecv", "ptime:20"))),
        Style("polycom", ("phone",), ("PolycomVVX-VVX_411-UA/5.9.5.0614", "PolycomSoundPointIP-SPIP_331-UA/4.0.12.0926"),
              joined(hexadecimal(8, upper=True), hexadecimal(8, upper=True)), hexadecimal(16), joined(hexadecimal(8), hexadecimal(8), hexadecimal(8)),
              order=_ORDER_POLYCOM, rport=False, allow="INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, MESSAGE, SUBSCRIBE, NOTIFY, PRACK, UPDATE, REFER",
              supported="replaces,100rel", extras=(("Accept-Language", "en"), ("Allow-Events", "conference,talk,hold")),
              reliable_provisional=0.1, sdp=SdpShape(session="Polycom IP Phone", session_id=decimal(15 * 10**8, 17 * 10**8), codecs=(9, 0, 8, 18, 101),
                                                   attributes=("sendrecv",))),
        Style("fritzbox", ("phone",), ("FRITZ!OS", "AVM FRITZ!Box 7590 (UI) 154.07.57", "AVM FRITZ!Box 7490 (UI) 113.07.57"),
              hexadecimal(16, upper=True), hexadecimal(16, upper=True), hexadecimal(16, upper=True), max_forwards=70,
              allow="INVITE, ACK, OPTIONS, CANCEL, BYE, UPDATE, PRACK, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE, PUBLISH",
              supported="100rel, replaces, timer", first_cseq=decimal(3, 40), reliable_provisional=0.3, regimes=_TRAIN,
              sdp=SdpShape(user="user", session="call", session_id=decimal(10**6, 2 * 10**7), codecs=(9, 8, 0, 2 + 100, 101),
                           attributes=("sendrecv", "rtcp-mux"), rtcp=True)),
        Style("snom", ("phone",), ("snomD375/10.1.54.13", "snom320/8.7.3.25"), letters(10, _LOWER), joined(decimal(0, 9), letters(10, _LOWER), by=""),
              joined(hexadecimal(12), letters(12, _LOWER)), call_id_host=False, first_cseq=decimal(1, 3), order=_ORDER_RFC, colon=": ",
              allow="INVITE, ACK, CANCEL, BYE, REFER, OPTIONS, NOTIFY, SUBSCRIBE, PRACK, MESSAGE, INFO, UPDATE",
              supported="timer, 100rel, replaces, from-change", session_timer_s=3600, compact=False, regimes=_EVAL,
              sdp=SdpShape(user="root", session="call", session_id=decimal(10**8, 2 * 10**9), codecs=(9, 8, 0, 18, 101), attributes=("ptime:20", "sendrecv"))),
        Style("fanvil", ("phone",), ("Fanvil X4 2.12.1.7.8", "Fanvil X3S 2.10.2.6892"), decimal(10**8, 2 * 10**9), decimal(10**9, 2 * 10**9, "01234567"),
              joined(decimal(10**8, 2 * 10**9), decimal(1, 999)), order=_ORDER_GOIP, allow="INVITE, ACK, OPTIONS, BYE, CANCEL, REFER, NOTIFY, INFO, PRACK, UPDATE, MESSAGE",
              supported="100rel, replaces, timer, privacy, answermode, eventlist", regimes=_EVAL,
              sdp=SdpShape(session="Fanvil", session_id=decimal(10**5, 10**6), codecs=(0, 8, 18, 9, 101))),
        Style("gigaset", ("phone",), ("C610 IP/42.207.00.000.000", "N510 IP PRO/42.245"), decimal(10**8, 4 * 10**9), hexadecimal(32), decimal(10**8, 4 * 10**9),
              order=_ORDER_YEALINK, allow="INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, SUBSCRIBE, NOTIFY", supported="replaces",
              sdp=SdpShape(user="siph", session="-", session_id=decimal(1, 10**6), codecs=(9, 8, 0, 101)), regimes=_TRAIN),
        Style("linphone", ("phone",), ("Linphone Desktop/4.2.5 (Ubuntu) LinphoneCore/4.4.21", "LinphoneAndroid/4.5.1 LinphoneSDK/5.0.1"),
              letters(9, _ALPHANUMERIC + "~-"), letters(10, _ALPHANUMERIC + "~", prefix="."), letters(10, _ALPHANUMERIC + "~-"), call_id_host=False,
              first_cseq=decimal(20, 22), allow="INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, PRACK, UPDATE",
              supported="replaces, outbound, gruu, path", sdp=SdpShape(user="alice", session="Talk", session_id=decimal(100, 4000), version_is_id=True,
                                                                     codecs=(96 + 15, 0, 8, 101), attributes=("rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss",), map_static=False)),
        Style("zoiper", ("phone",), ("Zoiper rv2.10.8.2", "Z 5.5.9 v2.10.16.3"), hexadecimal(8), joined(lambda rng: "524287-1-", hexadecimal(16), by="-"),
              letters(22, _ALPHANUMERIC + "-"), call_id_host=False, order=_ORDER_PJSIP, allow="INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE",
              supported="replaces, norefersub, extended-refer, timer, outbound, path", sdp=SdpShape(user="Z", session="Z", session_id=decimal(0, 1),
                                                                                                version_is_id=False, codecs=(111, 0, 101, 8, 3)), regimes=_EVAL),
        Style("counterpath", ("phone", "dialler"), ("X-Lite release 4.9.8 stamp 84253", "eyeBeam release 1102u stamp 52345", "Bria 5 release 5.8.3 stamp 101014"),
              hexadecimal(8), joined(lambda rng: "-d8754z", hexadecimal(16), lambda rng: "1---d8754z-"), letters(24, _ALPHANUMERIC, ""), call_id_host=False,
              order=_ORDER_POLYCOM, allow="INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO", supported="replaces",
              first_cseq=decimal(1, 3), sdp=SdpShape(session="CounterPath X-Lite", session_id=decimal(1, 10), version_is_id=False, codecs=(107, 0, 8, 101),
                                                   attributes=("sendrecv",))),
        Style("pjsua", ("phone", "dialler"), ("MicroSIP/3.20.7", "PJSUA v2.10 Linux-5.4", "Telephone 1.5.1"), letters(32, "0123456789abcdef"), letters(34, _ALPHANUMERIC, "Pj"),
              letters(32, "0123456789abcdef"), call_id_host=False, order=_ORDER_PJSIP, first_cseq=decimal(1000, 32000), session_timer_s=1800,
              allow="PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE, OPTIONS", supported="replaces, 100rel, timer, norefersub",
              sdp=SdpShape(session="pjmedia", session_id=decimal(38 * 10**8, 39 * 10**8), codecs=(8, 0, 101), events_fmtp="0-16", bandwidth="AS:84", rtcp=True,
                           attributes=("sendrecv",))),
        # --- exchanges of firms
        Style("asterisk-sip", ("pbx", "dialler"), ("Asterisk PBX 11.25.1", "FPBX-14.0.13.28(13.29.2)", "Asterisk PBX 13.38.3"), hexadecimal(8, "as"), hexadecimal(8),
              hexadecimal(32), order=_ORDER_ASTERISK, allow=_ALLOW_FULL, supported="replaces, timer", first_cseq=decimal(102, 104),
              extras=(("Date", "Mon, 02 Mar 2026 08:00:00 GMT"),),
              sdp=SdpShape(user="root", session="Asterisk PBX 13.38.3", session_id=decimal(10**8, 2 * 10**9), codecs=(8, 0, 3, 101), events_fmtp="0-16")),
        Style("asterisk-pjsip", ("pbx", "dialler"), ("Asterisk PBX 18.10.0", "FPBX-16.0.40.7(18.20.2)", "Asterisk PBX 20.5.0"), uuid(), letters(0, "", "Pj") if False else uuid("Pj"),
              uuid(), call_id_host=False, order=_ORDER_PJSIP, first_cseq=decimal(1000, 32000), session_timer_s=1800,
              allow="OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, MESSAGE, REFER",
              supported="100rel, timer, replaces, norefersub, histinfo", extras=(("Min-SE", "90"),),
              sdp=SdpShape(session="Asterisk", session_id=decimal(10**8, 2 * 10**9), codecs=(8, 0, 101), events_fmtp="0-16", attributes=("ptime:20", "maxptime:150", "sendrecv"))),
        Style("freeswitch", ("pbx", "dialler", "carrier"), ("FreeSWITCH-mod_sofia/1.10.7-release~64bit", "FreeSWITCH-mod_sofia/1.6.20~64bit"), letters(13), letters(13), uuid(),
              call_id_host=False, order=_ORDER_FREESWITCH, first_cseq=decimal(10**6, 10**8), session_timer_s=1800,
              allow="INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY", supported="timer, path, replaces",
              extras=(("Allow-Events", "talk, hold, conference, refer"), ("Content-Disposition", "session")), early_media=0.5,
              sdp=SdpShape(user="FreeSWITCH", session="FreeSWITCH", session_id=decimal(16 * 10**8, 17 * 10**8), codecs=(0, 8, 101), events_fmtp="0-16",
                           attributes=("ptime:20",), map_static=True)),
        Style("3cx", ("pbx",), ("3CX 18.0.9.20 (9020)", "3CXPhoneSystem 16.0.8.9 (9)"), hexadecimal(8), joined(lambda rng: "-524287-1-", hexadecimal(16), by="--"),
              letters(22, _ALPHANUMERIC, ""), order=_ORDER_POLYCOM, allow="INVITE, ACK, CANCEL, OPTIONS, BYE, REGISTER, SUBSCRIBE, NOTIFY, REFER, INFO, MESSAGE, UPDATE",
              supported="replaces, timer", sdp=SdpShape(user="3cxPS", session="3cxPS Audio call", session_id=decimal(10**9, 4 * 10**11), version_is_id=False, codecs=(8, 0, 18, 101)),
              regimes=_EVAL),
        Style("cucm", ("pbx", "carrier"), ("Cisco-CUCM12.5", "Cisco-CUCM11.5"), joined(decimal(10**4, 10**5), uuid(), by="~"), hexadecimal(12), hexadecimal(32),
              order=_ORDER_CISCO, allow="INVITE, OPTIONS, INFO, BYE, CANCEL, ACK, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY", supported="timer,resource-priority,replaces",
              first_cseq=decimal(101, 102), session_timer_s=1800, rport=False, extras=(("Min-SE", "1800"),), asserts_identity=True,
              sdp=SdpShape(user="CiscoSystemsCCM-SIP", session="SIP Call", session_id=decimal(1000, 9 * 10**6), version_is_id=False, codecs=(8, 0, 18, 101), bandwidth="TIAS:64000",
                           attributes=("ptime:20",))),
        Style("avaya", ("pbx",), ("Avaya CM/R017x.01.0.532.0 AVAYA-SM-7.1.3.0", "Avaya CM/R018x.01.0.890.0"), hexadecimal(26), joined(hexadecimal(26), decimal(0, 99999), by="_"), hexadecimal(28),
              call_id_host=False, order=_ORDER_HUAWEI, allow="INVITE, ACK, OPTIONS, BYE, CANCEL, SUBSCRIBE, NOTIFY, REFER, INFO, PRACK, PUBLISH, UPDATE", supported="100rel,join,replaces,sdp-anat,timer",
              session_timer_s=1200, reliable_provisional=0.5, asserts_identity=True, rport=False, regimes=_EVAL,
              sdp=SdpShape(session="-", session_id=decimal(10**9, 2 * 10**9), version_is_id=False, codecs=(8, 18, 0, 101), bandwidth="AS:64")),
        Style("panasonic", ("pbx",), ("Panasonic-MPR08-NS500/VSIPGW-V7.0001", "KX-TDE100/6.0"), hexadecimal(32), hexadecimal(40), hexadecimal(32), order=_ORDER_SONUS, rport=False,
              allow="ACK,BYE,CANCEL,INFO,INVITE,OPTIONS,PRACK,UPDATE", supported="100rel,timer", regimes=_TRAIN,
              sdp=SdpShape(user="-", session="-", session_id=decimal(1, 10**5), codecs=(8, 0, 18, 96))),
        # --- gateways and carriers
        Style("cisco-ios", ("gateway", "carrier"), ("Cisco-SIPGateway/IOS-15.4.3.M3", "Cisco-SIPGateway/IOS-16.12.4"), joined(hexadecimal(8, upper=True), hexadecimal(3, upper=True)),
              hexadecimal(8, upper=True), joined(hexadecimal(8, upper=True), hexadecimal(8, upper=True), hexadecimal(8, upper=True), hexadecimal(8, upper=True)),
              order=_ORDER_CISCO, allow="INVITE, OPTIONS, BYE, CANCEL, ACK, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY, INFO, REGISTER", supported="100rel,timer,resource-priority,replaces,sdp-anat",
              first_cseq=decimal(101, 102), rport=False, reliable_provisional=0.2, max_forwards=69,
              extras=(("Cisco-Guid", "0730127622-3117232104-2152185342-1270015123"), ("Min-SE", "1800")),
              sdp=SdpShape(user="CiscoSystemsSIP-GW-UserAgent", session="SIP Call", session_id=decimal(1000, 9999), version_is_id=True, codecs=(18, 8, 0, 101), attributes=("ptime:20",))),
        Style("audiocodes", ("gateway", "carrier"), ("Mediant 1000B/v.7.20A.256.024", "Audiocodes-Sip-Gateway-MP-118 FXS/v.6.60A.342.003"), decimal(10**8, 2 * 10**9, "1c"), decimal(10**8, 2 * 10**9, "ac"),
              decimal(10**23, 10**24), order=_ORDER_RFC, allow="REGISTER,OPTIONS,INVITE,ACK,CANCEL,BYE,NOTIFY,PRACK,REFER,INFO,SUBSCRIBE,UPDATE", supported="em,100rel,timer,replaces,path,resource-priority,sdp-anat",
              rport=False, uri_parameters=";user=phone", reliable_provisional=0.1, asserts_identity=True,
              sdp=SdpShape(user="AudiocodesGW", session="Phone-Call", session_id=decimal(10**8, 2 * 10**9), codecs=(8, 0, 18, 96), attributes=("ptime:20", "sendrecv"))),
        Style("patton", ("gateway", "pbx"), ("Patton SN4141 2JS4V EUI 00A0BA0AAAAA R6.T 2013-03-21 SIP M5T SIP Stack/4.1.16.16", "Mediatrix C710/v2.0.36.644"), hexadecimal(16), hexadecimal(24), hexadecimal(24),
              order=_ORDER_SONUS, allow="INVITE, ACK, BYE, CANCEL, REFER, NOTIFY, OPTIONS, INFO, PRACK, UPDATE", supported="replaces", regimes=_TRAIN, call_id_host=False,
              sdp=SdpShape(user="MxSIP", session="SIP Call", session_id=decimal(10**17, 10**18), version_is_id=False, codecs=(8, 0, 18, 96))),
        Style("dinstar", ("gateway",), ("DAG2000-16S", "UC2000-VE-8G"), decimal(10**8, 2 * 10**9), decimal(10**8, 2 * 10**9), joined(decimal(10**8, 2 * 10**9), decimal(1, 99)), order=_ORDER_GOIP,
              allow="INVITE,ACK,BYE,CANCEL,OPTIONS,INFO,REFER,SUBSCRIBE,NOTIFY,PRACK", supported="100rel,replaces,timer", regimes=_EVAL,
              sdp=SdpShape(user="DAG", session="session", session_id=decimal(10**4, 10**6), codecs=(18, 0, 8, 101))),
        Style("sonus", ("carrier",), ("",), hexadecimal(8, "gK0"), hexadecimal(16), decimal(10**8, 10**9), order=_ORDER_SONUS, rport=False, uri_parameters="",
              allow="INVITE,ACK,CANCEL,BYE,REGISTER,REFER,INFO,SUBSCRIBE,NOTIFY,PRACK,UPDATE,OPTIONS,MESSAGE,PUBLISH", supported="timer,100rel,precondition,replaces",
              first_cseq=decimal(1000, 900000), session_timer_s=1800, asserts_identity=True, early_media=0.6,
              extras=(("Accept", "application/sdp, application/isup, application/dtmf, application/dtmf-relay, multipart/mixed"), ("Content-Disposition", "session; handling=required")),
              sdp=SdpShape(user="Sonus_UAC", session="SIP Media Capabilities", session_id=decimal(1000, 10**6), version_is_id=False, codecs=(8, 0, 18, 101), attributes=("sendrecv", "ptime:20"))),
        Style("huawei", ("carrier",), ("Huawei SoftX3000", "HUAWEI-SE2900"), letters(8, _LOWER), letters(24, _LOWER), letters(24, _LOWER, "isbc"), order=_ORDER_HUAWEI, rport=False,
              allow="INVITE,ACK,OPTIONS,BYE,CANCEL,REGISTER,INFO,PRACK,SUBSCRIBE,NOTIFY,UPDATE,MESSAGE,REFER", supported="100rel,timer", uri_parameters=";user=phone", session_timer_s=1800,
              asserts_identity=True, early_media=0.7, reliable_provisional=0.3, extras=(("P-Early-Media", "supported"), ("Min-SE", "90")),
              sdp=SdpShape(user="HuaweiSoftX3000", session="Sip Call", session_id=decimal(10**6, 10**8), codecs=(8, 18, 0, 101))),
        Style("zte", ("carrier",), ("ZTE-ZXSS10", "ZTE-SS1b"), decimal(10**9, 2 * 10**9), letters(20, "0123456789ABCDEF"), letters(28, "0123456789ABCDEF"), order=_ORDER_HUAWEI, rport=False, regimes=_TRAIN,
              allow="INVITE,ACK,OPTIONS,BYE,CANCEL,INFO,PRACK,UPDATE,NOTIFY", supported="100rel", early_media=0.6, uri_parameters=";user=phone",
              sdp=SdpShape(user="ZTE", session="phone-call", session_id=decimal(10**6, 10**8), codecs=(8, 0, 18, 96))),
        Style("oracle-sbc", ("carrier",), ("",), letters(20, "0123456789abcdef", "SD"), letters(22, _LOWER), letters(30, _LOWER + "-", "SD"), order=_ORDER_SONUS, rport=False, call_id_host=False, regimes=_EVAL,
              allow="ACK,BYE,CANCEL,INFO,INVITE,OPTIONS,PRACK,REFER,NOTIFY,UPDATE", supported="100rel,timer", session_timer_s=1800, asserts_identity=True, early_media=0.5,
              sdp=SdpShape(user="-", session="-", session_id=decimal(10**6, 10**9), codecs=(8, 0, 101), map_static=False)),
        Style("vos", ("carrier", "dialler"), ("VOS3000 V2.1.8.00", "VOS3000 V2.1.6.00"), decimal(10**6, 10**8), hexadecimal(32), hexadecimal(32), order=_ORDER_GOIP, allow="INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE",
              supported="timer", sdp=SdpShape(user="VOS3000", session="Phone-Call", session_id=decimal(10**4, 10**8), codecs=(18, 4, 8, 0, 101))),
        # --- tools: honest for whoever tests his own exchange, and what scans come with
        Style("sipp", ("dialler", "scanner"), ("SIPp/3.6.1", "sipp"), joined(decimal(100, 65000), lambda rng: "SIPpTag00", decimal(1, 9999), by=""), joined(decimal(100, 65000), decimal(1, 9999), decimal(0, 9)),
              joined(decimal(1, 9999), decimal(100, 65000)), order=_ORDER_RFC, allow="INVITE, ACK, BYE, CANCEL", rport=False,
              sdp=SdpShape(user="user1", session="-", session_id=decimal(53655765, 53655766), codecs=(0, 101), attributes=())),
        Style("friendly-scanner", ("scanner",), ("friendly-scanner", "sipvicious", "VaxSIPUserAgent/3.1"), hexadecimal(40), decimal(10**8, 4 * 10**9, "-"), decimal(10**23, 10**24), call_id_host=False,
              order=_ORDER_SCANNER, allow="", rport=True, sdp=SdpShape(), extras=(("Accept", "application/sdp"),)),
        Style("sipcli", ("scanner", "dialler"), ("sipcli/v1.8", "pplsip"), hexadecimal(8), hexadecimal(16), hexadecimal(32), call_id_host=False, order=_ORDER_RFC, allow="ACK, BYE, CANCEL, INVITE, OPTIONS", regimes=_TRAIN,
              sdp=SdpShape(user="sipcli-Session", session="sipcli", session_id=decimal(10**9, 2 * 10**9), codecs=(18, 0, 8, 101))),
        Style("script-scanner", ("scanner",), ("Z 3.14.38765 rv2.8.3", "Cisco-SIPGateway/IOS-12.x", "PBX"), letters(12, _LOWER), letters(10, _LOWER), letters(16, _LOWER), order=_ORDER_GOIP, allow="", rport=True, regimes=_EVAL,
              sdp=SdpShape()),
    )
}


def pool(role: Role, regime: Regime) -> list[Style]:
    """The styles of a role that the regime may use, in a fixed order; `any` may use all."""
    return [style for style in STYLES.values() if role in style.roles and (regime == "any" or regime in style.regimes)]
