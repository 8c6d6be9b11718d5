# cython: language_level=3
"""What a call has in common with others, beyond its caller and its callee: tables of bounded size."""
from libc.stdint cimport int32_t, int64_t, uint64_t

from kernels.bindings cimport BindingTable
from kernels.calls cimport Call
from kernels.crowds cimport CrowdTable
from kernels.groups cimport Group
from kernels.slots cimport SlotTable
from kernels.spellings cimport Spellings

cdef enum Failure:              # bits: what a wrong password says beside itself
    FAILURE_BOUND = 1           # its user is registered from another address
    FAILURE_SHARED = 2          # other addresses fail for its user, too
    FAILURE_OWN = 4             # its user is registered from the address itself
    FAILURE_CROWD = 8           # two other addresses or more fail for its user

cdef class Relations:
    cdef Group* groups                  # of sources, by their slots: all calls, then those of newcomers, two for each
    cdef Group no_group                 # never written to
    cdef Spellings* spellings           # of sources, by their slots
    cdef SlotTable routes               # addresses that are called
    cdef Group* route_groups
    cdef CrowdTable crowds
    cdef CrowdTable recordings          # who heard a sound, played it, or answered with it
    cdef BindingTable bindings
    cdef uint64_t secret

    # A slot of the sources has another address now.
    cdef void forget_source(self, int32_t slot) noexcept nogil
    # A call began: `number` are the digits dialled, `caller_calls` the calls of its caller so far, 0 without a profile.
    # Sets what the call keeps of its relations. `source_key`, `destination_key`: hashes of the addresses.
    cdef void on_setup(self, Call* call, uint64_t source_key, uint64_t destination_key, uint64_t number,
                       uint64_t caller_calls, int64_t now_ns) noexcept nogil
    # `on_setup` will come soon; one of the next ones.
    cdef void prefetch_setup(self, const Call* call, uint64_t source_key, uint64_t destination_key) noexcept nogil
    cdef void prefetch(self, const Call* call) noexcept nogil
    # It was replied to, answered, reached its end state; `known`: its source still has a profile. The end sets what the
    # call keeps of its sounds.
    cdef void on_reply(self, const Call* call, bint known, int64_t now_ns) noexcept nogil
    cdef void on_answer(self, const Call* call, bint known, int64_t now_ns) noexcept nogil
    cdef void on_end(self, Call* call, bint known, int64_t now_ns) noexcept nogil
    # Its part of a call row.
    cdef void row(self, const Call* call, bint known, int64_t now_ns, float* row) noexcept nogil
    # A user, the hash of its name at its registrar, was registered from an address: whether it was not known to be; or
    # had a wrong password there: the Failure bits.
    cdef bint registered(self, uint64_t user, uint64_t address, int64_t now_ns) noexcept nogil
    cdef int failed(self, uint64_t user, uint64_t address, int64_t now_ns) noexcept nogil

    cdef void _crowds(self, Call* call, uint64_t source_key, int64_t now_ns) noexcept nogil
    cdef void _accounts(self, Call* call, uint64_t source_key, int64_t now_ns) noexcept nogil
    cdef void _recordings(self, Call* call, int64_t now_ns) noexcept nogil
    cdef Group* _take_route(self, Call* call, uint64_t destination_key) noexcept nogil
    cdef Group* _route_of(self, const Call* call) noexcept nogil
