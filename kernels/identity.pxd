# cython: language_level=3
"""What an INVITE says of who calls, and whether its parts agree."""
from libc.stdint cimport uint8_t, uint32_t

from capture.sip cimport SipMessage
from kernels.numbers cimport NumberPlan

cdef enum Asserted:             # P-Asserted-Identity (RFC 3325), else Remote-Party-ID, against From
    ASSERTED_NONE = 0
    ASSERTED_SAME = 1
    ASSERTED_OTHER = 2
    ASSERTED_WITHHELD = 3       # From withholds the number
    ASSERTED_ABROAD = 4         # as OTHER, of neither the shown number's country nor the callee's, and not forwarded

cdef enum Attestation:          # as claimed by the Identity header (RFC 8588); signatures are not checked
    ATTESTATION_NONE = 0        # no such header
    ATTESTATION_UNREADABLE = 1
    ATTESTATION_C = 2
    ATTESTATION_B = 3
    ATTESTATION_A = 4

cdef enum Verstat:              # 3GPP TS 24.229 7.2A.20
    VERSTAT_NONE = 0            # no such parameter
    VERSTAT_FAILED = 1
    VERSTAT_NOT_MADE = 2
    VERSTAT_PASSED = 3

cdef struct Identity:           # 20 bytes
    uint32_t asserted_block     # hash of the block of 10 000 of a number that is ASSERTED_ABROAD, else 0
    uint32_t account            # hash of the block of 100 of an asserted number that is not the one shown, in a call
                                # that nobody forwarded, else 0: an exchange has its numbers by the hundred
    uint32_t shown_block        # with an account: hash of the block of 10 000 of the number shown
    uint8_t asserted            # Asserted
    uint8_t attestation         # Attestation
    uint8_t verstat             # Verstat
    uint8_t diverted            # Diversion (RFC 5806), or History-Info (RFC 7044) with more than one entry
    uint8_t privacy             # Privacy asks for something (RFC 3323)

# `plan` is how national numbers are read.
cdef void identity_read(const SipMessage* message, const NumberPlan* plan, Identity* identity) noexcept nogil
# Whether two user parts are one number: the shorter's digits, without leading zeros, end the longer's.
cdef bint same_number(const uint8_t* a, uint32_t a_length, const uint8_t* b, uint32_t b_length) noexcept nogil
# The Attestation of the value of an Identity header.
cdef uint8_t attestation_of(const uint8_t* value, uint32_t length) noexcept nogil
