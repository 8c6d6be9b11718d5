# cython: language_level=3
"""HEP messages that have arrived, as records."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from capture.hep cimport HepMessage
from capture.source cimport Record, RecordSource

cdef enum:
    # Datagrams that are taken off a socket at once; each has room for the largest.
    DATAGRAMS = 64
    DATAGRAM_BYTES = 65536
    # Bytes of streams that are taken at once, and messages of any kind that wait to be read.
    STREAM_BYTES = 1048576
    MESSAGES = 4096

cdef struct Waiting:
    const uint8_t* data
    uint32_t length

cdef struct HepCounters:
    uint64_t messages           # of any kind
    uint64_t sip
    uint64_t bytes
    uint64_t other              # not SIP: counted, not read
    uint64_t compressed
    uint64_t old                # revision 1 or 2
    uint64_t malformed
    uint64_t refused            # without the key that was agreed on


@cython.final
cdef class HepFeed(RecordSource):
    cdef uint8_t* datagrams         # DATAGRAMS of DATAGRAM_BYTES
    cdef uint8_t* stream            # STREAM_BYTES
    cdef uint32_t stream_used
    cdef Waiting* waiting           # MESSAGES
    cdef uint32_t first
    cdef uint32_t count
    cdef bytes key
    cdef const uint8_t* key_data    # NULL: no key was agreed on
    cdef uint32_t key_bytes
    cdef HepCounters counters

    cdef int64_t _take_stream(self, const uint8_t* data, uint32_t length) noexcept nogil
    cdef bint _accepts(self, const HepMessage* message) noexcept nogil
