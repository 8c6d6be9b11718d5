"""What must hold for any input at all. A target takes bytes and raises AssertionError, or dies under a sanitizer."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from appliance import report
from appliance.config import Config, Limits
from appliance.pipeline import Pipeline
from appliance.report import CallLine
from capture import hep as hep_reader
from capture import sdp, sip
from capture.decode import Decoder
from capture.errors import CaptureFileError
from capture.hep_feed import HepFeed
from capture.records import RecordReader
from capture.sip_check import check_message

# So small that a few hundred packets reach every bound.
SMALL = Config(limits=Limits(calls=16, callers=16, sources=16, streams=16, tcp_connections=16, block_packets=7))
RECORD_STEP = 7  # bytes: shares no factor with the 4 of pcap and pcapng
STREAM_BYTES = 2048  # asking byte by byte is quadratic

Target = Callable[[bytes], None]


def sip_message(data: bytes) -> None:
    """What is read lies inside the message; what is malformed says why and where."""
    for stream in (False, True):
        read = sip.read(data, stream)
        if read["status"] not in ("message", "malformed"):
            continue
        assert read["bytes"] <= len(data), read
        assert read["error_offset"] <= len(data), read
        assert all(end <= len(data) for *_, end in read["fields"]), read
        assert read["status"] == "message" or read["error"] != 0, read


def sip_stream(data: bytes) -> None:
    """Asked again at each length that it says it needs, a stream gives the answer that it gives when it is whole."""
    data = data[:STREAM_BYTES]
    whole = sip.read(data, True)
    length = 1
    while length < len(data):
        part = sip.read(data[:length], True)
        if part["status"] != "need_more":
            assert part == whole, length
            return
        length = max(length + 1, part["bytes"])


def sip_grammar(data: bytes) -> None:
    """The grammar places its fault inside the message, and what it calls valid is a message for the reader, too."""
    checked = check_message(data)
    if checked.error is not None:
        assert 0 <= checked.offset <= len(data), checked
        return
    # Senders of the version in small letters are inside the grammar, yet not SIP for the reader (nor for tshark).
    first_line, _, _ = data.lstrip(b"\r\n").partition(b"\n")
    assert sip.read(data.lstrip(b"\r\n"))["status"] == "message" or b"SIP/2.0" not in first_line


def session_description(data: bytes) -> None:
    """Whatever the text says, what is read of it keeps its bounds."""
    for media in sdp.read(data[max(data.find(b"v=0"), 0) :]) or ():
        assert all(0 <= port <= 65535 for _, port in (media["rtp"], media["rtcp"])), media
        assert all(number <= 127 and len(name) <= 15 for number, name, _ in media["formats"]), media


def records(data: bytes) -> None:
    """Fed a few bytes at a time, a file gives the records and the problem that it gives when it is whole."""
    whole = RecordReader(bytearray(data), len(data))
    expected = list(whole)
    buffer = memoryview(bytearray(len(data)))
    reader = RecordReader(buffer)
    found = []
    for at in range(0, len(data), RECORD_STEP):
        part = data[at : at + RECORD_STEP]
        kept = reader.compact()
        buffer[kept : kept + len(part)] = part
        reader.filled(len(part))
        found += reader
    assert (found, reader.problem) == (expected, whole.problem)


def hep(data: bytes) -> None:
    """What is read of a message lies inside it; a stream in pieces gives the records that it gives whole, and each
    of them is a packet."""
    read = hep_reader.read(data)
    assert read["status"] != "sip" or (read["bytes"] <= len(data) and read["payload"] in data), read
    feed = HepFeed()
    taken = feed.take_stream(data)
    expected = list(feed)
    feed.begin()
    found, kept = [], b""
    for at in range(0, len(data), RECORD_STEP):
        kept += data[at : at + RECORD_STEP]
        step = feed.take_stream(kept)
        found += feed  # what stands before the place where the stream breaks is read
        feed.begin()
        if step < 0:
            assert taken < 0, data
            break
        kept = kept[step:]
    assert found == expected
    decoded = [Decoder().decode_frame(record, link_type) for _, link_type, record, _ in expected]
    assert all(packet is not None and packet["payload"] in data for packet in decoded)


def capture_file(data: bytes) -> None:
    """Any file is screened to its end or refused by name, and what is said of it keeps to the contract."""
    lines: list[bytes] = []
    pipeline = Pipeline(SMALL)
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(data)
        file.flush()
        try:
            pipeline.screen_file(Path(file.name), lines.append)
        except CaptureFileError:
            return
    pipeline.finish(lines.append)
    calls = [one for one in map(report.decode, b"".join(lines).splitlines()) if isinstance(one, CallLine)]
    assert len(calls) == pipeline.summary()["calls"]


TARGETS: dict[str, Target] = {
    "sip": sip_message,
    "stream": sip_stream,
    "grammar": sip_grammar,
    "sdp": session_description,
    "records": records,
    "hep": hep,
    "frames": capture_file,
    "file": capture_file,
}
