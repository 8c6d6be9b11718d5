"""What each shipped bundle is to know, what a mistake costs, and which evidence a flag needs."""

from dataclasses import dataclass
from typing import Literal

from models.bundle import Evidence


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What one bundle is to know."""

    rows: Literal["call", "source"]
    prevalence: float  # of each fraud type in the field; training sees far more, calibration shifts back
    false_flag_cost: float  # in missed frauds
    population_rows: int  # the most of one population that teach: more of a kind teach nothing new
    town_rows: int  # the most of one population in one town: more of them teach nothing but the town
    epochs: int
    commonest_share: float  # of a feature's knots that its commonest value may take
    counts_by_magnitude: bool  # the knots of counts are even in their logarithm, and not quantiles
    teachers: int  # networks from different seeds, whose mean a smaller one learns
    evidence: dict[str, Evidence]  # fraud type -> what a flag needs


BLUEPRINTS = {
    # A false block is paged for at night. A campaign shows over several calls, of its number or, where it shows
    # another number on each, of its address. A broken-into exchange or account must be stopped at its second
    # expensive call (1.5: two within an hour, at a half-life of an hour). A flood, a pumped range shows at the called
    # number or range; a false answer in one call, when it is over.
    "call": Blueprint(
        rows="call",
        prevalence=0.01,
        false_flag_cost=10,
        population_rows=10_000,
        town_rows=1000,
        epochs=16,
        commonest_share=1.0,
        counts_by_magnitude=False,
        teachers=3,
        evidence={
            "robocall": Evidence("source_seen", 8),
            "wangiri": Evidence("source_seen", 8),
            "vishing": Evidence("source_seen", 8),
            "irsf": Evidence("caller_high_cost_hour", 1.5),
            "toll_fraud": Evidence("caller_high_cost_hour", 1.5),
            "goip_gateway": Evidence("source_seen", 8),
            "caller_spoofing": Evidence("source_seen", 8),
            "flash_call": Evidence("source_seen", 8),
            "tdos": Evidence("callee_calls_hour", 10),
            "call_pumping": Evidence("range_calls_hour", 10),
            "false_answer": Evidence("duration_s", 0),
        },
    ),
    # Whoever sends requests from outside to an open SIP port is often a scanner, and no subscriber is blocked with it.
    # A telephone with a wrong password tries for ever, too, but not fifty times within a minute or two. An
    # exchange whose telephones begin at once has sent its first requests before the first is let in. A trunk asks its
    # one server for one user or two whether it lives, at whatever beat: a scan asks for many.
    "source": Blueprint(
        rows="source",
        prevalence=0.1,
        false_flag_cost=20,
        population_rows=20_000,
        town_rows=1000,
        epochs=60,
        # Most addresses have not one wrong password, and probe nobody: of those that do, it matters how many.
        commonest_share=0.25,
        counts_by_magnitude=True,
        teachers=3,
        evidence={
            "registration_scan": Evidence("source_evidence", 32),
            "password_guessing": Evidence("source_user_failures_minute", 50),
            "options_scan": Evidence("source_probes_day", 8),
            "goip_gateway": Evidence("source_evidence", 8),
        },
    ),
}
