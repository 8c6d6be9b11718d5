"""`sipwarden explain ID` of the running service: a call that is going on, or a stored finding."""

import msgspec

from appliance.admin.errors import ProtocolError
from appliance.explanation import heading_of, party_lines, verdict_of
from appliance.operate import Service
from appliance.output import Form, Row, show_object
from appliance.printable import printable
from appliance.report import CallLine, decode


def run(service: Service, form: Form, wanted: str, unmasked: bool) -> None:
    """Shows what the service says of a finding's id or a Call-ID. Raises AdminError."""
    with service.connect() as client:
        show_object(client.ask("explain", id=wanted, unmasked=unmasked), form, text_of)


def text_of(answer: Row) -> str:
    """Who, when, how it went, the verdict and its reasons. The messages themselves are not kept."""
    try:
        line = decode(msgspec.json.encode(answer["line"]))
    except msgspec.ValidationError as error:
        raise ProtocolError(f"this command does not understand the finding: {error}", "-o json shows it") from error
    head = [f"finding {answer['id']}" if answer["id"] else "no finding: a call that is going on"]
    head[0] += f", labelled {answer['label']}" if answer["label"] else ""
    body = [heading_of(line), "", *verdict_of(line)] if isinstance(line, CallLine) else party_lines(line)
    return "\n".join(printable(part) for part in [*head, *body])
