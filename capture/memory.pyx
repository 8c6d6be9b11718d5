# cython: language_level=3
"""Memory of the fixed tables.

Look-ups in a large table go to a random place each. With small pages every one of them would miss the TLB, so that
huge ones are asked for. And the first touch of a page is the kernel's work: to clear one of 2 MiB, and to ask the host
for it, takes some milliseconds, which a packet of a live link should not wait for. Who runs for months asks for
resident tables: then they take at the start what they may ever take, and memory does not grow with the traffic.
"""
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc

cdef extern from "sys/mman.h" nogil:
    int madvise(void* address, size_t length, int advice)
    const int MADV_HUGEPAGE

cdef enum:
    PAGE_BYTES = 4096
    HUGE_PAGE_BYTES = 2097152   # of x86-64, and of arm64 with 4 KiB pages

cdef bint resident = False


def keep_resident(bint wanted) -> None:
    """Whether the tables that this process makes from now on are in RAM from their start; they are not by default."""
    global resident
    resident = wanted


cdef void* table_calloc(size_t count, size_t size) noexcept nogil:
    cdef char* memory = <char*>calloc(count, size)
    cdef volatile char* page
    cdef char* begin = <char*>((<uintptr_t>memory + PAGE_BYTES - 1) & ~<uintptr_t>(PAGE_BYTES - 1))
    if memory != NULL and count * size >= HUGE_PAGE_BYTES:
        madvise(begin, count * size - (begin - memory), MADV_HUGEPAGE)     # advice: a refusal changes nothing
    if memory != NULL and resident:
        page = memory
        while page < memory + count * size:
            page[0] = 0
            page += PAGE_BYTES
    return memory
