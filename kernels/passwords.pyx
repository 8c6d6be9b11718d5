# cython: language_level=3
"""What passwords do to the profile of the address that tries them, and the features of them."""
from libc.stdint cimport uint32_t

from kernels.behaviour cimport *
from kernels.decay cimport DAY, HALF_LIFE_DAY_S, HALF_LIFE_MINUTE_S, HALF_LIVES, decay_factors
from kernels.distinct cimport distinct_add, distinct_advance, distinct_count, distinct_seen
from kernels.features cimport *
from kernels.heavy cimport heavy_add, heavy_count, heavy_forget, heavy_key, heavy_left, heavy_most
from kernels.relations cimport FAILURE_BOUND, FAILURE_CROWD, FAILURE_OWN, FAILURE_SHARED
from kernels.rows cimport MOST_EVENTS, clipped, shrunk

cdef extern from *:
    """
    /* Wrong passwords before a success that make it a guess: three, less what they fade in some hours. */
    #define SW_GUESSES 2.5f
    /* Wrong passwords of an address, of whichever users, after which whoever is let in there may have been guessed. */
    #define SW_SPRAYED 20.0f
    /* More Call-IDs than users, and not for the errors of both sketches: twice that of their quotient. */
    #define SW_SURELY_MORE 1.35
    /* Prior: share of the tries after a user's first. */
    #define SW_ANEW_RATIO 0.1f
    """
    const float SPRAYED "SW_SPRAYED"
    const float GUESSES "SW_GUESSES"
    const double SURELY_MORE "SW_SURELY_MORE"
    const float ANEW_RATIO "SW_ANEW_RATIO"


cdef void password_brought(SourceProfile* profile, uint64_t transaction_key) noexcept nogil:
    password_awaited(profile, transaction_key)      # it may be a retransmission
    profile.pending[profile.pending_next] = heavy_key(transaction_key)
    profile.pending_next = (profile.pending_next + 1) % PENDING_TRIES


cdef bint password_awaited(SourceProfile* profile, uint64_t transaction_key) noexcept nogil:
    cdef uint32_t transaction = heavy_key(transaction_key)
    cdef int i
    for i in range(PENDING_TRIES):
        if profile.pending[i] == transaction:
            profile.pending[i] = 0
            return True
    return False


cdef void password_wrong(SourceProfile* profile, uint64_t user_key, int64_t now_ns) noexcept nogil:
    cdef uint32_t user = heavy_key(user_key)
    heavy_add(&profile.failures, user, now_ns, HALF_LIFE_DAY_S)
    heavy_add(&profile.recent_failures, user, now_ns, HALF_LIFE_MINUTE_S)
    distinct_advance(&profile.failing_users_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.failing_users_day, user_key)


cdef void password_failed(SourceProfile* profile, int failure, uint64_t call_id_key, int64_t now_ns) noexcept nogil:
    if failure & FAILURE_BOUND:
        count_source(profile, SOURCE_SUM_FAILED_BOUND)
    if failure & FAILURE_OWN:
        count_source(profile, SOURCE_SUM_FAILED_OWN)
    elif call_id_key:
        distinct_advance(&profile.failing_call_ids_day, now_ns, WINDOW_DAY_NS)
        distinct_add(&profile.failing_call_ids_day, call_id_key)
    if failure & FAILURE_SHARED:
        count_source(profile, SOURCE_SUM_FAILED_SHARED)
    if failure & FAILURE_CROWD:
        count_source(profile, SOURCE_SUM_FAILED_CROWD)


cdef int password_right(SourceProfile* profile, uint64_t user_key, int64_t now_ns, Guess* guess) noexcept nogil:
    cdef uint32_t user = heavy_key(user_key)
    cdef float failures = heavy_count(&profile.failures, user, now_ns, HALF_LIFE_DAY_S)
    heavy_forget(&profile.failures, user, now_ns, HALF_LIFE_DAY_S)
    if failures < GUESSES:
        heavy_forget(&profile.recent_failures, user, now_ns, HALF_LIFE_MINUTE_S)
        return TRY_LET_IN
    count_source(profile, SOURCE_SUM_GUESSED)
    count_source(profile, SOURCE_SUM_GUESSED_TRIES, failures)
    guess.tries, guess.users = failures, 1.0
    return TRY_GUESSED


cdef int password_sprayed(const SourceProfile* profile, int64_t now_ns, Guess* guess) noexcept nogil:
    cdef float tries = profile.failures.total * heavy_left(&profile.failures, now_ns, HALF_LIFE_DAY_S)
    if tries < SPRAYED:
        return TRY_LET_IN
    guess.tries = tries
    guess.users = distinct_count(&profile.failing_users_day, now_ns, WINDOW_DAY_NS)
    return TRY_GUESSED


cdef int invite_answered(SourceProfile* profile, uint64_t user_key, uint64_t transaction_key, uint16_t status_code,
                         bint stale, int64_t now_ns, Guess* guess) noexcept nogil:
    if not password_awaited(profile, transaction_key):
        return TRY_NOTHING
    if status_code < 300:
        return password_right(profile, user_key, now_ns, guess)
    if stale or (status_code != 401 and status_code != 407):
        return TRY_NOTHING
    password_wrong(profile, user_key, now_ns)
    return TRY_WRONG


cdef void anew_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil:
    """Of the tries after a user's first, those with another Call-ID. The users with wrong passwords are in the row."""
    cdef double users = row[SOURCE_FAILING_USERS_DAY]
    cdef double call_ids = distinct_count(&profile.failing_call_ids_day, now_ns, WINDOW_DAY_NS)
    cdef double tries = distinct_seen(&profile.failing_call_ids_day, now_ns, WINDOW_DAY_NS)
    cdef double later = max(0.0, tries - users)
    cdef double anew = max(0.0, call_ids - SURELY_MORE * users)
    row[SOURCE_FAILED_ANEW_DAY] = clipped(anew, MOST_EVENTS)
    row[SOURCE_FAILED_ANEW_RATIO] = shrunk(<float>min(anew, later), <float>later, ANEW_RATIO)


cdef void password_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil:
    cdef float[HALF_LIVES] left
    cdef const float* days = &profile.counts[DAY][0]
    cdef float day
    decay_factors(profile.updated_ns, now_ns, left)
    day = left[DAY]
    row[SOURCE_WRONG_PASSWORDS_DAY] = clipped(
        profile.failures.total * heavy_left(&profile.failures, now_ns, HALF_LIFE_DAY_S)
        + days[SOURCE_SUM_GUESSED_TRIES] * day, MOST_EVENTS)
    row[SOURCE_USER_FAILURES_DAY] = clipped(heavy_most(&profile.failures, now_ns, HALF_LIFE_DAY_S), MOST_EVENTS)
    row[SOURCE_GUESSED_DAY] = clipped(days[SOURCE_SUM_GUESSED] * day, MOST_EVENTS)
    row[SOURCE_GUESSED_TRIES_DAY] = clipped(days[SOURCE_SUM_GUESSED_TRIES] * day, MOST_EVENTS)
    row[SOURCE_WRONG_PASSWORDS_MINUTE] = clipped(
        profile.recent_failures.total * heavy_left(&profile.recent_failures, now_ns, HALF_LIFE_MINUTE_S), MOST_EVENTS)
    row[SOURCE_USER_FAILURES_MINUTE] = clipped(
        heavy_most(&profile.recent_failures, now_ns, HALF_LIFE_MINUTE_S), MOST_EVENTS)
    row[SOURCE_FAILING_USERS_DAY] = clipped(
        distinct_count(&profile.failing_users_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[SOURCE_FAILED_BOUND_DAY] = clipped(days[SOURCE_SUM_FAILED_BOUND] * day, MOST_EVENTS)
    row[SOURCE_FAILED_SHARED_DAY] = clipped(days[SOURCE_SUM_FAILED_SHARED] * day, MOST_EVENTS)
    row[SOURCE_FAILED_OWN_DAY] = clipped(days[SOURCE_SUM_FAILED_OWN] * day, MOST_EVENTS)
    anew_features(profile, now_ns, row)
    row[SOURCE_FAILED_CROWD_DAY] = clipped(days[SOURCE_SUM_FAILED_CROWD] * day, MOST_EVENTS)
