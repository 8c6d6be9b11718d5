# cython: language_level=3
"""Why a row was watched or flagged: the features whose return to the typical value would lower its score most.

A live box keeps reasons of every suspected call and party, and most of them are never read: what is kept is a number of
a feature and four others, and it becomes a sentence when it is reported. A note says the same whatever bundle is at
work by then.
"""
from libc.math cimport exp, isnan, rint
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

REASONS_BYTES = sizeof(Reasons)

cdef double MILLION = 1e6
cdef list FEATURES = [features for features, _ in SCHEMAS.values()]
cdef list KINDS = list(SCHEMAS)
# Of each feature the latest: its typical value is another one only of another bundle.
cdef list WORDINGS = [[None] * len(features) for features in FEATURES]
cdef object encode = msgspec.json.Encoder().encode
cdef object decode = msgspec.json.Decoder(list[Reason]).decode

# Stand for what a reason is told with, and for nothing else: a typical value has four digits.
cdef double NUMBER = 0.123456789
cdef str VALUE = "{value}"


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
    return decode(reasons_json(<const Reasons*>&notes[0]))


cdef bytes reasons_json(const Reasons* reasons):
    cdef list said = []
    cdef int i
    for i in range(MAX_REASONS):
        if reasons.notes[i].rows == 0:
            break
        said.append(_said(&reasons.notes[i]))
    return b"[" + b",".join(said) + b"]"


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
    kind = 1 + KINDS.index(scorer.bundle.card.rows)
    _note(kind, scorer.bundle.typical, rows, alone, without, column, chosen, notes)


cdef inline double probability(double log_odds) noexcept nogil:
    return 1 / (1 + exp(-log_odds))


cdef _note(uint8_t kind, list typical, const float[:, ::1] rows, const double[::1] alone, const double[::1] without,
           const int32_t[::1] column, const int64_t[:, ::1] chosen, uint8_t[:, ::1] notes):
    """chosen: of each row the indices into `without` and `column` of its reasons, then -1, as of `strongest`."""
    cdef Py_ssize_t row, place
    cdef int64_t at
    cdef ReasonNote* note
    for row in range(chosen.shape[0]):
        for place in range(MAX_REASONS):
            at = chosen[row, place]
            if at < 0:
                break
            note = &(<Reasons*>&notes[row, 0]).notes[place]
            note.typical = typical[column[at]]
            note.value = rows[row, column[at]]
            note.effect = <int32_t>rint(rounded(probability(alone[row]) - probability(without[at])) * MILLION)
            note.column = column[at]
            note.rows = kind


cdef bytes _said(const ReasonNote* note):
    """A reason as JSON."""
    cdef Wording wording = _wording_of(note)
    cdef str value = text(wording.unit, wording.words, note.value)
    return b"".join((
        wording.before, encode(shortened(note.value)), wording.between, encode(note.effect / MILLION),
        wording.sentence, value.encode(), wording.after,
    ))


cdef class Wording:
    """Wording(feature, typical): what a reason says of a feature whatever its value, as JSON in parts."""
    cdef double typical
    cdef str unit
    cdef tuple words            # for the values, as text() has them
    cdef bytes before           # its value
    cdef bytes between          # that and its effect
    cdef bytes sentence         # from behind the effect to where the value is put into words
    cdef bytes after            # from there on

    def __init__(self, feature, double typical):
        self.typical = typical
        self.unit, self.words = feature.unit, feature.words
        sentence = feature.reason.format(value=VALUE, typical=feature.text(typical))
        whole = encode(Reason(feature.name, NUMBER, shortened(typical), NUMBER, sentence))
        self.before, self.between, rest = whole.split(encode(NUMBER))
        self.sentence, self.after = rest.split(VALUE.encode())


cdef Wording _wording_of(const ReasonNote* note):
    cdef list kept = WORDINGS[note.rows - 1]
    cdef Wording wording = kept[note.column]
    if wording is None or not (wording.typical == note.typical or isnan(wording.typical) and isnan(note.typical)):
        wording = kept[note.column] = Wording(FEATURES[note.rows - 1][note.column], note.typical)
    return wording
