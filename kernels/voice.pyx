# cython: language_level=3
"""Telling the sides of a call's RTP apart."""
from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t

from capture.index cimport NO_SLOT
from kernels.expectations cimport Expectation
from kernels.media cimport MediaTable, Stream
from kernels.recordings cimport sound_digest

HEARD_NAMES = ("unknown", "both", "caller", "callee")


cdef int is_of_caller(MediaTable media, int32_t call_slot, const Stream* stream) noexcept nogil:
    """1: from the caller's side, 0: from the callee's, -1: neither end was announced in this call."""
    cdef const Expectation* end = media.expectations.find(&stream.destination)
    if end != NULL and end.call_slot == call_slot:
        return not end.of_caller
    end = media.expectations.find(&stream.source)
    if end != NULL and end.call_slot == call_slot:
        return end.of_caller
    return -1


cdef inline int64_t earlier(int64_t a, int64_t b) noexcept nogil:
    return b if a == 0 or b < a else a


cdef void voice_read(MediaTable media, int32_t call_slot, bint two_way, Voice* voice) noexcept nogil:
    cdef const Stream* stream
    cdef uint64_t caller_packets = 0
    cdef uint64_t callee_packets = 0
    cdef int32_t slot = media.first_stream(call_slot)
    cdef int of_caller
    while slot != NO_SLOT:
        stream = media.stream(slot)
        slot = stream.next_of_call
        of_caller = is_of_caller(media, call_slot, stream)
        if of_caller == 1:
            caller_packets += stream.packets
            voice.caller_ns = earlier(voice.caller_ns, stream.first_ns)
            if voice.caller_sound == 0:
                voice.caller_sound = sound_digest(&stream.sound)
        elif of_caller == 0:
            callee_packets += stream.packets
            voice.callee_ns = earlier(voice.callee_ns, stream.first_ns)
            if voice.callee_sound == 0:
                voice.callee_sound = sound_digest(&stream.sound)
    voice.caller_packets = <uint16_t>min(max(caller_packets, <uint64_t>voice.caller_packets), <uint64_t>VOICE_PACKETS)
    voice.callee_packets = <uint16_t>min(max(callee_packets, <uint64_t>voice.callee_packets), <uint64_t>VOICE_PACKETS)
    if not two_way:
        return
    if voice.caller_packets > 0 and voice.callee_packets > 0:
        voice.heard = VOICE_BOTH
    elif voice.caller_packets == VOICE_PACKETS:
        voice.heard = VOICE_CALLER
    elif voice.callee_packets == VOICE_PACKETS:
        voice.heard = VOICE_CALLEE
