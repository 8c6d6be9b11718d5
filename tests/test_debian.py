"""The Debian package as it is written down; tests/package has it built, installed and at work."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
DEBIAN = ROOT / "packaging" / "debian"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
UNIT = (ROOT / "systemd" / "sipwarden.service").read_text()


def pins() -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", (DEBIAN / "constraints.txt").read_text(), re.MULTILINE))


def test_the_package_has_the_version_of_the_project() -> None:
    assert re.match(r"sipwarden \((.*?)\)", (DEBIAN / "changelog").read_text())[1] == PROJECT["version"]


def test_what_the_package_carries_is_pinned_to_versions_that_the_project_takes() -> None:
    wanted = [Requirement(text) for text in PROJECT["dependencies"]]
    wanted = [one for one in wanted if one.marker is None or one.marker.evaluate({"python_version": "3.11"})]
    pinned = pins()
    assert {one.name for one in wanted} - pinned.keys() == set(), "packaging/debian/constraints.txt pins all but these"
    assert [str(one) for one in wanted if not one.specifier.contains(pinned[one.name])] == []


@pytest.mark.parametrize(
    "script", ["packaging/environment", "packaging/command-files", "packaging/own-modules", "tools/deb"]
)
def test_a_script_of_the_package_can_be_run_and_read(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    shell = path.read_text().split("\n", 1)[0].removeprefix("#!").split()[-1]
    done = subprocess.run([shell, "-n", path], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_paths_of_the_unit_are_those_of_the_package() -> None:
    rules, links = (DEBIAN / "rules").read_text(), (DEBIAN / "sipwarden.links").read_text()
    (command,) = set(re.findall(r"^Exec\w+=(/opt\S+)", UNIT, re.MULTILINE))
    assert links.split() == [command, "/usr/bin/sipwarden"]
    assert f"$(PACKAGE) {Path(command).parent.parent}" in rules
    (credentials,) = re.findall(r"^LoadCredential=\w+:/(\S+)$", UNIT, re.MULTILINE)
    assert f"$(PACKAGE)/{credentials}" in rules
    assert f"chmod 700 $(PACKAGE)/{credentials}" in rules


def test_a_purge_removes_every_folder_that_the_unit_makes() -> None:
    postrm = (DEBIAN / "sipwarden.postrm").read_text()
    removed = set(re.search(r"rm -rf (.*)", postrm)[1].split())
    roots = {"StateDirectory": "/var/lib", "RuntimeDirectory": "/run", "ConfigurationDirectory": "/etc"}
    assert removed == {
        f"{root}/{name}" for key, root in roots.items() for name in re.findall(rf"^{key}=(\S+)", UNIT, re.MULTILINE)
    }
    done = subprocess.run(["sh", "-n", DEBIAN / "sipwarden.postrm"], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_documents_that_the_package_takes_along_are_there() -> None:
    for list_of in ("sipwarden.docs", "sipwarden.examples"):
        for path in (DEBIAN / list_of).read_text().split():
            assert (ROOT / path).exists(), path


def test_the_manual_has_every_command_and_is_one_that_man_takes() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "packaging" / "manual.py"]
    page = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    named = set(re.findall(r'^\.SS "(\S+)', page, re.MULTILINE))
    assert {"screen", "status", "findings", "doctor", r"check\-config", "model"} <= named
    # every line that is a request is one of ours
    assert set(re.findall(r"^[.'](\w*)", page, re.MULTILINE)) == {"TH", "SH", "SS", "TP", "B", "I"}
