"""In how many ways an address dials a number: scans of prefixes, and people who correct theirs."""

import pytest
from tap import Tap
from tap import request as sip_request
from tap import response as sip_response
from test_behaviour import engine_rows, numbers
from test_profiles import CALL_COLUMN, SETUP, call, play, source, value

from kernels.profiles import Profiles

ABROAD = "972592345678"
PREFIXES = ["", "+", "00", "011", "900", "9011", "9", "0", "000", "1", "8", "810"]


def dial(i, dialled, caller="442071234567", **more):
    return call(2 * i, caller, dialled, **more)


def scan():
    """From another extension each time."""
    return [dial(i, prefix + ABROAD, caller=str(100 + i)) for i, prefix in enumerate(PREFIXES)]


def forms(rows):
    return rows[:, SETUP, CALL_COLUMN["dialled_forms"]].tolist()


def respelled(rows):
    return value(rows, -1, SETUP, "source_respelled_ratio")


def test_a_scan_of_prefixes_is_known_by_the_number_that_stays():
    rows = play(*scan())
    assert forms(rows) == [1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8]
    assert respelled(rows) > 0.6


def test_a_scan_that_takes_turns_with_several_numbers_is_known_too():
    wanted = [str(972592345670 + k) for k in range(4)]
    rows = play(*(dial(i, prefix + wanted[i % 4]) for i, prefix in enumerate(p for p in PREFIXES for _ in range(4))))
    assert forms(rows)[-1] == 8
    assert respelled(rows) > 0.6


def test_a_hotline_that_is_dialled_in_three_ways_is_not_respelled():
    ways = ("02079999999", "+442079999999", "00442079999999")
    rows = play(*(dial(i, ways[i % 3], caller=caller) for i, caller in enumerate(numbers(60))))
    assert max(forms(rows)) == 3
    assert respelled(rows) == 0


def test_who_corrects_a_prefix_twice_and_calls_on_is_not_respelled():
    rows = play(dial(0, ABROAD), dial(3, "0" + ABROAD), dial(6, "00" + ABROAD),
                *(dial(9 + i, "0" + number) for i, number in enumerate(numbers(9))))  # fmt: skip
    assert max(forms(rows)) == 3
    assert respelled(rows) == 0


def test_a_number_that_is_dialled_again_in_one_way_has_one_spelling():
    assert forms(play(*(dial(i, "00" + ABROAD) for i in range(20)))) == [1] * 20


def test_an_address_remembers_the_numbers_that_it_dialled_last():
    others = [dial(10 + i, "00" + number) for i, number in enumerate(numbers(8))]
    assert forms(play(dial(0, ABROAD), *others[:7], dial(30, "00" + ABROAD)))[-1] == 2
    assert forms(play(dial(0, ABROAD), *others, dial(30, "00" + ABROAD)))[-1] == 1


def test_spellings_are_those_of_one_address():
    rows = play(dial(0, ABROAD), dial(1, "00" + ABROAD, source=source(2)))
    assert forms(rows) == [1, 1]


@pytest.mark.parametrize("dialled", ["", "100", "1234567", "bob", "1234567x", "12345678x"])
def test_what_does_not_end_in_eight_digits_has_no_spelling(dialled):
    assert forms(play(dial(0, dialled), dial(1, "9" + dialled if len(dialled) < 7 else dialled))) == [0, 0]


def test_an_address_that_went_leaves_no_spellings_to_the_next_one_of_its_slot():
    profiles = Profiles(64, 1)
    play(*scan(), profiles=profiles)
    rows = play(dial(100, "00" + ABROAD, source=source(9)), profiles=profiles)
    assert forms(rows) == [1]
    assert respelled(rows) == 0


def test_spellings_are_those_that_are_sent(tmp_path):
    tap = Tap()
    for i, prefix in enumerate(PREFIXES):
        fields = {"call_id": f"call-{i}", "branch": f"b{i}", "caller": str(100 + i), "callee": prefix + ABROAD}
        tap.send(sip_request("INVITE", **fields))
        tap.reply(sip_response(403, to_tag="x", **fields))
    rows, _ = engine_rows(tap, tmp_path)
    assert max(rows[:, CALL_COLUMN["dialled_forms"]]) == 8
    assert rows[-1, CALL_COLUMN["source_respelled_ratio"]] > 0.6
