# cython: language_level=3
"""Profiles of callers and sources: what their calls and requests do to them, and the feature rows read from them.

A ratio is shrunk to a prior, so that no evidence gives a usual value and little evidence moves it little:
(part + PRIOR_WEIGHT * mean) / (whole + PRIOR_WEIGHT), the mean of a Beta prior worth PRIOR_WEIGHT events. The
prior means are those of honest callers and stand, as `unseen`, in kernels/schema.py. Means of seconds are
shrunk the same way. What cannot be known is NaN, as the schema says of each feature.
"""
import ipaddress

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from capture.index cimport NO_SLOT
from capture.packet cimport Address, address_hash, address_is_v4
from capture.sip cimport METHOD_INVITE, METHOD_OPTIONS, METHOD_REGISTER
from kernels.cadence cimport cadence_add, cadence_burstiness, cadence_cv, cadence_mean
from kernels.calls cimport (
    CALL_CANCELLED, CALL_COMPLETED, CALL_FAILED, CALL_REJECTED, STAGE_END, STAGE_SETUP, USER_BYTES, Call,
)
from kernels.decay cimport DAY, HALF_LIVES, HOUR, MINUTE, decay_add, decay_counts, decay_factors
from kernels.destination cimport PRICE_ORDINARY, Destination, destination_of, price_between
from kernels.distinct cimport distinct_add, distinct_advance, distinct_count, distinct_seen
from kernels.features cimport *
from kernels.slots cimport slots_earn, slots_find, slots_free, slots_holds, slots_init, slots_take

cdef extern from *:
    """
    /* A window of a sketch; the sketch covers one to two of them. */
    #define SW_WINDOW_HOUR_NS (30LL * 60 * 1000000000)
    #define SW_WINDOW_DAY_NS (12LL * 3600 * 1000000000)
    /* A source that has grown since its latest row is looked at again after so long. */
    #define SW_ROW_INTERVAL_S 60.0
    /* A robocall that is hung up on, or a wangiri call that someone picks up, is over by then. */
    #define SW_SHORT_CALL_S 10.0
    /* Features are clipped there. */
    #define SW_MOST_EVENTS 1e6
    #define SW_MOST_SECONDS 86400.0
    /* Priors: events, shares of events, seconds. */
    #define SW_PRIOR_WEIGHT 2.0f
    #define SW_USUAL_ANSWER_RATIO 0.6f
    #define SW_USUAL_SHORT_RATIO 0.1f
    #define SW_USUAL_CANCEL_RATIO 0.15f
    #define SW_USUAL_BUSY_RATIO 0.05f
    #define SW_USUAL_NOT_FOUND_RATIO 0.02f
    #define SW_USUAL_INTERNATIONAL_RATIO 0.05f
    #define SW_USUAL_DISTINCT_RATIO 0.5f
    #define SW_USUAL_METHOD_RATIO 0.3f
    #define SW_USUAL_REGISTERED_RATIO 0.5f
    #define SW_USUAL_CHALLENGED_RATIO 0.3f
    #define SW_USUAL_CANCEL_RING_S 20.0f
    #define SW_USUAL_DURATION_S 90.0f
    """
    const int64_t WINDOW_HOUR_NS "SW_WINDOW_HOUR_NS"
    const int64_t WINDOW_DAY_NS "SW_WINDOW_DAY_NS"
    const double ROW_INTERVAL_S "SW_ROW_INTERVAL_S"
    const double SHORT_CALL_S "SW_SHORT_CALL_S"
    const double MOST_EVENTS "SW_MOST_EVENTS"
    const double MOST_SECONDS "SW_MOST_SECONDS"
    const float PRIOR_WEIGHT "SW_PRIOR_WEIGHT"
    const float USUAL_ANSWER_RATIO "SW_USUAL_ANSWER_RATIO"
    const float USUAL_SHORT_RATIO "SW_USUAL_SHORT_RATIO"
    const float USUAL_CANCEL_RATIO "SW_USUAL_CANCEL_RATIO"
    const float USUAL_BUSY_RATIO "SW_USUAL_BUSY_RATIO"
    const float USUAL_NOT_FOUND_RATIO "SW_USUAL_NOT_FOUND_RATIO"
    const float USUAL_INTERNATIONAL_RATIO "SW_USUAL_INTERNATIONAL_RATIO"
    const float USUAL_DISTINCT_RATIO "SW_USUAL_DISTINCT_RATIO"
    const float USUAL_METHOD_RATIO "SW_USUAL_METHOD_RATIO"
    const float USUAL_REGISTERED_RATIO "SW_USUAL_REGISTERED_RATIO"
    const float USUAL_CHALLENGED_RATIO "SW_USUAL_CHALLENGED_RATIO"
    const float USUAL_CANCEL_RING_S "SW_USUAL_CANCEL_RING_S"
    const float USUAL_DURATION_S "SW_USUAL_DURATION_S"

cdef enum:
    MAX_PROFILES = 1 << 24      # of each kind: 10 GiB of sources, more than a box has
    MAX_EVIDENCE = 32           # calls or requests; more is no news, and would tell how long one was watched
    SUCCESSOR_STEP = 10         # war diallers go up or down a block, some by tens
    MIN_NUMBER_DIGITS = 3       # the shortest extensions in use
    MAX_NUMBER_DIGITS = 18      # all that fit 64 bits: E.164 has 15, trunk prefixes come before
    UINT32_MAX = 0xffffffff
    FIRST_ROW_REQUESTS = 4      # a source is first looked at then,
    MAX_ROW_REQUESTS = 64       # again after a quarter more, and at the latest after so many

cdef extern from *:
    """
    /* User parts that withhold the number: RFC 3323 4.1.1.3, and what gateways put there. */
    static const char *const sw_anonymous_users[] = {"anonymous", "restricted", "unknown", "unavailable", "private", 0};
    """
    const char** ANONYMOUS_USERS "((const char **)sw_anonymous_users)"


# -- small readings -------------------------------------------------------------------------------------------

cdef inline double seconds_between(int64_t from_ns, int64_t to_ns) noexcept nogil:
    """Not negative: packets out of order give 0."""
    return <double>(<uint64_t>to_ns - <uint64_t>from_ns) * 1e-9 if to_ns > from_ns else 0.0


cdef inline float clipped(double value, double most) noexcept nogil:
    return <float>(most if value > most else value)     # NaN stays


cdef inline float shrunk(float part, float whole, float usual) noexcept nogil:
    return (part + PRIOR_WEIGHT * usual) / (whole + PRIOR_WEIGHT)


cdef inline float share(const float* counts, int part, int whole, float left, float usual) noexcept nogil:
    """Of two counters of one half-life, of which `left` is left since they were up to date."""
    return shrunk(counts[part] * left, counts[whole] * left, usual)


cdef inline float distinct_ratio(double different, double seen) noexcept nogil:
    return shrunk(<float>min(different, seen), <float>seen, USUAL_DISTINCT_RATIO)


cdef inline uint32_t one_more(uint32_t count) noexcept nogil:
    return count + 1 if count < UINT32_MAX else count


cdef inline bint is_not_found(uint16_t status_code) noexcept nogil:
    """No such number or user: RFC 3261 21.4.5, 21.4.11, 21.4.22, 21.6.3."""
    return status_code == 404 or status_code == 410 or status_code == 484 or status_code == 604


cdef bint is_user(const char* text, int length, const char* name) noexcept nogil:
    cdef int i
    for i in range(length):
        if (text[i] | 0x20) != name[i]:         # also stops at the end of `name`
            return False
    return name[length] == 0


cdef bint is_anonymous(const Call* call) noexcept nogil:
    cdef int i = 0
    cdef int length = min(<int>call.caller_length, <int>USER_BYTES)
    if call.caller_e164[0] != 0:
        return False
    if length == 0:
        return True
    while ANONYMOUS_USERS[i] != NULL:
        if is_user(call.caller, length, ANONYMOUS_USERS[i]):
            return True
        i += 1
    return False


cdef uint64_t dialled_number(const Call* call) noexcept nogil:
    """The digits of the callee, E.164 when known and as sent otherwise; 0 when it is not a number."""
    cdef const char* text = &call.callee_e164[0]
    cdef int length = 15
    cdef int i, digits = 0
    cdef uint64_t number = 0
    if text[0] == 0:
        text = &call.callee[0]
        length = min(<int>call.callee_length, <int>USER_BYTES)
    for i in range(length):
        if 48 <= text[i] <= 57:
            digits += 1
            if digits > MAX_NUMBER_DIGITS:
                return 0
            number = 10 * number + <uint64_t>(text[i] - 48)
        elif text[i] == 0:
            break
        elif not (i == 0 and text[i] == 43):    # '+'
            return 0
    return number if digits >= MIN_NUMBER_DIGITS else 0


cdef inline bint is_successor(uint64_t number, uint64_t last) noexcept nogil:
    if number == 0 or last == 0 or number == last:
        return False
    return (number - last if number > last else last - number) <= SUCCESSOR_STEP


# -- what an event does to a profile --------------------------------------------------------------------------

cdef void note_caller(CallerProfile* profile, int64_t now_ns) noexcept nogil:
    decay_counts(&profile.counts[0][0], CALLER_COUNTERS, profile.updated_ns, now_ns)
    profile.updated_ns = max(profile.updated_ns, now_ns)


cdef void note_source(SourceProfile* profile, int64_t now_ns) noexcept nogil:
    decay_counts(&profile.counts[0][0], SOURCE_COUNTERS, profile.updated_ns, now_ns)
    profile.updated_ns = max(profile.updated_ns, now_ns)


cdef inline void count_caller(CallerProfile* profile, int counter, float amount) noexcept nogil:
    decay_add(&profile.counts[0][0], CALLER_COUNTERS, counter, amount)


cdef inline void count_source(SourceProfile* profile, int counter) noexcept nogil:
    decay_add(&profile.counts[0][0], SOURCE_COUNTERS, counter, 1.0)


cdef void caller_attempt(CallerProfile* profile, const Call* call, int64_t now_ns) noexcept nogil:
    cdef uint64_t number = dialled_number(call)
    cdef Destination home, destination
    note_caller(profile, now_ns)
    if profile.calls and now_ns >= profile.last_ns:
        cadence_add(&profile.cadence, seconds_between(profile.last_ns, now_ns))
    profile.first_ns = min(profile.first_ns, now_ns)
    profile.last_ns = max(profile.last_ns, now_ns)
    profile.calls = one_more(profile.calls)
    profile.open_calls = one_more(profile.open_calls)
    count_caller(profile, CALLER_SUM_CALLS, 1.0)
    if is_successor(number, profile.last_number):
        count_caller(profile, CALLER_SUM_SUCCESSORS, 1.0)
    profile.last_number = number
    distinct_advance(&profile.callees_hour, now_ns, WINDOW_HOUR_NS)
    distinct_add(&profile.callees_hour, call.callee_key)
    distinct_advance(&profile.callees_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.callees_day, call.callee_key)
    destination_of(call.caller_e164, &home)
    destination_of(call.callee_e164, &destination)
    if home.country and destination.country:
        count_caller(profile, CALLER_SUM_LOCATED, 1.0)
        if home.country != destination.country:
            count_caller(profile, CALLER_SUM_INTERNATIONAL, 1.0)
    if price_between(&home, &destination) != PRICE_ORDINARY:
        count_caller(profile, CALLER_SUM_HIGH_COST, 1.0)


cdef void caller_end(CallerProfile* profile, const Call* call, int64_t now_ns) noexcept nogil:
    cdef double lasted_s
    note_caller(profile, now_ns)
    if profile.open_calls:
        profile.open_calls -= 1
    if call.answer_ns:
        if call.state == CALL_COMPLETED:
            lasted_s = seconds_between(call.answer_ns, call.end_ns)
            count_caller(profile, CALLER_SUM_COMPLETED, 1.0)
            count_caller(profile, CALLER_SUM_TALK_S, clipped(lasted_s, MOST_SECONDS))
            if lasted_s < SHORT_CALL_S:
                count_caller(profile, CALLER_SUM_SHORT, 1.0)
        return
    if not is_unanswered(call):
        return
    count_caller(profile, CALLER_SUM_SETTLED, 1.0)
    if call.state == CALL_CANCELLED:
        count_caller(profile, CALLER_SUM_CANCELLED, 1.0)
        count_caller(profile, CALLER_SUM_CANCEL_RING_S, clipped(
            seconds_between(call.ringing_ns if call.ringing_ns else call.invite_ns, call.end_ns), MOST_SECONDS))
    elif call.status_code == 486 or call.status_code == 600:
        count_caller(profile, CALLER_SUM_BUSY, 1.0)
    elif is_not_found(call.status_code):
        count_caller(profile, CALLER_SUM_NOT_FOUND, 1.0)


cdef inline bint is_unanswered(const Call* call) noexcept nogil:
    """Its outcome is known, and it is not an answer. A call that expired or was evicted says nothing."""
    return call.state == CALL_CANCELLED or call.state == CALL_REJECTED or call.state == CALL_FAILED


cdef void source_request(SourceProfile* profile, int64_t now_ns) noexcept nogil:
    note_source(profile, now_ns)
    if profile.requests and now_ns >= profile.last_ns:
        cadence_add(&profile.cadence, seconds_between(profile.last_ns, now_ns))
    profile.first_ns = min(profile.first_ns, now_ns)
    profile.last_ns = max(profile.last_ns, now_ns)
    profile.requests = one_more(profile.requests)
    count_source(profile, SOURCE_SUM_REQUESTS)


cdef void source_attempt(SourceProfile* profile, const Call* call, int64_t now_ns) noexcept nogil:
    cdef Destination home, destination
    source_request(profile, now_ns)
    count_source(profile, SOURCE_SUM_INVITES)
    distinct_advance(&profile.callers_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.callers_day, call.caller_key)
    distinct_advance(&profile.callees_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.callees_day, call.callee_key)
    destination_of(call.caller_e164, &home)
    destination_of(call.callee_e164, &destination)
    if price_between(&home, &destination) != PRICE_ORDINARY:
        count_source(profile, SOURCE_SUM_HIGH_COST)


cdef void source_response(SourceProfile* profile, uint16_t status_code) noexcept nogil:
    count_source(profile, SOURCE_SUM_RESPONSES)
    if status_code == 401 or status_code == 407:
        count_source(profile, SOURCE_SUM_CHALLENGED)
    elif status_code == 403:
        count_source(profile, SOURCE_SUM_FORBIDDEN)
    elif is_not_found(status_code):
        count_source(profile, SOURCE_SUM_NOT_FOUND)


# -- what a profile says --------------------------------------------------------------------------------------

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


cdef void call_source_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil:
    cdef float[HALF_LIVES] left
    decay_factors(profile.updated_ns, now_ns, left)
    row[SOURCE_CALLS_HOUR] = clipped(profile.counts[HOUR][SOURCE_SUM_INVITES] * left[HOUR], MOST_EVENTS)
    row[SOURCE_CALLERS_RATIO] = distinct_ratio(
        distinct_count(&profile.callers_day, now_ns, WINDOW_DAY_NS),
        distinct_seen(&profile.callers_day, now_ns, WINDOW_DAY_NS))


cdef void call_features(const Call* call, int stage, int64_t now_ns, float* row) noexcept nogil:
    cdef Destination home, destination
    cdef int64_t ring_end_ns
    destination_of(call.caller_e164, &home)
    destination_of(call.callee_e164, &destination)
    row[CALLEE_PRICE_CLASS] = price_between(&home, &destination) if call.callee_e164[0] else NAN
    row[CALL_INTERNATIONAL] = home.country != destination.country if home.country and destination.country else NAN
    row[CALLER_PLAUSIBLE] = call.caller_e164[0] != 0
    row[CALLEE_PLAUSIBLE] = call.callee_e164[0] != 0
    row[CALLER_ANONYMOUS] = is_anonymous(call)
    row[POST_DIAL_DELAY_S] = row[RING_S] = row[DURATION_S] = row[CANCELLED] = NAN
    if stage == STAGE_SETUP:
        return
    if call.invite_ns and call.progress_ns:
        row[POST_DIAL_DELAY_S] = clipped(seconds_between(call.invite_ns, call.progress_ns), MOST_SECONDS)
    if call.ringing_ns:
        ring_end_ns = call.answer_ns if call.answer_ns else call.end_ns if call.end_ns else now_ns
        row[RING_S] = clipped(seconds_between(call.ringing_ns, ring_end_ns), MOST_SECONDS)
    if stage == STAGE_END:
        row[CANCELLED] = call.state == CALL_CANCELLED
        if call.answer_ns and call.end_ns:
            row[DURATION_S] = clipped(seconds_between(call.answer_ns, call.end_ns), MOST_SECONDS)


cdef void source_features(const SourceProfile* profile, int64_t now_ns, float* row) noexcept nogil:
    cdef float[HALF_LIVES] left
    cdef const float* hours = &profile.counts[HOUR][0]
    cdef float hour
    decay_factors(profile.updated_ns, now_ns, left)
    hour = left[HOUR]
    row[SOURCE_REQUESTS_MINUTE] = clipped(profile.counts[MINUTE][SOURCE_SUM_REQUESTS] * left[MINUTE], MOST_EVENTS)
    row[SOURCE_REQUESTS_HOUR] = clipped(hours[SOURCE_SUM_REQUESTS] * hour, MOST_EVENTS)
    row[SOURCE_REQUESTS_DAY] = clipped(profile.counts[DAY][SOURCE_SUM_REQUESTS] * left[DAY], MOST_EVENTS)
    row[SOURCE_EVIDENCE] = clipped(profile.requests, MAX_EVIDENCE)
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


cdef object address_text(const Address* address):
    cdef const uint8_t* octets = <const uint8_t*>address
    if address_is_v4(address):
        return str(ipaddress.IPv4Address(octets[12:16]))
    return str(ipaddress.IPv6Address(octets[:16]))


# -- the tables -----------------------------------------------------------------------------------------------

cdef class Profiles:
    """Profiles(callers=131072, sources=16384, secret=0): everything that is remembered of behaviour.

    callers, sources: how many of each are kept at most, 1..2^24; with the index, memory is about 480 and 670 bytes for
    each that was ever in use. secret: keys the hash of addresses.
    Raises ValueError on an impossible size, MemoryError when memory is refused.
    """

    def __cinit__(self, uint32_t callers=131072, uint32_t sources=16384, uint64_t secret=0):
        if not (1 <= callers <= MAX_PROFILES and 1 <= sources <= MAX_PROFILES):
            raise ValueError(f"callers, sources: expected 1..{MAX_PROFILES}, got {callers} and {sources}")
        self.secret = secret
        self.caller_profiles = <CallerProfile*>calloc(callers, sizeof(CallerProfile))
        self.source_profiles = <SourceProfile*>calloc(sources, sizeof(SourceProfile))
        if slots_init(&self.callers, callers) != 0 or slots_init(&self.sources, sources) != 0:
            raise MemoryError("profiles: no memory for the index")
        if self.caller_profiles == NULL or self.source_profiles == NULL:
            raise MemoryError(f"profiles: no memory for {callers} callers and {sources} sources")

    def __dealloc__(self):
        slots_free(&self.callers)
        slots_free(&self.sources)
        free(self.caller_profiles)
        free(self.source_profiles)

    # -- events -----------------------------------------------------------------------------------------------

    cdef void on_setup(self, Call* call, int64_t now_ns) noexcept nogil:
        cdef SourceProfile* source = self._take_source(&call.source.address, now_ns, &call.source_profile)
        cdef CallerProfile* caller
        call.source_generation = self.sources.generations[call.source_profile]
        source_attempt(source, call, now_ns)
        slots_earn(&self.sources, call.source_profile, source.requests)
        call.caller_profile = NO_SLOT
        call.caller_generation = 0
        if is_anonymous(call):
            return
        caller = self._take_caller(call.caller_key, now_ns, &call.caller_profile)
        call.caller_generation = self.callers.generations[call.caller_profile]
        caller_attempt(caller, call, now_ns)
        slots_earn(&self.callers, call.caller_profile, caller.calls)

    cdef void on_answer(self, Call* call, int64_t now_ns) noexcept nogil:
        cdef CallerProfile* caller = self.caller_of(call)
        cdef SourceProfile* source = self.source_of(call)
        if caller != NULL:
            note_caller(caller, now_ns)
            count_caller(caller, CALLER_SUM_SETTLED, 1.0)
            count_caller(caller, CALLER_SUM_ANSWERED, 1.0)
        if source != NULL:
            note_source(source, now_ns)
            source_response(source, 200)
            count_source(source, SOURCE_SUM_SETTLED)
            count_source(source, SOURCE_SUM_ANSWERED)

    cdef void on_end(self, Call* call, int64_t now_ns) noexcept nogil:
        cdef CallerProfile* caller = self.caller_of(call)
        cdef SourceProfile* source = self.source_of(call)
        if caller != NULL:
            caller_end(caller, call, now_ns)
        if source != NULL and call.answer_ns == 0 and is_unanswered(call):
            note_source(source, now_ns)
            source_response(source, 0 if call.state == CALL_CANCELLED else call.status_code)
            count_source(source, SOURCE_SUM_SETTLED)

    cdef int32_t on_request(self, const Address* source, uint8_t method, uint64_t user_key,
                            int64_t now_ns) noexcept nogil:
        cdef int32_t slot
        cdef SourceProfile* profile = self._take_source(source, now_ns, &slot)
        source_request(profile, now_ns)
        slots_earn(&self.sources, slot, profile.requests)
        if method == METHOD_REGISTER:
            count_source(profile, SOURCE_SUM_REGISTERS)
            distinct_advance(&profile.users_hour, now_ns, WINDOW_HOUR_NS)
            distinct_add(&profile.users_hour, user_key)
            distinct_advance(&profile.users_day, now_ns, WINDOW_DAY_NS)
            distinct_add(&profile.users_day, user_key)
        elif method == METHOD_OPTIONS:
            count_source(profile, SOURCE_SUM_OPTIONS)
        return slot

    cdef void on_response(self, const Address* source, uint8_t method, uint16_t status_code,
                          int64_t now_ns) noexcept nogil:
        cdef int32_t slot = slots_find(&self.sources, address_hash(source, self.secret))
        cdef SourceProfile* profile
        if slot == NO_SLOT or status_code < 200 or method == METHOD_INVITE:
            return
        profile = &self.source_profiles[slot]
        note_source(profile, now_ns)
        source_response(profile, status_code)
        if method == METHOD_REGISTER:
            count_source(profile, SOURCE_SUM_REGISTER_RESPONSES)
            if status_code < 300:
                count_source(profile, SOURCE_SUM_REGISTERED)

    # -- rows -------------------------------------------------------------------------------------------------

    cdef void call_row(self, const Call* call, int stage, int64_t now_ns, float* row) noexcept nogil:
        cdef const CallerProfile* caller = self.caller_of(call)
        cdef const SourceProfile* source = self.source_of(call)
        caller_features(caller if caller != NULL else &self.no_caller, now_ns, row)
        call_source_features(source if source != NULL else &self.no_source, now_ns, row)
        call_features(call, stage, now_ns, row)

    cdef void source_row(self, int32_t slot, int64_t now_ns, float* row) noexcept nogil:
        cdef SourceProfile* profile = &self.source_profiles[slot]
        source_features(profile, now_ns, row)
        profile.row_requests = profile.requests
        profile.row_ns = profile.last_ns

    cdef bint source_is_due(self, int32_t slot) noexcept nogil:
        cdef const SourceProfile* profile = &self.source_profiles[slot]
        cdef uint32_t grown = profile.requests - profile.row_requests
        if profile.requests < FIRST_ROW_REQUESTS or grown == 0:
            return False
        if profile.row_requests == 0 or grown >= MAX_ROW_REQUESTS or 4 * <uint64_t>grown >= profile.row_requests:
            return True
        return seconds_between(profile.row_ns, profile.last_ns) >= ROW_INTERVAL_S

    # -- slots ------------------------------------------------------------------------------------------------

    cdef CallerProfile* caller_of(self, const Call* call) noexcept nogil:
        if not slots_holds(&self.callers, call.caller_profile, call.caller_generation):
            return NULL
        return &self.caller_profiles[call.caller_profile]

    cdef SourceProfile* source_of(self, const Call* call) noexcept nogil:
        if not slots_holds(&self.sources, call.source_profile, call.source_generation):
            return NULL
        return &self.source_profiles[call.source_profile]

    cdef CallerProfile* _take_caller(self, uint64_t key, int64_t now_ns, int32_t* slot) noexcept nogil:
        cdef CallerProfile* profile
        slot[0] = slots_find(&self.callers, key)
        if slot[0] != NO_SLOT:
            return &self.caller_profiles[slot[0]]
        slot[0] = slots_take(&self.callers, key)
        profile = &self.caller_profiles[slot[0]]
        memset(profile, 0, sizeof(CallerProfile))
        profile.updated_ns = profile.first_ns = profile.last_ns = now_ns
        return profile

    cdef SourceProfile* _take_source(self, const Address* address, int64_t now_ns, int32_t* slot) noexcept nogil:
        cdef uint64_t key = address_hash(address, self.secret)
        cdef SourceProfile* profile
        slot[0] = slots_find(&self.sources, key)
        if slot[0] != NO_SLOT:
            return &self.source_profiles[slot[0]]
        slot[0] = slots_take(&self.sources, key)
        profile = &self.source_profiles[slot[0]]
        memset(profile, 0, sizeof(SourceProfile))
        profile.updated_ns = profile.first_ns = profile.last_ns = now_ns
        profile.address = address[0]
        return profile

    # -- for people and tests ---------------------------------------------------------------------------------

    @property
    def counters(self):
        """How many profiles are in use, and how many were given up for others."""
        return {
            "callers": self.callers.used,
            "sources": self.sources.used,
            "evicted_callers": self.callers.evicted,
            "evicted_sources": self.sources.evicted,
        }

    def caller_facts(self, int32_t slot):
        """{calls, open_calls, first_ns, last_ns} of the caller in a slot. Raises IndexError when it has none."""
        if not 0 <= slot < <int64_t>self.callers.used:
            raise IndexError(f"no caller in slot {slot}")
        profile = &self.caller_profiles[slot]
        return {
            "calls": profile.calls,
            "open_calls": profile.open_calls,
            "first_ns": profile.first_ns,
            "last_ns": profile.last_ns,
        }

    def source_facts(self, int32_t slot):
        """{address, requests, first_ns, last_ns} of the source in a slot. Raises IndexError when it has none."""
        if not 0 <= slot < <int64_t>self.sources.used:
            raise IndexError(f"no source in slot {slot}")
        profile = &self.source_profiles[slot]
        return {
            "address": address_text(&profile.address),
            "requests": profile.requests,
            "first_ns": profile.first_ns,
            "last_ns": profile.last_ns,
        }


PROFILE_BYTES = {"caller": sizeof(CallerProfile), "source": sizeof(SourceProfile)}
