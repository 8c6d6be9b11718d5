# cython: language_level=3
"""Groups of sources and routes, crowds, and bindings: what fills them, and what a call keeps of them."""
from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from capture.hashing cimport hash_bytes, hash_mix
from capture.index cimport NO_SLOT
from capture.memory cimport table_calloc, table_free
from kernels.bindings cimport (
    BOUND_ELSEWHERE, BOUND_HERE, binding_note, binding_of, binding_prefetch, bindings_free, bindings_init,
)
from kernels.calls cimport Call
from kernels.crowds cimport (
    CROWD_ACCOUNT, CROWD_ANSWERED, CROWD_CALLED, CROWD_CONTACT, CROWD_PLAYED_BY, CROWD_PLAYED_TO, CROWD_RANGE,
    CROWD_SHOWN, CROWD_STYLE, CROWD_USER, crowd_note, crowd_prefetch, crowds_free, crowds_init,
)
from kernels.groups cimport (
    GROUP_CALLS, NEWCOMER_CALLS, Group, group_answer, group_attempt, group_end, group_reply, route_features,
    source_group_features,
)
from kernels.parties cimport calling_number, range_of
from kernels.slots cimport (
    prefetch as prefetch_line, prefetch_all, slots_earn, slots_find, slots_free, slots_holds, slots_init,
    slots_prefetch, slots_take,
)
from kernels.spellings cimport Spellings, spellings_note

cdef extern from *:
    """
    /* Two addresses, and three, as the sketch counts few. */
    #define SW_SHARED_FAILURES 1.5f
    #define SW_CROWD_FAILURES 2.5f
    """
    const float SHARED_FAILURES "SW_SHARED_FAILURES"
    const float CROWD_FAILURES "SW_CROWD_FAILURES"

cdef enum:
    CROWDS = 8192
    RECORDINGS = 65536          # every call with media has sounds, two or three entries that nobody adds to
    BINDINGS = 65536            # registered users
    ROUTES = 4096               # addresses that are called

TABLES = {"crowds": CROWDS, "recordings": RECORDINGS, "bindings": BINDINGS, "routes": ROUTES}


cdef inline uint64_t style_key(const Call* call, uint64_t secret) noexcept nogil:
    return hash_mix(call.signalling.fingerprint, secret)


cdef inline uint64_t range_key(uint64_t block, uint64_t source_key, uint64_t secret) noexcept nogil:
    return hash_mix(hash_mix(block, secret), source_key)


cdef inline uint64_t account_key(const Call* call, uint64_t source_key, uint64_t secret) noexcept nogil:
    """With the address: who sends what nobody checks may assert anybody's number."""
    return hash_mix(hash_mix(call.identity.account, secret), source_key)


cdef inline uint64_t shown_key(const Call* call, uint64_t source_key) noexcept nogil:
    return hash_mix(call.caller_key, source_key)


cdef inline uint64_t user_key(const Call* call, uint64_t destination_key, uint64_t secret) noexcept nogil:
    """The caller as a user of the registrar that is called."""
    return hash_mix(hash_bytes(<const uint8_t*>call.caller, call.caller_length, secret), destination_key)


cdef class Relations:
    """Relations(sources, secret): `sources` is how many slots of sources there are. Raises MemoryError."""

    def __cinit__(self, uint32_t sources, uint64_t secret):
        self.secret = secret
        self.groups = <Group*>table_calloc(2 * <size_t>sources, sizeof(Group))
        self.spellings = <Spellings*>table_calloc(sources, sizeof(Spellings))
        self.route_groups = <Group*>table_calloc(ROUTES, sizeof(Group))
        if (slots_init(&self.routes, ROUTES) != 0 or self.groups == NULL or self.route_groups == NULL
                or self.spellings == NULL):
            raise MemoryError(f"relations: no memory for the groups of {sources} sources")
        if (crowds_init(&self.crowds, CROWDS) != 0 or crowds_init(&self.recordings, RECORDINGS) != 0
                or bindings_init(&self.bindings, BINDINGS) != 0):
            raise MemoryError("relations: no memory for crowds and bindings")

    def __dealloc__(self):
        table_free(self.groups)
        table_free(self.spellings)
        table_free(self.route_groups)
        slots_free(&self.routes)
        crowds_free(&self.crowds)
        crowds_free(&self.recordings)
        bindings_free(&self.bindings)

    cdef void forget_source(self, int32_t slot) noexcept nogil:
        memset(&self.groups[2 * slot], 0, 2 * sizeof(Group))
        memset(&self.spellings[slot], 0, sizeof(Spellings))

    cdef void prefetch_setup(self, const Call* call, uint64_t source_key, uint64_t destination_key) noexcept nogil:
        cdef uint64_t block = range_of(calling_number(call))
        slots_prefetch(&self.routes, destination_key)
        binding_prefetch(&self.bindings, user_key(call, destination_key, self.secret))
        if call.signalling.fingerprint:
            crowd_prefetch(&self.crowds, CROWD_STYLE, style_key(call, self.secret))
        if call.contact:
            crowd_prefetch(&self.crowds, CROWD_CONTACT, call.contact)
        if block:
            crowd_prefetch(&self.crowds, CROWD_RANGE, range_key(block, source_key, self.secret))
        if call.identity.account:
            crowd_prefetch(&self.crowds, CROWD_SHOWN, account_key(call, source_key, self.secret))
            crowd_prefetch(&self.crowds, CROWD_CALLED, account_key(call, source_key, self.secret))
            crowd_prefetch(&self.crowds, CROWD_ACCOUNT, shown_key(call, source_key))

    cdef void prefetch(self, const Call* call) noexcept nogil:
        if call.source_profile != NO_SLOT:
            prefetch_all(&self.groups[2 * call.source_profile], 2 * sizeof(Group))
            prefetch_all(&self.spellings[call.source_profile], sizeof(Spellings))
        if call.route != NO_SLOT:
            prefetch_line(&self.routes.generations[call.route])
            prefetch_all(&self.route_groups[call.route], sizeof(Group))

    cdef void on_setup(self, Call* call, uint64_t source_key, uint64_t destination_key, uint64_t number,
                       uint64_t caller_calls, int64_t now_ns) noexcept nogil:
        cdef Group* groups = &self.groups[2 * call.source_profile]
        self._crowds(call, source_key, now_ns)
        self._accounts(call, source_key, now_ns)
        call.bound = <uint8_t>binding_of(
            &self.bindings, user_key(call, destination_key, self.secret), source_key, now_ns)
        call.newcomer = caller_calls <= NEWCOMER_CALLS
        call.spellings = spellings_note(&self.spellings[call.source_profile], call)
        group_attempt(groups, call, number, now_ns)
        if call.newcomer:
            group_attempt(groups + 1, call, number, now_ns)
        group_attempt(self._take_route(call, destination_key), call, number, now_ns)

    cdef void _crowds(self, Call* call, uint64_t source_key, int64_t now_ns) noexcept nogil:
        """Who shares the call's style, its Contact, and its caller's range."""
        cdef uint64_t block = range_of(calling_number(call))
        call.style_addresses = call.contact_callers = call.range_callers = NAN
        if call.signalling.fingerprint:
            call.style_addresses = crowd_note(
                &self.crowds, CROWD_STYLE, style_key(call, self.secret), source_key, now_ns)
        if call.contact:
            call.contact_callers = crowd_note(&self.crowds, CROWD_CONTACT, call.contact, call.caller_key, now_ns)
        if block:
            call.range_callers = crowd_note(
                &self.crowds, CROWD_RANGE, range_key(block, source_key, self.secret), call.caller_key, now_ns)

    cdef void _accounts(self, Call* call, uint64_t source_key, int64_t now_ns) noexcept nogil:
        """What else is shown and called under the number that is asserted, and what else is asserted for the one shown.
        Who forwards calls is asserted for whoever calls, and forwards them to one number or two: the fewer count."""
        cdef uint64_t account = account_key(call, source_key, self.secret)
        cdef uint64_t block = hash_mix(call.identity.shown_block, self.secret)
        call.asserted_blocks = call.shown_accounts = NAN
        if call.identity.account == 0:
            return
        call.asserted_blocks = min(
            crowd_note(&self.crowds, CROWD_SHOWN, account, block, now_ns),
            crowd_note(&self.crowds, CROWD_CALLED, account, call.callee_key, now_ns))
        call.shown_accounts = crowd_note(
            &self.crowds, CROWD_ACCOUNT, shown_key(call, source_key), account, now_ns)

    cdef void on_reply(self, const Call* call, bint known, int64_t now_ns) noexcept nogil:
        if known:
            group_reply(&self.groups[2 * call.source_profile], now_ns)

    cdef void on_answer(self, const Call* call, bint known, int64_t now_ns) noexcept nogil:
        cdef Group* route = self._route_of(call)
        if route != NULL:
            group_answer(route, call, now_ns)
        if known:
            group_answer(&self.groups[2 * call.source_profile], call, now_ns)
            if call.newcomer:
                group_answer(&self.groups[2 * call.source_profile + 1], call, now_ns)

    cdef void on_end(self, Call* call, bint known, int64_t now_ns) noexcept nogil:
        cdef Group* route = self._route_of(call)
        self._recordings(call, now_ns)
        if route != NULL:
            group_end(route, call, now_ns)
        if known:
            group_end(&self.groups[2 * call.source_profile], call, now_ns)
            if call.newcomer:
                group_end(&self.groups[2 * call.source_profile + 1], call, now_ns)

    cdef void _recordings(self, Call* call, int64_t now_ns) noexcept nogil:
        """Who else heard, or played, what the call sounds like."""
        cdef uint64_t played = call.voice.caller_sound
        cdef uint64_t answered = call.voice.callee_sound
        call.recording_callees = call.recording_callers = call.answer_recording_callees = NAN
        if played:
            crowd_prefetch(&self.recordings, CROWD_PLAYED_TO, played)
            crowd_prefetch(&self.recordings, CROWD_PLAYED_BY, played)
        if answered:
            crowd_prefetch(&self.recordings, CROWD_ANSWERED, answered)
            call.answer_recording_callees = crowd_note(
                &self.recordings, CROWD_ANSWERED, answered, call.callee_key, now_ns)
        if played:
            call.recording_callees = crowd_note(
                &self.recordings, CROWD_PLAYED_TO, played, call.callee_key, now_ns)
            call.recording_callers = crowd_note(
                &self.recordings, CROWD_PLAYED_BY, played, call.caller_key, now_ns)

    cdef void row(self, const Call* call, bint known, int64_t now_ns, float* row) noexcept nogil:
        cdef const Group* route = self._route_of(call)
        cdef const Group* groups = &self.groups[2 * call.source_profile] if known else NULL
        if known:
            source_group_features(groups, groups + 1, now_ns, row)
        else:
            source_group_features(&self.no_group, &self.no_group, now_ns, row)
        route_features(route if route != NULL else &self.no_group, now_ns, row)

    cdef bint registered(self, uint64_t user, uint64_t address, int64_t now_ns) noexcept nogil:
        cdef bint news = binding_of(&self.bindings, user, address, now_ns) != BOUND_HERE
        binding_note(&self.bindings, user, address, now_ns)
        return news

    cdef int failed(self, uint64_t user, uint64_t address, int64_t now_ns) noexcept nogil:
        cdef int found = 0
        cdef int bound = binding_of(&self.bindings, user, address, now_ns)
        cdef float addresses = crowd_note(&self.crowds, CROWD_USER, user, address, now_ns)
        if bound == BOUND_ELSEWHERE:
            found |= FAILURE_BOUND
        elif bound == BOUND_HERE:
            found |= FAILURE_OWN
        if addresses >= SHARED_FAILURES:
            found |= FAILURE_SHARED
        if addresses >= CROWD_FAILURES:
            found |= FAILURE_CROWD
        return found

    cdef Group* _take_route(self, Call* call, uint64_t destination_key) noexcept nogil:
        cdef Group* group
        call.route = slots_find(&self.routes, destination_key)
        if call.route == NO_SLOT:
            call.route = slots_take(&self.routes, destination_key)
            memset(&self.route_groups[call.route], 0, sizeof(Group))
        group = &self.route_groups[call.route]
        call.route_generation = self.routes.generations[call.route]
        slots_earn(&self.routes, call.route, <uint32_t>group.counts[GROUP_CALLS] + 1)
        return group

    cdef Group* _route_of(self, const Call* call) noexcept nogil:
        if not slots_holds(&self.routes, call.route, call.route_generation):
            return NULL
        return &self.route_groups[call.route]
