"""The distribution builds, installs elsewhere and works; each Python gets the runtime that it can have."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "simulator" / "samples" / "sample.pcap.gz"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = {"capture", "kernels", "models", "appliance", "collector", "simulator"}
TIMEOUT_S = 900
NEWER_PYTHONS = ("3.13", "3.12")


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """The standard output of a command that must end well."""
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, f"{command}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def make_environment(folder: Path, python: str, packages: Sequence[str | Path]) -> Path:
    """A fresh environment with `packages`; its Python."""
    run(python, "-m", "venv", folder)
    quickly = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    run(folder / "bin" / "pip", "install", *quickly, *packages, cwd=folder)
    return folder / "bin" / "python"


# --- the distribution


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # From a copy: setuptools writes its metadata beside pyproject.toml, and takes old metadata for a manifest.
    copy = tmp_path_factory.mktemp("source") / "sipwarden"
    ignored = shutil.ignore_patterns(
        ".git", ".venv*", "build", "dist", "*.egg-info", "*.so", "*.c", "data", "__pycache__"
    )
    shutil.copytree(ROOT, copy, ignore=ignored)
    # MANIFEST.in says what is in it, not what compiles
    environment = {"SIPWARDEN_SKIP_EXTENSIONS": "1"}
    run(sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", copy / "dist", cwd=copy, **environment)
    (found,) = (copy / "dist").glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sdist, as an installer on another machine does it."""
    folder = tmp_path_factory.mktemp("wheel")
    # that it compiles is what is tested; to optimise it as well takes some minutes
    compiler = folder / "cc"
    compiler.write_text(f'#!/bin/sh\nexec {sysconfig.get_config_var("CC")} "$@" -O0 -g0\n')
    compiler.chmod(0o755)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel"]
    run(*pip, "--no-build-isolation", "--no-deps", "--wheel-dir", folder, sdist, CC=str(compiler))
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel and what it depends on, and nothing else."""
    return make_environment(tmp_path_factory.mktemp("installed") / "venv", sys.executable, [wheel]).parent


def test_the_sdist_holds_all_that_a_build_needs_and_nothing_built(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    cython = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("[cka]*/*.p[yx][xd]")}
    assert cython <= names
    assert {"LICENSE", "README.md", "Makefile", "tests/test_packaging.py", "simulator/samples/sample.pcap.gz"} <= names
    assert [
        name for name in names if name.endswith((".so", ".c", ".pyc")) or name.startswith(("build/", ".venv"))
    ] == []


def test_the_wheel_holds_what_runs_and_no_sources_of_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {Path(name).suffix for name in names} & {".pyx", ".pxd", ".c"} == set()
    tops = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert tops == PACKAGES
    compiled = {name.split(".")[0] for name in names if name.endswith(".so")}
    shared = "capture/cython_shared"  # setup.py
    assert compiled == {shared} | {p.relative_to(ROOT).with_suffix("").as_posix() for p in ROOT.glob("[ckmas]*/*.pyx")}


def test_the_wheel_carries_all_data_that_lies_in_the_packages(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    data = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyx", ".pxd", ".pxi", ".pyc", ".c", ".so", ".md"}
    }
    assert {"simulator/samples/sample.pcap.gz"} <= data
    assert any(path.endswith(".tflite") for path in data)
    assert data - names == set()


def test_the_installed_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    assert PROJECT["version"] in run(installed / "sipwarden", "--version", cwd=tmp_path)


def test_the_installed_command_screens_a_capture(installed: Path, tmp_path: Path) -> None:
    lines = run(installed / "sipwarden", "screen", SAMPLE, "--json", cwd=tmp_path).splitlines()
    summary = json.loads(lines[-1])
    assert summary["type"] == "summary"
    assert summary["calls"] > 0
    assert summary["flagged"] > 0


# --- the runtime that each Python gets


def requirements_on(python: str, machine: str = "x86_64") -> dict[str, Requirement]:
    environment = {"python_version": python, "python_full_version": f"{python}.0", "platform_machine": machine}
    requirements = [Requirement(text) for text in PROJECT["dependencies"]]
    return {one.name: one for one in requirements if one.marker is None or one.marker.evaluate(environment)}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_python_3_11_gets_tflite_runtime_and_numpy_1(machine: str) -> None:
    requirements = requirements_on("3.11", machine)
    assert "tflite-runtime" in requirements
    assert "ai-edge-litert" not in requirements
    assert requirements["numpy"].specifier.contains("1.26.4")
    assert not requirements["numpy"].specifier.contains("2.0.0")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.12", "3.13", "3.14"])
def test_newer_pythons_get_ai_edge_litert_and_may_have_numpy_2(python: str, machine: str) -> None:
    requirements = requirements_on(python, machine)
    assert "ai-edge-litert" in requirements
    assert "tflite-runtime" not in requirements
    assert requirements["numpy"].specifier.contains("2.1.0")


def test_this_environment_has_the_runtime_meant_for_it() -> None:
    from models.interpreter import load_runtime  # noqa: PLC0415

    expected = "tflite_runtime" if sys.version_info < (3, 12) else "ai_edge_litert"
    assert load_runtime().__name__.split(".")[0] == expected


def newer_python() -> str:
    """A Python that ai-edge-litert is meant for, when there is one; else this one, which it has wheels for too."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in NEWER_PYTHONS:
        candidates = [
            *sorted(pyenv.glob(f"{version}.*/bin/python{version}")),
            *(f / f"python{version}" for f in folders),
        ]
        for candidate in candidates:
            # A shim of a version manager can be there and lead nowhere: only one that runs counts.
            if (
                candidate.is_file()
                and subprocess.run([candidate, "-c", ""], check=False, capture_output=True).returncode == 0
            ):
                return str(candidate)
    return sys.executable


SCORE = """
import sys
import numpy as np
from models.interpreter import Interpreter, load_runtime
interpreter = Interpreter(open(sys.argv[1], "rb").read())
np.save(sys.argv[3], interpreter.run(np.load(sys.argv[2])))
print(load_runtime().__name__)
"""


def score(python: str | Path, model: Path, rows: Path, scores: Path) -> str:
    """Scores `rows` with the project's own interpreter in another Python; the name of the runtime it took."""
    return run(python, "-c", SCORE, model, rows, scores, PYTHONPATH=str(ROOT), PYTHONDONTWRITEBYTECODE="1").strip()


@pytest.fixture(scope="module")
def litert_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wanted = [str(one).partition(";")[0] for one in requirements_on("3.13").values()]
    packages = [one for one in wanted if one.startswith(("numpy", "ai-edge-litert"))]
    return make_environment(tmp_path_factory.mktemp("litert") / "venv", newer_python(), packages)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="tflite-runtime has no wheels above Python 3.11")
def test_both_runtimes_give_the_same_scores(litert_python: Path, tmp_path: Path) -> None:
    models = sorted((ROOT / "models" / "bundles").rglob("*.tflite"))
    assert models, "no bundle is shipped"
    for model in models:
        from models.interpreter import Interpreter  # noqa: PLC0415

        width = Interpreter(model.read_bytes()).inputs
        rows = np.random.default_rng(7).integers(-128, 128, (1000, width), dtype=np.int8)
        np.save(tmp_path / "rows.npy", rows)
        old = score(sys.executable, model, tmp_path / "rows.npy", tmp_path / "old.npy")
        new = score(litert_python, model, tmp_path / "rows.npy", tmp_path / "new.npy")
        assert (old, new) == ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")
        first, second = np.load(tmp_path / "old.npy"), np.load(tmp_path / "new.npy")
        # Kernels may round the last bit of an int8 differently; no more than that.
        assert np.abs(first.astype(np.int16) - second).max() <= 1
        assert len(np.unique(first)) > 10, "a constant model proves nothing"
