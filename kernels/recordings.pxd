# cython: language_level=3
"""The sound of a stream: what tells the same recording in two calls, and nothing else of what is said.

Who plays a recording sends the same payloads in each call. Of the first RECORDING_PACKETS payloads with voice in them
the two least keyed hashes are kept, and their hash is the sound: min-wise hashing (Broder 1997), by which two streams
that have a share s of their payloads in common sound the same with a probability of about s squared. So a recording is
known in spite of a lost packet, or of one more before it; a person never says anything twice to the bit, and what is
encrypted (SRTP, RFC 3711) never repeats. Two and not one, since one payload may be common to strangers: the first
frames of a codec that is given silence are the same everywhere.

Voice is what is no shorter than a frame of G.729, not of one byte repeated (the idle code of a telephone), and not the
same as one of the two payloads with voice before it or behind it: tones and digital silence repeat.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    RECORDING_PACKETS = 25      # half a second at the usual 20 ms (RFC 3551 4.2): fewer are no sound
    LISTENED_PACKETS = 500      # ten seconds: who is silent so long is no recording
    LEAST_VOICE_BYTES = 10      # 10 ms of G.729 (RFC 3551 4.5.6); frames of comfort noise are shorter
    VOICE_BETWEEN = 2           # payloads that wait for those behind them

cdef extern from *:
    """
    /* Three numbers, as the sketch counts few. A call that is seen on both sides of a border, with its number written in
       two ways, and one that is handed on, have the same sound twice. */
    #define SW_RECORDING_NUMBERS 2.5f
    """
    const float RECORDING_NUMBERS "SW_RECORDING_NUMBERS"

cdef struct Sound:              # 40 bytes; all zero before the first packet
    uint64_t least              # hashes of payloads with voice, 0 for none yet
    uint64_t second
    uint64_t waiting[VOICE_BETWEEN]     # the latest two, the later one last: the lowest bit is set in one that repeats
    uint16_t packets            # listened to
    uint16_t voiced             # payloads that `least` and `second` are of

# A packet of a stream came: `payload` NULL when it holds no voice, or is not there in full. Whether the sound still
# listens: when not, no more packets are to be told.
cdef bint sound_hear(Sound* sound, const uint8_t* payload, uint32_t payload_bytes, uint64_t secret) noexcept nogil

# The sound, 0 for none: too little was heard.
cdef uint64_t sound_digest(const Sound* sound) noexcept nogil


cdef inline bint is_recording(float numbers) noexcept nogil:
    """Whether a sound that so many numbers have heard, or have answered with, is no person's; NaN is none."""
    return numbers >= RECORDING_NUMBERS
