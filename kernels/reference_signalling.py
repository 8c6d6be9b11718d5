"""Signalling, identity and gateway traffic in plain Python: the twins that tests hold the kernels to.

Written for clarity from the texts that define the formats, with the standard library's readers. Nothing here is used
when screening.
"""

import base64
import binascii
import json
import re

GOIP_METHODS = [
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "NOTIFY", "REFER", "REGISTER", "MESSAGE", "INFO", "SUBSCRIBE",
]  # fmt: skip
PRODUCTS = ("Asterisk", "FPBX", "FreeSWITCH", "PJSUA", "MicroSIP", "Polycom", "Cisco-SIPGateway", "snom")
HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SIM_FIELDS = {"signal", "gsm_status", "imei", "imsi", "iccid"}
FEWEST_DIGITS = 7
MOST_VOTES, FEWEST_VOTES = 32, 4
DAY_S = 86400.0

# What the rows say of an address whose INVITEs were never read.
UNREAD_CALL = {
    "source_fingerprints_day": 0.0,
    "source_agent_change_ratio": 0.0,
    "gateway_signs": 0.0,
    "gateway_proofs": 0.0,
    "source_asserted_abroad_day": 0.0,
}
UNREAD_SOURCE = {
    "fingerprints_day": 0.0,
    "agent_change_ratio": 0.0,
    "source_decimal_ratio": 0.0,
    "source_goip_style_ratio": 0.0,
    "source_contradicted_ratio": 0.0,
    "source_asserted_differs_ratio": 0.0,
    "source_abroad_ratio": 0.05,
    "source_acrypt_headers": 0.0,
    "source_remote_busy": 0.0,
    "goip_keepalives": 0.0,
    "sim_bank_packets": 0.0,
}


def shape(text):
    """The name of an identifier's shape; at most 64 characters of it are telling."""
    if not text:
        return "none"
    head = text[:64]
    if re.fullmatch("[0-9]+", head):
        return "decimal" if str(int(text)) == text and int(text) < 2**32 else "digits"
    if HEX.fullmatch(head):
        return "hex"
    if UUID.fullmatch(text):
        return "uuid"
    return "word" if re.fullmatch("[0-9a-zA-Z]+", head) else "other"


def call_id_shapes(call_id):
    """(shape before the at sign, kind of host behind it)."""
    local, at, host = call_id.partition("@")
    if not at:
        return shape(local), "none"
    return shape(local), "ipv4" if re.fullmatch(r"[0-9.]*", host) and host.count(".") == 3 else "other"


def branch_shape(branch):
    if not branch:
        return "none"
    return shape(branch[7:]) if branch.startswith("z9hG4bK") else "other"


def allow_shape(value):
    if value is None:
        return "none"
    return "goip" if re.sub(r"\s", "", value).split(",") == GOIP_METHODS else "other"


def claim(agent, tag_shape, allow, session):
    """Whether an agent string names a product that does not write what the rest of the INVITE holds."""
    if agent is None or not agent.startswith(PRODUCTS):
        return "none"
    return "contradicted" if tag_shape == "decimal" or "goip" in (allow, session) else "fits"


def attestation(value):
    """The claim `attest` of a PASSporT (RFC 8225 and RFC 8588) in the value of an Identity header."""
    parts = value.partition(";")[0].split(".")
    if len(parts) < 3:
        return "unreadable"
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return "unreadable"
    found = payload.get("attest") if isinstance(payload, dict) else None
    return found if found in ("A", "B", "C") else "unreadable"


def is_same_number(a, b):
    if a == b:
        return True
    a, b = ("".join(re.findall("[0-9]", text.partition(";")[0])).lstrip("0")[:32] for text in (a, b))
    if min(len(a), len(b)) < FEWEST_DIGITS:
        return a == b != ""
    return a.endswith(b) or b.endswith(a)


def block(user, behind):
    """A number without its last digits; empty for what is no number."""
    digits = "".join(re.findall("[0-9]", user.partition(";")[0])).lstrip("0")[:32]
    return digits[:-behind] if len(digits) >= FEWEST_DIGITS else ""


def traffic(payload, source_port, destination_port):
    """What a datagram beside SIP is."""
    ports = (source_port, destination_port)
    if payload[:4] == bytes.fromhex("43215678") and len(payload) >= 6 and 56011 in ports:
        return "sim_bank"
    if not re.match(rb"req:[0-9]+;", payload):
        return "none"
    names = [field.split(b":")[0].decode("latin-1") for field in payload[:1024].split(b";")[:32] if b":" in field]
    sim_fields = sum(name in SIM_FIELDS for name in names)
    believed = "id" in names and "pass" in names and (44444 in ports or sim_fields >= 2)
    return "keepalive" if believed else "none"


def note_countries(source, now, countries):
    """A call of a source: `countries` of caller and callee, both known."""
    source.note(now, countries=1, abroad=countries[0] != countries[1])
    country, votes = getattr(source, "vote", (None, 0))
    if votes == 0:
        country = countries[0]
    source.vote = country, min(MOST_VOTES, votes + 1) if country == countries[0] else votes - 1


def call_row(source, now, countries):
    """The part of a call row that a source's memory gives, by feature name."""
    country, votes = source.vote
    domestic = countries[0] == countries[1]
    ratio = (source.sum("abroad", now, DAY_S) + 0.1) / (source.sum("countries", now, DAY_S) + 2)
    row = UNREAD_CALL | {"domestic_from_abroad": ratio if domestic else 0.0}
    if votes >= FEWEST_VOTES:
        row["caller_country_unusual"] = float(countries[0] != country)
    return row
