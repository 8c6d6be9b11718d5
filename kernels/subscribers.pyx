# cython: language_level=3
"""What a finished call does to the subscribers at its ends, and the rows that come of it."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from capture.index cimport NO_SLOT
from capture.memory cimport table_calloc, table_free
from kernels.behaviour cimport one_more
from kernels.calls cimport CALL_COMPLETED, Call
from kernels.rows cimport seconds_between
from kernels.slots cimport slots_earn, slots_find, slots_free, slots_fresh, slots_init, slots_take
from kernels.subscriber cimport STATISTICS, Subscriber, subscriber_add, subscriber_fade, subscriber_statistics

cdef enum:
    MAX_SUBSCRIBERS = 1 << 22   # 4 GiB, more than a box has
    MOST_FADES = 24             # 2^24 calls are then less than half a call
    NS_PER_S = 1_000_000_000


cdef inline bint is_due(const SubscriberNote* note) noexcept nogil:
    if note.calls < LEAST_CALLS or note.last_ns - note.first_ns < LEAST_SEEN_NS:
        return False
    return note.row_calls == 0 or 4 * <uint64_t>(note.calls - note.row_calls) >= note.row_calls


cdef void bring_up(Subscriber* one, SubscriberNote* note, int64_t now_ns) noexcept nogil:
    """Fades by the half-lives that have passed."""
    cdef int64_t passed = (now_ns - note.faded_ns) // HALF_LIFE_NS if now_ns > note.faded_ns else 0
    cdef int64_t _fade
    for _fade in range(min(passed, <int64_t>MOST_FADES)):
        subscriber_fade(one)
    note.faded_ns += passed * HALF_LIFE_NS


cdef class Subscribers:
    """Subscribers(count): `count` of them at most, 1..2^22; 1070 bytes for each that was ever in use.

    Raises ValueError on an impossible size, MemoryError.
    """

    def __cinit__(self, uint32_t count):
        if not 1 <= count <= MAX_SUBSCRIBERS:
            raise ValueError(f"subscribers: expected 1..{MAX_SUBSCRIBERS}, got {count}")
        self.subscribers = <Subscriber*>table_calloc(count, sizeof(Subscriber))
        self.notes = <SubscriberNote*>table_calloc(count, sizeof(SubscriberNote))
        if slots_init(&self.table, count) != 0 or self.subscribers == NULL or self.notes == NULL:
            raise MemoryError(f"no memory for {count} subscribers")

    def __dealloc__(self):
        slots_free(&self.table)
        table_free(self.subscribers)
        table_free(self.notes)

    cdef void on_end(self, const Call* call, int64_t now_ns, int64_t offset_ns) noexcept nogil:
        if call.state != CALL_COMPLETED or call.answer_ns == 0:
            return
        if call.caller_e164[0] == 0 or call.callee_e164[0] == 0 or call.caller_key == call.callee_key:
            return
        self._add(call.caller_key, &call.caller_e164[0], call.callee_key, True, call, now_ns, offset_ns)
        self._add(call.callee_key, &call.callee_e164[0], call.caller_key, False, call, now_ns, offset_ns)

    cdef void _add(self, uint64_t key, const char* number, uint64_t counterpart, bint outgoing, const Call* call,
                   int64_t now_ns, int64_t offset_ns) noexcept nogil:
        cdef int32_t slot = slots_find(&self.table, key)
        cdef SubscriberNote* note
        if slot == NO_SLOT:
            slot = slots_take(&self.table, key)
            note = &self.notes[slot]
            if not slots_fresh(&self.table, slot):
                memset(&self.subscribers[slot], 0, sizeof(Subscriber))
                memset(note, 0, sizeof(SubscriberNote))
            memcpy(note.number, number, NUMBER_BYTES - 1)
            note.first_ns = note.faded_ns = now_ns
        note = &self.notes[slot]
        bring_up(&self.subscribers[slot], note, now_ns)
        subscriber_add(&self.subscribers[slot], counterpart, outgoing, seconds_between(call.answer_ns, call.end_ns),
                       (call.answer_ns + offset_ns) // NS_PER_S)
        note.last_ns = max(note.last_ns, now_ns)
        note.calls = one_more(note.calls)
        slots_earn(&self.table, slot, note.calls)
        if is_due(note) and self.due_count < MOST_DUE:
            note.row_calls = note.calls
            self.due[self.due_count] = slot
            self.due_count += 1

    cdef void next_block(self) noexcept nogil:
        self.due_count = 0

    def due_statistics(self):
        """Of the subscribers that are due: float64 [n, len(COLUMNS)] (kernels/reference_subscriber.py)."""
        values = np.empty((self.due_count, STATISTICS), np.float64)
        cdef double[:, ::1] view = values
        cdef uint32_t i
        for i in range(self.due_count):
            subscriber_statistics(&self.subscribers[self.due[i]], &view[i, 0])
        return values

    def note_of(self, uint32_t i):
        """Who the i-th that is due is: (E.164 digits, first call, latest call, ns of the engine, calls)."""
        if i >= self.due_count:
            raise IndexError(i)
        note = &self.notes[self.due[i]]
        return (<const char*>note.number).decode(), note.first_ns, note.last_ns, note.calls

    @property
    def counters(self):
        """How many subscribers are kept, and how many were given up for others."""
        return {"subscribers": self.table.used, "evicted": self.table.evicted}


SUBSCRIBER_BYTES = sizeof(Subscriber) + sizeof(SubscriberNote)
