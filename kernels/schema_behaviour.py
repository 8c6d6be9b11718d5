"""Features of the called number, of who calls whom back, of called ranges, and of registrations.

Part of the rows of kernels/schema.py. Each entry says in its comment which fraud, or which honest look-alike, needs it.
"""

import math

from kernels.feature import ANSWER, MOST_EVIDENCE, NAN, feature

MOST_ENTROPY = math.log2(24)  # bits: as many bins as hours in a day
CALL_BACKS = ("no", "of a call that was answered", "of a missed call")

BEHAVIOUR_CALL_FEATURES = (
    # TDoS and floods of flash calls; a hotline or a conference bridge looks like them
    feature(
        "callee_calls_minute",
        "calls",
        "Calls attempted to the called number, this one included, decayed with a half-life of 1 minute.",
        "the called number had about {value} calls within a minute or two; typical is {typical}",
        source="callee",
    ),
    feature(
        "callee_calls_hour",
        "calls",
        "The same with a half-life of 1 hour.",
        "the called number had about {value} calls within an hour or two; typical is {typical}",
        source="callee",
    ),
    feature(
        "callee_calls_day",
        "calls",
        "The same with a half-life of 1 day.",
        "the called number had about {value} calls within a day or two; typical is {typical}",
        source="callee",
    ),
    feature(
        "callee_evidence",
        "calls",
        "Calls to the number that were seen, at most 32: how much the other callee features can be trusted.",
        "{value} calls to this number were seen (32 stands for more); typical is {typical}",
        high=MOST_EVIDENCE,
        source="callee",
    ),
    # a TDoS with changing callers has many, call pumping has few
    feature(
        "callee_callers_hour",
        "numbers",
        "Different callers of the number in the present half hour and the one before (standard error 13 %).",
        "{value} different numbers called it within the hour; typical is {typical}",
        source="callee",
    ),
    feature(
        "callee_callers_ratio",
        "ratio",
        "Different callers / calls of the number in the present 12 hours and the 12 before.",
        "{value} of the calls to the number came from a caller that was new that day; typical is {typical}",
        source="callee",
        unseen=0.5,
    ),
    feature(
        "callee_answer_ratio_day",
        "ratio",
        "Calls to the number that were answered / whose outcome is known, half-life 1 day.",
        "{value} of the calls to the number were answered; typical is {typical}",
        source="callee",
        unseen=0.6,
    ),
    # the victims of wangiri and of flash calls
    feature(
        "callee_cancel_ratio_day",
        "ratio",
        "Calls to the number that the caller gave up / whose outcome is known, half-life 1 day.",
        "{value} of the callers of the number hung up before an answer; typical is {typical}",
        source="callee",
        unseen=0.15,
    ),
    feature(
        "callee_one_ring_ratio_day",
        "ratio",
        "Calls to the number that were given up within 6 s of ringing / whose outcome is known, half-life 1 day.",
        "{value} of the calls to the number were one ring; typical is {typical}",
        source="callee",
        unseen=0.03,
    ),
    # call pumping; conference bridges have it too
    feature(
        "callee_duration_mean_s",
        "s",
        "Mean duration of the answered calls to the number, half-life 1 day.",
        "calls to the number last {value} on average; typical is {typical}",
        source="callee",
        unseen=90.0,
    ),
    feature(
        "callee_concurrency",
        "calls",
        "Calls to the number that are being set up or talked on now.",
        "the called number has {value} calls at the same time; typical is {typical}",
        source="callee",
    ),
    # honest people answer each other's calls; robocallers do not, and wangiri is called back by many
    feature(
        "caller_reply_ratio",
        "ratio",
        "Calls to numbers that had called the caller within a day before / calls, half-life 1 day. Numbers that are "
        "not E.164 are not recognised in their other role.",
        "{value} of the caller's calls went to someone who had called before; typical is {typical}",
        unseen=0.1,
    ),
    feature(
        "caller_called_back_ratio",
        "ratio",
        "Calls of the caller that were returned within a day / calls, half-life 1 day, at most 1.",
        "{value} of the caller's calls were returned; typical is {typical}",
        unseen=0.1,
    ),
    # the honest victim of wangiri calls a number that nobody should call
    feature(
        "call_back",
        "class",
        "Whether the called number had called the caller within a day before: 0 no, 1 and its latest call was "
        "answered, 2 and it was not.",
        "the call is a call-back: {value}; typical is {typical}",
        high=2.0,
        source="call",
        words=CALL_BACKS,
    ),
    # machines call round the clock, or in one hour only
    feature(
        "caller_hour_entropy",
        "",
        "Entropy, in bits, of the hour of the day of the caller's latest calls (about 64 to 128), corrected for few "
        "(Miller and Madow 1955); it does not depend on the time zone. NaN before the fourth call.",
        "the hours at which the caller calls have an entropy of {value} bits (4.58 is round the clock); typical is "
        "{typical}",
        high=MOST_ENTROPY,
        unseen=NAN,
    ),
    # IRSF and war dialling stay in few ranges, robocalls go everywhere
    feature(
        "caller_range_entropy",
        "",
        "The same of the called ranges of 10 000 numbers, spread over 24 bins by hash. NaN before the fourth call to a "
        "number of at least 7 digits.",
        "the number ranges that the caller calls have an entropy of {value} bits (0 is one range); typical is "
        "{typical}",
        high=MOST_ENTROPY,
        unseen=NAN,
    ),
    # IRSF from many callers, and floods of a whole range of extensions
    feature(
        "range_calls_hour",
        "calls",
        "Calls of anybody to the called range of 10 000 numbers, half-life 1 hour: the least that it can be, by "
        "Space-Saving over 1024 tables of 8 ranges. NaN when the called number has fewer than 7 digits.",
        "about {value} calls went to this range of 10 000 numbers within hours; typical is {typical}",
        source="call",
        unseen=NAN,
    ),
    feature(
        "source_top_range_ratio",
        "ratio",
        "Calls from the address to the range of 10 000 numbers that it calls most / calls to ranges, half-life 1 hour, "
        "by Space-Saving with 8 ranges.",
        "{value} of the calls from the address go to one range of numbers; typical is {typical}",
        source="source",
        unseen=0.2,
    ),
    # toll fraud and IRSF through an exchange that was broken into
    feature(
        "source_concurrency",
        "calls",
        "Calls from the address that are being set up or talked on now.",
        "{value} calls from the address at the same time; typical is {typical}",
        source="source",
    ),
    # scanners dial at once and never registered; trunks do not register either, but are not new
    feature(
        "source_seen",
        "requests",
        "Requests from the address that were seen, at most 32: 1 at the first INVITE of a new address.",
        "{value} requests from the address were seen (32 stands for more); typical is {typical}",
        high=MOST_EVIDENCE,
        source="source",
    ),
    feature(
        "source_registrations_day",
        "requests",
        "Registrations from the address that succeeded, half-life 1 day.",
        "about {value} registrations from the address succeeded within a day or two; typical is {typical}",
        source="source",
    ),
    # announcements and fraud that never answers; false answer supervision has none
    feature(
        "early_media_s",
        "s",
        "First provisional response with a session description to the answer or the end (RFC 3960). NaN when none was "
        "seen.",
        "audio was open for {value} before an answer; typical is {typical}",
        source="call",
        moment=ANSWER,
        unseen=NAN,
    ),
)

BEHAVIOUR_SOURCE_FEATURES = (
    # a scan at one request a minute or an hour is as plain over a day as a fast one over an hour
    feature(
        "source_registered_ratio_day",
        "ratio",
        "2xx / final responses to REGISTER, half-life 1 day.",
        "{value} of its registrations of the last days succeeded; typical is {typical}",
        source="source",
        group="source",
        unseen=0.5,
    ),
    feature(
        "source_refused_ratio_day",
        "ratio",
        "403, 404, 410, 484 and 604 / outcomes, half-life 1 day.",
        "{value} of its requests of the last days were refused; typical is {typical}",
        source="source",
        group="source",
        unseen=0.02,
    ),
    # guessing brings a password each time, scanning for users none; telephones every other time
    feature(
        "source_credentials_ratio_day",
        "ratio",
        "REGISTER with credentials (RFC 3261 22) / REGISTER, half-life 1 day.",
        "{value} of its registrations brought a password; typical is {typical}",
        source="source",
        group="source",
        unseen=0.5,
    ),
    feature(
        "source_wrong_passwords_day",
        "requests",
        "Registrations with credentials that were answered 401, 403 or 407, and INVITEs that answered a challenge of "
        "their call with some and were challenged again, half-life 1 day; not where the challenge says `stale=true` "
        "(RFC 2617 3.2.1). A success takes those of its user away, when they are one or two.",
        "about {value} of its passwords were wrong within a day or two; typical is {typical}",
        source="source",
        group="source",
        revision=3,
    ),
    feature(
        "source_user_failures_day",
        "requests",
        "The same of the user with the most who has not succeeded since: the least that it can be, by Space-Saving "
        "with 8 users.",
        "about {value} wrong passwords for one user within a day or two; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    feature(
        "source_guessed_day",
        "users",
        "Users who were let in after three or more wrong passwords, half-life 1 day.",
        "about {value} users were let in after wrong passwords; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    # a scanner asks every address of a network, a telephone its own registrar
    feature(
        "source_targets_day",
        "servers",
        "Different addresses and ports to which its requests went, INVITEs as well, in the present 12 hours and the 12 "
        "before (standard error 13 %).",
        "asked {value} different servers within the day; typical is {typical}",
        source="source",
        group="source",
        revision=2,
    ),
    feature(
        "source_open_calls",
        "calls",
        "Calls from the address that are being set up or talked on now.",
        "has {value} calls at the same time; typical is {typical}",
        source="source",
        group="source",
    ),
)
