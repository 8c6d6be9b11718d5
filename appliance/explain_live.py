"""`sipwarden explain ID` of the running service: a call that is going on, or a stored finding."""

from appliance.explanation import about_party, heading_of, verdict_of
from appliance.operate import Service
from appliance.output import Form, Row, flat, raw_value, show_object
from appliance.printable import printable


def run(service: Service, form: Form, wanted: str, unmasked: bool) -> None:
    """Shows what the service says of a finding's id or a Call-ID. Raises AdminError."""
    with service.connect() as client:
        show_object(client.ask("explain", id=wanted, unmasked=unmasked), form, text_of)


def text_of(answer: Row) -> str:
    """Who, when, how it went, the verdict and its reasons. The messages themselves are not kept."""
    line = answer["line"]
    head = f"finding {answer['id']}" if answer["id"] else "a call that is going on, and no finding"
    head += f", labelled {answer['label']}" if answer["label"] else ""
    try:
        body = [heading_of(line), "", *verdict_of(line)] if line["type"] == "call" else about_party(line)
    except KeyError:  # stored by another version: what it has, as it is
        body = [f"{name}: {raw_value(value)}" for name, value in flat(line)]
    return "\n".join(printable(part) for part in [head, *body])
