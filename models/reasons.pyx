# cython: language_level=3
"""Why a row was watched or flagged: the features whose return to the typical value would lower its score most."""
from libc.stdint cimport int32_t, int64_t

import numpy as np

from kernels.wording cimport rounded, shortened, text

from models.leave_one_out import strongest
from models.reason import Reason

MAX_REASONS = 4

# A feature that moves the score by less than this share of the strongest one says nothing more.
LEAST_SHARE = 0.2

# Their variants, some 50 of each, and what comes of them lie in the second-level cache.
ROWS_AT_ONCE = 64


def explain(scorer, rows) -> list[list[Reason]]:
    """float32 [n, features], C order -> the reasons of each row, the strongest first, at most MAX_REASONS."""
    reasons = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        reasons += _explain(scorer, rows[start : start + ROWS_AT_ONCE])
    return reasons


cdef list _explain(scorer, rows):
    """Each row is judged as it is, and once more for each feature that is not typical with that feature put back."""
    alone, without, column, first = scorer.leave_one_out(scorer.encode(rows))
    # Near 0 and 1 a probability hardly moves: features are ranked by log-odds, which do.
    chosen = strongest(alone, without, first, MAX_REASONS, LEAST_SHARE)
    row, place = (chosen >= 0).nonzero()
    chosen = chosen[row, place]
    effect = 1 / (1 + np.exp(-alone[row])) - 1 / (1 + np.exp(-without[chosen]))
    return _tell(scorer.bundle.told, rows, row, column[chosen], effect)


cdef list _tell(list told, const float[:, ::1] rows, const int64_t[:] row, const int32_t[::1] column,
                const double[::1] effect):
    """The reasons of each row: `effect` is how far the score falls when the column of a row is put back."""
    cdef list reasons = [[] for _ in range(rows.shape[0])]
    cdef Py_ssize_t i
    cdef double value
    for i in range(row.shape[0]):
        feature, typical, sentence = told[column[i]]
        value = rows[row[i], column[i]]
        said = (<str>sentence).replace("{value}", text(feature.unit, feature.words, value))
        (<list>reasons[row[i]]).append(Reason(feature.name, shortened(value), typical, rounded(effect[i]), said))
    return reasons
