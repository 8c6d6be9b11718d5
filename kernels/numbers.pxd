# cython: language_level=3
"""Telephone numbers on the hot path: the user part of a URI to E.164 digits (ITU-T E.164, RFC 3966)."""
from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t

cdef enum:
    E164_BYTES = 16         # 15 digits (E.164 6.1) and NUL

cdef struct CountryRules    # the kernel's own: one row of kernels/numbering_table.py

cdef struct NumberPlan:
    const CountryRules* home    # by which national numbers are read; NULL without a home region

# Writes the digits without '+', NUL-terminated, to `out16` (E164_BYTES). Their count, or 0 (and an empty
# string) when `user` is not a plausible number: a name, an extension, an unknown country code, an impossible
# length. `user` is as sent: percent escapes, visual separators and user parameters are understood.
cdef int e164_digits(const uint8_t* user, uint32_t length, const NumberPlan* plan, char* out16) noexcept nogil

# Of E.164 digits without '+': the country code (44, 1, 883), or how many digits it has (1..3); 0 when there is none.
cdef int country_code(const char* e164) noexcept nogil
cdef int country_code_length(const char* e164) noexcept nogil

# Plan(region=None): region is an ISO 3166 alpha-2 code; ValueError when it has no numbering plan.
cdef class Plan:
    cdef NumberPlan plan
    cdef readonly object region
