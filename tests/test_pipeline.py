"""The whole way from bytes to JSON lines: the same answers however the work is cut, inside the bounds of the tables."""

import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from appliance.call_reasons import CALL_REASONS_BYTES
from appliance.config import Config, Limits
from appliance.findings import FINDING_BYTES
from appliance.pipeline import Pipeline
from appliance.report import SummaryLine
from kernels.calls import CALL_BYTES
from kernels.crowds import CROWD_BYTES
from kernels.groups import GROUP_BYTES
from kernels.profiles import PROFILE_BYTES
from kernels.signalling import STYLE_BYTES
from kernels.spellings import SPELLINGS_BYTES
from kernels.subscribers import SUBSCRIBER_BYTES
from tests.tap import START_S, request, screen, udp_frame

SAMPLE = Path(__file__).parent.parent / "simulator" / "samples" / "sample.pcap.gz"
FLOOD_CALLS = 2_000_000


@pytest.fixture(scope="module")
def whole():
    return screen(SAMPLE)


@pytest.mark.parametrize("block_packets", [1, 7, 1000])
def test_every_block_size_gives_the_same_lines(whole, block_packets):
    assert screen(SAMPLE, block_packets=block_packets) == whole


def test_every_run_gives_the_same_lines(whole):
    assert screen(SAMPLE) == whole


def test_nothing_is_counted_for_an_operator_where_none_asks_and_verdicts_are_the_same():
    lines, pipelines = ([], []), [Pipeline(Config(), observed=observed) for observed in (True, False)]
    for pipeline, written in zip(pipelines, lines, strict=True):
        assert pipeline.screen_file(SAMPLE, written.append).problem is None
        pipeline.finish(written.append)
    assert b"".join(lines[0]) == b"".join(lines[1])
    assert [len(pipeline.drift()) for pipeline in pipelines] == [3, 0]
    assert [pipeline.tally.scores["call"].count > 0 for pipeline in pipelines] == [True, False]


def test_the_same_calls_are_evicted_at_every_block_size():
    small = {"calls": 16, "callers": 16, "sources": 16}
    whole = screen(SAMPLE, **small)
    assert whole[-1]["evicted"] > 0
    assert screen(SAMPLE, **small, block_packets=1) == whole


def test_a_live_call_and_a_profile_of_a_number_take_at_most_one_kibibyte():
    index_entries = 4 * 24  # a table of twice the size, rounded up to a power of two, of 24 byte entries at most
    assert CALL_BYTES + index_entries <= 1024
    assert PROFILE_BYTES["caller"] + index_entries <= 1024
    assert PROFILE_BYTES["callee"] + index_entries <= 1024


def test_the_documentation_says_how_large_the_tables_are():
    bounds = (SAMPLE.parent.parent.parent / "ARCHITECTURE.md").read_text(encoding="utf-8").split("## Bounds")[1]
    documented = {
        cells[1].strip(): cells[3].strip() for row in bounds.splitlines() if len(cells := row.split("|")) == 6
    }
    assert documented["live calls"] == documented["finished calls of a block"] == str(CALL_BYTES)
    assert documented["caller profiles"] == str(PROFILE_BYTES["caller"])
    assert documented["callee profiles"] == str(PROFILE_BYTES["callee"])
    assert documented["source profiles"] == (
        f"{PROFILE_BYTES['source']:,}, and {STYLE_BYTES} of signalling, {2 * GROUP_BYTES} of groups, "
        f"{SPELLINGS_BYTES} of spellings"
    )
    assert documented["subscribers' statistics"] == f"{SUBSCRIBER_BYTES:,}"
    assert documented["routes: addresses called"] == str(GROUP_BYTES)
    assert documented["findings about parties"] == f"{FINDING_BYTES}, with reasons and the last calls flagged"
    assert documented["why calls are watched or flagged"] == str(CALL_REASONS_BYTES)
    assert documented["crowds: who shares a style, a Contact, a block, a user, an account"] == str(CROWD_BYTES)
    assert documented["recordings: who heard a sound, played it, answered with it"] == str(CROWD_BYTES)


def flood(path):
    """Writes a capture of as many INVITEs, each with a caller and a Call-ID of its own, into a pipe."""
    frame = udp_frame(
        ("192.0.2.1", 5060), ("198.51.100.1", 5060), request("INVITE", call_id="flood-@@@@@@@", caller="+49@@@@@@@00")
    )
    parts = frame.split(b"@@@@@@@")
    head = struct.pack("<II", len(frame), len(frame))
    with path.open("wb") as pipe:
        pipe.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i in range(FLOOD_CALLS):
            time = struct.pack("<II", START_S + i // 20_000, i % 20_000 * 50)
            pipe.write(time + head + (b"%07d" % i).join(parts))


def peak_bytes(process):
    """The most memory that a running process has had. Not wait4's, which counts its parent's up to the exec."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def test_two_million_callers_stay_inside_the_configured_bound(tmp_path):
    fifo = tmp_path / "flood.pcap"
    os.mkfifo(fifo)
    writer = threading.Thread(target=flood, args=(fifo,), daemon=True)  # it waits for a reader, for ever if none comes
    writer.start()
    command = [sys.executable, "-m", "appliance", "screen", "--json", str(fifo)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        for count, line in enumerate(process.stdout):
            if count % 100_000 == 0:
                peak = peak_bytes(process)
            last = line
    assert process.returncode == 0
    writer.join()
    summary = msgspec.json.decode(last, type=SummaryLine)
    assert count >= FLOOD_CALLS
    assert summary.calls == FLOOD_CALLS
    limits = Limits()
    assert summary.evicted >= 2 * FLOOD_CALLS - limits.calls - limits.callers
    tables_bytes = 1024 * (limits.calls + limits.callers + limits.callees)
    program_bytes = 160 << 20  # Python, NumPy, the TFLite runtime, and the fixed tables of media and TCP
    assert peak < tables_bytes + program_bytes
