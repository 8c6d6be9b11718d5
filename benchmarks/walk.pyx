# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The limit that the pipeline is measured against: the least that a walk of a capture can do.

Reads a little-endian pcap of Ethernet frames through one buffer, steps over Ethernet, IPv4 and UDP, finds
the main SIP header fields line by line, and reads the RTP header. It keeps no state but counters, checks no
grammar, and answers no question: whoever does more must cost more. Built by `make bench` only.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memcpy, memmove
from posix.fcntl cimport O_RDONLY, open
from posix.unistd cimport close, read

cdef enum:
    BUFFER_BYTES = 1 << 20      # as large as a pipe's default limit; more brought nothing
    FILE_HEADER_BYTES = 24      # pcap: magic, version, zone, accuracy, snapshot length, link type
    RECORD_HEADER_BYTES = 16
    ETHERNET_BYTES = 14
    UDP_BYTES = 8
    RTP_BYTES = 12              # RFC 3550 5.1
    PROTOCOL_UDP = 17
    LONGEST_NAME = 14           # Content-Length

cdef struct Counts:
    uint64_t packets
    uint64_t sip_messages
    uint64_t header_fields      # of the seven kinds that are looked for
    uint64_t rtp_packets
    uint64_t digest             # makes every read count, so that no compiler drops it


cdef inline uint16_t be16(const uint8_t* p) noexcept nogil:
    return <uint16_t>((p[0] << 8) | p[1])


cdef inline uint32_t be32(const uint8_t* p) noexcept nogil:
    return (<uint32_t>p[0] << 24) | (<uint32_t>p[1] << 16) | (<uint32_t>p[2] << 8) | p[3]


cdef inline bint is_name(const uint8_t* name, size_t length, const char* wanted, size_t wanted_bytes) noexcept nogil:
    # The first letter was compared without case; the captures spell the rest as RFC 3261 does.
    return length == wanted_bytes and memcmp(name + 1, wanted + 1, length - 1) == 0


cdef inline bint is_main_field(const uint8_t* name, size_t length) noexcept nogil:
    cdef uint8_t first = name[0] | 0x20
    if length == 1:
        return first == b"v" or first == b"f" or first == b"t" or first == b"i" or first == b"m" or first == b"l"
    if first == b"v":
        return is_name(name, length, b"Via", 3)
    if first == b"f":
        return is_name(name, length, b"From", 4)
    if first == b"t":
        return is_name(name, length, b"To", 2)
    if first == b"c":
        return (
            is_name(name, length, b"Call-ID", 7)
            or is_name(name, length, b"CSeq", 4)
            or is_name(name, length, b"Contact", 7)
            or is_name(name, length, b"Content-Length", 14)
        )
    return False


cdef void walk_sip(const uint8_t* data, size_t length, Counts* counts) noexcept nogil:
    cdef const uint8_t* at = data
    cdef const uint8_t* end = data + length
    cdef const uint8_t* line_end
    cdef const uint8_t* colon
    counts.sip_messages += 1
    while at < end:
        line_end = <const uint8_t*>memchr(at, b"\n", end - at)
        if line_end == NULL or line_end - at < 2:
            return              # the empty line before the body, or a cut message
        colon = <const uint8_t*>memchr(at, b":", min(line_end - at, LONGEST_NAME + 1))
        if colon != NULL and colon > at and is_main_field(at, colon - at):
            counts.header_fields += 1
            counts.digest += line_end - colon
        at = line_end + 1


cdef inline bint is_sip(const uint8_t* data, size_t length) noexcept nogil:
    cdef const uint8_t* line_end
    if length < 12 or data[0] < b"A" or data[0] > b"Z":
        return False
    if memcmp(data, b"SIP/2.0 ", 8) == 0:
        return True
    line_end = <const uint8_t*>memchr(data, b"\n", length)
    return line_end != NULL and line_end - data > 9 and memcmp(line_end - 8, b"SIP/2.0", 7) == 0


cdef void walk_frame(const uint8_t* frame, size_t length, Counts* counts) noexcept nogil:
    cdef const uint8_t* ip = frame + ETHERNET_BYTES
    cdef const uint8_t* payload
    cdef size_t header_bytes
    counts.packets += 1
    if length < ETHERNET_BYTES + 20 + UDP_BYTES or be16(frame + 12) != 0x0800 or ip[9] != PROTOCOL_UDP:
        return
    header_bytes = 4 * (ip[0] & 0x0F)
    if ETHERNET_BYTES + header_bytes + UDP_BYTES > length:
        return
    payload = ip + header_bytes + UDP_BYTES
    length -= ETHERNET_BYTES + header_bytes + UDP_BYTES
    if length >= RTP_BYTES and payload[0] >> 6 == 2:
        counts.rtp_packets += 1
        counts.digest += be16(payload + 2) ^ be32(payload + 4) ^ be32(payload + 8)
    elif is_sip(payload, length):
        walk_sip(payload, length, counts)


cdef size_t walk_buffer(const uint8_t* buffer, size_t filled, Counts* counts) noexcept nogil:
    """Walks the whole records in the buffer; returns the bytes that they took."""
    cdef size_t at = 0
    cdef uint32_t captured
    while at + RECORD_HEADER_BYTES <= filled:
        memcpy(&captured, buffer + at + 8, 4)
        if at + RECORD_HEADER_BYTES + captured > filled:
            break
        walk_frame(buffer + at + RECORD_HEADER_BYTES, captured, counts)
        at += RECORD_HEADER_BYTES + captured
    return at


cdef int walk_descriptor(int descriptor, uint8_t* buffer, Counts* counts) noexcept nogil:
    """0 at the end of the file, -1 when it cannot be read."""
    cdef size_t filled = 0
    cdef size_t taken
    cdef ssize_t got
    if read(descriptor, buffer, FILE_HEADER_BYTES) != FILE_HEADER_BYTES:
        return -1
    while True:
        got = read(descriptor, buffer + filled, BUFFER_BYTES - filled)
        if got <= 0:
            return <int>got
        filled += got
        taken = walk_buffer(buffer, filled, counts)
        filled -= taken
        memmove(buffer, buffer + taken, filled)


def walk(path: str) -> dict[str, int]:
    """Counts what is in a capture; raises OSError when it cannot be read."""
    cdef Counts counts = Counts(0, 0, 0, 0, 0)
    cdef bytes name = path.encode()
    cdef uint8_t* buffer = <uint8_t*>malloc(BUFFER_BYTES)
    cdef int status = -1
    if buffer == NULL:
        raise MemoryError
    cdef int descriptor = open(name, O_RDONLY)
    if descriptor >= 0:
        with nogil:
            status = walk_descriptor(descriptor, buffer, &counts)
        close(descriptor)
    free(buffer)
    if status != 0:
        raise OSError(f"{path}: not readable as a capture")
    return counts
