# cython: language_level=3
"""Memory of the fixed tables."""

# Zeroed memory, to be freed with free(); NULL when refused.
cdef void* table_calloc(size_t count, size_t size) noexcept nogil
