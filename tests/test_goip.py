"""Gateway traffic beside SIP, and signs of gateways in rows: what it takes to be believed, and that no secret stays."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.file import CaptureFile
from capture.goip import recognise
from kernels import reference_signalling as twin
from kernels.engine import BLOCK, Engine
from kernels.schema import CALL_FEATURES, SOURCE_FEATURES
from tests.tap import CALLEE, CALLER, Tap, request, response, screen

KEEPALIVE = b"req:17;id:goip1;pass:hunter2;num:+37120000001;signal:21;gsm_status:LOGIN;imei:351;imsi:24701;iccid:8937;"
SIM_BANK = bytes.fromhex("4321567800010002")
GATEWAY = ("203.0.113.5", 10000)
PORTS = st.sampled_from([44444, 56011, 5060, 9])
FIELDS = st.sampled_from(
    [b"req:1", b"id:g", b"pass:x", b"num:1", b"signal:2", b"imei:3", b"imsi:4", b"iccid", b"", b"idx:1"]
)
ROWS = {"call": [f.name for f in CALL_FEATURES], "source": [f.name for f in SOURCE_FEATURES]}


def engine_rows(tap: Tap, folder: Path, kind: str = "call"):
    """The rows of a capture, by feature name."""
    sizes = {
        "calls": 64,
        "callers": 64,
        "callees": 64,
        "block_packets": 1000,
        "sources": 64,
        "streams": 64,
        "tcp_connections": 4,
        "tcp_bytes": 1 << 18,
    }
    engine = Engine(**sizes, secret=1, region=None)
    with CaptureFile(tap.write(folder / "x.pcap")) as file:
        while engine.run(file.reader) == BLOCK or file.fill():
            pass
    rows = engine.call_block if kind == "call" else engine.source_block
    return [dict(zip(ROWS[kind], row.tolist(), strict=True)) for row in np.array(rows)]


@given(st.lists(FIELDS, max_size=9), PORTS, PORTS)
def test_a_keepalive_is_what_the_twin_takes_for_one(fields, source, destination):
    payload = b"req:7;" + b";".join(fields)
    assert recognise(payload, source, destination) == twin.traffic(payload, source, destination)


@given(st.one_of(st.binary(max_size=40), st.just(SIM_BANK), st.just(SIM_BANK[:5])), PORTS, PORTS)
def test_a_sim_bank_packet_is_what_the_twin_takes_for_one(payload, source, destination):
    assert recognise(payload, source, destination) == twin.traffic(payload, source, destination)


@pytest.mark.parametrize(
    ("payload", "port", "expected"),
    [
        (KEEPALIVE, 12345, "keepalive"), (KEEPALIVE[:33], 44444, "keepalive"), (KEEPALIVE[:33], 12345, "none"),
        (b"req:;id:1;pass:x;", 44444, "none"), (b"hello", 44444, "none"), (SIM_BANK, 56011, "sim_bank"),
        (SIM_BANK, 5060, "none"), (SIM_BANK[::-1], 56011, "none"),
    ],
)  # fmt: skip
def test_one_sign_alone_is_not_believed(payload, port, expected):
    assert recognise(payload, 9, port) == expected


def test_signs_of_a_gateway_stand_in_the_rows_of_calls_from_it_and_to_it(tmp_path):
    tap = Tap().send(KEEPALIVE, (CALLEE[0], 9), GATEWAY).send(SIM_BANK, (CALLEE[0], 9), (GATEWAY[0], 56011))
    tap.send(request("INVITE", call_id="to"), CALLER, CALLEE)
    tap.reply(response(480, call_id="to").replace(b"480 Reason", b"480 Remote Busy"))
    tap.send(request("INVITE", call_id="from", extra=["X-ACrypt: 1"]), CALLEE, GATEWAY)
    tap.send(request("INVITE", call_id="beside"), CALLER, GATEWAY)
    signs = [row["gateway_signs"] for row in engine_rows(tap, tmp_path)]
    assert signs == [2, 3, 4, 0]  # to it, its end, from it, and between two others


def test_a_status_line_that_a_trunk_hands_on_is_a_sign_and_no_proof(tmp_path):
    tap = Tap().send(request("INVITE", call_id="to"), CALLER, CALLEE)
    tap.reply(response(480, call_id="to").replace(b"480 Reason", b"480 Remote Busy"))
    tap.send(request("INVITE", call_id="from"), CALLEE, GATEWAY)
    row = engine_rows(tap, tmp_path)[-1]
    assert (row["gateway_signs"], row["gateway_proofs"]) == (1, 0)


def test_what_an_address_itself_sends_beside_sip_is_proof_in_each_of_its_calls(tmp_path):
    tap = Tap().send(KEEPALIVE, (CALLER[0], 9), GATEWAY).send(SIM_BANK, (CALLER[0], 9), (GATEWAY[0], 56011))
    tap.send(request("INVITE", call_id="from"), CALLER, CALLEE)
    tap.send(request("INVITE", call_id="to"), CALLEE, CALLER)
    tap.send(request("INVITE", call_id="beside"), CALLEE, GATEWAY)
    assert [row["gateway_proofs"] for row in engine_rows(tap, tmp_path)] == [2, 2, 0]


def test_the_header_of_a_gateway_is_proof_in_its_call_and_in_no_other_of_the_trunk(tmp_path):
    tap = Tap().send(request("INVITE", call_id="one", extra=["X-ACrypt: 1"])).send(request("INVITE", call_id="two"))
    rows = engine_rows(tap, tmp_path)
    assert [row["gateway_proofs"] for row in rows] == [1, 0]
    assert [row["gateway_signs"] for row in rows] == [1, 1]


def test_numbers_abroad_are_counted_at_an_address_once_for_each_head_office(tmp_path):
    def counted(*asserted: str) -> list[float]:
        tap = Tap()
        for k, number in enumerate(asserted):
            extra = [f"P-Asserted-Identity: <tel:{number}>"] if number else []
            tap.send(
                request("INVITE", call_id=f"c{k}", caller=f"+44207946{k:04d}", callee="+442079461234", extra=extra)
            )
        return [round(row["source_asserted_abroad_day"]) for row in engine_rows(tap, tmp_path)]

    assert counted("+493012340000", "", "+493012340001", "+493012340000") == [1, 0, 1, 1]
    assert counted("+493012340000", "+923001234567", "+493012340000") == [1, 2, 3]
    assert counted("+493012340000", "+442071230000", "+923001234567") == [1, 0, 2]


def test_signs_are_counted_in_the_row_of_the_address(tmp_path):
    tap = Tap()
    for i in range(5):
        tap.send(KEEPALIVE, CALLER, GATEWAY).send(SIM_BANK, CALLER, (GATEWAY[0], 56011))
        tap.send(request("OPTIONS", call_id=f"o{i}"), CALLER, GATEWAY)
    row = engine_rows(tap, tmp_path, "source")[-1]
    assert row["goip_keepalives"] == pytest.approx(5, abs=1e-3)
    assert row["sim_bank_packets"] == pytest.approx(5, abs=1e-3)
    assert row["source_remote_busy"] == row["source_acrypt_headers"] == 0


def test_a_gateway_that_makes_no_call_is_looked_at_for_its_keepalives(tmp_path):
    tap = Tap()
    for _ in range(12):
        tap.send(KEEPALIVE, CALLER, GATEWAY, after=30)
    rows = engine_rows(tap, tmp_path, "source")
    assert [row["source_evidence"] for row in rows] == [4, 5, 7, 9, 12]
    assert rows[-1]["source_requests_day"] == 0
    assert rows[-1]["goip_keepalives"] == pytest.approx(12, abs=0.1)


BESIDE_SIP = {
    "keep-alives": ((KEEPALIVE, 44444), "keep-alives of a GSM gateway to its manager"),
    "packets of a SIM bank": ((SIM_BANK, 56011), "packets with a SIM bank"),
}


@pytest.mark.parametrize("registers", [False, True], ids=["without SIP", "with registrations"])
@pytest.mark.parametrize("traffic", list(BESIDE_SIP))
def test_an_address_is_flagged_as_a_gateway_for_a_few(tmp_path, traffic, registers):
    (payload, port), said = BESIDE_SIP[traffic]
    manager = ("198.51.100.77", port)
    tap = Tap()
    for turn in range(6):
        tap.send(payload, (GATEWAY[0], port), manager, after=30).reply(b"reg:17;status:0;", manager, (GATEWAY[0], port))
        if registers:
            known = {"method": "REGISTER", "call_id": "of the gateway", "cseq": turn, "branch": f"r{turn}"}
            tap.send(request(**known), GATEWAY).reply(response(200, **known, to_tag="r"), destination=GATEWAY)
    (found,) = (line for line in screen(tap.write(tmp_path / "x.pcap")) if line.get("type") == "source")
    assert (found["source"], found["verdict"], found["fraud_types"]) == (GATEWAY[0], "flag", ["goip_gateway"])
    assert any(said in reason["text"] for reason in found["reasons"])


def test_an_address_that_renames_its_agent_is_told_by_the_rest(tmp_path):
    tap = Tap()
    for i in range(6):
        tap.send(request("INVITE", call_id=f"c{i}", from_tag="65248630", extra=[f"User-Agent: Agent {i // 2}"]))
    rows = engine_rows(tap, tmp_path)
    assert [round(row["source_fingerprints_day"]) for row in rows] == [1] * 6
    changes = [row["source_agent_change_ratio"] for row in rows]
    assert changes == pytest.approx([0, 0, 1 / 5, 1 / 6, 2 / 7, 2 / 8], abs=1e-3)
    assert all(row["tag_decimal"] == 1 and row["branch_decimal"] == 0 for row in rows)


def test_a_domestic_number_from_an_address_that_sends_foreign_ones_stands_out(tmp_path):
    tap = Tap()
    for i in range(20):
        tap.send(request("INVITE", call_id=f"c{i}", caller=f"+49301234567{i % 10}"))  # Germany calls Britain
    tap.send(request("INVITE", call_id="domestic", caller="+442079460999"))
    *foreign, domestic = engine_rows(tap, tmp_path)
    assert all(row["domestic_from_abroad"] == 0 for row in foreign)
    assert foreign[-1]["caller_country_unusual"] == 0
    assert domestic["domestic_from_abroad"] == pytest.approx(20.1 / 23, abs=1e-3)
    assert domestic["caller_country_unusual"] == 1


def test_a_call_whose_invite_was_not_seen_has_no_style(tmp_path):
    tap = Tap().reply(response(180, to_tag="b"))
    row = engine_rows(tap, tmp_path)[0]
    assert all(np.isnan(row[name]) for name in ("branch_decimal", "allow_goip_order", "asserted_differs", "diverted"))
    assert row["source_fingerprints_day"] == 0


def test_identity_stands_in_the_rows_of_every_stage(tmp_path):
    tap = Tap().send(request("INVITE", extra=["P-Asserted-Identity: <tel:+493099999999>", "Privacy: id"]))
    tap.reply(response(200, to_tag="b")).send(request("BYE", cseq=2, to_tag="b"))
    rows = engine_rows(tap, tmp_path)
    assert len(rows) == 3
    assert all(row["asserted_differs"] == 1 and row["privacy_requested"] == 1 for row in rows)
    assert all(np.isnan(row["attestation"]) for row in rows)
