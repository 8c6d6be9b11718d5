# cython: language_level=3
"""The packets of an AF_PACKET ring (TPACKET_V3), read where the kernel wrote them."""
cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from capture.source cimport Record, RecordSource


@cython.final
cdef class Ring(RecordSource):
    cdef Py_buffer buffer
    cdef uint8_t* memory        # NULL once it was given back
    cdef uint32_t block_bytes
    cdef uint32_t block_count
    cdef uint32_t current       # the block that is read, or waited for
    cdef uint32_t left          # packets of it that were not handed out yet
    cdef uint32_t place         # of the next one in it
    cdef bint held              # it is ours, and goes back to the kernel
    cdef bint leaving           # that was said to who reads
    cdef readonly int32_t link_type
    cdef readonly uint64_t packets
    cdef readonly uint64_t bytes        # on the wire
    cdef readonly uint64_t tagged       # packets whose VLAN tag was put back
    cdef readonly bint broken           # a block does not hold what its header says: nothing more is read

    cdef bint _next_block(self) noexcept nogil
    cdef int _broken(self) noexcept nogil
