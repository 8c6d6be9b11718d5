# cython: language_level=3
"""Encoding blocks of feature rows with the tables of a model bundle."""
from libc.stdint cimport int8_t

import numpy as np


cdef void encode_rows(const float* rows, Py_ssize_t row_count, int features, const float* knots, int count,
                      const int8_t* missing, int8_t* codes) noexcept nogil:
    cdef Py_ssize_t _row
    cdef int feature
    for _row in range(row_count):
        for feature in range(features):
            codes[feature] = encode_value(rows[feature], knots + <Py_ssize_t>feature * count, count, missing[feature])
        rows += features
        codes += features


cdef class Encoder:
    """Encoder(knots, missing): the input encoding of one model.

    knots: float32 [features, n >= 2], finite and ascending (equal neighbours allowed) in each row: usually the
    quantiles of the training rows, so that codes are evenly used.
    missing: int8 [features], the code that stands for NaN ("not known yet"): usually that of the benign median.
    Raises ValueError on another shape or order, TypeError on another dtype.
    """

    def __init__(self, knots, missing):
        knots = np.ascontiguousarray(knots)
        missing = np.ascontiguousarray(missing)
        if knots.dtype != np.float32 or missing.dtype != np.int8:
            raise TypeError(f"expected float32 knots and int8 missing, got {knots.dtype} and {missing.dtype}")
        if knots.ndim != 2 or knots.shape[1] < 2 or missing.shape != knots.shape[:1]:
            raise ValueError(f"expected knots [features, n >= 2] and missing [features], "
                             f"got {list(knots.shape)} and {list(missing.shape)}")
        if not np.isfinite(knots).all() or (np.diff(knots, axis=1) < 0).any():
            raise ValueError("knots: expected finite, ascending values in each row")
        self.knots = knots
        self.missing = missing
        self.knots_view = knots
        self.missing_view = missing

    def encode(self, rows, out=None):
        """Model input of feature rows.

        rows: float32 [n, features]; infinities are clipped to the ends, NaN becomes the feature's `missing`.
        out: int8 [n, features] to write to, else a new array. Returns it: every entry is in -128..127.
        Raises ValueError on another shape or layout, TypeError on another dtype.
        """
        features = self.knots.shape[0]
        if rows.dtype != np.float32:
            raise TypeError(f"rows: expected float32, got {rows.dtype}")
        if rows.ndim != 2 or rows.shape[1] != features:
            raise ValueError(f"rows: expected shape [n, {features}], got {list(rows.shape)}")
        if out is None:
            out = np.empty(rows.shape, np.int8)
        elif out.dtype != np.int8:
            raise TypeError(f"out: expected int8, got {out.dtype}")
        elif out.shape != rows.shape:
            raise ValueError(f"out: expected shape {list(rows.shape)}, got {list(out.shape)}")
        if rows.size:
            self._encode(rows, out)
        return out

    def _encode(self, const float[:, ::1] rows, int8_t[:, ::1] codes):
        with nogil:
            encode_rows(&rows[0, 0], rows.shape[0], <int>rows.shape[1], &self.knots_view[0, 0],
                        <int>self.knots_view.shape[1], &self.missing_view[0], &codes[0, 0])
