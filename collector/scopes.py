"""What a token of the API may open. A route names one scope; a token has some of them."""

from typing import Literal

Scope = Literal[
    "findings:read",
    "labels:write",
    "fleet:read",
    "fleet:write",
    "events:read",
    "audit:read",
    "accounts:read",
    "numbers:reveal",
    "webhooks:read",
    "webhooks:write",
]

SCOPES: dict[Scope, str] = {
    "findings:read": "findings with their labels, calls, parties, trends",
    "labels:write": "label findings as fraud or honest",
    "fleet:read": "boxes, their certificates and health",
    "fleet:write": "revoke boxes",
    "events:read": "events: refusals, enrolments",
    "audit:read": "the audit trail",
    "accounts:read": "the accounts of the console",
    "numbers:reveal": "the numbers behind pseudonyms",
    "webhooks:read": "webhooks and their deliveries",
    "webhooks:write": "make, change and end webhooks; try dead deliveries again or discard them",
}
