# cython: language_level=3
"""Records of a capture file (pcap, pcapng) found in a buffer that the caller keeps filled."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum RecordStatus:
    RECORD_FOUND = 1
    RECORD_NEED_MORE = 0    # the buffer ends inside a record: fill it and ask again
    RECORD_MALFORMED = -1   # the file cannot be read past this point; see RecordReader.problem

cdef struct Record:
    int64_t time_ns
    const uint8_t* data     # valid until the buffer is filled again
    uint32_t captured_bytes
    uint32_t wire_bytes
    int32_t link_type       # LINKTYPE_ value (tcpdump.org/linktypes.html)

cdef class RecordReader:
    cdef int next(self, Record* record) noexcept nogil
