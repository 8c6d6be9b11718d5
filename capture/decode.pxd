# cython: language_level=3
"""From a captured frame to its innermost UDP or TCP payload."""
from libc.stdint cimport int32_t, uint64_t

from capture.packet cimport Packet
from capture.records cimport Record

cdef enum DecodeStatus:
    DECODED = 1             # packet is filled
    DECODE_PENDING = 2      # an IP fragment, kept until its datagram is whole
    DECODE_IGNORED = 0      # a protocol that is not followed (ARP, ICMP, ...)
    DECODE_MALFORMED = -1   # a header lies about its length or is cut short

cdef class Decoder:
    cdef int decode(self, const Record* record, Packet* packet) noexcept nogil
