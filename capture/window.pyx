# cython: language_level=3
"""The bytes of one direction of a TCP connection, put in order. The picture is in window.pxd."""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memmove

from capture.pool cimport POOL_LARGEST_BYTES, BufferPool


cdef inline uint32_t _extent(const Window* window) noexcept nogil:
    return window.islands[window.island_count - 1].end if window.island_count > 0 else window.filled


cdef inline bint _is_borrowed(const Window* window) noexcept nogil:
    return window.data != window.buffer


cdef void _compact(Window* window) noexcept nogil:
    """Moves what is unread down to the floor."""
    cdef uint32_t shift = window.start - window.floor
    cdef uint32_t i
    if shift == 0:
        return
    memmove(window.buffer + window.floor, window.buffer + window.start, _extent(window) - window.start)
    for i in range(window.island_count):
        window.islands[i].start -= shift
        window.islands[i].end -= shift
    window.start -= shift
    window.filled -= shift
    window.segment_start = window.segment_start - shift if window.segment_start > shift else 0


cdef bint _reserve(Window* window, BufferPool pool, uint32_t beyond) noexcept nogil:
    """Room for `beyond` bytes behind `filled` in a buffer of the window's own."""
    cdef uint8_t* larger
    cdef uint32_t size = 0
    if not window_own(window, pool):
        return False
    if window.buffer != NULL and beyond <= window.capacity - window.filled:
        return True
    _compact(window)
    if window.buffer != NULL and beyond <= window.capacity - window.filled:
        return True
    if beyond > POOL_LARGEST_BYTES - window.filled:
        return False
    larger = pool.acquire(window.filled + beyond, &size)
    if larger == NULL:
        return False
    if window.buffer != NULL:
        memcpy(larger, window.buffer, _extent(window))
        pool.release(window.buffer, window.capacity)
    window.buffer = larger
    window.data = larger
    window.capacity = size
    return True


cdef void _copy_where_empty(Window* window, uint32_t at, const uint8_t* bytes, uint32_t length) noexcept nogil:
    """Writes the bytes that are not there yet: the first to arrive stays."""
    cdef uint32_t cursor = at
    cdef uint32_t end = at + length
    cdef uint32_t i
    cdef Island island
    for i in range(window.island_count):
        island = window.islands[i]
        if island.start >= end:
            break
        if island.start > cursor:
            memcpy(window.buffer + cursor, bytes + (cursor - at), island.start - cursor)
        if island.end > cursor:
            cursor = island.end
    if cursor < end:
        memcpy(window.buffer + cursor, bytes + (cursor - at), end - cursor)


cdef bint _add_island(Window* window, uint32_t start, uint32_t end) noexcept nogil:
    """Joins [start, end) with the islands it touches. False when it would be one too many."""
    cdef uint32_t first = 0
    cdef uint32_t last
    cdef uint32_t i
    while first < window.island_count and window.islands[first].end < start:
        first += 1
    last = first
    while last < window.island_count and window.islands[last].start <= end:
        start = min(start, window.islands[last].start)
        end = max(end, window.islands[last].end)
        last += 1
    if last == first:
        if window.island_count == WINDOW_ISLANDS:
            return False
        for i in range(window.island_count, first, -1):
            window.islands[i] = window.islands[i - 1]
        window.island_count += 1
    else:
        for i in range(last, window.island_count):
            window.islands[first + 1 + i - last] = window.islands[i]
        window.island_count -= last - first - 1
    window.islands[first].start = start
    window.islands[first].end = end
    return True


cdef void _land(Window* window) noexcept nogil:
    """Takes the first island, which begins at `filled` or before, into what is in order."""
    cdef uint32_t i
    if window.islands[0].end > window.filled:
        window.next_sequence += window.islands[0].end - window.filled
        window.filled = window.islands[0].end
    window.island_count -= 1
    for i in range(window.island_count):
        window.islands[i] = window.islands[i + 1]


cdef bint window_append(Window* window, BufferPool pool, const uint8_t* bytes, uint32_t length) noexcept nogil:
    if window.start == window.filled and window.floor == 0 and window.island_count == 0:
        window_clear(window, pool)
        window.data = bytes
        window.filled = length
        window.next_sequence += length
        return True
    if not _reserve(window, pool, length):
        return False
    _copy_where_empty(window, window.filled, bytes, length)
    window.segment_start = window.filled
    window.filled += length
    window.next_sequence += length
    while window.island_count > 0 and window.islands[0].start <= window.filled:
        _land(window)
    return True


cdef bint window_store(
        Window* window, BufferPool pool, uint32_t ahead, const uint8_t* bytes, uint32_t length) noexcept nogil:
    cdef uint32_t at
    if ahead > POOL_LARGEST_BYTES or not _reserve(window, pool, ahead + length):
        return False
    at = window.filled + ahead
    _copy_where_empty(window, at, bytes, length)
    return _add_island(window, at, at + length)


cdef uint32_t window_skip_gap(Window* window) noexcept nogil:
    cdef uint32_t lost = window.islands[0].start - window.filled
    window.floor = 0
    window.start = window.islands[0].start
    window.segment_start = window.start
    window.filled = window.start
    window.next_sequence += lost
    _land(window)
    return lost


cdef bint window_own(Window* window, BufferPool pool) noexcept nogil:
    cdef uint8_t* buffer
    cdef uint32_t size = 0
    cdef uint32_t unread = window.filled - window.start
    if not _is_borrowed(window):
        return True
    buffer = pool.acquire(unread, &size)
    if buffer == NULL:
        return False
    memcpy(buffer, window.data + window.start, unread)
    window.buffer = buffer
    window.data = buffer
    window.capacity = size
    window.segment_start = 0
    window.start = 0
    window.filled = unread
    return True


cdef bint window_settle(Window* window, BufferPool pool) noexcept nogil:
    if window.start == window.filled and window.floor == 0 and window.island_count == 0:
        window_clear(window, pool)
        return True
    if not window_own(window, pool):
        return False
    # Moving costs at most the capacity: half of it has been read since the last time.
    if window.start - window.floor > window.capacity // 2:
        _compact(window)
    return True


cdef void window_clear(Window* window, BufferPool pool) noexcept nogil:
    if window.buffer != NULL:
        pool.release(window.buffer, window.capacity)
    window.buffer = NULL
    window.data = NULL
    window.capacity = 0
    window.floor = 0
    window.start = 0
    window.filled = 0
    window.segment_start = 0
    window.island_count = 0
