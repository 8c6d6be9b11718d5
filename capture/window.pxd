# cython: language_level=3
"""The bytes of one direction of a TCP connection, put in order.

    data:  | kept | read already | unread, in order | gap | island | gap | island |
           0      floor          start              filled

Bytes beyond a gap are put where they belong at once and are known as islands. Where segments overlap, the byte that
arrived first stays (as BSD and Windows receivers do; Novak and Sturges, "Target-based TCP stream reassembly", 2007).
While nothing has to be kept, `data` is the packet itself and nothing is copied.
"""
from libc.stdint cimport uint8_t, uint32_t

from capture.pool cimport BufferPool

cdef enum:
    WINDOW_ISLANDS = 16             # precedent: Linux sends at most 4 SACK blocks; capture reordering is shallow

cdef struct Island:
    uint32_t start
    uint32_t end

cdef struct Window:
    const uint8_t* data             # `buffer`, or the payload of the packet at hand
    uint8_t* buffer                 # NULL while nothing is kept
    uint32_t capacity
    uint32_t floor                  # bytes at the front that a layer above has put there
    uint32_t start
    uint32_t filled
    uint32_t next_sequence          # of the byte at `filled`
    uint32_t segment_start          # where the latest segment in order begins
    uint32_t island_count
    Island islands[WINDOW_ISLANDS]  # in order, apart from each other

# In order: bytes at `next_sequence`. False when there is no memory; the window is then unchanged.
cdef bint window_append(Window* window, BufferPool pool, const uint8_t* bytes, uint32_t length) noexcept nogil
# Out of order: bytes `ahead` (> 0) of `next_sequence`. False when there is no room.
cdef bint window_store(
    Window* window, BufferPool pool, uint32_t ahead, const uint8_t* bytes, uint32_t length) noexcept nogil
# Gives up the unread bytes and the gap behind them: the first island is next. How many bytes the gap had.
cdef uint32_t window_skip_gap(Window* window) noexcept nogil
# Copies a borrowed packet to a buffer of the window's own, so that it outlives the packet and can be written.
cdef bint window_own(Window* window, BufferPool pool) noexcept nogil
# The packet is about to go: keeps what is unread. False when there is no memory for it; nothing has changed then.
cdef bint window_settle(Window* window, BufferPool pool) noexcept nogil
# Forgets all bytes; the sequence number stays.
cdef void window_clear(Window* window, BufferPool pool) noexcept nogil


cdef inline uint32_t window_unread(const Window* window) noexcept nogil:
    return window.filled - window.start


cdef inline uint32_t window_island_bytes(const Window* window) noexcept nogil:
    """From the first byte beyond the gap to the last byte known."""
    if window.island_count == 0:
        return 0
    return window.islands[window.island_count - 1].end - window.islands[0].start
