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
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

cdef enum:
    RECORDING_PACKETS = 25      # half a second at the usual 20 ms (RFC 3551 4.2): fewer are no sound
    LISTENED_PACKETS = 250      # five seconds: who is silent so long is no recording
    LEAST_VOICE_BYTES = 10      # 10 ms of G.729 (RFC 3551 4.5.6); frames of comfort noise are shorter
    HASHED_BYTES = 64           # of a payload, from its begin on: 8 ms of G.711; more tell no more, and cost
    VOICE_BETWEEN = 2           # payloads that wait for those behind them

cdef extern from *:
    """
    /* Three numbers, as the sketch counts few. A call that is seen on both sides of a border, with its number written
       in two ways, and one that is handed on, are heard at two. */
    #define SW_RECORDING_NUMBERS 2.5f
    """
    const float RECORDING_NUMBERS "SW_RECORDING_NUMBERS"

cdef struct Sound:              # 40 bytes; all zero before the first packet
    uint64_t least              # hashes of payloads with voice, 0 for none yet
    uint64_t second
    uint64_t waiting[VOICE_BETWEEN]     # the latest two, the later one last: the lowest bit is set in one that repeats
    uint32_t voiced             # payloads that `least` and `second` are of

# The next payload with voice of a stream, in full. Whether there are to be more: only within the first LISTENED_PACKETS
# packets of the stream, with voice or without.
cdef bint sound_hear(Sound* sound, const uint8_t* payload, uint32_t payload_bytes, uint64_t secret) noexcept nogil

# The sound, 0 for none: too little was heard.
cdef uint64_t sound_digest(const Sound* sound) noexcept nogil


cdef inline bint is_voice(const uint8_t* payload, uint32_t payload_bytes) noexcept nogil:
    """Whether a payload is long enough and not of one byte. Voice shows in the first nine bytes, idle code in none."""
    cdef uint64_t first, behind
    if payload_bytes < LEAST_VOICE_BYTES:
        return False
    memcpy(&first, payload, sizeof(first))
    memcpy(&behind, payload + 1, sizeof(behind))
    return first != behind or memcmp(payload, payload + 1, min(payload_bytes, <uint32_t>HASHED_BYTES) - 1) != 0


cdef inline bint is_recording(float numbers) noexcept nogil:
    """Whether a sound that so many numbers have heard, or have answered with, is no person's; NaN is none."""
    return numbers >= RECORDING_NUMBERS
