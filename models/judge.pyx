# cython: language_level=3
"""What a model's int8 outputs mean: scores, verdicts and fraud types, by tables of the 256 values of each output."""
from libc.stdint cimport int8_t, uint8_t, uint32_t

import numpy as np

from models.verdict import PASS, WATCH

cdef enum:
    OUTPUT_VALUES = 256
    MAX_CLASSES = 32            # bits of a mask of fraud types

cdef uint8_t PASSED = PASS
cdef uint8_t WATCHED = WATCH


cdef class Judge:
    """Judge(log_odds, levels, bits, evidence, minimum): the calibrated meaning of a bundle's outputs.

    log_odds: float64 [classes, 256] of each fraud, by output + 128. levels: uint8 [classes, 256], its verdict.
    bits: uint32 [classes]. evidence: int32 [classes], a column of the rows or -1; minimum: float64 [classes], without
    which, or when it is not known, a row is at most watched. Raises ValueError on other shapes.
    """
    cdef int classes
    cdef const float[:, ::1] innocence      # [classes, 256]: 1 - P(class), by output + 128
    cdef const double[:, ::1] softplus      # [classes, 256]: -log(1 - P(class))
    cdef const uint8_t[:, ::1] levels       # [classes, 256]: verdict with enough evidence
    cdef const uint32_t[::1] bits
    cdef const int[::1] evidence
    cdef const double[::1] minimum

    def __init__(self, log_odds, levels, bits, evidence, minimum):
        self.classes = len(log_odds)
        if not (0 < self.classes <= MAX_CLASSES
                and log_odds.shape == levels.shape == (self.classes, OUTPUT_VALUES)
                and len(bits) == len(evidence) == len(minimum) == self.classes):
            raise ValueError("expected tables [classes, 256] and lists [classes]")
        self.innocence = 1 - (1 / (1 + np.exp(-log_odds))).astype(np.float32)
        self.softplus = np.logaddexp(0, log_odds)
        self.levels = levels
        self.bits = bits
        self.evidence = evidence
        self.minimum = minimum

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
        cdef int one
        cdef uint8_t at, level
        cdef float innocence = 1
        verdict[0] = PASSED
        types[0] = 0
        for one in range(self.classes):
            at = <uint8_t>outputs[one] ^ 128
            innocence *= self.innocence[one, at]
            level = self.levels[one, at]
            if level == PASSED:
                continue
            if self.evidence[one] >= 0 and not row[self.evidence[one]] >= self.minimum[one]:    # NaN, too
                level = WATCHED
            types[0] |= self.bits[one]
            verdict[0] = max(verdict[0], level)
        score[0] = 1 - innocence

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
