# cython: language_level=3
"""What is remembered of one caller and of one source: fixed size, decayed, all zero when nothing is."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from capture.packet cimport Address
from kernels.cadence cimport Cadence
from kernels.decay cimport HALF_LIVES
from kernels.distinct cimport Distinct

cdef extern from *:
    """
    /* A window of a sketch; the sketch covers one to two of them. */
    #define SW_WINDOW_HOUR_NS (30LL * 60 * 1000000000)
    #define SW_WINDOW_DAY_NS (12LL * 3600 * 1000000000)
    """
    const int64_t WINDOW_HOUR_NS "SW_WINDOW_HOUR_NS"
    const int64_t WINDOW_DAY_NS "SW_WINDOW_DAY_NS"

cdef enum:                      # counters of a caller
    CALLER_SUM_CALLS = 0            # attempts
    CALLER_SUM_SETTLED = 1          # attempts whose outcome is known: answered, or over
    CALLER_SUM_ANSWERED = 2
    CALLER_SUM_COMPLETED = 3        # answered, and the end was seen
    CALLER_SUM_SHORT = 4            # of these, shorter than SHORT_CALL_S
    CALLER_SUM_TALK_S = 5           # sum of the durations of these
    CALLER_SUM_CANCELLED = 6
    CALLER_SUM_CANCEL_RING_S = 7    # sum of how long these had rung
    CALLER_SUM_BUSY = 8
    CALLER_SUM_NOT_FOUND = 9
    CALLER_SUM_SUCCESSORS = 10      # dialled number next to the one dialled before
    CALLER_SUM_LOCATED = 11         # both countries are known
    CALLER_SUM_INTERNATIONAL = 12   # of these, different ones
    CALLER_SUM_HIGH_COST = 13
    CALLER_COUNTERS = 14

cdef enum:                      # counters of a source
    SOURCE_SUM_REQUESTS = 0         # INVITEs that began a call, and requests outside calls
    SOURCE_SUM_REGISTERS = 1
    SOURCE_SUM_OPTIONS = 2
    SOURCE_SUM_INVITES = 3
    SOURCE_SUM_RESPONSES = 4        # final responses to requests, and calls whose outcome is known
    SOURCE_SUM_CHALLENGED = 5
    SOURCE_SUM_FORBIDDEN = 6
    SOURCE_SUM_NOT_FOUND = 7
    SOURCE_SUM_REGISTER_RESPONSES = 8
    SOURCE_SUM_REGISTERED = 9
    SOURCE_SUM_SETTLED = 10
    SOURCE_SUM_ANSWERED = 11
    SOURCE_SUM_HIGH_COST = 12
    SOURCE_COUNTERS = 13

cdef struct CallerProfile:      # 408 bytes
    int64_t updated_ns          # to when the counts are decayed: the latest time seen
    int64_t first_ns            # of the calls
    int64_t last_ns
    uint64_t last_number        # digits of the callee of the last call, 0 when it was not a number
    uint32_t calls              # since the slot was taken; stops at its largest value
    uint32_t open_calls
    Cadence cadence             # between calls
    float counts[HALF_LIVES][CALLER_COUNTERS]
    Distinct callees_hour
    Distinct callees_day

cdef struct SourceProfile:      # 592 bytes
    int64_t updated_ns
    int64_t first_ns            # of the requests
    int64_t last_ns
    int64_t row_ns              # `last_ns` at the latest row
    Address address
    uint32_t requests           # since the slot was taken; stops at its largest value
    uint32_t row_requests       # `requests` at the latest row
    Cadence cadence             # between requests
    float counts[HALF_LIVES][SOURCE_COUNTERS]
    Distinct users_hour         # to be registered
    Distinct users_day
    Distinct callers_day
    Distinct callees_day
