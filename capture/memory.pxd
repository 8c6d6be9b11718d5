# cython: language_level=3
"""Memory of the fixed tables."""
from libc.stdint cimport uintptr_t
from posix.mman cimport (
    MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, madvise, mmap, munmap,
)

cdef extern from "sys/mman.h" nogil:
    const int MADV_HUGEPAGE

cdef enum:
    PAGE_BYTES = 4096
    HUGE_PAGE_BYTES = 2097152   # of x86-64, and of arm64 with 4 KiB pages

cdef struct Mapping:            # lies right before a table
    void* start
    size_t length


cdef inline void* table_calloc(size_t count, size_t size) noexcept nogil:
    """Zeroed memory at a page's begin, to be freed with `table_free`; NULL when refused. Pages that are never touched
    cost nothing.

    Look-ups in a large table go to a random place each: with small pages every one of them would miss the TLB. So it
    begins where a huge page can: those of calloc begin anywhere, and of 4 MiB only half would lie in huge pages.
    """
    cdef size_t alignment = HUGE_PAGE_BYTES if count * size >= HUGE_PAGE_BYTES else PAGE_BYTES
    cdef size_t length = count * size + alignment + PAGE_BYTES
    cdef void* start = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    cdef char* table
    cdef Mapping* mapping
    if start == MAP_FAILED:
        return NULL
    table = <char*>((<uintptr_t>start + PAGE_BYTES + alignment - 1) & ~<uintptr_t>(alignment - 1))
    mapping = <Mapping*>table - 1
    mapping.start = start
    mapping.length = length
    if alignment == HUGE_PAGE_BYTES:
        madvise(table, count * size, MADV_HUGEPAGE)     # advice: a refusal changes nothing
    return table


cdef inline void table_free(void* table) noexcept nogil:
    """NULL is let pass, as by free()."""
    cdef Mapping* mapping
    if table != NULL:
        mapping = <Mapping*>table - 1
        munmap(mapping.start, mapping.length)
