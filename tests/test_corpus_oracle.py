"""Real captures: what sipwarden counts in them is what tshark counts, or the exception is listed here."""

import asyncio
import csv
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pyshark
import pytest

SCRIPT = Path(__file__).with_name("each_capture.py")
SCREENING_TIMEOUT_S = 600
MAX_SECONDS_A_NEGATIVE = 2.0
CAPTURE_SUFFIXES = (".pcap", ".pcapng", ".cap")

# Where tshark is not right: capture -> what the truth is, and why.
EXCEPTIONS: dict[str, tuple[dict[str, int], str]] = {
    "sip_pcap/ndpi/http_on_sip_port.pcap": (
        {"sip_messages": 0, "sip_requests": 0, "sip_responses": 0, "calls": 0},
        "HTTP on port 5060: tshark takes the port for the protocol, RFC 3261 7.1 wants SIP/2.0 in the start line",
    ),
}
# Where MANIFEST.tsv does not have the number of RTP packets or streams that there are.
NOT_RTP = "the last datagram, four bytes FF, is of version 3 (RFC 3550 5.1: the version is 2)"
RTP_EXCEPTIONS: dict[str, tuple[int, int, str]] = {
    **{
        f"sip_pcap/wireshark-wiki/sip-rtp-{codec}.pcap": (425, 1, NOT_RTP) for codec in ("g722", "g729a", "gsm", "opus")
    },
    "sip_pcap/student/MichalCab-linphone-asterisk11.pcap": (
        154,
        2,
        "78 and 76 packets of two SSRCs, one each way, are two streams; two datagrams more are STUN (RFC 8489)",
    ),
}

Summary = dict[str, object]


@dataclass(frozen=True)
class Messages:
    """What an oracle sees in a capture."""

    sip_messages: int
    sip_requests: int
    sip_responses: int
    calls: int


def screen_each(paths: list[Path]) -> dict[str, Summary]:
    """The summary of every capture, each screened by itself."""
    done = subprocess.run(
        [sys.executable, SCRIPT],
        check=False,
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        timeout=SCREENING_TIMEOUT_S,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    last = [line["started"] for line in lines if "started" in line][-1:]
    assert done.returncode == 0, f"ended with {done.returncode} at {last}: {done.stderr[-2000:]}"
    return {line["path"]: line for line in lines if "path" in line}


@pytest.fixture(scope="module", autouse=True)
def loop_of_the_thread():
    """pyshark asks for the thread's, and a test that ran one of its own before leaves none."""
    asyncio.set_event_loop(asyncio.new_event_loop())


def tshark_messages(capture: Path) -> Messages:
    """Messages, and the Call-IDs of those that prove an INVITE, by tshark through pyshark."""
    messages = requests = responses = 0
    calls = set()
    with pyshark.FileCapture(str(capture), display_filter="sip", keep_packets=False) as packets:
        for packet in packets:
            for layer in packet.get_multiple_layers("sip"):
                messages += 1
                requests += layer.has_field("request_line")
                responses += layer.has_field("status_line")
                if layer.get("cseq_method") == "INVITE":
                    calls.add(layer.call_id)
    return Messages(messages, requests, responses, len(calls))


def captures(corpus: Path, folder: str) -> list[Path]:
    return sorted(path for path in (corpus / folder).rglob("*") if path.suffix in CAPTURE_SUFFIXES)


@pytest.fixture(scope="session")
def screened_corpus(corpus: Path) -> dict[str, Summary]:
    paths = captures(corpus, "sip_pcap") + captures(corpus, "rtp_pcap")
    return {str(Path(path).relative_to(corpus)): summary for path, summary in screen_each(paths).items()}


@pytest.fixture(scope="session")
def manifest(corpus: Path) -> dict[str, dict[str, str]]:
    with (corpus / "MANIFEST.tsv").open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file, delimiter="\t")}


def test_every_sip_capture_has_the_messages_and_calls_that_tshark_counts(corpus, tshark, screened_corpus):
    wrong = {}
    for path in captures(corpus, "sip_pcap") + captures(corpus, "rtp_pcap"):
        name = str(path.relative_to(corpus))
        truth, _ = EXCEPTIONS.get(name) or (asdict(tshark_messages(path)), "")
        ours = {key: screened_corpus[name].get(key) for key in truth}
        if ours != truth:
            wrong[name] = {"sipwarden": ours, "truth": truth}
    assert wrong == {}


def test_an_exception_is_one_that_tshark_still_makes(corpus, tshark_fields):
    # http_on_sip_port.pcap: two frames that tshark calls SIP, neither with a start line of SIP
    (name,) = EXCEPTIONS
    rows = tshark_fields(corpus / name, "sip", "frame.number", "sip.Request-Line", "sip.Status-Line")
    assert len(rows) == 2
    assert all(not request.endswith("SIP/2.0") and not status.startswith("SIP/2.0") for _, request, status in rows)


def test_every_capture_is_read_to_its_end(screened_corpus):
    assert {name: summary["problem"] for name, summary in screened_corpus.items() if summary["problem"]} == {}


def test_every_packet_of_the_manifest_is_read(screened_corpus, manifest):
    counted = {name: summary["packets"] for name, summary in screened_corpus.items()}
    assert counted == {name: int(manifest[name]["packets"]) for name in counted}


def test_every_capture_has_the_rtp_of_the_manifest(screened_corpus, manifest):
    wrong = {}
    for name, summary in screened_corpus.items():
        packets, streams, _ = RTP_EXCEPTIONS.get(
            name, (int(manifest[name]["rtp_pkts"]), int(manifest[name]["rtp_streams"]), "")
        )
        ours = (summary["rtp_packets"], summary["rtp_streams"])
        if ours != (packets, streams):
            wrong[name] = {"sipwarden": ours, "truth": (packets, streams)}
    assert wrong == {}


@pytest.fixture(scope="session")
def negatives(negative_captures: Path) -> dict[str, Summary]:
    return screen_each(captures(negative_captures, "."))


def test_no_negative_crashes(negatives):
    # a crash fails the fixture, and names the capture
    assert len(negatives) == 830


def test_no_negative_takes_long(negatives):
    assert {name: summary for name, summary in negatives.items() if summary["seconds"] > MAX_SECONDS_A_NEGATIVE} == {}


def test_no_negative_has_sip_that_tshark_does_not_see(negatives, tshark):
    wrong = {}
    for path, summary in negatives.items():
        if not summary.get("sip_messages"):
            continue
        theirs = asdict(tshark_messages(Path(path)))
        ours = {key: summary[key] for key in theirs}
        if any(ours[key] > theirs[key] for key in theirs):
            wrong[path] = {"sipwarden": ours, "tshark": theirs}
    assert wrong == {}
