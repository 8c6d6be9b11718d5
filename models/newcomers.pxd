# cython: language_level=3
"""The newcomers of an address: when nearly all their calls are watched as one fraud, they are one campaign's."""
from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef enum:
    ROTATING = 4            # frauds of campaigns that show another number at each call: no caller stands as flagged

cdef enum:
    AT_SETUP = 0            # where calls are counted: a call has one row at its setup, and one at its end
    AT_END = 1
    COUNTED = 2
    NOT_COUNTED = 2         # a row in between

cdef struct WatchedCalls:   # of newcomers, as one fraud
    float calls[COUNTED]    # fading with a half-life of an hour
    int64_t time_ns         # at which the counts were right

cdef struct Newcomers:      # of an address; all zero: none is watched
    WatchedCalls frauds[ROTATING]

# The verdict of a row, given what the model says of it (`types` is a mask of fraud types): FLAG, too, where it is
# watched as nearly all calls of its address's newcomers are. `evidence` and `calls_hour` are its `caller_evidence` and
# `newcomer_calls_hour`. Rows come in order of time.
cdef uint8_t newcomers_verdict(Newcomers* newcomers, int where, int64_t time_ns, uint8_t verdict, uint32_t types,
                               float evidence, float calls_hour) noexcept nogil
# Whether a row counts for its address from now on.
cdef bint newcomers_count(uint8_t verdict, uint32_t types, float evidence) noexcept nogil
