# cython: language_level=3
"""Records of a capture file (pcap, pcapng) found in a buffer that the caller keeps filled."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from capture.source cimport MAXIMUM_SNAPLEN, Record, RecordSource

cdef enum:
    # Bytes of one pcapng block that is read whole: a packet of the largest size and as much again of
    # options. Longer blocks that hold no packet (secrets, names) are passed over, not buffered.
    MAXIMUM_BLOCK = 2 * MAXIMUM_SNAPLEN
    # Interfaces of one pcapng section. A capture of every port of a switch has some hundreds.
    MAXIMUM_INTERFACES = 1024
    # Distinct link types that are remembered for RecordReader.link_types.
    MAXIMUM_LINK_TYPES = 16

cdef enum FileFormat:
    FORMAT_UNKNOWN = 0      # nothing read yet
    FORMAT_PCAP = 1
    FORMAT_PCAPNG = 2
    FORMAT_BROKEN = 3       # a problem was met: nothing more is read

cdef struct Interface:      # of a pcapng section
    int32_t link_type
    uint32_t snaplen        # 0: unlimited
    uint64_t multiplier     # nanoseconds of a tick, 0 when ticks are finer or binary
    uint64_t divisor        # ticks of a nanosecond, 0 when coarser or binary
    uint8_t binary_digits   # ticks are 2^-n seconds
    uint64_t offset_ns      # if_tsoffset, two's complement
    uint64_t dropped        # isb_ifdrop + isb_osdrop, as last said


@cython.final
cdef class RecordReader(RecordSource):
    cdef Py_buffer buffer
    cdef uint8_t* data
    cdef size_t start               # the unread bytes are data[start:end]
    cdef size_t end
    cdef uint64_t passed            # bytes of the file before data[0]
    cdef uint64_t skip              # bytes to pass over before the next block
    cdef uint32_t trailer           # the block length that must follow them, 0 for none
    cdef int format                 # FileFormat
    cdef bint swapped               # the file is in the other byte order
    cdef uint32_t header_bytes      # pcap: of a record header
    cdef int64_t fraction_ns        # pcap: nanoseconds of a unit of the fraction
    cdef int32_t link_type          # pcap: of every record
    cdef int64_t last_ns            # time of the latest record
    cdef Interface* interfaces
    cdef uint32_t interface_count
    cdef uint64_t dropped_before    # in earlier pcapng sections
    cdef bint dropped_known
    cdef readonly bint starved      # the last `next` found nothing, and nothing came since
    cdef uint64_t record_count
    cdef uint64_t cut_count         # records shorter than what was on the wire
    cdef int32_t link_types_met[MAXIMUM_LINK_TYPES]
    cdef uint32_t link_type_count
    cdef int problem_code           # RecordProblem
    cdef uint64_t problem_value
    cdef uint64_t problem_offset    # in the file

    cdef int _open(self) noexcept nogil
    cdef int _open_pcap(self) noexcept nogil
    cdef int _next_pcap(self, Record* record) noexcept nogil
    cdef int _next_pcapng(self, Record* record) noexcept nogil
    cdef int _next_block(self) noexcept nogil
    cdef int _pass_over(self) noexcept nogil
    cdef inline void _lengths(self, Record* record, uint32_t captured, uint32_t wire) noexcept nogil
    cdef int _section(self, uint32_t length) noexcept nogil
    cdef int _interface(self, const uint8_t* block, uint32_t length) noexcept nogil
    cdef void _statistics(self, const uint8_t* block, uint32_t length) noexcept nogil
    cdef int _packet(self, const uint8_t* block, uint32_t length, uint32_t interface, Record* record) noexcept nogil
    cdef int _simple_packet(self, const uint8_t* block, uint32_t length, Record* record) noexcept nogil
    cdef void _meet_link_type(self, int32_t link_type) noexcept nogil
    cdef int _malformed(self, int problem, uint64_t value) noexcept nogil
