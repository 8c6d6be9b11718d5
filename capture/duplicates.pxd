# cython: language_level=3
"""Packets that a mirror shows twice."""
cimport cython
from libc.stdint cimport int64_t, uint64_t

from capture.packet cimport Packet

cdef enum:
    # A bucket is one cache line. At 200,000 packets/s and a window of 50 ms, 10,000 of the 65,536 entries are in use,
    # and one packet of some thousands loses its place too early.
    BUCKET_ENTRIES = 4
    BUCKETS = 16384

cdef struct SeenPacket:
    uint64_t key                # 0: never used
    int64_t time_ns


@cython.final
cdef class Duplicates:
    cdef SeenPacket* entries    # BUCKETS of BUCKET_ENTRIES
    cdef int64_t window_ns
    cdef uint64_t secret
    cdef readonly uint64_t found
    cdef readonly uint64_t evicted      # entries that had to go while their window was open

    # Whether this packet was seen less than a window ago; remembers it otherwise.
    cdef bint seen(self, const Packet* packet) noexcept nogil
