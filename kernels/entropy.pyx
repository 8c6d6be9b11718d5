# cython: language_level=3
"""Adding to and reading small histograms, and their Python face."""
import numpy as np

from libc.string cimport memset

BINS = SPREAD_BINS
MEMORY = SPREAD_MEMORY

cdef double HALF_NAT = 0.5 / np.log(2.0)        # in bits
cdef double MOST_ENTROPY = np.log2(SPREAD_BINS)
cdef uint32_t[SPREAD_MEMORY + 1] N_LOG_N        # n log2 n, in units of 1 / SPREAD_UNIT
cdef double[SPREAD_MEMORY + 1] LOG2


def _prepare():
    N_LOG_N[0] = 0
    LOG2[0] = 0.0
    for n in range(1, SPREAD_MEMORY + 1):
        N_LOG_N[n] = round(n * np.log2(n) * SPREAD_UNIT)
        LOG2[n] = np.log2(n)


_prepare()


cdef void spread_halve(Spread* spread) noexcept nogil:
    cdef int i
    spread.events = spread.filled = 0
    spread.logarithms = 0
    for i in range(SPREAD_BINS):
        spread.counts[i] >>= 1
        spread.events += spread.counts[i]
        spread.filled += spread.counts[i] != 0
        spread.logarithms += N_LOG_N[spread.counts[i]]


cdef void spread_add(Spread* spread, int bin) noexcept nogil:
    cdef uint8_t count = spread.counts[bin]
    spread.counts[bin] = count + 1
    spread.events += 1
    spread.filled += count == 0
    spread.logarithms += N_LOG_N[count + 1] - N_LOG_N[count]
    if spread.events == SPREAD_MEMORY:
        spread_halve(spread)


cdef double spread_entropy(const Spread* spread) noexcept nogil:
    cdef double bits
    if spread.events < SPREAD_LEAST:
        return NAN
    bits = LOG2[spread.events] + (
        (spread.filled - 1) * HALF_NAT - <double>spread.logarithms / SPREAD_UNIT) / spread.events
    return 0.0 if bits < 0.0 else MOST_ENTROPY if bits > MOST_ENTROPY else bits


cdef void read_each(const uint8_t[::1] bins, double[::1] out) noexcept nogil:
    cdef Spread spread
    cdef Py_ssize_t i
    memset(&spread, 0, sizeof(Spread))
    for i in range(bins.shape[0]):
        spread_add(&spread, bins[i])
        out[i] = spread_entropy(&spread)


def entropies(bins):
    """The running entropy of events in bins, in bits.

    bins: uint8 [n], each below BINS. Returns float64 [n], 0..log2(BINS): the entropy after each event, NaN before the
    fourth. Raises ValueError on another shape or a bin that does not exist, TypeError on another dtype.
    """
    bins = np.ascontiguousarray(bins)
    if bins.dtype != np.uint8:
        raise TypeError(f"bins: expected uint8, got {bins.dtype}")
    if bins.ndim != 1 or (bins >= SPREAD_BINS).any():
        raise ValueError(f"bins: expected shape [n] and values below {SPREAD_BINS}")
    out = np.empty(len(bins), np.float64)
    read_each(bins, out)
    return out


def hours_of_day(times_ns):
    """The hour of the day (UTC) of each time: int64 [n], ns since the epoch; returns uint8 [n], 0..23."""
    times_ns = np.ascontiguousarray(times_ns)
    if times_ns.dtype != np.int64 or times_ns.ndim != 1:
        raise TypeError("times_ns: expected int64 [n]")
    cdef const int64_t[::1] view = times_ns
    cdef uint8_t[::1] hours = np.empty(len(times_ns), np.uint8)
    cdef Py_ssize_t i
    for i in range(view.shape[0]):
        hours[i] = <uint8_t>hour_of_day(view[i])
    return np.asarray(hours)
