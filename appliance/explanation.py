"""A verdict in words: what people read of one call or party, from a capture or from the running service."""

from appliance.report import CallLine, SourceLine


def heading_of(call: CallLine) -> str:
    """Who called whom, when, and how it went."""
    return (
        f"{call.caller_e164 or call.caller or '(none)'} calls {call.callee_e164 or call.callee or '(none)'}, "
        f"from {call.source} at {call.start}: {call.state}"
    )


def verdict_of(call: CallLine) -> list[str]:
    """The verdict, its reasons, and how far what was seen can be trusted."""
    lines = [
        f"{call.verdict}, score {call.score:.3f} by {call.bundle}"
        + (f", first at {call.stage} ({call.flagged_at})" if call.stage else ""),
        *([f"fraud: {', '.join(call.fraud_types)}"] if call.fraud_types else []),
        *(f"  {reason.text}" for reason in call.reasons),
    ]
    quality = call.quality
    if quality.one_way or quality.truncated or quality.capture_loss:
        seen = ["only one direction was seen"] if quality.one_way else []
        seen += ["a message was cut short"] if quality.truncated else []
        seen += [f"{quality.capture_loss:.0%} of its messages are missing"] if quality.capture_loss else []
        lines.append(f"capture: {'; '.join(seen)}")
    return lines


def party_lines(finding: SourceLine) -> list[str]:
    """The same of a finding about an address or a number."""
    parties = [f"{name} {getattr(finding, name)}" for name in ("caller", "callee", "source") if getattr(finding, name)]
    return [
        f"{', '.join(parties) or '(none)'}: {finding.requests:,} requests from {finding.first} to {finding.last}",
        "",
        f"{finding.verdict}, score {finding.score:.3f}, first at {finding.flagged_at}",
        *([f"fraud: {', '.join(finding.fraud_types)}"] if finding.fraud_types else []),
        *(f"  {reason.text}" for reason in finding.reasons),
    ]
