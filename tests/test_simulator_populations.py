"""Every population of the simulator: what its labels say is on the wire, and what makes it hard is there."""

import base64
import json
import re
import struct
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple, get_args

import msgspec
import pytest

import simulator
from models.fraud_types import FRAUD_TYPES
from simulator.frauds.toll_fraud import TollFraud
from simulator.numbers import HIGH_COST
from simulator.scenario import SHIPPED, Population, load
from simulator.vendors import STYLES, scripted

HEAD = """
title = "test"
start = 2026-03-02T10:00:00+08:00
duration_s = 1200
seed = 21
"""
WORLD = (Path(__file__).parent / "world.toml").read_text()
STATES = {"BYE": "completed", "CANCEL": "cancelled"}
COVERED_ELSEWHERE = {"office", "call_centre", "couriers", "reminders", "alarms", "registrations", "keepalives"} | {
    "robocall", "wangiri", "irsf", "registration_scan", "options_scan"}  # fmt: skip
FIELDS = ("sip.Call-ID", "sip.Method", "sip.Status-Code", "sip.CSeq.method", "ip.src", "udp.srcport", "sip.from.user",
          "sip.r-uri.user", "frame.time_epoch", "sip.Status-Line", "sip.to.user", "frame.number", "ip.dst")  # fmt: skip


class World(NamedTuple):
    capture: Path
    calls: dict[str, list[dict]]  # population -> labels
    sources: dict[str, list[dict]]
    messages: dict[str, list[dict[str, str]]]  # Call-ID -> as tshark reads them
    bytes: tuple[bytes, bytes]


def play(directory: Path, text: str, **options: object) -> tuple[Path, list[dict]]:
    path, capture, labels = directory / "world.toml", directory / "world.pcap", directory / "world.jsonl"
    path.write_text(text)
    simulator.run(path, out=capture, labels=labels, **options)
    return capture, [json.loads(line) for line in labels.read_text().splitlines()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, tshark_fields: Callable) -> World:
    directory = tmp_path_factory.mktemp("world")
    capture, labels = play(directory, WORLD)
    by_type: dict[str, dict[str, list[dict]]] = {"call": defaultdict(list), "source": defaultdict(list)}
    for line in labels:
        by_type[line["type"]][line["population"]].append(line)
    messages = defaultdict(list)
    for row in tshark_fields(capture, "sip", *FIELDS):
        messages[row[0]].append(dict(zip(FIELDS, row, strict=True)))
    kept = capture.read_bytes(), (directory / "world.jsonl").read_bytes()
    return World(capture, by_type["call"], by_type["source"], messages, kept)


def frauds(world: World, population: str) -> list[dict]:
    return [line for line in world.calls[population] if line["label"] == population]


def times(found: list[dict[str, str]], **wanted: str) -> list[float]:
    """When messages with these fields were seen; `code="200"` and the like."""
    names = {"code": "sip.Status-Code", "method": "sip.Method", "of": "sip.CSeq.method"}
    return [
        float(one["frame.time_epoch"])
        for one in found
        if all(one[names[key]] == value for key, value in wanted.items())
    ]


# --- all of them


def test_the_world_of_this_test_has_every_kind():
    kinds = {struct.__struct_config__.tag for struct in get_args(Population)}
    assert set(re.findall(r'kind = "(\w+)"', WORLD)) == kinds - COVERED_ELSEWHERE


def test_nothing_of_any_population_is_malformed(world: World, tshark_fields: Callable):
    bad = "_ws.malformed || _ws.expert.severity >= 0x600000 || ip.checksum.status == 0"
    options = ("-o", "ip.check_checksum:TRUE")
    assert tshark_fields(world.capture, bad, "frame.number", "_ws.expert.message", options=options) == []


def test_the_label_of_every_call_is_what_is_on_the_wire(world: World):
    labelled = [line for lines in world.calls.values() for line in lines]
    invited = {call_id for call_id, found in world.messages.items() if times(found, method="INVITE")}
    assert {line["call_id"] for line in labelled} == invited
    for line in labelled:
        found = world.messages[line["call_id"]]
        first = found[0]
        assert (first["sip.from.user"], first["sip.r-uri.user"]) == (line["caller"], line["callee"])
        assert f"{first['ip.src']}:{first['udp.srcport']}" == line["source"]
        finals = {one["sip.Status-Code"] for one in found if one["sip.CSeq.method"] == "INVITE"}
        finals = {code for code in finals if code >= "2" and code != "407"}
        assert finals == ({str(line["status_code"])} if line["state"] != "expired" else set())
        ended = {STATES[one["sip.Method"]] for one in found if one["sip.Method"] in STATES}
        assert ended == ({line["state"]} & set(STATES.values()))


def test_the_same_seed_gives_the_same_world_and_another_does_not(world: World, tmp_path: Path):
    capture, _ = play(tmp_path, WORLD)
    assert (capture.read_bytes(), (tmp_path / "world.jsonl").read_bytes()) == world.bytes
    assert play(tmp_path, WORLD, seed=22)[0].read_bytes() != world.bytes[0]


@pytest.mark.parametrize("regime", ["train", "eval"])
def test_the_shipped_scenarios_of_a_regime_make_no_malformed_packet(
    regime: str, tmp_path: Path, tshark_fields: Callable
):
    scenarios = [load(path) for path in sorted(SHIPPED.glob(f"{regime}_*.toml"))]
    for scenario in scenarios:
        scenario.duration_s = 120.0
        for population in scenario.population:
            if getattr(population, "after_s", 0.0):
                population.after_s = 10.0
            if isinstance(population, TollFraud):
                population.starts_within_s = 60.0
    simulator.run(scenarios, out=tmp_path / "x.pcap", labels=tmp_path / "x.jsonl")
    labels = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert set(FRAUD_TYPES) <= {line["label"] for line in labels}
    bad = "_ws.malformed || _ws.expert.severity >= 0x600000"
    assert tshark_fields(tmp_path / "x.pcap", bad, "frame.number", "_ws.expert.message") == []


def test_every_fraud_type_is_taught_and_judged_with_variants_that_teaching_has_not():
    def variants(regime: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for path in SHIPPED.glob(f"{regime}_*.toml"):
            for one in load(path).population:
                found[type(one).__struct_config__.tag].add(getattr(one, "variant", ""))
        return found

    taught, judged = variants("train"), variants("eval")
    for kind in FRAUD_TYPES:
        assert taught[kind], f"{kind} is not taught"
        assert judged[kind] - taught[kind], f"{kind} is judged by what it was taught on"


# --- who a call says it is from


@pytest.fixture(scope="module")
def headers(world: World, tshark_fields: Callable) -> dict[str, dict[str, str]]:
    """Call-ID -> the header lines of its first INVITE by name."""
    found: dict[str, dict[str, str]] = {}
    for call_id, text in tshark_fields(world.capture, "sip.Method == INVITE", "sip.Call-ID", "sip.msg_hdr"):
        lines = re.split(r"\\r\\n|\r\n", text)
        found.setdefault(call_id, defaultdict(str, (line.split(": ", 1) for line in lines if ": " in line)))
    return found


def test_a_trunk_says_what_its_policy_tells_it_to(world: World, headers: dict):
    calls = [line for line in world.calls["homes"] if line["variant"] != "call_back"]  # that is another's line
    homes = [(line, headers[line["call_id"]]) for line in calls]
    assert all(f"+{line['caller_e164']}@" in row["P-Asserted-Identity"] for line, row in homes)
    assert all(f"+{line['caller_e164']}@" in row["Remote-Party-ID"] for line, row in homes)
    forwarded = [row for _, row in homes if row["Diversion"]]
    assert 0.1 < len(forwarded) / len(homes) < 0.5
    assert all("index=1.1" in row["History-Info"] for row in forwarded)
    hidden = [(line, row) for line, row in homes if row["Privacy"] == "id"]
    assert hidden
    assert {line["caller"] for line, _ in hidden} == {"anonymous"}
    assert all(line["caller"] != "anonymous" for line, row in homes if not row["Privacy"])
    signed = [headers[line["call_id"]] for line in world.calls["wholesale"]]
    assert all("verstat=TN-Validation-Passed" in row["P-Asserted-Identity"] for row in signed)
    assert not any(row["Identity"] for _, row in homes)


def test_a_passport_says_who_calls_whom_and_when(world: World, headers: dict):
    levels = Counter()
    for line in world.calls["wholesale"] + frauds(world, "caller_spoofing"):
        token, *parameters = headers[line["call_id"]]["Identity"].split(";")
        header, claims, signature = (decoded(part) for part in token.split("."))
        assert json.loads(header)["typ"] == "passport"
        said = json.loads(claims)
        assert (said["orig"], said["dest"]) == ({"tn": line["caller_e164"]}, {"tn": [line["callee_e164"]]})
        assert abs(said["iat"] - float(world.messages[line["call_id"]][0]["frame.time_epoch"])) <= 1
        assert len(signature) == 64
        assert parameters[1:] == ["alg=ES256", "ppt=shaken"]
        levels[line["label"], said["attest"]] += 1
    assert set(levels) == {("honest", "A"), ("caller_spoofing", "C")}


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_an_invite_longer_than_a_frame_is_fragmented_and_read_whole(world: World, tshark_fields: Callable):
    rows = tshark_fields(
        world.capture,
        "ip.flags.mf == 1 || ip.fragments",
        "ip.flags.mf",
        "frame.len",
        "ip.reassembled.length",
        "sip.Method",
    )
    parts = [row for row in rows if row[0] in ("1", "True")]
    whole = [row for row in rows if row[3] == "INVITE"]
    assert len(rows) == 2 * len(parts) == 2 * len(whole) > 200
    assert max(int(length) for _, length, _, _ in rows) <= 1514
    assert min(int(length) for _, _, length, _ in whole) > 1480


def test_a_spoofed_caller_is_not_whom_the_network_asserts(world: World, headers: dict):
    spoofed = frauds(world, "caller_spoofing")
    assert all(line["caller"].startswith("+86") for line in spoofed)
    for line in spoofed:
        asserted = headers[line["call_id"]]["P-Asserted-Identity"]
        assert "verstat=TN-Validation-Failed" in asserted
        assert not asserted.startswith("<sip:+86")
    # The trunk's own callers are abroad: a domestic one does not belong there.
    assert not any(line["caller"].startswith("+86") for line in world.calls["wholesale"])
    assert {line["source"] for line in spoofed} == {line["source"] for line in world.calls["wholesale"]}


# --- frauds


def test_a_sim_gateway_writes_as_its_product_does_in_both_directions(world: World, tshark_fields: Callable):
    calls = frauds(world, "goip_gateway")
    ids = {line["call_id"] for line in calls}
    servers = {line["source"] for line in calls} & {line["source"] for line in world.calls["interconnect"]}
    assert len(servers) == 1, "the server hands it no calls"
    lines = {one["sip.Status-Line"] for call_id in ids for one in world.messages[call_id]}
    assert "SIP/2.0 480 Remote Busy" in lines
    others = {
        one["sip.Status-Line"] for call_id, found in world.messages.items() if call_id not in ids for one in found
    }
    assert "SIP/2.0 480 Remote Busy" not in others
    rows = tshark_fields(world.capture, 'sdp.session_name == "DBL Session"', "sip.Call-ID", "sdp.owner.sessionid")
    assert {call_id for call_id, _ in rows} <= ids
    assert {session for _, session in rows} == {"20000001"}


def test_a_sim_gateway_has_management_and_sim_bank_traffic_beside_sip(world: World, tshark_fields: Callable):
    keepalive = re.compile(
        rb"req:\d+;id:\w+;pass:\w+;num:86\d{11};signal:\d+;gsm_status:LOGIN;imei:\d{15};imsi:\d{15};iccid:\d{20};"
    )
    (source,) = world.sources["goip_gateway"]
    rows = tshark_fields(world.capture, "!sip && !ip.flags.mf == 1", "ip.src", "udp.dstport", "udp.payload")
    sent = [(port, bytes.fromhex(payload)) for address, port, payload in rows if address == source["source"]]
    asked = [payload for port, payload in sent if port == "44444"]
    assert len(asked) > 200
    assert all(keepalive.fullmatch(payload) for payload in asked)
    bank = [payload for port, payload in sent if port == "56011"]
    assert bank
    assert {struct.unpack("!I", payload[:4]) for payload in bank} == {(0x43215678,)}
    assert source["requests"] == len(sent) + registrations(world, source["source"])
    assert source["label"] == "goip_gateway"


def registrations(world: World, source: str) -> int:
    """How many REGISTER requests came from this address."""
    return sum(
        one["sip.Method"] == "REGISTER" and one["ip.src"] == source
        for found in world.messages.values()
        for one in found
    )


def test_a_stolen_account_calls_expensive_numbers_from_a_foreign_address(world: World):
    calls = frauds(world, "toll_fraud")
    prefixes = tuple(prefix for ranges in HIGH_COST.values() for prefix, _ in ranges)
    homes = {line["caller_e164"]: line["source"] for line in world.calls["homes"]}
    by_caller = defaultdict(list)
    for line in calls:
        by_caller[line["caller_e164"]].append(line)
        assert line["source"].startswith("198.18.")
        assert line["callee_e164"].startswith(prefixes)
    assert len(by_caller) == 3
    assert all(len({line["callee_e164"] for line in lines}) <= 4 < len(lines) for lines in by_caller.values())
    assert any(caller in homes for caller in by_caller), "no owner called from home"
    assert all(line["label"] == "toll_fraud" for line in world.sources["toll_fraud"])


def test_guessed_passwords_are_many_for_few_users_until_one_is_right(world: World):
    (source,) = world.sources["password_guessing"]
    assert (source["users"], source["requests"], source["label"]) == (3, 600, "password_guessing")
    answers = [
        (float(one["frame.time_epoch"]), one["sip.Status-Code"])
        for found in world.messages.values() if found[0]["ip.src"] == source["source"]
        for one in found if one["sip.Status-Code"]
    ]  # fmt: skip
    assert Counter(code for _, code in answers) == {"401": 300, "403": 299, "200": 1}
    assert max(answers)[1] == "200"


def test_a_flood_on_one_number_takes_all_its_lines(world: World):
    calls = sorted(world.calls["tdos"], key=lambda line: line["start"])
    attack = frauds(world, "tdos")
    assert len({line["callee_e164"] for line in calls}) == 1
    assert len({line["caller_e164"] for line in attack}) > 0.95 * len(attack)
    bystanders = [line for line in calls if line["label"] == "honest"]
    assert {line["variant"] for line in bystanders} == {"tdos_bystander"}
    assert sum(line["status_code"] == 486 for line in attack) > 0.5 * len(attack)
    assert most_at_once(world, calls) <= 4


def most_at_once(world: World, calls: list[dict]) -> int:
    """How many of these were answered and not ended at the same time."""
    changes = []
    for line in calls:
        if line["state"] == "completed":
            accepted = times(world.messages[line["call_id"]], code="200", of="INVITE")[0]
            changes += [(accepted, 1), (accepted + line["duration_s"], -1)]
    held = most = 0
    for _, change in sorted(changes):
        held += change
        most = max(most, held)
    return most


def test_a_flash_call_rings_once_and_is_never_answered(world: World):
    calls = frauds(world, "flash_call")
    assert {line["state"] for line in calls} == {"cancelled", "rejected"}
    assert len({line["caller_e164"] for line in calls}) > 50
    for line in calls:
        found = world.messages[line["call_id"]]
        ended = times(found, method="CANCEL") or times(found, code=str(line["status_code"]))
        ringing = [*times(found, code="180"), *times(found, code="183")]
        assert not ringing or ended[0] - ringing[0] < 8.0


def test_pumped_calls_are_long_and_even_over_one_range(world: World):
    calls = frauds(world, "call_pumping")
    count = Counter(line["callee_e164"] for line in calls)
    assert len(count) == 10
    assert max(count.values()) - min(count.values()) <= 1
    assert max(map(int, count)) - min(map(int, count)) == 9
    assert len({line["caller_e164"] for line in calls}) > 40
    talks = sorted(line["duration_s"] for line in calls if line["state"] == "completed")
    assert len(talks) > 0.9 * len(calls)
    assert 150 < talks[len(talks) // 2] < 250


def test_a_false_answer_comes_without_ringing_and_to_a_call_handed_on(world: World):
    calls = frauds(world, "false_answer")
    server = {line["source"] for line in world.calls["interconnect"]}
    assert {line["source"] for line in calls} == server
    for line in calls:
        found = world.messages[line["call_id"]]
        assert line["state"] == "completed"
        assert not times(found, code="180")
        assert not times(found, code="183")
        accepted = times(found, code="200", of="INVITE")[0]
        assert accepted - float(found[0]["frame.time_epoch"]) < 2.5
    others = [line for line in world.calls["false_answer"] if line["label"] == "honest"]
    assert any(times(world.messages[line["call_id"]], code="180") for line in others)


def test_voice_phishers_talk_long_with_few_and_are_never_called_back(world: World):
    calls = frauds(world, "vishing")
    talks = [line["duration_s"] for line in calls if line["state"] == "completed"]
    assert sorted(talks)[len(talks) // 2] < 40
    assert max(talks) > 300
    shown = {line["caller_e164"] for line in calls}
    assert not shown & {line["callee_e164"] for lines in world.calls.values() for line in lines}


# --- honest ones


def test_the_people_called_by_a_warning_are_hundreds_in_minutes_from_one_source(world: World):
    calls = [line for line in world.calls["mass_notification"] if line["variant"] == "warning"]
    assert len({line["source"] for line in calls}) == 1
    assert len(calls) == 300
    starts = sorted(line["start"] for line in calls)
    assert starts[-1][:16] <= "2026-03-02T02:05"  # it began at 02:01 UTC
    assert {line["label"] for line in world.calls["mass_notification"]} == {"honest"}


def test_a_hotline_holds_no_more_calls_than_it_has_lines(world: World):
    calls = world.calls["service_line"]
    assert len({line["callee_e164"] for line in calls}) == 1
    assert most_at_once(world, calls) == 6
    assert any(line["status_code"] == 486 for line in calls)


def test_the_parties_of_a_conference_call_one_number_and_stay(world: World):
    parties = defaultdict(set)
    for line in world.calls["conference"]:
        parties[line["callee_e164"]].add(line["caller_e164"])
    assert len(parties) == 3
    assert all(len(callers) >= 5 for callers in parties.values())


def test_an_exchange_that_reboots_registers_all_its_users_and_is_let_in(world: World):
    (source,) = world.sources["pbx_reboot"]
    assert source["users"] == 200
    assert source["label"] == "honest"
    answers = Counter(
        one["sip.Status-Code"] for found in world.messages.values() if found[0]["ip.src"] == source["source"]
        for one in found if one["sip.CSeq.method"] == "REGISTER" and one["sip.Status-Code"]
    )  # fmt: skip
    assert answers["401"] == 200
    assert answers["200"] > 185
    assert source["last"][:18] <= "2026-03-02T02:01:4"[:18]


def test_a_new_password_is_refused_until_it_is_right(world: World):
    by_source = defaultdict(list)
    for line in world.sources["password_change"]:
        by_source[line["source"]].append(line)
    assert len(by_source) == 8
    righted = [lines for lines in by_source.values() if "right_password" in {line["variant"] for line in lines}]
    assert len(righted) >= 4
    assert all(sum(line["requests"] for line in lines) > 6 for lines in righted)


def test_a_monitoring_system_asks_the_same_peers_again_and_again(world: World):
    address = world.sources["monitoring"][0]["source"]
    asked = Counter(
        one["ip.dst"]
        for found in world.messages.values()
        for one in found
        if one["ip.src"] == address and one["sip.Method"] == "OPTIONS"
    )
    assert len(asked) == 12
    assert min(asked.values()) >= 10


def test_friends_signal_by_missed_calls_in_both_directions(world: World):
    signals = [line for line in world.calls["missed_call_friends"] if line["variant"] == "signal"]
    assert {line["state"] for line in signals} == {"cancelled"}
    pairs = Counter((line["caller_e164"], line["callee_e164"]) for line in signals)
    assert len({frozenset(pair) for pair in pairs}) <= 30
    assert any((b, a) in pairs for a, b in pairs)


def test_a_ported_number_calls_from_another_address_afterwards(world: World):
    where = defaultdict(set)
    for line in world.calls["number_porting"]:
        if line["variant"] in ("ported", "to_be_ported") and line["source"].startswith("172."):
            where[line["caller_e164"]].add((line["variant"], line["source"]))
    moved = [found for found in where.values() if len(found) == 2]
    assert moved
    assert {len({source for _, source in found}) for found in moved} == {2}


def test_the_engineer_of_a_new_exchange_calls_its_numbers_in_order(world: World):
    tests = [line for line in world.calls["new_exchange"] if line["variant"] == "test"]
    numbers = [int(line["callee_e164"]) for line in tests]
    assert numbers == list(range(numbers[0], numbers[0] + 30))
    (source,) = world.sources["new_exchange"]
    assert (source["users"], source["label"]) == (30, "honest")


def test_families_and_agencies_call_expensive_numbers_honestly(world: World):
    prefixes = tuple(prefix for ranges in HIGH_COST.values() for prefix, _ in ranges)
    for population in ("foreign_families", "travel_agency"):
        calls = world.calls[population]
        assert {line["label"] for line in calls} == {"honest"}
        expensive = [line for line in calls if line["callee_e164"].startswith(prefixes)]
        assert 0.1 * len(calls) < len(expensive)


def test_a_traveller_calls_from_a_foreign_address_with_the_telephone_of_home(world: World):
    calls = world.calls["travellers"]
    assert {line["variant"] for line in calls} == {"home", "local"}
    assert all(line["source"].startswith("198.18.") for line in calls)
    registered = {line["source"] for line in world.sources["travellers"]}
    assert {line["source"].partition(":")[0] for line in calls} <= registered
    assert not registered & {line["source"] for line in world.sources["toll_fraud"]}


def test_a_fax_that_finds_it_busy_tries_again(world: World):
    calls = world.calls["fax"]
    assert calls
    busy = [(line["caller_e164"], line["callee_e164"]) for line in calls if line["status_code"] == 486]
    pairs = Counter((line["caller_e164"], line["callee_e164"]) for line in calls)
    assert busy
    assert any(pairs[pair] > 1 for pair in busy)


def test_a_mask_leaves_the_signalling_of_a_sim_gateway(tmp_path: Path, tshark_fields: Callable):
    text = HEAD + (
        '[[population]]\nkind = "goip_gateway"\nname = "g"\nmasked = true\nterminating_ratio = 0.0\n'
        'vendors = ["goip-dbl"]\nkeepalive_s = 0.0\n'
    )
    capture, _ = play(tmp_path, text)
    rows = tshark_fields(capture, "sip.Method == INVITE", "sip.User-Agent", "sdp.session_name", "sip.from.tag")
    assert rows
    assert not {agent for agent, _, _ in rows} & set(STYLES["goip-dbl"].agents)
    assert {name for _, name, _ in rows} == {"DBL Session"}
    assert all(tag.isdigit() for _, _, tag in rows)


def test_a_silent_false_answer_has_voice_of_the_caller_alone(tmp_path: Path, tshark_fields: Callable):
    text = HEAD.replace("1200", "120") + (
        "[media]\nshare = 1.0\nlimit_s = 2.0\nsilence_suppression_ratio = 0.0\n"
        '[[population]]\nkind = "false_answer"\nname = "f"\nfalse_ratio = 1.0\nsilent_ratio = 1.0\n'
    )
    capture, labels = play(tmp_path, text)
    assert labels
    senders = tshark_fields(capture, "udp.port >= 10000 && !sip", "ip.src")
    # The server sends the caller's voice on to the false route, and hears nothing from there.
    assert len(senders) > 50
    assert len(set(senders)) == 1
    assert not {f"{address}:5060" for (address,) in senders} & {far_of(capture, tshark_fields)}


def far_of(capture: Path, tshark_fields: Callable) -> str:
    """Where the server sends its INVITEs."""
    ((address, port),) = set(tshark_fields(capture, "sip.Method == INVITE", "ip.dst", "udp.dstport"))
    return f"{address}:{port}"


def test_a_mirror_of_what_goes_to_the_server_has_no_invite_that_the_server_hands_on(
    tmp_path: Path, tshark_fields: Callable
):
    text = HEAD.replace("1200", "300") + (
        '[capture]\ndirection = "to_server"\n'
        '[[population]]\nkind = "interconnect"\nname = "i"\ncalls_per_hour = 600.0\n'
    )
    capture, labels = play(tmp_path, text)
    rows = tshark_fields(capture, "sip", "sip.Method", "sip.Status-Code")
    assert len(labels) > 20
    assert len(rows) > 40
    assert "INVITE" not in {method for method, _ in rows}
    assert "200" in {code for _, code in rows}


def test_a_campaign_with_a_fate_ends_all_its_calls_alike_and_stops_when_told(world: World):
    scan = world.calls["prefix_scan"]
    assert len(scan) == 32
    assert {(line["state"], line["status_code"]) for line in scan} == {("rejected", 403)}


def test_a_prefix_scan_tries_one_number_with_many_prefixes(world: World):
    scan = world.calls["prefix_scan"]
    numbers = {line["callee_e164"] for line in scan}
    assert len(numbers) == 2
    assert all(line["callee"].endswith(line["callee_e164"]) for line in scan)
    assert len({line["callee"].removesuffix(line["callee_e164"]) for line in scan}) == 16
    assert {line["label"] for line in scan} == {"toll_fraud"}


def test_a_load_test_is_even_and_calls_nobodys_number(world: World):
    test = world.calls["load_test"]
    assert {line["duration_s"] for line in test} == {5.0}
    assert {(line["caller"], line["callee"]) for line in test} == {("sipp", "service")}


def test_in_a_small_exchange_extensions_and_names_call_one_another(world: World):
    inside = [line for line in world.calls["small_exchange"] if line["variant"] == "inside"]
    assert len(inside) > 3
    assert all(len(line["callee"]) <= 5 for line in inside)
    assert not {line["caller"] for line in inside} & {""}


def test_who_dials_again_calls_one_number_until_tired(world: World):
    callees = defaultdict(set)
    for line in world.calls["redial"]:
        callees[line["caller"]].add(line["callee_e164"])
        assert line["caller"].startswith("user")
    assert {len(numbers) for numbers in callees.values()} == {1}


def test_who_corrects_a_prefix_gets_through_after_few_tries(world: World):
    by_caller = defaultdict(list)
    for line in sorted(world.calls["misdial"], key=lambda line: line["start"]):
        by_caller[line["caller"]].append(line)
    assert len(by_caller) > 1
    for lines in by_caller.values():
        assert 2 <= len({line["callee"] for line in lines}) == len(lines) <= 4
        assert len({line["callee_e164"] for line in lines}) == 1
        assert {line["status_code"] for line in lines[:-1]} <= {403, 404, 484}


def test_a_style_drawn_at_random_may_have_no_contact_and_no_description():
    drawn = [scripted(Random(seed), "train") for seed in range(60)]
    assert {style.contact for style in drawn} == {style.offers for style in drawn} == {True, False}
    assert len({style.order for style in drawn}) > 50


def test_a_call_without_an_offer_has_no_description_on_either_side(tmp_path: Path, tshark_fields: Callable):
    text = HEAD + '[[population]]\nkind = "load_test"\nname = "load"\nvendors = ["bare"]\n'
    STYLES["bare"] = msgspec.structs.replace(STYLES["sipp"], name="bare", offers=False, contact=False)
    try:
        capture, _ = play(tmp_path, text)
    finally:
        del STYLES["bare"]
    assert tshark_fields(capture, "sdp", "frame.number") == []
    assert tshark_fields(capture, 'sip.Method == "INVITE" && sip.Contact', "frame.number") == []
    assert tshark_fields(capture, 'sip.Status-Code == 200 && sip.CSeq.method == "INVITE"', "frame.number")
