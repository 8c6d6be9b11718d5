# cython: language_level=3
"""Memory of the fixed tables."""

# Zeroed memory at a page's begin, to be freed with `table_free`; NULL when refused.
cdef void* table_calloc(size_t count, size_t size) noexcept nogil
# NULL is let pass, as by free().
cdef void table_free(void* table) noexcept nogil
