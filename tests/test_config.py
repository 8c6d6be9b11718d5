"""The configuration file: what it takes, and what it says of what it does not take."""

import itertools
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from appliance import config
from appliance.config import Config
from appliance.errors import ConfigError

DOCUMENTED = Path(__file__).resolve().parent.parent / "docs" / "sipwarden.toml"
KEY = re.compile(r"^# (\w+) = (.+)$")


@pytest.fixture(autouse=True)
def no_system_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(config.ENVIRONMENT, raising=False)
    monkeypatch.setattr(config, "SYSTEM_CONFIG", tmp_path / "absent.toml")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sipwarden.toml"
    path.write_text(text)
    return path


def refused(tmp_path: Path, text: str) -> str:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)[len(str(path)) :]


def test_without_a_file_the_defaults_hold():
    assert config.load() == Config()


def test_an_empty_file_is_the_defaults(tmp_path):
    assert config.load(written(tmp_path, "")) == Config()


def test_a_file_sets_what_it_names_and_nothing_else(tmp_path):
    loaded = config.load(written(tmp_path, '[screen]\nregion = "GB"\n[limits]\ncalls = 1000\n'))
    assert loaded.screen.region == "GB"
    assert loaded.limits.calls == 1000
    assert loaded.limits.callers == Config().limits.callers


def test_the_environment_names_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv(config.ENVIRONMENT, str(written(tmp_path, "[limits]\ncalls = 77\n")))
    assert config.load().limits.calls == 77


def test_the_command_line_wins_over_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(config.ENVIRONMENT, str(tmp_path / "not-there.toml"))
    assert config.load(written(tmp_path, "[limits]\ncalls = 78\n")).limits.calls == 78


def test_the_environment_wins_over_the_file_of_the_system(tmp_path, monkeypatch):
    system = tmp_path / "system.toml"
    system.write_text("[limits]\ncalls = 79\n")
    monkeypatch.setattr(config, "SYSTEM_CONFIG", system)
    assert config.load().limits.calls == 79
    monkeypatch.setenv(config.ENVIRONMENT, str(written(tmp_path, "[limits]\ncalls = 80\n")))
    assert config.load().limits.calls == 80


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[limits]\n\ncals = 5\n", ":3: limits.cals: unknown key (did you mean calls?)"),
        ("[limit]\ncalls = 5\n", ":1: limit: unknown key (did you mean limits?)"),
        ("colour = 1\n", ":1: colour: unknown key (known here: screen, limits)"),
        ('[limits]\ncalls = "5"\n', ":2: limits.calls: expected int, got str"),
        ("[limits]\ncalls = 5.5\n", ":2: limits.calls: expected int, got float"),
        ("[limits]\ncalls = true\n", ":2: limits.calls: expected int, got bool"),
        ('[limits]\ntcp_bytes = "64 MB"\n', ":2: limits.tcp_bytes: expected int, got str"),
        ("[limits]\ncalls = 0 # none\n", ":2: limits.calls: expected int >= 16, got 0"),
        ("[limits]\ncalls = -1\n", ":2: limits.calls: expected int >= 16, got -1"),
        ("[limits]\ncalls = 99999999999\n", ":2: limits.calls: expected int <= 16777216, got 99999999999"),
        ("[limits]\ntcp_bytes = 64\n", ":2: limits.tcp_bytes: expected int >= 1048576, got 64"),
        ("limits = 5\n", ":1: limits: expected object, got int"),
        ("limits.calls = 0\n", ":1: limits.calls: expected int >= 16, got 0"),
        ("limits = { calls = 0 }\n", ": limits.calls: expected int >= 16"),
        ("[screen]\nregion = 44\n", ":2: screen.region: expected str | null, got int"),
        (
            '[screen]\nregion = "UK"\n',
            ":2: screen.region: expected an ISO 3166 country code such as GB, got 'UK'",
        ),
        ("[limits\n", ":1: is not TOML: Expected ']' at the end of a table declaration"),
        ("[limits]\ncalls = 16\ncalls = 17\n", ":3: is not TOML: Cannot overwrite a value"),
    ],
)
def test_a_mistake_is_named_with_its_file_key_line_and_what_was_expected(tmp_path, text, message):
    assert refused(tmp_path, text).startswith(message)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"not-there\.toml: cannot be read: No such file or directory"):
        config.load(tmp_path / "not-there.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        config.load(tmp_path)


def test_a_file_that_is_not_text_is_named(tmp_path):
    path = tmp_path / "sipwarden.toml"
    path.write_bytes(b"[screen]\nregion = '\xff'\n")
    with pytest.raises(ConfigError, match=r"is not UTF-8 text \(byte 19\)"):
        config.load(path)


def documented() -> dict[str, dict[str, object]]:
    """The keys of docs/sipwarden.toml as if they were not commented out."""
    lines = [KEY.sub(r"\1 = \2", line) for line in DOCUMENTED.read_text().splitlines()]
    return tomllib.loads("\n".join(lines))


def test_the_documented_example_has_every_key_at_its_default():
    # TOML has no null: a setting that is absent by default is documented as an empty string.
    defaults = msgspec.to_builtins(Config())
    assert documented() == {
        section: {key: "" if value is None else value for key, value in keys.items()}
        for section, keys in defaults.items()
    }


def test_the_documented_example_changes_nothing_as_it_stands():
    assert config.load(DOCUMENTED) == Config()


def test_every_documented_key_has_a_sentence_above_it():
    lines = DOCUMENTED.read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if KEY.match(line):
            assert before.startswith("# "), line
            assert before.endswith("."), line
