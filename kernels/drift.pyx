# cython: language_level=3
"""Histograms of features or scores, and how far they have moved from those of the training rows."""
import numpy as np


cdef void drift_count(const float* rows, Py_ssize_t row_count, int features, const float* knots, int count,
                      double* histograms) noexcept nogil:
    cdef Py_ssize_t _row
    cdef int feature
    for _row in range(row_count):
        for feature in range(features):
            histograms[feature * (count + 2) + drift_bin(rows[feature], knots + feature * count, count)] += 1.0
        rows += features


def population_stability(expected, observed):
    """The population stability index of each pair of histograms.

    expected, observed: float64 [features, bins >= 1], counts, finite and not negative.
    Returns float64 [features], 0 where the shares agree and larger the more they differ; never NaN.
    Raises ValueError on another shape or value, TypeError on another dtype.
    """
    expected, observed = np.ascontiguousarray(expected), np.ascontiguousarray(observed)
    if expected.dtype != np.float64 or observed.dtype != np.float64:
        raise TypeError(f"expected float64 counts, got {expected.dtype} and {observed.dtype}")
    if expected.ndim != 2 or expected.shape != observed.shape or expected.shape[1] < 1:
        raise ValueError("expected, observed: expected two arrays [features, bins] of one shape")
    for counts in (expected, observed):
        if not (np.isfinite(counts) & (counts >= 0)).all():
            raise ValueError("expected, observed: expected finite counts that are not negative")
    cdef const double[:, ::1] expected_view = expected
    cdef const double[:, ::1] observed_view = observed
    cdef double[::1] out = np.empty(len(expected), np.float64)
    cdef Py_ssize_t i
    for i in range(expected_view.shape[0]):
        out[i] = drift_psi(&expected_view[i, 0], &observed_view[i, 0], <int>expected_view.shape[1])
    return np.asarray(out)


cdef class Drift:
    """Drift(knots): histograms of the features of rows, or of a score as the only feature.

    knots: float32 [features, n >= 1], finite and ascending in each row (equal neighbours allowed): the edges of bins,
    usually quantiles of the training rows. The n + 2 bins are: below the first, between neighbours, from the last on,
    and NaN. `counts` is float64 [features, n + 2], and may be written to restore a state.
    Raises ValueError on another shape or order, TypeError on another dtype.
    """

    def __init__(self, knots):
        knots = np.ascontiguousarray(knots)
        if knots.dtype != np.float32:
            raise TypeError(f"knots: expected float32, got {knots.dtype}")
        if knots.ndim != 2 or 0 in knots.shape:
            raise ValueError(f"knots: expected shape [features, n >= 1], got {list(knots.shape)}")
        if not np.isfinite(knots).all() or (np.diff(knots, axis=1) < 0).any():
            raise ValueError("knots: expected finite, ascending values in each row")
        self.knots = knots
        self.knots_view = knots
        self.counts = np.zeros((knots.shape[0], knots.shape[1] + 2), np.float64)
        self.counts_view = self.counts

    def add(self, rows):
        """Counts rows, float32 [n, features]. Raises ValueError on another shape, TypeError on another dtype."""
        rows = np.ascontiguousarray(rows)
        if rows.dtype != np.float32:
            raise TypeError(f"rows: expected float32, got {rows.dtype}")
        if rows.ndim != 2 or rows.shape[1] != self.knots.shape[0]:
            raise ValueError(f"rows: expected shape [n, {self.knots.shape[0]}], got {list(rows.shape)}")
        if rows.size:
            self._add(rows)

    def forget(self, double share):
        """Takes a share, 0..1, of all counts away, so that older rows fade. Raises ValueError on another share."""
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"share: expected 0..1, got {share}")
        self.counts *= 1.0 - share

    def stability(self, expected):
        """The population stability index of each feature against `expected`, counts of the same shape: float64
        [features]."""
        return population_stability(expected, self.counts)

    def _add(self, const float[:, ::1] rows):
        with nogil:
            drift_count(&rows[0, 0], rows.shape[0], <int>rows.shape[1], &self.knots_view[0, 0],
                        <int>self.knots_view.shape[1], &self.counts_view[0, 0])
