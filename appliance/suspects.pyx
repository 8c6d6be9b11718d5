# cython: language_level=3
"""The rows of a block that were watched or flagged, and what is known of whom they are about."""
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint32_t

from kernels.calls cimport Call
from kernels.engine cimport Engine, RowNote

from appliance.findings import address_text


def suspects(Engine engine, const uint8_t[::1] verdicts, const float[::1] scores, const uint32_t[::1] types,
             bint of_sources=False) -> list[tuple]:
    """verdicts, scores, types: of the block's call rows, or of its source rows; see models.scorer.Scores.

    Returns of each suspect row (row, serial of its call, source address, caller as sent, time ns, first request ns,
    requests, verdict, score, types); serial 0 and caller None for a source. Raises ValueError when there are more
    verdicts than rows.
    """
    cdef const RowNote* notes = engine.source_notes if of_sources else engine.call_notes
    cdef const RowNote* note
    cdef const Call* call
    cdef Py_ssize_t i, count = verdicts.shape[0]
    cdef list found = []
    if count > (engine.source_rows_count if of_sources else engine.call_rows_count):
        raise ValueError("more verdicts than rows")
    if scores.shape[0] != count or types.shape[0] != count:
        raise ValueError("verdicts, scores and types differ in length")
    for i in range(count):
        if verdicts[i] == 0:
            continue
        note = &notes[i]
        serial, caller = 0, None
        if not of_sources:
            call = &engine.calls.calls[note.call_slot]
            serial = call.serial
            caller = PyUnicode_DecodeUTF8(call.caller, call.caller_length, b"replace")
        found.append((i, serial, address_text((<const char*>&note.source)[:16]), caller,
                      note.time_ns + engine.offset_ns, note.first_ns + engine.offset_ns, note.requests, verdicts[i],
                      scores[i], types[i]))
    return found
