# cython: language_level=3
"""Reads session descriptions (RFC 8866): which media is expected where, in which encodings.

Only the lines that say so are looked at: c=, m= and the attributes rtpmap, rtcp and rtcp-mux. Everything else is
passed over, in any order, since endpoints accept from each other far more than the grammar allows.
"""
import ipaddress

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strlen

from capture.hashing cimport hash_bytes
from capture.index cimport index_key
from capture.packet cimport Address, address_from_v4, address_from_v6, address_is_v4
from capture.scan cimport Lines, begin_lines, find_byte, find_control, next_line_end
from capture.sip cimport Span
from capture.sip_text cimport CLASS, WHITE, same_name, skip_white
from capture.sip_values cimport NOT_A_NUMBER, read_number, span

cdef extern from "arpa/inet.h" nogil:
    int inet_pton(int family, const char* text, void* address)
    int AF_INET6

cdef enum:
    ADDRESS_TEXT_BYTES = 46     # INET6_ADDRSTRLEN
    LARGEST_PAYLOAD_TYPE = 127  # seven bits, RFC 3550 5.1
    STATIC_TYPES = 35           # RFC 3551 tables 4 and 5 end at 34
    UNASSIGNED = 1              # one of those that they leave free

cdef SdpFormat[STATIC_TYPES] STATIC     # indexed by payload type, without a name where none is assigned


cdef void assign(int payload_type, const char* name, uint32_t clock_hz) noexcept nogil:
    STATIC[payload_type].clock_hz = clock_hz
    set_name(&STATIC[payload_type], <const uint8_t*>name, <uint32_t>strlen(name))


# RFC 3551 6. G722 says 8000 although it samples at 16000 (4.5.2): RTP clocks follow the table, not the codec.
assign(0, b"PCMU", 8000)
assign(3, b"GSM", 8000)
assign(4, b"G723", 8000)
assign(5, b"DVI4", 8000)
assign(6, b"DVI4", 16000)
assign(7, b"LPC", 8000)
assign(8, b"PCMA", 8000)
assign(9, b"G722", 8000)
assign(10, b"L16", 44100)
assign(11, b"L16", 44100)
assign(12, b"QCELP", 8000)
assign(13, b"CN", 8000)
assign(14, b"MPA", 90000)
assign(15, b"G728", 8000)
assign(16, b"DVI4", 11025)
assign(17, b"DVI4", 22050)
assign(18, b"G729", 8000)
assign(25, b"CELB", 90000)
assign(26, b"JPEG", 90000)
assign(28, b"NV", 90000)
assign(31, b"H261", 90000)
assign(32, b"MPV", 90000)
assign(33, b"MP2T", 90000)
assign(34, b"H263", 90000)


# --- Words of a line ------------------------------------------------------------------------------------------------

cdef inline Span next_word(const uint8_t* data, uint32_t* at, uint32_t end) noexcept nogil:
    """The next run of bytes without white space; empty at the end of the line."""
    cdef uint32_t start = skip_white(data, at[0], end)
    cdef uint32_t stop = find_control(data, start, end)
    while stop < end and not CLASS[data[stop]] & WHITE:
        stop = find_control(data, stop + 1, end)
    at[0] = stop
    return span(start, stop)


cdef inline bint is_word(const uint8_t* data, Span word, const char* name, uint32_t length) noexcept nogil:
    return word.length == length and same_name(data + word.start, name, length)


cdef inline bint read_port(const uint8_t* data, Span word, uint16_t* port) noexcept nogil:
    """A port, perhaps with `/` and a number of ports behind it (RFC 8866 5.14)."""
    cdef uint32_t after = 0
    cdef int64_t value = read_number(data, word.start, word.start + word.length, &after)
    if value == NOT_A_NUMBER or value > 0xffff:
        return False
    port[0] = <uint16_t>value
    return True


cdef inline bint read_decimals(const uint8_t* text, uint32_t length, uint8_t* octets) noexcept nogil:
    """Four decimals with dots between them, as inet_pton takes them: none above 255 or with a leading zero."""
    cdef uint32_t at = 0
    cdef uint32_t value, digits
    cdef int i
    for i in range(4):
        if i > 0:
            if at == length or text[at] != c'.':
                return False
            at += 1
        value = digits = 0
        while at < length and c'0' <= text[at] <= c'9' and digits < 3:
            value = value * 10 + (text[at] - c'0')
            digits += 1
            at += 1
        if digits == 0 or value > 255 or (digits > 1 and text[at - digits] == c'0'):
            return False
        octets[i] = <uint8_t>value
    return at == length


cdef inline bint read_address_text(const uint8_t* data, Span word, Address* address) noexcept nogil:
    """An IPv4 or IPv6 address; a time to live or range behind `/` (RFC 8866 5.7) is left out. False for names."""
    cdef char[ADDRESS_TEXT_BYTES] text
    cdef uint8_t[16] octets
    cdef uint32_t length = find_byte(data, word.start, word.start + word.length, c'/') - word.start
    if length == 0 or length >= ADDRESS_TEXT_BYTES:
        return False
    if read_decimals(data + word.start, length, octets):
        address_from_v4(address, octets)
        return True
    memcpy(text, data + word.start, length)
    text[length] = 0
    if inet_pton(AF_INET6, text, octets) == 1:
        address_from_v6(address, octets)
        return True
    return False


cdef inline bint read_connection(const uint8_t* data, uint32_t at, uint32_t end, Address* address) noexcept nogil:
    """`IN IP4 address`, of c= (RFC 8866 5.7) and of a=rtcp (RFC 3605). A name is not resolved: no I/O here."""
    next_word(data, &at, end)
    next_word(data, &at, end)
    return read_address_text(data, next_word(data, &at, end), address)


# --- Lines ----------------------------------------------------------------------------------------------------------

cdef struct Reading:
    SdpMedia* media             # the description that attributes belong to; NULL in the session part
    Address connection          # of the session part
    bint rtcp_address_given
    bint rtcp_port_given
    bint rtcp_mux
    SdpHabit* habit             # where `media` is to be remembered under `habit_key`, or NULL
    uint64_t habit_key


cdef inline bint is_rtp_protocol(const uint8_t* data, Span protocol) noexcept nogil:
    """RTP/AVP and its profiles, on UDP or through DTLS (RFC 5764): RTP stands at a word's begin."""
    cdef uint32_t at = protocol.start
    cdef uint32_t end = protocol.start + protocol.length
    while end - at >= 4:
        if same_name(data + at, b"rtp", 3) and data[at + 3] == c'/':
            return True
        at = find_byte(data, at, end, c'/')
        if at < end:
            at += 1
    return False


cdef void add_format(SdpMedia* media, int64_t payload_type) noexcept nogil:
    cdef SdpFormat* format
    if media.format_count == SDP_MAX_FORMATS:
        return
    format = &media.formats[media.format_count]
    media.format_count += 1
    format[0] = STATIC[payload_type if payload_type < STATIC_TYPES else UNASSIGNED]
    format.payload_type = <uint8_t>payload_type


cdef void set_name(SdpFormat* format, const uint8_t* name, uint32_t length) noexcept nogil:
    """The name in capitals, up to a NUL, `length` or what there is room for."""
    cdef uint32_t i = 0
    memset(format.name, 0, SDP_NAME_BYTES)
    while i < length and i < SDP_NAME_BYTES - 1 and name[i] != 0:
        format.name[i] = <char>(name[i] - 32 if c'a' <= name[i] <= c'z' else name[i])
        i += 1


cdef void read_formats(const uint8_t* data, uint32_t at, uint32_t end, SdpMedia* media) noexcept nogil:
    cdef Span word
    cdef uint32_t after = 0
    cdef int64_t payload_type
    while True:
        word = next_word(data, &at, end)
        if word.length == 0:
            return
        payload_type = read_number(data, word.start, word.start + word.length, &after)
        if 0 <= payload_type <= LARGEST_PAYLOAD_TYPE and after == word.start + word.length:
            add_format(media, payload_type)


cdef uint32_t read_media(const uint8_t* data, uint32_t at, uint32_t end, SdpMedia* media) noexcept nogil:
    """m=<media> <port>[/<number of ports>] (RFC 8866 5.14): the offset behind them."""
    cdef Span word = next_word(data, &at, end)
    if is_word(data, word, b"audio", 5):
        media.kind = SDP_AUDIO
    elif is_word(data, word, b"video", 5):
        media.kind = SDP_VIDEO
    elif is_word(data, word, b"image", 5):
        media.kind = SDP_IMAGE
    read_port(data, next_word(data, &at, end), &media.rtp.port)
    return at


cdef void read_protocol(const uint8_t* data, uint32_t at, uint32_t end, SdpMedia* media) noexcept nogil:
    """<proto> <fmt> ..., the rest of the same line."""
    media.is_rtp = is_rtp_protocol(data, next_word(data, &at, end))
    if media.is_rtp:
        read_formats(data, at, end, media)


cdef void read_rtpmap(const uint8_t* data, uint32_t at, uint32_t end, SdpMedia* media) noexcept nogil:
    """<payload type> <encoding name>/<clock rate>[/<parameters>] (RFC 8866 6.6)"""
    cdef uint32_t after = 0
    cdef uint32_t slash, i
    cdef int64_t payload_type = read_number(data, skip_white(data, at, end), end, &after)
    cdef int64_t clock_hz
    cdef Span encoding
    if payload_type == NOT_A_NUMBER:
        return
    encoding = next_word(data, &after, end)
    slash = find_byte(data, encoding.start, encoding.start + encoding.length, c'/')
    for i in range(media.format_count):
        if media.formats[i].payload_type == payload_type:
            set_name(&media.formats[i], data + encoding.start, slash - encoding.start)
            clock_hz = read_number(data, slash + 1, encoding.start + encoding.length, &after)
            media.formats[i].clock_hz = <uint32_t>clock_hz if clock_hz > 0 else 0


cdef void read_rtcp(const uint8_t* data, uint32_t at, uint32_t end, Reading* reading) noexcept nogil:
    """<port> [IN IP4 <address>] (RFC 3605 2.1)"""
    reading.rtcp_port_given = read_port(data, next_word(data, &at, end), &reading.media.rtcp.port)
    reading.rtcp_address_given = read_connection(data, at, end, &reading.media.rtcp.address)


cdef void read_attribute(const uint8_t* data, uint32_t at, uint32_t end, Reading* reading) noexcept nogil:
    cdef uint32_t colon
    cdef Span name
    if at == end or data[at] | 0x20 != c'r':    # most attributes are fmtp, ptime, sendrecv, ...
        return
    colon = find_byte(data, at, end, c':')
    name = next_word(data, &at, colon)
    if is_word(data, name, b"rtpmap", 6):
        read_rtpmap(data, colon + 1, end, reading.media)
    elif is_word(data, name, b"rtcp-mux", 8):
        reading.rtcp_mux = True
    elif is_word(data, name, b"rtcp", 4) and colon < end:
        read_rtcp(data, colon + 1, end, reading)


cdef void finish_media(Reading* reading) noexcept nogil:
    """RTCP is where it is said to be, else one port higher (RFC 3550 11), or on the port of RTP (RFC 5761 5.1.1)."""
    cdef SdpMedia* media = reading.media
    if media == NULL:
        return
    if reading.habit != NULL:
        reading.habit.key = reading.habit_key
        reading.habit.is_rtp = media.is_rtp
        reading.habit.format_count = media.format_count
        memcpy(reading.habit.formats, media.formats, media.format_count * sizeof(SdpFormat))
        reading.habit = NULL
    if reading.rtcp_mux:
        media.rtcp = media.rtp
        return
    if not reading.rtcp_address_given:
        media.rtcp.address = media.rtp.address
    if not reading.rtcp_port_given:
        media.rtcp.port = <uint16_t>(media.rtp.port + 1) if 0 < media.rtp.port < 0xffff and media.is_rtp else 0


cdef bint begin_media(SdpSession* session, Reading* reading) noexcept nogil:
    """False when there is no room for one more."""
    finish_media(reading)
    reading.media = NULL
    if session.media_count == SDP_MAX_MEDIA:
        return False
    reading.media = &session.media[session.media_count]
    session.media_count += 1
    memset(reading.media, 0, <size_t>(<char*>&reading.media.formats - <char*>reading.media))
    reading.media.rtp.address = reading.connection
    reading.rtcp_address_given = False
    reading.rtcp_port_given = False
    reading.rtcp_mux = False
    return True


cdef inline bint says_where(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """Whether a line names an address or has to do with RTCP, whose address it may name."""
    if data[at] == c'c':
        return True
    return data[at] == c'a' and end - at >= 6 and same_name(data + at + 2, b"rtcp", 4)


cdef bint recall_media(const uint8_t* data, uint32_t at, uint32_t line_end, uint32_t length, Lines* lines,
                       uint32_t* next_line, Reading* reading, SdpMemory* memory) noexcept nogil:
    """Takes what is remembered of the text from `at`, behind the port, to the next media description, and goes behind
    it; or makes a note to remember it, unless it names an address."""
    cdef Lines ahead = lines[0]
    cdef uint32_t stop = line_end
    cdef uint32_t line = line_end + 1
    cdef SdpHabit* habit
    while line < length:
        if length - line >= 2 and data[line + 1] == c'=':
            if data[line] == c'm':
                break
            if says_where(data, line, length):
                return False
        stop = next_line_end(&ahead)
        line = stop + 1
    reading.habit_key = index_key(hash_bytes(data + at, stop - at, memory.secret))
    habit = &memory.habits[reading.habit_key % SDP_HABITS]
    if habit.key != reading.habit_key:
        reading.habit = habit
        return False
    reading.media.is_rtp = habit.is_rtp
    reading.media.format_count = habit.format_count
    memcpy(reading.media.formats, habit.formats, habit.format_count * sizeof(SdpFormat))
    lines[0] = ahead
    next_line[0] = line
    return True


cdef int sdp_read(const uint8_t* data, uint32_t length, SdpSession* session, SdpMemory* memory) noexcept nogil:
    cdef Reading reading
    cdef Lines lines
    cdef uint32_t at = 0
    cdef uint32_t end, line
    session.media_count = 0
    memset(&reading, 0, sizeof(reading))
    if length < 3 or data[0] != c'v' or data[1] != c'=' or data[2] != c'0':
        return -1
    begin_lines(&lines, data, 0, length)
    while at < length:
        line = at
        end = next_line_end(&lines)
        at = end + 1
        if end - line < 2 or data[line + 1] != c'=':
            continue
        if data[line] == c'm':
            if not begin_media(session, &reading):
                break
            line = read_media(data, line + 2, end, reading.media)
            if memory == NULL or not recall_media(data, line, end, length, &lines, &at, &reading, memory):
                read_protocol(data, line, end, reading.media)
        elif data[line] == c'c':
            read_connection(data, line + 2, end,
                            &reading.media.rtp.address if reading.media != NULL else &reading.connection)
        elif data[line] == c'a' and reading.media != NULL:
            read_attribute(data, line + 2, end, &reading)
    finish_media(&reading)
    return session.media_count


# --- Python face ----------------------------------------------------------------------------------------------------

KIND_NAMES = {SDP_OTHER: "other", SDP_AUDIO: "audio", SDP_VIDEO: "video", SDP_IMAGE: "image"}


cdef tuple endpoint_of(const Endpoint* endpoint):
    cdef bytes octets = (<const char*>&endpoint.address)[:16]
    if address_is_v4(&endpoint.address):
        return str(ipaddress.IPv4Address(octets[12:])), endpoint.port
    return str(ipaddress.IPv6Address(octets)), endpoint.port


cdef dict media_of(const SdpMedia* media):
    formats = []
    for i in range(media.format_count):
        formats.append((media.formats[i].payload_type, (<const char*>media.formats[i].name).decode("latin-1"),
                        media.formats[i].clock_hz))
    return {"kind": KIND_NAMES[media.kind], "is_rtp": bool(media.is_rtp), "rtp": endpoint_of(&media.rtp),
            "rtcp": endpoint_of(&media.rtcp), "formats": formats}


cdef class Memory:
    """What `read` remembers from one description to the next; `secret` keys its hashes."""
    cdef SdpMemory memory

    def __cinit__(self, uint64_t secret=0):
        self.memory.secret = secret


def read(bytes data not None, Memory memory=None) -> list | None:
    """The media descriptions of a session description, None when it does not begin with v=0.

    Each is a dict: `kind` (a value of KIND_NAMES), `is_rtp`, `rtp` and `rtcp` ((address, port), "::" where no
    address is said), `formats` (list of (payload type, encoding name or "", clock in Hz or 0)). `memory` makes no
    difference but that of time.
    """
    cdef SdpSession session
    if sdp_read(data, <uint32_t>len(data), &session, &memory.memory if memory is not None else NULL) < 0:
        return None
    return [media_of(&session.media[i]) for i in range(session.media_count)]
