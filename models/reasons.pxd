# cython: language_level=3
"""Why a row was watched or flagged, as tables keep it: what it takes to say it, and not the words."""
from libc.stdint cimport int32_t, uint8_t, uint16_t

cdef enum:
    MAX_REASONS = 4

cdef struct ReasonNote:
    double typical          # of honest rows, as the bundle had it; NaN: not known
    float value
    int32_t effect          # in millionths
    uint16_t column         # of the feature in its row
    uint8_t rows            # of what kind, counted from 1 in the order of models.bundle.SCHEMAS; 0: no reason

cdef struct Reasons:        # of one row, the strongest first
    ReasonNote notes[MAX_REASONS]

# As a JSON list.
cdef bytes reasons_json(const Reasons* reasons)
# Whether what comes from a file can be told.
cdef bint are_reasons(const Reasons* reasons) noexcept
