# cython: language_level=3
"""What an engine remembers, as regions of memory: tables of slots and plain arrays, entry by entry."""
from libc.stdint cimport uint32_t

from kernels.engine cimport Engine
from kernels.slots cimport SlotTable

cdef enum:
    MAX_REGIONS = 16
    MAX_COLUMNS = 7
    CALLS = 0                   # the region of the open calls, which is read by its queues
    TOTALS = 0xffffffff         # the last frame, which is of no region

cdef struct Column:
    char* data
    size_t entry_bytes

cdef struct Region:
    const char* name
    SlotTable* table            # whose slots it is about; NULL for a plain array
    uint32_t entries            # at most
    int column_count
    Column columns[MAX_COLUMNS]

cdef struct Frame:              # followed by column after column of its entries
    uint32_t region
    uint32_t first
    uint32_t count
    uint32_t reserved

# Everything that is kept of an engine but the totals; `regions` has room for MAX_REGIONS. How many there are.
cdef int describe(Engine engine, Region* regions) noexcept
cdef size_t entry_bytes(const Region* region) noexcept nogil
# The numbers beside the regions, by name. Setting them raises KeyError, TypeError, OverflowError or ValueError.
cdef dict totals_of(Engine engine, const Region* regions, int count)
cdef int set_totals(Engine engine, const Region* regions, int count, dict said) except -1
