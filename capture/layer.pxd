# cython: language_level=3
"""What is left of a frame while its headers are opened one after another."""
from libc.stdint cimport uint8_t, uint32_t

cdef enum LayerStatus:      # the same values as DecodeStatus, so that they pass through
    LAYER_IGNORED = 0
    LAYER_MALFORMED = -1

cdef struct Layer:
    const uint8_t* data
    uint32_t captured       # bytes at data that may be read
    uint32_t wire           # bytes that were on the wire from here on; more than captured when cut by snaplen


cdef inline bint layer_open(Layer* layer, uint32_t header_bytes) noexcept nogil:
    """Steps over a header. False, and no step, when it is not whole."""
    if layer.captured < header_bytes:
        return False
    layer.data += header_bytes
    layer.captured -= header_bytes
    layer.wire -= header_bytes
    return True


cdef inline void layer_limit(Layer* layer, uint32_t length) noexcept nogil:
    """The header just read says that `length` bytes follow: cuts off padding behind them.

    A length beyond the end of the frame is taken as said, and the payload counts as truncated.
    """
    layer.wire = length
    if layer.captured > length:
        layer.captured = length
