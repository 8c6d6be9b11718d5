"""docs/API.md is true: what it shows is run, by curl, against a collector in a process of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector.scopes import SCOPES
from collector.store.database import newest_revision
from tests.collectors import ROOT, CollectorProcess, call_line, free_port, minute
from tests.waiting import PATIENCE_S

DOCUMENT = (ROOT / "docs" / "API.md").read_text()


class Running:
    """A collector with its console and metrics, and a token with every scope."""

    def __init__(self, folder: Path) -> None:
        self.console, self.metrics = free_port(), free_port()
        self.collector = CollectorProcess(folder)
        self.collector.environment |= {
            "SIPWARDEN_COLLECTOR_CONSOLE_LISTEN": f"127.0.0.1:{self.console}",
            "SIPWARDEN_COLLECTOR_METRICS_LISTEN": f"127.0.0.1:{self.metrics}",
        }
        self.collector.start()
        scopes = [word for scope in SCOPES for word in ("--scope", scope)]
        made = self.collector.command("api-tokens", "create", "siem", *scopes)
        assert made.returncode == 0, made.stderr
        self.token = made.stdout.strip()
        box = self.collector.enrolled("edge-1")
        reports = [(n, call_line(n)) for n in range(1, 9)] + [(9, minute())]
        assert box.send(reports).status_code == 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.console}/api/v1"

    def get(self, path: str) -> httpx.Response:
        return fetch(self.url + path, Authorization=f"Bearer {self.token}")


def fetch(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, timeout=PATIENCE_S, trust_env=False)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("collector"))
    yield made
    assert made.collector.stop() == 0


def test_the_examples_work_as_they_stand(running: Running) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
    examples = "".join(block for block in blocks if "curl" in block)
    assert len(re.findall(r"^curl", examples, re.MULTILINE)) >= 12
    page = running.get("/findings?verdict=flag&limit=2").json()
    environment = {
        **os.environ,
        "API": running.url,
        "TOKEN": running.token,
        "CURSOR": page["next"],
        "ID": str(page["items"][0]["id"]),
        "BOX": "edge-1",
        "no_proxy": "127.0.0.1",
    }
    script = f"set -euo pipefail\nset -x\n{examples}"
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    finding = running.get(f"/findings/{environment['ID']}").json()
    assert finding["labels"][0]["comment"] == "three complaints"


def test_the_document_names_every_scope_as_it_is() -> None:
    assert dict(re.findall(r"^\| `([\w:]+)` \| (.*) \|$", DOCUMENT, re.MULTILINE)) == SCOPES


def test_the_console_and_the_api_share_a_listener_and_nothing_else(running: Running) -> None:
    console = fetch(f"http://127.0.0.1:{running.console}/findings")
    assert (console.status_code, console.headers["location"]) == (303, "/login")
    with_token = fetch(f"http://127.0.0.1:{running.console}/findings", Authorization=f"Bearer {running.token}")
    assert with_token.status_code == 303
    answer = fetch(f"{running.url}/findings")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert running.get("/version").json()["schema_revision"] == newest_revision()
    assert json.loads(fetch(f"{running.url}/openapi.json").text)["paths"]


def test_the_metrics_of_the_running_collector_tell_of_its_reports(running: Running) -> None:
    text = fetch(f"http://127.0.0.1:{running.metrics}/metrics").text
    assert "sipwarden_collector_batches_total 1.0" in text
    assert 'sipwarden_collector_findings_total{verdict="flag"} 8.0' in text


def test_the_command_imports_nothing_of_the_server() -> None:
    code = "import sys, collector.cli; print([m for m in ('litestar', 'sqlalchemy', 'httpx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
