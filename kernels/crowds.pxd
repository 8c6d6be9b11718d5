# cython: language_level=3
"""How many different members a thing has had lately: addresses that share a signalling style, numbers behind one
Contact, numbers of one block that an address shows, addresses at which the passwords of one user fail, numbers shown
and called under one that is asserted, numbers that a recording is played to.

A table of fixed size. A crowd is in one of `sets` sets and told apart there by 64 bits of its hash; when a set is full,
the crowd goes that has been seen least, those of which nothing was heard for two windows first, and of those that were
seen as much the oldest. So a flood of things that come once pushes out other such things, and not the crowds.
"""
from libc.stdint cimport int64_t, uint64_t

from kernels.distinct cimport Distinct

cdef enum:
    CROWDS_A_SET = 4

cdef enum CrowdKind:
    CROWD_STYLE = 1             # addresses of a signalling fingerprint
    CROWD_CONTACT = 2           # callers behind a host that Contact names
    CROWD_RANGE = 3             # callers of one range of numbers at one address
    CROWD_USER = 4              # addresses at which the passwords of a user are wrong
    CROWD_PLAYED_TO = 5         # numbers called by calls whose calling side has a sound
    CROWD_PLAYED_BY = 6         # callers of these calls
    CROWD_ANSWERED = 7          # numbers called by calls whose answering side has a sound
    CROWD_SHOWN = 8             # blocks of numbers shown under one account at one address
    CROWD_CALLED = 9            # numbers called under it
    CROWD_ACCOUNT = 10          # accounts under which a number is shown at one address

cdef struct Crowd:              # 96 bytes
    uint64_t key                # 0 for none
    Distinct members            # over half a day and the one before

cdef struct CrowdTable:
    Crowd* crowds
    uint64_t mask               # of sets
    uint64_t evicted            # crowds seen more than once within two windows that made room for others

# Room for at least `crowds`. 0 when done, -1 when memory is refused (free it all the same).
cdef int crowds_init(CrowdTable* table, uint64_t crowds) noexcept nogil
cdef void crowds_free(CrowdTable* table) noexcept nogil
# `crowd_note` will come soon.
cdef void crowd_prefetch(const CrowdTable* table, CrowdKind kind, uint64_t key) noexcept nogil
# Notes a member, a uniform hash, of the thing with the hash `key`; how many different ones it has had, this one
# included (standard error 13 %).
cdef float crowd_note(CrowdTable* table, CrowdKind kind, uint64_t key, uint64_t member, int64_t now_ns) noexcept nogil
