"""The live benchmark counts what it sends, and its contenders say what they saw."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks.live import traffic
from benchmarks.live.contenders import CONTENDERS
from benchmarks.live.highest import highest
from benchmarks.live.link import Link
from capture.file import CaptureFile
from tests.network import why_no_namespace
from tests.waiting import PATIENCE_S, until

SAMPLE = "simulator/samples/sample.pcap.gz"
RATE = 2000


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    path = tmp_path_factory.mktemp("live") / "mixed.pcap"
    traffic.make(SAMPLE, SAMPLE, path)
    return path


def test_the_mixture_is_of_both_captures_and_its_sip_is_counted(mixed):
    with CaptureFile(SAMPLE) as capture:
        frames = [frame for _, _, frame, _ in capture]
    with CaptureFile(mixed) as capture:
        sent = [frame for _, _, frame, _ in capture]
    assert sent[:21] == [frames[0], *frames[:19], frames[1]]
    assert sorted(sent) == sorted(frames * 2)
    assert traffic.sip_packets(mixed) == 2 * sum(b"SIP/2.0" in frame for frame in frames) > 100
    assert traffic.sip_packets(mixed, 1) == 1


@pytest.mark.parametrize("kind", CONTENDERS, ids=lambda kind: kind.name)
def test_a_contender_sees_all_that_is_sent_slowly(kind, mixed, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("named network namespaces need root")
    if reason := why_no_namespace():
        pytest.skip(reason)
    for program in ("tcpreplay", *({kind.name} - {"sipwarden"})):
        if not shutil.which(program):
            pytest.skip(f"no {program} on this machine")
    contender = kind(tmp_path)
    with Link(), contender:
        sent = traffic.send(mixed, RATE, 0.5, tcpreplay=True)
    watched = contender.result()
    assert (sent.packets, sent.sip_packets) == (RATE // 2, traffic.sip_packets(mixed, RATE // 2))
    assert watched.seen == (sent.sip_packets if watched.sip_only else sent.packets)
    assert not watched.dropped
    assert watched.cpu_s > 0


# --- our own sender


@pytest.fixture(scope="module")
def replay(tmp_path_factory):
    """benchmarks.live.replay, with the sender compiled for it; it is not part of what is installed."""
    folder = tmp_path_factory.mktemp("sender")
    shutil.copy(Path(traffic.__file__).with_name("sender.pyx"), folder)
    cythonize = Path(sys.executable).with_name("cythonize")
    quickly = os.environ | {"CFLAGS": "-O0"}
    subprocess.run([cythonize, "--quiet", "-3", "--inplace", "sender.pyx"], check=True, cwd=folder, env=quickly)
    (compiled,) = folder.glob("sender.*.so")
    spec = importlib.util.spec_from_file_location("benchmarks.live.sender", compiled)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "benchmarks.live.sender", module)
        spec.loader.exec_module(module)
        from benchmarks.live import replay  # noqa: PLC0415 - the sender has to be there first

        yield replay


def sent_by(sender, rate, count):
    """The frames as they come out at the other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.settimeout(PATIENCE_S)
    frames = []
    reader = threading.Thread(target=lambda: frames.extend(theirs.recv(1 << 16) for _ in range(count)), daemon=True)
    with ours, theirs:
        reader.start()
        sender.send(ours.fileno(), rate, count)
        reader.join()
    return frames


def test_each_round_has_calls_and_numbers_of_its_own_and_is_else_the_same(replay, mixed):
    with CaptureFile(mixed) as capture:
        frames = [frame for _, _, frame, _ in capture]
    sender, sip_packets = replay.sender(mixed)
    sent = sent_by(sender, 0, 3 * len(frames))
    rounds = [sent[start : start + len(frames)] for start in range(0, len(sent), len(frames))]
    call_ids = []
    for frames_of_round in rounds:
        for original, frame in zip(frames, frames_of_round, strict=True):
            changed = [(a, b) for a, b in zip(original[42:], frame[42:], strict=True) if a != b]
            assert all(chr(a).isdigit() and chr(b).isdigit() for a, b in changed)
            assert original[:40] == frame[:40]
        found = [replay.CALL_ID.search(frame) for frame in frames_of_round]
        call_ids.append({one[1] for one in found if one})
    assert rounds[0] != rounds[1]
    assert len(call_ids[0]) == len(call_ids[1]) == len(call_ids[2]) > 20
    assert not call_ids[0] & call_ids[1] | call_ids[1] & call_ids[2]
    assert sip_packets[-1] == traffic.sip_packets(mixed)


def test_packets_are_sent_at_the_rate_that_was_asked_for(replay, mixed):
    def is_in_time():
        sender, _ = replay.sender(mixed)
        sent_by(sender, 5000, 500)
        assert sender.sent == 500
        assert sender.elapsed_s > 0.099, "never faster"
        return sender.elapsed_s < 0.15

    until(is_in_time)  # a busy machine may hold it up now and then


@pytest.mark.parametrize("limit", [1_000, 130_000, 345_678, 10_000_000])
def test_the_highest_rate_is_found_to_five_in_a_hundred(limit):
    tried = []

    def keeps_up(rate):
        tried.append(rate)
        return rate <= limit

    found = highest(keeps_up)
    assert len(tried) < 30
    if limit < 100_000:
        assert found == 0
    elif limit < 1_600_000:
        assert found <= limit <= 1.06 * found
    else:
        assert found == 1_600_000
