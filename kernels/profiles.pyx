# cython: language_level=3
"""What calls and requests do to the profiles of callers, callees and sources, and the tables that hold them.

Every amount is counted at three half-lives, so that each ratio can be read over an hour and over a day. A call is
counted when it begins, its outcome when that is known: an answer at once, a failure at the end. A profile that was
given up for another one in between is missed without harm: slots carry a generation.
"""
import ipaddress

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from capture.hashing cimport hash_mix
from capture.index cimport NO_SLOT
from capture.memory cimport table_calloc, table_free
from capture.packet cimport Address, address_hash, address_is_v4, endpoint_hash
from capture.sip cimport METHOD_INVITE, METHOD_OPTIONS, METHOD_REGISTER
from kernels.behaviour cimport *
from kernels.cadence cimport cadence_add
from kernels.callee cimport callee_answer, callee_attempt, callee_end, callee_features
from kernels.calls cimport CALL_CANCELLED, CALL_COMPLETED, CALL_ROW_BYTES, CALL_TRACKED_BYTES, Call
from kernels.decay cimport HALF_LIFE_HOUR_S
from kernels.destination cimport PRICE_ORDINARY, Destination, destination_of, price_between
from kernels.distinct cimport Distinct, distinct_add, distinct_advance
from kernels.entropy cimport SPREAD_BINS, hour_of_day, spread_add
from kernels.features cimport RANGE_CALLS_HOUR, SOURCE_REPLIED_RATIO
from kernels.heavy cimport Heavy, heavy_add, heavy_count, heavy_key
from kernels.pairs cimport (
    PAIR_ANSWERED, PAIR_RETURNED, PairEntry, pair_key, pair_set, pairs_find, pairs_free, pairs_init, pairs_note,
    pairs_prefetch,
)
from kernels.parties cimport (
    ABROAD_NO, ABROAD_NOT_KNOWN, ABROAD_YES, dialled_number, differing_digits, is_anonymous, is_successor,
    is_unanswered, range_of,
)
from kernels.passwords cimport (
    TRY_GUESSED, TRY_LET_IN, TRY_WRONG, invite_answered, password_brought, password_failed, password_features,
    password_sprayed,
)
from kernels.recordings cimport is_recording
from kernels.registrations cimport registration_answered, registration_asked, registration_features
from kernels.relations cimport Relations
from kernels.rows cimport (
    MOST_EVENTS, MOST_SECONDS, call_features, call_source_features, caller_features, clipped, seconds_between,
    source_features,
)
from kernels.signalling cimport (
    Style, style_attempt, style_call_features, style_goip_ratio, style_sign, style_source_features,
)
from kernels.slots cimport (
    prefetch as prefetch_line, prefetch_all, slots_earn, slots_find, slots_free, slots_fresh, slots_holds, slots_init,
    slots_prefetch, slots_take,
)
from kernels.source cimport source_attempt, source_request, source_response

cdef extern from *:
    """
    /* A source that has grown since its latest row is looked at again after so long. */
    #define SW_ROW_INTERVAL_S 60.0
    /* After so long without a final response outside calls, the mirror is taken for one that shows requests only. */
    #define SW_REPLIES_SHOWN_S 3600.0
    /* A robocall that is hung up on, or a wangiri call that someone picks up, is over by then. */
    #define SW_SHORT_CALL_S 10.0
    /* Strangers do not let one another talk so long; those who were drawn in do. */
    #define SW_LONG_CALL_S 120.0
    """
    const double ROW_INTERVAL_S "SW_ROW_INTERVAL_S"
    const double REPLIES_SHOWN_S "SW_REPLIES_SHOWN_S"
    const double SHORT_CALL_S "SW_SHORT_CALL_S"
    const double LONG_CALL_S "SW_LONG_CALL_S"

cdef enum:
    MAX_PROFILES = 1 << 24      # of each kind: 10 GiB of sources, more than a box has
    PAIRS_PER_CALLER = 4        # those called within a day, on average over all callers
    FIRST_ROW_REQUESTS = 4      # a source is first looked at then, signs of a gateway count as requests,
    MAX_ROW_REQUESTS = 64       # again after a quarter more, and at the latest after so many
    SOURCE_BUSY_BYTES = 384     # the begin of a SourceProfile, up to its sketches: what every event reads


cdef void read_route(Call* call, uint64_t number, uint64_t secret) noexcept nogil:
    """Where a call goes: read once, since all its rows say it."""
    cdef Destination home, destination
    cdef uint64_t block = range_of(number)
    destination_of(call.caller_e164, &home)
    destination_of(call.callee_e164, &destination)
    call.range_hash = hash_mix(block, secret) if block else 0
    call.price = price_between(&home, &destination)
    call.differing_digits = differing_digits(call.caller_e164, call.callee_e164)
    call.abroad = ABROAD_NOT_KNOWN
    if home.country and destination.country:
        call.abroad = ABROAD_YES if home.country != destination.country else ABROAD_NO


cdef inline uint64_t callee_key(const Call* call, uint64_t secret) noexcept nogil:
    """A name is only a name where the call goes: two exchanges may each have an extension 100."""
    if call.callee_e164[0]:
        return call.callee_key
    return hash_mix(call.callee_key, address_hash(&call.destination.address, secret))


cdef inline uint64_t range_table(uint64_t range_hash) noexcept nogil:
    """Which of the tables a range is in: by the half of its hash that is not its key there."""
    return (range_hash >> 32) % RANGE_TABLES


# -- what an event does to a profile --------------------------------------------------------------------------

cdef void caller_attempt(CallerProfile* profile, const Call* call, uint64_t number, int64_t now_ns) noexcept nogil:
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
    spread_add(&profile.hours, hour_of_day(now_ns))
    if call.range_hash:
        spread_add(&profile.ranges, <int>(call.range_hash % SPREAD_BINS))
    distinct_advance(&profile.callees_hour, now_ns, WINDOW_HOUR_NS)
    distinct_add(&profile.callees_hour, call.callee_key)
    distinct_advance(&profile.callees_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.callees_day, call.callee_key)
    if call.abroad != ABROAD_NOT_KNOWN:
        count_caller(profile, CALLER_SUM_LOCATED, 1.0)
    if call.abroad == ABROAD_YES:
        count_caller(profile, CALLER_SUM_INTERNATIONAL, 1.0)
    if call.price != PRICE_ORDINARY:
        count_caller(profile, CALLER_SUM_HIGH_COST, 1.0)


cdef void caller_end(CallerProfile* profile, const Call* call, int64_t now_ns) noexcept nogil:
    cdef double lasted_s
    note_caller(profile, now_ns)
    profile.open_calls = one_less(profile.open_calls)
    if call.voice.caller_sound:
        count_caller(profile, CALLER_SUM_SOUNDS, 1.0)
        count_caller(profile, CALLER_SUM_RECORDED, is_recording(call.recording_callees))
    if call.answer_ns:
        if call.state == CALL_COMPLETED:
            lasted_s = seconds_between(call.answer_ns, call.end_ns)
            count_caller(profile, CALLER_SUM_COMPLETED, 1.0)
            count_caller(profile, CALLER_SUM_TALK_S, clipped(lasted_s, MOST_SECONDS))
            if lasted_s < SHORT_CALL_S:
                count_caller(profile, CALLER_SUM_SHORT, 1.0)
            elif lasted_s >= LONG_CALL_S:
                count_caller(profile, CALLER_SUM_LONG, 1.0)
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


cdef object address_text(const Address* address):
    cdef const uint8_t* octets = <const uint8_t*>address
    if address_is_v4(address):
        return str(ipaddress.IPv4Address(octets[12:16]))
    return str(ipaddress.IPv6Address(octets[:16]))


# -- the tables -----------------------------------------------------------------------------------------------

cdef class Profiles:
    """Profiles(callers=131072, sources=16384, callees=131072, secret=0): everything that is remembered of behaviour.

    callers, sources, callees: how many of each are kept at most, 1..2^24; with the index, memory is about 610, 2150 and
    370 bytes for each that was ever in use, and 32 to 64 bytes for each caller for the pairs of who called whom.
    secret: keys the hash of addresses.
    Raises ValueError on an impossible size, MemoryError when memory is refused.
    """

    def __cinit__(self, uint32_t callers=131072, uint32_t sources=16384, uint32_t callees=131072, uint64_t secret=0):
        sizes = (callers, sources, callees)
        if not all(1 <= size <= MAX_PROFILES for size in sizes):
            raise ValueError(f"callers, sources, callees: expected 1..{MAX_PROFILES}, got {sizes}")
        self.secret = secret
        self.callee_profiles = <CalleeProfile*>table_calloc(callees, sizeof(CalleeProfile))
        self.ranges = <Heavy*>table_calloc(RANGE_TABLES, sizeof(Heavy))
        self.caller_profiles = <CallerProfile*>table_calloc(callers, sizeof(CallerProfile))
        self.source_profiles = <SourceProfile*>table_calloc(sources, sizeof(SourceProfile))
        self.styles = <Style*>table_calloc(sources, sizeof(Style))
        self.relations = Relations(sources, secret)
        if (slots_init(&self.callers, callers) != 0 or slots_init(&self.sources, sources) != 0
                or slots_init(&self.callees, callees) != 0):
            raise MemoryError("profiles: no memory for the index")
        if pairs_init(&self.pairs, PAIRS_PER_CALLER * <uint64_t>callers) != 0 or self.ranges == NULL:
            raise MemoryError("profiles: no memory for pairs and ranges")
        if (self.caller_profiles == NULL or self.callee_profiles == NULL or self.source_profiles == NULL
                or self.styles == NULL):
            raise MemoryError(f"profiles: no memory for {callers} callers, {sources} sources, {callees} callees")

    def __dealloc__(self):
        slots_free(&self.callers)
        slots_free(&self.callees)
        slots_free(&self.sources)
        pairs_free(&self.pairs)
        table_free(self.ranges)
        table_free(self.caller_profiles)
        table_free(self.callee_profiles)
        table_free(self.source_profiles)
        table_free(self.styles)

    # -- events -----------------------------------------------------------------------------------------------

    cdef void prefetch(self, const Call* call, bint is_new) noexcept nogil:
        """A look into memory costs as much as reading a SIP message, and an event touches thirty places."""
        if is_new:
            slots_prefetch(&self.callers, call.caller_key)
            slots_prefetch(&self.callees, callee_key(call, self.secret))
            slots_prefetch(&self.sources, address_hash(&call.source.address, self.secret))
            pairs_prefetch(&self.pairs, pair_key(call.callee_key, call.caller_key))
        else:
            if call.caller_profile != NO_SLOT:
                prefetch_line(&self.callers.generations[call.caller_profile])
                prefetch_all(&self.caller_profiles[call.caller_profile], sizeof(CallerProfile))
            if call.callee_profile != NO_SLOT:
                prefetch_line(&self.callees.generations[call.callee_profile])
                prefetch_all(&self.callee_profiles[call.callee_profile], sizeof(CalleeProfile))
            if call.source_profile != NO_SLOT:
                self._prefetch_source(call.source_profile)
            prefetch_all(<const char*>call + CALL_TRACKED_BYTES, CALL_ROW_BYTES)
            if call.range_hash:
                prefetch_all(&self.ranges[range_table(call.range_hash)], sizeof(Heavy))
            self.relations.prefetch(call)
        pairs_prefetch(&self.pairs, pair_key(call.caller_key, call.callee_key))

    cdef void _prefetch_source(self, int32_t slot) noexcept nogil:
        cdef const SourceProfile* source = &self.source_profiles[slot]
        prefetch_line(&self.sources.generations[slot])
        prefetch_all(source, SOURCE_BUSY_BYTES)
        prefetch_all(&source.callers_day, 2 * sizeof(Distinct))     # and callees_day, behind it
        prefetch_all(&source.ranges, sizeof(Heavy))
        prefetch_all(&self.styles[slot], sizeof(Style))

    cdef void on_setup(self, Call* call, int64_t now_ns) noexcept nogil:
        cdef uint64_t number = dialled_number(call)
        cdef uint64_t called = callee_key(call, self.secret)
        cdef SourceProfile* source
        cdef CallerProfile* caller = NULL
        cdef CalleeProfile* callee = NULL
        cdef uint64_t source_key = address_hash(&call.source.address, self.secret)
        cdef uint64_t destination_key = address_hash(&call.destination.address, self.secret)
        cdef int32_t slot
        read_route(call, number, self.secret)
        if call.range_hash:
            prefetch_all(&self.ranges[range_table(call.range_hash)], sizeof(Heavy))
        self.relations.prefetch_setup(call, source_key, destination_key)
        source = self._take_source(&call.source.address, now_ns, &call.source_profile)
        call.source_generation = self.sources.generations[call.source_profile]
        self._prefetch_source(call.source_profile)
        self.relations.prefetch(call)
        call.caller_profile = call.callee_profile = NO_SLOT
        call.caller_generation = call.callee_generation = 0
        call.call_back = call.again = CALL_BACK_NONE
        call.run = 1
        if call.callee_length:
            callee = self._take_callee(called, now_ns, &call.callee_profile)
            call.callee_generation = self.callees.generations[call.callee_profile]
        if not is_anonymous(call):
            caller = self._take_caller(call.caller_key, now_ns, &call.caller_profile)
            call.caller_generation = self.callers.generations[call.caller_profile]
        source_attempt(source, call, endpoint_hash(&call.destination, self.secret), now_ns)
        style_attempt(&self.styles[call.source_profile], call, now_ns)
        self.gateway_signs += call.signalling.acrypt
        slots_earn(&self.sources, call.source_profile, source.requests)
        if call.range_hash:
            heavy_add(&self.ranges[range_table(call.range_hash)], heavy_key(call.range_hash), now_ns, HALF_LIFE_HOUR_S)
        if callee != NULL:
            callee_attempt(callee, call, now_ns)
            slots_earn(&self.callees, call.callee_profile, callee.calls)
        if caller != NULL:
            caller_attempt(caller, call, number, now_ns)
            slots_earn(&self.callers, call.caller_profile, caller.calls)
            if callee != NULL and call.callee_key != call.caller_key:
                self._reciprocity(call, caller, now_ns)
        call.route_goip_style = NAN
        slot = slots_find(&self.sources, destination_key)
        if slot != NO_SLOT:
            call.route_goip_style = style_goip_ratio(&self.styles[slot])
        self.relations.on_setup(
            call, source_key, destination_key, number, caller.calls if caller != NULL else 0, now_ns)

    cdef void _reciprocity(self, Call* call, CallerProfile* caller, int64_t now_ns) noexcept nogil:
        """Whether the call returns one, which is then credited to both; and notes it, to be returned itself."""
        cdef PairEntry* earlier = pairs_find(&self.pairs, pair_key(call.callee_key, call.caller_key), now_ns)
        cdef int32_t slot
        if earlier != NULL:
            call.call_back = CALL_BACK_ANSWERED if earlier.state & PAIR_ANSWERED else CALL_BACK_MISSED
            count_caller(caller, CALLER_SUM_REPLIES, 1.0)
            if not earlier.state & PAIR_RETURNED:
                pair_set(earlier, PAIR_RETURNED)
                slot = slots_find(&self.callers, call.callee_key)
                if slot != NO_SLOT:
                    note_caller(&self.caller_profiles[slot], now_ns)
                    count_caller(&self.caller_profiles[slot], CALLER_SUM_RETURNED, 1.0)
        earlier = pairs_find(&self.pairs, pair_key(call.caller_key, call.callee_key), now_ns)
        if earlier != NULL:
            call.again = CALL_BACK_ANSWERED if earlier.state & PAIR_ANSWERED else CALL_BACK_MISSED
        call.run = pairs_note(&self.pairs, pair_key(call.caller_key, call.callee_key), now_ns)

    cdef void on_reply(self, const Call* call, int64_t now_ns) noexcept nogil:
        self.relations.on_reply(call, self.source_of(call) != NULL, now_ns)

    cdef void on_answer(self, Call* call, int64_t now_ns) noexcept nogil:
        cdef CallerProfile* caller = self.caller_of(call)
        cdef CalleeProfile* callee = self.callee_of(call)
        cdef uint64_t called = pair_key(call.caller_key, call.callee_key)
        cdef PairEntry* pair
        pairs_prefetch(&self.pairs, called)
        cdef SourceProfile* source = self.source_of(call)
        if caller != NULL:
            note_caller(caller, now_ns)
            count_caller(caller, CALLER_SUM_SETTLED, 1.0)
            count_caller(caller, CALLER_SUM_ANSWERED, 1.0)
        if callee != NULL:
            callee_answer(callee, now_ns)
        if source != NULL:
            note_source(source, now_ns)
            source_response(source, 200)
            count_source(source, SOURCE_SUM_SETTLED)
            count_source(source, SOURCE_SUM_ANSWERED)
        self.relations.on_answer(call, source != NULL, now_ns)
        if caller != NULL:
            pair = pairs_find(&self.pairs, called, now_ns)
            if pair != NULL:
                pair_set(pair, PAIR_ANSWERED)

    cdef void on_end(self, Call* call, int64_t now_ns) noexcept nogil:
        cdef CallerProfile* caller = self.caller_of(call)
        cdef CalleeProfile* callee = self.callee_of(call)
        cdef SourceProfile* source = self.source_of(call)
        self.relations.on_end(call, source != NULL, now_ns)
        if caller != NULL:
            caller_end(caller, call, now_ns)
        if callee != NULL:
            callee_end(callee, call, now_ns)
        if source == NULL:
            return
        source.open_calls = one_less(source.open_calls)
        if call.answer_ns == 0 and is_unanswered(call):
            note_source(source, now_ns)
            source_response(source, 0 if call.state == CALL_CANCELLED else call.status_code)
            count_source(source, SOURCE_SUM_SETTLED)

    cdef int32_t on_request(self, const Address* source, uint64_t target_key, uint8_t method, uint64_t user_key,
                            uint64_t call_id_key, uint64_t transaction_key, bint credentials,
                            int64_t now_ns) noexcept nogil:
        cdef int32_t slot
        cdef SourceProfile* profile = self._take_source(source, now_ns, &slot)
        source_request(profile, target_key, now_ns)
        slots_earn(&self.sources, slot, profile.requests)
        if method == METHOD_REGISTER:
            registration_asked(profile, user_key, call_id_key, credentials, transaction_key, now_ns)
        elif method == METHOD_OPTIONS:
            count_source(profile, SOURCE_SUM_OPTIONS)
            distinct_advance(&profile.probes_day, now_ns, WINDOW_DAY_NS)
            distinct_add(&profile.probes_day, hash_mix(user_key, target_key))
            distinct_advance(&profile.probed_users_day, now_ns, WINDOW_DAY_NS)
            distinct_add(&profile.probed_users_day, user_key)
        return slot

    cdef int32_t on_response(self, const Address* source, uint64_t registrar, uint8_t method, uint64_t user_key,
                             uint64_t call_id_key, uint64_t transaction_key, uint16_t status_code, bint stale,
                             int64_t now_ns) noexcept nogil:
        cdef uint64_t address = address_hash(source, self.secret)
        cdef uint64_t user = hash_mix(user_key, registrar)      # a name is only a name at its registrar
        cdef int32_t slot = slots_find(&self.sources, address)
        cdef int32_t server
        cdef int found
        cdef SourceProfile* profile
        self.guess.tries = 0
        if slot == NO_SLOT or status_code < 200 or method == METHOD_INVITE:
            return NO_SLOT
        self.reply_ns = max(self.reply_ns, now_ns)
        profile = &self.source_profiles[slot]
        note_source(profile, now_ns)
        source_response(profile, status_code)
        count_source(profile, SOURCE_SUM_REPLIES)
        if method != METHOD_REGISTER:
            return NO_SLOT
        found = registration_answered(profile, user_key, transaction_key, status_code, stale, now_ns, &self.guess)
        if found == TRY_WRONG:
            password_failed(profile, self.relations.failed(user, address, now_ns), call_id_key, now_ns)
        elif found == TRY_LET_IN or found == TRY_GUESSED:
            server = slots_find(&self.sources, registrar)
            if server != NO_SLOT:
                note_source(&self.source_profiles[server], now_ns)
                count_source(&self.source_profiles[server], SOURCE_SUM_GRANTED)
            if self.relations.registered(user, address, now_ns) and found == TRY_LET_IN:
                found = password_sprayed(profile, now_ns, &self.guess)
        return slot if found == TRY_GUESSED else NO_SLOT

    cdef void on_try(self, const Address* source, uint64_t transaction_key) noexcept nogil:
        cdef int32_t slot = slots_find(&self.sources, address_hash(source, self.secret))
        if slot != NO_SLOT:
            password_brought(&self.source_profiles[slot], transaction_key)

    cdef int32_t on_try_answered(self, const Address* source, uint64_t registrar, uint64_t target_key,
                                 uint64_t user_key, uint64_t transaction_key, uint16_t status_code, bint stale,
                                 int64_t now_ns) noexcept nogil:
        cdef uint64_t address = address_hash(source, self.secret)
        cdef int32_t slot = slots_find(&self.sources, address)
        cdef int found
        cdef SourceProfile* profile
        self.guess.tries = 0
        if slot == NO_SLOT or status_code <= 100:
            return NO_SLOT
        profile = &self.source_profiles[slot]
        note_source(profile, now_ns)
        found = invite_answered(profile, user_key, transaction_key, status_code, stale, now_ns, &self.guess)
        if found == TRY_WRONG:
            source_request(profile, target_key, now_ns)
            count_source(profile, SOURCE_SUM_INVITES)
            user_key = hash_mix(user_key, registrar)
            password_failed(profile, self.relations.failed(user_key, address, now_ns), 0, now_ns)
        return slot if found == TRY_WRONG or found == TRY_GUESSED else NO_SLOT

    cdef int32_t on_gateway_sign(self, const Address* source, uint8_t sign, int64_t now_ns) noexcept nogil:
        cdef int32_t slot
        cdef SourceProfile* profile = self._take_source(source, now_ns, &slot)
        profile.signs = one_more(profile.signs)
        style_sign(&self.styles[slot], sign, now_ns)
        self.gateway_signs += 1
        return slot

    # -- rows -------------------------------------------------------------------------------------------------

    cdef void call_row(self, const Call* call, int stage, int64_t now_ns, float* row) noexcept nogil:
        cdef const CallerProfile* caller = self.caller_of(call)
        cdef const CalleeProfile* callee = self.callee_of(call)
        cdef const SourceProfile* source = self.source_of(call)
        caller_features(caller if caller != NULL else &self.no_caller, now_ns, row)
        call_source_features(source if source != NULL else &self.no_source, now_ns, row)
        callee_features(callee if callee != NULL else &self.no_callee, now_ns, row)
        call_features(call, stage, now_ns, row)
        row[RANGE_CALLS_HOUR] = NAN
        if call.range_hash:
            row[RANGE_CALLS_HOUR] = clipped(heavy_count(
                &self.ranges[range_table(call.range_hash)], heavy_key(call.range_hash), now_ns, HALF_LIFE_HOUR_S),
                MOST_EVENTS)
        self._style_row(call, now_ns, row)
        self.relations.row(call, source != NULL, now_ns, row)

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
        registration_features(profile, now_ns, row)
        password_features(profile, now_ns, row)
        if self.reply_ns == 0 or seconds_between(self.reply_ns, now_ns) > REPLIES_SHOWN_S:
            row[SOURCE_REPLIED_RATIO] = NAN
        style_source_features(&self.styles[slot], now_ns, row)
        profile.row_evidence = evidence_of(profile)
        profile.row_ns = profile.last_ns

    cdef bint source_is_due(self, int32_t slot) noexcept nogil:
        cdef const SourceProfile* profile = &self.source_profiles[slot]
        cdef uint32_t evidence = evidence_of(profile)
        cdef uint32_t grown = evidence - profile.row_evidence
        if evidence < FIRST_ROW_REQUESTS or grown == 0:
            return False
        if profile.row_evidence == 0 or grown >= MAX_ROW_REQUESTS or 4 * <uint64_t>grown >= profile.row_evidence:
            return True
        return seconds_between(profile.row_ns, profile.last_ns) >= ROW_INTERVAL_S

    # -- slots ------------------------------------------------------------------------------------------------

    cdef CallerProfile* caller_of(self, const Call* call) noexcept nogil:
        if not slots_holds(&self.callers, call.caller_profile, call.caller_generation):
            return NULL
        return &self.caller_profiles[call.caller_profile]

    cdef CalleeProfile* callee_of(self, const Call* call) noexcept nogil:
        if not slots_holds(&self.callees, call.callee_profile, call.callee_generation):
            return NULL
        return &self.callee_profiles[call.callee_profile]

    cdef SourceProfile* source_of(self, const Call* call) noexcept nogil:
        if not slots_holds(&self.sources, call.source_profile, call.source_generation):
            return NULL
        return &self.source_profiles[call.source_profile]

    cdef CallerProfile* _take_caller(self, uint64_t key, int64_t now_ns, int32_t* slot) noexcept nogil:
        cdef CallerProfile* profile
        slot[0] = slots_find(&self.callers, key)
        if slot[0] != NO_SLOT:
            profile = &self.caller_profiles[slot[0]]
            prefetch_all(profile, sizeof(CallerProfile))
            return profile
        slot[0] = slots_take(&self.callers, key)
        profile = &self.caller_profiles[slot[0]]
        if not slots_fresh(&self.callers, slot[0]):
            memset(profile, 0, sizeof(CallerProfile))
        profile.updated_ns = profile.first_ns = profile.last_ns = now_ns
        return profile

    cdef CalleeProfile* _take_callee(self, uint64_t key, int64_t now_ns, int32_t* slot) noexcept nogil:
        cdef CalleeProfile* profile
        slot[0] = slots_find(&self.callees, key)
        if slot[0] != NO_SLOT:
            profile = &self.callee_profiles[slot[0]]
            prefetch_all(profile, sizeof(CalleeProfile))
            return profile
        slot[0] = slots_take(&self.callees, key)
        profile = &self.callee_profiles[slot[0]]
        if not slots_fresh(&self.callees, slot[0]):
            memset(profile, 0, sizeof(CalleeProfile))
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
        if not slots_fresh(&self.sources, slot[0]):
            memset(profile, 0, sizeof(SourceProfile))
            memset(&self.styles[slot[0]], 0, sizeof(Style))
            self.relations.forget_source(slot[0])
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
            "callees": self.callees.used,
            "sources": self.sources.used,
            "evicted_callers": self.callers.evicted,
            "evicted_callees": self.callees.evicted,
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


PROFILE_BYTES = {
    "caller": sizeof(CallerProfile),
    "callee": sizeof(CalleeProfile),
    "source": sizeof(SourceProfile),
}
