"""Batches: what a box writes is what a collector reads, older and newer ones too."""

import json

import msgspec
import pytest

from appliance.report import (
    SCHEMAS,
    CallLine,
    CallSummary,
    Health,
    Minute,
    SchemaError,
    SourceLine,
    decode_batch,
    decode_report,
    encode_batch,
    payload,
)
from tests.collectors import call_line

SENT = "2026-01-01T00:00:00.000000Z"
SOURCE_LINE = {
    "type": "source",
    "source": "192.0.2.7",
    "caller": None,
    "callee": None,
    "first": SENT,
    "last": SENT,
    "flagged_at": SENT,
    "requests": 200,
    "verdict": "flag",
    "score": 0.9,
    "fraud_types": ["registration_scan"],
    "reasons": [],
}


def batch_of(**changes: object) -> bytes:
    batch = {"schema": 1, "box": "edge-1", "incarnation": "00c0ffee", "sent": SENT, "items": [[1, {"type": "x"}]]}
    return json.dumps({**batch, **changes}).encode()


def test_a_batch_gives_back_the_payloads_of_the_spool_byte_by_byte() -> None:
    reports = [(3, call_line(1)), (4, payload(Minute(start=SENT, calls=2))), (9, json.dumps(SOURCE_LINE).encode())]
    batch = decode_batch(encode_batch("edge-1", "00c0ffee", SENT, reports))
    assert [(sequence, bytes(raw)) for sequence, raw in batch.items] == reports


def test_each_type_of_report_is_read_as_what_it_is() -> None:
    summary = CallSummary(
        call_id="a",
        caller="1",
        callee="2",
        source="192.0.2.1:5060",
        start=SENT,
        state="failed",
        verdict="pass",
        score=0,
    )
    health = Health(time=SENT, version="1", started=SENT, capture_loss=0.5, spool_depth=3, bundles=["call@1"])
    for report in (summary, Minute(start=SENT, calls=1, fraud_types={"irsf": 2}), health):
        assert decode_report(payload(report)) == report
    call, source = decode_report(call_line(1)), decode_report(json.dumps(SOURCE_LINE).encode())
    strict_call = msgspec.json.decode(call_line(1), type=CallLine)
    strict_source = msgspec.convert(SOURCE_LINE, SourceLine)
    assert msgspec.to_builtins(call) | {"flagged_at": ""} == msgspec.to_builtins(strict_call) | {"flagged_at": ""}
    assert msgspec.to_builtins(source) == msgspec.to_builtins(strict_source)


def test_a_newer_box_may_say_more_on_every_level() -> None:
    line = json.loads(call_line(1))
    line["trunk"] = "north"
    line["quality"]["clock"] = "ptp"
    line["reasons"][0]["rank"] = 1
    read = decode_report(json.dumps(line).encode())
    assert read.call_id == line["call_id"]  # type: ignore[union-attr]
    assert decode_batch(batch_of(compression="none")).box == "edge-1"
    assert decode_report(b'{"type":"weather","sun":true}') is None


def test_an_older_box_may_leave_out_what_has_a_default() -> None:
    assert decode_report(b'{"type":"minute","start":"%s","calls":5}' % SENT.encode()) == Minute(start=SENT, calls=5)


def test_what_is_not_of_its_type_is_an_error_and_not_an_unknown_type() -> None:
    for report in (b'{"type":"minute","calls":5}', b'{"calls":5}', call_line(1, score=2.0), call_line(1, verdict="no")):
        with pytest.raises(msgspec.ValidationError):
            decode_report(report)


@pytest.mark.parametrize("schema", [0, 2, 99])
def test_another_schema_is_named_before_anything_else_is_looked_at(schema: int) -> None:
    assert schema not in SCHEMAS
    with pytest.raises(SchemaError, match=f"schema {schema} "):
        decode_batch(json.dumps({"schema": schema, "entirely": "different"}).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"box": "Edge"},
        {"box": "a.b"},
        {"box": "-a"},
        {"box": "a\n"},
        {"incarnation": "XYZ"},
        {"items": []},
        {"items": [[0, {}]]},
        {"items": [[1 << 63, {}]]},
        {"items": [[-1, {}]]},
        {"items": [[1]]},
        {"items": [[1, {}]] * 5001},
        {"sent": "now"},
    ],
    ids=str,
)
def test_an_envelope_that_is_none_is_refused(changes: dict) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_batch(batch_of(**changes))
