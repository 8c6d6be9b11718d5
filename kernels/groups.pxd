# cython: language_level=3
"""What calls that share something have in common: those of one address, of its newcomers, of one route.

A campaign that shows another number on each call has no caller to know it by; the address that all of them come from
has, and more so the calls of numbers that this box hardly knows, apart from those of the customers of old. And a call
that is handed on is treated as the route it takes treats calls: answer-seizure ratio, mean holding time and calls that
are answered before they ring are what a carrier's desk watches of each route (ITU-T E.411, E.425).
"""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from kernels.calls cimport Call

cdef enum:                      # counters, half-life 1 hour
    GROUP_CALLS = 0
    GROUP_SETTLED = 1               # whose outcome is known: answered, or over
    GROUP_ANSWERED = 2
    GROUP_CANCELLED = 3
    GROUP_ONE_RING = 4              # of these, given up within ONE_RING_S
    GROUP_NOT_FOUND = 5
    GROUP_COMPLETED = 6             # answered, and the end was seen
    GROUP_SHORT = 7                 # of these, shorter than SHORT_CALL_S
    GROUP_LONG = 8                  # of these, at least LONG_CALL_S
    GROUP_TALK_S = 9                # sum of the durations of these
    GROUP_REPEATED = 10             # of these, as long as one of the GROUP_DURATIONS before
    GROUP_UNRUNG = 11               # answered within UNRUNG_S of ringing, or by a response without any
    GROUP_COMPARED = 12             # calls between two different E.164 numbers
    GROUP_DIFFERING = 13            # sum of the digits in which these differ, from the first one on
    GROUP_SUCCESSORS = 14           # dialled number next to the one dialled before
    GROUP_HEARD = 15                # of which is known whose voice was there
    GROUP_ONE_SIDED = 16            # of these, the caller's only
    GROUP_REPLIED = 17              # to which there was any reply; counted for all calls of an address only
    GROUP_HASTY = 18                # of the completed, picked up within HASTY_RING_S and over within HASTY_TALK_S
    GROUP_RESPELLED = 19            # to a number that its source has dialled in MANY_SPELLINGS
    GROUP_SOUNDS = 20               # whose calling side has a sound
    GROUP_RECORDED = 21             # of these, a recording's: it was played to two other numbers
    GROUP_ANSWER_SOUNDS = 22        # whose answering side has a sound
    GROUP_ANSWER_RECORDED = 23      # of these, a recording's: two other numbers answered with it
    GROUP_COUNTERS = 24

cdef enum:
    GROUP_DURATIONS = 4
    NEWCOMER_CALLS = 3              # a number is a newcomer in its first calls

cdef struct Group:              # 136 bytes; all zero is the empty one
    float counts[GROUP_COUNTERS]
    int64_t updated_ns          # to when the counts are decayed
    uint64_t last_number        # digits of the callee of the latest call, 0 when it was not a number
    float durations[GROUP_DURATIONS]    # of the latest calls, s; 0 for none
    uint8_t next_duration

# A call began, was replied to, was answered, reached its end state. `number`: the digits dialled, 0 for none.
cdef void group_attempt(Group* group, const Call* call, uint64_t number, int64_t now_ns) noexcept nogil
cdef void group_reply(Group* group, int64_t now_ns) noexcept nogil
cdef void group_answer(Group* group, const Call* call, int64_t now_ns) noexcept nogil
cdef void group_end(Group* group, const Call* call, int64_t now_ns) noexcept nogil
# Their part of a call row. Groups are read as of `now_ns` and not changed.
cdef void source_group_features(const Group* all, const Group* newcomers, int64_t now_ns, float* row) noexcept nogil
cdef void route_features(const Group* route, int64_t now_ns, float* row) noexcept nogil
