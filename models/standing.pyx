# cython: language_level=3
"""See standing.pxd. The box keeps a `Standing` in each of its findings; a bundle is judged by the same."""
import numpy as np

from models.fraud_types import BIT_OF
from models.verdict import FLAG, WATCH

# A party stands as known after STANDING_CALLS flagged calls; it begins anew after so long, since numbers are given back
# and telephones are cleaned.
STANDING_NS = 3600 * 10**9

cdef int64_t WITHIN_NS = STANDING_NS
cdef uint8_t FLAGGED = FLAG
cdef uint8_t WATCHED = WATCH
# Whose fraud it is not: who is falsely answered, or handed to a gateway, calls honestly.
cdef uint32_t OF_THE_CALLER = ~(<uint32_t>BIT_OF["false_answer"] | <uint32_t>BIT_OF["goip_gateway"])


cdef uint8_t standing_verdict(Standing* standing, uint64_t call, int64_t time_ns, uint8_t verdict,
                              uint32_t types) noexcept nogil:
    cdef int i
    if standing_counts(verdict, types):
        note(standing, call, time_ns, types & OF_THE_CALLER)
    elif verdict == WATCHED:
        types &= OF_THE_CALLER
        for i in range(standing.count):
            types &= standing.calls[i].types
        if types and standing.count == STANDING_CALLS and time_ns - standing.calls[0].time_ns <= WITHIN_NS:
            return FLAGGED
    return verdict


cdef bint standing_counts(uint8_t verdict, uint32_t types) noexcept nogil:
    return verdict == FLAGGED and types & OF_THE_CALLER != 0


cdef void note(Standing* standing, uint64_t call, int64_t time_ns, uint32_t types) noexcept nogil:
    """A call that is flagged again counts once, as of now."""
    cdef int i, kept = 0
    for i in range(standing.count):
        if standing.calls[i].call != call:
            standing.calls[kept] = standing.calls[i]
            kept += 1
    if kept == STANDING_CALLS:
        for i in range(1, kept):
            standing.calls[i - 1] = standing.calls[i]
        kept -= 1
    standing.calls[kept] = FlaggedCall(call, time_ns, types)
    standing.count = kept + 1


def flag_known(party, const int64_t[:] call, const int64_t[:] time_ns, uint8_t[::1] verdict,
               const uint32_t[::1] types):
    """Flags the watched rows of parties that were flagged, in place, as the box does.

    Of rows in order of time, [n] each: party (whatever compares), call and time_ns int64, verdict uint8 and types
    uint32 as models.scorer.Scores has them. Raises ValueError when they differ in length.
    """
    parties, which = np.unique(party, return_inverse=True)
    cdef const int64_t[::1] index = which.astype(np.int64)
    cdef uint8_t[:, ::1] memory = np.zeros((len(parties), sizeof(Standing)), np.uint8)
    cdef Py_ssize_t i
    if not index.shape[0] == call.shape[0] == time_ns.shape[0] == verdict.shape[0] == types.shape[0]:
        raise ValueError("parties, calls, times, verdicts and types differ in length")
    for i in range(index.shape[0]):
        verdict[i] = standing_verdict(<Standing*>&memory[index[i], 0], call[i], time_ns[i], verdict[i], types[i])
