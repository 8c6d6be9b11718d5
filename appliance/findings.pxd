# cython: language_level=3
"""Findings about callers and sources: what the flagged calls and requests of one party add up to.

A fixed table, like those of the engine: the rows of a party that is suspected already make no Python object, and a box
that suspects ever more parties takes no more memory. Lines are made when they are asked for.

A caller is a party from its second suspect call on. A finding about an address (strangers.pxd) condemns none of its
calls: each has a verdict of its own.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from capture.index cimport Index
from capture.packet cimport Address
from kernels.break_ins cimport BreakIn
from kernels.calls cimport Call, USER_BYTES
from kernels.engine cimport RowNote
from models.newcomers cimport Newcomers
from models.reasons cimport Reasons
from models.standing cimport Standing

from appliance.strangers cimport Strangers

cdef enum:
    NEWS = 0            # all, those longest without news first
    UNTOLD = 1          # those with news since their line was last made, the oldest news first
    QUEUES = 2

cdef struct Party:      # an address, a caller at it, or a number wherever it calls from
    Address source
    uint8_t has_source
    uint8_t has_caller
    uint8_t caller_length
    char caller[USER_BYTES]

cdef struct Finding:
    uint64_t key        # hash of the party
    Party party
    uint8_t verdict     # 0: no row was added, though one of the block at hand, or of a caller, counts for what is below
    uint8_t is_untold
    uint8_t is_single   # about a caller with one suspect call, whose line says all: it is not told
    float score
    uint32_t types
    uint32_t requests
    int64_t first_ns    # since the epoch, as all times
    int64_t last_ns
    int64_t flagged_ns
    uint64_t news       # 1, 2, 3, ... in order of the latest news
    int32_t older[QUEUES]
    int32_t newer[QUEUES]
    uint64_t call           # serial of the caller's first suspect call
    Standing standing       # of a caller
    Strangers strangers     # of an address
    Newcomers newcomers     # of an address
    BreakIn break_in        # by an address, the latest; no tries: none
    Reasons reasons

cdef struct Suspect:        # a row that was watched or flagged; times are since the epoch
    int64_t first_ns
    int64_t time_ns
    uint32_t requests
    uint8_t verdict
    float score
    uint32_t types
    const Reasons* reasons  # NULL: those that the finding has do

cdef struct Rows:           # of a block: what they are about
    const RowNote* notes
    const Call* calls       # NULL: of sources
    int64_t offset_ns

cdef class Findings:
    cdef readonly uint32_t limit
    cdef readonly uint32_t untold   # how many `tell` has to go through
    cdef public uint64_t evicted
    cdef uint32_t used              # slots 0..used - 1 hold findings
    cdef uint64_t secret
    cdef uint64_t news
    cdef Finding* findings
    cdef Index index
    cdef int32_t oldest[QUEUES]
    cdef int32_t newest[QUEUES]
    cdef list given_up

    cdef int32_t _find(self, const Party* party, uint64_t* key) noexcept nogil
    cdef int32_t _of(self, const Party* party) except -1
    cdef int32_t _room(self) except -1
    cdef void _link(self, int32_t slot, int queue) noexcept nogil
    cdef void _unlink(self, int32_t slot, int queue) noexcept nogil
    cdef uint8_t _stand(self, const Party* party, const Rows* rows, Py_ssize_t i, uint8_t verdict,
                        uint32_t types) except 255
    cdef uint8_t _campaign(self, const Party* address, const Rows* rows, Py_ssize_t i, uint8_t verdict, uint32_t types,
                           float evidence, float calls_hour) except 255
    cdef uint8_t _told(self, int32_t slot) noexcept nogil
    cdef void _note_call(self, int32_t slot, uint64_t serial) noexcept nogil
    cdef void _add(self, int32_t slot, const Suspect* suspect) noexcept nogil
    cdef void _add_stranger(self, int32_t slot, const Suspect* call, uint8_t judged, float calls_hour) noexcept nogil
    cdef bytes _line(self, int32_t slot)
