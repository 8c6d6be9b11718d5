"""What a token of the API may open. A route names one scope; a token has some of them."""

from typing import Literal

Scope = Literal[
    "findings:read",
    "labels:write",
    "fleet:read",
    "events:read",
    "audit:read",
    "numbers:reveal",
    "webhooks:read",
    "webhooks:write",
]

SCOPES: dict[Scope, str] = {
    "findings:read": "findings with their labels, calls, parties, trends",
    "labels:write": "label findings as fraud or honest",
    "fleet:read": "boxes, their certificates and health",
    "events:read": "events: refusals, enrolments",
    "audit:read": "the audit trail",
    "numbers:reveal": "the numbers behind pseudonyms",
    "webhooks:read": "webhooks and their deliveries",
    "webhooks:write": "make, change and end webhooks; try dead deliveries again",
}
