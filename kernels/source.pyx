# cython: language_level=3
"""Counting what an address sends, and what is said to it."""
from kernels.behaviour cimport *
from kernels.cadence cimport cadence_add
from kernels.decay cimport HALF_LIFE_HOUR_S
from kernels.destination cimport PRICE_ORDINARY
from kernels.distinct cimport distinct_add, distinct_advance
from kernels.heavy cimport heavy_add, heavy_key
from kernels.rows cimport seconds_between


cdef void source_request(SourceProfile* profile, uint64_t target_key, int64_t now_ns) noexcept nogil:
    note_source(profile, now_ns)
    if profile.requests and now_ns >= profile.last_ns:
        cadence_add(&profile.cadence, seconds_between(profile.last_ns, now_ns))
    profile.first_ns = min(profile.first_ns, now_ns)
    profile.last_ns = max(profile.last_ns, now_ns)
    profile.requests = one_more(profile.requests)
    count_source(profile, SOURCE_SUM_REQUESTS)
    distinct_advance(&profile.targets_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.targets_day, target_key)


cdef void source_attempt(SourceProfile* profile, const Call* call, uint64_t target_key,
                         int64_t now_ns) noexcept nogil:
    source_request(profile, target_key, now_ns)
    profile.open_calls = one_more(profile.open_calls)
    count_source(profile, SOURCE_SUM_INVITES)
    if call.range_hash:
        heavy_add(&profile.ranges, heavy_key(call.range_hash), now_ns, HALF_LIFE_HOUR_S)
    distinct_advance(&profile.callers_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.callers_day, call.caller_key)
    distinct_advance(&profile.callees_day, now_ns, WINDOW_DAY_NS)
    distinct_add(&profile.callees_day, call.callee_key)
    if call.price != PRICE_ORDINARY:
        count_source(profile, SOURCE_SUM_HIGH_COST)


cdef void source_response(SourceProfile* profile, uint16_t status_code) noexcept nogil:
    count_source(profile, SOURCE_SUM_RESPONSES)
    if status_code == 401 or status_code == 407:
        count_source(profile, SOURCE_SUM_CHALLENGED)
    elif status_code == 403:
        count_source(profile, SOURCE_SUM_FORBIDDEN)
    elif is_not_found(status_code):
        count_source(profile, SOURCE_SUM_NOT_FOUND)
