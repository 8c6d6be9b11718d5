"""What `sipwarden top` shows: one screen of any size, made of what the service said last. No terminal is touched here.

The upper part is of fixed height and answers whether the box does its work; below it findings and calls share what is
left, and go when there is none. Lines are cut at the width. Text off the wire is shown in ASCII: what a terminal makes
of the rest is not known to a program that counts columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from appliance.output import Row
from appliance.status_text import span

KEYS = "q quit  p pause  s sort  f findings  c calls  ? keys"
HELP = (
    "q  quit",
    "p  pause, and go on",
    "s  sort the calls: newest, gravest, longest, by source",
    "f  findings over the whole screen, and back",
    "c  calls over the whole screen, and back",
    "?  these keys, and back",
)
SORTS = ("newest", "gravest", "longest", "source")
LEAST_ROWS = 3  # of a table: its heading and two lines

Line = tuple[str, str]  # text, and one of "", "bold", "flag", "watch", "dim", "reverse"


@dataclass
class View:
    """What is shown, and how the operator wants it."""

    status: Row | None = None
    findings: Sequence[Row] = ()
    calls: Sequence[Row] = ()
    source_rates: dict[str, float] = field(default_factory=dict)  # packets a second by the name of a source
    problem: str | None = None  # why there is nothing new
    paused: bool = False
    sort: str = SORTS[0]
    focus: str = ""  # "findings", "calls" or "help": over the whole screen


def screen(view: View, width: int, height: int) -> list[Line]:
    """At most `height` lines of at most `width` columns."""
    lines = [*_head(view), *_body(view, height - len(_head(view)) - 1)]
    lines = lines[: max(height - 1, 0)]
    lines += [("", "")] * (height - 1 - len(lines))
    lines.append((_foot(view), "reverse"))
    return [(plain(text)[:width], style) for text, style in lines[:height]]


def plain(text: str) -> str:
    """One column a character."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)


def _foot(view: View) -> str:
    return f"{KEYS}  [sort: {view.sort}]"


def _head(view: View) -> list[Line]:
    lines = [(view.problem, "flag")] if view.problem else []
    status = view.status
    if status is None:
        return [*lines, ("waiting for the service ...", "dim")]
    capture, rates, queue = status["capture"], status["rates"], status["queue"]
    paused = "  PAUSED" if view.paused else ""
    lost = capture["dropped"] / max(capture["packets"] + capture["dropped"], 1)
    p99_ms = status["latency"]["p99_ms"]
    p99 = "-" if p99_ms is None else f"{p99_ms:g} ms"
    store = status["store"]
    return [
        *lines,
        (f"sipwarden {status['version']}  {status['mode']}  up {span(status['uptime_s'])}{paused}", "bold"),
        *((f"! {problem}", "flag") for problem in status["problems"]),
        (
            f"packets {rates['packets']:>9,.0f}/s   dropped {capture['dropped']:,} ({lost:.2%})   "
            f"SIP {status['traffic']['sip_messages']:,}   RTP {status['traffic']['rtp_packets']:,}",
            "flag" if capture["dropped"] else "",
        ),
        (
            f"calls   {rates['calls']:>9,.1f}/s   open {status['open_calls']:,}   flagged {status['flagged']:,}   "
            f"watched {status['watched']:,}   of {status['calls']:,}",
            "",
        ),
        (
            f"verdict p99 {p99}   queue {queue['depth']:,} ({queue['dropped']:,} lost)   "
            f"store {store['state']}   evicted {status['evicted']:,}",
            "flag" if queue["dropped"] or store["state"] != "ok" else "",
        ),
        *(_source(source, view.source_rates.get(source["name"])) for source in capture["sources"]),
    ]


def _source(source: Row, packets_per_s: float | None) -> Line:
    rate = "-" if packets_per_s is None else f"{packets_per_s:,.0f}"
    text = f"  {source['name']:<14} {source['state']:<5} {rate:>9}/s   dropped {source['dropped']:,}"
    if source["duplicates"]:
        text += f"   duplicates {source['duplicates']:,}"
    if source["problem"]:
        text += f"   {source['problem']}"
    return text, "flag" if source["state"] == "down" else "watch" if source["dropped"] else ""


def _body(view: View, room: int) -> list[Line]:
    """The tables in `room` lines."""
    if view.focus == "help":
        return [("", ""), *((text, "") for text in HELP)][:room]
    findings, calls = _findings(view.findings), _calls(sorted_calls(view.calls, view.sort))
    if view.focus == "findings":
        return findings[:room]
    if view.focus == "calls":
        return calls[:room]
    # Calls always have something to show: findings get what they need of half the room.
    share = min(len(findings), room // 2)
    if share < LEAST_ROWS:
        return findings[:room]
    return findings[:share] + calls[: room - share]


def _findings(rows: Sequence[Row]) -> list[Line]:
    lines: list[Line] = [(f"{'FINDING':>8} {'VERDICT':<7} {'SCORE':>5} {'TIME':<8} {'FRAUD':<18} WHO", "bold")]
    for row in rows:
        who = row["caller"] or row["callee"] or ""
        text = (
            f"{row['id']:>8} {row['verdict']:<7} {row['score']:>5.2f} {row['time'][11:19]} "
            f"{','.join(row['fraud_types'])[:18]:<18} {' '.join(filter(None, (who, row['source'])))}"
        )
        lines.append((text, row["verdict"] if row["verdict"] in ("flag", "watch") else ""))
    return lines if rows else [*lines, ("         none", "dim")]


def _calls(rows: Sequence[Row]) -> list[Line]:
    lines: list[Line] = [
        (f"{'CALL':<10} {'VERDICT':<7} {'SCORE':>5} {'SINCE':<8} {'CALLER':<16} {'CALLEE':<16} SOURCE", "bold")
    ]
    for row in rows:
        text = (
            f"{row['state']:<10} {row['verdict']:<7} {row['score']:>5.2f} {row['start'][11:19]} "
            f"{row['caller'][:16]:<16} {row['callee'][:16]:<16} {row['source']}"
        )
        lines.append((text, row["verdict"] if row["verdict"] in ("flag", "watch") else ""))
    return lines if rows else [*lines, ("none", "dim")]


def sorted_calls(calls: Sequence[Row], sort: str) -> list[Row]:
    """In the order of one of SORTS; they come newest first."""
    if sort == "gravest":
        return sorted(calls, key=lambda call: -call["score"])
    if sort == "longest":
        return list(reversed(calls))
    if sort == "source":
        return sorted(calls, key=lambda call: call["source"])
    return list(calls)
