"""The live benchmark counts what it sends, and its contenders say what they saw."""

import os
import shutil

import pytest

from benchmarks.live import traffic
from benchmarks.live.contenders import CONTENDERS
from benchmarks.live.link import Link
from capture.file import CaptureFile
from tests.network import why_no_namespace

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
        sent = traffic.send(mixed, RATE, 0.5)
    watched = contender.result()
    assert (sent.packets, sent.sip_packets) == (RATE // 2, traffic.sip_packets(mixed, RATE // 2))
    assert watched.seen == (sent.sip_packets if watched.sip_only else sent.packets)
    assert not watched.dropped
    assert watched.cpu_s > 0
