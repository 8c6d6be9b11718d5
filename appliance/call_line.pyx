# cython: language_level=3
"""The JSON line of a call, written straight from the call table.

Every call of a capture gets a line, so this is on the packet path and makes no Python object: 100,000 calls a
second through `msgspec` would cost more than tracking them. `appliance/report.py` is the schema that these
lines keep; the tests decode every one of them by it.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, strlen

from capture.index cimport NO_SLOT
from capture.packet cimport Endpoint, address_is_v4
from kernels.calls cimport (
    PHASE_RELEASED, SEEN_2XX, SEEN_ACK, SEEN_BYE, SEEN_IMPLIED, SEEN_INVITE, SEEN_REPLY, SEEN_TRUNCATED, Call,
)
from kernels.engine cimport Engine
from kernels.media cimport Stream
from kernels.slots cimport prefetch, prefetch_all

from appliance.call_reasons cimport CallReasons

from kernels.calls import STAGE_NAMES, STATE_NAMES
from models.fraud_types import FRAUD_TYPES

cdef extern from "arpa/inet.h" nogil:
    int AF_INET6
    const char* inet_ntop(int family, const void* address, char* out, unsigned int room)

cdef enum:
    LINE_BYTES = 8192       # more than any line without its streams: 352 bytes of text, each escaped to 6 at most
    STREAM_BYTES = 512
    MILLION = 1_000_000

cdef char* HEX = b"0123456789abcdef"
cdef bytes TWO_DIGITS = b"".join(b"%02d" % number for number in range(100))
cdef const char* PAIRS = TWO_DIGITS
cdef list TRANSPORT_JSON = [b'"udp"', b'"tcp"', b'"ws"']
cdef list VERDICT_JSON = [b'"pass"', b'"watch"', b'"flag"']
cdef list STATE_JSON = [f'"{name}"'.encode() for name in STATE_NAMES]
cdef list STAGE_JSON = [f'"{name}"'.encode() for name in STAGE_NAMES]
cdef list FRAUD_JSON = [f'"{name}"'.encode() for name in FRAUD_TYPES]
cdef const char* TRANSPORT_TEXT[3]
cdef const char* VERDICT_TEXT[3]
cdef const char* STATE_TEXT[8]
cdef const char* STAGE_TEXT[3]
cdef const char* FRAUD_TEXT[32]
cdef int FRAUD_COUNT = len(FRAUD_JSON)


cdef void point_at(const char** texts, list names):
    for i, name in enumerate(names):
        texts[i] = name


point_at(TRANSPORT_TEXT, TRANSPORT_JSON)
point_at(VERDICT_TEXT, VERDICT_JSON)
point_at(STATE_TEXT, STATE_JSON)
point_at(STAGE_TEXT, STAGE_JSON)
point_at(FRAUD_TEXT, FRAUD_JSON)


cdef inline int utf8_length(const uint8_t* text, uint32_t left) noexcept nogil:
    """Bytes of the well-formed UTF-8 sequence that begins here (RFC 3629 4), 0 when there is none."""
    cdef uint8_t first = text[0]
    cdef int length, i
    if first < 0x80:
        return 1
    if first < 0xC2 or first > 0xF4:
        return 0
    length = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if <uint32_t>length > left:
        return 0
    for i in range(1, length):
        if text[i] & 0xC0 != 0x80:
            return 0
    if (first == 0xE0 and text[1] < 0xA0) or (first == 0xED and text[1] > 0x9F):
        return 0
    if (first == 0xF0 and text[1] < 0x90) or (first == 0xF4 and text[1] > 0x8F):
        return 0
    return length


cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* A macro, so that the length of a literal is known when this is compiled. */
    #define sw_put(at, text) ({ \\
        char *sw_at = (at); \\
        const char *sw_text = (text); \\
        size_t sw_length = __builtin_strlen(sw_text); \\
        (char *)memcpy(sw_at, sw_text, sw_length) + sw_length; })

    /* Eight bytes that stand for themselves in a JSON string: 0x20..0x7e without quotation mark and backslash. */
    static inline int sw_plain8(const char *p) {
        const uint64_t ones = 0x0101010101010101ull, tops = 0x8080808080808080ull;
        uint64_t v, quote, backslash;
        memcpy(&v, p, 8);
        quote = v ^ ones * '"';
        backslash = v ^ ones * '\\\\';
        return !((v | (v - ones * 0x20) | (quote - ones) | (backslash - ones)) & tops);
    }
    """
    char* put "sw_put"(char* at, const char* text) noexcept nogil
    bint plain8 "sw_plain8"(const char* text) noexcept nogil


cdef char* put_string(char* at, const char* text, uint32_t length) noexcept nogil:
    """A JSON string (RFC 8259 7). What is not UTF-8 is shown as U+FFFD: captures hold any bytes."""
    cdef uint32_t i = 0
    cdef int n
    cdef uint8_t c
    at[0] = c'"'
    at += 1
    while i < length:
        if length - i >= 8 and plain8(text + i):
            memcpy(at, text + i, 8)
            at += 8
            i += 8
            continue
        c = <uint8_t>text[i]
        if c == c'"' or c == c'\\':
            at[0] = c'\\'
            at[1] = c
            at += 2
            i += 1
        elif c < 0x20:
            at = put(at, b"\\u00")
            at[0] = HEX[c >> 4]
            at[1] = HEX[c & 15]
            at += 2
            i += 1
        else:
            n = utf8_length(<const uint8_t*>text + i, length - i)
            if n == 0:
                at = put(at, b"\xef\xbf\xbd")
                i += 1
            else:
                memcpy(at, text + i, n)
                at += n
                i += n
    at[0] = c'"'
    return at + 1


cdef inline char* put_pair(char* at, uint32_t value) noexcept nogil:
    """Two digits of a number below 100."""
    memcpy(at, PAIRS + 2 * value, 2)
    return at + 2


cdef char* put_number(char* at, uint64_t value, int digits) noexcept nogil:
    """`value` in decimal, with leading zeros up to `digits`."""
    cdef char[20] text
    cdef int n = 20
    while value >= 100:
        n -= 2
        memcpy(text + n, PAIRS + 2 * (value % 100), 2)
        value //= 100
    if value >= 10:
        n -= 2
        memcpy(text + n, PAIRS + 2 * value, 2)
    elif value > 0:
        n -= 1
        text[n] = <char>(c'0' + value)
    while n > 20 - digits:
        n -= 1
        text[n] = c'0'
    memcpy(at, text + n, 20 - n)
    return at + 20 - n


cdef inline char* put_six(char* at, uint32_t value) noexcept nogil:
    """Six digits of a number below a million."""
    at = put_pair(at, value // 10000)
    at = put_pair(at, value // 100 % 100)
    return put_pair(at, value % 100)


cdef inline char* put_small(char* at, uint32_t value) noexcept nogil:
    """A number below 100,000, as octets and ports are."""
    if value < 10:
        at[0] = <char>(c'0' + value)
        return at + 1
    if value < 100:
        return put_pair(at, value)
    if value < 1000:
        at[0] = <char>(c'0' + value // 100)
        return put_pair(at + 1, value % 100)
    if value >= 10000:
        at[0] = <char>(c'0' + value // 10000)
        at += 1
        value %= 10000
    return put_pair(put_pair(at, value // 100), value % 100)


cdef inline char* put_millionths(char* at, uint64_t value) noexcept nogil:
    cdef uint64_t whole = value // MILLION
    at = put_small(at, <uint32_t>whole) if whole < 100000 else put_number(at, whole, 1)
    at[0] = c'.'
    return put_six(at + 1, <uint32_t>(value % MILLION))


cdef char* put_span(char* at, int64_t start_ns, int64_t end_ns) noexcept nogil:
    """Seconds from start to end, or null when one of them is not known or they are out of order."""
    if start_ns == 0 or end_ns < start_ns:
        return put(at, b"null")
    return put_millionths(at, <uint64_t>(end_ns - start_ns) // 1000)


cdef char* put_time(char* at, int64_t time_ns) noexcept nogil:
    """RFC 3339, UTC, microseconds. Days to a civil date after Hinnant, chrono-compatible low-level algorithms."""
    cdef uint64_t us = <uint64_t>(time_ns if time_ns > 0 else 0) // 1000
    cdef uint64_t days = us // (86400 * <uint64_t>MILLION) + 719468
    cdef uint64_t era = days // 146097
    cdef uint64_t doe = days - era * 146097
    cdef uint64_t yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    cdef uint64_t doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    cdef uint64_t mp = (5 * doy + 2) // 153
    cdef uint64_t month = mp + 3 if mp < 10 else mp - 9
    cdef uint32_t second = <uint32_t>(us // MILLION % 86400)
    at[0] = c'"'
    at = put_number(at + 1, yoe + era * 400 + (month <= 2), 4)
    at[0] = c'-'
    at = put_pair(at + 1, <uint32_t>month)
    at[0] = c'-'
    at = put_pair(at + 1, <uint32_t>(doy - (153 * mp + 2) // 5 + 1))
    at[0] = c'T'
    at = put_pair(at + 1, second // 3600)
    at[0] = c':'
    at = put_pair(at + 1, second // 60 % 60)
    at[0] = c':'
    at = put_pair(at + 1, second % 60)
    at[0] = c'.'
    at = put_six(at + 1, <uint32_t>(us % MILLION))
    return put(at, b'Z"')


cdef char* put_endpoint(char* at, const Endpoint* endpoint) noexcept nogil:
    """"192.0.2.1:5060" or "[2001:db8::1]:5060" (RFC 5952 6)."""
    cdef const uint8_t* octets = <const uint8_t*>&endpoint.address.low + 4
    cdef int i
    at[0] = c'"'
    at += 1
    if address_is_v4(&endpoint.address):
        for i in range(4):
            at = put_small(at, octets[i])
            at[0] = c'.' if i < 3 else c':'
            at += 1
    else:
        at[0] = c'['
        at += 1
        inet_ntop(AF_INET6, &endpoint.address, at, 48)
        at = put(at + strlen(at), b"]:")
    at = put_small(at, endpoint.port)
    at[0] = c'"'
    return at + 1


cdef char* put_e164(char* at, const char* digits) noexcept nogil:
    if digits[0] == 0:
        return put(at, b"null")
    return put(put(put(at, b'"+'), digits), b'"')


cdef double capture_loss(const Call* call) noexcept nogil:
    """The share of the call's messages that must have been sent, by what was seen of it, and were not captured."""
    cdef uint32_t missing = 0
    if one_way(call):
        return 0.0                              # a whole direction is missing: said by one_way, not here
    missing += not call.seen & SEEN_INVITE
    missing += call.seen & SEEN_ACK != 0 and not call.seen & SEEN_2XX
    missing += call.seen & SEEN_2XX != 0 and call.seen & SEEN_BYE != 0 and not call.seen & SEEN_ACK
    return missing / <double>(call.messages + missing)


cdef inline bint one_way(const Call* call) noexcept nogil:
    """Only one side's messages were seen, though the other side must have spoken."""
    if call.seen & SEEN_INVITE:
        return call.seen & SEEN_REPLY == 0 and call.seen & SEEN_IMPLIED != 0
    return call.seen & SEEN_IMPLIED == 0


cdef class CallLines:
    """Writes lines of an engine's calls into one buffer that is used again for every block."""
    cdef char* buffer
    cdef size_t room
    cdef size_t used
    cdef bytes bundle

    def __cinit__(self, bundle: str):
        self.bundle = b'"' + bundle.encode() + b'"'

    def __dealloc__(self):
        free(self.buffer)

    cdef char* _reserve(self, size_t more) except NULL:
        cdef char* grown
        if self.used + more > self.room:
            grown = <char*>realloc(self.buffer, 2 * (self.used + more))
            if grown == NULL:
                raise MemoryError("no memory for the lines of a block")
            self.buffer = grown
            self.room = 2 * (self.used + more)
        return self.buffer + self.used

    def write(self, Engine engine, CallReasons reasons) -> bytes:
        """The lines of the block's finished calls."""
        cdef uint32_t i
        self.used = 0
        for i in range(engine.calls.released_count):
            if i + 1 < engine.calls.released_count:
                prefetch_all(&engine.calls.calls[engine.calls.released[i + 1]], sizeof(Call))
                prefetch(&engine.media.first_of_call[engine.calls.released[i + 1]])
            self._line(engine, engine.calls.released[i], reasons)
        return self.buffer[:self.used] if self.used else b""

    def of_row(self, Engine engine, uint32_t i, CallReasons reasons) -> bytes:
        """The line of the call of row `i` of the block, as it is now."""
        if i >= engine.call_rows_count:
            raise IndexError(i)
        self.used = 0
        self._line(engine, engine.call_notes[i].call_slot, reasons)
        return self.buffer[:self.used]

    def write_open(self, Engine engine, const int64_t[::1] serials, const int32_t[::1] slots,
                   CallReasons reasons) -> bytes:
        """The lines, as they would be now, of calls that are still in the table; those that left it since
        kernels/open_calls.pyx found them are passed over."""
        cdef Py_ssize_t i
        cdef const Call* call
        self.used = 0
        for i in range(slots.shape[0]):
            call = &engine.calls.calls[slots[i]]
            if call.serial != <uint64_t>serials[i] or call.phase == PHASE_RELEASED:
                continue
            self._line(engine, slots[i], reasons)
        return self.buffer[:self.used] if self.used else b""

    cdef int _line(self, Engine engine, int32_t slot, CallReasons reasons) except -1:
        cdef const Call* call = &engine.calls.calls[slot]
        self._identity(call, engine.offset_ns)
        self._streams(engine, slot)
        self._verdict(call, reasons.of(slot, call.serial) if call.verdict else b"[]", engine.offset_ns)
        return 0

    cdef int _identity(self, const Call* call, int64_t offset_ns) except -1:
        cdef char* at = self._reserve(LINE_BYTES)
        cdef int64_t over_ns = call.answer_ns if call.answer_ns else call.end_ns
        at = put_string(put(at, b'{"type":"call","call_id":'), call.call_id, call.call_id_length)
        at = put_string(put(at, b',"caller":'), call.caller, call.caller_length)
        at = put_string(put(at, b',"callee":'), call.callee, call.callee_length)
        at = put_e164(put(at, b',"caller_e164":'), call.caller_e164)
        at = put_e164(put(at, b',"callee_e164":'), call.callee_e164)
        at = put_endpoint(put(at, b',"source":'), &call.source)
        at = put_endpoint(put(at, b',"destination":'), &call.destination)
        at = put(put(at, b',"transport":'), TRANSPORT_TEXT[call.transport])
        at = put_time(put(at, b',"start":'), call.first_ns + offset_ns)
        at = put(put(at, b',"state":'), STATE_TEXT[call.state])
        at = put(at, b',"status_code":')
        at = put_number(at, call.status_code, 3) if call.status_code else put(at, b"null")
        at = put_span(put(at, b',"post_dial_delay_s":'), call.invite_ns, call.progress_ns)
        at = put_span(put(at, b',"ring_s":'), call.ringing_ns, over_ns)
        at = put_span(put(at, b',"duration_s":'), call.answer_ns, call.end_ns)
        at = put_number(put(at, b',"messages":'), call.messages, 1)
        at = put(at, b',"user_agent":')
        at = put_string(at, call.agent, call.agent_length) if call.agent_length else put(at, b"null")
        self.used = at - self.buffer
        return 0

    cdef int _streams(self, Engine engine, int32_t slot) except -1:
        cdef char* at = put(self._reserve(STREAM_BYTES), b',"streams":[')
        cdef int32_t i = engine.media.first_stream(slot)
        cdef const Stream* stream
        cdef bint first = True
        self.used = at - self.buffer
        while i != NO_SLOT:
            stream = engine.media.stream(i)
            at = self._reserve(STREAM_BYTES)
            at = put_number(put(at, b'{"ssrc":' if first else b',{"ssrc":'), stream.ssrc, 1)
            at = put_endpoint(put(at, b',"source":'), &stream.source)
            at = put_endpoint(put(at, b',"destination":'), &stream.destination)
            at = put(at, b',"codec":')
            at = put_string(at, stream.codec, strlen(stream.codec)) if stream.codec[0] else put(at, b"null")
            at = put_number(put(at, b',"packets":'), stream.packets, 1)
            at = put(at, b',"lost":')
            if stream.expected < stream.packets:    # duplicates: RFC 3550 A.3 lets the loss be negative
                at = put_number(put(at, b"-"), stream.packets - stream.expected, 1)
            else:
                at = put_number(at, stream.expected - stream.packets, 1)
            at = put(at, b',"jitter_ms":')
            if stream.clock_hz:
                at = put_millionths(at, <uint64_t>(stream.jitter_ticks * 1e9 / stream.clock_hz))
            else:
                at = put(at, b"null")
            at = put(at, b"}")
            self.used = at - self.buffer
            first = False
            i = stream.next_of_call
        return 0

    cdef int _verdict(self, const Call* call, bytes reasons, int64_t offset_ns) except -1:
        cdef char* at = self._reserve(LINE_BYTES + len(reasons) + len(self.bundle))
        cdef bint first = True
        cdef int i
        at = put(put(at, b'],"verdict":'), VERDICT_TEXT[call.verdict])
        at = put_millionths(put(at, b',"score":'), <uint64_t>(call.score * 1e6))
        at = put(at, b',"fraud_types":[')
        for i in range(FRAUD_COUNT):
            if call.fraud_types >> i & 1:
                at = put(put(at, b"" if first else b","), FRAUD_TEXT[i])
                first = False
        at = put(at, b'],"reasons":')
        at = put(at, reasons)
        at = put(put(at, b',"bundle":'), self.bundle)
        if call.verdict:
            at = put(put(at, b',"stage":'), STAGE_TEXT[call.flagged_stage])
            at = put_time(put(at, b',"flagged_at":'), call.flagged_ns + offset_ns)
        else:
            at = put(at, b',"stage":null,"flagged_at":null')
        at = put_millionths(put(at, b',"quality":{"capture_loss":'), <uint64_t>(capture_loss(call) * 1e6))
        at = put(put(at, b',"one_way":'), b"true" if one_way(call) else b"false")
        at = put(put(at, b',"truncated":'), b"true" if call.seen & SEEN_TRUNCATED else b"false")
        at = put(at, b"}}\n")
        self.used = at - self.buffer
        return 0
