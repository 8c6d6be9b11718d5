"""The traffic simulator: what its labels say is what tshark sees, and the same seed gives the same bytes."""

import gzip
import json
import math
import struct
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import simulator
from simulator import command
from simulator.intent import Call
from simulator.numbers import HIGH_COST
from simulator.scenario import SHIPPED, load
from simulator.simulation import Play
from simulator.vendors import STYLES, pool

SAMPLE = SHIPPED.parent / "samples" / "sample.pcap.gz"
SAMPLE_LIMIT_BYTES = 300_000
SHIPPED_NAMES = sorted(path.stem for path in SHIPPED.glob("*.toml"))
FRAUD_STATES = {"completed", "cancelled", "rejected", "failed", "expired"}

HEAD = """
title = "test"
start = 2026-03-02T10:00:00+08:00
duration_s = 900
seed = 5
"""

HOMES = """
[[population]]
kind = "households"
name = "homes"
lines = 120
calls_per_line_hour = 6.0
talk_median_s = 30.0
"""

MIXED = (
    """
[network]
loss_ratio = 0.02
"""
    + HOMES
    + """
[[population]]
kind = "office"
name = "firms"
offices = 3
calls_per_extension_hour = 4.0

[[population]]
kind = "registrations"
name = "registrations"
every_s = 300.0
wrong_password_ratio = 0.1

[[population]]
kind = "robocall"
name = "robots"
calls_per_hour = 800

[[population]]
kind = "wangiri"
name = "one-ring"
calls_per_hour = 600

[[population]]
kind = "irsf"
name = "broken-exchange"
through = "firms"
talk_median_s = 1200.0

[[population]]
kind = "registration_scan"
name = "scan"
for_s = 30
"""
)


class Made(NamedTuple):
    capture: Path
    calls: list[dict]
    sources: list[dict]
    summary: simulator.Summary


def toml(directory: Path, text: str, name: str = "test") -> Path:
    path = directory / f"{name}.toml"
    path.write_text(text)
    return path


def make(directory: Path, text: str, **options: object) -> Made:
    return made_of(directory, toml(directory, text), **options)


def made_of(directory: Path, scenario: object, **options: object) -> Made:
    capture, labels = directory / "x.pcap", directory / "x.jsonl"
    summary = simulator.run(scenario, out=capture, labels=labels, **options)
    lines = [json.loads(line) for line in labels.read_text().splitlines()]
    by_type = {kind: [line for line in lines if line["type"] == kind] for kind in ("call", "source")}
    return Made(capture, by_type["call"], by_type["source"], summary)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("mixed"), HEAD + MIXED)


@pytest.fixture(scope="module")
def messages(mixed: Made, tshark_fields: Callable) -> dict[str, list[dict[str, str]]]:
    """Call-ID -> its messages in order, as tshark reads them."""
    names = ("sip.Call-ID", "sip.Method", "sip.Status-Code", "sip.CSeq.method", "sip.CSeq.seq", "ip.src", "udp.srcport",
             "sip.from.user", "sip.r-uri.user", "frame.time_epoch", "sip.Via.branch")  # fmt: skip
    found = defaultdict(list)
    for row in tshark_fields(mixed.capture, "sip", *names):
        found[row[0]].append(dict(zip(names, row, strict=True)))
    return found


# --- scenario files


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_every_shipped_scenario_loads(name: str):
    assert load(name).population


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (HEAD + HOMES + "colour = 3\n", "colour"),
        ("colour = 3\n" + HEAD + HOMES, "colour"),
        (HEAD + "[network]\nlosses = 0.1\n" + HOMES, "losses"),
        (HEAD + HOMES + "answer_ratio = 1.5\n", "answer_ratio"),
        (HEAD + HOMES + 'vendors = ["acme"]\n', "acme"),
        (HEAD + '[[population]]\nkind = "burglars"\nname = "x"\n', "burglars"),
        (HEAD + HOMES + '[[population]]\nkind = "irsf"\nname = "x"\nthrough = "nobody"\n', "nobody"),
        (HEAD + HOMES + '[[population]]\nkind = "irsf"\nname = "x"\nthrough = "homes"\n', "homes has no trunk"),
        (HEAD + HOMES + HOMES, "homes"),
        (HEAD.replace("+08:00", "") + HOMES, "start"),
        (HEAD.replace("seed = 5", "seed = ") + HOMES, "test.toml"),
        (HEAD + 'country = "XX"\n' + HOMES, "XX"),
    ],
)
def test_a_scenario_that_cannot_be_used_is_refused_by_file_and_key(tmp_path: Path, text: str, fault: str):
    with pytest.raises(simulator.ScenarioError) as refusal:
        load(toml(tmp_path, text))
    assert "test.toml" in str(refusal.value)
    assert fault in str(refusal.value)


def test_a_missing_scenario_is_refused_by_name(tmp_path: Path):
    with pytest.raises(simulator.ScenarioError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")


def test_the_command_answers_with_the_exit_status_of_the_contract(tmp_path: Path, capsys: pytest.CaptureFixture):
    good = toml(tmp_path, HEAD + HOMES)
    assert command.run([good], tmp_path / "x.pcap", tmp_path / "x.jsonl", 3) == 0
    assert command.run([tmp_path / "nowhere.toml"], tmp_path / "x.pcap") == 2
    assert command.run([good], tmp_path / "no-directory" / "x.pcap") == 3
    said = capsys.readouterr()
    assert "nowhere.toml" in said.err
    assert "no-directory" in said.err
    assert said.out == ""


# --- determinism


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path):
    text = HEAD + "[media]\nshare = 0.2\n" + MIXED.replace("[network]", "[network]\nreorder_ratio = 0.01")
    first = make(tmp_path, text, seed=11)
    one, labels = first.capture.read_bytes(), (tmp_path / "x.jsonl").read_bytes()
    again = make(tmp_path, text, seed=11)
    assert again.capture.read_bytes() == one
    assert (tmp_path / "x.jsonl").read_bytes() == labels
    assert make(tmp_path, text, seed=12).capture.read_bytes() != one


def test_a_fraud_added_to_a_scenario_does_not_change_what_the_honest_do(tmp_path: Path):
    def honest(text: str) -> list[tuple[int, str]]:
        play = Play(load(toml(tmp_path, text)), seed=1)
        return [(intent.start_ns, intent.callee) for intent in play.intents if intent.population == "homes"]

    robots = '[[population]]\nkind = "robocall"\nname = "robots"\n'
    assert honest(HEAD + HOMES) == honest(HEAD + HOMES + robots)


def test_the_shipped_sample_is_what_the_generator_makes(tmp_path: Path):
    made = tmp_path / "sample.pcap.gz"
    simulator.run("sample", out=made)
    shipped = SAMPLE.read_bytes()
    # The content, not the compressed bytes: zlib may compress otherwise in another version.
    assert gzip.decompress(made.read_bytes()) == gzip.decompress(shipped)
    assert struct.unpack("<I", shipped[4:8]) == (0,), "the time in the gzip header is not 0"
    assert len(shipped) <= SAMPLE_LIMIT_BYTES


def test_the_sample_has_every_fraud_between_honest_calls(tmp_path: Path):
    made = made_of(tmp_path, "sample")
    labels = Counter(line["label"] for line in made.calls + made.sources)
    assert {"honest", "robocall", "wangiri", "irsf", "registration_scan"} <= set(labels)
    assert 60 <= len(made.calls) <= 150


# --- what tshark sees


def test_no_packet_is_malformed_and_every_ip_checksum_is_right(mixed: Made, tshark_fields: Callable):
    options = ("-o", "ip.check_checksum:TRUE")
    bad = "_ws.malformed || _ws.expert.severity >= 0x600000 || ip.checksum.status == 0"
    assert tshark_fields(mixed.capture, bad, "frame.number", options=options) == []
    assert len(tshark_fields(mixed.capture, "sip", "frame.number")) == mixed.summary.packets


def test_calls_are_the_call_ids_that_had_an_invite(mixed: Made, messages: dict):
    invited = {call_id for call_id, found in messages.items() if any(one["sip.Method"] == "INVITE" for one in found)}
    assert {line["call_id"] for line in mixed.calls} == invited
    assert len(mixed.calls) == len(invited) == mixed.summary.calls


def test_the_first_invite_has_the_caller_callee_and_source_of_its_label(mixed: Made, messages: dict):
    for line in mixed.calls:
        first = messages[line["call_id"]][0]
        assert (first["sip.Method"], first["sip.from.user"], first["sip.r-uri.user"]) == (
            "INVITE",
            line["caller"],
            line["callee"],
        )
        assert f"{first['ip.src']}:{first['udp.srcport']}" == line["source"]


def test_the_state_of_every_call_is_what_its_messages_say(mixed: Made, messages: dict):
    seen = Counter()
    for line in mixed.calls:
        found = messages[line["call_id"]]
        finals = {int(one["sip.Status-Code"]) for one in found
                  if one["sip.CSeq.method"] == "INVITE" and one["sip.Status-Code"] >= "2"} - {407}  # fmt: skip
        methods = {one["sip.Method"] for one in found}
        state, code = line["state"], line["status_code"]
        seen[state] += 1
        assert finals == ({code} if state != "expired" else set()), line
        assert ("BYE" in methods) == (state == "completed")
        assert ("CANCEL" in methods) == (state == "cancelled")
        assert {"rejected": 400 <= code < 500 or code >= 600, "failed": 500 <= code < 600 or code == 408}.get(
            state, True
        )
    assert set(seen) == FRAUD_STATES, "a state that the mixed scenario never reaches is not tested"


def test_the_talk_of_an_answered_call_is_as_long_as_its_label_says(mixed: Made, messages: dict):
    answered = [line for line in mixed.calls if line["state"] == "completed"]
    exact = 0
    for line in answered:
        found = messages[line["call_id"]]
        accepted = [
            float(one["frame.time_epoch"])
            for one in found
            if one["sip.Status-Code"] == "200" and one["sip.CSeq.method"] == "INVITE"
        ]
        ended = [float(one["frame.time_epoch"]) for one in found if one["sip.Method"] == "BYE"]
        exact += abs(ended[0] - accepted[0] - line["duration_s"]) < 0.001
    # Losses move the first one that is seen of either.
    assert exact >= 0.95 * len(answered)


def test_a_cancel_has_the_branch_and_number_of_its_invite(mixed: Made, messages: dict):
    checked = 0
    for line in mixed.calls:
        if line["state"] != "cancelled":
            continue
        found = messages[line["call_id"]]
        invite = [one for one in found if one["sip.Method"] == "INVITE"][-1]
        cancel = next(one for one in found if one["sip.Method"] == "CANCEL")
        assert (cancel["sip.Via.branch"], cancel["sip.CSeq.seq"]) == (invite["sip.Via.branch"], invite["sip.CSeq.seq"])
        checked += 1
    assert checked > 50


def test_lost_messages_are_sent_again(mixed: Made, tmp_path: Path, tshark_fields: Callable):
    def resent(capture: Path) -> int:
        rows = tshark_fields(capture, "sip.Method == INVITE", "sip.Call-ID", "sip.Via.branch")
        return len(rows) - len(set(rows))

    lossless = make(tmp_path, HEAD + HOMES)
    unreached = sum(line["state"] == "expired" for line in lossless.calls)
    assert resent(lossless.capture) == 6 * unreached  # timer A: six more sendings until timer B
    unreached = sum(line["state"] == "expired" for line in mixed.calls)
    assert resent(mixed.capture) > 6 * unreached


def test_scans_and_registrations_are_labelled_by_their_source(mixed: Made, tshark_fields: Callable):
    seen = defaultdict(set)
    count = Counter()
    for source, user in set_of_requests(tshark_fields, mixed.capture):
        seen[source].add(user)
        count[source] += 1
    scan = next(line for line in mixed.sources if line["label"] == "registration_scan")
    assert scan["users"] == len(seen[scan["source"]]) > 300
    assert scan["requests"] == count[scan["source"]]
    honest = [line for line in mixed.sources if line["label"] == "honest"]
    assert {line["source"] for line in honest} == set(seen) - {scan["source"]}
    assert all(line["users"] == 1 for line in honest)


def set_of_requests(tshark_fields: Callable, capture: Path) -> list[tuple[str, str]]:
    """(source, user) of every REGISTER, retransmissions counted once."""
    rows = tshark_fields(capture, "sip.Method == REGISTER", "ip.src", "sip.to.user", "sip.Via.branch")
    return [row[:2] for row in dict.fromkeys(rows)]


def test_every_products_writing_is_read_by_tshark(tmp_path: Path, tshark_fields: Callable):
    populations = "".join(
        f'[[population]]\nkind = "office"\nname = "{name}"\noffices = 1\nvendors = ["{name}"]\n'
        "calls_per_extension_hour = 3.0\n"
        for name in STYLES
    )
    made = make(tmp_path, HEAD + populations)
    rows = tshark_fields(
        made.capture, "sip.Method == INVITE", "sip.Call-ID", "sdp.media.port", "sip.from.tag", "sip.User-Agent"
    )
    by_call = {row[0]: row[1:] for row in rows}
    for line in made.calls:
        port, tag, agent = by_call[line["call_id"]]
        assert port, f"no session description from {line['population']}"
        assert tag, f"no From tag from {line['population']}"
        assert agent in STYLES[line["population"]].agents
    assert {line["population"] for line in made.calls} == set(STYLES)
    bad = "_ws.malformed || _ws.expert.severity >= 0x600000"
    assert tshark_fields(made.capture, bad, "frame.number", "_ws.expert.message") == []


def test_prack_update_and_holds_occur_and_are_answered(tmp_path: Path, tshark_fields: Callable):
    text = HEAD + HOMES.replace("talk_median_s = 30.0", "talk_median_s = 2400.0") + 'vendors = ["fritzbox", "pjsua"]\n'
    methods = Counter()
    for seed in range(6):  # the server's style is drawn too: not each one can do PRACK
        made = make(tmp_path, text, seed=seed)
        rows = tshark_fields(
            made.capture,
            "sip",
            "sip.Method",
            "sip.CSeq.method",
            "sip.Status-Code",
            "sip.to.tag",
            "sip.Call-ID",
            "sip.CSeq.seq",
        )
        for method, _, _, to_tag, _, _ in rows:
            methods["re-INVITE" if method == "INVITE" and to_tag else method] += 1
        asked = {row[4:] for row in rows if row[0] in ("PRACK", "UPDATE")}
        answered = {row[4:] for row in rows if row[1] in ("PRACK", "UPDATE") and row[2] == "200"}
        assert asked == answered
    assert {"PRACK", "UPDATE", "re-INVITE"} <= set(methods)


# --- media

MEDIA = HEAD.replace("900", "120") + "[media]\nshare = 1.0\nlimit_s = 20.0\nsilence_suppression_ratio = 0.0\n" + HOMES


def rtp_streams(capture: Path) -> list[dict[str, float]]:
    done = subprocess.run(
        ["tshark", "-n", "-q", "-r", capture, "-z", "rtp,streams"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    rows = [line.split() for line in done.stdout.splitlines() if "0x" in line]
    return [{"packets": int(row[8]), "lost": int(row[9]), "gap_ms": float(row[12])} for row in rows]


def test_an_answered_call_has_one_stream_each_way_for_as_long_as_it_talks(tmp_path: Path):
    made = make(tmp_path, MEDIA)
    talks = sorted(
        math.floor(min(line["duration_s"], 20.0) * 50 + 1e-6) for line in made.calls if line["state"] == "completed"
    )
    streams = rtp_streams(made.capture)
    heard = sorted(stream["packets"] for stream in streams)
    assert sum(stream["lost"] for stream in streams) == 0
    assert len(talks) > 10
    # tshark lists a stream from its second packet on; a talk is rounded to milliseconds in its label
    expected = sorted(count for talk in talks for count in (talk, talk))
    assert len(heard) == len(expected)
    assert all(abs(a - b) <= 1 for a, b in zip(heard, expected, strict=True))


def test_rtp_that_is_lost_is_missing_and_rtp_that_is_not_sent_is_not_lost(tmp_path: Path):
    lossy = make(tmp_path, MEDIA.replace("[media]", "[network]\nloss_ratio = 0.05\n[media]"))
    streams = rtp_streams(lossy.capture)
    packets, lost = (sum(stream[name] for stream in streams) for name in ("packets", "lost"))
    assert 0.04 < lost / (packets + lost) < 0.06
    silent = rtp_streams(make(tmp_path, MEDIA.replace("ratio = 0.0", "ratio = 1.0")).capture)
    assert sum(stream["lost"] for stream in silent) == 0
    assert sum(stream["packets"] for stream in silent) < 0.7 * (packets + lost)


def test_the_packets_of_a_capture_are_in_order_of_time(tmp_path: Path, tshark_fields: Callable):
    made = make(tmp_path, MEDIA.replace("[media]", "[network]\nreorder_ratio = 0.02\nduplicate_ratio = 0.02\n[media]"))
    times = [float(row[0]) for row in tshark_fields(made.capture, "frame", "frame.time_epoch")]
    assert times == sorted(times)
    assert len(times) == made.summary.packets


# --- the mirror


def test_a_mirror_of_one_direction_shows_the_packets_of_that_direction_only(tmp_path: Path, tshark_fields: Callable):
    both = make(tmp_path, MEDIA)
    sides = Counter(row[0].startswith("10.0.") for row in tshark_fields(both.capture, "ip", "ip.src"))
    for direction, from_server in (("to_server", False), ("from_server", True)):
        one = make(tmp_path, MEDIA.replace("[media]", f'[capture]\ndirection = "{direction}"\n[media]'))
        seen = Counter(row[0].startswith("10.0.") for row in tshark_fields(one.capture, "ip", "ip.src"))
        assert seen == {from_server: sides[from_server]}


def test_drops_duplicates_and_a_short_snaplen_are_in_the_capture(tmp_path: Path, tshark_fields: Callable):
    whole = make(tmp_path, HEAD + HOMES).summary.packets
    dropped = make(tmp_path, HEAD + "[capture]\ndrop_ratio = 0.2\n" + HOMES).summary.packets
    twice = make(tmp_path, HEAD + "[network]\nduplicate_ratio = 0.2\n" + HOMES).summary.packets
    assert 0.75 < dropped / whole < 0.85
    assert 1.15 < twice / whole < 1.25
    short = make(tmp_path, HEAD + '[capture]\nsnaplen_bytes = 96\nresolution = "us"\n' + HOMES)
    sizes = {
        (int(kept), int(sent) > 96)
        for kept, sent in tshark_fields(short.capture, "frame", "frame.cap_len", "frame.len")
    }
    assert sizes == {(96, True)}


def test_two_scenarios_share_a_capture_but_no_address(tmp_path: Path):
    paths = [toml(tmp_path, HEAD + HOMES, name) for name in ("east", "west")]
    made = made_of(tmp_path, paths)
    sources = defaultdict(set)
    for line in made.calls:
        sources[line["scenario"]].add(line["source"].split(":")[0])
    assert set(sources) == {"east", "west"}
    assert not sources["east"] & sources["west"]


# --- populations


def within(share: float, expected: float, count: int, deviations: float = 4.0) -> bool:
    """Is a share of `count` draws within some standard deviations of the expected one?"""
    return abs(share - expected) <= deviations * math.sqrt(expected * (1 - expected) / count)


def share_of(lines: list[dict], state: str) -> float:
    return sum(line["state"] == state for line in lines) / len(lines)


@pytest.mark.parametrize("ratio", [0.5, 0.7])
def test_calls_of_a_household_are_answered_as_often_as_it_is_told(tmp_path: Path, ratio: float):
    calls = make(
        tmp_path, HEAD + HOMES.replace("lines = 120", "lines = 900") + f"answer_ratio = {ratio}\nmisdial_ratio = 0.0\n"
    ).calls
    assert len(calls) > 1000
    assert within(share_of(calls, "completed"), ratio, len(calls))


def test_talks_are_log_normal_with_the_median_they_are_told(tmp_path: Path):
    calls = make(tmp_path, HEAD + HOMES.replace("lines = 120", "lines = 900") + "misdial_ratio = 0.0\n").calls
    talks = [math.log(line["duration_s"]) for line in calls if line["state"] == "completed"]
    mean = sum(talks) / len(talks)
    spread = math.sqrt(sum((talk - mean) ** 2 for talk in talks) / len(talks))
    assert abs(mean - math.log(30.0)) < 4 * 1.1 / math.sqrt(len(talks))
    assert 1.0 < spread < 1.2


def test_households_call_few_contacts_and_are_called_back(tmp_path: Path):
    calls = make(tmp_path, HEAD.replace("900", "7200") + HOMES).calls
    callees = defaultdict(set)
    count = Counter()
    for line in calls:
        callees[line["caller_e164"]].add(line["callee_e164"])
        count[line["caller_e164"]] += 1
    busy = [caller for caller, number in count.items() if number >= 20]
    assert busy
    assert sum(len(callees[caller]) for caller in busy) < 0.5 * sum(count[caller] for caller in busy)
    variants = Counter(line["variant"] for line in calls)
    assert {"contact", "stranger", "call_back", "retry", "misdial"} <= set(variants)
    pairs = {(line["caller_e164"], line["callee_e164"]) for line in calls}
    assert all((line["callee_e164"], line["caller_e164"]) in pairs for line in calls if line["variant"] == "call_back")


def test_a_village_calls_from_one_address(tmp_path: Path):
    calls = make(tmp_path, HEAD + HOMES + "one_address = true\n").calls
    assert len({line["source"] for line in calls}) == 1
    assert len({line["caller"] for line in calls}) > 60


def test_a_robocaller_calls_strangers_shortly_and_in_vain(mixed: Made):
    calls = [line for line in mixed.calls if line["label"] == "robocall"]
    assert len({line["callee_e164"] for line in calls}) > 0.97 * len(calls)
    assert share_of(calls, "completed") < 0.4
    assert max(line["duration_s"] for line in calls) <= 90


def test_a_robocaller_that_rotates_takes_new_numbers(tmp_path: Path):
    robots = (
        '[[population]]\nkind = "robocall"\nname = "robots"\ncallers = 2\ncalls_per_caller = 10\ncalls_per_hour = 800\n'
    )
    count = Counter(line["caller"] for line in make(tmp_path, HEAD + robots).calls)
    assert max(count.values()) == 10
    assert len(count) >= 20


def test_wangiri_rings_once_from_an_expensive_number(mixed: Made, messages: dict):
    calls = [line for line in mixed.calls if line["label"] == "wangiri"]
    prefixes = tuple(prefix for zone in ("africa", "islands") for prefix, _ in HIGH_COST[zone])
    assert all(line["caller_e164"].startswith(prefixes) for line in calls)
    cancelled = [line for line in calls if line["state"] == "cancelled"]
    assert len(cancelled) > 0.85 * len(calls)
    for line in cancelled:
        found = messages[line["call_id"]]
        ringing = [float(one["frame.time_epoch"]) for one in found if one["sip.Status-Code"] in ("180", "183")]
        cancel = next(float(one["frame.time_epoch"]) for one in found if one["sip.Method"] == "CANCEL")
        assert not ringing or cancel - ringing[0] < 10.0


def test_toll_fraud_goes_to_expensive_ranges_through_the_exchange_of_a_firm(mixed: Made):
    fraud = [line for line in mixed.calls if line["label"] == "irsf"]
    prefixes = tuple(prefix for ranges in HIGH_COST.values() for prefix, _ in ranges)
    assert all(line["callee_e164"].startswith(prefixes) for line in fraud)
    sources = {line["source"] for line in fraud}
    assert len(sources) == 1
    assert sources & {line["source"] for line in mixed.calls if line["label"] == "honest"}
    assert sorted(line["duration_s"] for line in fraud)[len(fraud) // 2] > 300


def test_a_masked_agent_is_all_that_a_mask_changes(tmp_path: Path):
    robots = '[[population]]\nkind = "robocall"\nname = "robots"\nmasked = {}\nvendors = ["asterisk-sip"]\n'
    lines = [_first_call(tmp_path, HEAD + robots.format(masked)).line for masked in ("false", "true")]
    assert lines[0].style is lines[1].style
    assert lines[0].agent in STYLES["asterisk-sip"].agents
    assert any(lines[1].agent in style.agents for style in pool("phone", "any"))


def _first_call(directory: Path, text: str) -> Call:
    play = Play(load(toml(directory, text)), seed=1)
    return next(intent for intent in play.intents if isinstance(intent, Call))
