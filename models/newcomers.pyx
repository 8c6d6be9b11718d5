# cython: language_level=3
"""See newcomers.pxd. The box keeps `Newcomers` in its findings about addresses; a bundle is judged by the same."""
from libc.math cimport exp2
from libc.stdint cimport int32_t

from kernels.decay cimport HALF_LIFE_HOUR_S

import numpy as np

from models.fraud_types import BIT_OF
from models.verdict import FLAG, WATCH

# So many watched calls of newcomers, which must be so many of all their calls, are a campaign: honest trunks have
# newcomers, too, and few of those are watched. Both are counted with a half-life of an hour.
CAMPAIGN_CALLS = 20
CAMPAIGN_SHARE = 0.8
# A number is new in its first three calls; a number withheld has no calls.
NEW_CALLS = 3

cdef float LEAST_CALLS = CAMPAIGN_CALLS
cdef float LEAST_SHARE = CAMPAIGN_SHARE
cdef float MOST_EVIDENCE = NEW_CALLS
cdef uint8_t FLAGGED = FLAG
cdef uint8_t WATCHED = WATCH
# Not floods: to a hotline new numbers call, too, and what floods a number is told by its rate.
cdef uint32_t[ROTATING] FRAUDS = [BIT_OF[name] for name in ("robocall", "vishing", "caller_spoofing", "flash_call")]
cdef uint32_t ANY_FRAUD = FRAUDS[0] | FRAUDS[1] | FRAUDS[2] | FRAUDS[3]


cdef uint8_t newcomers_verdict(Newcomers* newcomers, int where, int64_t time_ns, uint8_t verdict, uint32_t types,
                               float evidence, float calls_hour) noexcept nogil:
    cdef bint is_campaign = False
    cdef float campaign = max(LEAST_CALLS, LEAST_SHARE * calls_hour)
    cdef int i
    if not newcomers_count(verdict, types, evidence):
        return verdict
    for i in range(ROTATING):
        if types & FRAUDS[i] and watched(&newcomers.frauds[i], where, time_ns) >= campaign:
            is_campaign = True
    return FLAGGED if is_campaign and verdict == WATCHED else verdict


cdef bint newcomers_count(uint8_t verdict, uint32_t types, float evidence) noexcept nogil:
    return verdict != 0 and types & ANY_FRAUD != 0 and evidence <= MOST_EVIDENCE


cdef float watched(WatchedCalls* fraud, int where, int64_t time_ns) noexcept nogil:
    """Counts the call; returns how many are watched, at their setup or at their end."""
    cdef float fading
    if time_ns > fraud.time_ns:
        fading = <float>exp2((fraud.time_ns - time_ns) * 1e-9 / HALF_LIFE_HOUR_S)
        fraud.calls[AT_SETUP] *= fading
        fraud.calls[AT_END] *= fading
        fraud.time_ns = time_ns
    if where != NOT_COUNTED:
        fraud.calls[where] += 1
    return max(fraud.calls[AT_SETUP], fraud.calls[AT_END])


def where_counted(case, const float[:] cancelled):
    """int32 [n] for flag_campaigns: of rows in order of time, their calls (whatever compares) and `cancelled` features,
    float32, which are known at the end of a call."""
    _, firsts = np.unique(case, return_index=True)
    where = np.full(len(case), NOT_COUNTED, np.int32)
    where[firsts] = AT_SETUP
    where[~np.isnan(cancelled)] = AT_END
    return where


def flag_campaigns(address, const int32_t[:] where, const int64_t[:] time_ns, uint8_t[::1] verdict,
                   const uint32_t[::1] types, const float[:] evidence, const float[:] calls_hour):
    """Flags the watched rows of newcomers who are a campaign's, in place, as the box does.

    Of rows in order of time, [n] each: address (whatever compares), where as of `where_counted`, time_ns int64,
    verdict uint8 and types uint32 as models.scorer.Scores has them, evidence and calls_hour float32: the rows'
    `caller_evidence` and `newcomer_calls_hour`. Raises ValueError when they differ in length.
    """
    addresses, which = np.unique(address, return_inverse=True)
    cdef const int64_t[::1] index = which.astype(np.int64)
    cdef uint8_t[:, ::1] memory = np.zeros((len(addresses), sizeof(Newcomers)), np.uint8)
    cdef Py_ssize_t i
    if not (index.shape[0] == where.shape[0] == time_ns.shape[0] == verdict.shape[0] == types.shape[0]
            == evidence.shape[0] == calls_hour.shape[0]):
        raise ValueError("addresses, places, times, verdicts, types, evidence and calls an hour differ in length")
    for i in range(index.shape[0]):
        verdict[i] = newcomers_verdict(<Newcomers*>&memory[index[i], 0], where[i], time_ns[i], verdict[i], types[i],
                                       evidence[i], calls_hour[i])
