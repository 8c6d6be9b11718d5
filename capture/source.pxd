# cython: language_level=3
"""Where records come from: a capture file, a live ring, a HEP feed. The engine takes any of them."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum RecordStatus:
    RECORD_FOUND = 1
    RECORD_LEAVING = 2      # none yet: with the next call the source lets go of what it has handed out so far
    RECORD_NEED_MORE = 0    # no record is within reach: let the source receive more, and ask again
    RECORD_MALFORMED = -1   # the source cannot be read past this point

cdef enum:
    # Bytes of one packet. Precedent: tcpdump and Wireshark refuse more than 262144.
    MAXIMUM_SNAPLEN = 262144

cdef struct Record:
    int64_t time_ns         # since the Unix epoch, UTC
    const uint8_t* data     # valid until `next` is called after RECORD_LEAVING, or the source is told to receive more
    uint32_t captured_bytes
    uint32_t wire_bytes
    int32_t link_type       # LINKTYPE_ value (tcpdump.org/linktypes.html)


cdef class RecordSource:
    cdef readonly uint64_t duplicates       # of its packets, those that the engine had seen already

    # Fills `record` when RECORD_FOUND. Waits for nothing and makes no system call: what brings bytes within reach is
    # the source's own affair. A RecordStatus.
    cdef int next(self, Record* record) noexcept nogil
