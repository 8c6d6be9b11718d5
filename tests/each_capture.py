"""Screens every capture named on stdin by itself: `python tests/each_capture.py < names`.

A process of its own, so that a crash is a failed test rather than the end of the test run. Writes a JSON line
before (`started`) and after (the summary, or the `error`) each capture.
"""

import json
import sys
import time
from pathlib import Path

# as a script, only its own folder is on the path
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from appliance.config import Config
from appliance.pipeline import Pipeline
from appliance.report import decode
from capture.errors import CaptureFileError


def screened(path: Path) -> dict[str, object]:
    started_s = time.process_time()
    lines: list[bytes] = []
    pipeline = Pipeline(Config())
    try:
        problem = pipeline.screen_file(path, lines.append).problem
    except CaptureFileError as error:
        return {"path": str(path), "error": error.reason, "seconds": time.process_time() - started_s}
    pipeline.finish(lines.append)
    seconds = time.process_time() - started_s
    for line in b"".join(lines).splitlines():
        decode(line)  # every line keeps the schema
    return {"path": str(path), "problem": problem, "seconds": seconds, **pipeline.summary()}


def main() -> None:
    for name in sys.stdin.read().splitlines():
        print(json.dumps({"started": name}), flush=True)
        print(json.dumps(screened(Path(name))), flush=True)


if __name__ == "__main__":
    main()
