"""The features of what calls sound like: recordings that are played to many, and with which many answer."""

from kernels.feature import END, NAN, feature

RECORDING_CALL_FEATURES = (
    # who plays a recording sends the same packets in every call, whatever number he shows
    feature(
        "recording_callees_day",
        "numbers",
        "Different numbers called by calls whose calling side sounds the same, this one included, in the present 12 "
        "hours and the 12 before (standard error 13 %): the first 25 payloads with voice after the answer "
        "(kernels/recordings.pxd). NaN when the call was not answered, or fewer were seen whole.",
        "the same recording was played to {value} different numbers; typical is {typical}",
        source="call",
        moment=END,
        unseen=NAN,
    ),
    feature(
        "recording_callers_day",
        "numbers",
        "Different callers of these calls, in the same time. NaN likewise.",
        "the same recording was played by {value} different numbers; typical is {typical}",
        source="call",
        moment=END,
        unseen=NAN,
    ),
    # a route that answers for numbers that it never reached has one voice for all of them
    feature(
        "answer_recording_callees_day",
        "numbers",
        "Different numbers called by calls whose answering side sounds the same, in the same time. NaN likewise.",
        "{value} different numbers answered with the same recording; typical is {typical}",
        source="call",
        moment=END,
        unseen=NAN,
    ),
    feature(
        "caller_recorded_ratio_day",
        "ratio",
        "Calls whose calling side has a sound that was played to at least two other numbers before / calls whose "
        "calling side has a sound, half-life 1 day. Two, since a call that is handed on, or seen twice with its number "
        "written in two ways, is heard at two numbers.",
        "in {value} of the caller's calls a recording was played that others had heard; typical is {typical}",
        unseen=0.02,
    ),
    feature(
        "source_recorded_ratio",
        "ratio",
        "The same of the calls from the address, half-life 1 hour.",
        "in {value} of the calls from the address a recording was played that others had heard; typical is {typical}",
        source="source",
        unseen=0.02,
    ),
    feature(
        "route_recorded_ratio",
        "ratio",
        "Calls to that address whose answering side has a sound with which at least two other numbers had answered / "
        "calls to that address whose answering side has a sound, half-life 1 hour.",
        "{value} of the calls on this route were answered with a recording of other numbers; typical is {typical}",
        source="route",
        unseen=0.02,
    ),
)
