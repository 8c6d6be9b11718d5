# cython: language_level=3
"""Memory of the fixed tables.

Look-ups in a large table go to a random place each. With small pages every one of them would miss the TLB, so that
huge ones are asked for, and a table begins where one can: what calloc gives begins anywhere, and of 4 MiB only half
would lie in huge pages. And the first touch of a page is the kernel's work: to clear one of 2 MiB, and to ask the host
for it, takes some milliseconds, which a packet of a live link should not wait for. Who runs for months asks for
resident tables: then they take at the start what they may ever take, and memory does not grow with the traffic.
"""
from libc.stdint cimport uintptr_t

cdef extern from "sys/mman.h" nogil:
    void* mmap(void* address, size_t length, int protection, int flags, int file, long offset)
    int munmap(void* address, size_t length)
    int madvise(void* address, size_t length, int advice)
    const int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MADV_HUGEPAGE
    void* MAP_FAILED

cdef enum:
    PAGE_BYTES = 4096
    HUGE_PAGE_BYTES = 2097152   # of x86-64, and of arm64 with 4 KiB pages

cdef struct Mapping:            # lies right before a table
    void* start
    size_t length

cdef bint resident = False


def keep_resident(bint wanted) -> None:
    """Whether the tables that this process makes from now on are in RAM from their start; they are not by default."""
    global resident
    resident = wanted


cdef void* table_calloc(size_t count, size_t size) noexcept nogil:
    cdef size_t bytes = count * size
    cdef size_t alignment = HUGE_PAGE_BYTES if bytes >= HUGE_PAGE_BYTES else PAGE_BYTES
    cdef size_t length = bytes + alignment + PAGE_BYTES
    cdef void* start = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    cdef char* table
    cdef volatile char* page
    cdef Mapping* mapping
    if start == MAP_FAILED:
        return NULL
    table = <char*>((<uintptr_t>start + PAGE_BYTES + alignment - 1) & ~<uintptr_t>(alignment - 1))
    mapping = <Mapping*>table - 1
    mapping.start = start
    mapping.length = length
    if bytes >= HUGE_PAGE_BYTES:
        madvise(table, bytes, MADV_HUGEPAGE)        # advice: a refusal changes nothing
    if resident:
        page = table
        while page < table + bytes:
            page[0] = 0
            page += PAGE_BYTES
    return table


cdef void table_free(void* table) noexcept nogil:
    cdef Mapping* mapping
    if table != NULL:
        mapping = <Mapping*>table - 1
        munmap(mapping.start, mapping.length)
