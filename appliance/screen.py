"""`sipwarden screen`: capture files through the pipeline, in the order given, as one run."""

import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from appliance import config as configuration
from appliance import report
from appliance.config import Config
from appliance.errors import ConfigError
from appliance.exit import Exit, complain
from appliance.outlet import Write
from appliance.pipeline import Pipeline
from appliance.report import SummaryLine
from capture.errors import CaptureFileError
from models.errors import ModelError

# How many more objects there are before Python looks for garbage that refers to itself. Findings are made by the
# thousand, none of them is such, and at 700 each was looked at again and again.
GARBAGE_EVERY = 50_000


def run(
    files: Sequence[Path],
    *,
    as_json: bool = False,
    config_path: Path | None = None,
    bundle: Path | None = None,
    region: str | None = None,
) -> Exit:
    """Screens `files` and writes JSON Lines or tables to stdout; the arguments are those of the command."""
    if sys.stdout is None:
        return _ended("standard output is closed", Exit.FAILED)
    try:
        screening = Screening(settings(config_path, bundle, region))
        # What is there now stays to the end. Looking through it for garbage, at exit above all, takes as long as
        # screening a small capture.
        gc.freeze()
        gc.enable()
        gc.set_threshold(GARBAGE_EVERY)
        if as_json:
            screening.as_json(files)
        else:
            screening.as_tables(files)
        sys.stdout.flush()
        status = Exit.DONE if screening.all_read else Exit.UNREADABLE
    except (ConfigError, ModelError) as error:
        status = _ended(error, Exit.UNUSABLE)
    except MemoryError as error:
        status = _ended(f"{error or 'not enough memory'}: lower the limits of the configuration", Exit.UNUSABLE)
    except BrokenPipeError:
        status = _ended(None, Exit.NOBODY_READS)
    except KeyboardInterrupt:
        status = _ended("interrupted", Exit.INTERRUPTED)
    except OSError as error:
        status = _ended(f"standard output: {error.strerror}", Exit.FAILED)
    return status


def _ended(message: object, status: Exit) -> Exit:
    """The run ended before its time: says why, and lets go of what nobody will take any more."""
    if message is not None:
        complain(message)
    if status in (Exit.FAILED, Exit.INTERRUPTED, Exit.NOBODY_READS) and sys.stdout is not None:
        # else the interpreter tries again to write its buffer, as it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def settings(config_path: Path | None, bundle: Path | None, region: str | None) -> Config:
    """The configuration with the flags of the command line over it. Raises ConfigError."""
    flags = []
    if region is not None:
        flags.append(("--region", "screen", "region", region))
    if bundle is not None:
        flags.append(("--bundle", "screen", "bundles", str(bundle)))
    return configuration.load(config_path, flags)


class Screening:
    """One run over the files: what was read of them, and what is said of those that could not be."""

    def __init__(self, config: Config) -> None:
        self.started_s = time.monotonic()
        self.pipeline = Pipeline(config, observed=False)
        self.files = 0
        self.all_read = True

    def as_json(self, files: Sequence[Path]) -> None:
        """JSON Lines on stdout, and nothing else there."""
        write = sys.stdout.buffer.write
        self._screen(files, write)
        write(report.encode(self._summary()))

    def as_tables(self, files: Sequence[Path]) -> None:
        """A table of findings and a summary on stdout, a progress bar on stderr when that is a terminal."""
        # rich takes as long to import as a small capture takes to screen
        from appliance import terminal  # noqa: PLC0415

        findings = terminal.Findings()
        if sys.stderr is not None and sys.stderr.isatty():
            with terminal.progress_bar(sys.stderr) as bar:
                task = bar.add_task("screening", total=sum(path.stat().st_size for path in files if path.is_file()))
                self._screen(files, findings.take, lambda count: bar.advance(task, count))
        else:
            self._screen(files, findings.take)
        if self.files:  # of nothing that was read, "No findings." would be no news
            terminal.show(findings, self._summary(), sys.stdout)

    def _screen(self, files: Sequence[Path], write: Write, advance: Callable[[int], object] | None = None) -> None:
        for path in files:
            try:
                outcome = self.pipeline.screen_file(path, write, advance)
            except CaptureFileError as error:
                complain(error)
                self.all_read = False
                continue
            self.files += 1
            if outcome.cut_by_snaplen:
                complain(f"{path}: warning: {outcome.cut_by_snaplen} packets were cut short by the snapshot length")
            if outcome.problem is not None:
                complain(f"{path}: {outcome.problem}")
                self.all_read = False
        self.pipeline.finish(write)

    def _summary(self) -> SummaryLine:
        elapsed_s = round(time.monotonic() - self.started_s, 6)
        totals = {"files": self.files, "elapsed_s": elapsed_s, **self.pipeline.summary()}
        return msgspec.convert(totals, SummaryLine)
