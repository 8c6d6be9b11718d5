"""What is reported and how it is shown: the schema of the lines, and the tables of the terminal."""

import io
import typing

import msgspec
import pytest

from appliance import report, terminal
from appliance.errors import ConfigError
from appliance.report import CallLine, Quality, Reason, SourceLine, StreamLine, SummaryLine
from appliance.screen import Exit, settings
from kernels.calls import STAGE_NAMES, STATE_NAMES
from models.fraud_types import FRAUD_TYPES
from models.verdict import VERDICTS

MOMENT = "2024-02-29T12:00:00.000000Z"
REASON = Reason(feature="fan_out", value=900.0, typical=3.0, effect=0.4, text="called 900 numbers in an hour")
SUMMARY = SummaryLine(
    files=1,
    packets=2000,
    bytes=1_000_000,
    sip_messages=14,
    sip_requests=6,
    sip_responses=8,
    malformed=1,
    calls=2,
    rtp_packets=100,
    rtp_streams=2,
    flagged=1,
    watched=1,
    evicted=0,
    elapsed_s=0.5,
    capture_span_s=60.0,
)


def finding(**fields: object) -> SourceLine:
    known = {
        "source": "192.0.2.10",
        "caller": "+493012345678",
        "first": MOMENT,
        "last": MOMENT,
        "flagged_at": MOMENT,
        "requests": 900,
        "verdict": "flag",
        "score": 0.9,
        "fraud_types": ["robocall"],
        "reasons": [REASON],
    }
    return SourceLine(**(known | fields))


def shown(*findings: SourceLine) -> str:
    kept = terminal.Findings()
    for one in findings:
        kept.take(report.encode(one))
    stream = io.StringIO()
    terminal.show(kept, SUMMARY, stream)
    return stream.getvalue()


# --- the schema


def names(struct: type[msgspec.Struct]) -> str:
    return " ".join(struct.__struct_fields__)


def test_the_keys_of_the_lines_are_those_of_the_contract():
    assert names(CallLine) == (
        "call_id caller callee caller_e164 callee_e164 source destination transport start state status_code "
        "post_dial_delay_s ring_s duration_s messages user_agent streams verdict score fraud_types reasons bundle "
        "stage flagged_at quality"
    )
    assert names(SourceLine) == (
        "source caller callee first last flagged_at requests verdict score fraud_types reasons"
    )
    assert names(SummaryLine) == (
        "files packets bytes sip_messages sip_requests sip_responses malformed calls rtp_packets rtp_streams flagged "
        "watched evicted elapsed_s capture_span_s"
    )
    assert names(Reason) == "feature value typical effect text"
    assert names(StreamLine) == "ssrc source destination codec packets lost jitter_ms"
    assert names(Quality) == "capture_loss one_way truncated"


def test_the_words_of_the_schema_are_those_of_the_kernels_and_models():
    assert typing.get_args(report.State) == STATE_NAMES
    assert typing.get_args(report.Stage) == STAGE_NAMES
    assert typing.get_args(report.Verdict) == VERDICTS
    assert typing.get_args(report.FraudType) == FRAUD_TYPES


def test_a_line_is_its_type_first_and_comes_back_as_it_was():
    line = report.encode(finding())
    assert line.startswith(b'{"type":"source",')
    assert line.endswith(b"}\n")
    assert report.decode(line) == finding()
    assert report.decode(report.encode(SUMMARY)) == SUMMARY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"requests":', b'"request_count":'),
        (b'"type":"source"', b'"type":"sauce"'),
        (b'"verdict":"flag"', b'"verdict":"maybe"'),
        (b'"score":0.9', b'"score":1.1'),
        (b'["robocall"]', b'["robbery"]'),
        (b"12:00:00.000000Z", b"12:00:00Z"),
        (b'"requests":900', b'"requests":-1'),
    ],
)
def test_a_line_that_breaks_the_schema_is_refused(old, new):
    line = report.encode(finding())
    assert old in line
    with pytest.raises(msgspec.ValidationError):
        report.decode(line.replace(old, new))


# --- the terminal


def test_findings_are_shown_worst_first():
    text = shown(
        finding(source="192.0.2.1", verdict="watch", score=0.99),
        finding(source="192.0.2.2", score=0.7),
        finding(source="192.0.2.3", score=0.8),
    )
    assert text.index("192.0.2.3") < text.index("192.0.2.2") < text.index("192.0.2.1")


def test_of_many_findings_the_worst_are_shown_and_the_rest_are_counted():
    text = shown(*(finding(source=f"192.0.2.{i}", score=i / 100) for i in range(30)))
    shown_sources = [word.rstrip(",") for word in text.split() if word.startswith("192.0.2.")]
    assert shown_sources == [f"192.0.2.{i}" for i in range(29, 29 - terminal.SHOWN_FINDINGS, -1)]
    assert f"and {30 - terminal.SHOWN_FINDINGS} more" in text


def test_a_run_without_findings_says_so():
    assert shown().startswith("No findings.\n")


def test_the_summary_is_shown():
    text = shown()
    assert "2,000 (1,000,000 bytes, 4,000 a second)" in text
    assert "14 messages: 6 requests, 8 responses; 1 malformed" in text
    assert "2: 1 flagged, 1 watched" in text
    assert "100 packets in 2 streams" in text
    assert "0.50 s for 60.0 s of capture" in text


def test_what_came_off_the_wire_cannot_steer_the_terminal():
    hostile = "\x1b[2J\x9b31m\r\n\x07[bold red]\N{RIGHT-TO-LEFT OVERRIDE}:smile:"
    text = shown(finding(caller=hostile))
    assert not set(text) & set("\x1b\x9b\r\x07\N{RIGHT-TO-LEFT OVERRIDE}")
    joined = "".join(text.split())
    assert "red]" in joined  # no markup
    assert ":smile:" in joined  # no emoji


def test_call_lines_are_no_findings_of_the_table():
    kept = terminal.Findings()
    kept.take(b'{"type":"call","verdict":"flag"}\n' + report.encode(finding()))
    assert kept.count == 1


# --- settings


def test_the_flags_go_over_the_config(tmp_path):
    path = tmp_path / "sipwarden.toml"
    path.write_text('[screen]\nregion = "GB"\nbundles = "/of/the/file"\n[limits]\ncalls = 99\n')
    screen = settings(path, None, None).screen
    assert (screen.region, screen.bundles) == ("GB", "/of/the/file")
    config = settings(path, tmp_path, "US")
    assert (config.screen.region, config.screen.bundles) == ("US", str(tmp_path))
    assert config.limits.calls == 99


def test_a_region_of_the_command_line_that_is_not_one_is_refused():
    with pytest.raises(ConfigError, match="--region: expected an ISO 3166 country code such as GB, got 'UK'"):
        settings(None, None, "UK")


def test_the_exit_statuses_are_those_of_the_contract():
    assert (Exit.DONE, Exit.UNUSABLE, Exit.UNREADABLE) == (0, 2, 3)
