"""What a person at a terminal sees of a run: findings, worst first, and a summary.

Everything that came off the wire is hostile to a terminal: control characters (escape sequences among them)
and invisible ones (bidirectional overrides) are shown as U+FFFD, and nothing is read as markup.
"""

import heapq
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from appliance import report
from appliance.printable import printable
from appliance.report import SourceLine, SummaryLine

# Findings shown: the worst of them, whatever the capture holds. --json reports all.
SHOWN_FINDINGS = 25
SHOWN_REASONS = 2
CALL_LINE = b'{"type":"call",'
STYLES = {"flag": "bold red", "watch": "yellow"}


class Findings:
    """Takes the lines of a run and keeps what is shown: the worst findings, and how many there were."""

    def __init__(self) -> None:
        self.count = 0
        self._worst: list[tuple[tuple[bool, float, int], SourceLine]] = []

    def take(self, block: bytes) -> None:
        """`block` holds whole JSON lines."""
        for line in block.splitlines():
            if line.startswith(CALL_LINE):
                continue  # what its caller and source have done is a finding of its own
            found = report.decode(line)
            if isinstance(found, SourceLine):
                self._keep(found)

    def _keep(self, finding: SourceLine) -> None:
        # the count makes every rank its own; of two alike the earlier is kept
        rank = (finding.verdict == "flag", finding.score, -self.count)
        self.count += 1
        if len(self._worst) < SHOWN_FINDINGS:
            heapq.heappush(self._worst, (rank, finding))
        else:
            heapq.heappushpop(self._worst, (rank, finding))

    def worst(self) -> list[SourceLine]:
        """The findings that are shown, the worst first."""
        return [finding for _, finding in sorted(self._worst, key=lambda entry: entry[0], reverse=True)]


def show(findings: Findings, summary: SummaryLine, stream: TextIO) -> None:
    """Writes the table of findings and the summary."""
    console = Console(file=stream, highlight=False, emoji=False, markup=False)
    if findings.count:
        console.print(_findings_table(findings.worst()))
    else:
        console.print("No findings.")
    if findings.count > SHOWN_FINDINGS:
        console.print(f"and {findings.count - SHOWN_FINDINGS:,} more: --json reports all of them")
    console.print()
    console.print(_summary_table(summary))


def show_summary(summary: SummaryLine, stream: TextIO) -> None:
    """Writes the summary alone."""
    Console(file=stream, highlight=False, emoji=False, markup=False).print(_summary_table(summary))


def _findings_table(findings: list[SourceLine]) -> Table:
    """A finding is a verdict, a score and a few lines of what, who and why: it is read at 80 columns, too."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        style = STYLES[finding.verdict]
        head = f"{', '.join(finding.fraud_types)}  {finding.flagged_at[:19].replace('T', ' ')} UTC"
        text = Text("\n".join([head, _who(finding), *_why(finding)]))
        text.stylize(style, 0, len(head))
        table.add_row(Text(finding.verdict, style), Text(f"{finding.score:.2f}", style), text)
    return table


def _who(finding: SourceLine) -> str:
    parties = {"caller": finding.caller, "callee": finding.callee, "source": finding.source}
    named = [f"{name} {printable(value)}" for name, value in parties.items() if value]
    return ", ".join([*named, f"{finding.requests:,} request{'s' if finding.requests != 1 else ''}"])


def _why(finding: SourceLine) -> list[str]:
    return [f"- {printable(reason.text)}" for reason in finding.reasons[:SHOWN_REASONS]]


def _summary_table(summary: SummaryLine) -> Table:
    rate = f", {summary.packets / summary.elapsed_s:,.0f} a second" if summary.elapsed_s > 0 else ""
    rows = {
        **({"files": f"{summary.files:,}"} if summary.files else {}),  # the live box has none
        "packets": f"{summary.packets:,} ({summary.bytes:,} bytes{rate})",
        "SIP": f"{summary.sip_messages:,} messages: {summary.sip_requests:,} requests, "
        f"{summary.sip_responses:,} responses; {summary.malformed:,} malformed",
        "calls": f"{summary.calls:,}: {summary.flagged:,} flagged, {summary.watched:,} watched",
        "RTP": f"{summary.rtp_packets:,} packets in {summary.rtp_streams:,} streams",
        "evicted": f"{summary.evicted:,}",
        "time": f"{summary.elapsed_s:.2f} s for {summary.capture_span_s:,.1f} s of capture",
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in rows.items():
        table.add_row(name, Text(text))
    return table


def progress_bar(stream: TextIO) -> Progress:
    """A bar over bytes of capture files, gone when it is done."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(file=stream, emoji=False, markup=False),
        transient=True,
    )
