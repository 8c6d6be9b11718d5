"""The benchmarks measure what they say: a ruler has to be straight before anyone reads it."""

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import RawPcapWriter

from benchmarks.captures import compress
from benchmarks.contenders import WORKLOADS, Target, commands
from benchmarks.measure import RunError, run

ROOT = Path(__file__).resolve().parent.parent

INVITE = (
    b"INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\n"
    b"Call-ID: 1\r\nCSeq: 1 INVITE\r\nSubject: Via: From: To:\r\nContent-Length: 9\r\n\r\nVia: no\r\n"
)
RTP = struct.pack(">BBHII", 0x80, 0, 7, 160, 0xDEADBEEF) + b"\x55" * 160


def test_the_cpu_time_is_that_of_the_child() -> None:
    busy = run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], 20)
    idle = run([sys.executable, "-c", "import time; time.sleep(0.3)"], 20)
    assert busy.cpu_s >= 0.3
    assert idle.cpu_s < 0.3 <= idle.wall_s


def test_the_memory_is_that_of_the_child() -> None:
    assert run([sys.executable, "-c", "b'x' * (300 << 20)"], 20).peak_bytes > 300 << 20


def test_a_run_that_fails_or_does_not_end_is_no_figure() -> None:
    with pytest.raises(RunError, match="status 3"):
        run([sys.executable, "-c", "exit(3)"], 20)
    with pytest.raises(RunError, match="ended after 1 s"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], 1)


def test_a_target_is_met_on_its_own_side_of_the_ratio() -> None:
    faster, cheaper = Target("sngrep", 4, True), Target("walk", 3, False)
    assert faster.met(faster.ratio(1.0, 4.1))
    assert not faster.met(faster.ratio(1.0, 3.9))
    assert cheaper.met(cheaper.ratio(1.4, 0.5))
    assert not cheaper.met(cheaper.ratio(1.6, 0.5))


def test_the_targets_are_those_that_the_project_set_itself() -> None:
    targets = {name: {t.than: (t.times, t.faster) for t in workload.targets} for name, workload in WORKLOADS.items()}
    assert targets["signalling"] == {"sngrep": (4, True), "walk": (3, False)}
    assert targets["media"] == {"sngrep": (50, True), "walk": (3, False)}
    moonshots = {name: workload.moonshot_us for name, workload in WORKLOADS.items()}
    assert moonshots == {"signalling": 1.0, "media": 0.15, "signalling.gz": None}


def test_only_who_reads_gzip_is_asked_to() -> None:
    assert list(commands(WORKLOADS["signalling"], Path("x.pcap"))) == ["sipwarden", "walk", "sngrep", "tshark"]
    assert list(commands(WORKLOADS["signalling.gz"], Path("x.pcap.gz"))) == ["sipwarden", "zcat", "tshark"]


def test_a_compressed_capture_is_the_plain_one(tmp_path: Path) -> None:
    plain, compressed = tmp_path / "x.pcap", tmp_path / "x.pcap.gz"
    plain.write_bytes(bytes(range(256)) * 10_000)
    compress(plain, compressed)
    assert gzip.decompress(compressed.read_bytes()) == plain.read_bytes()
    assert sorted(tmp_path.iterdir()) == [plain, compressed]


@pytest.fixture(scope="module")
def walk_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the walk is compiled; it is not part of what is installed."""
    folder = tmp_path_factory.mktemp("walk")
    (folder / "walk.pyx").write_bytes((ROOT / "benchmarks" / "walk.pyx").read_bytes())
    cythonize = Path(sys.executable).parent / "cythonize"
    quickly = os.environ | {"CFLAGS": "-O0"}
    subprocess.run([cythonize, "--quiet", "-3", "--inplace", "walk.pyx"], check=True, cwd=folder, env=quickly)
    return folder


def test_the_walk_sees_every_message_field_and_rtp_packet(walk_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    udp = Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5060, dport=5060)
    packets = [udp / Raw(INVITE), udp / Raw(b"SIP/2.0 200 OK\r\nv: x\r\n\r\n"), udp / Raw(RTP), udp / Raw(b"\r\n\r\n")]
    packets.append(Ether() / IP() / TCP() / Raw(INVITE))
    with RawPcapWriter(str(walk_folder / "all.pcap"), linktype=1) as writer:
        writer.write([bytes(packet) for packet in packets] * 1000)  # past the end of one buffer
    monkeypatch.syspath_prepend(walk_folder)
    from walk import walk  # noqa: PLC0415

    counts = walk(str(walk_folder / "all.pcap"))
    del counts["digest"]
    assert counts == {"packets": 5000, "sip_messages": 2000, "header_fields": 7000, "rtp_packets": 1000}
    with pytest.raises(OSError, match="not readable"):
        walk(str(walk_folder / "none.pcap"))
