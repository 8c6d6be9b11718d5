# cython: language_level=3
"""From where each user was registered last (RFC 3261 10.2): a table of fixed size.

Calls of an account from another address than its telephone's, and wrong passwords for a user whose telephone is
registered elsewhere at that time, are what a stolen or a guessed account looks like. A user is in one set, told apart
there by 32 bits of its hash; a full set gives up the binding that is oldest. So a user who never registered is taken
for another with a probability of at most BINDINGS_A_SET * 2^-32.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from capture.index cimport prefetch

cdef enum:
    BINDINGS_A_SET = 4          # one cache line

cdef extern from *:
    """
    /* The longest that clients ask for and registrars grant in common use is an hour (RFC 3261 10.2), and its refresh
       may be lost once. */
    #define SW_BINDING_NS (2LL * 3600 * 1000000000)
    """
    const int64_t BINDING_NS "SW_BINDING_NS"

cdef enum Bound:
    BOUND_UNKNOWN = 0           # no registration was seen within BINDING_NS
    BOUND_HERE = 1
    BOUND_ELSEWHERE = 2

cdef struct Binding:
    uint32_t fingerprint        # 0 for none
    uint32_t address            # low half of the hash of the address it was registered from
    int64_t time_ns

cdef struct BindingTable:
    Binding* bindings
    uint64_t mask               # of sets


cdef inline void binding_prefetch(const BindingTable* table, uint64_t user) noexcept nogil:
    """`binding_of` will come soon."""
    prefetch(table.bindings + (user & table.mask) * BINDINGS_A_SET)


# Room for at least `bindings`. 0 when done, -1 when memory is refused (free it all the same).
cdef int bindings_init(BindingTable* table, uint64_t bindings) noexcept nogil
cdef void bindings_free(BindingTable* table) noexcept nogil
# A registration of a user from an address succeeded. Both are uniform hashes.
cdef void binding_note(BindingTable* table, uint64_t user, uint64_t address, int64_t now_ns) noexcept nogil
# Where the user is registered, as a Bound seen from `address`.
cdef int binding_of(const BindingTable* table, uint64_t user, uint64_t address, int64_t now_ns) noexcept nogil
