"""A verdict in words: what people read of one call or party, from a capture or from the running service.

Lines are the objects of appliance/report.py as JSON has them, since the service masks numbers in them.
"""

from typing import Any

Line = dict[str, Any]


def heading_of(call: Line) -> str:
    """Who called whom, when, and how it went."""
    caller, callee = (call[f"{party}_e164"] or call[party] or "(none)" for party in ("caller", "callee"))
    return f"{caller} calls {callee}, from {call['source']} at {call['start']}: {call['state']}"


def verdict_of(call: Line) -> list[str]:
    """The verdict of a call, its reasons, and how far what was seen can be trusted."""
    stage = f", first at {call['stage']} ({call['flagged_at']})" if call["stage"] else ""
    lines = [f"{call['verdict']}, score {call['score']:.3f} by {call['bundle']}{stage}", *_why(call)]
    quality = call["quality"]
    if quality["one_way"] or quality["truncated"] or quality["capture_loss"]:
        seen = ["only one direction was seen"] if quality["one_way"] else []
        seen += ["a message was cut short"] if quality["truncated"] else []
        seen += [f"{quality['capture_loss']:.0%} of its messages are missing"] if quality["capture_loss"] else []
        lines.append(f"capture: {'; '.join(seen)}")
    return lines


def about_party(finding: Line) -> list[str]:
    """The same of a finding about an address or a number."""
    parties = [f"{name} {finding[name]}" for name in ("caller", "callee", "source") if finding[name]]
    return [
        f"{', '.join(parties) or '(none)'}: {finding['requests']:,} requests from {finding['first']} to "
        f"{finding['last']}",
        "",
        f"{finding['verdict']}, score {finding['score']:.3f}, first at {finding['flagged_at']}",
        *_why(finding),
    ]


def _why(line: Line) -> list[str]:
    types = [f"fraud: {', '.join(line['fraud_types'])}"] if line["fraud_types"] else []
    return types + [f"  {reason['text']}" for reason in line["reasons"]]
