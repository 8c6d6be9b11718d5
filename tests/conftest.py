"""What every test may ask for: the corpus of real captures, and tshark, the independent oracle."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Cluster, cluster, programs

ROOT = Path(__file__).resolve().parent.parent
TSHARK_TIMEOUT_S = 120

Rows = list[tuple[str, ...]]

# The same examples each time, however long one takes: a run says something of the code, not of chance or the machine.
# `--hypothesis-profile=default` draws others, as `make fuzz` does.
settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("steady")


def corpus_path() -> Path:
    """Where the real captures are: they are not part of the project and may be absent."""
    return Path(os.environ.get("SIPWARDEN_CORPUS") or ROOT.parent / "shared" / "corpus")


@pytest.fixture(scope="session")
def corpus() -> Path:
    path = corpus_path()
    if not path.is_dir():
        pytest.skip(f"no corpus of captures at {path} (name one with SIPWARDEN_CORPUS)")
    return path


@pytest.fixture(scope="session")
def negative_captures(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tcpdump project's test captures: every protocol there is, broken in every way."""
    folder = tmp_path_factory.mktemp("negatives")
    with tarfile.open(corpus / "negatives" / "tcpdump_tests.tar.gz") as archive:
        # member by member: the early releases of Python 3.11 have no safe `extractall`
        for member in filter(tarfile.TarInfo.isfile, archive):
            (folder / Path(member.name).name).write_bytes(archive.extractfile(member).read())
    return folder


@pytest.fixture(scope="session")
def tshark() -> str:
    found = shutil.which("tshark")
    if not found:
        pytest.fail("tshark is missing: `make test` installs it, or run `tools/system-packages test`")
    return found


@pytest.fixture(scope="session")
def tshark_fields(tshark: str) -> Callable[..., Rows]:
    """`tshark_fields(capture, "sip", "sip.Method", "sip.Call-ID")`: one tuple of texts for each packet.

    The second argument is a display filter, the rest are fields; a field that occurs more than once in a
    packet is joined with `|`. `options` are more arguments of tshark, such as `-o` preferences.
    """

    def fields(capture: Path, display_filter: str, *names: str, options: tuple[str, ...] = ()) -> Rows:
        command = [tshark, "-n", "-r", str(capture), "-Y", display_filter, "-T", "fields"]
        command += ["-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|", *options]
        for name in names:
            command += ["-e", name]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, errors="replace", timeout=TSHARK_TIMEOUT_S
        )
        # Exit 2 is a capture that is cut short: what tshark could read is still an answer.
        if done.returncode not in (0, 2):
            raise RuntimeError(f"tshark failed on {capture}: {done.stderr.strip()}")
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]

    return fields


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    if programs() is None:
        pytest.fail("PostgreSQL is missing: `make test` installs it, or run `tools/system-packages test`")
    with cluster() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind that the collector works with."""
    return _database(request, tmp_path)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same, for all tests of a module together."""
    return _database(request, tmp_path_factory.mktemp("store"))


def _database(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'store.sqlite'}"
    return request.getfixturevalue("postgres_cluster").url()
