"""Rings on a real link: veth pairs in a network namespace, and tcpreplay at the other end."""

import fcntl
import gzip
import os
import socket
import struct
import subprocess
import time

import pytest

from appliance.config import Capture, Config
from appliance.sources import open_sources
from appliance.sources import packet_socket as raw
from appliance.sources.filter import for_interface
from capture.file import CaptureFile
from tests.network import in_a_network_of_its_own, ip, link
from tests.tap import CALLEE, CALLER, Tap, request, response, screen, udp_frame
from tests.waiting import until
from tests.watch import Watch, write_pcap

SAMPLE = "simulator/samples/sample.pcap.gz"
PACKETS_A_SECOND = "15000"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000  # linux/if_tun.h
SAME = ("packets", "bytes", "sip_messages", "sip_requests", "sip_responses", "malformed", "calls", "rtp_packets")


def watched(interface="tap0", **settings):
    settings = {"interfaces": (interface,), "ring_mib": 32, "remove_duplicates": False} | settings
    config = Config(capture=Capture(**settings))
    return Watch(open_sources(config), config, 50_000_000 if config.capture.remove_duplicates else 0)


def replay(path, interface="port0"):
    return ["tcpreplay", "-q", f"--pps={PACKETS_A_SECOND}", "-i", interface, str(path)]


def send(frames, interface="port0"):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        out.bind((interface, 0))
        for frame in frames:
            out.send(frame.ljust(60, b"\0"))


def heard(opened, count):
    """The frames of a ring, as soon as there are so many: the kernel hands blocks over when their time is up."""
    frames = []
    until(lambda: frames.extend(frame for _, _, frame, _ in opened.ring) or len(frames) >= count, why=lambda: frames)
    return frames


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample capture, not packed: tcpreplay takes no gzip."""
    path = tmp_path_factory.mktemp("live") / "sample.pcap"
    with gzip.open(SAMPLE) as packed:
        path.write_bytes(packed.read())
    return path


@in_a_network_of_its_own("tcpreplay")
def test_what_is_replayed_on_a_link_is_counted_and_judged_as_the_same_frames_in_a_file(sample, tmp_path):
    with CaptureFile(sample) as capture:
        sent = [frame for _, _, frame, _ in capture]
    link("tap0", "port0")
    watch = watched()
    # a second ring keeps what came, with its time, as a file to screen
    everything = raw.PacketSocket("tap0", lambda _: for_interface("", "tap0", 65535), ring_bytes=32 << 20)
    frames = []
    with everything:
        watch.run_beside(replay(sample)).until(lambda: watch.counts()["packets"] >= len(sent))
        until(lambda: frames.extend(everything.ring) or len(frames) >= len(sent))
        assert everything.statistics()[1] == 0
    assert watch.sources[0].counters().dropped == 0
    frames = [(time_ns, frame) for time_ns, _, frame, _ in frames]
    assert [frame[: len(one)] for one, (_, frame) in zip(sent, frames, strict=True)] == sent
    totals = watch.counts()
    lines = watch.finish()
    [*of_file, summary] = screen(write_pcap(tmp_path / "live.pcap", frames))
    assert {name: totals[name] for name in SAME} == {name: summary[name] for name in SAME}
    live, screened = (
        {line["call_id"]: (line["verdict"], line["state"]) for line in found if line["type"] == "call"}
        for found in (lines, of_file)
    )
    assert live == screened
    assert "flag" in {verdict for verdict, _ in live.values()}


@in_a_network_of_its_own()
def test_an_interface_that_goes_away_and_comes_back_is_watched_again():
    watch = watched()
    assert watch.sources[0].problem == "is not there"
    link("tap0", "port0")
    watch.until(lambda: watch.sources[0].state == "up")
    send([udp_frame(CALLER, CALLEE, request("OPTIONS"))])
    watch.until(lambda: watch.counts()["sip_requests"] == 1)
    ip("link", "set", "tap0", "down")
    watch.until(lambda: watch.sources[0].problem == "is down")
    ip("link", "set", "tap0", "up")
    watch.until(lambda: watch.sources[0].state == "up")
    ip("link", "del", "tap0")
    watch.until(lambda: watch.sources[0].problem == "is not there")
    link("tap0", "port0")
    watch.until(lambda: watch.sources[0].state == "up")
    send([udp_frame(CALLER, CALLEE, request("OPTIONS", cseq=2, branch="b2"))])
    watch.until(lambda: watch.counts()["sip_requests"] == 2)
    counters = watch.sources[0].counters()
    assert (counters.packets, counters.errors) == (2, 2)
    assert watch.states == ["down", "up", "down", "up", "down", "up"]


@in_a_network_of_its_own()
def test_a_look_at_an_interface_that_is_watched_holds_no_packet_up():
    link("tap0", "port0")
    looks_s = []
    with raw.PacketSocket("tap0", lambda _: for_interface("", "tap0", 65535), ring_bytes=1 << 20) as watching:
        for _ in range(21):
            began_s = time.perf_counter()
            assert watching.trouble() is None
            looks_s.append(time.perf_counter() - began_s)
    # asked through a packet socket of its own, the least was 4 ms: the kernel waits when one is closed
    assert min(looks_s) < 0.002


@in_a_network_of_its_own()
def test_an_interface_that_is_renamed_is_missed_under_its_name():
    link("tap0", "port0")
    watch = watched().until(lambda: True)
    ip("link", "set", "tap0", "down")
    ip("link", "set", "tap0", "name", "tap9")
    ip("link", "set", "tap9", "up")
    watch.until(lambda: watch.sources[0].problem == "is not there")


def with_tags(frame, *tags):
    return frame[:12] + b"".join(struct.pack("!HH", 0x8100, tag) for tag in tags) + frame[12:]


@in_a_network_of_its_own()
def test_vlan_tags_are_kept_and_a_filter_that_says_nothing_of_them_holds_behind_them():
    link("tap0", "port0")
    sip, other = (udp_frame((CALLER[0], 4000), (CALLEE[0], port), b"x" * 40) for port in (5060, 5070))
    frames = [sip, with_tags(sip, 7), with_tags(sip, 7, 8)]
    code = for_interface("udp port 5060", "tap0", 65535)
    with raw.PacketSocket("tap0", lambda _: code, ring_bytes=1 << 20) as opened:
        send([other, with_tags(other, 7), with_tags(other, 7, 8), *frames])
        assert heard(opened, count=3) == frames
        assert opened.statistics() == (3, 0)


@in_a_network_of_its_own()
def test_a_filter_for_one_vlan_sees_that_one_although_the_kernel_keeps_tags_apart():
    link("tap0", "port0")
    sip = udp_frame(CALLER, CALLEE, b"x" * 40)
    code = for_interface("vlan 8 and udp", "tap0", 65535)
    with raw.PacketSocket("tap0", lambda _: code, ring_bytes=1 << 20) as opened:
        send([sip, with_tags(sip, 7), with_tags(sip, 8)])
        assert heard(opened, count=1) == [with_tags(sip, 8)]


@in_a_network_of_its_own()
def test_the_filter_is_the_kernels_and_was_there_before_the_first_packet():
    link("tap0", "port0")
    noise = subprocess.Popen(
        ["python3", "-c", NOISE, udp_frame((CALLER[0], 9), (CALLEE[0], 9), b"x" * 40).hex()], stdin=subprocess.PIPE
    )
    try:
        with raw.PacketSocket("tap0", lambda _: for_interface("", "tap0", 65535), ring_bytes=1 << 20) as opened:
            heard(opened, count=1)
        for _ in range(10):
            code = for_interface("udp port 5060", "tap0", 65535)
            with raw.PacketSocket("tap0", lambda _, code=code: code, ring_bytes=1 << 20) as opened:
                time.sleep(0.02)
                assert list(opened.ring) == []
                assert opened.statistics() == (0, 0)  # the kernel counts what passed the filter
    finally:
        noise.stdin.close()
        noise.wait()


NOISE = """
import select, socket, sys
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
out.bind(("port0", 0))
while not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(50):
        out.send(bytes.fromhex(sys.argv[1]))
"""


@in_a_network_of_its_own()
@pytest.mark.parametrize("wanted", [True, False])
def test_packets_to_others_are_asked_for_only_when_that_is_configured(wanted):
    link("tap0", "port0")
    watch = watched(promiscuous=wanted).until(lambda: True)
    assert watch.sources[0].state == "up"
    # what other programs see of it: the flag of netdevice(7)
    shown = subprocess.run(["ip", "-d", "link", "show", "tap0"], check=True, capture_output=True, text=True).stdout
    assert f"promiscuity {int(wanted)} " in shown
    watch.sources[0].close()


@in_a_network_of_its_own()
def test_loopback_shows_every_packet_once():
    watch = watched("lo").until(lambda: True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for i in range(5):
            out.sendto(request("OPTIONS", cseq=i, branch=f"b{i}"), ("127.0.0.1", 5060))
    watch.until(lambda: watch.counts()["sip_requests"] >= 5).until_quiet()
    assert watch.counts()["sip_requests"] == 5


@in_a_network_of_its_own()
def test_a_ring_that_nobody_reads_counts_what_it_dropped():
    link("tap0", "port0")
    code = for_interface("", "tap0", 65535)
    with raw.PacketSocket("tap0", lambda _: code, ring_bytes=256 * 1024) as opened:
        send([udp_frame(CALLER, CALLEE, bytes(1400))] * 400)
        until(lambda: opened.statistics()[0] == 400)
        first = opened.statistics()
        send([udp_frame(CALLER, CALLEE, bytes(1400))] * 100)
        until(lambda: opened.statistics()[0] == 500)
        dropped = opened.statistics()[1]
        assert dropped == first[1] + 100 > 100
        assert len(heard(opened, count=500 - dropped)) == 500 - dropped


@in_a_network_of_its_own()
def test_a_long_packet_is_cut_to_the_snapshot_length_and_keeps_its_length_on_the_wire():
    link("tap0", "port0")
    code = for_interface("", "tap0", 300)
    with raw.PacketSocket("tap0", lambda _: code, ring_bytes=1 << 20) as opened:
        frame = udp_frame(CALLER, CALLEE, bytes(range(256)) * 4)
        send([frame])
        found = []
        until(lambda: found.extend(opened.ring) or found)
        [(_, _, data, wire_bytes)] = found
        assert (data, wire_bytes) == (frame[:300], len(frame))


@in_a_network_of_its_own()
def test_a_device_without_a_link_header_is_watched():
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("no /dev/net/tun on this machine")
    tunnel = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tunnel, TUNSETIFF, struct.pack("16sH22x", b"tun7", IFF_TUN | IFF_NO_PI))
    ip("link", "set", "tun7", "up")
    watch = watched("tun7", filter="udp port 5060").until(lambda: True)
    for port in (5060, 5070):
        os.write(tunnel, udp_frame((CALLER[0], 4000), (CALLEE[0], port), request("OPTIONS"))[14:])
    watch.until(lambda: watch.counts()["sip_requests"] == 1).until_quiet()
    assert watch.counts()["packets"] == 1
    os.close(tunnel)


@in_a_network_of_its_own()
def test_two_rings_of_a_fanout_group_share_the_packets():
    link("tap0", "port0")
    code = for_interface("", "tap0", 65535)
    rings = [raw.PacketSocket("tap0", lambda _: code, ring_bytes=1 << 20, fanout_group=7) for _ in range(2)]
    frames = [udp_frame(("192.0.2.7", 1000 + i), CALLEE, b"x" * 40) for i in range(200)]
    send(frames)
    shares = [[], []]

    def is_shared_out():
        for share, opened in zip(shares, rings, strict=True):
            share += [frame for _, _, frame, _ in opened.ring]
        return sum(map(len, shares)) >= len(frames)

    until(is_shared_out)
    for opened in rings:
        opened.close()
    assert sorted(shares[0] + shares[1]) == sorted(frames)
    assert min(map(len, shares)) > 20


@in_a_network_of_its_own()
def test_the_fallback_sees_what_the_ring_sees():
    link("tap0", "port0")
    watch = watched(fallback=True, filter="udp port 5060")
    watch.until(lambda: watch.sources[0].state == "up")
    sip = udp_frame(CALLER, CALLEE, request("OPTIONS"))
    send([sip, udp_frame((CALLER[0], 9), (CALLEE[0], 9), b"x" * 40), with_tags(sip, 7)])
    watch.until(lambda: watch.counts()["sip_requests"] == 2).until_quiet()
    assert watch.sources[0].counters().packets == 2
    ip("link", "set", "tap0", "down")
    watch.until(lambda: watch.sources[0].state == "down")
    ip("link", "set", "tap0", "up")
    watch.until(lambda: watch.sources[0].state == "up")


@in_a_network_of_its_own("tcpreplay")
def test_a_mirror_that_shows_everything_twice_gives_the_calls_of_one_that_does_not(tmp_path):
    tap = Tap()
    tap.send(request("INVITE", sdp=("192.0.2.10", 4000)))
    tap.reply(response(180, to_tag="bob"))
    tap.reply(response(200, to_tag="bob", sdp=("198.51.100.20", 5000)))
    tap.send(request("ACK", to_tag="bob"))
    tap.rtp(("192.0.2.10", 4000), ("198.51.100.20", 5000), count=20, interval_s=0.001)
    tap.send(request("BYE", cseq=2, branch="b2", to_tag="bob"))
    tap.reply(response(200, method="BYE", cseq=2, branch="b2", to_tag="bob"))
    twice = [packet for packet in tap.packets for _ in range(2)]
    path = write_pcap(tmp_path / "twice.pcap", [(int(time_s * 1e9), frame) for time_s, frame in twice])
    link("tap0", "port0")
    watch = watched(remove_duplicates=True)
    # fast, so that the sender is hardly ever held up between a packet and its copy
    watch.run_beside(replay(path)).until(lambda: watch.sources[0].counters().duplicates == len(tap.packets))
    assert watch.counts()["sip_messages"] == 6
    [call] = [line for line in watch.finish() if line["type"] == "call"]
    assert (call["state"], call["messages"]) == ("completed", 6)
    assert sum(stream["packets"] for stream in call["streams"]) == 20
