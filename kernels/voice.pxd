# cython: language_level=3
"""Whose voice was in a call: RTP from the caller's side, from the callee's, or both.

Who announced an endpoint in its SDP is who listens there, so that what is sent to it is the other side's (RFC 3264);
where only the sender's description was seen, what comes from it is its own (symmetric RTP, RFC 4961). A mirror of one
direction has half of the streams and says nothing of silence; so does a mirror that sees no media. In a call that is
answered, and billed, while nobody speaks at the far end, the far end may never have been reached: false answer.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t

from kernels.media cimport MediaTable

cdef enum Heard:
    VOICE_UNKNOWN = 0           # no RTP, too little, or a mirror of one direction
    VOICE_BOTH = 1
    VOICE_CALLER = 2            # only the caller's side
    VOICE_CALLEE = 3

cdef enum:
    VOICE_PACKETS = 25          # half a second of RTP at the usual 20 ms (RFC 3551 4.2): below, nothing is known

cdef struct Voice:              # 40 bytes
    int64_t caller_ns           # first RTP packet from the caller's side, 0 for none
    int64_t callee_ns
    uint64_t caller_sound       # of the first of the side's streams that has one (kernels/recordings.pxd), 0 for none
    uint64_t callee_sound
    uint8_t heard               # Heard
    uint16_t caller_packets     # at most VOICE_PACKETS: more tell no more
    uint16_t callee_packets

# Of the streams of a call, `two_way`: messages of both directions were seen. What was noted before stays: a box that is
# restarted has lost the streams, but not the calls.
cdef void voice_read(MediaTable media, int32_t call_slot, bint two_way, Voice* voice) noexcept nogil
