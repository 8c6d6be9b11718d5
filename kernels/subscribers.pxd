# cython: language_level=3
"""The voice statistics of many subscribers, from the calls as they end: a table of bounded size.

A subscriber is a number that could be read as E.164, wherever it calls from. Both parties of a call that was answered
and ended take it: for one it is outgoing, for the other incoming. A row is due at the LEAST_CALLS-th call of a
subscriber, and again after a quarter more; it is read when the block ends.

Every HALF_LIFE_NS what was seen is halved (kernels/subscriber.pxd), by the half-lives since a subscriber's first call.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from kernels.calls cimport Call
from kernels.slots cimport SlotTable
from kernels.subscriber cimport Subscriber

cdef extern from *:
    """
    /* Thirty days: a few weeks of a line's habits, of which a month ago counts half. */
    #define SW_SUBSCRIBER_HALF_LIFE_NS (30LL * 86400 * 1000000000)
    /* A line is not judged by its first days: statistics of weeks look unlike those of an evening. */
    #define SW_SUBSCRIBER_LEAST_SEEN_NS (7LL * 86400 * 1000000000)
    """
    const int64_t HALF_LIFE_NS "SW_SUBSCRIBER_HALF_LIFE_NS"
    const int64_t LEAST_SEEN_NS "SW_SUBSCRIBER_LEAST_SEEN_NS"

cdef enum:
    LEAST_CALLS = 20
    NUMBER_BYTES = 16
    MOST_DUE = 1024             # rows that wait for the end of a block; others come due again with their next call

cdef struct SubscriberNote:     # who a subscriber is; 48 bytes
    char number[NUMBER_BYTES]   # E.164 digits, NUL-terminated
    int64_t first_ns            # of its calls
    int64_t last_ns
    int64_t faded_ns            # to when half-lives were taken
    uint32_t calls              # since the slot was taken; stops at its largest value
    uint32_t row_calls          # `calls` at the latest row


@cython.final
cdef class Subscribers:
    cdef SlotTable table
    cdef Subscriber* subscribers
    cdef SubscriberNote* notes
    cdef int32_t[MOST_DUE] due
    cdef uint32_t due_count

    # A call is over; `offset_ns` makes engine time wall clock time.
    cdef void on_end(self, const Call* call, int64_t now_ns, int64_t offset_ns) noexcept nogil
    cdef void next_block(self) noexcept nogil

    cdef void _add(self, uint64_t key, const char* number, uint64_t counterpart, bint outgoing, const Call* call,
                   int64_t now_ns, int64_t offset_ns) noexcept nogil
