"""The command as its users meet it: a process with arguments, three streams and an exit status."""

import gzip
import os
import pty
import random
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from appliance.report import CallLine, SourceLine, SummaryLine, decode
from tests.tap import Tap, request, response

COMMAND = [str(Path(sys.executable).with_name("sipwarden"))]
TIMEOUT_S = 60
PIPE_BYTES = 1 << 16  # the room of a Linux pipe
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
PCAPNG_HEADER = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)


def environment(**more: str) -> dict[str, str]:
    """The environment of the test run without what would steer sipwarden or rich."""
    steering = ("SIPWARDEN_CONFIG", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE")
    return {key: value for key, value in os.environ.items() if key not in steering} | more


def sipwarden(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    defaults = {"check": False, "capture_output": True, "timeout": TIMEOUT_S, "env": environment()}
    return subprocess.run([*COMMAND, *map(str, arguments)], **(defaults | options))  # noqa: PLW1510


def one_call(call_id: str = "call-1") -> Tap:
    """A call that is answered and over."""
    tap = Tap()
    tap.send(request("INVITE", call_id=call_id))
    tap.reply(response(180, call_id=call_id, to_tag="bob"), after=2.0)
    tap.reply(response(200, call_id=call_id, to_tag="bob"))
    tap.send(request("ACK", call_id=call_id, to_tag="bob", branch="b2"), after=5.0)
    tap.send(request("BYE", call_id=call_id, cseq=2, to_tag="bob", branch="b3"))
    tap.reply(response(200, method="BYE", call_id=call_id, cseq=2, to_tag="bob", branch="b3"))
    return tap


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return one_call().write(tmp_path / "good.pcap")


@pytest.fixture
def many_calls(tmp_path: Path) -> Path:
    """Whose lines are more than a pipe holds."""
    tap = Tap()
    for i in range(PIPE_BYTES // 256):
        tap.send(request("INVITE", call_id=f"call-{i}"))
    return tap.write(tmp_path / "many.pcap")


def strictly(stdout: bytes) -> list[CallLine | SourceLine | SummaryLine]:
    """Every line by the schema; the last one, and only it, is the summary."""
    assert stdout.endswith(b"\n")
    lines = [decode(line) for line in stdout.splitlines()]
    assert [isinstance(line, SummaryLine) for line in lines] == [False] * (len(lines) - 1) + [True]
    return lines


# --- arguments


def test_it_says_its_version():
    done = sipwarden("--version")
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, f"sipwarden {version('sipwarden')}\n", b"")


@pytest.mark.parametrize("arguments", [["--help"], ["screen", "--help"], ["parse", "--help"], ["simulate", "--help"]])
def test_help_is_given_on_stdout(arguments):
    done = sipwarden(*arguments)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"Usage: sipwarden")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scren"], "No such command 'scren'"),
        (["screen"], "Missing argument 'FILE...'"),
        (["screen", "--jsn", "a.pcap"], "No such option: --jsn"),
        (["screen", "--region"], "Option '--region' requires an argument"),
        (["screen", "--region", "UK", "a.pcap"], "--region: expected an ISO 3166 country code such as GB, got 'UK'"),
        (["screen", "--config", "no-such.toml", "a.pcap"], "no-such.toml: cannot be read: No such file or directory"),
        (["screen", "--bundle", "no-such-bundle", "a.pcap"], "no-such-bundle"),
    ],
)
def test_unusable_arguments_are_named_and_end_with_2(arguments, message):
    done = sipwarden(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode()


def test_of_files_none_of_which_could_be_read_no_table_says_that_there_are_no_findings(tmp_path):
    done = sipwarden("screen", tmp_path / "absent.pcap", tmp_path)
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.count(b"\n") == 2


def test_a_mistake_in_the_config_is_one_line_with_file_and_line(capture, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("[limits]\ncals = 5\n")
    done = sipwarden("screen", "--json", "--config", path, capture)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"sipwarden: {path}:2: limits.cals: unknown key (did you mean calls?)\n"


def test_the_environment_names_the_config_and_the_flag_wins(capture, tmp_path):
    bad, good = tmp_path / "bad.toml", tmp_path / "good.toml"
    bad.write_text("nonsense = 1\n")
    good.write_text("")
    env = environment(SIPWARDEN_CONFIG=str(bad))
    assert sipwarden("screen", "--json", capture, env=env).returncode == 2
    assert sipwarden("screen", "--json", "--config", good, capture, env=env).returncode == 0


def test_the_region_of_the_flag_wins_over_the_region_of_the_config(tmp_path):
    path = Tap().send(request("INVITE", caller="02079460000", callee="4155551234")).write(tmp_path / "national.pcap")
    config = tmp_path / "sipwarden.toml"
    config.write_text('[screen]\nregion = "GB"\n')

    def numbers(*arguments: object) -> tuple[str | None, str | None]:
        call = strictly(sipwarden("screen", "--json", *arguments, path).stdout)[0]
        return call.caller_e164, call.callee_e164

    assert numbers() == (None, None)
    assert numbers("--config", config)[0] == "+442079460000"
    assert numbers("--config", config, "--region", "us")[1] == "+14155551234"


# --- captures


def test_json_is_one_object_a_line_by_the_schema_with_the_summary_last(capture):
    done = sipwarden("screen", "--json", capture)
    assert (done.returncode, done.stderr) == (0, b"")
    call, summary = strictly(done.stdout)
    assert (call.call_id, call.state, call.messages) == ("call-1", "completed", 6)
    assert (summary.files, summary.packets, summary.sip_requests, summary.sip_responses) == (1, 6, 3, 3)
    assert (summary.calls, summary.malformed) == (1, 0)


def test_files_are_one_run_in_the_order_given(tmp_path):
    both = one_call("call-1")
    both.packets += one_call("call-2").wait(60).packets
    first = Tap(packets=both.packets[:3]).write(tmp_path / "1.pcap")
    second = Tap(packets=both.packets[3:]).write(tmp_path / "2.pcap")
    lines = strictly(sipwarden("screen", "--json", first, second).stdout)
    assert {line.call_id: line.state for line in lines if isinstance(line, CallLine)} == {
        "call-1": "completed",
        "call-2": "completed",
    }
    assert (lines[-1].files, lines[-1].packets, lines[-1].calls) == (2, 12, 2)


def damaged(name: str) -> Callable[[Path, bytes], Path]:
    """Makes a bad input of that name out of a good capture."""

    def make(folder: Path, good: bytes) -> Path:
        path = folder / name
        path.write_bytes(CONTENTS[name](good))
        return path

    return make


CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "empty.pcap": lambda good: b"",
    "stub.pcap": lambda good: good[:10],
    "truncated.pcap": lambda good: good[:-7],
    "wrong-magic.pcap": lambda good: b"\xca\xfe\xba\xbe" + good[4:],
    "text.pcap": lambda good: b"INVITE sip:alice@example.org SIP/2.0\r\n\r\n",
    "short.pcap.gz": lambda good: gzip.compress(good)[:-20],
    "empty.pcap.gz": lambda good: gzip.compress(b""),
    "text.pcap.gz": lambda good: gzip.compress(b"no capture at all, only text in gzip"),
    "noise.pcap": lambda good: PCAP_HEADER + random.Random(1).randbytes(5000),
    "noise.pcapng": lambda good: PCAPNG_HEADER + random.Random(2).randbytes(5000),
    "noise.pcap.gz": lambda good: b"\x1f\x8b\x08\x00" + random.Random(3).randbytes(5000),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_bad_file_is_named_in_one_line_and_the_others_are_screened(name, capture, tmp_path):
    bad = damaged(name)(tmp_path, capture.read_bytes())
    done = sipwarden("screen", "--json", bad, capture)
    assert done.returncode == 3
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"sipwarden: {bad}: ")
    assert strictly(done.stdout)[-1].calls == 1


@pytest.mark.parametrize("name", ["truncated.pcap", "short.pcap.gz"])
def test_what_is_readable_of_a_file_cut_short_is_screened(name, capture, tmp_path):
    bad = damaged(name)(tmp_path, capture.read_bytes())
    done = sipwarden("screen", "--json", bad)
    assert done.returncode == 3
    summary = strictly(done.stdout)[-1]
    assert (summary.files, summary.calls) == (1, 1)
    assert b"cut short" in done.stderr


@pytest.mark.parametrize("arguments", [("--json",), ()])
def test_a_missing_file_and_a_directory_are_named_in_their_order(arguments, capture, tmp_path):
    missing = tmp_path / "missing.pcap"
    done = sipwarden("screen", *arguments, missing, capture, tmp_path)
    assert done.returncode == 3
    first, second = done.stderr.decode().splitlines()
    assert first == f"sipwarden: {missing}: no such file or directory"
    assert second == f"sipwarden: {tmp_path}: is a directory"


def test_a_file_that_may_not_be_read_is_named(capture, tmp_path):
    secret = Path(shutil.copy(capture, tmp_path / "secret.pcap"))
    secret.chmod(0)
    command = [*COMMAND, "screen", "--json", str(secret), str(capture)]
    if os.geteuid() == 0:
        # root may read everything, unless it has given that up
        setpriv = shutil.which("setpriv")
        if not setpriv:
            pytest.skip("root may read every file, and setpriv is not here to take that away")
        command = [setpriv, "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", *command]
    done = subprocess.run(command, check=False, capture_output=True, timeout=TIMEOUT_S, env=environment())
    assert done.stderr.decode() == f"sipwarden: {secret}: permission denied\n"
    assert done.returncode == 3
    assert strictly(done.stdout)[-1].calls == 1


def test_a_capture_cut_by_its_snapshot_length_is_a_warning(tmp_path):
    path = one_call().write(tmp_path / "snapped.pcap", snaplen=200)
    done = sipwarden("screen", "--json", path)
    assert done.returncode == 0
    assert done.stderr.decode() == f"sipwarden: {path}: warning: 6 packets were cut short by the snapshot length\n"
    assert strictly(done.stdout)[-1].packets == 6


# --- streams


def test_an_output_that_is_closed_early_ends_quietly(many_calls):
    with subprocess.Popen(
        [*COMMAND, "screen", "--json", many_calls], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(TIMEOUT_S) == 128 + signal.SIGPIPE


def test_an_output_that_cannot_be_written_is_named(many_calls):
    with Path("/dev/full").open("wb") as full:
        done = sipwarden("screen", "--json", many_calls, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"sipwarden: standard output: No space left on device\n")


def test_an_output_that_is_closed_from_the_start_is_named(capture):
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "screen", "--json", capture],
        check=False,
        stderr=subprocess.PIPE,
        timeout=TIMEOUT_S,
        env=environment(),
    )
    assert (done.returncode, done.stderr) == (1, b"sipwarden: standard output is closed\n")


def test_an_interrupt_ends_the_run(tmp_path):
    fifo = tmp_path / "endless.pcap"
    os.mkfifo(fifo)
    command = [*COMMAND, "screen", "--json", fifo]
    # a shell starts what it runs in the background with SIGINT ignored, and that is inherited
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    signal.signal(signal.SIGINT, inherited)
    with process, fifo.open("wb") as writer:  # which waits until it is opened to be read
        writer.write(PCAP_HEADER)
        writer.flush()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, stdout, stderr) == (128 + signal.SIGINT, b"", b"sipwarden: interrupted\n")


def test_a_capture_may_come_through_a_pipe(capture):
    done = sipwarden("screen", "--json", "/dev/stdin", input=capture.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert strictly(done.stdout)[-1].calls == 1


def test_without_json_a_person_reads_tables_and_no_escape_sequences_in_a_file(capture):
    done = sipwarden("screen", capture)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert "\x1b" not in text
    assert "6 messages: 3 requests, 3 responses; 0 malformed" in text


def on_a_terminal(arguments: list[object]) -> tuple[str, str]:
    """What the command writes to a pipe and to the terminal that is its stderr."""
    master, slave = pty.openpty()
    env = environment(TERM="xterm")
    with subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=slave, env=env) as process:
        os.close(slave)
        stdout, _ = process.communicate(timeout=TIMEOUT_S)
    shown = b""
    try:
        while more := os.read(master, 4096):
            shown += more
    except OSError:  # Linux says EIO when the other side of a terminal is gone
        pass
    os.close(master)
    return stdout.decode(), shown.decode()


def test_a_progress_bar_is_on_the_terminal_only(many_calls):
    stdout, shown = on_a_terminal(["screen", many_calls])
    assert "screening" in shown
    assert "screening" not in stdout
    stdout, shown = on_a_terminal(["screen", "--json", many_calls])
    assert shown == ""
    strictly(stdout.encode())


# --- start-up


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--version"], {"numpy", "msgspec", "pydantic", "rich", "tflite_runtime", "ai_edge_litert"}),
        (["screen", "--json", "{capture}"], {"rich", "phonenumbers", "pydantic", "scapy", "pyshark", "simulator"}),
    ],
)
def test_a_command_imports_only_what_it_needs(arguments, unwanted, capture):
    code = (
        "import sys, atexit; from appliance.cli import main; "
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
        f"sys.argv[1:] = {[argument.format(capture=capture) for argument in arguments]!r}; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=TIMEOUT_S)
    assert unwanted & set(done.stderr.decode().split()) == set()
