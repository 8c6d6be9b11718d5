# cython: language_level=3
"""What is remembered of how the calls of one address are signalled: beside its profile, in a slot of its number."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from kernels.calls cimport Call
from kernels.distinct cimport Distinct

cdef enum:                      # counters, half-life 1 day
    STYLE_SUM_INVITES = 0           # whose style was read
    STYLE_SUM_AGENT_CHANGES = 1     # the fingerprint of the one before, another agent string
    STYLE_SUM_DECIMAL = 2
    STYLE_SUM_GOIP_STYLE = 3
    STYLE_SUM_CONTRADICTED = 4
    STYLE_SUM_ASSERTED_DIFFERS = 5
    STYLE_SUM_LOCATED = 6           # calls of which both countries are known
    STYLE_SUM_ABROAD = 7            # of these, from a number of another country than the callee's
    STYLE_SUM_ACRYPT = 8
    STYLE_SUM_REMOTE_BUSY = 9
    STYLE_SUM_KEEPALIVES = 10
    STYLE_SUM_SIM_BANK = 11
    STYLE_SUM_ASSERTED_ABROAD = 12  # that assert a number abroad, of another block than the one before of these
    STYLE_COUNTERS = 13

cdef enum GatewaySign:          # bits
    SIGN_ACRYPT = 1
    SIGN_REMOTE_BUSY = 2
    SIGN_KEEPALIVE = 4
    SIGN_SIM_BANK = 8

cdef struct Style:              # 176 bytes
    int64_t updated_ns          # to when the counts are decayed
    uint64_t fingerprint        # of the latest INVITE that was read, 0 for none
    uint64_t agent              # hash of its agent string
    float counts[STYLE_COUNTERS]
    Distinct fingerprints_day
    uint32_t asserted_block     # Identity.asserted_block of the latest INVITE that asserts a number abroad
    uint16_t country            # that prevails among callers (kernels/destination.pyx)
    uint8_t votes               # for it, less those against
    uint8_t signs               # GatewaySign ever seen

cdef void style_attempt(Style* style, const Call* call, int64_t now_ns) noexcept nogil
# The share of the INVITEs of an address that have the GoIP firmware's marks; NaN when none was read.
cdef float style_goip_ratio(const Style* style) noexcept nogil
cdef void style_sign(Style* style, uint8_t sign, int64_t now_ns) noexcept nogil
# Their part of a row. `callee` is the memory of the address called.
cdef void style_call_features(const Style* style, const Style* callee, const Call* call, int64_t now_ns,
                              float* row) noexcept nogil
cdef void style_source_features(const Style* style, int64_t now_ns, float* row) noexcept nogil
