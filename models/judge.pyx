# cython: language_level=3
"""What a model's int8 outputs mean: scores, verdicts and fraud types, by tables of the 256 values of each output."""
from libc.stdint cimport int8_t, uint8_t, uint32_t

import numpy as np

from models.verdict import FLAG, PASS, WATCH

cdef enum:
    OUTPUT_VALUES = 256
    MAX_CLASSES = 32            # bits of a mask of fraud types

cdef uint8_t PASSED = PASS
cdef uint8_t WATCHED = WATCH
cdef uint8_t FLAGGED = FLAG


def are_bounds(first, parts, whole):
    """Whether `first` says where each of so many parts of `whole` entries begins, and where the last one ends."""
    return len(first) == parts + 1 and first[0] == 0 and first[parts] == whole and (np.diff(first) >= 0).all()


cdef class Judge:
    """Judge(log_odds, watched, bits, first_bar, reached, first_evidence, evidence, minimum): what outputs mean.

    log_odds: float64 [classes, 256] of each fraud, by output + 128. watched: uint8 [classes, 256], whether that is
    noticed without any evidence. bits: uint32 [classes]. Over which bars a flag may come: those of class c are
    first_bar[c] up to first_bar[c + 1], int32 [classes + 1], whether it is watched or not. reached: uint8 [bars, 256],
    whether an output does. The evidence that bar b asks for is first_evidence[b] up to first_evidence[b + 1], int32
    [bars + 1]: of each the column of the rows, int32, and the minimum, float64, without which, or when it is not known,
    the bar does not count. Raises ValueError on other shapes.
    """
    cdef int classes
    cdef const float[:, ::1] innocence      # [classes, 256]: 1 - P(class), by output + 128
    cdef const double[:, ::1] softplus      # [classes, 256]: -log(1 - P(class))
    cdef const uint8_t[:, ::1] watched
    cdef const uint8_t[:, ::1] noticed      # [classes, 256]: whether it is watched or any bar is reached
    cdef const uint32_t[::1] bits
    cdef const int[::1] first_bar
    cdef const uint8_t[:, ::1] reached
    cdef const int[::1] first_evidence
    cdef const int[::1] evidence
    cdef const double[::1] minimum

    def __init__(self, log_odds, watched, bits, first_bar, reached, first_evidence, evidence, minimum):
        self.classes = len(log_odds)
        if not (0 < self.classes <= MAX_CLASSES
                and log_odds.shape == watched.shape == (self.classes, OUTPUT_VALUES)
                and len(bits) == self.classes
                and are_bounds(first_bar, self.classes, len(reached)) and reached.shape[1:] == (OUTPUT_VALUES,)
                and are_bounds(first_evidence, len(reached), len(evidence)) and len(evidence) == len(minimum)):
            raise ValueError("expected tables [classes, 256] and [bars, 256], and lists of their lengths")
        self.innocence = 1 - (1 / (1 + np.exp(-log_odds))).astype(np.float32)
        self.softplus = np.logaddexp(0, log_odds)
        self.watched = watched
        self.bits = bits
        self.first_bar = first_bar
        self.reached = reached
        self.first_evidence = first_evidence
        self.evidence = evidence
        self.minimum = minimum
        self.noticed = self._noticed(np.array(watched, np.uint8))

    cdef uint8_t[:, ::1] _noticed(self, uint8_t[:, ::1] noticed):
        cdef int one, bar, at
        for one in range(self.classes):
            for bar in range(self.first_bar[one], self.first_bar[one + 1]):
                for at in range(OUTPUT_VALUES):
                    noticed[one, at] |= self.reached[bar, at]
        return noticed

    def judge(self, const int8_t[:, ::1] outputs, const float[:, ::1] rows):
        """outputs: int8 [n, classes], of rows: float32 [n, features].

        Returns (score float32 [n], verdict uint8 [n], types uint32 [n]): the probability that any of the frauds is at
        work, PASS, WATCH or FLAG, and the mask of the fraud types watched or flagged.
        """
        cdef Py_ssize_t i, count = outputs.shape[0]
        cdef float[::1] score = np.empty(count, np.float32)
        cdef uint8_t[::1] verdict = np.empty(count, np.uint8)
        cdef uint32_t[::1] types = np.empty(count, np.uint32)
        self._check(outputs.shape[1], count == rows.shape[0])
        with nogil:
            for i in range(count):
                self._judge(&outputs[i, 0], &rows[i, 0], &score[i], &verdict[i], &types[i])
        return score.base, verdict.base, types.base

    cdef void _judge(self, const int8_t* outputs, const float* row, float* score, uint8_t* verdict,
                     uint32_t* types) noexcept nogil:
        cdef int one, bar
        cdef uint8_t at, level
        cdef float innocence = 1
        verdict[0] = PASSED
        types[0] = 0
        for one in range(self.classes):
            at = <uint8_t>outputs[one] ^ 128
            innocence *= self.innocence[one, at]
            if not self.noticed[one, at]:
                continue
            level = WATCHED if self.watched[one, at] else PASSED
            for bar in range(self.first_bar[one], self.first_bar[one + 1]):
                if self.reached[bar, at] and self._is_evident(bar, row):
                    level = FLAGGED
            if level != PASSED:
                types[0] |= self.bits[one]
                verdict[0] = max(verdict[0], level)
        score[0] = 1 - innocence

    cdef bint _is_evident(self, int bar, const float* row) noexcept nogil:
        cdef int one
        for one in range(self.first_evidence[bar], self.first_evidence[bar + 1]):
            if not row[self.evidence[one]] >= self.minimum[one]:    # NaN, too
                return False
        return True

    def log_odds(self, const int8_t[:, ::1] outputs):
        """outputs: int8 [n, classes] -> float64 [n]: log(score / (1 - score)), exact at both ends."""
        # score = 1 - prod(1 - p); -log(1 - p) is softplus of p's log-odds.
        cdef Py_ssize_t i
        cdef int one
        cdef double[::1] total = np.zeros(outputs.shape[0])
        self._check(outputs.shape[1], True)
        with nogil:
            for i in range(outputs.shape[0]):
                for one in range(self.classes):
                    total[i] += self.softplus[one, <uint8_t>outputs[i, one] ^ 128]
        return np.log(np.expm1(total.base))

    cdef _check(self, Py_ssize_t classes, bint as_many):
        if classes != self.classes or not as_many:
            raise ValueError(f"expected outputs [n, {self.classes}], and as many rows")
