# cython: language_level=3
"""Where an INVITE says that its sender is reached (RFC 3261 8.1.1.8)."""
from libc.stdint cimport uint64_t

from capture.sip cimport SipMessage

# A hash of the host of the first Contact, 0 when there is none.
cdef uint64_t contact_host(const SipMessage* message, uint64_t secret) noexcept nogil
