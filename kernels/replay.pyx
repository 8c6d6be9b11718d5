# cython: language_level=3
"""Profiles driven by calls and requests that are given as arrays: no packets, the same rows.

For tests against kernels/reference.py, and for teaching models on populations that were never captured.
"""
from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import numpy as np

from capture.packet cimport Address
from capture.sip cimport METHOD_INVITE
from kernels.calls cimport STAGE_ANSWER, STAGE_END, STAGE_SETUP, Call
from kernels.features cimport CALL_FEATURE_COUNT, SOURCE_FEATURE_COUNT
from kernels.profiles cimport Profiles

# A call as its end finds it. Times in ns since the epoch, 0 for what did not happen; `state` is a CallState; `source`
# and `destination` are addresses of 16 bytes (IPv4 mapped, RFC 4291 2.5.5.2); `hung_up` is a HungUp, `heard` a Heard,
# `answer_tag` a TextShape, `callee_voice_ns` the first RTP of the callee's side, `caller_sound` and `callee_sound` what
# the sides sound like, 0 for nothing; `caller` and `callee` are user parts as sent.
CALL = np.dtype([
    ("caller_key", np.uint64), ("callee_key", np.uint64),
    ("invite_ns", np.int64), ("reply_ns", np.int64), ("progress_ns", np.int64), ("ringing_ns", np.int64),
    ("early_media_ns", np.int64), ("answer_ns", np.int64), ("end_ns", np.int64), ("status_code", np.uint16),
    ("state", np.uint8), ("source", np.uint8, 16), ("destination", np.uint8, 16), ("hung_up", np.uint8),
    ("heard", np.uint8), ("answer_tag", np.uint8), ("callee_voice_ns", np.int64),
    ("caller_sound", np.uint64), ("callee_sound", np.uint64),
    ("caller_e164", "S15"), ("callee_e164", "S15"), ("caller", "S32"), ("callee", "S32"),
])

# A request outside calls, or an INVITE that answers a challenge when it has `credentials`, and its final response
# (status_code 0: none was seen). `method` is a SipMethod, `target_key` a
# hash of where it went, `call_id_key` of its Call-ID, `transaction_key` of its branch, `credentials` 1 when it brought
# some, `stale` 1 when the response says that their nonce was of before.
REQUEST = np.dtype([
    ("user_key", np.uint64), ("target_key", np.uint64), ("call_id_key", np.uint64), ("transaction_key", np.uint64),
    ("time_ns", np.int64), ("response_ns", np.int64), ("status_code", np.uint16), ("method", np.uint8),
    ("credentials", np.uint8), ("stale", np.uint8), ("source", np.uint8, 16),
])

cdef packed struct CallRecord:      # as CALL
    uint64_t caller_key
    uint64_t callee_key
    int64_t invite_ns
    int64_t reply_ns
    int64_t progress_ns
    int64_t ringing_ns
    int64_t early_media_ns
    int64_t answer_ns
    int64_t end_ns
    uint16_t status_code
    uint8_t state
    uint8_t[16] source
    uint8_t[16] destination
    uint8_t hung_up
    uint8_t heard
    uint8_t answer_tag
    int64_t callee_voice_ns
    uint64_t caller_sound
    uint64_t callee_sound
    char[15] caller_e164
    char[15] callee_e164
    char[32] caller
    char[32] callee

cdef packed struct RequestRecord:   # as REQUEST
    uint64_t user_key
    uint64_t target_key
    uint64_t call_id_key
    uint64_t transaction_key
    int64_t time_ns
    int64_t response_ns
    uint16_t status_code
    uint8_t method
    uint8_t credentials
    uint8_t stale
    uint8_t[16] source

cdef enum:                          # what is played of a call, in order
    PLAYED_REPLY = 1
    PLAYED = 4

cdef struct Link:                   # what a call keeps of its profiles between events
    int32_t caller_profile
    int32_t callee_profile
    int32_t source_profile
    uint32_t caller_generation
    uint32_t callee_generation
    uint32_t source_generation
    int32_t route
    uint32_t route_generation
    uint64_t range_hash
    float range_callers
    uint8_t price
    uint8_t abroad
    uint8_t call_back
    uint8_t again
    uint8_t differing_digits
    uint8_t newcomer
    uint8_t run
    uint8_t spellings


cdef uint8_t copy_text(char* to, const char* text, int most) noexcept nogil:
    cdef int length = 0
    while length < most and text[length] != 0:
        to[length] = text[length]
        length += 1
    return <uint8_t>length


cdef void fill(Call* call, const CallRecord* record, const Link* link, int stage) noexcept nogil:
    """The call as it is known at a stage."""
    memset(call, 0, sizeof(Call))
    call.caller_key = record.caller_key
    call.callee_key = record.callee_key
    call.invite_ns = record.invite_ns
    memcpy(&call.source.address, record.source, sizeof(Address))
    memcpy(&call.destination.address, record.destination, sizeof(Address))
    copy_text(call.caller_e164, record.caller_e164, 15)
    copy_text(call.callee_e164, record.callee_e164, 15)
    call.caller_length = copy_text(call.caller, record.caller, 32)
    call.callee_length = copy_text(call.callee, record.callee, 32)
    call.caller_profile = link.caller_profile
    call.callee_profile = link.callee_profile
    call.source_profile = link.source_profile
    call.caller_generation = link.caller_generation
    call.callee_generation = link.callee_generation
    call.source_generation = link.source_generation
    call.range_hash = link.range_hash
    call.price = link.price
    call.abroad = link.abroad
    call.call_back = link.call_back
    call.route = link.route
    call.route_generation = link.route_generation
    call.differing_digits = link.differing_digits
    call.newcomer = link.newcomer
    call.range_callers = link.range_callers
    call.again = link.again
    call.run = link.run
    call.spellings = link.spellings
    call.style_addresses = call.contact_callers = call.route_goip_style = NAN
    call.asserted_blocks = call.shown_accounts = NAN
    if stage >= STAGE_ANSWER:
        call.progress_ns = record.progress_ns
        call.ringing_ns = record.ringing_ns
        call.early_media_ns = record.early_media_ns
        call.answer_tag = record.answer_tag
        call.answer_ns = record.answer_ns
        call.status_code = record.status_code
    if stage == STAGE_END:
        call.end_ns = record.end_ns
        call.state = record.state
        call.hung_up = record.hung_up
        call.voice.heard = record.heard
        call.voice.callee_ns = record.callee_voice_ns
        call.voice.caller_sound = record.caller_sound
        call.voice.callee_sound = record.callee_sound


cdef void play_calls(Profiles profiles, const uint8_t[:, ::1] records, const int64_t[::1] order,
                     Link* links, float[:, :, ::1] rows) noexcept nogil:
    cdef CallRecord record
    cdef Call call
    cdef Py_ssize_t event, i
    cdef int played, stage
    cdef int64_t now_ns
    for event in range(order.shape[0]):
        i = order[event] // PLAYED
        played = <int>(order[event] % PLAYED)
        stage = max(played - 1, <int>STAGE_SETUP)       # a reply comes between setup and answer
        memcpy(&record, &records[i, 0], sizeof(CallRecord))
        fill(&call, &record, &links[i], stage)
        if played == PLAYED_REPLY:
            profiles.on_reply(&call, record.reply_ns)
            continue
        if stage == STAGE_SETUP:
            now_ns = record.invite_ns
            profiles.on_setup(&call, now_ns)
            links[i].caller_profile = call.caller_profile
            links[i].callee_profile = call.callee_profile
            links[i].source_profile = call.source_profile
            links[i].caller_generation = call.caller_generation
            links[i].callee_generation = call.callee_generation
            links[i].source_generation = call.source_generation
            links[i].range_hash = call.range_hash
            links[i].price = call.price
            links[i].abroad = call.abroad
            links[i].call_back = call.call_back
            links[i].again = call.again
            links[i].route = call.route
            links[i].route_generation = call.route_generation
            links[i].differing_digits = call.differing_digits
            links[i].newcomer = call.newcomer
            links[i].run = call.run
            links[i].spellings = call.spellings
            links[i].range_callers = call.range_callers
        elif stage == STAGE_ANSWER:
            now_ns = record.answer_ns
            profiles.on_answer(&call, now_ns)
        else:
            now_ns = record.end_ns
            profiles.on_end(&call, now_ns)
        profiles.call_row(&call, stage, now_ns, &rows[i, stage, 0])


def replay_calls(Profiles profiles, calls):
    """The feature rows of calls, played to `profiles` in order of time (of one time: setup, reply, answer, end).

    calls: array [n] of dtype CALL; a call has a setup when invite_ns is not 0, and so on for reply_ns, answer_ns
    and end_ns.
    Returns float32 [n, 3, call features]: the row at setup, answer and end; a stage that did not happen is all NaN.
    Raises TypeError on another dtype, ValueError on another shape, MemoryError.
    """
    calls = _records("calls", calls, CALL, sizeof(CallRecord))
    times = np.stack([calls["invite_ns"], calls["reply_ns"], calls["answer_ns"], calls["end_ns"]], axis=1).ravel()
    order = np.argsort(times, kind="stable")
    order = order[times[order] != 0]
    # of one call the stages stand in order already; of different calls at one time, all setups come first
    order = order[np.lexsort((order // PLAYED, order % PLAYED, times[order]))]
    rows = np.full((len(calls), 3, CALL_FEATURE_COUNT), np.nan, np.float32)
    cdef Link* links = <Link*>calloc(max(1, len(calls)), sizeof(Link))
    if links == NULL:
        raise MemoryError("replay: no memory for the calls")
    cdef const uint8_t[:, ::1] bytes_view = calls.view(np.uint8).reshape(len(calls), CALL.itemsize)
    cdef const int64_t[::1] order_view = order
    cdef float[:, :, ::1] rows_view = rows
    with nogil:
        play_calls(profiles, bytes_view, order_view, links, rows_view)
        free(links)
    return rows


cdef void play_requests(Profiles profiles, const uint8_t[:, ::1] records, const int64_t[::1] order,
                        bint only_due, int32_t* slots, float[:, ::1] rows) noexcept nogil:
    cdef RequestRecord record
    cdef Address source
    cdef Py_ssize_t event, i
    for event in range(order.shape[0]):
        i = order[event] // 2
        memcpy(&record, &records[i, 0], sizeof(RequestRecord))
        memcpy(&source, record.source, sizeof(Address))
        if order[event] % 2 == 0:
            slots[i] = profiles.on_request(
                &source, record.target_key, record.method, record.user_key, record.call_id_key, record.transaction_key,
                record.credentials != 0, record.time_ns)
            if record.method == METHOD_INVITE and record.credentials:
                profiles.on_try(&source, record.transaction_key)
            if profiles.source_is_due(slots[i]) if only_due else record.status_code == 0:
                profiles.source_row(slots[i], record.time_ns, &rows[i, 0])
        else:
            if record.method == METHOD_INVITE:
                profiles.on_try_answered(
                    &source, record.target_key, record.target_key, record.user_key, record.transaction_key,
                    record.status_code, record.stale != 0, record.response_ns)
            profiles.on_response(
                &source, record.target_key, record.method, record.user_key, record.call_id_key, record.transaction_key,
                record.status_code, record.stale != 0, record.response_ns)
            if not only_due:
                profiles.source_row(slots[i], record.response_ns, &rows[i, 0])


def replay_requests(Profiles profiles, requests, bint only_due=False):
    """The rows of the sources of requests, played to `profiles` in order of time.

    requests: array [n] of dtype REQUEST. only_due: rows as the engine takes them, at requests at which the source has
    grown enough for another one, and all NaN at others.
    Returns (rows, slots): float32 [n, source features], the row after the response, or after the request when there
    is none; int32 [n], the slot of the source.
    Raises TypeError on another dtype, ValueError on another shape.
    """
    requests = _records("requests", requests, REQUEST, sizeof(RequestRecord))
    times = np.stack([requests["time_ns"], requests["response_ns"]], axis=1).ravel()
    order = np.lexsort((np.arange(len(times)), times))
    order = order[(order % 2 == 0) | (requests["status_code"][order // 2] != 0)]
    rows = np.full((len(requests), SOURCE_FEATURE_COUNT), np.nan, np.float32)
    slots = np.full(max(1, len(requests)), -1, np.int32)
    cdef const uint8_t[:, ::1] bytes_view = requests.view(np.uint8).reshape(len(requests), REQUEST.itemsize)
    cdef const int64_t[::1] order_view = order
    cdef float[:, ::1] rows_view = rows
    cdef int32_t[::1] slots_view = slots
    with nogil:
        play_requests(profiles, bytes_view, order_view, only_due, &slots_view[0], rows_view)
    return rows, slots[:len(requests)]


def _records(name, array, dtype, size):
    array = np.ascontiguousarray(array)
    if array.dtype != dtype:
        raise TypeError(f"{name}: expected records of {dtype.names}, got {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name}: expected shape [n], got {list(array.shape)}")
    if dtype.itemsize != size:
        raise SystemError(f"{name}: the record has {size} bytes in C and {dtype.itemsize} in NumPy")
    return array
