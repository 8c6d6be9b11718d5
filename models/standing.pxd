# cython: language_level=3
"""Who was flagged a short while ago: of a campaign that is known, no call is only watched."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    STANDING_CALLS = 3

cdef struct FlaggedCall:
    uint64_t call
    int64_t time_ns
    uint32_t types

cdef struct Standing:       # of a party, which is a caller at its address; all zero: never flagged
    FlaggedCall calls[STANDING_CALLS]   # the latest, in order of time
    uint8_t count

# The verdict of a row, given what the model says of it (`types` is a mask of fraud types): FLAG, too, where it is
# watched as what three calls of its party were flagged as within the hour. Rows come in order of time.
cdef uint8_t standing_verdict(Standing* standing, uint64_t call, int64_t time_ns, uint8_t verdict,
                              uint32_t types) noexcept nogil
# Whether a row counts for its party from now on.
cdef bint standing_counts(uint8_t verdict, uint32_t types) noexcept nogil
