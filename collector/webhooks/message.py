"""What a webhook is told, and how it knows that it was us: Standard Webhooks (https://www.standardwebhooks.com)."""

import base64
import hashlib
import hmac
from datetime import datetime

import msgspec

from collector.api.schemas import Finding, moment
from collector.store import findings
from collector.store.webhooks import Message, Webhook
from models.verdict import FLAG, VERDICTS

EVENTS = {"watch": "finding.watched", "flag": "finding.flagged"}


class Payload(msgspec.Struct, frozen=True):
    """The body of a message: what happened (`type`), when that was stored, and the finding as the API has it."""

    type: str
    timestamp: datetime
    data: Finding


def messages(announced: list[tuple[int, int]], rows: list[findings.Finding], hooks: list[Webhook]) -> list[Message]:
    """What is to be told to whom. A finding whose verdict has risen further since has an announcement of its own for
    that, which takes the place of this one."""
    known = {row.id: row for row in rows}
    made = []
    for finding_id, verdict in announced:
        row = known.get(finding_id)
        if row is None or row.verdict != VERDICTS[verdict]:
            continue
        event = EVENTS[row.verdict]
        body = msgspec.json.encode(Payload(event, moment(row.updated_ns), Finding.of(row)))
        made += [Message(hook.id, finding_id, event, body) for hook in hooks if wants(hook, row)]
    return made


def wants(hook: Webhook, row: findings.Finding) -> bool:
    """Whether a webhook is told of a finding."""
    return (
        (row.verdict == VERDICTS[FLAG] or hook.verdict == row.verdict)
        and (not hook.fraud_types or not set(hook.fraud_types).isdisjoint(row.fraud_types))
        and hook.box in (None, row.box)
    )


def message_id(finding_id: int, event: str) -> str:
    """By which a receiver knows a message that it had before: the same in every attempt, also after a restore."""
    return f"msg_{finding_id}_{event.rpartition('.')[2]}"


def headers(secret: str, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The headers of a message. `secret` is base64, as behind `whsec_`."""
    signed = b".".join((message_id.encode(), str(timestamp_s).encode(), body))
    signature = hmac.digest(base64.b64decode(secret), signed, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
