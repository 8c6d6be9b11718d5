# cython: language_level=3
"""What registrations do to the profile of their source, and the features of them."""
from kernels.behaviour cimport *
from kernels.decay cimport DAY, HALF_LIVES, HOUR, decay_factors
from kernels.distinct cimport distinct_add, distinct_advance, distinct_count, distinct_seen
from kernels.features cimport *
from kernels.passwords cimport (
    TRY_NOTHING, TRY_WRONG, password_awaited, password_brought, password_right, password_wrong,
)
from kernels.rows cimport MOST_EVENTS, clipped, distinct_ratio, share, shrunk

cdef extern from *:
    """
    /* Priors: shares of events. */
    #define SW_DAY_REGISTERED_RATIO 0.5f
    #define SW_DAY_REFUSED_RATIO 0.02f
    #define SW_DAY_CREDENTIALS_RATIO 0.5f
    #define SW_REPLIED_RATIO 0.9f
    """
    const float REGISTERED_RATIO "SW_DAY_REGISTERED_RATIO"
    const float REFUSED_RATIO "SW_DAY_REFUSED_RATIO"
    const float CREDENTIALS_RATIO "SW_DAY_CREDENTIALS_RATIO"
    const float REPLIED_RATIO "SW_REPLIED_RATIO"


cdef void registration_asked(SourceProfile* profile, uint64_t user_key, uint64_t call_id_key, bint credentials,
                             uint64_t transaction_key, int64_t now_ns) noexcept nogil:
    count_source(profile, SOURCE_SUM_REGISTERS)
    distinct_advance(&profile.users_hour, now_ns, WINDOW_HOUR_NS)
    distinct_add(&profile.users_hour, user_key)
    distinct_advance(&profile.users_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.users_day, user_key)
    distinct_advance(&profile.call_ids_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.call_ids_day, call_id_key)
    if credentials:
        count_source(profile, SOURCE_SUM_CREDENTIALS)
        password_brought(profile, transaction_key)


cdef int registration_answered(SourceProfile* profile, uint64_t user_key, uint64_t transaction_key,
                               uint16_t status_code, bint stale, int64_t now_ns, Guess* guess) noexcept nogil:
    cdef bint credentials = password_awaited(profile, transaction_key)
    count_source(profile, SOURCE_SUM_REGISTER_RESPONSES)
    if status_code < 300:
        count_source(profile, SOURCE_SUM_REGISTERED)
        return password_right(profile, user_key, now_ns, guess)
    if credentials and not stale and (status_code == 401 or status_code == 403 or status_code == 407):
        password_wrong(profile, user_key, now_ns)
        return TRY_WRONG
    return TRY_NOTHING


cdef void registration_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil:
    cdef float[HALF_LIVES] left
    cdef const float* days = &profile.counts[DAY][0]
    cdef const float* hours = &profile.counts[HOUR][0]
    cdef float day
    cdef float hour
    decay_factors(profile.updated_ns, now_ns, left)
    day = left[DAY]
    hour = left[HOUR]
    row[SOURCE_REGISTERED_RATIO_DAY] = share(
        days, SOURCE_SUM_REGISTERED, SOURCE_SUM_REGISTER_RESPONSES, day, REGISTERED_RATIO)
    row[SOURCE_REFUSED_RATIO_DAY] = shrunk(
        (days[SOURCE_SUM_FORBIDDEN] + days[SOURCE_SUM_NOT_FOUND]) * day, days[SOURCE_SUM_RESPONSES] * day,
        REFUSED_RATIO)
    row[SOURCE_CREDENTIALS_RATIO_DAY] = share(
        days, SOURCE_SUM_CREDENTIALS, SOURCE_SUM_REGISTERS, day, CREDENTIALS_RATIO)
    row[SOURCE_GRANTED_DAY] = clipped(days[SOURCE_SUM_GRANTED] * day, MOST_EVENTS)
    row[SOURCE_TARGETS_DAY] = clipped(distinct_count(&profile.targets_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[SOURCE_OPEN_CALLS] = clipped(profile.open_calls, MOST_EVENTS)
    row[SOURCE_CALL_IDS_DAY] = clipped(distinct_count(&profile.call_ids_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[SOURCE_CALL_ID_RATIO] = distinct_ratio(
        row[SOURCE_CALL_IDS_DAY], distinct_seen(&profile.call_ids_day, now_ns, WINDOW_DAY_NS))
    row[SOURCE_PROBES_DAY] = clipped(distinct_count(&profile.probes_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[SOURCE_PROBED_USERS_DAY] = clipped(
        distinct_count(&profile.probed_users_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[SOURCE_PROBE_RATIO] = distinct_ratio(
        row[SOURCE_PROBES_DAY], distinct_seen(&profile.probes_day, now_ns, WINDOW_DAY_NS))
    row[SOURCE_REPLIED_RATIO] = min(1.0, shrunk(
        hours[SOURCE_SUM_REPLIES] * hour, (hours[SOURCE_SUM_REQUESTS] - hours[SOURCE_SUM_INVITES]) * hour,
        REPLIED_RATIO))
