"""`sipwarden status` for people: one screen that says whether the box does its work."""

from appliance.client.output import NOTHING, Row, moment
from appliance.printable import printable


def status_text(status: Row) -> str:
    """The object of `status -o json`, worded. Fields of a later version are passed over."""
    capture, traffic, rates, queue = (status[name] for name in ("capture", "traffic", "rates", "queue"))
    lines = [
        f"sipwarden {status['version']}, mode {status['mode']}, up {span(status['uptime_s'])} "
        f"(since {moment(status['started'])} UTC)",
        *(f"PROBLEM  {problem}" for problem in status["problems"]),
        "",
        _line("capture", f"{capture['packets']:,} packets, {rates['packets']:,.0f}/s; {_dropped(capture)}; "
              f"{capture['duplicates']:,} duplicates left out"),
        *(_line("", _source(source)) for source in capture["sources"]),
        _line("SIP", f"{traffic['sip_messages']:,} messages: {traffic['sip_requests']:,} requests, "
              f"{traffic['sip_responses']:,} responses; {traffic['malformed']:,} malformed"),
        _line("RTP", f"{traffic['rtp_packets']:,} packets in {traffic['rtp_streams']:,} streams"),
        _line("calls", f"{status['calls']:,}, {rates['calls']:,.1f}/s; {status['open_calls']:,} open; "
              f"{status['flagged']:,} flagged, {status['watched']:,} watched"),
        _line("findings", f"{status['findings']:,} parties are suspected now"),
        _line("verdicts", _latency(status["latency"])),
        _line("tables", f"{status['evicted']:,} entries made room for newer ones"),
        _line("queue", f"{queue['depth']:,} wait, {queue['dropped']:,} dropped"),
        _line("store", _store(status["store"])),
        _line("spool", _spool(status["spool"])),
        *([_line("reports", _reports(status["reporting"]))] if "reporting" in status else []),
        _line("drift", "; ".join(f"{one['rows']} rows {one['state']}" for one in status["drift"]) or "unknown"),
        _line("bundles", ", ".join(f"{label} ({kind})" for kind, label in sorted(status["bundles"].items()))),
        _line("snapshot", _snapshot(status["snapshot"])),
    ]  # fmt: skip
    return "\n".join(printable(line) for line in lines)


def span(seconds: float) -> str:
    """`3d 04:11:09`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return (f"{days}d " if days else "") + f"{hour:02}:{minute:02}:{second:02}"


def _line(name: str, text: str) -> str:
    return f"{name:<9} {text}"


def _dropped(counts: Row) -> str:
    total = counts["packets"] + counts["dropped"]
    share = f" ({counts['dropped'] / total:.3%})" if counts["dropped"] else ""
    return f"{counts['dropped']:,} dropped{share}"


def _source(source: Row) -> str:
    state = source["state"] if not source["problem"] else f"{source['state']}: {source['problem']}"
    errors = f"; {source['errors']:,} unusable" if source["errors"] else ""
    return f"  {source['name']} {state}; {source['packets']:,} packets, {_dropped(source)}{errors}"


def _latency(latency: Row) -> str:
    if latency["p99_ms"] is None:
        return "none yet"
    return f"{latency['verdicts']:,}; half within {latency['p50_ms']:g} ms, 99 of 100 within {latency['p99_ms']:g} ms"


def _store(store: Row) -> str:
    problem = f": {store['problem']}" if store["problem"] else ""
    size = f"{store['findings']:,} findings in {store['bytes'] / (1 << 20):,.1f} MiB; {store['lost']:,} lost"
    return f"{store['state']}{problem}; {size}"


def _spool(spool: Row) -> str:
    problem = f": {spool['problem']}" if spool["problem"] else ""
    gone = f"{spool['dropped']:,} made room for others, {spool['lost']:,} lost"
    return f"{spool['state']}{problem}; {spool['depth']:,} wait for the collector, {gone}"


def _reports(reporting: Row) -> str:
    if reporting["state"] == "off":
        return "the box is not enrolled at a collector"
    offset = reporting["clock_offset_ms"]
    clock = "" if offset is None else f"; clock {offset:+,} ms beside the collector's"
    given_up = f", {reporting['given_up']:,} refused" if reporting["given_up"] else ""
    return f"{reporting['state']}; {reporting['acknowledged']:,} acknowledged{given_up}{clock}"


def _snapshot(snapshot: Row) -> str:
    taken = (
        f"{moment(snapshot['taken'])} UTC, {snapshot['bytes'] / (1 << 20):,.1f} MiB" if snapshot["taken"] else NOTHING
    )
    restored = "; restored at the start" if snapshot["restored"] else ""
    return taken + restored + (f"; PROBLEM {snapshot['problem']}" if snapshot["problem"] else "")
