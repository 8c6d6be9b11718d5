"""Sources that need no interface: HEP sockets, watched directories, filters, and what opens them."""

import contextlib
import gzip
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from datetime import timedelta

import pytest

from appliance import log
from appliance.config import Capture, Config, Hep, Service
from appliance.errors import SettingError
from appliance.sources import directory, open_sources
from appliance.sources import filter as packet_filter
from appliance.sources.directory import ABANDONED_S, SETTLED_S, DirectorySource
from appliance.sources.errors import FilterError
from appliance.sources.hep import MAXIMUM_CONNECTIONS, HepSource
from appliance.sources.hep_secrets import HepSecrets
from capture import hep as hep_reader
from tests.certificates import self_signed
from tests.hep_messages import OLD, hep
from tests.tap import Tap, request
from tests.waiting import until
from tests.watch import Watch

OPTIONS = request("OPTIONS")


# --- HEP


@contextlib.contextmanager
def listening(**settings):
    source = HepSource(Hep(listen="127.0.0.1:0", **settings))
    source.receive()
    assert source.state == "up", source.problem
    try:
        yield source, Watch([source], Config())
    finally:
        source.close()


def datagrams(port, *messages):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for message in messages:
            out.sendto(message, ("127.0.0.1", port))


def test_datagrams_and_connections_are_taken_at_the_same_port():
    with listening() as (source, watch), socket.create_connection(("127.0.0.1", source.port)) as stream:
        datagrams(source.port, hep(OPTIONS), hep(request("OPTIONS", cseq=2)))
        stream.sendall(hep(request("OPTIONS", cseq=3)))
        watch.until(lambda: watch.counts()["sip_requests"] == 3)
        assert source.counters().packets == 3


def test_a_message_that_comes_in_pieces_over_a_connection_is_put_together():
    with listening() as (source, watch), socket.create_connection(("127.0.0.1", source.port)) as stream:
        for byte in hep(OPTIONS)[:40]:
            stream.sendall(bytes([byte]))
            watch.turn(0.001)
        stream.sendall(hep(OPTIONS)[40:] + hep(request("OPTIONS", cseq=2)))
        watch.until(lambda: watch.counts()["sip_requests"] == 2)


def test_a_connection_with_more_than_fits_at_once_is_read_to_its_end_without_news_from_the_kernel():
    message = hep(OPTIONS + b" " * 50_000)
    with listening() as (source, watch), socket.create_connection(("127.0.0.1", source.port)) as stream:
        stream.setblocking(False)
        sent = 0
        data = message * 100
        while sent < len(data):
            with contextlib.suppress(BlockingIOError):
                sent += stream.send(data[sent:])
            watch.turn(0.001)
        watch.until(lambda: watch.counts()["packets"] == 100)


def test_agents_that_send_all_they_can_get_their_turn_all_the_same():
    with listening() as (source, _), contextlib.ExitStack() as stack:
        streams = [stack.enter_context(socket.create_connection(("127.0.0.1", source.port))) for _ in range(30)]
        messages = [hep(b" " * 60_000, (f"192.0.2.{i}", 5060)) for i in range(len(streams))]
        senders = [
            threading.Thread(target=stream.sendall, args=(message * 39,))
            for stream, message in zip(streams, messages, strict=True)
        ]
        for stream, message, sender in zip(streams, messages, senders, strict=True):
            stream.sendall(message)  # for which the kernel has room: each has something to say from the first turn on
            sender.start()
        seen = []

        def all_are_seen():
            source.receive()
            seen.extend(hep_reader.read(data)["source"][0] for _, _, data, _ in source.reader)
            return len(seen) == 40 * len(streams)

        until(all_are_seen, why=lambda: len(seen))
        for sender in senders:
            sender.join()
    # a turn has room for some 17 messages: within a few of them everybody was served
    assert len(set(seen[: 4 * len(streams)])) == len(streams)


def test_an_agent_that_does_not_speak_hep_is_shown_the_door_and_the_others_stay():
    with listening() as (source, watch):
        good, bad, half = (socket.create_connection(("127.0.0.1", source.port)) for _ in range(3))
        bad.sendall(b"GET / HTTP/1.1\r\n\r\n")
        half.sendall(hep(OPTIONS)[:50])
        half.close()
        good.sendall(hep(OPTIONS))
        watch.until(lambda: watch.counts()["sip_requests"] == 1).until(lambda: source.counters().errors == 2)
        assert bad.recv(1) == b""
        good.sendall(hep(OPTIONS))
        watch.until(lambda: watch.counts()["sip_requests"] == 2)
        good.close()
        bad.close()
        watch.until(lambda: source.details()["connections"] == 0)
        assert source.counters().errors == 2  # ending after a whole message is none


def test_hundreds_of_silent_connections_give_way_to_one_that_speaks():
    with listening() as (source, watch), contextlib.ExitStack() as stack:
        for _ in range(MAXIMUM_CONNECTIONS + 20):
            stack.enter_context(socket.create_connection(("127.0.0.1", source.port)))
            watch.turn(0)
        watch.until(lambda: source.counters().errors == 20)
        assert source.details()["connections"] == MAXIMUM_CONNECTIONS
        stream = stack.enter_context(socket.create_connection(("127.0.0.1", source.port)))
        stream.sendall(hep(OPTIONS))
        watch.until(lambda: watch.counts()["sip_requests"] == 1)


def test_an_agent_that_has_sent_messages_does_not_give_way_to_those_that_send_none():
    with listening() as (source, watch), contextlib.ExitStack() as stack:
        agent = stack.enter_context(socket.create_connection(("127.0.0.1", source.port)))
        agent.sendall(hep(OPTIONS))
        watch.until(lambda: watch.counts()["sip_requests"] == 1)
        for _ in range(MAXIMUM_CONNECTIONS + 20):
            stack.enter_context(socket.create_connection(("127.0.0.1", source.port)))
            watch.turn(0)
        watch.until(lambda: source.counters().errors == 21)
        agent.sendall(hep(request("OPTIONS", cseq=2)))
        watch.until(lambda: watch.counts()["sip_requests"] == 2)


def test_a_flood_of_malformed_hep_is_counted_and_what_is_good_between_it_is_read():
    with listening() as (source, watch):
        junk = [b"", b"HEP3", b"HEP3\xff\xff" + bytes(500), os.urandom(200), hep(OPTIONS)[:-3], *OLD]
        for turn in range(100):
            datagrams(source.port, *junk, hep(request("OPTIONS", cseq=turn)))
            watch.turn(0)
        watch.until(lambda: watch.counts()["sip_requests"] == 100)
        details = source.details()
        assert (details["old"], details["malformed"]) == (200, 500)
        assert source.counters().errors == 700
        assert source.state == "up"


def test_a_flood_that_is_faster_than_the_box_is_dropped_by_the_kernel_and_counted():
    with listening() as (source, watch):
        message = hep(OPTIONS + b" " * 30_000)
        datagrams(source.port, *[message] * 1000)
        watch.until(lambda: source.counters().packets + source.counters().dropped == 1000)
        assert source.counters().dropped > 0


def test_that_messages_do_not_carry_the_key_is_said_as_soon_as_they_come(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("appliance.sources.hep.LOOK_S", 0.0)
    (tmp_path / "key").write_text("right")
    with listening(key_file=str(tmp_path / "key")) as (source, watch):
        datagrams(source.port, hep(OPTIONS, key=b"wrong"))
        watch.until(lambda: "HEP messages do not carry the key" in caplog.text)


def test_with_a_key_in_a_file_other_messages_are_refused(tmp_path):
    key = tmp_path / "key"
    key.write_text("open sesame\n")
    with listening(key_file=str(key)) as (source, watch):
        datagrams(source.port, hep(OPTIONS), hep(OPTIONS, key=b"open sesam"), hep(OPTIONS, key=b"open sesame"))
        watch.until(lambda: source.details()["messages"] == 3)
        assert watch.counts()["sip_requests"] == 1
        assert source.details()["refused"] == 2


def test_a_key_that_is_renewed_is_the_one_that_counts_from_then_on(tmp_path):
    key = tmp_path / "key"
    key.write_text("open sesame")
    with listening(key_file=str(key)) as (source, watch):
        key.write_text("another one")
        source.use(HepSecrets.read(Hep(listen="127.0.0.1:0", key_file=str(key))))
        datagrams(source.port, hep(OPTIONS, key=b"open sesame"), hep(OPTIONS, key=b"another one"))
        watch.until(lambda: source.details()["messages"] == 2)
        assert watch.counts()["sip_requests"] == 1
        assert source.details()["refused"] == 1
        source.use(HepSecrets(None, None))
        datagrams(source.port, hep(request("OPTIONS", cseq=2)))
        watch.until(lambda: watch.counts()["sip_requests"] == 2)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("no openssl on this machine")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key", "-out", folder / "crt",
         "-days", "1", "-subj", "/CN=localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def test_with_a_certificate_tls_is_all_that_is_spoken(certificate):
    settings = {"tls_certificate": str(certificate / "crt"), "tls_key": str(certificate / "key")}
    with listening(**settings) as (source, watch):
        context = ssl.create_default_context(cafile=certificate / "crt")
        plain = socket.create_connection(("127.0.0.1", source.port))
        plain.sendall(hep(OPTIONS))
        datagrams(source.port, hep(OPTIONS))
        outside, inside = ssl.MemoryBIO(), ssl.MemoryBIO()
        agent = context.wrap_bio(outside, inside, server_hostname="localhost")
        stream = socket.create_connection(("127.0.0.1", source.port))
        stream.setblocking(False)

        def speak(step):
            def is_done():
                try:
                    done = step()
                except ssl.SSLWantReadError:
                    done = False
                stream.sendall(inside.read())
                watch.turn(0.005)
                with contextlib.suppress(BlockingIOError):
                    outside.write(stream.recv(65536))
                return done

            until(is_done)

        speak(lambda: agent.do_handshake() or True)
        speak(lambda: agent.write(hep(OPTIONS) + hep(request("OPTIONS", cseq=2))))
        watch.until(lambda: watch.counts()["sip_requests"] == 2)
        watch.until(lambda: source.counters().errors == 1)  # the one that spoke plainly
        assert watch.counts()["packets"] == 2
        plain.close()
        stream.close()


def test_an_agent_that_does_not_speak_tls_is_named_with_what_it_did(certificate, capsys):
    log.configure("warning", "text")
    settings = {"tls_certificate": str(certificate / "crt"), "tls_key": str(certificate / "key")}
    with listening(**settings) as (source, watch), socket.create_connection(("127.0.0.1", source.port)) as plain:
        plain.sendall(hep(OPTIONS))
        watch.until(lambda: source.counters().errors == 1)
    assert "the agent does not speak TLS" in capsys.readouterr().err


@pytest.mark.parametrize("said", [b"", b"HEP3"])
def test_a_connection_that_is_reset_before_it_was_taken_costs_itself_only(certificate, said):
    settings = {"tls_certificate": str(certificate / "crt"), "tls_key": str(certificate / "key")}
    with listening(**settings) as (source, watch):
        with socket.create_connection(("127.0.0.1", source.port)) as scanner:
            scanner.sendall(said)
            scanner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close resets
        watch.until(lambda: source.counters().errors == 1)
        assert source.state == "up"
        assert source.details()["connections"] == 0


@pytest.mark.parametrize("days, warned", [(-1, True), (0, False), (2, True)])
def test_a_certificate_that_is_not_valid_now_is_warned_of_and_shown_all_the_same(tmp_path, capsys, days, warned):
    log.configure("warning", "text")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(self_signed(key, age=timedelta(days=days)))
    secrets = HepSecrets.read(Hep(listen="127.0.0.1:0", tls_certificate=str(chain), tls_key=str(key)))
    assert secrets.tls is not None
    said = capsys.readouterr().err
    assert ("is not valid now" in said) == warned
    assert (f"certificate={chain}" in said) == warned


@pytest.mark.parametrize(
    "settings",
    [
        {"key_file": "/nowhere/key"},
        {"key_file": "/dev/null"},
        {"tls_certificate": "/nowhere/crt", "tls_key": "/nowhere/key"},
    ],
)
def test_a_key_or_certificate_that_cannot_be_used_is_said_at_the_start(settings):
    with pytest.raises(SettingError, match=r"hep\.(key_file|tls_certificate): /"):
        open_sources(Config(hep=Hep(listen="127.0.0.1:0", **settings)))


def test_a_port_that_somebody_else_has_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        source = HepSource(Hep(listen=f"127.0.0.1:{port}"))
        source.receive()
        assert source.state == "down"
        assert f"port {port}: Address already in use" in source.problem
        assert source.fileno() == -1
    until(lambda: source.receive() or source.state == "up")
    source.close()


# --- directories


@pytest.fixture
def captures(tmp_path):
    (tmp_path / "captures").mkdir()
    (tmp_path / "state").mkdir()
    return tmp_path / "captures"


def watching(captures):
    config = Config(capture=Capture(directory=str(captures)), service=Service(state_dir=str(captures.parent / "state")))
    return Watch(open_sources(config), config)


def capture_of(*call_ids):
    tap = Tap()
    for call_id in call_ids:
        tap.send(request("INVITE", call_id=call_id))
    return tap


def age(path, seconds):
    then_s = time.time() - seconds
    os.utime(path, (then_s, then_s))


def test_a_capture_is_read_once_when_it_is_moved_into_the_directory(captures, tmp_path):
    watch = watching(captures).until(lambda: True)
    capture_of("a", "b").write(tmp_path / "one.pcap").rename(captures / "one.pcap")
    watch.until(lambda: watch.counts()["calls"] == 2).until_quiet()
    counters = watch.sources[0].counters()
    assert (counters.packets, counters.errors) == (2, 0)
    assert counters.bytes == (captures / "one.pcap").stat().st_size
    again = watching(captures).until_quiet()
    assert again.counts()["packets"] == 0


def test_a_capture_is_not_touched_while_it_is_written_and_taken_when_it_is_closed(captures):
    watch = watching(captures).until(lambda: True)
    data = capture_of("a", "b").write(captures.parent / "whole").read_bytes()
    with (captures / "one.pcap").open("wb") as file:
        file.write(data[:100])
        file.flush()
        assert watch.until_quiet().counts()["packets"] == 0
        file.write(data[100:])
    watch.until(lambda: watch.counts()["packets"] == 2)


def test_what_lay_there_at_the_start_is_read_when_it_has_settled_and_the_latest_when_it_was_abandoned(
    captures, monkeypatch
):
    monkeypatch.setattr(directory, "SCAN_S", 0.1)
    for seconds, name in ((5, "written"), (SETTLED_S + 1, "old"), (SETTLED_S + 9, "older")):
        age(capture_of(name).write(captures / f"{name}.pcap"), seconds)
    watch = watching(captures)
    watch.until(lambda: watch.counts()["packets"] == 2).until_quiet()
    age(captures / "written.pcap", SETTLED_S + 1)  # still the latest
    watch.until_quiet(directory.SCAN_S + 0.1)
    assert watch.counts()["calls"] == 2
    age(captures / "written.pcap", ABANDONED_S + 1)
    watch.until(lambda: watch.counts()["calls"] == 3)
    calls = [line["call_id"] for line in watch.finish() if line["type"] == "call"]
    assert sorted(calls) == ["old", "older", "written"]


def test_packed_captures_are_read_and_files_of_other_kinds_are_said_and_not_tried_again(captures):
    plain = capture_of("a").write(captures.parent / "plain").read_bytes()
    (captures / "packed.pcap.gz").write_bytes(gzip.compress(plain))
    (captures / "notes.txt").write_text("rotated by hand")
    (captures / ".hidden.pcap").write_bytes(plain)
    (captures / "half.pcap.part").write_bytes(plain)
    for path in captures.iterdir():
        age(path, ABANDONED_S + 1)
    watch = watching(captures)
    watch.until(lambda: watch.counts()["packets"] == 1).until(lambda: watch.sources[0].counters().errors == 1)
    watch.until_quiet()
    assert watch.sources[0].counters().errors == 1
    assert watching(captures).until_quiet().sources[0].counters().errors == 0


def test_a_capture_that_is_longer_than_the_buffer_is_taken_whole_whatever_a_block_holds(captures):
    tap = Tap()
    for _ in range(3):
        tap.rtp(("192.0.2.10", 4000), ("198.51.100.20", 5000), count=4000, interval_s=0.0001)
    age(tap.write(captures / "long.pcap"), ABANDONED_S + 1)
    config = Config()
    source = DirectorySource(captures, captures.parent / "state")
    watch = Watch([source], config)
    taken = 0

    def all_are_taken():
        nonlocal taken
        source.receive()
        source.receive()  # twice, with nothing taken between
        if source.reader is not None:
            for _ in zip(range(500), source.reader, strict=False):
                taken += 1
        return taken == 12_000

    until(all_are_taken, why=lambda: taken)
    watch.finish()


def test_a_directory_that_is_missing_is_waited_for_and_one_that_goes_is_missed(captures):
    captures.rmdir()
    watch = watching(captures)
    assert watch.sources[0].problem == "cannot be watched: no such file or directory"
    captures.mkdir()
    watch.until(lambda: watch.sources[0].state == "up")
    captures.rmdir()
    watch.until(lambda: watch.sources[0].state == "down")


# --- filters


@pytest.mark.parametrize("expression", ["udp prt 5060", "(", "host", "udp\0", "vlan vlan vlan 5000"])
def test_what_is_no_filter_is_refused_with_the_reason_of_libpcap(expression):
    with pytest.raises(FilterError, match=r"\w"):
        packet_filter.check(expression)
    with pytest.raises(SettingError, match=r"^capture\.filter: "):
        open_sources(Config(capture=Capture(filter=expression)))


@pytest.mark.parametrize(
    "expression", ["", "udp", "port 5060 or portrange 10000-20000", "vlan 7 and udp", "net 10.0.0.0/8"]
)
def test_what_is_a_filter_is_taken(expression):
    packet_filter.check(expression)


def test_only_a_filter_that_says_nothing_of_tags_is_taken_to_hold_behind_them():
    assert packet_filter.at_any_tag("udp").count("vlan") == 2
    for expression in ("", "vlan 7", "udp or (vlan and udp)", "mpls and udp", "VLAN 3"):
        assert packet_filter.at_any_tag(expression) == expression


@pytest.mark.parametrize(
    ("expression", "unseen"),
    [
        ("", []),
        ("udp port 5060", ["GRE", "ERSPAN", "IP in IP", "VXLAN", "GTP-U", "MPLS"]),
        ("udp", ["GRE", "ERSPAN", "IP in IP", "MPLS"]),
        ("udp port 5060 or ip proto 47 or ip proto 4", ["VXLAN", "GTP-U", "MPLS"]),
        ("ip", ["MPLS"]),
        ("host 203.0.113.9", []),  # of addresses that no sample has, nothing can be said
    ],
)
def test_a_filter_is_asked_what_it_would_not_see(expression, unseen):
    assert packet_filter.blind_spots(expression) == unseen


def test_whether_a_filter_sees_sip_can_be_asked():
    assert packet_filter.sees_sip("udp port 5060")
    assert not packet_filter.sees_sip("tcp")


def test_without_anything_configured_there_are_no_sources():
    assert open_sources(Config()) == []
