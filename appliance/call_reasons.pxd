# cython: language_level=3
"""Why calls in the table are watched or flagged, by their slots."""
from libc.stdint cimport int32_t, uint32_t, uint64_t

from models.reasons cimport Reasons

cdef struct CallNote:
    uint64_t serial             # of the call; another one may have its slot by now
    Reasons reasons

cdef class CallReasons:
    cdef CallNote* notes
    cdef uint32_t slots

    # As a JSON list; an empty one when none are known.
    cdef bytes of(self, int32_t slot, uint64_t serial)
