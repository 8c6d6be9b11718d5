# cython: language_level=3
"""From a captured frame to its innermost UDP or TCP payload."""
cimport cython
from libc.stdint cimport int32_t, uint64_t

from capture.fragments cimport FragmentTable
from capture.ip cimport Fragment
from capture.layer cimport Layer
from capture.packet cimport Packet
from capture.source cimport Record

cdef enum DecodeStatus:
    DECODED = 1             # packet is filled
    DECODE_PENDING = 2      # an IP fragment, kept until its datagram is whole
    DECODE_IGNORED = 0      # a protocol that is not followed (ARP, ICMP, ...)
    DECODE_MALFORMED = -1   # a header lies about its length or is cut short

cdef enum:
    # IP headers of one frame: tunnels in tunnels. Precedent: Suricata gives up after 16.
    MAXIMUM_NESTING = 8

cdef struct DecodeCounters:
    uint64_t decoded
    uint64_t pending
    uint64_t ignored
    uint64_t malformed
    uint64_t truncated      # decoded, with a payload that snaplen cut


@cython.final
@cython.final
cdef class Decoder:
    cdef readonly FragmentTable fragments
    cdef DecodeCounters counters

    cdef int decode(self, const Record* record, Packet* packet) noexcept nogil
    cdef int _open(self, const Record* record, Packet* packet) noexcept nogil
    cdef int _gather(self, Fragment fragment, Layer* layer, Packet* packet) noexcept nogil
