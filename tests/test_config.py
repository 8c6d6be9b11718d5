"""The configuration file: what it takes, and what it says of what it does not take."""

import itertools
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from appliance import check_config, config
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
        ("xyzzy = 1\n", ":1: xyzzy: unknown key (known here: screen, limits, service, "),
        ('[limits]\ncalls = "5"\n', ":2: limits.calls: expected an integer, got a string"),
        ("[limits]\ncalls = 5.5\n", ":2: limits.calls: expected an integer, got a float"),
        ("[limits]\ncalls = true\n", ":2: limits.calls: expected an integer, got a boolean"),
        ('[limits]\ntcp_bytes = "64 MB"\n', ":2: limits.tcp_bytes: expected an integer, got a string"),
        ("[limits]\ncalls = 0 # none\n", ":2: limits.calls: expected an integer >= 16, got 0"),
        ("[limits]\ncalls = -1\n", ":2: limits.calls: expected an integer >= 16, got -1"),
        ("[limits]\ncalls = 99999999999\n", ":2: limits.calls: expected an integer <= 16777216, got 99999999999"),
        ("[limits]\ntcp_bytes = 64\n", ":2: limits.tcp_bytes: expected an integer >= 1048576, got 64"),
        ("limits = 5\n", ":1: limits: expected a table, got an integer"),
        ("limits.calls = 0\n", ":1: limits.calls: expected an integer >= 16, got 0"),
        ("limits = { calls = 0 }\n", ": limits.calls: expected an integer >= 16"),
        ("[screen]\nregion = 44\n", ":2: screen.region: expected a string, got an integer"),
        (
            '[screen]\nregion = "UK"\n',
            ":2: screen.region: expected an ISO 3166 country code such as GB, got 'UK'",
        ),
        ("[capture]\nring_mb = 64\n", ":2: capture.ring_mb: unknown key (did you mean ring_mib?)"),
        ('[capture]\nring_mib = "64 MB"\n', ":2: capture.ring_mib: expected an integer, got a string (in MiB)"),
        (
            '[service]\nsnapshot_interval_s = "1m"\n',
            ":2: service.snapshot_interval_s: expected an integer, got a string (in seconds)",
        ),
        (
            "[service]\nverdict_delay_ms = 5000\n",
            ":2: service.verdict_delay_ms: expected an integer <= 1000, got 5000 (in milliseconds)",
        ),
        ('[capture]\ninterfaces = "eth0"\n', ":2: capture.interfaces: expected a list, got a string"),
        ("[capture]\ninterfaces = [5]\n", ":2: capture.interfaces: expected a string, got an integer"),
        (
            '[capture]\ninterfaces = ["a-name-that-is-too-long"]\n',
            ':2: capture.interfaces: expected the name of a network interface, got ["a-name-that-is-too-long"]',
        ),
        ('[hep]\nlisten = "9060"\n', ':2: hep.listen: expected ADDRESS:PORT or "", got "9060"'),
        ('[hep]\nlisten = "0.0.0.0:90600"\n', ":2: hep.listen: expected a port up to 65535, got '0.0.0.0:90600'"),
        ('[hep]\ntls_key = "key.pem"\n', ": hep.tls_certificate: expected a file, since hep.tls_key names one"),
        ('[log]\nlevel = "loud"\n', ":2: log.level: expected one of debug, info, warning, error, got 'loud'"),
        ('[admin]\nreaders = ["@no such"]\n', ':2: admin.readers: expected a user, or a @group, got ["@no such"]'),
        ("[limits\n", ":1: is not TOML: Expected ']' at the end of a table declaration"),
        ("[limits]\ncalls = 16\ncalls = 17\n", ":3: is not TOML: Cannot overwrite a value"),
    ],
)
def test_a_mistake_is_named_with_its_file_key_line_and_what_was_expected(tmp_path, text, message):
    assert refused(tmp_path, text).startswith(message)


def test_the_files_of_conf_d_are_laid_over_the_file_beside_it_in_the_order_of_their_names(tmp_path):
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "20-more.toml").write_text("[limits]\ncalls = 200\n")
    (folder / "10-first.toml").write_text("[limits]\ncalls = 100\ncallers = 100\n")
    (folder / "not-read.txt").write_text("not TOML")
    loaded = config.load(written(tmp_path, "[limits]\ncalls = 50\ncallers = 50\nsources = 50\n")).limits
    assert (loaded.calls, loaded.callers, loaded.sources) == (200, 100, 50)


def test_a_mistake_in_a_file_of_conf_d_names_that_file(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10-mine.toml").write_text("[limits]\ncals = 5\n")
    with pytest.raises(ConfigError, match=r"conf\.d/10-mine\.toml:2: limits\.cals: unknown key"):
        config.load(written(tmp_path, ""))


def test_settings_that_do_not_go_together_are_found_wherever_they_come_from(tmp_path, monkeypatch):
    path = written(tmp_path, '[hep]\ntls_key = "key.pem"\n')
    monkeypatch.setenv("SIPWARDEN_HEP_TLS_CERTIFICATE", "certificate.pem")
    assert config.load(path).hep == config.Hep(tls_certificate="certificate.pem", tls_key="key.pem")


def test_a_variable_wins_over_the_files_and_a_flag_over_the_variable(tmp_path, monkeypatch):
    path = written(tmp_path, '[limits]\ncalls = 50\n[capture]\nfilter = "of the file"\n')
    monkeypatch.setenv("SIPWARDEN_LIMITS_CALLS", "60")
    monkeypatch.setenv("SIPWARDEN_CAPTURE_FILTER", "udp port 5060")
    monkeypatch.setenv("SIPWARDEN_CAPTURE_INTERFACES", "eth0, eth1")
    monkeypatch.setenv("SIPWARDEN_CAPTURE_PROMISCUOUS", "false")
    monkeypatch.setenv("SIPWARDEN_METRICS_LISTEN", "")
    loaded = config.load(path, [("--interface", "capture", "interfaces", ["lo"])])
    assert loaded.limits.calls == 60
    assert loaded.capture == config.Capture(interfaces=("lo",), filter="udp port 5060", promiscuous=False)
    assert loaded.metrics.listen == ""


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SIPWARDEN_LIMITS_CALLS", "many", "limits.calls: expected an integer, got a string"),
        ("SIPWARDEN_LIMITS_CALLS", "0", "limits.calls: expected an integer >= 16"),
        ("SIPWARDEN_LIMITS_CALS", "50", "limits.cals: unknown key (did you mean calls?)"),
        ("SIPWARDEN_LOG_LEVEL", "loud", "log.level: expected one of debug, info, warning, error, got 'loud'"),
        ("SIPWARDEN_SCREEN_REGION", "UK", "screen.region: expected an ISO 3166 country code such as GB, got 'UK'"),
    ],
)
def test_a_mistake_in_a_variable_is_named(monkeypatch, variable, value, message):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        config.load()
    assert str(caught.value) == f"{variable}: {message}"


def test_the_variables_of_a_collector_on_the_same_machine_are_not_the_boxs(monkeypatch):
    monkeypatch.setenv("SIPWARDEN_COLLECTOR_CONFIG", "/etc/sipwarden/collector.toml")
    monkeypatch.setenv("SIPWARDEN_COLLECTOR_INGEST_LISTEN", "0.0.0.0:8443")
    monkeypatch.setenv("SIPWARDEN_COLLECTOR_CALL_SAMPLE", "7")
    assert config.load() == config.Config(collector=config.Collector(call_sample=7))


def test_check_config_says_what_it_read_and_ends_with_0(tmp_path, capsys):
    path = written(tmp_path, "[limits]\ncalls = 50\n")
    assert check_config.run(path) == 0
    assert capsys.readouterr() == (f"{path}: valid\n", "")


def test_check_config_names_the_mistake_and_ends_with_2(tmp_path, capsys):
    path = written(tmp_path, "[limits]\ncals = 50\n")
    assert check_config.run(path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"sipwarden: {path}:2: limits.cals: unknown key (did you mean calls?)\n"


def test_check_config_refuses_bundles_that_cannot_be_used(tmp_path, capsys):
    path = written(tmp_path, f'[screen]\nbundles = "{tmp_path}"\n')
    assert check_config.run(path) == 2
    assert "neither a bundle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[capture]\ninterfaces = ["lo"]\nfilter = "udp prot 5060"\n', ":3: capture.filter: 'udp prot 5060': "),
        ('[capture]\nfilter = "udp prot 5060"\n', ":2: capture.filter: 'udp prot 5060': "),
        ('[hep]\nlisten = "127.0.0.1:9060"\nkey_file = "/not/there"\n', ":3: hep.key_file: /not/there cannot be read"),
    ],
)
def test_check_config_tries_what_the_sources_need_and_names_file_line_and_key(tmp_path, capsys, text, said):
    path = written(tmp_path, text)
    assert check_config.run(path) == 2
    assert capsys.readouterr().err.startswith(f"sipwarden: {path}{said}")


def test_of_a_setting_that_cannot_be_used_the_place_that_won_is_named(tmp_path, capsys, monkeypatch):
    path = written(tmp_path, '[capture]\nfilter = "port 5060"\n')
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "site.toml").write_text('[capture]\n\nfilter = "port 506O"\n')
    check_config.run(path)
    assert "site.toml:3: capture.filter: " in capsys.readouterr().err
    monkeypatch.setenv("SIPWARDEN_CAPTURE_FILTER", "prot 5060")
    check_config.run(path)
    assert "SIPWARDEN_CAPTURE_FILTER: capture.filter: " in capsys.readouterr().err


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
    defaults = msgspec.json.decode(msgspec.json.encode(Config()))
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


def test_the_same_settings_have_the_same_fingerprint_and_others_another(tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("first.toml", "again.toml", "other.toml"))
    first.write_text('[screen]\nregion = "DE"\n[spool]\nmax_mib = 64\n')
    again.write_text('spool.max_mib = 64\nscreen.region = "DE"\n')
    other.write_text('screen.region = "FR"\n')
    assert config.load(first).fingerprint == config.load(again).fingerprint
    assert config.load(first).fingerprint != config.load(other).fingerprint


@pytest.mark.parametrize("mistake", ["[limits]\ncals = 3\n", '[capture]\nring_mib = "x"\n', "[limits\n"])
def test_a_service_can_be_asked_while_a_file_of_its_configuration_holds_a_mistake(tmp_path, mistake):
    path = written(tmp_path, '[admin]\nsocket = "/here/admin.sock"\n')
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "site.toml").write_text(mistake)
    assert config.admin_socket(path) == Path("/here/admin.sock")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.admin_socket(tmp_path / "not-there.toml")
