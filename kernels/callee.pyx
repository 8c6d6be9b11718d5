# cython: language_level=3
"""What calls do to the profile of the number called, and the features of it."""
from kernels.behaviour cimport *
from kernels.calls cimport CALL_CANCELLED, CALL_COMPLETED
from kernels.decay cimport DAY, HALF_LIVES, HOUR, MINUTE, decay_factors
from kernels.distinct cimport distinct_add, distinct_advance, distinct_count, distinct_seen
from kernels.features cimport *
from kernels.parties cimport is_unanswered
from kernels.rows cimport (
    MAX_EVIDENCE, MOST_EVENTS, MOST_SECONDS, clipped, distinct_ratio, seconds_between, share,
)

cdef extern from *:
    """
    /* One ring: a tone of 1 or 2 s in a cycle of 5 or 6 s (ITU-T E.180); longer is waiting for someone. */
    #define SW_ONE_RING_S 6.0
    /* Priors: shares of events, seconds. */
    #define SW_CALLEE_ANSWER_RATIO 0.6f
    #define SW_CALLEE_CANCEL_RATIO 0.15f
    #define SW_CALLEE_ONE_RING_RATIO 0.03f
    #define SW_CALLEE_DURATION_S 90.0f
    """
    const double ONE_RING_S "SW_ONE_RING_S"
    const float CALLEE_ANSWER_RATIO "SW_CALLEE_ANSWER_RATIO"
    const float CALLEE_CANCEL_RATIO "SW_CALLEE_CANCEL_RATIO"
    const float CALLEE_ONE_RING_RATIO "SW_CALLEE_ONE_RING_RATIO"
    const float CALLEE_DURATION_S "SW_CALLEE_DURATION_S"


cdef void callee_attempt(CalleeProfile* profile, const Call* call, int64_t now_ns) noexcept nogil:
    note_callee(profile, now_ns)
    profile.first_ns = min(profile.first_ns, now_ns)
    profile.last_ns = max(profile.last_ns, now_ns)
    profile.calls = one_more(profile.calls)
    profile.open_calls = one_more(profile.open_calls)
    count_callee(profile, CALLEE_SUM_CALLS, 1.0)
    distinct_advance(&profile.callers_hour, now_ns, WINDOW_HOUR_NS)
    distinct_add(&profile.callers_hour, call.caller_key)
    distinct_advance(&profile.callers_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.callers_day, call.caller_key)


cdef void callee_answer(CalleeProfile* profile, int64_t now_ns) noexcept nogil:
    note_callee(profile, now_ns)
    count_callee(profile, CALLEE_SUM_SETTLED, 1.0)
    count_callee(profile, CALLEE_SUM_ANSWERED, 1.0)


cdef void callee_end(CalleeProfile* profile, const Call* call, int64_t now_ns) noexcept nogil:
    note_callee(profile, now_ns)
    profile.open_calls = one_less(profile.open_calls)
    if call.answer_ns:
        if call.state == CALL_COMPLETED:
            count_callee(profile, CALLEE_SUM_COMPLETED, 1.0)
            count_callee(profile, CALLEE_SUM_TALK_S, clipped(
                seconds_between(call.answer_ns, call.end_ns), MOST_SECONDS))
        return
    if not is_unanswered(call):
        return
    count_callee(profile, CALLEE_SUM_SETTLED, 1.0)
    if call.state == CALL_CANCELLED:
        count_callee(profile, CALLEE_SUM_CANCELLED, 1.0)
        if call.ringing_ns and seconds_between(call.ringing_ns, call.end_ns) < ONE_RING_S:
            count_callee(profile, CALLEE_SUM_ONE_RING, 1.0)


cdef void callee_features(const CalleeProfile* profile, int64_t now_ns, float* row) noexcept nogil:
    cdef float[HALF_LIVES] left
    cdef const float* days = &profile.counts[DAY][0]
    cdef float day
    decay_factors(profile.updated_ns, now_ns, left)
    day = left[DAY]
    row[CALLEE_CALLS_MINUTE] = clipped(profile.counts[MINUTE][CALLEE_SUM_CALLS] * left[MINUTE], MOST_EVENTS)
    row[CALLEE_CALLS_HOUR] = clipped(profile.counts[HOUR][CALLEE_SUM_CALLS] * left[HOUR], MOST_EVENTS)
    row[CALLEE_CALLS_DAY] = clipped(days[CALLEE_SUM_CALLS] * day, MOST_EVENTS)
    row[CALLEE_EVIDENCE] = clipped(profile.calls, MAX_EVIDENCE)
    row[CALLEE_CALLERS_HOUR] = clipped(distinct_count(&profile.callers_hour, now_ns, WINDOW_HOUR_NS), MOST_EVENTS)
    row[CALLEE_CALLERS_RATIO] = distinct_ratio(
        distinct_count(&profile.callers_day, now_ns, WINDOW_DAY_NS),
        distinct_seen(&profile.callers_day, now_ns, WINDOW_DAY_NS))
    row[CALLEE_ANSWER_RATIO_DAY] = share(days, CALLEE_SUM_ANSWERED, CALLEE_SUM_SETTLED, day, CALLEE_ANSWER_RATIO)
    row[CALLEE_CANCEL_RATIO_DAY] = share(days, CALLEE_SUM_CANCELLED, CALLEE_SUM_SETTLED, day, CALLEE_CANCEL_RATIO)
    row[CALLEE_ONE_RING_RATIO_DAY] = share(
        days, CALLEE_SUM_ONE_RING, CALLEE_SUM_SETTLED, day, CALLEE_ONE_RING_RATIO)
    row[CALLEE_DURATION_MEAN_S] = share(days, CALLEE_SUM_TALK_S, CALLEE_SUM_COMPLETED, day, CALLEE_DURATION_S)
    row[CALLEE_CONCURRENCY] = clipped(profile.open_calls, MOST_EVENTS)
