# cython: language_level=3
"""Encoding blocks of feature rows with the tables of a model bundle.

All features of a row are looked up side by side: a row is 74 small searches, and one after the other they would cost
more than the network does.
"""
from libc.stdint cimport int8_t, int32_t

import numpy as np

cimport kernels.clones  # SW_CLONES

cdef enum:
    LANES = 16                  # features looked up at once
    BATCH_FEATURES = 128        # whose steps fit the stack; wider rows go in parts

# Of a knot that many training rows lie on, so that it is there several times and the code leaps at it. Sketches and
# decayed counts are no more exact: without it, an estimate of one that is 1.0078 rather than 1.0080, as the hash of
# what was counted would have it, comes out at the other end of the scale.
KNOT_TOLERANCE = 2.0 ** -9

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* How many knots of each feature, after the first, are not above its value; `features` are whole LANES. */
    SW_CLONES
    static void sw_count_knots(const float *values, int features, const float *across, int count, int padded,
                               int32_t *found) {
        for (int at = 0; at < features; at += 16) {
            const float *knots = across + at;
            int32_t sum[16] = {0};
            for (int i = 1; i < count; i++) {
                knots += padded;
                for (int lane = 0; lane < 16; lane++) sum[lane] += values[at + lane] >= knots[lane];
            }
            memcpy(found + at, sum, sizeof sum);
        }
    }

    /* Codes of values that lie at `found` knots and something above `knots`: not negative, so it rounds to nearest. */
    SW_CLONES
    static void sw_place(const float *values, int features, const int32_t *found, const float *knots,
                         const double *slopes, double step, int low, int8_t *codes) {
        for (int i = 0; i < features; i++) {
            double above = (double)values[i] - knots[i];
            codes[i] = (int8_t)((int32_t)((above > 0 ? above : 0) * slopes[i] + (found[i] * step + 0.5)) + low);
        }
    }
    """
    void count_knots "sw_count_knots"(
        const float* values, int features, const float* across, int count, int padded, int32_t* found) noexcept nogil
    void place "sw_place"(
        const float* values, int features, const int32_t* found, const float* knots, const double* slopes,
        double step, int low, int8_t* codes) noexcept nogil


cdef void encode_part(const Tables* tables, int first, int features, const float* row, int8_t* codes) noexcept nogil:
    """The codes of at most BATCH_FEATURES features of a row, from the `first` on."""
    cdef float[BATCH_FEATURES] values
    cdef int32_t[BATCH_FEATURES] found
    cdef float[BATCH_FEATURES] knots
    cdef double[BATCH_FEATURES] slopes
    cdef int8_t[BATCH_FEATURES] coded
    cdef const float* across = tables.across + first
    cdef const float* last = across + <Py_ssize_t>(tables.count - 1) * tables.padded
    cdef const int8_t* missing = tables.missing + first
    cdef Py_ssize_t entry = <Py_ssize_t>first * tables.count
    cdef int groups = (features + LANES - 1) // LANES
    cdef int i
    cdef int8_t known, below
    for i in range(features):
        values[i] = row[i] if row[i] >= across[i] else across[i]        # and NaN; see below
        values[i] = values[i] if values[i] <= last[i] else last[i]
    for i in range(features, LANES * groups):
        values[i] = 0
    count_knots(values, LANES * groups, across, tables.count, tables.padded, found)
    for i in range(LANES * groups):
        knots[i] = tables.knots[entry + found[i]]
        slopes[i] = tables.slopes[entry + found[i]]
        entry += tables.count
    place(values, LANES * groups, found, knots, slopes, tables.step, CODE_LOW, coded)
    for i in range(features):
        known = -<int8_t>(row[i] == row[i])         # all bits or none: a branch would be mispredicted
        below = -<int8_t>(row[i] < across[i])
        codes[i] = (((coded[i] & ~below) | (<int8_t>CODE_LOW & below)) & known) | (missing[i] & ~known)


cdef void encode_rows(const Tables* tables, const float* rows, Py_ssize_t row_count, int8_t* codes) noexcept nogil:
    cdef Py_ssize_t _row
    cdef int first
    for _row in range(row_count):
        first = 0
        while first < tables.features:
            encode_part(tables, first, min(tables.features - first, <int>BATCH_FEATURES), rows + first, codes + first)
            first += BATCH_FEATURES
        rows += tables.features
        codes += tables.features


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
        self._lay_out(knots, missing)

    def _lay_out(self, knots, missing):
        """The tables as the kernel reads them."""
        cdef float[:, ::1] across, lows
        cdef double[:, ::1] slopes
        cdef int8_t[::1] absent
        features, count = knots.shape
        padded = (features + LANES - 1) // LANES * LANES
        full = np.zeros((padded, count), np.float32)
        full[:features] = knots
        self.tables.step = CODE_SPAN / <double>(count - 1)
        widths = np.ones((padded, count))
        widths[:, :-1] = np.diff(full.astype(float), axis=1)
        widths[widths == 0] = 1     # between equal knots, where no value lies
        codes = np.zeros(padded, np.int8)
        codes[:features] = missing
        reached = np.ascontiguousarray(self._reached(full).T)
        self.held = (reached, full, self.tables.step / widths, codes)
        across, lows, slopes, absent = self.held
        self.tables.features, self.tables.padded, self.tables.count = features, padded, count
        self.tables.across, self.tables.knots = &across[0, 0], &lows[0, 0]
        self.tables.slopes, self.tables.missing = &slopes[0, 0], &absent[0]

    @staticmethod
    def _reached(knots):
        """Where each knot is reached: at itself, or a little below where there are several of it."""
        same = np.zeros(knots.shape, bool)
        same[:, 1:] = knots[:, 1:] == knots[:, :-1]
        same[:, :-1] |= same[:, 1:]
        lowered = np.where(same, knots - np.abs(knots) * np.float32(KNOT_TOLERANCE), knots)
        return np.maximum.accumulate(lowered, axis=1)

    def encode(self, rows, out=None):
        """Model input of feature rows.

        rows: float32 [n, features]; infinities are clipped to the ends, NaN becomes the feature's `missing`.
        out: int8 [n, features] to write to, else a new array. Returns it: every entry is in -128..127.
        Raises ValueError on another shape or layout, TypeError on another dtype.
        """
        features = self.tables.features
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
            encode_rows(&self.tables, &rows[0, 0], rows.shape[0], &codes[0, 0])
