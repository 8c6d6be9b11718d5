# cython: language_level=3
"""Reading feature rows.

A ratio is shrunk to a prior, so that no evidence gives a usual value and little evidence moves it little:
(part + PRIOR_WEIGHT * mean) / (whole + PRIOR_WEIGHT), the mean of a Beta prior worth PRIOR_WEIGHT events. The
prior means are those of honest callers and stand, as `unseen`, in kernels/schema.py. Means of seconds are
shrunk the same way. What cannot be known is NaN, as the schema says of each feature.
"""
from libc.math cimport NAN
from libc.stdint cimport int64_t

from kernels.behaviour cimport *
from kernels.bindings cimport BOUND_ELSEWHERE, BOUND_UNKNOWN
from kernels.cadence cimport cadence_burstiness, cadence_cv, cadence_mean
from kernels.calls cimport (
    CALL_CANCELLED, HUNG_UP_CALLEE, HUNG_UP_UNKNOWN, STAGE_END, STAGE_SETUP, Call,
)
from kernels.decay cimport DAY, HALF_LIFE_HOUR_S, HALF_LIVES, HOUR, MINUTE, decay_factors
from kernels.distinct cimport distinct_count, distinct_seen
from kernels.entropy cimport spread_entropy
from kernels.features cimport *
from kernels.fingerprint cimport SHAPE_DECIMAL, SHAPE_NONE
from kernels.heavy cimport heavy_left, heavy_most
from kernels.parties cimport ABROAD_NOT_KNOWN, ABROAD_YES, is_anonymous
from kernels.voice cimport VOICE_CALLER, VOICE_UNKNOWN

cdef extern from *:
    """
    /* Priors: shares of events, seconds. */
    #define SW_USUAL_ANSWER_RATIO 0.6f
    #define SW_USUAL_SHORT_RATIO 0.1f
    #define SW_USUAL_LONG_RATIO 0.2f
    #define SW_USUAL_CANCEL_RATIO 0.15f
    #define SW_USUAL_BUSY_RATIO 0.05f
    #define SW_USUAL_NOT_FOUND_RATIO 0.02f
    #define SW_USUAL_INTERNATIONAL_RATIO 0.05f
    #define SW_USUAL_METHOD_RATIO 0.3f
    #define SW_USUAL_REGISTERED_RATIO 0.5f
    #define SW_USUAL_CHALLENGED_RATIO 0.3f
    #define SW_USUAL_REPLY_RATIO 0.1f
    #define SW_USUAL_TOP_RANGE_RATIO 0.2f
    #define SW_USUAL_RECORDED_RATIO 0.02f
    #define SW_USUAL_CANCEL_RING_S 20.0f
    #define SW_USUAL_DURATION_S 90.0f
    """
    const float USUAL_ANSWER_RATIO "SW_USUAL_ANSWER_RATIO"
    const float USUAL_SHORT_RATIO "SW_USUAL_SHORT_RATIO"
    const float USUAL_LONG_RATIO "SW_USUAL_LONG_RATIO"
    const float USUAL_CANCEL_RATIO "SW_USUAL_CANCEL_RATIO"
    const float USUAL_BUSY_RATIO "SW_USUAL_BUSY_RATIO"
    const float USUAL_NOT_FOUND_RATIO "SW_USUAL_NOT_FOUND_RATIO"
    const float USUAL_INTERNATIONAL_RATIO "SW_USUAL_INTERNATIONAL_RATIO"
    const float USUAL_METHOD_RATIO "SW_USUAL_METHOD_RATIO"
    const float USUAL_REGISTERED_RATIO "SW_USUAL_REGISTERED_RATIO"
    const float USUAL_CHALLENGED_RATIO "SW_USUAL_CHALLENGED_RATIO"
    const float USUAL_REPLY_RATIO "SW_USUAL_REPLY_RATIO"
    const float USUAL_TOP_RANGE_RATIO "SW_USUAL_TOP_RANGE_RATIO"
    const float USUAL_RECORDED_RATIO "SW_USUAL_RECORDED_RATIO"
    const float USUAL_CANCEL_RING_S "SW_USUAL_CANCEL_RING_S"
    const float USUAL_DURATION_S "SW_USUAL_DURATION_S"


cdef void caller_features(const CallerProfile* profile, int64_t now_ns, float* row) noexcept nogil:
    cdef float[HALF_LIVES] left
    cdef const float* hours = &profile.counts[HOUR][0]
    cdef const float* days = &profile.counts[DAY][0]
    cdef float hour, day
    decay_factors(profile.updated_ns, now_ns, left)
    hour = left[HOUR]
    day = left[DAY]
    row[CALLER_CALLS_MINUTE] = clipped(profile.counts[MINUTE][CALLER_SUM_CALLS] * left[MINUTE], MOST_EVENTS)
    row[CALLER_CALLS_HOUR] = clipped(hours[CALLER_SUM_CALLS] * hour, MOST_EVENTS)
    row[CALLER_CALLS_DAY] = clipped(days[CALLER_SUM_CALLS] * day, MOST_EVENTS)
    row[CALLER_EVIDENCE] = clipped(profile.calls, MAX_EVIDENCE)
    row[CALLER_CALLEES_HOUR] = clipped(distinct_count(&profile.callees_hour, now_ns, WINDOW_HOUR_NS), MOST_EVENTS)
    row[CALLER_CALLEES_DAY] = clipped(distinct_count(&profile.callees_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[CALLER_FAN_OUT_RATIO] = distinct_ratio(
        row[CALLER_CALLEES_DAY], distinct_seen(&profile.callees_day, now_ns, WINDOW_DAY_NS))
    row[CALLER_ANSWER_RATIO_HOUR] = share(hours, CALLER_SUM_ANSWERED, CALLER_SUM_SETTLED, hour, USUAL_ANSWER_RATIO)
    row[CALLER_ANSWER_RATIO_DAY] = share(days, CALLER_SUM_ANSWERED, CALLER_SUM_SETTLED, day, USUAL_ANSWER_RATIO)
    row[CALLER_SHORT_RATIO_HOUR] = share(hours, CALLER_SUM_SHORT, CALLER_SUM_COMPLETED, hour, USUAL_SHORT_RATIO)
    row[CALLER_SHORT_RATIO_DAY] = share(days, CALLER_SUM_SHORT, CALLER_SUM_COMPLETED, day, USUAL_SHORT_RATIO)
    row[CALLER_CANCEL_RATIO_HOUR] = share(hours, CALLER_SUM_CANCELLED, CALLER_SUM_SETTLED, hour, USUAL_CANCEL_RATIO)
    row[CALLER_CANCEL_RATIO_DAY] = share(days, CALLER_SUM_CANCELLED, CALLER_SUM_SETTLED, day, USUAL_CANCEL_RATIO)
    row[CALLER_BUSY_RATIO_DAY] = share(days, CALLER_SUM_BUSY, CALLER_SUM_SETTLED, day, USUAL_BUSY_RATIO)
    row[CALLER_NOT_FOUND_RATIO_DAY] = share(
        days, CALLER_SUM_NOT_FOUND, CALLER_SUM_SETTLED, day, USUAL_NOT_FOUND_RATIO)
    row[CALLER_CANCEL_RING_S] = share(days, CALLER_SUM_CANCEL_RING_S, CALLER_SUM_CANCELLED, day, USUAL_CANCEL_RING_S)
    row[CALLER_DURATION_MEAN_S] = share(days, CALLER_SUM_TALK_S, CALLER_SUM_COMPLETED, day, USUAL_DURATION_S)
    row[CALLER_INTERVAL_MEAN_S] = clipped(cadence_mean(&profile.cadence), MOST_SECONDS)
    row[CALLER_INTERVAL_CV] = <float>cadence_cv(&profile.cadence)
    row[CALLER_BURSTINESS] = <float>cadence_burstiness(&profile.cadence)
    row[CALLER_SUCCESSOR_RATIO] = share(days, CALLER_SUM_SUCCESSORS, CALLER_SUM_CALLS, day, 0.0)
    row[CALLER_CONCURRENCY] = clipped(profile.open_calls, MOST_EVENTS)
    row[CALLER_INTERNATIONAL_RATIO] = share(
        days, CALLER_SUM_INTERNATIONAL, CALLER_SUM_LOCATED, day, USUAL_INTERNATIONAL_RATIO)
    row[CALLER_HIGH_COST_HOUR] = clipped(hours[CALLER_SUM_HIGH_COST] * hour, MOST_EVENTS)
    row[CALLER_HIGH_COST_RATIO] = share(days, CALLER_SUM_HIGH_COST, CALLER_SUM_CALLS, day, 0.0)
    row[CALLER_LONG_RATIO_DAY] = share(days, CALLER_SUM_LONG, CALLER_SUM_COMPLETED, day, USUAL_LONG_RATIO)
    row[CALLER_RECORDED_RATIO_DAY] = share(
        days, CALLER_SUM_RECORDED, CALLER_SUM_SOUNDS, day, USUAL_RECORDED_RATIO)
    row[CALLER_REPLY_RATIO] = share(days, CALLER_SUM_REPLIES, CALLER_SUM_CALLS, day, USUAL_REPLY_RATIO)
    # A call has faded some when it is returned: the share of what is left can come to more than all.
    row[CALLER_CALLED_BACK_RATIO] = clipped(
        share(days, CALLER_SUM_RETURNED, CALLER_SUM_CALLS, day, USUAL_REPLY_RATIO), 1.0)
    row[CALLER_HOUR_ENTROPY] = <float>spread_entropy(&profile.hours)
    row[CALLER_RANGE_ENTROPY] = <float>spread_entropy(&profile.ranges)


cdef void call_source_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil:
    cdef float[HALF_LIVES] left
    decay_factors(profile.updated_ns, now_ns, left)
    row[SOURCE_CALLS_HOUR] = clipped(profile.counts[HOUR][SOURCE_SUM_INVITES] * left[HOUR], MOST_EVENTS)
    row[SOURCE_NUMBERS_DAY] = clipped(distinct_count(&profile.callers_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[SOURCE_CALLERS_RATIO] = distinct_ratio(
        row[SOURCE_NUMBERS_DAY], distinct_seen(&profile.callers_day, now_ns, WINDOW_DAY_NS))
    row[SOURCE_FAN_OUT_RATIO] = distinct_ratio(
        distinct_count(&profile.callees_day, now_ns, WINDOW_DAY_NS),
        distinct_seen(&profile.callees_day, now_ns, WINDOW_DAY_NS))
    row[SOURCE_CONCURRENCY] = clipped(profile.open_calls, MOST_EVENTS)
    row[SOURCE_SEEN] = clipped(profile.requests, MAX_EVIDENCE)
    row[SOURCE_REGISTRATIONS_DAY] = clipped(profile.counts[DAY][SOURCE_SUM_REGISTERED] * left[DAY], MOST_EVENTS)
    row[SOURCE_HIGH_COST_RATIO] = share(
        profile.counts[HOUR], SOURCE_SUM_HIGH_COST, SOURCE_SUM_INVITES, left[HOUR], 0.0)
    row[SOURCE_TOP_RANGE_RATIO] = shrunk(
        heavy_most(&profile.ranges, now_ns, HALF_LIFE_HOUR_S),
        profile.ranges.total * heavy_left(&profile.ranges, now_ns, HALF_LIFE_HOUR_S), USUAL_TOP_RANGE_RATIO)


cdef void voice_features(const Call* call, float* row) noexcept nogil:
    """Of a call that was answered and is over."""
    if call.hung_up != HUNG_UP_UNKNOWN:
        row[CALLEE_HUNG_UP] = call.hung_up == HUNG_UP_CALLEE
    if call.voice.heard != VOICE_UNKNOWN:
        row[ONE_SIDED] = call.voice.heard == VOICE_CALLER
    if call.voice.callee_ns:
        row[CALLEE_VOICE_DELAY_S] = clipped(seconds_between(call.answer_ns, call.voice.callee_ns), MOST_SECONDS)
    row[RECORDING_CALLEES_DAY] = clipped(call.recording_callees, MOST_EVENTS)
    row[RECORDING_CALLERS_DAY] = clipped(call.recording_callers, MOST_EVENTS)
    row[ANSWER_RECORDING_CALLEES_DAY] = clipped(call.answer_recording_callees, MOST_EVENTS)


cdef void call_features(const Call* call, int stage, int64_t now_ns, float* row) noexcept nogil:
    cdef int64_t waited_until_ns = call.answer_ns if call.answer_ns else call.end_ns if call.end_ns else now_ns
    row[CALLEE_PRICE_CLASS] = call.price if call.callee_e164[0] else NAN
    row[CALL_INTERNATIONAL] = NAN if call.abroad == ABROAD_NOT_KNOWN else call.abroad == ABROAD_YES
    row[CALLER_PLAUSIBLE] = call.caller_e164[0] != 0
    row[CALLEE_PLAUSIBLE] = call.callee_e164[0] != 0
    row[CALLER_ANONYMOUS] = is_anonymous(call)
    row[CALL_BACK] = call.call_back
    row[DIFFERING_DIGITS] = call.differing_digits if call.caller_e164[0] and call.callee_e164[0] else NAN
    row[STYLE_ADDRESSES_DAY] = call.style_addresses
    row[CONTACT_NUMBERS_DAY] = call.contact_callers
    row[RANGE_NUMBERS_DAY] = call.range_callers
    row[ASSERTED_BLOCKS_DAY] = call.asserted_blocks
    row[SHOWN_ACCOUNTS_DAY] = call.shown_accounts
    row[REGISTERED_ELSEWHERE] = NAN if call.bound == BOUND_UNKNOWN else call.bound == BOUND_ELSEWHERE
    row[CALL_AGAIN] = call.again
    row[CALL_RUN] = call.run
    row[DIALLED_FORMS] = call.spellings
    row[ROUTE_GOIP_RATIO] = call.route_goip_style
    row[ANSWER_TAG_DECIMAL] = NAN
    row[CALLEE_HUNG_UP] = row[ONE_SIDED] = row[CALLEE_VOICE_DELAY_S] = NAN
    row[RECORDING_CALLEES_DAY] = row[RECORDING_CALLERS_DAY] = row[ANSWER_RECORDING_CALLEES_DAY] = NAN
    row[POST_DIAL_DELAY_S] = row[RING_S] = row[DURATION_S] = row[CANCELLED] = row[EARLY_MEDIA_S] = NAN
    if stage == STAGE_SETUP:
        return
    if call.answer_tag != SHAPE_NONE:
        row[ANSWER_TAG_DECIMAL] = call.answer_tag == SHAPE_DECIMAL
    if call.invite_ns and call.progress_ns:
        row[POST_DIAL_DELAY_S] = clipped(seconds_between(call.invite_ns, call.progress_ns), MOST_SECONDS)
    if call.ringing_ns:
        row[RING_S] = clipped(seconds_between(call.ringing_ns, waited_until_ns), MOST_SECONDS)
    if call.early_media_ns:
        row[EARLY_MEDIA_S] = clipped(seconds_between(call.early_media_ns, waited_until_ns), MOST_SECONDS)
    if stage == STAGE_END:
        row[CANCELLED] = call.state == CALL_CANCELLED
        if call.answer_ns and call.end_ns:
            row[DURATION_S] = clipped(seconds_between(call.answer_ns, call.end_ns), MOST_SECONDS)
            voice_features(call, row)


cdef void source_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil:
    cdef float[HALF_LIVES] left
    cdef const float* hours = &profile.counts[HOUR][0]
    cdef float hour
    decay_factors(profile.updated_ns, now_ns, left)
    hour = left[HOUR]
    row[SOURCE_REQUESTS_MINUTE] = clipped(profile.counts[MINUTE][SOURCE_SUM_REQUESTS] * left[MINUTE], MOST_EVENTS)
    row[SOURCE_REQUESTS_HOUR] = clipped(hours[SOURCE_SUM_REQUESTS] * hour, MOST_EVENTS)
    row[SOURCE_REQUESTS_DAY] = clipped(profile.counts[DAY][SOURCE_SUM_REQUESTS] * left[DAY], MOST_EVENTS)
    row[SOURCE_EVIDENCE] = clipped(evidence_of(profile), MAX_EVIDENCE)
    row[SOURCE_REGISTER_RATIO] = share(hours, SOURCE_SUM_REGISTERS, SOURCE_SUM_REQUESTS, hour, USUAL_METHOD_RATIO)
    row[SOURCE_OPTIONS_RATIO] = share(hours, SOURCE_SUM_OPTIONS, SOURCE_SUM_REQUESTS, hour, USUAL_METHOD_RATIO)
    row[SOURCE_INVITE_RATIO] = share(hours, SOURCE_SUM_INVITES, SOURCE_SUM_REQUESTS, hour, USUAL_METHOD_RATIO)
    row[SOURCE_USERS_HOUR] = clipped(distinct_count(&profile.users_hour, now_ns, WINDOW_HOUR_NS), MOST_EVENTS)
    row[SOURCE_USERS_DAY] = clipped(distinct_count(&profile.users_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[SOURCE_USER_RATIO] = distinct_ratio(
        row[SOURCE_USERS_DAY], distinct_seen(&profile.users_day, now_ns, WINDOW_DAY_NS))
    row[SOURCE_REGISTERED_RATIO] = share(
        hours, SOURCE_SUM_REGISTERED, SOURCE_SUM_REGISTER_RESPONSES, hour, USUAL_REGISTERED_RATIO)
    row[SOURCE_CHALLENGED_RATIO] = share(
        hours, SOURCE_SUM_CHALLENGED, SOURCE_SUM_RESPONSES, hour, USUAL_CHALLENGED_RATIO)
    row[SOURCE_FORBIDDEN_RATIO] = share(hours, SOURCE_SUM_FORBIDDEN, SOURCE_SUM_RESPONSES, hour, 0.0)
    row[SOURCE_NOT_FOUND_RATIO] = share(
        hours, SOURCE_SUM_NOT_FOUND, SOURCE_SUM_RESPONSES, hour, USUAL_NOT_FOUND_RATIO)
    row[SOURCE_CALLERS_DAY] = clipped(distinct_count(&profile.callers_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[SOURCE_CALLEES_DAY] = clipped(distinct_count(&profile.callees_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[SOURCE_ANSWER_RATIO] = share(hours, SOURCE_SUM_ANSWERED, SOURCE_SUM_SETTLED, hour, USUAL_ANSWER_RATIO)
    row[SOURCE_HIGH_COST_HOUR] = clipped(hours[SOURCE_SUM_HIGH_COST] * hour, MOST_EVENTS)
    row[SOURCE_INTERVAL_MEAN_S] = clipped(cadence_mean(&profile.cadence), MOST_SECONDS)
    row[SOURCE_INTERVAL_CV] = <float>cadence_cv(&profile.cadence)
