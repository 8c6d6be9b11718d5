# cython: language_level=3
"""What is remembered of one caller, one callee and one source: fixed size, decayed, all zero when nothing is."""
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from capture.packet cimport Address
from kernels.cadence cimport Cadence
from kernels.decay cimport HALF_LIVES, decay_add, decay_counts
from kernels.distinct cimport Distinct
from kernels.entropy cimport Spread
from kernels.heavy cimport Heavy

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
    CALLER_SUM_REPLIES = 14         # to someone who had called the caller within the last day
    CALLER_SUM_RETURNED = 15        # calls of the caller that were returned within a day
    CALLER_SUM_LONG = 16            # calls of at least LONG_CALL_S
    CALLER_SUM_SOUNDS = 17          # calls whose calling side has a sound
    CALLER_SUM_RECORDED = 18        # of these, a recording's: it was played to two other numbers
    CALLER_COUNTERS = 19

cdef enum:                      # counters of a callee: of the calls to it
    CALLEE_SUM_CALLS = 0
    CALLEE_SUM_SETTLED = 1
    CALLEE_SUM_ANSWERED = 2
    CALLEE_SUM_CANCELLED = 3
    CALLEE_SUM_ONE_RING = 4         # of these, given up within ONE_RING_S
    CALLEE_SUM_COMPLETED = 5
    CALLEE_SUM_TALK_S = 6
    CALLEE_COUNTERS = 7

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
    SOURCE_SUM_CREDENTIALS = 13     # REGISTER requests that brought a password's digest
    SOURCE_SUM_GUESSED = 14         # users who were let in after GUESSES wrong passwords
    SOURCE_SUM_FAILED_BOUND = 15    # wrong passwords for users who are registered from another address
    SOURCE_SUM_FAILED_SHARED = 16   # wrong passwords for users for whom other addresses fail, too
    SOURCE_SUM_REPLIES = 17         # final responses to requests outside calls
    SOURCE_SUM_FAILED_OWN = 18      # wrong passwords for users who are registered from the address itself
    SOURCE_SUM_GUESSED_TRIES = 19   # wrong passwords of these users before
    SOURCE_SUM_GRANTED = 20         # registrations of others that the address granted
    SOURCE_SUM_FAILED_CROWD = 21    # wrong passwords for users for whom two other addresses fail
    SOURCE_COUNTERS = 22

cdef enum:
    PENDING_TRIES = 16              # requests with credentials, whose answer is awaited
    UINT32_MAX = 0xffffffff

cdef struct CallerProfile:      # 536 bytes
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
    Spread hours                # of the day, at which it calls
    Spread ranges               # of numbers that it calls, spread over the bins by hash

cdef struct CalleeProfile:      # 296 bytes
    int64_t updated_ns
    int64_t first_ns            # of the calls
    int64_t last_ns
    uint32_t calls              # since the slot was taken; stops at its largest value
    uint32_t open_calls
    float counts[HALF_LIVES][CALLEE_COUNTERS]
    Distinct callers_hour
    Distinct callers_day

cdef struct SourceProfile:      # 1640 bytes
    int64_t updated_ns
    int64_t first_ns            # of the requests
    int64_t last_ns
    int64_t row_ns              # `last_ns` at the latest row
    Address address
    uint32_t requests           # since the slot was taken; stops at its largest value
    uint32_t signs              # of a GSM gateway, likewise
    uint32_t row_evidence       # of both at the latest row
    uint32_t open_calls
    uint32_t pending[PENDING_TRIES]     # a ring of low halves of transaction keys, 0 for none
    uint32_t pending_next
    Cadence cadence             # between requests
    float counts[HALF_LIVES][SOURCE_COUNTERS]
    Distinct users_hour         # to be registered
    Distinct users_day
    Distinct callers_day
    Distinct callees_day
    Distinct targets_day        # where its requests went
    Distinct call_ids_day       # Call-IDs of its REGISTER requests
    Distinct probes_day         # users at servers that its OPTIONS requests were for
    Distinct probed_users_day   # users that they were for, at any server
    Distinct failing_users_day  # users whose passwords were wrong
    Distinct failing_call_ids_day   # Call-IDs of REGISTERs with wrong passwords, of users not known from the address
    Heavy ranges                # called ranges, half-life 1 hour
    Heavy failures              # wrong passwords by user, half-life 1 day
    Heavy recent_failures       # the same, half-life 1 minute


cdef inline void note_caller(CallerProfile* profile, int64_t now_ns) noexcept nogil:
    """Brings the counters to `now_ns`; so do the next two."""
    decay_counts(&profile.counts[0][0], CALLER_COUNTERS, profile.updated_ns, now_ns)
    profile.updated_ns = max(profile.updated_ns, now_ns)


cdef inline void note_callee(CalleeProfile* profile, int64_t now_ns) noexcept nogil:
    decay_counts(&profile.counts[0][0], CALLEE_COUNTERS, profile.updated_ns, now_ns)
    profile.updated_ns = max(profile.updated_ns, now_ns)


cdef inline void note_source(SourceProfile* profile, int64_t now_ns) noexcept nogil:
    decay_counts(&profile.counts[0][0], SOURCE_COUNTERS, profile.updated_ns, now_ns)
    profile.updated_ns = max(profile.updated_ns, now_ns)


cdef inline void count_caller(CallerProfile* profile, int counter, float amount) noexcept nogil:
    decay_add(&profile.counts[0][0], CALLER_COUNTERS, counter, amount)


cdef inline void count_callee(CalleeProfile* profile, int counter, float amount) noexcept nogil:
    decay_add(&profile.counts[0][0], CALLEE_COUNTERS, counter, amount)


cdef inline void count_source(SourceProfile* profile, int counter, float amount=1.0) noexcept nogil:
    decay_add(&profile.counts[0][0], SOURCE_COUNTERS, counter, amount)


cdef inline uint32_t one_more(uint32_t count) noexcept nogil:
    return count + 1 if count < UINT32_MAX else count


cdef inline uint32_t one_less(uint32_t count) noexcept nogil:
    return count - 1 if count else 0


cdef inline uint32_t evidence_of(const SourceProfile* profile) noexcept nogil:
    return profile.requests + min(profile.signs, UINT32_MAX - profile.requests)


cdef inline bint is_not_found(uint16_t status_code) noexcept nogil:
    """No such number or user: RFC 3261 21.4.5, 21.4.11, 21.4.22, 21.6.3."""
    return status_code == 404 or status_code == 410 or status_code == 484 or status_code == 604
