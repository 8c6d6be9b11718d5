# cython: language_level=3
"""The Python face of decayed counters: many blocks at once."""
from libc.stdint cimport int64_t

import numpy as np

HALF_LIVES_S = (HALF_LIFE_MINUTE_S, HALF_LIFE_HOUR_S, HALF_LIFE_DAY_S)
FLOOR = COUNT_FLOOR


cdef void decay_blocks(float[:, :, ::1] counts, const int64_t[::1] from_ns, const int64_t[::1] to_ns) noexcept nogil:
    cdef Py_ssize_t row
    if counts.shape[2] == 0:
        return
    for row in range(counts.shape[0]):
        decay_counts(&counts[row, 0, 0], <int>counts.shape[2], from_ns[row], to_ns[row])


def decay(counts, from_ns, to_ns):
    """Blocks of counters as they are at `to_ns`.

    counts: float32 [blocks, 3, counters], at half-lives of a minute, an hour and a day; finite, not negative.
    from_ns, to_ns: int64 [blocks], ns since the epoch; where to_ns <= from_ns the block is returned as it is.
    Returns a new float32 array of the same shape; counts below 1e-12, and NaN, become 0 when time has passed.
    Raises ValueError on another shape, TypeError on another dtype.
    """
    counts = np.array(_typed("counts", counts, np.float32), order="C")
    from_ns = np.ascontiguousarray(_typed("from_ns", from_ns, np.int64))
    to_ns = np.ascontiguousarray(_typed("to_ns", to_ns, np.int64))
    if counts.ndim != 3 or counts.shape[1] != HALF_LIVES:
        raise ValueError(f"counts: expected shape [blocks, {HALF_LIVES}, counters], got {list(counts.shape)}")
    if from_ns.shape != counts.shape[:1] or to_ns.shape != counts.shape[:1]:
        raise ValueError("from_ns, to_ns: expected one time for each block")
    decay_blocks(counts, from_ns, to_ns)
    return counts


def _typed(name, array, dtype):
    array = np.asarray(array)
    if array.dtype != dtype:
        raise TypeError(f"{name}: expected {np.dtype(dtype)}, got {array.dtype}")
    return array
