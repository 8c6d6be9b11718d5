# cython: language_level=3
"""Why a row was watched or flagged: the features whose return to the typical value would lower its score most.

A live box keeps reasons of every suspected call and party, and most of them are never read: what is kept is a number of
a feature and four others, and it becomes a sentence when it is reported. A note says the same whatever bundle is at
work by then.
"""
from functools import lru_cache

from libc.math cimport rint
from libc.stdint cimport int32_t, int64_t, uint8_t

import msgspec
import numpy as np

from kernels.wording cimport rounded, shortened, text

from models.bundle import SCHEMAS
from models.leave_one_out import strongest
from models.reason import Reason

# A feature that moves the score by less than this share of the strongest one says nothing more.
LEAST_SHARE = 0.2

# Their variants, some 50 of each, and what comes of them lie in the second-level cache.
ROWS_AT_ONCE = 64

# What is said of a feature whatever its value is kept for so many: those of all bundles, and of some before them.
WORDINGS = 2048

REASONS_BYTES = sizeof(Reasons)

cdef double MILLION = 1e6
cdef list FEATURES = [features for features, _ in SCHEMAS.values()]
cdef list KINDS = list(SCHEMAS)
cdef object encode = msgspec.json.Encoder().encode


def explain(scorer, rows):
    """float32 [n, features], C order -> uint8 [n, REASONS_BYTES]: the `Reasons` of each row."""
    notes = np.zeros((len(rows), REASONS_BYTES), np.uint8)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        _explain(scorer, rows[start : start + ROWS_AT_ONCE], notes[start : start + ROWS_AT_ONCE])
    return notes


def told(const uint8_t[::1] notes) -> list[Reason]:
    """The reasons of one row of `explain` as reports carry them."""
    if notes.shape[0] != REASONS_BYTES:
        raise ValueError(f"expected {REASONS_BYTES} bytes, got {notes.shape[0]}")
    return _told(<const Reasons*>&notes[0])


cdef bytes reasons_json(const Reasons* reasons):
    return encode(_told(reasons)) if reasons.notes[0].rows else b"[]"


cdef bint are_reasons(const Reasons* reasons) noexcept:
    cdef const ReasonNote* note
    cdef int i
    for i in range(MAX_REASONS):
        note = &reasons.notes[i]
        if note.rows > len(FEATURES) or (note.rows and note.column >= len(FEATURES[note.rows - 1])):
            return False
    return True


cdef _explain(scorer, rows, uint8_t[:, ::1] notes):
    """Each row is judged as it is, and once more for each feature that is not typical with that feature put back."""
    alone, without, column, first = scorer.leave_one_out(scorer.encode(rows))
    # Near 0 and 1 a probability hardly moves: features are ranked by log-odds, which do.
    chosen = strongest(alone, without, first, MAX_REASONS, LEAST_SHARE)
    row, place = (chosen >= 0).nonzero()
    chosen = chosen[row, place]
    effect = 1 / (1 + np.exp(-alone[row])) - 1 / (1 + np.exp(-without[chosen]))
    kind = 1 + KINDS.index(scorer.bundle.card.rows)
    _note(kind, scorer.bundle.typical, rows, row, place, column[chosen], effect, notes)


cdef _note(uint8_t kind, list typical, const float[:, ::1] rows, const int64_t[:] row, const int64_t[:] place,
           const int32_t[::1] column, const double[::1] effect, uint8_t[:, ::1] notes):
    """`effect` is how far the score falls when the column of a row is put back."""
    cdef Py_ssize_t i
    cdef ReasonNote* note
    for i in range(row.shape[0]):
        note = &(<Reasons*>&notes[row[i], 0]).notes[place[i]]
        note.typical = typical[column[i]]
        note.value = rows[row[i], column[i]]
        note.effect = <int32_t>rint(rounded(effect[i]) * MILLION)
        note.column = column[i]
        note.rows = kind


cdef list _told(const Reasons* reasons):
    cdef const ReasonNote* note
    cdef list said = []
    cdef int i
    for i in range(MAX_REASONS):
        note = &reasons.notes[i]
        if note.rows == 0:
            break
        feature, typical, sentence = _wording(note.rows, note.column, note.typical)
        words = (<str>sentence).replace("{value}", text(feature.unit, feature.words, note.value))
        said.append(Reason(feature.name, shortened(note.value), typical, note.effect / MILLION, words))
    return said


@lru_cache(WORDINGS)
def _wording(int rows, int column, double typical):
    """What a reason says whatever the value, which is left to be put in."""
    feature = FEATURES[rows - 1][column]
    return feature, shortened(typical), feature.reason.format(value="{value}", typical=feature.text(typical))
