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

cdef enum MainField:
    VIA = 0
    FROM = 1
    TO = 2
    CALL_ID = 3
    CSEQ = 4
    CONTACT = 5
    CONTENT_LENGTH = 6
    MAIN_FIELDS = 7

cdef struct Value:
    const uint8_t* start
    size_t length

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


cdef inline bint is_name(const uint8_t* name, const char* wanted, size_t length) noexcept nogil:
    """Names are compared without case (RFC 3261 7.3.1); `wanted` is in lower case."""
    cdef size_t i
    for i in range(1, length):
        if name[i] | 0x20 != <uint8_t>wanted[i]:
            return False
    return True


cdef inline int main_field(const uint8_t* name, size_t length) noexcept nogil:
    """Which of the main fields has this name, long or compact; -1 for none."""
    cdef uint8_t first = name[0] | 0x20
    if length == 1:
        if first == b"v":
            return VIA
        if first == b"f":
            return FROM
        if first == b"t":
            return TO
        if first == b"i":
            return CALL_ID
        if first == b"m":
            return CONTACT
        return CONTENT_LENGTH if first == b"l" else -1
    if first == b"v":
        return VIA if length == 3 and is_name(name, b"via", 3) else -1
    if first == b"f":
        return FROM if length == 4 and is_name(name, b"from", 4) else -1
    if first == b"t":
        return TO if length == 2 and is_name(name, b"to", 2) else -1
    if first != b"c":
        return -1
    if length == 4:
        return CSEQ if is_name(name, b"cseq", 4) else -1
    if length == 7:
        return CALL_ID if is_name(name, b"call-id", 7) else CONTACT if is_name(name, b"contact", 7) else -1
    return CONTENT_LENGTH if length == 14 and is_name(name, b"content-length", 14) else -1


cdef inline Value trimmed(const uint8_t* start, const uint8_t* end) noexcept nogil:
    while start < end and (start[0] == b" " or start[0] == b"\t"):
        start += 1
    while start < end and (end - 1)[0] <= b" ":
        end -= 1
    return Value(start, end - start)


cdef void walk_sip(const uint8_t* data, size_t length, Counts* counts) noexcept nogil:
    cdef const uint8_t* at = data
    cdef const uint8_t* end = data + length
    cdef const uint8_t* line_end
    cdef const uint8_t* colon
    cdef Value[MAIN_FIELDS] values
    cdef int field
    counts.sip_messages += 1
    while at < end:
        line_end = <const uint8_t*>memchr(at, b"\n", end - at)
        if line_end == NULL or line_end - at < 2:
            return              # the empty line before the body, or a cut message
        colon = <const uint8_t*>memchr(at, b":", min(line_end - at, LONGEST_NAME + 1))
        if colon != NULL and colon > at:
            field = main_field(at, colon - at)
            if field >= 0:
                values[field] = trimmed(colon + 1, line_end)
                counts.header_fields += 1
                counts.digest += values[field].length
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
