# cython: language_level=3
"""Numbers with one suspect call each, counted at the address that they call from.

A campaign that shows another number at each call has no caller to be found; its address has. A number's first suspect
call is said by the line of the call itself; when such calls are many at an address, and a good part of all its calls,
there is one finding about the address, instead of one about each number.
"""
from libc.math cimport exp2
from libc.stdint cimport int64_t, uint8_t, uint32_t

from kernels.decay cimport HALF_LIFE_HOUR_S

cdef extern from *:
    """
    /* As many calls as make a campaign, and more than strays of honest people come to. */
    #define SW_STRANGERS 8.0f
    /* Of all calls of the address: a trunk is not suspect because a campaign is a small part of it. */
    #define SW_STRANGERS_SHARE 0.25f
    """
    const float STRANGERS "SW_STRANGERS"
    const float STRANGERS_SHARE "SW_STRANGERS_SHARE"

cdef struct Strangers:      # of an address; all zero: none
    int64_t first_ns        # of the first such call
    int64_t time_ns         # at which the counts below were right
    float suspect           # numbers watched or flagged, fading with a half-life of an hour
    float flagged
    uint32_t calls          # all of them so far


cdef inline void strangers_note(Strangers* strangers, int64_t time_ns, bint is_new, bint is_flagged) noexcept nogil:
    """A number's only suspect call so far is suspect now (`is_new`), or flagged now."""
    cdef float fading
    if strangers.calls == 0:
        strangers.first_ns = time_ns
    elif time_ns > strangers.time_ns:
        fading = <float>exp2((strangers.time_ns - time_ns) * 1e-9 / HALF_LIFE_HOUR_S)
        strangers.suspect *= fading
        strangers.flagged *= fading
    strangers.time_ns = max(strangers.time_ns, time_ns)
    strangers.calls += is_new
    strangers.suspect += is_new
    strangers.flagged += is_flagged


cdef inline bint strangers_are(float count, float calls_hour) noexcept nogil:
    """Whether so many of an address's calls, `calls_hour` of the same fading, make it suspect."""
    return count >= STRANGERS and count >= STRANGERS_SHARE * calls_hour
