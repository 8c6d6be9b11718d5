# cython: language_level=3
"""The style of the calls of an address: counters of a half-life of one day, and the features they make."""
from libc.math cimport NAN, exp2
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

from capture.hashing cimport hash_bytes
from kernels.behaviour cimport WINDOW_DAY_NS
from kernels.calls cimport Call
from kernels.decay cimport HALF_LIFE_DAY_S, decay_scale
from kernels.destination cimport Destination, destination_of
from kernels.distinct cimport distinct_add, distinct_advance, distinct_count
from kernels.features cimport *
from kernels.fingerprint cimport (
    ALLOW_GOIP, ALLOW_NONE, CLAIM_CONTRADICTED, CLAIM_NONE, HOST_IPV4, SESSION_GOIP, SESSION_NONE, SHAPE_DECIMAL,
)
from kernels.identity cimport (
    ASSERTED_ABROAD, ASSERTED_OTHER, ASSERTED_SAME, ATTESTATION_NONE, ATTESTATION_UNREADABLE, VERSTAT_FAILED,
    VERSTAT_NONE,
)
from kernels.rows cimport clipped, seconds_between

cdef extern from *:
    """
    /* Counts are clipped there; priors as in kernels/rows.pyx. */
    #define SW_MOST_STYLE_EVENTS 1e6
    #define SW_STYLE_PRIOR_WEIGHT 2.0f
    #define SW_USUAL_ABROAD_RATIO 0.05f
    """
    const double MOST_EVENTS "SW_MOST_STYLE_EVENTS"
    const float PRIOR_WEIGHT "SW_STYLE_PRIOR_WEIGHT"
    const float USUAL_ABROAD_RATIO "SW_USUAL_ABROAD_RATIO"

cdef enum:
    MOST_VOTES = 32         # so that a line that changes hands is soon another's
    FEWEST_VOTES = 4        # fewer make no usual country
    SIGNS = 4
    AGENT_SEED = 0x41

STYLE_BYTES = sizeof(Style)


cdef struct Countries:
    uint16_t caller             # 0 when not known
    uint16_t callee


cdef void countries_of(const Call* call, Countries* countries) noexcept nogil:
    cdef Destination found
    destination_of(call.caller_e164, &found)
    countries.caller = found.country
    destination_of(call.callee_e164, &found)
    countries.callee = found.country


cdef inline float left_of(const Style* style, int64_t now_ns) noexcept nogil:
    if now_ns <= style.updated_ns:          # as at set-up: a power saved
        return 1.0
    return <float>exp2(-seconds_between(style.updated_ns, now_ns) / HALF_LIFE_DAY_S)


cdef void bring_up(Style* style, int64_t now_ns) noexcept nogil:
    if now_ns > style.updated_ns:
        decay_scale(style.counts, STYLE_COUNTERS, left_of(style, now_ns))
        style.updated_ns = now_ns


cdef void vote(Style* style, uint16_t country) noexcept nogil:
    """Boyer and Moore's majority vote, which forgets."""
    if style.votes == 0:
        style.country = country
    if style.country != country:
        style.votes -= 1
    elif style.votes < MOST_VOTES:
        style.votes += 1


cdef void style_sign(Style* style, uint8_t sign, int64_t now_ns) noexcept nogil:
    bring_up(style, now_ns)
    style.signs |= sign
    if sign == SIGN_ACRYPT:
        style.counts[STYLE_SUM_ACRYPT] += 1.0
    elif sign == SIGN_REMOTE_BUSY:
        style.counts[STYLE_SUM_REMOTE_BUSY] += 1.0
    elif sign == SIGN_KEEPALIVE:
        style.counts[STYLE_SUM_KEEPALIVES] += 1.0
    else:
        style.counts[STYLE_SUM_SIM_BANK] += 1.0


cdef void note_style(Style* style, const Call* call, int64_t now_ns) noexcept nogil:
    cdef uint64_t agent = hash_bytes(<const uint8_t*>call.agent, call.agent_length, AGENT_SEED)
    cdef float* counts = style.counts
    counts[STYLE_SUM_INVITES] += 1.0
    counts[STYLE_SUM_AGENT_CHANGES] += style.fingerprint == call.signalling.fingerprint and style.agent != agent
    counts[STYLE_SUM_DECIMAL] += (
        call.signalling.branch == SHAPE_DECIMAL and call.signalling.tag == SHAPE_DECIMAL)
    counts[STYLE_SUM_GOIP_STYLE] += (
        call.signalling.allow == ALLOW_GOIP or call.signalling.session == SESSION_GOIP)
    counts[STYLE_SUM_CONTRADICTED] += call.signalling.agent == CLAIM_CONTRADICTED
    counts[STYLE_SUM_ASSERTED_DIFFERS] += (
        call.identity.asserted == ASSERTED_OTHER or call.identity.asserted == ASSERTED_ABROAD)
    if call.identity.asserted == ASSERTED_ABROAD:
        counts[STYLE_SUM_ASSERTED_ABROAD] += style.asserted_block != call.identity.asserted_block
        style.asserted_block = call.identity.asserted_block
    style.fingerprint = call.signalling.fingerprint
    style.agent = agent
    distinct_advance(&style.fingerprints_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&style.fingerprints_day, call.signalling.fingerprint)
    if call.signalling.acrypt:
        style_sign(style, SIGN_ACRYPT, now_ns)


cdef void style_attempt(Style* style, const Call* call, int64_t now_ns) noexcept nogil:
    cdef Countries countries
    bring_up(style, now_ns)
    countries_of(call, &countries)
    if countries.caller and countries.callee:
        style.counts[STYLE_SUM_LOCATED] += 1.0
        style.counts[STYLE_SUM_ABROAD] += countries.caller != countries.callee
    if countries.caller:
        vote(style, countries.caller)
    if call.signalling.fingerprint:
        note_style(style, call, now_ns)


# -- rows -----------------------------------------------------------------------------------------------------

cdef inline float share(const Style* style, int part, int whole, float left, float usual) noexcept nogil:
    return (style.counts[part] * left + PRIOR_WEIGHT * usual) / (style.counts[whole] * left + PRIOR_WEIGHT)


cdef float style_goip_ratio(const Style* style) noexcept nogil:
    """A ratio of two counters is not moved by time."""
    if style.fingerprint == 0:
        return NAN
    return (style.counts[STYLE_SUM_GOIP_STYLE]) / (style.counts[STYLE_SUM_INVITES] + PRIOR_WEIGHT)


cdef void invite_features(const Call* call, float* row) noexcept nogil:
    """Of the call alone."""
    row[BRANCH_DECIMAL] = row[TAG_DECIMAL] = row[CALL_ID_DECIMAL] = row[ALLOW_GOIP_ORDER] = NAN
    row[SDP_GOIP_SESSION] = row[AGENT_CONTRADICTED] = row[ASSERTED_DIFFERS] = row[ATTESTATION] = NAN
    row[VERSTAT] = row[DIVERTED] = row[PRIVACY_REQUESTED] = NAN
    if call.signalling.fingerprint == 0:
        return
    row[BRANCH_DECIMAL] = call.signalling.branch == SHAPE_DECIMAL
    row[TAG_DECIMAL] = call.signalling.tag == SHAPE_DECIMAL
    row[CALL_ID_DECIMAL] = call.signalling.call_id == SHAPE_DECIMAL and call.signalling.call_id_host == HOST_IPV4
    if call.signalling.allow != ALLOW_NONE:
        row[ALLOW_GOIP_ORDER] = call.signalling.allow == ALLOW_GOIP
    if call.signalling.session != SESSION_NONE:
        row[SDP_GOIP_SESSION] = call.signalling.session == SESSION_GOIP
    if call.signalling.agent != CLAIM_NONE:
        row[AGENT_CONTRADICTED] = call.signalling.agent == CLAIM_CONTRADICTED
    if call.identity.asserted == ASSERTED_SAME:
        row[ASSERTED_DIFFERS] = 0.0
    elif call.identity.asserted == ASSERTED_OTHER:
        row[ASSERTED_DIFFERS] = 1.0
    elif call.identity.asserted == ASSERTED_ABROAD:
        row[ASSERTED_DIFFERS] = 2.0
    if call.identity.attestation != ATTESTATION_NONE:
        row[ATTESTATION] = call.identity.attestation - ATTESTATION_UNREADABLE
    if call.identity.verstat != VERSTAT_NONE:
        row[VERSTAT] = call.identity.verstat - VERSTAT_FAILED
    row[DIVERTED] = call.identity.diverted
    row[PRIVACY_REQUESTED] = call.identity.privacy


cdef void style_call_features(const Style* style, const Style* callee, const Call* call, int64_t now_ns,
                              float* row) noexcept nogil:
    cdef float left = left_of(style, now_ns)
    cdef Countries countries
    cdef uint8_t signs = style.signs | callee.signs
    cdef int sign
    invite_features(call, row)
    row[SOURCE_FINGERPRINTS_DAY] = clipped(distinct_count(&style.fingerprints_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[SOURCE_AGENT_CHANGE_RATIO] = share(style, STYLE_SUM_AGENT_CHANGES, STYLE_SUM_INVITES, left, 0.0)
    row[GATEWAY_SIGNS] = 0.0
    for sign in range(SIGNS):
        row[GATEWAY_SIGNS] += signs >> sign & 1
    row[GATEWAY_PROOFS] = (
        ((signs & SIGN_KEEPALIVE) != 0) + ((signs & SIGN_SIM_BANK) != 0) + call.signalling.acrypt)
    row[SOURCE_ASSERTED_ABROAD_DAY] = 0.0
    if call.identity.asserted == ASSERTED_ABROAD:       # who shares the trunk is not concerned
        row[SOURCE_ASSERTED_ABROAD_DAY] = clipped(style.counts[STYLE_SUM_ASSERTED_ABROAD] * left, MOST_EVENTS)
    row[DOMESTIC_FROM_ABROAD] = row[CALLER_COUNTRY_UNUSUAL] = NAN
    countries_of(call, &countries)
    if countries.caller and countries.callee:
        row[DOMESTIC_FROM_ABROAD] = 0.0
        if countries.caller == countries.callee:
            row[DOMESTIC_FROM_ABROAD] = share(style, STYLE_SUM_ABROAD, STYLE_SUM_LOCATED, left, USUAL_ABROAD_RATIO)
    if countries.caller and style.votes >= FEWEST_VOTES:
        row[CALLER_COUNTRY_UNUSUAL] = countries.caller != style.country


cdef void style_source_features(const Style* style, int64_t now_ns, float* row) noexcept nogil:
    cdef float left = left_of(style, now_ns)
    row[FINGERPRINTS_DAY] = clipped(distinct_count(&style.fingerprints_day, now_ns, WINDOW_DAY_NS), MOST_EVENTS)
    row[AGENT_CHANGE_RATIO] = share(style, STYLE_SUM_AGENT_CHANGES, STYLE_SUM_INVITES, left, 0.0)
    row[SOURCE_DECIMAL_RATIO] = share(style, STYLE_SUM_DECIMAL, STYLE_SUM_INVITES, left, 0.0)
    row[SOURCE_GOIP_STYLE_RATIO] = share(style, STYLE_SUM_GOIP_STYLE, STYLE_SUM_INVITES, left, 0.0)
    row[SOURCE_CONTRADICTED_RATIO] = share(style, STYLE_SUM_CONTRADICTED, STYLE_SUM_INVITES, left, 0.0)
    row[SOURCE_ASSERTED_DIFFERS_RATIO] = share(style, STYLE_SUM_ASSERTED_DIFFERS, STYLE_SUM_INVITES, left, 0.0)
    row[SOURCE_ABROAD_RATIO] = share(style, STYLE_SUM_ABROAD, STYLE_SUM_LOCATED, left, USUAL_ABROAD_RATIO)
    row[SOURCE_ACRYPT_HEADERS] = clipped(style.counts[STYLE_SUM_ACRYPT] * left, MOST_EVENTS)
    row[SOURCE_REMOTE_BUSY] = clipped(style.counts[STYLE_SUM_REMOTE_BUSY] * left, MOST_EVENTS)
    row[GOIP_KEEPALIVES] = clipped(style.counts[STYLE_SUM_KEEPALIVES] * left, MOST_EVENTS)
    row[SIM_BANK_PACKETS] = clipped(style.counts[STYLE_SUM_SIM_BANK] * left, MOST_EVENTS)
