"""`sipwarden explain ID --file CAPTURE`: one call of a capture, its ladder and why it was judged as it was."""

import json
import shutil
from pathlib import Path

import msgspec

from appliance import report
from appliance.client.output import Form, show_object
from appliance.config import Config
from appliance.errors import ConfigError
from appliance.exit import Exit, complain
from appliance.explanation import heading_of, verdict_of
from appliance.ladder import draw, steps_of
from appliance.pipeline import Pipeline
from appliance.printable import printable
from appliance.report import CallLine
from appliance.screen import settings
from capture.errors import CaptureFileError
from models.errors import ModelError


class UnknownCallError(LookupError):
    """The capture has no call of that Call-ID: the fault of who asked."""


def run(
    call_id: str,
    path: Path,
    form: Form,
    *,
    config_path: Path | None = None,
    bundle: Path | None = None,
    region: str | None = None,
) -> Exit:
    """The command: prints the call, or one line on stderr that says why not.

    As JSON it is the object that the running service gives for a call, of the origin `capture`.
    """
    try:
        call, problem = call_of(path, call_id, settings(config_path, bundle, region))
        answer = {"id": None, "origin": "capture", "label": None, "line": msgspec.to_builtins(call)}
        show_object(answer, form, lambda _: text_of(call, path))
    except (ConfigError, ModelError, UnknownCallError) as error:
        complain(error)
        return Exit.UNUSABLE
    except CaptureFileError as error:
        complain(error)
        return Exit.UNREADABLE
    if problem is not None:
        complain(f"{path}: {problem}")
        return Exit.UNREADABLE
    return Exit.DONE


def call_of(path: Path, call_id: str, config: Config) -> tuple[CallLine, str | None]:
    """The line of one call, judged as `screen` judges it: by all that the capture says of its parties. Beside it what
    kept the capture from being read to its end, None when nothing did.

    Raises CaptureFileError, BundleError, UnknownCallError.
    """
    pipeline = Pipeline(config, observed=False)
    name = json.dumps(call_id, ensure_ascii=False).encode()
    found: list[bytes] = []

    def take(block: bytes) -> None:
        if name in block:
            found.extend(line for line in block.splitlines() if b'"call_id":' + name in line)

    problem = pipeline.screen_file(path, take).problem
    pipeline.finish(take)
    if not found:
        read = "" if problem is None else f", as far as it can be read: it {problem}"
        raise UnknownCallError(f"{path}: no call has the Call-ID {call_id!r}{read}")
    line = report.decode(found[-1])
    assert isinstance(line, CallLine)
    return line, problem


def text_of(call: CallLine, path: Path) -> str:
    """What a person reads: who, when, how it went, the ladder, and the reasons."""
    width = shutil.get_terminal_size().columns
    line = msgspec.to_builtins(call)
    parts = [heading_of(line), "", *draw(steps_of(path, call.call_id), width), "", *verdict_of(line)]
    return "\n".join(printable(part) for part in parts)
