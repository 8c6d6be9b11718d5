"""The rules of the house, held by tests: who may import whom, what the core may not do, what must exist."""

import ast
import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("capture", "kernels", "models", "appliance")  # each may import those before it
PACKAGES = (*LAYERS, "collector", "simulator")
COLLECTOR_MAY_IMPORT = ("appliance.report", "models.")  # of the box: the schema of reports, and bundles
MAX_LINES = 600

# The only modules outside tests and benchmarks that may import the simulator.
SIMULATOR_USERS = ("simulator/", "models/training/", "appliance/cli.py")

# No clock and no I/O in capture decoding, kernels and models, except where reading files is the module's task.
CLOCKLESS = ("capture", "kernels", "models")
MAY_READ_FILES = {
    "capture/file.py": "opens capture files and fills the buffer of the decoders",
    "models/bundle.py": "reads the files of a model bundle",
}
FORBIDDEN_CALLS = {
    "open": "I/O",
    "input": "I/O",
    "time.time": "a clock",
    "time.time_ns": "a clock",
    "time.monotonic": "a clock",
    "time.monotonic_ns": "a clock",
    "time.perf_counter": "a clock",
    "datetime.now": "a clock",
    "datetime.utcnow": "a clock",
    "datetime.datetime.now": "a clock",
    "date.today": "a clock",
}
FORBIDDEN_MODULES = ("socket", "random", "secrets", "asyncio", "subprocess", "urllib", "http")
# The same in Cython, where C gives more ways.
FORBIDDEN_IN_CYTHON = re.compile(
    r"\b(libc\s*\.\s*(time|stdio)|posix\s*\.\s*(time|unistd|fcntl|mman)|gettimeofday|clock_gettime|drand48|rand\(\)"
    r"|import\s+(time|datetime|random|socket|os)\b|from\s+(time|datetime|random|socket)\s+import|open\()"
    r"|sys/socket\.h"
)
MAY_DO_IO_IN_CYTHON: dict[str, str] = {
    "capture/hep_feed.pyx": "takes datagrams off a socket, many with one system call",
    "capture/memory.pyx": "maps the memory of tables, where a huge page can begin",
}

# What would tie a wheel to one processor or break NaN handling.
UNPORTABLE = re.compile(r"immintrin|[exp]mmintrin\.h|arm_neon|__SSE|__AVX|\b_mm\d*_|-march|-mtune|-mavx|-msse")
UNSAFE_MATH = re.compile(r"-ffast-math|-Ofast|-funsafe-math")

LONG_FILES = {"kernels/numbering_table.py": "generated from libphonenumber's metadata"}


def tracked(*patterns: str) -> list[Path]:
    """The project's own files; build products and environments are not among them."""
    found = {
        path
        for pattern in patterns
        for package in (*PACKAGES, "benchmarks", "fuzz", "tests")
        for path in (ROOT / package).rglob(pattern)
    }
    return sorted(path for path in found if not {"data", "__pycache__", "build"} & set(path.relative_to(ROOT).parts))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: a relative import"
            yield node.module or ""


def cython_imports(path: Path) -> Iterator[str]:
    pattern = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))", re.MULTILINE)
    for match in pattern.finditer(path.read_text()):
        yield match[1] or match[2]


def imports(path: Path) -> set[str]:
    found = python_imports(path) if path.suffix == ".py" else cython_imports(path)
    return set(found)


def sources_of(package: str) -> list[Path]:
    return [path for path in tracked("*.py", "*.pyx", "*.pxd", "*.pxi") if name(path).startswith(f"{package}/")]


@pytest.mark.parametrize("package", LAYERS)
def test_a_layer_imports_only_the_layers_below_it(package: str) -> None:
    above = LAYERS[LAYERS.index(package) + 1 :]
    wrong = [
        f"{name(path)} imports {module}"
        for path in sources_of(package)
        for module in imports(path)
        if module.split(".")[0] in above
    ]
    assert wrong == []


def test_the_collector_imports_nothing_of_the_box_but_the_report_schema_and_models() -> None:
    wrong = [
        f"{name(path)} imports {module}"
        for path in sources_of("collector")
        for module in imports(path)
        if module.split(".")[0] in LAYERS and not module.startswith(COLLECTOR_MAY_IMPORT)
    ]
    assert wrong == []


def test_nothing_of_the_box_imports_the_collector() -> None:
    wrong = [
        name(path)
        for package in (*LAYERS, "simulator")
        for path in sources_of(package)
        if "collector" in {module.split(".")[0] for module in imports(path)}
    ]
    assert wrong == []


def test_only_the_simulate_command_and_training_import_the_simulator() -> None:
    wrong = [
        name(path)
        for package in PACKAGES
        for path in sources_of(package)
        if "simulator" in {module.split(".")[0] for module in imports(path)}
        and not name(path).startswith(SIMULATOR_USERS)
    ]
    assert wrong == []


def test_the_import_rule_sees_an_import_that_breaks_it(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    from appliance.cli import main\n")
    (tmp_path / "b.pyx").write_text("    from appliance.report cimport Call\ncimport kernels.calls\n")
    assert imports(tmp_path / "a.py") == {"appliance.cli"}
    assert imports(tmp_path / "b.pyx") == {"appliance.report", "kernels.calls"}


def python_sins(path: Path) -> Iterator[str]:
    for module in imports(path):
        if module.split(".")[0] in FORBIDDEN_MODULES:
            yield f"imports {module}"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and (what := FORBIDDEN_CALLS.get(ast.unparse(node.func))):
            yield f"line {node.lineno}: {ast.unparse(node.func)} is {what}"


def clockless_sources(*suffixes: str) -> list[Path]:
    found = [path for package in CLOCKLESS for path in sources_of(package) if path.suffix in suffixes]
    return [path for path in found if "models/training/" not in name(path)]


def test_the_python_of_the_core_has_no_clock_and_no_io() -> None:
    wrong = [
        f"{name(path)}: {sin}"
        for path in clockless_sources(".py")
        if name(path) not in MAY_READ_FILES
        for sin in python_sins(path)
    ]
    assert wrong == []


def test_the_cython_of_the_core_has_no_clock_and_no_io() -> None:
    wrong = [
        f"{name(path)}: {match[0]}"
        for path in clockless_sources(".pyx", ".pxd", ".pxi")
        if name(path) not in MAY_DO_IO_IN_CYTHON
        for match in FORBIDDEN_IN_CYTHON.finditer(path.read_text())
    ]
    assert wrong == []


def test_the_clock_rule_sees_a_clock_and_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("import socket\nimport time\ntime.monotonic()\nopen('x')\n")
    assert len(list(python_sins(path))) == 3


@pytest.mark.parametrize("exception", [*MAY_READ_FILES, *MAY_DO_IO_IN_CYTHON, *LONG_FILES])
def test_an_exception_to_a_rule_is_still_there(exception: str) -> None:
    assert (ROOT / exception).is_file(), "no such file: take the exception out"


COMPILED = [name(path)[: -len(".pyx")].replace("/", ".") for path in tracked("*.pyx") if "benchmarks" not in path.parts]


@pytest.mark.parametrize("module", COMPILED)
def test_the_compiled_module_is_the_one_that_is_loaded(module: str) -> None:
    loaded = importlib.import_module(module).__file__
    assert loaded is not None
    assert loaded.endswith(".so")


def test_there_are_compiled_modules() -> None:
    assert {"capture.sip", "capture.records", "kernels.calls", "kernels.media", "kernels.profiles"} <= set(COMPILED)


def test_a_file_past_600_lines_has_a_reason() -> None:
    long = {name(path): len(path.read_text().splitlines()) for path in tracked("*.py", "*.pyx", "*.pxd")}
    assert {path: lines for path, lines in long.items() if lines > MAX_LINES and path not in LONG_FILES} == {}


def test_nothing_compiled_is_for_one_processor_only() -> None:
    files = [path for path in tracked("*.pyx", "*.pxd", "*.pxi", "*.h") if "tests" not in path.parts]
    assert [name(path) for path in [*files, ROOT / "Makefile"] if UNPORTABLE.search(path.read_text())] == []
    setup = importlib.util.spec_from_file_location("setup_module", ROOT / "setup.py")
    module = importlib.util.module_from_spec(setup)
    setup.loader.exec_module(module)
    flags = " ".join(module.COMPILE_ARGS)
    assert not UNPORTABLE.search(flags)
    assert not UNSAFE_MATH.search(flags)
    assert not any(UNSAFE_MATH.search(path.read_text()) for path in [*files, ROOT / "Makefile"])


# --- documents

DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "benchmarks").glob("*.md"),
        *(ROOT / "simulator").rglob("*.md"),
        *(ROOT / "fuzz").rglob("*.md"),
    ]
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, spelled as GitHub and GitLab spell them."""
    headings = re.findall(r"^#+\s+(.*?)\s*$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", [name(path) for path in DOCUMENTS])
def test_the_links_of_a_document_lead_somewhere(document: str) -> None:
    broken = []
    for link in LINK.findall((ROOT / document).read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", [name(path) for path in DOCUMENTS])
def test_the_make_targets_that_a_document_names_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z0-9-]*)", (ROOT / document).read_text(), re.MULTILINE))
    assert named - targets == set()


def test_the_files_that_a_newcomer_looks_for_are_there() -> None:
    for file in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", ".ci/run"):
        assert (ROOT / file).is_file(), file
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_the_decision_records_are_numbered_without_gaps_and_say_their_status() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text()
        assert re.search(r"^Status: (proposed|accepted|superseded by \d{4})$", text, re.MULTILINE), path.name
        assert {"## Context", "## Decision", "## Consequences"} <= set(text.splitlines()), path.name
