"""The one list of features: what each entry of a row is, when it is known, and how a reason says it.

`CALL_FEATURES` and `SOURCE_FEATURES` are the rows in order; kernels/features.pxd gives the same order to the
compiled code, and a test holds the two together. `CALL_SCHEMA_HASH` and `SOURCE_SCHEMA_HASH` name the meaning
of a row: a model bundle says which it was taught on. Wording is not part of the hash; `revision` is, and is
raised when the computation of a feature changes.

`python -m kernels.schema > docs/FEATURES.md` writes the documentation.
"""

import hashlib
import math

from kernels.feature import ANSWER, END, MOST_CV, MOST_EVIDENCE, NAN, PRICE_CLASSES, YES_NO, Feature, feature
from kernels.schema_behaviour import BEHAVIOUR_CALL_FEATURES, BEHAVIOUR_SOURCE_FEATURES
from kernels.schema_groups import GROUP_CALL_FEATURES, GROUP_SOURCE_FEATURES
from kernels.schema_recordings import RECORDING_CALL_FEATURES
from kernels.schema_signalling import SIGNALLING_CALL_FEATURES, SIGNALLING_SOURCE_FEATURES

CALL_FEATURES = (
    feature(
        "caller_calls_minute",
        "calls",
        "Calls attempted by the caller, decayed with a half-life of 1 minute.",
        "attempted about {value} calls within a minute or two; typical is {typical}",
    ),
    feature(
        "caller_calls_hour",
        "calls",
        "The same with a half-life of 1 hour.",
        "attempted about {value} calls within an hour or two; typical is {typical}",
    ),
    feature(
        "caller_calls_day",
        "calls",
        "The same with a half-life of 1 day.",
        "attempted about {value} calls within a day or two; typical is {typical}",
    ),
    feature(
        "caller_evidence",
        "calls",
        "Calls of the caller that were seen, this one included, at most 32: how much the other caller features can be "
        "trusted. More is not told, since it would say how long the line was watched.",
        "{value} calls of this caller were seen (32 stands for more); typical is {typical}",
        high=MOST_EVIDENCE,
    ),
    feature(
        "caller_callees_hour",
        "numbers",
        "Different numbers called in the present half hour and the one before (HyperLogLog, standard error 13 %).",
        "called {value} different numbers within the hour; typical is {typical}",
    ),
    feature(
        "caller_callees_day",
        "numbers",
        "Different numbers called in the present 12 hours and the 12 before.",
        "called {value} different numbers within the day; typical is {typical}",
    ),
    feature(
        "caller_fan_out_ratio",
        "ratio",
        "Different numbers called / calls, over the same 12 to 24 hours.",
        "{value} of the calls went to a number not called before that day; typical is {typical}",
        unseen=0.5,
    ),
    feature(
        "caller_answer_ratio_hour",
        "ratio",
        "Answer-seizure ratio (ITU-T E.425): answered / calls whose outcome is known, half-life 1 hour.",
        "{value} of the caller's calls in the last hours were answered; typical is {typical}",
        unseen=0.6,
    ),
    feature(
        "caller_answer_ratio_day",
        "ratio",
        "The same with a half-life of 1 day.",
        "{value} of the caller's calls in the last days were answered; typical is {typical}",
        unseen=0.6,
    ),
    feature(
        "caller_short_ratio_hour",
        "ratio",
        "Calls shorter than 10 s / answered calls whose end was seen, half-life 1 hour.",
        "{value} of the answered calls in the last hours were over within 10 s; typical is {typical}",
        unseen=0.1,
    ),
    feature(
        "caller_short_ratio_day",
        "ratio",
        "The same with a half-life of 1 day.",
        "{value} of the answered calls in the last days were over within 10 s; typical is {typical}",
        unseen=0.1,
    ),
    feature(
        "caller_cancel_ratio_hour",
        "ratio",
        "Calls that the caller gave up before an answer / calls whose outcome is known, half-life 1 hour.",
        "hung up before an answer in {value} of the calls of the last hours; typical is {typical}",
        unseen=0.15,
    ),
    feature(
        "caller_cancel_ratio_day",
        "ratio",
        "The same with a half-life of 1 day.",
        "hung up before an answer in {value} of the calls of the last days; typical is {typical}",
        unseen=0.15,
    ),
    feature(
        "caller_busy_ratio_day",
        "ratio",
        "Calls refused as busy (486, 600) / calls whose outcome is known, half-life 1 day.",
        "{value} of the called numbers were busy; typical is {typical}",
        unseen=0.05,
    ),
    feature(
        "caller_not_found_ratio_day",
        "ratio",
        "Calls to numbers that do not exist (404, 410, 484, 604) / calls whose outcome is known, half-life 1 day.",
        "{value} of the called numbers do not exist; typical is {typical}",
        unseen=0.02,
    ),
    feature(
        "caller_cancel_ring_s",
        "s",
        "Mean time from ringing (from the INVITE when no ringing was seen) to the caller's giving up, half-life 1 day.",
        "lets it ring {value} before hanging up; typical is {typical}",
        unseen=20.0,
    ),
    feature(
        "caller_duration_mean_s",
        "s",
        "Mean duration of the caller's answered calls, half-life 1 day.",
        "the caller's calls last {value} on average; typical is {typical}",
        unseen=90.0,
    ),
    feature(
        "caller_interval_mean_s",
        "s",
        "Mean time between the caller's calls, over about the last 32. NaN before the second call.",
        "calls every {value} on average; typical is {typical}",
        unseen=NAN,
    ),
    feature(
        "caller_interval_cv",
        "",
        "Standard deviation / mean of these times. NaN before the third call.",
        "the times between calls vary by {value} of their mean (0 is a machine's clock); typical is {typical}",
        high=MOST_CV,
        unseen=NAN,
    ),
    feature(
        "caller_burstiness",
        "",
        "Burstiness of the calls (Goh and Barabasi 2008, corrected for few events by Kim and Jo 2016): -1 regular, 0 "
        "as by chance, 1 bursts. NaN before the third call.",
        "the rhythm of the calls has burstiness {value} (-1 is a clock, 1 is bursts); typical is {typical}",
        low=-1.0,
        high=1.0,
        unseen=NAN,
    ),
    feature(
        "caller_successor_ratio",
        "ratio",
        "Calls to a number within 10 above or below the number called just before / calls, half-life 1 day.",
        "{value} of the calls went to the number next to the one before; typical is {typical}",
    ),
    feature(
        "caller_concurrency",
        "calls",
        "Calls of the caller that are being set up or talked on now.",
        "has {value} calls at the same time; typical is {typical}",
    ),
    feature(
        "caller_international_ratio",
        "ratio",
        "Calls to another country than the caller's / calls where both are known, half-life 1 day.",
        "{value} of the calls go abroad; typical is {typical}",
        unseen=0.05,
    ),
    feature(
        "caller_high_cost_hour",
        "calls",
        "Calls to premium, satellite or high-cost ranges (kernels/destination.pyx), half-life 1 hour.",
        "made about {value} calls to expensive ranges within hours; typical is {typical}",
    ),
    feature(
        "caller_high_cost_ratio",
        "ratio",
        "Calls to such ranges / calls, half-life 1 day.",
        "{value} of the calls go to expensive ranges; typical is {typical}",
    ),
    feature(
        "source_calls_hour",
        "calls",
        "Calls from the address that sent the INVITE, half-life 1 hour.",
        "about {value} calls came from the same address within hours; typical is {typical}",
        source="source",
    ),
    feature(
        "source_callers_ratio",
        "ratio",
        "Different callers / calls from that address over the same 12 to 24 hours.",
        "{value} of the calls from the address came from a new number; typical is {typical}",
        source="source",
        unseen=0.5,
    ),
    feature(
        "callee_price_class",
        "class",
        "What the called range may cost, seen from the caller's country (kernels/destination.pyx): 0 ordinary, 1 "
        "high-cost country, 2 satellite or international network, 3 premium rate. NaN when it is no E.164 number.",
        "the called number is in this class: {value}; typical is {typical}",
        high=3.0,
        source="call",
        unseen=NAN,
        words=PRICE_CLASSES,
    ),
    feature(
        "call_international",
        "flag",
        "1 when the countries of caller and callee differ. NaN when one is not known.",
        "an international call: {value}; typical is {typical}",
        source="call",
        unseen=NAN,
        words=YES_NO,
    ),
    feature(
        "caller_plausible",
        "flag",
        "1 when the caller's number is a possible E.164 number.",
        "the caller's number is a possible telephone number: {value}; typical is {typical}",
        source="call",
        words=YES_NO,
    ),
    feature(
        "callee_plausible",
        "flag",
        "1 when the called number is a possible E.164 number.",
        "the called number is a possible telephone number: {value}; typical is {typical}",
        source="call",
        words=YES_NO,
    ),
    feature(
        "caller_anonymous",
        "flag",
        "1 when the number is withheld (RFC 3323). Such a caller has no profile: the caller features are `unseen`.",
        "the caller's number is withheld: {value}; typical is {typical}",
        source="call",
        unseen=1.0,
        words=YES_NO,
    ),
    feature(
        "post_dial_delay_s",
        "s",
        "INVITE to the first response other than 100 (RFC 6076 4.3.1). NaN when none was seen.",
        "it took {value} until the network answered; typical is {typical}",
        source="call",
        moment=ANSWER,
        unseen=NAN,
    ),
    feature(
        "ring_s",
        "s",
        "First ringing to the answer or the end. NaN when no ringing was seen.",
        "it rang {value}; typical is {typical}",
        source="call",
        moment=ANSWER,
        unseen=NAN,
    ),
    feature(
        "duration_s",
        "s",
        "Answer to end. NaN when it was not answered.",
        "the call lasted {value}; typical is {typical}",
        source="call",
        moment=END,
        unseen=NAN,
    ),
    feature(
        "cancelled",
        "flag",
        "1 when the caller gave up before an answer.",
        "the caller hung up before an answer: {value}; typical is {typical}",
        source="call",
        moment=END,
        unseen=NAN,
        words=YES_NO,
    ),
    *BEHAVIOUR_CALL_FEATURES,
    *SIGNALLING_CALL_FEATURES,
    *GROUP_CALL_FEATURES,
    *RECORDING_CALL_FEATURES,
)

SOURCE_FEATURES = (
    feature(
        "source_requests_minute",
        "requests",
        "Requests from the address: INVITEs that began a call, or whose password was wrong, and all outside calls "
        "(REGISTER, OPTIONS, ...), decayed with a half-life of 1 minute.",
        "sent about {value} requests within a minute or two; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    feature(
        "source_requests_hour",
        "requests",
        "The same with a half-life of 1 hour.",
        "sent about {value} requests within an hour or two; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    feature(
        "source_requests_day",
        "requests",
        "The same with a half-life of 1 day.",
        "sent about {value} requests within a day or two; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    feature(
        "source_evidence",
        "requests",
        "Requests from the address and signs of a GSM gateway that were seen, at most 32: how much the other features "
        "can be trusted.",
        "{value} requests were seen (32 stands for more); typical is {typical}",
        high=MOST_EVIDENCE,
        source="source",
        group="source",
        revision=2,
    ),
    feature(
        "source_register_ratio",
        "ratio",
        "REGISTER / requests, half-life 1 hour.",
        "{value} of the requests are REGISTER; typical is {typical}",
        source="source",
        group="source",
        unseen=0.3,
    ),
    feature(
        "source_options_ratio",
        "ratio",
        "OPTIONS / requests, half-life 1 hour.",
        "{value} of the requests are OPTIONS; typical is {typical}",
        source="source",
        group="source",
        unseen=0.3,
    ),
    feature(
        "source_invite_ratio",
        "ratio",
        "INVITE / requests, half-life 1 hour.",
        "{value} of the requests are INVITE; typical is {typical}",
        source="source",
        group="source",
        unseen=0.3,
    ),
    feature(
        "source_users_hour",
        "users",
        "Different users it tried to register in the present half hour and the one before (standard error 13 %).",
        "tried to register {value} different users within the hour; typical is {typical}",
        source="source",
        group="source",
    ),
    feature(
        "source_users_day",
        "users",
        "Different users it tried to register in the present 12 hours and the 12 before.",
        "tried to register {value} different users within the day; typical is {typical}",
        source="source",
        group="source",
    ),
    feature(
        "source_user_ratio",
        "ratio",
        "Different users / REGISTER requests, over the same 12 to 24 hours.",
        "{value} of its REGISTER requests were for another user; typical is {typical}",
        source="source",
        group="source",
        unseen=0.5,
    ),
    feature(
        "source_registered_ratio",
        "ratio",
        "2xx / final responses to REGISTER, half-life 1 hour.",
        "{value} of its registrations succeeded; typical is {typical}",
        source="source",
        group="source",
        unseen=0.5,
    ),
    feature(
        "source_challenged_ratio",
        "ratio",
        "401 and 407 / outcomes (final responses outside calls, answered calls, failed calls), half-life 1 hour.",
        "{value} of its requests were asked for a password; typical is {typical}",
        source="source",
        group="source",
        unseen=0.3,
    ),
    feature(
        "source_forbidden_ratio",
        "ratio",
        "403 / outcomes, half-life 1 hour.",
        "{value} of its requests were forbidden; typical is {typical}",
        source="source",
        group="source",
    ),
    feature(
        "source_not_found_ratio",
        "ratio",
        "404, 410, 484 and 604 / outcomes, half-life 1 hour.",
        "{value} of its requests were for users that do not exist; typical is {typical}",
        source="source",
        group="source",
        unseen=0.02,
    ),
    feature(
        "source_callers_day",
        "numbers",
        "Different callers behind the address in the present 12 hours and the 12 before.",
        "{value} different callers were behind the address; typical is {typical}",
        source="source",
        group="source",
    ),
    feature(
        "source_callees_day",
        "numbers",
        "Different numbers called from the address in the same time.",
        "called {value} different numbers within the day; typical is {typical}",
        source="source",
        group="source",
    ),
    feature(
        "source_answer_ratio",
        "ratio",
        "Answer-seizure ratio (ITU-T E.425) of the calls from the address, half-life 1 hour.",
        "{value} of its calls were answered; typical is {typical}",
        source="source",
        group="source",
        unseen=0.6,
    ),
    feature(
        "source_high_cost_hour",
        "calls",
        "Calls from the address to premium, satellite or high-cost ranges, half-life 1 hour.",
        "about {value} calls to expensive ranges within hours; typical is {typical}",
        source="source",
        group="source",
    ),
    feature(
        "source_interval_mean_s",
        "s",
        "Mean time between its requests, over about the last 32. NaN before the second request.",
        "sends a request every {value} on average; typical is {typical}",
        source="source",
        group="source",
        unseen=NAN,
    ),
    feature(
        "source_interval_cv",
        "",
        "Standard deviation / mean of these times. NaN before the third request.",
        "the times between requests vary by {value} of their mean (0 is a machine's clock); typical is {typical}",
        high=MOST_CV,
        source="source",
        group="source",
        unseen=NAN,
    ),
    *BEHAVIOUR_SOURCE_FEATURES,
    *SIGNALLING_SOURCE_FEATURES,
    *GROUP_SOURCE_FEATURES,
)


def schema_hash(features: tuple[Feature, ...]) -> str:
    """16 hex digits that change when a row's order or the meaning of an entry does."""
    lines = (
        f"{f.name}|{f.unit}|{f.low:g}|{f.high:g}|{f.group}|{f.source}|{f.moment}|{f.unseen:g}|{f.revision}\n"
        for f in features
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


CALL_SCHEMA_HASH = schema_hash(CALL_FEATURES)
SOURCE_SCHEMA_HASH = schema_hash(SOURCE_FEATURES)


def _number(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value:g}"


def _table(features: tuple[Feature, ...]) -> list[str]:
    lines = ["| # | name | unit | range | whose | known at | unseen | meaning |", "|--:|---|---|---|---|---|---|---|"]
    for i, f in enumerate(features):
        lines.append(
            f"| {i} | `{f.name}` | {f.unit or '1'} | {_number(f.low)}..{_number(f.high)} | {f.source} | {f.moment} "
            f"| {_number(f.unseen)} | {f.meaning} |"
        )
    return lines


def documentation() -> str:
    """The text of docs/FEATURES.md."""
    return "\n".join(
        [
            "# Features",
            "",
            "Written by `python -m kernels.schema > docs/FEATURES.md`; edit `kernels/schema.py` instead.",
            "",
            "A row is float32. It is read after the event that it is about, and depends on nothing but the packets",
            'seen until then. "Unseen" is the value without evidence: ratios and means are shrunk to it by a prior',
            "worth two events, `(part + 2 * unseen) / (whole + 2)`; NaN stands for what is not known, and the model's",
            "input encoding gives it a code of its own choice. Counts are clipped at 1e6, times at one day. A decayed",
            "count of half-life h is the sum over events of 2^-(age / h).",
            "",
            f"## Call rows: {len(CALL_FEATURES)} features, schema `{CALL_SCHEMA_HASH}`",
            "",
            "One row at each stage of a call: setup, answer, end.",
            "",
            *_table(CALL_FEATURES),
            "",
            f"## Source rows: {len(SOURCE_FEATURES)} features, schema `{SOURCE_SCHEMA_HASH}`",
            "",
            "One row of an IP address each time it has grown enough: from its fourth request on, after a quarter more",
            "or 64 more requests, or a minute later; and when a registration succeeds after wrong passwords.",
            "",
            *_table(SOURCE_FEATURES),
        ]
    )


if __name__ == "__main__":
    print(documentation())
