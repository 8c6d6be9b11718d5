# cython: language_level=3
"""Leave-one-out over encoded rows: each row once more for each of its features, with that one put back to typical."""
from libc.stdint cimport int8_t, int32_t, int64_t
from libc.string cimport memcpy

import numpy as np


def variants(const int8_t[:, ::1] codes, const int8_t[::1] typical):
    """codes: int8 [n, features], typical: int8 [features].

    Returns (rows int8 [n + m, features], column int32 [m], first int64 [n + 1]): the rows as they are, then of each row
    `i` its variants first[i] to first[i + 1] with one column put back. Columns that read as typical already cannot move
    anything and have none: of most rows that is about half of them. Raises ValueError when the numbers of features
    differ.
    """
    cdef Py_ssize_t i, at = 0, count = codes.shape[0]
    cdef int column, features = <int>codes.shape[1]
    cdef int64_t[::1] first = np.empty(count + 1, np.int64)
    cdef int8_t[:, ::1] rows
    cdef int32_t[::1] columns
    if typical.shape[0] != features:
        raise ValueError(f"expected {features} typical codes, not {typical.shape[0]}")
    for i in range(count):
        first[i] = at
        for column in range(features):
            at += codes[i, column] != typical[column]
    first[count] = at
    rows = np.empty((count + at, features), np.int8)
    columns = np.empty(at, np.int32)
    rows[:count] = codes
    at = 0
    for i in range(count):
        for column in range(features):
            if codes[i, column] != typical[column]:
                memcpy(&rows[count + at, 0], &codes[i, 0], features)
                rows[count + at, column] = typical[column]
                columns[at] = column
                at += 1
    return rows.base, columns.base, first.base


def strongest(const double[::1] alone, const double[::1] without, const int64_t[::1] first, int most, double share):
    """alone: float64 [n], what each row comes to; without: float64 [m], what it comes to without a feature, as laid out
    by `variants`.

    Returns int64 [n, most], indices into `without`: of each row those below it by more than `share` of the strongest
    fall, the strongest first, those of one strength by column; then -1.
    """
    cdef Py_ssize_t i, at
    cdef int place, held, moved
    cdef double fall
    cdef int64_t[:, ::1] chosen = np.full((alone.shape[0], most), -1, np.int64)
    if first.shape[0] != alone.shape[0] + 1 or first[alone.shape[0]] > without.shape[0]:
        raise ValueError("the parts are not laid out alike")
    for i in range(alone.shape[0]):
        held = 0
        for at in range(first[i], first[i + 1]):
            fall = alone[i] - without[at]
            if not fall > 0:            # NaN, too: both are infinite
                continue
            place = held
            while place > 0 and fall > alone[i] - without[chosen[i, place - 1]]:
                place -= 1
            if place == most:
                continue
            held = min(held + 1, most)
            for moved in range(held - 1, place, -1):
                chosen[i, moved] = chosen[i, moved - 1]
            chosen[i, place] = at
        for place in range(1, held):
            if not alone[i] - without[chosen[i, place]] > share * (alone[i] - without[chosen[i, 0]]):
                chosen[i, place] = -1
    return chosen.base
