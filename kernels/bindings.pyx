# cython: language_level=3
"""Noting and finding registrations, and their Python face."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from capture.memory cimport table_calloc, table_free

SET = BINDINGS_A_SET
MEMORY_S = BINDING_NS * 1e-9
BOUND_NAMES = ("unknown", "here", "elsewhere")


cdef int bindings_init(BindingTable* table, uint64_t bindings) noexcept nogil:
    cdef uint64_t sets = 1
    while sets * BINDINGS_A_SET < bindings:
        sets <<= 1
    table.mask = sets - 1
    table.bindings = <Binding*>table_calloc(sets * BINDINGS_A_SET, sizeof(Binding))
    return 0 if table.bindings != NULL else -1


cdef void bindings_free(BindingTable* table) noexcept nogil:
    table_free(table.bindings)
    memset(table, 0, sizeof(BindingTable))


cdef inline uint32_t half(uint64_t hashed) noexcept nogil:
    return <uint32_t>(hashed >> 32) if hashed >> 32 else 1


cdef void binding_note(BindingTable* table, uint64_t user, uint64_t address, int64_t now_ns) noexcept nogil:
    cdef Binding* place = table.bindings + (user & table.mask) * BINDINGS_A_SET
    cdef Binding* oldest = place
    cdef int i
    for i in range(BINDINGS_A_SET):
        if place[i].fingerprint == half(user):
            oldest = &place[i]
            break
        if place[i].time_ns < oldest.time_ns:
            oldest = &place[i]
    oldest.fingerprint = half(user)
    oldest.address = half(address)
    oldest.time_ns = now_ns


cdef int binding_of(const BindingTable* table, uint64_t user, uint64_t address, int64_t now_ns) noexcept nogil:
    cdef const Binding* place = table.bindings + (user & table.mask) * BINDINGS_A_SET
    cdef int i
    for i in range(BINDINGS_A_SET):
        if place[i].fingerprint != half(user):
            continue
        if now_ns > place[i].time_ns and <uint64_t>now_ns - <uint64_t>place[i].time_ns > <uint64_t>BINDING_NS:
            return BOUND_UNKNOWN
        return BOUND_HERE if place[i].address == half(address) else BOUND_ELSEWHERE
    return BOUND_UNKNOWN


cdef class Bindings:
    """Bindings(bindings=4096): the table by itself, for tests. Raises MemoryError."""
    cdef BindingTable table

    def __cinit__(self, uint64_t bindings=4096):
        if bindings_init(&self.table, bindings) != 0:
            raise MemoryError(f"no memory for {bindings} bindings")

    def __dealloc__(self):
        bindings_free(&self.table)

    def note(self, uint64_t user, uint64_t address, int64_t time_ns) -> None:
        """The user was registered from the address."""
        binding_note(&self.table, user, address, time_ns)

    def find(self, uint64_t user, uint64_t address, int64_t time_ns) -> str:
        """One of BOUND_NAMES."""
        return BOUND_NAMES[binding_of(&self.table, user, address, time_ns)]
