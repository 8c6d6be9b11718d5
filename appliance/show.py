"""What `sipwarden run --show` writes to the terminal: findings as they come, and a summary at the end.

Numbers are masked: who looks over a shoulder, or at the journal of a unit with this flag, sees ranges only.
"""

import contextlib
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from appliance import report, terminal
from appliance.mask import mask, mask_text
from appliance.printable import printable
from appliance.report import CallLine, SourceLine, StoredFinding, SummaryLine
from appliance.totals import Totals


class Show:
    """Writes to `stream`; a stream that nobody reads any more is not written to. `take` runs on one thread."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown: dict[tuple[str | None, ...], str] = {}  # who -> the verdict that was shown last

    def take(self, finding: StoredFinding) -> None:
        """One line for a call or a party whose verdict is news."""
        who = (finding.kind, finding.source, finding.caller, finding.callee, finding.call_id)
        if self._shown.get(who) == finding.verdict:
            return
        if len(self._shown) >= MAX_SHOWN:
            del self._shown[next(iter(self._shown))]
        self._shown[who] = finding.verdict
        line = report.decode(finding.line)
        if isinstance(line, CallLine | SourceLine):
            self._write(text_of(line, finding))

    def summary(self, totals: Totals, elapsed_s: float) -> None:
        counted = {**totals.summary, "files": 0, "elapsed_s": round(elapsed_s, 6)}
        with contextlib.suppress(OSError, ValueError):
            terminal.show_summary(msgspec.convert(counted, SummaryLine), self._stream)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            print(text, file=self._stream, flush=True)


# Remembered, so that a finding that is stored again with other counts is not shown again.
MAX_SHOWN = 65536


def text_of(line: CallLine | SourceLine, finding: StoredFinding) -> str:
    """`14:02:11 flag 0.98 robocall: caller +4930****21 at 192.0.2.7: 41 calls an hour (typical 2)`."""
    when = datetime.fromtimestamp(finding.time_ns / 1e9, UTC)
    who = [f"{name} {mask(value)}" for name, value in (("caller", line.caller), ("callee", line.callee)) if value]
    who += [f"at {line.source}"] if line.source else []
    why = mask_text(line.reasons[0].text) if line.reasons else ""
    text = (
        f"{when:%H:%M:%S} {finding.kind:<6} {line.verdict:<5} {line.score:.2f} "
        f"{', '.join(line.fraud_types)}: {' '.join(who)}: {why}"
    )
    return printable(text.rstrip(": "))
