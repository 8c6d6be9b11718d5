"""What a stream sounds like: recordings are known again, people and machines that say nothing are not."""

import random
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tap import CALLEE, CALLER, START_S, Tap, request, response
from test_behaviour import engine_rows, numbers
from test_profiles import CALL_COLUMN, END, SETUP, START, call, play, source, value
from test_snapshot import fresh_engine, restarted

from capture.file import CaptureFile
from kernels.crowds import Crowds
from kernels.engine import BLOCK
from kernels.media import MediaTable
from kernels.recordings import LISTENED, PACKETS, SOUND_BYTES, sound_of
from kernels.reference_media import sound
from kernels.relations import TABLES

ARCHITECTURE = Path(__file__).parent.parent / "ARCHITECTURE.md"
SECRET = 0x5EC2E7
SECOND = 10**9
HERE, THERE = ("192.0.2.1", 16384), ("198.51.100.1", 30000)
IDLE = b"\xff" * 160


def speech(seed, count=60, length=160):
    """Payloads that nobody else has."""
    chance = random.Random(seed)
    return [chance.randbytes(length) for _ in range(count)]


# -- the sound of payloads ------------------------------------------------------------------------------------

PIECES = [None, IDLE, b"\x05\x0a\x00\xa0", *speech("pieces", 4, 10), *speech("longer", 3, 33)]


@settings(max_examples=200)
@given(st.lists(st.integers(0, len(PIECES) - 1) | st.integers(100, 10_000), max_size=80), st.integers(0, 2**64 - 1))
def test_a_sound_is_that_of_the_twin(steps, secret):
    payloads = [PIECES[i] if i < 100 else random.Random(i).randbytes(i % 170) for i in steps]
    assert sound_of(payloads, secret) == sound(payloads, secret)


def test_the_same_recording_sounds_the_same_after_any_silence_and_everybody_else_does_not():
    first = sound_of(speech("tape"), SECRET)
    assert first != 0
    assert sound_of([IDLE] * 50 + [None] * 7 + speech("tape"), SECRET) == first
    assert len({sound_of(speech(i), SECRET) for i in range(300)} | {first}) == 301


def test_with_another_secret_it_is_another_sound():
    assert sound_of(speech("tape"), 1) != sound_of(speech("tape"), 2)


@pytest.mark.parametrize(("lost", "least", "most"), [(1, 0.8, 0.95), (3, 0.5, 0.8), (60, 0.0, 0.0)])
def test_a_lost_packet_mostly_changes_nothing(lost, least, most):
    """24 of 26 payloads in common with one lost: their squares are 0.85, and 0.62 with three lost."""
    same = []
    for i in range(400):
        heard = speech(i, 120)
        for _ in range(lost):
            heard.pop(random.Random(i).randrange(PACKETS - 3) if lost < 10 else 0)
        same.append(sound_of(heard, SECRET) == sound_of(speech(i, 120), SECRET))
    assert least <= np.mean(same) <= most


@pytest.mark.parametrize(
    "payloads",
    [
        speech("short", PACKETS + 1),
        [IDLE] * 400,
        speech("one", 1) * 400,
        speech("two", 2) * 200,  # 425 Hz is the same after two packets of 20 ms
        speech("noise", 400, 9),
        [IDLE] * LISTENED + speech("late"),
        [None] * 400,
    ],
    ids=["too short", "idle code", "a tone", "a tone of two packets", "comfort noise", "too late", "cut"],
)
def test_what_is_no_voice_has_no_sound(payloads):
    assert sound_of(payloads, SECRET) == 0


def test_strangers_that_begin_with_the_same_payload_do_not_sound_the_same():
    """As codecs do that are given silence: for one hash the digest would be shared by one stream in 25."""
    begin = speech("reset", 1)
    assert len({sound_of(begin + speech(i), SECRET) for i in range(1000)}) == 1000


def test_a_tone_before_the_voice_leaves_nothing_of_itself():
    assert sound_of(speech("tone", 1) * 30 + speech("tape"), SECRET) == sound_of(speech("tape"), SECRET)


# -- of a stream ----------------------------------------------------------------------------------------------


def packet(n, payload, *, payload_type=8, first=0x80, extension=b""):
    return struct.pack(">BBHII", first, payload_type, n % 2**16, 160 * n, 7) + extension + payload


def stream_sound(packets, **feed):
    """What a table says of one stream of packets to an announced endpoint."""
    table = MediaTable(secret=SECRET)
    table.expect_media(0, THERE, [(8, "PCMA", 8000), (101, "telephone-event", 8000), (13, "CN", 8000)])
    for i, one in enumerate(packets):
        table.feed(HERE, THERE, one, SECOND + i * 20_000_000, **feed)
    [stream] = table.list_streams(0)
    return stream["sound"]


TAPE = [packet(n, payload) for n, payload in enumerate(speech("tape"))]


def test_a_stream_sounds_as_its_payloads_from_the_first_on():
    assert stream_sound(TAPE) == sound_of(speech("tape"), SECRET)


def test_extensions_and_padding_are_no_part_of_a_payload():
    extended = [
        packet(n, payload, first=0x90, extension=struct.pack(">HHI", 0xBEDE, 1, n))
        for n, payload in enumerate(speech("tape"))
    ]
    padded = [packet(n, payload + b"\0\0\0\x04", first=0xA0) for n, payload in enumerate(speech("tape"))]
    assert stream_sound(extended) == stream_sound(padded) == stream_sound(TAPE)


def test_packets_that_come_twice_or_late_change_nothing():
    twice = [one for one in TAPE for _ in range(2)]
    late = [*TAPE[:40], TAPE[3], TAPE[20], *TAPE[40:]]
    assert stream_sound(twice) == stream_sound(late) == stream_sound(TAPE)


@pytest.mark.parametrize("payload_type", [101, 13])
def test_events_and_comfort_noise_are_not_listened_to(payload_type):
    mixed = []
    for n, payload in enumerate(speech("tape")):
        mixed.append(packet(2 * n, payload))
        mixed.append(packet(2 * n + 1, speech(n, 1, 12)[0], payload_type=payload_type))
    assert stream_sound(mixed) == stream_sound(TAPE)


def test_what_the_capture_cuts_has_no_sound():
    assert stream_sound(TAPE, truncated=True) is None


def test_what_sounds_cost_is_documented():
    bounds = ARCHITECTURE.read_text(encoding="utf-8")
    assert f" | {MediaTable().stream_bytes}, {SOUND_BYTES} of them for its sound |" in bounds
    assert f"| recordings: who heard a sound, played it, answered with it | {TABLES['recordings']:,} |" in bounds


# -- of a call ------------------------------------------------------------------------------------------------

NAMES = ("recording_callees_day", "recording_callers_day", "answer_recording_callees_day")


def talk(tap, i, *, caller="+493012345678", said=(), answered=(), before=()):
    """A call from `caller` to a number of its own, and what its two sides say; `before`: the callee's stream before the
    answer."""
    fields = {"call_id": f"call-{i}", "branch": f"b{i}", "caller": caller, "callee": f"+44207946{i:04d}"}
    here, there = (CALLER[0], 4000 + 2 * i), (CALLEE[0], 6000 + 2 * i)
    tap.send(request("INVITE", sdp=here, **fields))
    tap.reply(response(183, to_tag="bob", sdp=there, **fields))
    if before:
        tap.rtp(there, here, ssrc=2 * i + 1, payloads=before)
    tap.reply(response(200, to_tag="bob", sdp=there, **fields))
    if answered:
        tap.rtp(there, here, ssrc=2 * i + 1, payloads=answered, sequence=1 + len(before))
    if said:
        tap.rtp(here, there, ssrc=2 * i + 2, payloads=said)
    tap.send(request("BYE", to_tag="bob", cseq=2, **(fields | {"branch": f"c{i}"})))
    return tap


def ends(tap, folder, **more):
    """[calls, 3]: what the rows say of sounds at the end of each call."""
    rows, _ = engine_rows(tap, folder, **more)
    return rows[2::3][:, [CALL_COLUMN[name] for name in NAMES]]


def test_a_recording_is_counted_by_the_numbers_that_hear_it_and_those_that_play_it(tmp_path):
    tap = Tap()
    for i in range(6):
        talk(tap, i, caller=f"+4930123456{i % 2}0", said=speech("tape"), answered=speech(i))
    found = ends(tap, tmp_path)
    assert found[:, 0] == pytest.approx([1, 2, 3, 4, 5, 6], abs=0.4)
    assert found[:, 1] == pytest.approx([1, 2, 2, 2, 2, 2], abs=0.1)
    assert found[:, 2] == pytest.approx([1] * 6, abs=0.1)


def test_numbers_that_answer_with_one_voice_are_counted(tmp_path):
    tap = Tap()
    for i in range(4):
        talk(tap, i, said=speech(i), answered=speech("mailbox"))
    assert ends(tap, tmp_path)[:, 2] == pytest.approx([1, 2, 3, 4], abs=0.3)


def test_what_is_heard_before_the_answer_is_no_part_of_it(tmp_path):
    tap = Tap()
    for i in range(4):
        talk(tap, i, before=speech("not available"), answered=speech(i))
    talk(tap, 4, before=speech("not available"))
    assert ends(tap, tmp_path)[:, 2] == pytest.approx([1, 1, 1, 1, np.nan], abs=0.1, nan_ok=True)


def test_a_call_without_media_has_no_sound(tmp_path):
    assert np.isnan(ends(talk(Tap(), 0), tmp_path)).all()


@pytest.mark.parametrize("block_packets", [1, 5])
def test_every_block_size_hears_the_same(block_packets, tmp_path):
    tap = Tap()
    for i in range(4):
        talk(tap, i, said=speech("tape"), before=speech(i), answered=speech("mailbox"))
    want = ends(tap, tmp_path)
    assert want[-1] == pytest.approx([4, 1, 4], abs=0.3)
    np.testing.assert_array_equal(ends(tap, tmp_path, block_packets=block_packets), want)


def test_a_box_that_is_restarted_knows_a_recording_again(tmp_path):
    engine, now_s, found = fresh_engine(), START_S, []
    for i in range(4):
        if i == 3:
            engine = restarted(engine)
        tap = talk(Tap(now_s=now_s), i, said=speech("tape"))
        now_s = tap.now_s + 60
        with CaptureFile(tap.write(tmp_path / "tap.pcap")) as file:
            while engine.run(file.reader) == BLOCK or file.fill():
                found.append(engine.call_block.copy())
                engine.next_block()
        found.append(engine.call_block.copy())
        engine.next_block()
    assert np.concatenate(found)[-1, CALL_COLUMN["recording_callees_day"]] == pytest.approx(4, abs=0.2)


# -- of callers, addresses and routes -------------------------------------------------------------------------


def played(i, caller, callee, *, tape=0, answer=0, **more):
    return call(60 * i, caller, callee, answered_s=5, ends_s=30, caller_sound=tape, callee_sound=answer, **more)


def test_who_plays_a_recording_is_told_from_who_speaks():
    calls = []
    for i, callee in enumerate(numbers(12)):
        calls.append(played(2 * i, "442071234567", callee, tape=99))
        calls.append(played(2 * i + 1, "442079990001", callee, tape=100 + i, source=source(2)))
    rows = play(*calls)
    assert value(rows, 22, SETUP, "caller_recorded_ratio_day") == pytest.approx((9 + 0.04) / 13, abs=0.01)
    assert value(rows, 22, SETUP, "source_recorded_ratio") == pytest.approx((9 + 0.04) / 13, abs=0.05)
    assert value(rows, 23, SETUP, "caller_recorded_ratio_day") < 0.02
    assert value(rows, 23, SETUP, "source_recorded_ratio") < 0.02
    assert value(rows, 22, END, "recording_callees_day") == pytest.approx(12, abs=2)


def test_a_route_that_answers_for_numbers_it_never_reached_is_known_by_its_voice():
    calls = []
    for i, callee in enumerate(numbers(12)):
        calls.append(played(2 * i, "442071234567", callee, answer=99, destination=source(8)))
        calls.append(played(2 * i + 1, "442071234567", callee, answer=100 + i, destination=source(9)))
    rows = play(*calls)
    assert value(rows, 22, SETUP, "route_recorded_ratio") > 0.6
    assert value(rows, 23, SETUP, "route_recorded_ratio") < 0.02
    assert value(rows, 23, SETUP, "caller_recorded_ratio_day") == pytest.approx(0.02)


def test_a_greeting_that_one_number_answers_with_is_no_recording_of_others():
    rows = play(*(played(i, caller, "442079990001", answer=99) for i, caller in enumerate(numbers(9))))
    assert value(rows, 8, END, "answer_recording_callees_day") == pytest.approx(1, abs=0.1)
    assert value(rows, 8, END, "route_recorded_ratio") < 0.02


def test_a_call_that_is_seen_twice_with_its_number_written_in_two_ways_is_no_recording():
    legs = [leg for i in range(9) for leg in (played(2 * i, "442071234567", f"44207999{i:04d}", tape=50 + i),
                                              played(2 * i, "442071234567", f"99{i:04d}", tape=50 + i))]  # fmt: skip
    rows = play(*legs)
    assert value(rows, 17, END, "recording_callees_day") == pytest.approx(2, abs=0.1)
    assert value(rows, 17, END, "caller_recorded_ratio_day") < 0.01


def test_a_recording_is_forgotten_after_a_day():
    calls = [played(i, "442071234567", callee, tape=99) for i, callee in enumerate(numbers(5))]
    calls.append(played(60 * 26, "442071234567", "442079990001", tape=99))
    assert value(play(*calls), 5, END, "recording_callees_day") == pytest.approx(1, abs=0.1)


def test_people_do_not_push_a_recording_out_and_of_people_the_oldest_go():
    table = Crowds(1)  # one set
    hashes = np.random.default_rng(5).integers(1, 2**64, 40, dtype=np.uint64)

    def note(sound_key, members, at_s):
        """How many the sound has had after these members."""
        keys = np.full(len(members), hashes[sound_key])
        return table.note(keys, hashes[members], np.full(len(members), START + at_s * SECOND))[-1]

    assert note(0, range(1, 6), 0) == pytest.approx(5, abs=0.5)
    for i in range(10, 30):
        note(i, [i], i)
    assert table.evicted == 0  # that was heard again
    assert note(29, [1], 40) == pytest.approx(2, abs=0.1)
    assert note(26, [1], 40) == pytest.approx(1, abs=0.1)
    assert note(0, [6], 40) > 5
    for i in range(30, 36):
        note(i, [1, 2, 3], 50)
    assert table.evicted > 0
