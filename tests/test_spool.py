"""The spool: every record once at least, in order, under a name that is never another's, whatever befalls its files."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.storage.spool import LEAST_SEGMENTS, MAX_PAYLOAD_BYTES, Spool
from appliance.storage.spool_age import MOST, Ages
from appliance.storage.spool_segment import Segment
from tests.disks import ROOT_ONLY, tmpfs

MIB = 1 << 20
SECOND_NS = 10**9
FLAG, WATCH, COUNTERS = 2, 1, 0


def make(path, max_bytes=16 * MIB):
    return Spool(path / "spool", max_bytes)


def drain(spool, max_items=7):
    """Everything that waits, acknowledged batch by batch: [(epoch, sequence, payload)]."""
    records = []
    while True:
        batch = spool.batch(1 << 20, max_items)
        if not batch.records:
            return records
        records += [(batch.epoch, sequence, payload) for sequence, payload in batch.records]
        spool.acknowledge(batch.epoch, batch.records[-1][0])


def payloads(records):
    return [payload for _, _, payload in records]


def test_records_come_out_in_the_order_in_which_they_went_in(tmp_path):
    spool = make(tmp_path)
    put = [b"%d" % n for n in range(100)]
    for n, payload in enumerate(put):
        spool.put(n % 3, payload)
    records = drain(spool)
    assert payloads(records) == put
    assert [sequence for _, sequence, _ in records] == list(range(1, 101))
    assert {epoch for epoch, _, _ in records} == {spool.epoch}
    assert spool.health().depth == 0


def test_a_batch_comes_again_until_it_is_acknowledged(tmp_path):
    spool = make(tmp_path)
    for n in range(5):
        spool.put(FLAG, b"%d" % n)
    first = spool.batch(MIB, 2)
    assert spool.batch(MIB, 2) == first
    spool.acknowledge(first.epoch, first.records[0][0])
    assert [payload for _, payload in spool.batch(MIB, 2).records] == [b"1", b"2"]
    assert spool.health().depth == 4


def test_a_batch_is_bounded_by_bytes_but_never_empty_while_something_waits(tmp_path):
    spool = make(tmp_path)
    for size in (1000, 10, 10, 10):
        spool.put(FLAG, bytes(size))
    assert [len(payload) for _, payload in spool.batch(100, 10).records] == [1000]
    spool.acknowledge(spool.epoch, 1)
    assert [len(payload) for _, payload in spool.batch(25, 10).records] == [10, 10]


def test_what_waits_is_still_there_after_a_restart_under_the_same_names(tmp_path):
    spool = make(tmp_path)
    for n in range(10):
        spool.put(n % 3, b"%d" % n)
    first = spool.batch(MIB, 4)
    spool.acknowledge(first.epoch, 4)
    rest = spool.batch(MIB, 10)
    spool.close()
    spool = make(tmp_path)
    assert spool.health().depth == 6
    assert spool.batch(MIB, 10) == rest
    spool.put(FLAG, b"new")
    assert spool.batch(MIB, 10) == rest, "a batch is of one epoch"
    records = drain(spool)
    assert payloads(records) == [b"4", b"5", b"6", b"7", b"8", b"9", b"new"]
    assert [sequence for _, sequence, _ in records] == [5, 6, 7, 8, 9, 10, 1]


def test_every_opening_is_an_epoch_of_its_own(tmp_path):
    assert len({make(tmp_path).epoch for _ in range(20)}) == 20


def test_what_was_never_handed_out_cannot_be_acknowledged(tmp_path):
    spool = make(tmp_path)
    for n in range(4):
        spool.put(FLAG, b"%d" % n)
    spool.acknowledge(spool.epoch, 4)
    assert spool.health().depth == 4
    spool.batch(MIB, 2)
    spool.acknowledge(spool.epoch, 1 << 63)
    spool.acknowledge(spool.epoch + 1, 4)
    assert [payload for _, payload in spool.batch(MIB, 10).records] == [b"2", b"3"]


def test_the_oldest_of_the_lowest_grade_makes_room_and_is_counted(tmp_path):
    spool = make(tmp_path, 256 << 10)
    sizes = 0
    for n in range(300):
        payload = b"%d %d " % (n, n % 3) + bytes(2000)
        spool.put(n % 3, payload)
        sizes += len(payload)
    health = spool.health()
    assert health.bytes <= 256 << 10
    assert sum(name.stat().st_size for name in (tmp_path / "spool").iterdir()) <= 256 << 10
    assert health.depth + health.dropped == 300
    assert health.depth >= 300 * (256 << 10) / sizes * (1 - 2 / LEAST_SEGMENTS)
    left = [tuple(map(int, payload.split()[:2])) for payload in payloads(drain(spool, 1000))]
    assert left == sorted(left)
    by_grade = {grade: [n for n, of in left if of == grade] for grade in (COUNTERS, WATCH, FLAG)}
    assert by_grade[FLAG] == list(range(2, 300, 3)), "while others can make room"
    assert by_grade[COUNTERS] == [] or by_grade[COUNTERS][-1] == 297
    assert all(b - a == 3 for a, b in pairwise(by_grade[WATCH]))


def test_a_grade_may_have_a_bound_of_its_own_within_which_its_oldest_make_room(tmp_path):
    spool = Spool(tmp_path / "spool", 1 << 20, {COUNTERS: 256 << 10})
    spool.put(FLAG, b"flag")
    for n in range(1000):
        spool.put(COUNTERS, b"%d " % n + bytes(1000))
    left = [int(payload.split()[0]) for payload in payloads(drain(spool, 2000)) if payload != b"flag"]
    assert left == list(range(1000 - len(left), 1000)), "the oldest went"
    assert 3 / 4 * (256 << 10) < 1000 * len(left) <= 256 << 10
    assert spool.health().dropped == 1000 - len(left)


def test_a_record_of_a_lower_grade_than_all_that_is_stored_is_refused(tmp_path):
    spool = make(tmp_path, 64 << 10)
    for _ in range(40):
        spool.put(FLAG, bytes(2000))
    dropped = spool.health().dropped
    depth = spool.health().depth
    spool.put(COUNTERS, bytes(8000))
    assert (spool.health().depth, spool.health().dropped) == (depth, dropped + 1)
    spool.put(FLAG, b"the last")
    assert payloads(drain(spool))[-1] == b"the last"


def test_a_gap_in_the_sequence_is_a_loss(tmp_path):
    spool = make(tmp_path)
    spool.put(FLAG, b"1")
    spool.put(FLAG, bytes(MAX_PAYLOAD_BYTES + 1))
    spool.put(FLAG, b"3")
    assert spool.health().lost == 1
    assert [(sequence, payload) for _, sequence, payload in drain(spool)] == [(1, b"1"), (3, b"3")]


def test_only_grades_that_there_are_can_be_put(tmp_path):
    with pytest.raises(ValueError, match="grade"):
        make(tmp_path).put(8, b"")


def test_files_are_readable_by_their_owner_alone(tmp_path):
    spool = make(tmp_path)
    spool.put(FLAG, b"1")
    spool.put(FLAG, b"2")
    spool.acknowledge(spool.epoch, spool.batch(MIB, 1).records[0][0])
    modes = [stat.S_IMODE(name.stat().st_mode) for name in (tmp_path / "spool").iterdir()]
    assert modes == [0o600, 0o600]


# -- damage -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The files of a spool that was closed with records waiting, and what is in it by name."""
    folder = tmp_path_factory.mktemp("written")
    spool = make(folder)
    for n in range(24):
        spool.put(n % 3, b'{"number":%d}' % n * (n % 5 + 1))
    spool.acknowledge(spool.epoch, spool.batch(MIB, 3).records[-1][0])
    whole = spool.batch(MIB, 100)
    spool.close()
    files = {name.name: name.read_bytes() for name in (folder / "spool").iterdir()}
    return files, {(whole.epoch, sequence): payload for sequence, payload in whole.records}


def holds_whole_records(path: Path) -> bool:
    """Of a segment that was cut exactly between two records nobody can tell that there were more."""
    segment = Segment.found(path)
    if segment is None:
        return False
    ends = [record.end for record in segment.records()]
    return not segment.damage and (ends[-1] if ends else 0) == path.stat().st_size


@given(data=st.data())
@settings(max_examples=150)
def test_whatever_bytes_are_changed_or_cut_no_name_gets_another_payload(written, tmp_path, data):
    files, known = written
    folder = tmp_path / "spool"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[at] ^= data.draw(st.integers(1, 255))
    begin = data.draw(st.integers(0, len(content)))
    del content[begin : begin + data.draw(st.integers(0, len(content)))]
    (folder / name).write_bytes(content)
    seems_whole = holds_whole_records(folder / name)
    spool = make(tmp_path)
    spool.put(FLAG, b"after")
    records = drain(spool, 5)
    spool.close()
    assert records[-1][2] == b"after"
    old = {(epoch, sequence): payload for epoch, sequence, payload in records[:-1]}
    assert (spool.epoch, 1) not in known
    acknowledged_again = old.keys() - known.keys()
    assert all(sequence <= 3 for _, sequence in acknowledged_again)
    assert all(payload == known[name] for name, payload in old.items() if name in known)
    untouched = [known_name for known_name in known if known_name not in old]
    if untouched and not seems_whole:
        assert spool.health().damaged + spool.health().lost > 0


def test_each_byte_of_a_segment_is_covered(written, tmp_path):
    files, known = written
    segment = max((name for name in files if name.endswith(".spool")), key=lambda name: len(files[name]))
    for at in range(0, len(files[segment]), 3):
        folder = tmp_path / "spool"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        changed = bytearray(files[segment])
        changed[at] ^= 0x40
        (folder / segment).write_bytes(changed)
        spool = make(tmp_path)
        found = {(epoch, sequence): payload for epoch, sequence, payload in drain(spool, 100)}
        spool.close()
        assert len(known.keys() - found.keys()) <= 1, "one record at most is lost with one byte"
        assert all(known[name] == payload for name, payload in found.items() if name in known)
        # a change to a record that was acknowledged already is no loss, yet it is damage
        assert spool.health().damaged == 1


def test_a_payload_that_looks_like_a_record_is_not_taken_for_one(tmp_path):
    spool = make(tmp_path)
    spool.put(FLAG, b"first")
    spool.close()
    (segment,) = (tmp_path / "spool").glob("*.spool")
    copied = segment.read_bytes()
    spool = make(tmp_path)
    spool.put(FLAG, copied)
    spool.close()
    latest = max((tmp_path / "spool").glob("*.spool"))
    content = bytearray(latest.read_bytes())
    content[8] ^= 1
    latest.write_bytes(content)
    spool = make(tmp_path)
    assert payloads(drain(spool)) == [b"first"]
    assert spool.health().damaged == 1


def test_a_lost_mark_only_means_that_it_is_sent_again(written, tmp_path):
    files, known = written
    folder = tmp_path / "spool"
    folder.mkdir()
    for name, content in files.items():
        if name.endswith(".spool"):
            (folder / name).write_bytes(content)
    found = {(epoch, sequence) for epoch, sequence, _ in drain(make(tmp_path))}
    assert found >= known.keys()


def test_files_that_are_deleted_while_it_runs_are_begun_anew(tmp_path):
    spool = make(tmp_path)
    spool.put(FLAG, b"1")
    shutil.rmtree(tmp_path / "spool")
    spool.put(FLAG, b"2")
    records = drain(spool)
    assert payloads(records) == [b"2"]
    assert records[0][1] == 2
    assert spool.health().lost == 1
    assert spool.health().state == "ok"


# -- the process and the disk -------------------------------------------------------------------------------------

KILLED = """
import sys
from pathlib import Path
from appliance.storage.spool import Spool
spool = Spool(Path(sys.argv[1]), 1 << 30)
for n in range(int(sys.argv[2]), 1 << 60):
    spool.put(n % 3, b"%d" % n)
    print(n, flush=True)
"""


def test_kill_9_loses_no_record_that_was_put(tmp_path):
    put = -1
    for round_ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "spool"), str(put + 1)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        ) as process:
            for line in process.stdout:
                put = int(line)
                if put > 200 * (round_ + 1):
                    process.send_signal(signal.SIGKILL)
                    break
            put = int((process.stdout.read().split() or [put])[-1])
    found = [int(payload) for payload in payloads(drain(make(tmp_path), 1000))]
    assert set(found) >= set(range(put + 1))
    assert found == sorted(found), "one put twice after a kill is the last of its epoch"


def test_what_was_counted_record_by_record_is_what_lies_in_the_files(tmp_path):
    spool = Spool(tmp_path / "spool", MIB, {WATCH: MIB // 4})
    for number in range(3000):
        spool.put(FLAG if number % 3 else WATCH, bytes(number % 1500))
        if number % 700 == 0:
            spool.acknowledge(spool.epoch, spool.batch(MIB // 8, 50).records[-1][0])
        health = spool.health()
        assert health.bytes == sum(file.stat().st_size for file in (tmp_path / "spool").glob("*.spool"))
        assert health.bytes <= MIB
    assert health.dropped > 1000
    assert health.depth == len(drain(spool, 1000))
    assert (spool.health().depth, spool.health().oldest_ns) == (0, None)
    spool.close()


@ROOT_ONLY
def test_a_full_disk_is_told_and_flags_take_the_place_of_what_is_worth_less(tmp_path):
    with tmpfs(tmp_path / "disk", "1m") as disk:
        spool = make(disk, 1 << 20)
        for _ in range(200):
            spool.put(WATCH, bytes(1000))
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
        (disk / "filler").write_bytes(bytes(free - 4 * 4096))
        for _ in range(40):
            spool.put(WATCH, bytes(1000))
        assert (spool.health().state, spool.health().lost > 0) == ("full", True)
        spool.put(FLAG, b"a flag")
        assert spool.health().dropped > 0
        assert payloads(drain(spool, 1000))[-1] == b"a flag"
        (disk / "filler").unlink()
        spool.try_again()
        assert (spool.health().state, spool.health().problem) == ("ok", None)
        spool.put(WATCH, b"later")
        assert (spool.health().state, spool.health().problem) == ("ok", None)
        assert payloads(drain(spool)) == [b"later"]
        spool.close()


@ROOT_ONLY
def test_a_disk_that_is_read_only_is_told_and_what_waits_can_still_be_sent(tmp_path):
    with tmpfs(tmp_path / "disk", "1m") as disk:
        spool = make(disk)
        spool.put(FLAG, b"1")
        spool.close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        spool = make(disk)
        spool.put(FLAG, b"2")
        assert (spool.health().state, spool.health().lost) == ("read_only", 1)
        batch = spool.batch(MIB, 10)
        assert [payload for _, payload in batch.records] == [b"1"]
        spool.acknowledge(batch.epoch, 1)
        spool.try_again()
        assert spool.health().state == "read_only"
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        spool.put(FLAG, b"3")
        assert spool.health().state == "ok"
        assert payloads(drain(spool)) == [b"1", b"3"]
        spool.close()


@ROOT_ONLY
def test_a_folder_that_may_not_be_written_is_told_and_survived(tmp_path):
    outcome = subprocess.run(
        [sys.executable, "-c", NOT_PERMITTED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.split() == ["unavailable", "1", "ok", "1"]


NOT_PERMITTED = """
import os, sys
from pathlib import Path
from appliance.storage.spool import Spool
folder = Path(sys.argv[1]) / "state"
folder.mkdir()
for above in (folder.parent, folder.parent.parent, folder.parent.parent.parent):
    above.chmod(0o755)
os.seteuid(65534)
spool = Spool(folder / "spool", 1 << 20)
spool.put(1, b"1")
print(spool.health().state, spool.health().lost)
os.seteuid(0)
folder.chmod(0o777)
os.seteuid(65534)
spool.put(1, b"2")
print(spool.health().state, spool.health().depth)
spool.close()
"""


# --- how long the oldest record has waited


class Hours:
    """A wall clock in seconds."""

    def __init__(self):
        self.now_s = 1000

    def __call__(self):
        return self.now_s * SECOND_NS


def test_the_age_is_that_of_the_oldest_record_that_waits(tmp_path):
    clock = Hours()
    spool = Spool(tmp_path, MIB, wall_ns=clock)
    assert spool.health().oldest_ns is None
    for _ in range(4):
        spool.put(FLAG, b"x")
        clock.now_s += 100
    assert spool.health().oldest_ns == 1000 * SECOND_NS
    spool.batch(MIB, 2)
    spool.acknowledge(spool.epoch, 2)
    assert spool.health().oldest_ns == 1200 * SECOND_NS
    drain(spool)
    assert spool.health().oldest_ns is None
    clock.now_s = 9000
    spool.put(FLAG, b"x")
    assert spool.health().oldest_ns == 9000 * SECOND_NS, "and not since the last one that was acknowledged"


def test_after_a_restart_the_age_is_at_least_that_of_the_last_record_before_it(tmp_path):
    spool = make(tmp_path)
    spool.put(FLAG, b"x")
    spool.close()
    (file,) = tmp_path.glob("spool/*.spool")
    os.utime(file, (500, 500))
    spool = make(tmp_path)
    spool.put(FLAG, b"y")
    assert spool.health().oldest_ns == 500 * SECOND_NS
    spool.batch(MIB, 1)
    spool.acknowledge(spool.batch(MIB, 1).epoch, 1)
    assert spool.health().oldest_ns > 1_000_000 * SECOND_NS


def test_ages_stay_few_and_never_call_a_record_younger_than_it_is():
    ages = Ages()
    for sequence in range(1, 20_001):
        ages.put(sequence, sequence * SECOND_NS)
        assert len(ages._moments) <= MOST
    for sequence in range(0, 20_000, 37):
        ages.gone(sequence)
        assert sequence + 1 - 64 <= ages.oldest_ns // SECOND_NS <= sequence + 1
