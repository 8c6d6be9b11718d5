# cython: language_level=3
"""See call_reasons.pxd."""
from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset

from capture.memory cimport table_calloc, table_free
from kernels.engine cimport Engine
from models.reasons cimport Reasons, are_reasons, reasons_json

from kernels.open_calls import slots_of

CALL_REASONS_BYTES = sizeof(CallNote)


cdef struct Placed:             # of a snapshot
    uint32_t slot
    CallNote note


cdef class CallReasons:
    """CallReasons(engine): of the calls in its table. Raises MemoryError."""

    def __cinit__(self, Engine engine):
        self.slots = slots_of(engine)
        self.notes = <CallNote*>table_calloc(self.slots, sizeof(CallNote))
        if self.notes == NULL:
            raise MemoryError(f"no memory for the reasons of {self.slots} calls")

    def __dealloc__(self):
        table_free(self.notes)

    def note(self, Engine engine, const int32_t[::1] rows, const uint8_t[:, ::1] reasons):
        """The calls of some rows of the block have such reasons (models.reasons.explain)."""
        cdef Py_ssize_t i
        cdef CallNote* note
        for i in range(rows.shape[0]):
            note = &self.notes[engine.call_notes[rows[i]].call_slot]
            note.serial = engine.calls.calls[engine.call_notes[rows[i]].call_slot].serial
            note.reasons = (<const Reasons*>&reasons[i, 0])[0]

    cdef bytes of(self, int32_t slot, uint64_t serial):
        cdef const CallNote* note = &self.notes[slot]
        return reasons_json(&note.reasons) if note.serial == serial else b"[]"

    def copy(self, uint32_t first, uint32_t count) -> bytes | None:
        """Those of slots `first` .. `first + count - 1` that were ever used, for a snapshot; None behind the last."""
        cdef uint32_t slot
        cdef Placed placed
        memset(&placed, 0, sizeof(Placed))
        cdef list found = []
        if first >= self.slots:
            return None
        for slot in range(first, min(first + count, self.slots)):
            if self.notes[slot].serial:
                placed.slot = slot
                placed.note = self.notes[slot]
                found.append((<const char*>&placed)[: sizeof(Placed)])
        return b"".join(found)

    def restore(self, const uint8_t[::1] copied):
        """Puts them back. Raises ValueError when they are none."""
        cdef Py_ssize_t i
        cdef Placed placed
        if copied.shape[0] % sizeof(Placed):
            raise ValueError(f"reasons in {copied.shape[0]} bytes")
        for i in range(copied.shape[0] // <Py_ssize_t>sizeof(Placed)):
            memcpy(&placed, &copied[i * <Py_ssize_t>sizeof(Placed)], sizeof(Placed))
            if placed.slot >= self.slots or not are_reasons(&placed.note.reasons):
                raise ValueError(f"reasons of a call in slot {placed.slot}")
            self.notes[placed.slot] = placed.note
