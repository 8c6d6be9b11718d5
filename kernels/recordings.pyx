# cython: language_level=3
"""Listening to the payloads of a stream, and the Python face."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from capture.hashing cimport hash_bytes, hash_mix

PACKETS = RECORDING_PACKETS
LISTENED = LISTENED_PACKETS
SOUND_BYTES = sizeof(Sound)

cdef enum:
    REPEATS = 1                 # the lowest bit of a hash that waits


cdef inline void keep(Sound* sound, uint64_t hashed) noexcept nogil:
    sound.voiced += 1
    if sound.least == 0 or hashed < sound.least:
        sound.second = sound.least
        sound.least = hashed
    elif hashed != sound.least and (sound.second == 0 or hashed < sound.second):
        sound.second = hashed


cdef bint sound_hear(Sound* sound, const uint8_t* payload, uint32_t payload_bytes, uint64_t secret) noexcept nogil:
    cdef uint64_t hashed = hash_bytes(payload, min(payload_bytes, <uint32_t>HASHED_BYTES), secret) | REPEATS
    cdef uint64_t repeats = 0
    cdef int i
    for i in range(VOICE_BETWEEN):
        if sound.waiting[i] | REPEATS == hashed:
            sound.waiting[i] = hashed
            repeats = REPEATS
    if sound.waiting[0] != 0 and not sound.waiting[0] & REPEATS:
        keep(sound, sound.waiting[0])
    for i in range(VOICE_BETWEEN - 1):
        sound.waiting[i] = sound.waiting[i + 1]
    sound.waiting[VOICE_BETWEEN - 1] = hashed ^ REPEATS | repeats
    return sound.voiced < RECORDING_PACKETS


cdef uint64_t sound_digest(const Sound* sound) noexcept nogil:
    cdef uint64_t digest
    if sound.voiced < RECORDING_PACKETS or sound.second == 0:
        return 0
    digest = hash_mix(sound.least, sound.second)
    return digest if digest else 1


def sound_of(payloads, uint64_t secret=0) -> int:
    """The sound of a stream of payloads, bytes or None for a packet without voice; 0 when there is too little of it."""
    cdef Sound sound
    cdef const uint8_t[::1] view
    memset(&sound, 0, sizeof(Sound))
    for payload in payloads[:LISTENED_PACKETS]:
        if not payload:
            continue
        view = payload
        length = <uint32_t>view.shape[0]
        if is_voice(&view[0], length) and not sound_hear(&sound, &view[0], length, secret):
            break
    return sound_digest(&sound)
