# cython: language_level=3
"""Memory of the fixed tables."""
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc

cdef extern from "sys/mman.h" nogil:
    int madvise(void* address, size_t length, int advice)
    const int MADV_HUGEPAGE

cdef enum:
    PAGE_BYTES = 4096
    HUGE_PAGE_BYTES = 2097152   # of x86-64, and of arm64 with 4 KiB pages


cdef inline void* table_calloc(size_t count, size_t size) noexcept nogil:
    """Zeroed memory, to be freed with free(); NULL when refused. Pages that are never touched cost nothing.

    Look-ups in a large table go to a random place each: with small pages every one of them would miss the TLB.
    """
    cdef char* memory = <char*>calloc(count, size)
    cdef char* begin = <char*>((<uintptr_t>memory + PAGE_BYTES - 1) & ~<uintptr_t>(PAGE_BYTES - 1))
    if memory != NULL and count * size >= HUGE_PAGE_BYTES:
        madvise(begin, count * size - (begin - memory), MADV_HUGEPAGE)     # advice: a refusal changes nothing
    return memory
