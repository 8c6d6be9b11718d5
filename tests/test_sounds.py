"""What is heard in simulated calls: voices that never repeat, recordings that are the same bytes wherever they play."""

import json
import struct
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import simulator
from models.training.regimes import HELD_OUT, MEDIA_S, TRAINING
from simulator.errors import ScenarioError
from simulator.intent import Call, Endpoint, Outcome
from simulator.media import IDLE, MOST_LEAD, PAYLOAD_BYTES, RTP_BYTES, Flow, Stream
from simulator.packets import HEADER_BYTES
from simulator.playlist import MAILBOX_AFTER_S, OPERATORS
from simulator.scenario import Capture, Network, load
from simulator.simulation import Play
from simulator.sounds import FAX_ANSWERING, FAX_CALLING, RINGING_TONE, Sound

PCMU, PCMA, G729 = 0, 8, 18
CODECS = [PCMU, PCMA, G729]
ONE_SECOND = 50  # packets
FOREVER_NS = 1 << 62
NOTHING_LOST = Network(jitter_ms=0.0)
NEWS = Sound("the news")
HEAD = """
title = "test"
start = 2026-03-02T10:00:00+08:00
duration_s = 900
seed = 21
[media]
share = 1.0
limit_s = 3.0
mailbox_ratio = 0.0
silence_suppression_ratio = 0.0
[network]
jitter_ms = 0.0
"""
HOMES = '[[population]]\nkind = "households"\nname = "homes"\nlines = 60\ncalls_per_line_hour = 4.0\n'
CLINIC = '[[population]]\nkind = "reminders"\nname = "clinic"\ncalls_per_hour = 400\n'
ROBOTS = '[[population]]\nkind = "robocall"\nname = "robots"\nanswer_ratio = 0.8\n'


def flow(seed: int, codec: int = PCMU, seconds: float = 20.0, sound: Sound | None = None) -> Flow:
    near, far = Endpoint("100.64.0.1", 40_000), Endpoint("10.0.0.6", 20_000)
    return Flow(near, far, 0, seconds, codec, True, False, seed, sound)


def payloads(one: Flow, network: Network = NOTHING_LOST) -> np.ndarray:
    """uint8 [packets, payload bytes]"""
    _, frames = Stream(one, network, Capture()).take(FOREVER_NS)
    return frames[:, HEADER_BYTES + RTP_BYTES :]


def heard(one: Flow, network: Network = NOTHING_LOST) -> list[bytes]:
    """The payloads that are not silence, in order."""
    return loud(one.codec, [row.tobytes() for row in payloads(one, network)])


def loud(codec: int, found: list[bytes]) -> list[bytes]:
    silence = bytes((IDLE[codec],)) * PAYLOAD_BYTES[codec]
    return [payload for payload in found if payload != silence]


# --- voices


@pytest.mark.parametrize("codec", CODECS)
def test_no_two_live_voices_share_a_packet_and_none_repeats_one(codec: int):
    said = [payload for seed in range(40) for payload in heard(flow(seed, codec, 60.0))]
    assert len(said) > 40 * 10 * ONE_SECOND
    assert len(set(said)) == len(said)


def test_a_voice_that_is_taken_in_windows_is_the_one_that_is_taken_at_once():
    for sound in (None, NEWS):
        stream = Stream(flow(3, sound=sound), NOTHING_LOST, Capture())
        parts = [stream.take(at_ns)[1] for at_ns in range(0, 21 * 10**9, 70_000_000)]
        assert stream.done
        whole = Stream(flow(3, sound=sound), NOTHING_LOST, Capture()).take(FOREVER_NS)[1]
        assert (np.concatenate(parts) == whole).all()


# --- recordings


@pytest.mark.parametrize("codec", CODECS)
def test_a_recording_has_the_same_frames_in_each_call_however_long_it_lasts(codec: int):
    calls = [heard(flow(seed, codec, seconds, NEWS)) for seed, seconds in enumerate((2.0, 5.0, 20.0, 20.0))]
    longest = max(calls, key=len)
    assert min(map(len, calls)) >= ONE_SECOND
    assert all(call == longest[: len(call)] for call in calls)


def test_a_recording_begins_after_a_silence_that_differs_from_call_to_call():
    silence = bytes((IDLE[PCMU],)) * PAYLOAD_BYTES[PCMU]
    leads = Counter()
    for seed in range(100):
        found = [row.tobytes() for row in payloads(flow(seed, seconds=2.0, sound=NEWS))]
        leads[next(k for k, payload in enumerate(found) if payload != silence)] += 1
    assert set(leads) == set(range(MOST_LEAD))


def test_a_recording_is_the_same_to_those_who_send_no_silence_and_on_a_network_that_loses():
    whole = heard(flow(1, sound=NEWS))
    assert heard(replace(flow(2, sound=NEWS), silence_suppressed=True))[: len(whole) - 10] == whole[:-10]
    lossy = heard(flow(3, sound=NEWS), Network(loss_ratio=0.1, jitter_ms=0.0))
    assert 0.8 * len(whole) < len(lossy) < len(whole)
    assert set(lossy) <= set(heard(flow(1, seconds=21.0, sound=NEWS)))


def test_a_recording_begins_anew_when_it_is_over():
    once = heard(flow(1, seconds=40.0, sound=NEWS))
    period = len(set(once))
    assert 20 * ONE_SECOND < period < len(once)
    assert once[period:] == once[: len(once) - period]


def test_two_recordings_and_two_codecs_of_one_have_no_frame_in_common():
    sides = [heard(flow(1, PCMU, sound=NEWS)), heard(flow(1, PCMA, sound=NEWS)), heard(flow(1, G729, sound=NEWS)),
             heard(flow(1, PCMU, sound=Sound("the weather"))), heard(flow(1, PCMU))]  # fmt: skip
    everything = [payload for side in sides for payload in side]
    assert len(everything) == len(set(everything))


def test_a_recording_is_these_bytes_with_every_numpy():
    firsts = {codec: heard(flow(1, codec, 2.0, NEWS))[0][:6].hex() for codec in CODECS}
    assert firsts == {PCMU: "c865e948c75c", PCMA: "05dac169aa38", G729: "b59bd23ce374"}


def test_two_seconds_hold_a_second_of_almost_every_recording():
    lengths = [len(heard(flow(k, seconds=MEDIA_S, sound=Sound(f"recording {k}")))) for k in range(300)]
    assert np.mean([length >= ONE_SECOND for length in lengths]) > 0.9


def test_the_frames_of_a_tone_repeat_at_once():
    for tone, different in [(RINGING_TONE, 2), *((tone, 1) for tone in (*FAX_CALLING, *FAX_ANSWERING))]:
        found = heard(flow(1, sound=tone))
        assert len(found) >= 2 * ONE_SECOND
        assert len(set(found)) == different
        assert set(found) == set(heard(flow(2, sound=tone)))


# --- who plays what


class Sent(NamedTuple):
    """The RTP of one direction of a call."""

    codec: int
    heard: list[bytes]


def play(directory: Path, text: str) -> list[tuple[dict, Sent, Sent]]:
    """The answered calls that have RTP both ways: label, what the calling side sends, what the answering one does."""
    path, capture, labels = (directory / f"x.{kind}" for kind in ("toml", "pcap", "jsonl"))
    path.write_text(text)
    simulator.run(path, out=capture, labels=labels)
    lines = {line["call_id"]: line for line in map(json.loads, labels.read_text().splitlines()) if "call_id" in line}
    streams, offers, answers = defaultdict(list), {}, {}
    for frame in frames(capture):
        source, destination, data = frame[26:30] + frame[34:36], frame[30:34] + frame[36:38], frame[HEADER_BYTES:]
        if data[0] == 0x80:
            streams[source, destination].append((data[1] & 0x7F, data[RTP_BYTES:]))
        elif b"m=audio" in data:
            call_id = data.partition(b"Call-ID: ")[2].partition(b"\r\n")[0].decode()
            (offers if data.startswith(b"INVITE") else answers).setdefault(call_id, described(data))
    found = []
    for call_id, line in lines.items():
        ends = offers.get(call_id), answers.get(call_id)
        if streams.get(ends) and streams.get(ends[::-1]):
            found.append((line, *(Sent(rows[0][0], loud(rows[0][0], [payload for _, payload in rows]))
                                  for rows in (streams[ends], streams[ends[::-1]]))))  # fmt: skip
    return found


def frames(capture: Path) -> Iterator[bytes]:
    data, at = capture.read_bytes(), 24
    while at < len(data):
        kept = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at + 16 : at + 16 + kept]
        at += 16 + kept


def described(data: bytes) -> bytes:
    """Address and port where it wants its RTP, as packets have them."""
    address = data.partition(b"\r\nc=IN IP4 ")[2].partition(b"\r\n")[0]
    port = data.partition(b"m=audio ")[2].partition(b" ")[0]
    return bytes(map(int, address.split(b"."))) + struct.pack("!H", int(port))


def starts(sides: list[Sent]) -> Counter:
    """How many calls begin with the same second, of those that have one."""
    return Counter((side.codec, b"".join(side.heard[:20])) for side in sides if len(side.heard) >= 20)


def test_a_clinic_plays_one_recording_to_all_it_calls_and_they_answer_with_voices_of_their_own(tmp_path: Path):
    calls = [(caller, callee) for line, caller, callee in play(tmp_path, HEAD + HOMES + CLINIC)
             if line["population"] == "clinic"]  # fmt: skip
    assert len(calls) > 20
    assert len(starts([caller for caller, _ in calls])) == len({caller.codec for caller, _ in calls})
    assert set(starts([callee for _, callee in calls]).values()) == {1}


def test_a_platform_plays_the_recording_of_a_clinic_from_several_numbers_on_the_trunk_of_its_carrier(tmp_path: Path):
    carrier = '[[population]]\nkind = "wholesale"\nname = "carrier"\ncallers = 50\ncalls_per_hour = 100\n'
    calls = play(tmp_path, HEAD + carrier + CLINIC + 'numbers = 3\nthrough = "carrier"\n')
    ours = [(line, caller) for line, caller, _ in calls if line["population"] == "clinic"]
    assert len({line["caller"] for line, _ in ours}) == 3
    assert len({line["source"] for line, *_ in calls}) == 1
    assert len(starts([caller for _, caller in ours])) == len({caller.codec for _, caller in ours})


def test_homes_play_nothing(tmp_path: Path):
    sides = [side for _, *both in play(tmp_path, HEAD + HOMES) for side in both]
    assert len(sides) > 100
    assert set(starts(sides).values()) == {1}


def test_two_campaigns_of_one_kind_have_recordings_of_their_own_and_one_may_have_two(tmp_path: Path):
    text = HEAD + ROBOTS + "sounds = { caller = 2 }\n" + ROBOTS.replace("robots", "others")
    by_name = defaultdict(list)
    for line, caller, _ in play(tmp_path, text):
        by_name[line["population"]].append(caller)
    one, other = starts(by_name["robots"]), starts(by_name["others"])
    assert {Counter(codec for codec, _ in one)[codec] for codec, _ in one} == {2}
    assert {Counter(codec for codec, _ in other)[codec] for codec, _ in other} == {1}
    assert not set(one) & set(other)


def test_a_share_of_the_calls_of_a_recording_is_altered_so_that_nothing_repeats(tmp_path: Path):
    calls = [caller for _, caller, _ in play(tmp_path, HEAD + ROBOTS + "sounds = { caller = 1, share = 0.5 }\n")]
    counts = starts(calls)
    altered = sum(count for count in counts.values() if count == 1)
    assert 0.3 < altered / sum(counts.values()) < 0.7
    assert max(counts.values()) > 0.2 * len(calls)


def test_people_of_a_laboratory_have_so_many_voices_together(tmp_path: Path):
    path = tmp_path / "x.toml"
    path.write_text((HEAD + HOMES.replace("4.0", "60.0")).replace("mailbox_ratio = 0.0", "voices = 3"))
    calls = [call for call in Play(load(path), 21).intents
             if isinstance(call, Call) and call.outcome is Outcome.ANSWERED]  # fmt: skip
    assert len(calls) > 50
    assert {call.caller_sound.name for call in calls} == {f"voice {n}" for n in range(3)}


def test_the_greeting_of_an_operator_answers_for_many_numbers_and_only_after_a_long_ring(tmp_path: Path):
    path = tmp_path / "x.toml"
    path.write_text((HEAD + HOMES.replace("4.0", "120.0")).replace("mailbox_ratio = 0.0", "mailbox_ratio = 0.6"))
    calls = [call for call in Play(load(path), 21).intents
             if isinstance(call, Call) and call.outcome is Outcome.ANSWERED]  # fmt: skip
    left = [call for call in calls if call.callee_sound]
    assert 0.05 < len(left) / len(calls) < 0.25
    assert all(call.ring_s >= MAILBOX_AFTER_S for call in left)
    assert not any(call.caller_sound for call in calls)
    numbers = defaultdict(set)
    for call in left:
        numbers[call.callee_sound.name].add(call.callee)
    shared = [name for name, called in numbers.items() if len(called) > 10]
    assert len(shared) == OPERATORS
    assert any(len(called) == 1 for called in numbers.values())


def test_a_false_route_plays_in_its_false_answers_alone(tmp_path: Path):
    route = '[[population]]\nkind = "false_answer"\nname = "f"\ncalls_per_hour = 900\nsilent_ratio = 0.0\n'
    for pattern in ("recording", "early"):
        calls = play(tmp_path, HEAD + route + f'pattern = "{pattern}"\n')
        false = [callee for line, _, callee in calls if line["label"] == "false_answer"]
        honest = [callee for line, _, callee in calls if line["label"] == "honest"]
        assert len(honest) > 10 and len(false) > 20
        assert len(starts(false)) == len({callee.codec for callee in false})
        assert set(starts(honest).values()) == {1}


def test_a_line_answers_with_the_same_recording_whoever_calls(tmp_path: Path):
    line = '[[population]]\nkind = "service_line"\nname = "hotline"\n'
    calls = play(tmp_path, HEAD + HOMES + line)
    music = [callee for line, _, callee in calls if line["population"] == "hotline"]
    assert len(music) > 20
    assert len(starts(music)) == len({callee.codec for callee in music})


def test_what_is_heard_changes_nothing_else(tmp_path: Path):
    def signalling(text: str) -> list[tuple[int, bytes]]:
        path, capture = tmp_path / "x.toml", tmp_path / "x.pcap"
        path.write_text(text)
        simulator.run(path, out=capture)
        return [frame for frame in frames(capture) if frame[HEADER_BYTES] != 0x80]

    text = HEAD + HOMES + CLINIC + ROBOTS
    assert signalling(text) == signalling(text + "sounds = { caller = 0 }\n")


# --- scenario files


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ("{ caller = -1 }", "caller"),
        ("{ callee = 1.5 }", "callee"),
        ("{ share = 1.5 }", "share"),
        ("{ music = 1 }", "music"),
        ("3", "sounds"),
    ],
)
def test_a_bad_sound_is_named(tmp_path: Path, table: str, named: str):
    path = tmp_path / "bad.toml"
    path.write_text(HEAD + CLINIC + f"sounds = {table}\n")
    with pytest.raises(ScenarioError, match=named) as refused:
        load(path)
    assert "sounds" in str(refused.value)


# --- what teaches and what judges


@pytest.mark.parametrize("regime", [TRAINING, HELD_OUT])
def test_most_robocalls_play_a_recording_and_so_do_all_reminders(regime):
    found = defaultdict(list)
    for scenario in regime.draw():
        for population in scenario.population:
            found[population.__struct_config__.tag].append(population.sounds)
    recorded = {kind: np.mean([bool(one.caller) for one in sounds]) for kind, sounds in found.items()}
    assert 0.6 < recorded["robocall"] < 0.9
    assert 0.1 < recorded["vishing"] < 0.9
    assert 0.2 < recorded["call_centre"] < 0.8
    assert recorded["reminders"] == recorded["mass_notification"] == 1.0
    assert recorded["households"] == recorded["wholesale"] == 0.0
    assert len({one.share for one in found["robocall"]}) > 50
    assert any(population.through for scenario in regime.draw() for population in scenario.population
               if population.__struct_config__.tag == "reminders")  # fmt: skip
