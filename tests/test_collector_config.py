"""The collector's configuration: every key is documented at its default, and what is wrong is named."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from collector.config import Config, load, split_listen, url_of
from collector.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTED = ROOT / "docs" / "collector.toml"


def test_the_url_of_a_listener_has_an_ipv6_address_in_brackets() -> None:
    assert url_of("collector.example", "0.0.0.0:8444") == "https://collector.example:8444"
    assert url_of("2001:db8::1", "[::]:8444") == "https://[2001:db8::1]:8444"


def test_the_documented_file_has_every_key_at_its_default_and_a_sentence_for_each(tmp_path: Path) -> None:
    text = DOCUMENTED.read_text()
    key = re.compile(r"^# (\w+ = .*)$", re.MULTILINE)
    tables = tomllib.loads(key.sub(r"\1", text))
    defaults = msgspec.to_builtins(Config())
    assert {name: list(table) for name, table in tables.items()} == {name: list(defaults[name]) for name in defaults}
    file = tmp_path / "collector.toml"
    file.write_text(key.sub(r"\1", text))
    assert load(file, {}) == Config()
    for described, line in pairwise(text.splitlines()):
        if key.match(line):
            assert re.match(r"# .*\.$", described), line


def test_the_documented_file_as_it_is_changes_nothing() -> None:
    assert load(DOCUMENTED, {}) == Config()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_text('[ingest]\nlisten = "127.0.0.1:1"\nreports_per_s = 7\n')
    environment = {
        "SIPWARDEN_COLLECTOR_CONFIG": str(file),
        "SIPWARDEN_COLLECTOR_INGEST_LISTEN": "[::]:8443",
        "SIPWARDEN_COLLECTOR_TLS_NAMES": "a.example,192.0.2.1",
        "SIPWARDEN_COLLECTOR_RETENTION_CALLS_DAYS": "5",
    }
    config = load(None, environment)
    assert (config.ingest.listen, config.ingest.reports_per_s) == ("[::]:8443", 7)
    assert (config.tls.names, config.retention.calls_days) == (("a.example", "192.0.2.1"), 5)
    assert split_listen(config.ingest.listen) == ("::", 8443)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[ingest\n", "is not TOML"),
        ('state_dir = "/x"\n', ":1: state_dir: unknown key (known here: service, tls, "),
        ("\n[ingest]\nlisten_on = 1\n", ":3: ingest.listen_on: unknown key (did you mean listen?)"),
        ('[ingest]\nlisten = "nowhere"\n', ':2: ingest.listen: expected ADDRESS:PORT, or "" for none'),
        ('[ingest]\n\nqueue_mib = "much"\n', ":3: ingest.queue_mib: expected an integer, got a string"),
        ("[tls]\nnames = 5\n", ":2: tls.names: expected a list, got an integer"),
        ("[retention]\ncalls_days = 0\n", "retention.calls_days"),
        ('[numbers]\npolicy = "hashed"\n', "numbers.policy"),
        ("[ingest]\nclock_flag_s = 100000\n", "ingest.clock_flag_s"),
        ('[tls]\ncertificate = "x.pem"\n', "tls.certificate"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "collector.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert str(file) in str(caught.value)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load(tmp_path / "none.toml", {})


def test_a_mistake_in_a_variable_is_named_by_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^SIPWARDEN_COLLECTOR_INGEST_QUEUE_MIB: expected an integer >= 1$"):
        load(None, {"SIPWARDEN_COLLECTOR_CONFIG": "/dev/null", "SIPWARDEN_COLLECTOR_INGEST_QUEUE_MIB": "0"})
