"""What each shipped bundle is to know, what a mistake costs, and which evidence a flag needs."""

from dataclasses import dataclass, field
from typing import Literal

from models.bundle import Evidence


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What one bundle is to know."""

    rows: Literal["call", "source"]
    prevalence: float  # of each fraud type in the field; training sees far more, calibration shifts back
    false_flag_cost: float  # in missed frauds
    margin: float  # how far above the worst honest row of the calibration a flag begins, as a factor of odds
    population_rows: int  # the most of one population that teach: more of a kind teach nothing new
    town_rows: int  # the most of one population in one town: more of them teach nothing but the town
    population_power: float  # a population weighs as much as its rows to this: the many do not drown the few
    hidden: tuple[int, int]  # widths of the shipped network's layers
    epochs: int  # of its teachers
    pupil_epochs: int  # of its own: it has more to learn, where its teachers are in doubt as well
    commonest_share: float  # of a feature's knots that its commonest value may take
    counts_by_magnitude: bool  # the knots of counts are even in their logarithm, and not quantiles
    teachers: int  # networks from different seeds, whose mean the shipped one learns
    by_log_odds: bool  # it learns their log-odds, and not their probabilities
    evidence: dict[str, Evidence]  # fraud type -> what a flag needs
    lower: dict[str, tuple[tuple[Evidence, ...], ...]]  # fraud type -> what, all of it together, lets a lower bar do
    may_be: dict[str, tuple[str, ...]] = field(default_factory=dict)  # type -> others of which it is no example
    # fraud type -> what, all of it together, nobody honest has: who has it is flagged when that is the likelier
    conclusive: dict[str, tuple[tuple[Evidence, ...], ...]] = field(default_factory=dict)
    # fraud type -> what, all of it together, proves it: flagged whatever the network says
    proof: dict[str, tuple[tuple[Evidence, ...], ...]] = field(default_factory=dict)


# What lets a lower bar do, where the honest who set the bar are not: beginners, whom a few calls make look like a
# campaign, do not make twenty; who loads an exchange calls no number, who warns a district has more to say than ten
# seconds; people who try to reach a number under attack do not call it alone.
TWENTY_CALLS = (Evidence("caller_evidence", 20),)
TWENTY_NEWCOMERS = (Evidence("newcomer_calls_hour", 20),)
A_NUMBER = Evidence("callee_plausible", 1)

# A management keep-alive or a SIM bank's packet from the address itself, or a gateway's header in this call. Honest
# telephones may share its NAT: they are not called by machines, and do not call as much.
PROVEN = Evidence("gateway_proofs", 1)

# The network asserts a number abroad, and nobody forwarded the call: a head office, if not a spoofed number. But that
# is one number, and made-up ones hide callers of many.
ASSERTED, ASSERTED_ABROAD = Evidence("asserted_differs", 1), Evidence("asserted_differs", 2)

# How many unrelated numbers one account shows, and how many accounts show one number. Firms, hosted exchanges and who
# forwards calls have a handful: they set the bar of ASSERTED. Agencies have as many as clients, customers of a calling
# service show as many as a spoofer does, and a call centre's number is asserted by all who forward its calls: they set
# these.
SIX_SHOWN, TWELVE_SHOWN, TWENTY_FOUR_SHOWN = (Evidence("asserted_blocks_day", least) for least in (6, 12, 24))
THREE_ACCOUNTS, SIX_ACCOUNTS = (Evidence("shown_accounts_day", least) for least in (3, 6))

# The same recording comes from several numbers of one address, on which little else is said: who reminds or asks for
# others plays theirs, under their numbers. A route on which numbers answer with one another's voice.
FROM_SEVERAL_NUMBERS = (Evidence("recording_callers_day", 4), Evidence("source_recorded_ratio", 0.6))
ONE_VOICE_ANSWERS = Evidence("route_recorded_ratio", 0.5)

# A network before this one has checked the number, whatever it found.
CHECKED = Evidence("verstat", 0)

# What a thief calls is expensive, from the account or from where he uses it; people with relatives far away, and who
# travel, call others as well. Nor do they make ten expensive calls within an hour.
ALL_EXPENSIVE = (
    (Evidence("caller_high_cost_hour", 1.5), Evidence("caller_high_cost_ratio", 0.6)),
    (Evidence("caller_high_cost_hour", 1.5), Evidence("source_high_cost_ratio", 0.5)),
    (Evidence("caller_high_cost_hour", 8),),
)

# Ten calls within a minute or two. A surgery, a taxi rank, a hotline have a call or three in a minute; what floods a
# number as slowly is not told from them, unless it is one caller.
FILLED_LINES = Evidence("callee_calls_minute", 10)

BLUEPRINTS = {
    # A false block is paged for at night. A campaign shows over several calls, of its number or, where it shows
    # another number on each, of its address. A broken-into exchange or account must be stopped at its second
    # expensive call (1.5: two within an hour, at a half-life of an hour). A flood, a pumped range shows at the called
    # number or range; a false answer in one call, when it is over.
    "call": Blueprint(
        rows="call",
        prevalence=0.01,
        false_flag_cost=30,
        margin=2.7,
        population_rows=10_000,
        town_rows=1000,
        # The honest who look like frauds are few: load tests, warnings, people with relatives far away.
        population_power=0.25,
        hidden=(96, 48),
        epochs=12,
        pupil_epochs=20,
        commonest_share=1.0,
        counts_by_magnitude=False,
        teachers=3,
        by_log_odds=True,
        evidence={
            "robocall": Evidence("source_seen", 8),
            "wangiri": Evidence("source_seen", 8),
            "vishing": Evidence("source_seen", 8),
            "irsf": Evidence("caller_high_cost_hour", 1.5),
            "toll_fraud": Evidence("caller_high_cost_hour", 1.5),
            "goip_gateway": PROVEN,
            "caller_spoofing": ASSERTED,
            "flash_call": Evidence("source_seen", 8),
            "tdos": FILLED_LINES,
            "call_pumping": Evidence("range_calls_hour", 10),
            "false_answer": Evidence("duration_s", 0),
        },
        lower={
            "robocall": (
                (A_NUMBER, Evidence("source_seen", 8)),
                (A_NUMBER, Evidence("caller_short_ratio_day", 0.8)),
                (A_NUMBER, Evidence("source_short_ratio", 0.8)),
                (A_NUMBER, *FROM_SEVERAL_NUMBERS),
                TWENTY_NEWCOMERS,
            ),
            "wangiri": (TWENTY_CALLS,),
            "vishing": (
                (Evidence("caller_evidence", 12),),
                TWENTY_CALLS,
                FROM_SEVERAL_NUMBERS,
                TWENTY_NEWCOMERS,
                (Evidence("newcomer_calls_hour", 40),),
            ),
            "irsf": ALL_EXPENSIVE,
            "toll_fraud": ALL_EXPENSIVE,
            "goip_gateway": (
                (PROVEN, Evidence("gateway_signs", 2)),
                (PROVEN, Evidence("tag_decimal", 1)),
                (PROVEN, Evidence("caller_evidence", 6)),
                (PROVEN, *TWENTY_CALLS),
            ),
            "caller_spoofing": (
                (ASSERTED, *TWENTY_CALLS),
                (ASSERTED, *TWENTY_NEWCOMERS),
                (ASSERTED_ABROAD,),
                (SIX_SHOWN,),
                (TWELVE_SHOWN,),
                (TWENTY_FOUR_SHOWN,),
                (THREE_ACCOUNTS,),
                (SIX_ACCOUNTS,),
                (CHECKED, *TWENTY_NEWCOMERS),
            ),
            "flash_call": (TWENTY_NEWCOMERS,),
            "tdos": (
                (FILLED_LINES, Evidence("source_top_range_ratio", 0.5)),
                (FILLED_LINES, Evidence("source_calls_hour", 20)),
                (FILLED_LINES, Evidence("caller_calls_hour", 10)),
                (Evidence("callee_calls_minute", 30),),
                (A_NUMBER, Evidence("call_run", 60)),
            ),
            # 0.3 is one call that was answered at once and soon over, 0.6 is three of three. Tests of exchanges are
            # answered so, too, and call no number.
            "false_answer": (
                (A_NUMBER, Evidence("route_hasty_ratio", 0.3)),
                (A_NUMBER, Evidence("route_hasty_ratio", 0.6)),
                (A_NUMBER, ONE_VOICE_ANSWERS),
                (A_NUMBER, Evidence("route_hasty_ratio", 0.3), ONE_VOICE_ANSWERS),
            ),
        },
        # Who shows another number at each call, and asserts one, calls as robocalls do; most robocalls assert none. One
        # ring each from foreign numbers may be meant to be called back, or to prove a telephone.
        may_be={
            "wangiri": ("flash_call",),
            "flash_call": ("wangiri",),
            "irsf": ("toll_fraud", "call_pumping"),
            "toll_fraud": ("irsf", "call_pumping"),
            "call_pumping": ("irsf", "toll_fraud"),
            "robocall": ("vishing", "caller_spoofing"),
            "vishing": ("robocall", "caller_spoofing"),
            "caller_spoofing": ("robocall", "vishing"),
        },
        # Who has a new exchange dials a number in five ways before it gets through, and mostly calls others. Nobody who
        # dials a busy number again makes thirty calls at twelve a minute. A call in which nobody spoke at the far end,
        # on a route where most are answered at once and soon over, and in many of which nobody spoke: the honest calls
        # of such a route have a voice. How many accounts abroad an address asserts is conclusive of nobody: firms led
        # from abroad share trunks with spoofers.
        conclusive={
            "toll_fraud": ((Evidence("dialled_forms", 6),), (Evidence("source_respelled_ratio", 0.5),)),
            "tdos": ((A_NUMBER, Evidence("call_run", 30), Evidence("caller_calls_minute", 12)),),
            "false_answer": (
                (
                    A_NUMBER,
                    Evidence("route_hasty_ratio", 0.6),
                    Evidence("route_one_sided_ratio", 0.3),
                    Evidence("one_sided", 1),
                ),
            ),
        },
    ),
    # Whoever sends requests from outside to an open SIP port is often a scanner, and no subscriber is blocked with it.
    # A telephone with a wrong password tries for ever, too, and sets the bar: fewer than thirty say nothing. An
    # exchange whose telephones begin at once has sent its first requests before the first is let in. A trunk asks its
    # one server for one user or two whether it lives, at whatever beat: a scan asks for many.
    "source": Blueprint(
        rows="source",
        prevalence=0.1,
        false_flag_cost=20,
        margin=2.7,
        population_rows=20_000,
        town_rows=1000,
        population_power=0.5,
        hidden=(48, 32),
        epochs=60,
        pupil_epochs=60,
        # Most addresses have not one wrong password, and probe nobody: of those that do, it matters how many.
        commonest_share=0.25,
        counts_by_magnitude=True,
        teachers=5,
        # Of addresses there are few rows, and what teachers say of them far from any bar is chance.
        by_log_odds=False,
        evidence={
            "registration_scan": Evidence("source_evidence", 12),
            "password_guessing": Evidence("source_wrong_passwords_day", 30),
            "options_scan": Evidence("source_probes_day", 8),
            "goip_gateway": Evidence("source_evidence", 8),
        },
        # Where replies to it are seen: in a mirror of one direction an exchange that asks its telephones, or a monitor,
        # looks like a search among addresses that are nobody's. Eight requests without a reply leave 0.18, forty 0.04.
        lower={
            "options_scan": (
                (Evidence("source_probes_day", 8), Evidence("source_replied_ratio", 0.2)),
                (Evidence("source_probes_day", 40), Evidence("source_replied_ratio", 0.07)),
            )
        },
        # A telephone with an old password that tries every three seconds, the most that teaches, comes to 29 within a
        # minute or two; to 58, all its requests, when it brings credentials at once and once more when it is asked, in
        # its one dialog.
        # Nobody honest has several users whom two others try as well, and begins anew with each try for them; nobody
        # but a gateway speaks to a bank of SIM cards, or the bank itself.
        conclusive={
            "password_guessing": (
                (Evidence("source_user_failures_minute", 50), Evidence("source_call_ids_day", 20)),
                (Evidence("source_user_failures_minute", 75),),
                (Evidence("source_user_failures_minute", 40), Evidence("source_requests_minute", 75)),
                (
                    Evidence("source_failed_crowd_day", 8),
                    Evidence("source_failed_anew_day", 8),
                    Evidence("source_failing_users_day", 1.5),
                ),
            ),
            "goip_gateway": ((Evidence("sim_bank_packets", 3.9),),),
        },
        # Forty softphones behind one router that begin anew with each try are more than teach, and no office without
        # them comes near; nobody but a gateway sends keep-alives to the manager of gateways.
        proof={
            "password_guessing": (
                (
                    Evidence("source_failing_users_day", 40),
                    Evidence("source_failed_anew_day", 30),
                    Evidence("source_failed_anew_ratio", 0.5),
                ),
            ),
            "goip_gateway": ((Evidence("goip_keepalives", 2.9),),),
        },
    ),
}
