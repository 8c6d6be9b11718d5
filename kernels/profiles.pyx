# cython: language_level=3
"""What calls and requests do to the profiles of callers and sources, and the tables that hold them.

Every amount is counted at three half-lives, so that each ratio can be read over an hour and over a day. A call is
counted when it begins, its outcome when that is known: an answer at once, a failure at the end. A profile that was
given up for another one in between is missed without harm: slots carry a generation.
"""
import ipaddress

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from capture.index cimport NO_SLOT
from capture.packet cimport Address, address_hash, address_is_v4
from capture.sip cimport METHOD_INVITE, METHOD_OPTIONS, METHOD_REGISTER
from kernels.behaviour cimport *
from kernels.cadence cimport cadence_add
from kernels.calls cimport CALL_CANCELLED, CALL_COMPLETED, CALL_FAILED, CALL_REJECTED, Call
from kernels.decay cimport decay_add, decay_counts
from kernels.destination cimport PRICE_ORDINARY, Destination, destination_of, price_between
from kernels.distinct cimport distinct_add, distinct_advance
from kernels.parties cimport dialled_number, is_anonymous, is_successor
from kernels.rows cimport (
    MOST_SECONDS, call_features, call_source_features, caller_features, clipped, seconds_between, source_features,
)
from kernels.signalling cimport (
    Style, style_attempt, style_call_features, style_sign, style_source_features,
)
from kernels.slots cimport slots_earn, slots_find, slots_free, slots_holds, slots_init, slots_take

cdef extern from *:
    """
    /* A source that has grown since its latest row is looked at again after so long. */
    #define SW_ROW_INTERVAL_S 60.0
    /* A robocall that is hung up on, or a wangiri call that someone picks up, is over by then. */
    #define SW_SHORT_CALL_S 10.0
    """
    const double ROW_INTERVAL_S "SW_ROW_INTERVAL_S"
    const double SHORT_CALL_S "SW_SHORT_CALL_S"

cdef enum:
    MAX_PROFILES = 1 << 24      # of each kind: 10 GiB of sources, more than a box has
    UINT32_MAX = 0xffffffff
    FIRST_ROW_REQUESTS = 4      # a source is first looked at then,
    MAX_ROW_REQUESTS = 64       # again after a quarter more, and at the latest after so many


cdef struct Route:              # where a call goes, read once
    bint located                # both countries are known
    bint international
    bint high_cost


cdef void route_of(const Call* call, Route* route) noexcept nogil:
    cdef Destination home, destination
    destination_of(call.caller_e164, &home)
    destination_of(call.callee_e164, &destination)
    route.located = home.country != 0 and destination.country != 0
    route.international = route.located and home.country != destination.country
    route.high_cost = price_between(&home, &destination) != PRICE_ORDINARY


cdef inline uint32_t one_more(uint32_t count) noexcept nogil:
    return count + 1 if count < UINT32_MAX else count


cdef inline bint is_not_found(uint16_t status_code) noexcept nogil:
    """No such number or user: RFC 3261 21.4.5, 21.4.11, 21.4.22, 21.6.3."""
    return status_code == 404 or status_code == 410 or status_code == 484 or status_code == 604


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


cdef void caller_attempt(CallerProfile* profile, const Call* call, const Route* route, int64_t now_ns) noexcept nogil:
    cdef uint64_t number = dialled_number(call)
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
    if route.located:
        count_caller(profile, CALLER_SUM_LOCATED, 1.0)
    if route.international:
        count_caller(profile, CALLER_SUM_INTERNATIONAL, 1.0)
    if route.high_cost:
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


cdef void source_attempt(SourceProfile* profile, const Call* call, const Route* route, int64_t now_ns) noexcept nogil:
    source_request(profile, now_ns)
    count_source(profile, SOURCE_SUM_INVITES)
    distinct_advance(&profile.callers_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.callers_day, call.caller_key)
    distinct_advance(&profile.callees_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.callees_day, call.callee_key)
    if route.high_cost:
        count_source(profile, SOURCE_SUM_HIGH_COST)


cdef void source_response(SourceProfile* profile, uint16_t status_code) noexcept nogil:
    count_source(profile, SOURCE_SUM_RESPONSES)
    if status_code == 401 or status_code == 407:
        count_source(profile, SOURCE_SUM_CHALLENGED)
    elif status_code == 403:
        count_source(profile, SOURCE_SUM_FORBIDDEN)
    elif is_not_found(status_code):
        count_source(profile, SOURCE_SUM_NOT_FOUND)


cdef object address_text(const Address* address):
    cdef const uint8_t* octets = <const uint8_t*>address
    if address_is_v4(address):
        return str(ipaddress.IPv4Address(octets[12:16]))
    return str(ipaddress.IPv6Address(octets[:16]))


# -- the tables -----------------------------------------------------------------------------------------------

cdef class Profiles:
    """Profiles(callers=131072, sources=16384, secret=0): everything that is remembered of behaviour.

    callers, sources: how many of each are kept at most, 1..2^24; with the index, memory is about 480 and 840 bytes for
    each that was ever in use. secret: keys the hash of addresses.
    Raises ValueError on an impossible size, MemoryError when memory is refused.
    """

    def __cinit__(self, uint32_t callers=131072, uint32_t sources=16384, uint64_t secret=0):
        if not (1 <= callers <= MAX_PROFILES and 1 <= sources <= MAX_PROFILES):
            raise ValueError(f"callers, sources: expected 1..{MAX_PROFILES}, got {callers} and {sources}")
        self.secret = secret
        self.caller_profiles = <CallerProfile*>calloc(callers, sizeof(CallerProfile))
        self.source_profiles = <SourceProfile*>calloc(sources, sizeof(SourceProfile))
        self.styles = <Style*>calloc(sources, sizeof(Style))
        if slots_init(&self.callers, callers) != 0 or slots_init(&self.sources, sources) != 0:
            raise MemoryError("profiles: no memory for the index")
        if self.caller_profiles == NULL or self.source_profiles == NULL or self.styles == NULL:
            raise MemoryError(f"profiles: no memory for {callers} callers and {sources} sources")

    def __dealloc__(self):
        slots_free(&self.callers)
        slots_free(&self.sources)
        free(self.caller_profiles)
        free(self.source_profiles)
        free(self.styles)

    # -- events -----------------------------------------------------------------------------------------------

    cdef void on_setup(self, Call* call, int64_t now_ns) noexcept nogil:
        cdef SourceProfile* source = self._take_source(&call.source.address, now_ns, &call.source_profile)
        cdef CallerProfile* caller
        cdef Route route
        route_of(call, &route)
        call.source_generation = self.sources.generations[call.source_profile]
        source_attempt(source, call, &route, now_ns)
        style_attempt(&self.styles[call.source_profile], call, now_ns)
        self.gateway_signs += call.signalling.acrypt
        slots_earn(&self.sources, call.source_profile, source.requests)
        call.caller_profile = NO_SLOT
        call.caller_generation = 0
        if is_anonymous(call):
            return
        caller = self._take_caller(call.caller_key, now_ns, &call.caller_profile)
        call.caller_generation = self.callers.generations[call.caller_profile]
        caller_attempt(caller, call, &route, now_ns)
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

    cdef void on_gateway_sign(self, const Address* source, uint8_t sign, int64_t now_ns) noexcept nogil:
        cdef int32_t slot
        self._take_source(source, now_ns, &slot)
        style_sign(&self.styles[slot], sign, now_ns)
        self.gateway_signs += 1

    # -- rows -------------------------------------------------------------------------------------------------

    cdef void call_row(self, const Call* call, int stage, int64_t now_ns, float* row) noexcept nogil:
        cdef const CallerProfile* caller = self.caller_of(call)
        cdef const SourceProfile* source = self.source_of(call)
        caller_features(caller if caller != NULL else &self.no_caller, now_ns, row)
        call_source_features(source if source != NULL else &self.no_source, now_ns, row)
        call_features(call, stage, now_ns, row)
        self._style_row(call, now_ns, row)

    cdef void _style_row(self, const Call* call, int64_t now_ns, float* row) noexcept nogil:
        cdef const Style* style = &self.no_style
        cdef const Style* callee = &self.no_style
        cdef int32_t slot
        if self.source_of(call) != NULL:
            style = &self.styles[call.source_profile]
        if self.gateway_signs:              # else there is nothing to find
            slot = slots_find(&self.sources, address_hash(&call.destination.address, self.secret))
            if slot != NO_SLOT:
                callee = &self.styles[slot]
        style_call_features(style, callee, call, now_ns, row)

    cdef void source_row(self, int32_t slot, int64_t now_ns, float* row) noexcept nogil:
        cdef SourceProfile* profile = &self.source_profiles[slot]
        source_features(profile, now_ns, row)
        style_source_features(&self.styles[slot], now_ns, row)
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
        memset(&self.styles[slot[0]], 0, sizeof(Style))
        self.styles[slot[0]].updated_ns = now_ns
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
