# cython: language_level=3
"""Finding calls in the table while it is in use: what an operator asks for between two blocks.

A look covers a range of slots, so that packets never wait for a whole table to be read: a slot is one or two cache
misses, and 4,096 of them take well under a millisecond.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memcmp, memcpy, strlen

from capture.packet cimport Address, address_equal
from kernels.calls cimport PHASE_RELEASED, Call
from kernels.engine cimport Engine

import numpy as np

from kernels.calls import STATE_NAMES

cdef uint32_t ALL_STATES = (1 << len(STATE_NAMES)) - 1


cdef inline bint is_party(const Call* call, const char* user, size_t length, const char* e164,
                          size_t e164_length) noexcept nogil:
    """Whether the caller or the callee is `user` as sent, or `e164` (digits without +; none when it is empty)."""
    if call.caller_length == length and memcmp(call.caller, user, length) == 0:
        return True
    if call.callee_length == length and memcmp(call.callee, user, length) == 0:
        return True
    if e164_length == 0:
        return False
    return (
        (strlen(call.caller_e164) == e164_length and memcmp(call.caller_e164, e164, e164_length) == 0)
        or (strlen(call.callee_e164) == e164_length and memcmp(call.callee_e164, e164, e164_length) == 0)
    )


def slots_of(Engine engine) -> int:
    """How many slots the table of calls has."""
    return engine.calls.capacity + 1 + engine.calls.released_capacity


def find(Engine engine, uint32_t first, uint32_t count, *, state=None, bytes number=None, bytes e164=b"",
         bytes source=None, bytes call_id=None):
    """The calls in slots `first` .. `first + count - 1` that are in the table now: (serials, int64 [n]; slots, int32
    [n]). Those that were given up and wait for their report are not.

    `state`: one of STATE_NAMES; `number`: of the caller or callee as sent, and `e164`: the same in E.164, digits
    without +; `source`: an address of 16 bytes, from which the INVITE came; `call_id`. None for any.
    """
    cdef uint32_t states = ALL_STATES if state is None else 1 << STATE_NAMES.index(state)
    cdef uint32_t end = min(first + count, <uint32_t>slots_of(engine))
    cdef uint32_t slot, found = 0
    cdef const char* user = NULL
    cdef const char* digits = e164
    cdef const char* name = NULL
    cdef size_t user_length = 0, digits_length = len(e164), name_length = 0
    cdef bint any_source = source is None
    cdef Address address
    cdef const Call* call
    cdef int64_t[::1] serials = np.empty(end - first if end > first else 0, np.int64)
    cdef int32_t[::1] slots = np.empty(serials.shape[0], np.int32)
    if number is not None:
        user, user_length = number, len(number)
    if call_id is not None:
        name, name_length = call_id, len(call_id)
    if source is not None:
        if len(source) != sizeof(Address):
            raise ValueError(f"source: expected {sizeof(Address)} bytes, got {len(source)}")
        memcpy(&address, <const char*>source, sizeof(Address))
    with nogil:
        for slot in range(first, end):
            call = &engine.calls.calls[slot]
            if call.serial == 0 or call.phase == PHASE_RELEASED or not states >> call.state & 1:
                continue
            if not any_source and not address_equal(&call.source.address, &address):
                continue
            if user != NULL and not is_party(call, user, user_length, digits, digits_length):
                continue
            if name != NULL and (call.call_id_length != name_length or memcmp(call.call_id, name, name_length) != 0):
                continue
            serials[found] = call.serial
            slots[found] = slot
            found += 1
    return np.asarray(serials)[:found], np.asarray(slots)[:found]
