"""`sipwarden explain ID --file CAPTURE`: one call of a capture, its ladder and why it was judged as it was."""

import json
import shutil
from pathlib import Path

from appliance import report
from appliance.config import Config
from appliance.errors import ConfigError
from appliance.ladder import draw, steps_of
from appliance.pipeline import Pipeline
from appliance.report import CallLine
from appliance.screen import Exit, complain, settings
from appliance.terminal import printable
from capture.errors import CaptureFileError
from models.errors import ModelError


class UnknownCallError(LookupError):
    """The capture has no call of that Call-ID: the fault of who asked."""


def run(
    call_id: str,
    path: Path,
    *,
    config_path: Path | None = None,
    bundle: Path | None = None,
    region: str | None = None,
) -> Exit:
    """The command: prints the call, or one line on stderr that says why not."""
    try:
        config = settings(config_path, bundle, region)
        print(text_of(call_of(path, call_id, config), path))
    except (ConfigError, ModelError, UnknownCallError) as error:
        complain(error)
        return Exit.UNUSABLE
    except CaptureFileError as error:
        complain(error)
        return Exit.UNREADABLE
    return Exit.DONE


def call_of(path: Path, call_id: str, config: Config) -> CallLine:
    """The line of one call, judged as `screen` judges it: by all that the capture says of its parties.

    Raises CaptureFileError, BundleError, UnknownCallError.
    """
    pipeline = Pipeline(config)
    name = json.dumps(call_id, ensure_ascii=False).encode()
    found: list[bytes] = []

    def take(block: bytes) -> None:
        if name in block:
            found.extend(line for line in block.splitlines() if b'"call_id":' + name in line)

    pipeline.screen_file(path, take)
    pipeline.finish(take)
    if not found:
        raise UnknownCallError(f"{path}: no call has the Call-ID {call_id!r}")
    line = report.decode(found[-1])
    assert isinstance(line, CallLine)
    return line


def text_of(call: CallLine, path: Path) -> str:
    """What a person reads: who, when, how it went, the ladder, and the reasons."""
    width = shutil.get_terminal_size().columns
    parts = [
        f"{call.caller_e164 or call.caller or '(none)'} calls {call.callee_e164 or call.callee or '(none)'}, "
        f"from {call.source} at {call.start}: {call.state}",
        "",
        *draw(steps_of(path, call.call_id), width),
        "",
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
        parts.append(f"capture: {'; '.join(seen)}")
    return "\n".join(printable(part) for part in parts)
