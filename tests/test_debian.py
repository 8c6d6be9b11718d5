"""The Debian packages as they are written down; tests/package has them built, installed and at work."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
DEBIAN = ROOT / "packaging" / "debian"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("sipwarden", "sipwarden-collector")


def unit(package: str) -> str:
    return (ROOT / "systemd" / f"{package}.service").read_text()


def pins() -> dict[str, str]:
    text = (DEBIAN / "constraints.txt").read_text()
    return {canonicalize_name(name): one for name, one in re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)}


def test_the_packages_have_the_version_of_the_project() -> None:
    assert re.match(r"sipwarden \((.*?)\)", (DEBIAN / "changelog").read_text())[1] == PROJECT["version"]


def test_what_the_packages_carry_is_pinned_to_versions_that_the_project_takes() -> None:
    wanted = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["collector"]]
    wanted = [one for one in wanted if one.marker is None or one.marker.evaluate({"python_version": "3.11"})]
    pinned = pins()
    assert {canonicalize_name(one.name) for one in wanted} - pinned.keys() == set(), (
        "packaging/debian/constraints.txt pins all but these"
    )
    assert [str(one) for one in wanted if not one.specifier.contains(pinned[canonicalize_name(one.name)])] == []


@pytest.mark.parametrize(
    "script", ["packaging/environment", "packaging/command-files", "packaging/own-modules", "tools/deb"]
)
def test_a_script_of_the_packages_can_be_run_and_read(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    shell = path.read_text().split("\n", 1)[0].removeprefix("#!").split()[-1]
    done = subprocess.run([shell, "-n", path], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_paths_of_the_unit_are_those_of_the_package(package: str) -> None:
    rules, links = (DEBIAN / "rules").read_text(), (DEBIAN / f"{package}.links").read_text()
    (command,) = set(re.findall(r"^Exec\w+=(/opt\S+)", unit(package), re.MULTILINE))
    assert links.split() == [command, f"/usr/bin/{package}"]
    assert re.search(rf"packaging/environment .* {Path(command).parent.parent} \S+ {package}$", rules, re.MULTILINE)


def test_the_folder_of_secrets_is_one_that_the_package_makes_for_root_alone() -> None:
    (credentials,) = re.findall(r"^LoadCredential=\w+:/(\S+)$", unit("sipwarden"), re.MULTILINE)
    rules = (DEBIAN / "rules").read_text()
    assert f"$(BOX)/{credentials}\n" in rules
    assert f"chmod 700 $(BOX)/{credentials}" in rules


@pytest.mark.parametrize("package", PACKAGES)
def test_a_purge_removes_every_folder_that_the_unit_makes_and_no_file_of_the_other_package(package: str) -> None:
    postrm = (DEBIAN / f"{package}.postrm").read_text()
    removed = {path for line in re.findall(r"rm -rf (.*)", postrm) for path in line.split()}
    roots = {"StateDirectory": "/var/lib", "RuntimeDirectory": "/run"}
    made = {
        f"{root}/{name}"
        for key, root in roots.items()
        for name in re.findall(rf"^{key}=(\S+)", unit(package), re.MULTILINE)
    }
    configuration = {path for path in removed if path.startswith("/etc/sipwarden/")}
    assert removed == made | configuration
    installed = set(re.findall(r"\)(/etc/sipwarden/[\w./-]+)", (DEBIAN / "rules").read_text()))
    of_the_collector = {path for path in installed if "collector" in path}
    assert configuration == (of_the_collector if package == "sipwarden-collector" else installed - of_the_collector)
    done = subprocess.run(["sh", "-n", DEBIAN / f"{package}.postrm"], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_documents_that_the_package_takes_along_are_there(package: str) -> None:
    lists = [DEBIAN / f"{package}.{kind}" for kind in ("docs", "examples")]
    for path in "\n".join(file.read_text() for file in lists if file.exists()).split():
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("package", PACKAGES)
def test_the_package_takes_its_alerts_and_its_dashboard_along(package: str) -> None:
    wanted = {f"contrib/prometheus/{package}.rules.yml", f"contrib/grafana/{package}.json"}
    assert set((DEBIAN / f"{package}.examples").read_text().split()) == wanted


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("sipwarden", {"screen", "status", "findings", "doctor", r"check\-config", "model"}),
        (
            "sipwarden-collector",
            {"serve", "boxes", "token", r"api\-tokens", "webhooks", "users", "backup", "restore", "reveal"},
        ),
    ],
)
def test_the_manual_has_every_command_and_is_one_that_man_takes(command: str, wanted: set[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    made = [sys.executable, ROOT / "packaging" / "manual.py", command]
    page = subprocess.run(made, check=True, capture_output=True, text=True, env=environment).stdout
    assert wanted <= set(re.findall(r'^\.SS "(\S+)', page, re.MULTILINE))
    # every line that is a request is one of ours
    assert set(re.findall(r"^[.'](\w*)", page, re.MULTILINE)) == {"TH", "SH", "SS", "TP", "B", "I"}
