"""The messages of one call, in the order in which a capture has them, drawn between the addresses that sent them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from capture import sip
from capture.decode import Decoder
from capture.file import CaptureFile
from capture.tcp import StreamTable

# A person reads no more; a call with more messages is drawn up to here, and the rest is said to be left out.
MAX_MESSAGES = 500

OFFSET_COLUMNS = 12  # the time in front of each line

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Step:
    """One message on its way."""

    time_ns: int
    source: Endpoint
    destination: Endpoint
    text: str  # method, or status and reason


def messages(path: Path) -> Iterator[tuple[int, Endpoint, Endpoint, bytes]]:
    """(time, source, destination, message) of every SIP message of a capture. Raises CaptureFileError."""
    decoder, streams = Decoder(), StreamTable()
    with CaptureFile(path) as capture:
        for time_ns, link_type, frame, wire_bytes in capture:
            packet = decoder.decode_frame(frame, link_type, time_ns=time_ns, wire_bytes=wire_bytes)
            if packet is None:
                continue
            ends = packet["source"], packet["destination"]
            if packet["protocol"] == "udp":
                yield time_ns, *ends, packet["payload"]
                continue
            for message in streams.feed_segment(
                *ends, packet["tcp_sequence"], packet["tcp_flags"], packet["payload"], time_ns, packet["truncated"]
            ):
                yield time_ns, *ends, message


def steps_of(path: Path, call_id: str) -> list[Step]:
    """The steps of one call, MAX_MESSAGES and one more at most. Raises CaptureFileError."""
    wanted = call_id.encode()
    steps: list[Step] = []
    for time_ns, source, destination, data in messages(path):
        if wanted not in data:  # a cheap look before the message is read
            continue
        message = sip.read(data)
        if message["status"] == "message" and message["call_id"] == wanted:
            steps.append(Step(time_ns, source, destination, label(message)))
            if len(steps) > MAX_MESSAGES:
                break
    return steps


def label(message: dict) -> str:
    """What stands on the arrow: `INVITE (sdp)`, `180 Ringing`."""
    status = b"%d " % message["status_code"] + message["reason_phrase"]
    words: bytes = message["method_name"] if message["kind"] == "request" else status
    text = words.decode("utf-8", "replace").rstrip()
    return f"{text} (sdp)" if message["sdp"] else text


def draw(steps: list[Step], width: int) -> Iterator[str]:
    """Lines of text: a column for each address in the order in which they appear, an arrow for each message."""
    ends = list(dict.fromkeys(end for step in steps for end in (step.source, step.destination)))
    names = [f"{address}:{port}" for address, port in ends]
    gap = max(18, min(40, (width - OFFSET_COLUMNS) // max(len(ends), 1)), *(len(name) + 2 for name in names))
    yield " " * OFFSET_COLUMNS + "".join(f"{name:^{gap}}" for name in names).rstrip()
    centres = {end: OFFSET_COLUMNS + gap * i + gap // 2 for i, end in enumerate(ends)}
    for step in steps[:MAX_MESSAGES]:
        yield arrow(step, steps[0].time_ns, centres)
    if len(steps) > MAX_MESSAGES:
        yield f"... more than {MAX_MESSAGES} messages"


def arrow(step: Step, begin_ns: int, centres: dict[Endpoint, int]) -> str:
    """One line: the time since the first message, and the arrow among the lifelines of the others."""
    line = [" "] * (max(centres.values()) + 1)
    for centre in centres.values():
        line[centre] = "|"
    left, right = sorted((centres[step.source], centres[step.destination]))
    if left == right:  # a host that sends to itself
        return f"{(step.time_ns - begin_ns) / 1e9:>10.3f} {''.join(line)[OFFSET_COLUMNS - 1 :]} {step.text}"
    room = right - left - 1
    text = f" {step.text} " if len(step.text) + 4 <= room else f" {step.text[: room - 5]}… "
    line[left + 1 : right] = f"{text:-^{room}}"
    line[right - 1 if centres[step.destination] == right else left + 1] = (
        ">" if centres[step.destination] == right else "<"
    )
    return f"{(step.time_ns - begin_ns) / 1e9:>10.3f} " + "".join(line)[OFFSET_COLUMNS - 1 :]
