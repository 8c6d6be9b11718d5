# cython: language_level=3
"""The records of pcap and pcapng files.

pcap:   draft-ietf-opsawg-pcap (microseconds and nanoseconds, both byte orders, and the longer record
        header of Alexey Kuznetzov's patched libpcap).
pcapng: draft-ietf-opsawg-pcapng (several sections in either byte order, several interfaces with their
        own resolution and offset; Enhanced, Simple and the obsolete Packet blocks; drop counts of the
        Interface Statistics blocks). Other blocks are passed over.

The reader never allocates for a record and never reads outside the buffer: a record is handed out when
all of it is there. Departures from the drafts, to the side of reading more:

- A Simple Packet block has no time; it gets that of the record before it.
- A length on the wire below the captured length (some writers leave 0) is taken to be the captured one.
- The section length is not used: blocks carry their own.
"""
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint16_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove

from capture.source cimport RECORD_FOUND, RECORD_MALFORMED, RECORD_NEED_MORE

cdef enum:
    # Magic numbers as read in the byte order of the writer.
    MAGIC_PCAP = 0xa1b2c3d4
    MAGIC_PCAP_NANOSECONDS = 0xa1b23c4d
    MAGIC_PCAP_KUZNETZOV = 0xa1b2cd34
    MAGIC_BYTE_ORDER = 0x1a2b3c4d           # pcapng, in the section header

    PCAP_HEADER_BYTES = 24
    PCAP_RECORD_BYTES = 16
    KUZNETZOV_RECORD_BYTES = 24             # + interface index, protocol, packet type, padding
    PCAP_VERSION = 2
    # The upper bits of the link type field are the frame check sequence's length (draft 4).
    LINK_TYPE_BITS = 0x03ffffff

    BLOCK_SECTION = 0x0a0d0d0a              # the same in both byte orders
    BLOCK_INTERFACE = 1
    BLOCK_PACKET = 2                        # obsolete, written by old dumpcap
    BLOCK_SIMPLE_PACKET = 3
    BLOCK_STATISTICS = 5
    BLOCK_ENHANCED_PACKET = 6

    BLOCK_OVERHEAD = 12                     # type, length, and the length again at the end
    SECTION_BYTES = 28                      # smallest block of each kind
    INTERFACE_BYTES = 20
    STATISTICS_BYTES = 24
    PACKET_BYTES = 32
    SIMPLE_PACKET_BYTES = 16

    OPTION_END = 0
    OPTION_IF_TSRESOL = 9
    OPTION_IF_TSOFFSET = 14
    OPTION_ISB_IFDROP = 5
    OPTION_ISB_OSDROP = 7

    NANOSECOND_DIGITS = 9
    MOST_DECIMAL_DIGITS = 19 + NANOSECOND_DIGITS    # 10^19 is the largest power of ten in 64 bits

cdef enum RecordProblem:
    PROBLEM_NONE = 0
    PROBLEM_MAGIC = 1
    PROBLEM_VERSION = 2
    PROBLEM_RECORD_LENGTH = 3
    PROBLEM_BLOCK_LENGTH = 4
    PROBLEM_TRAILER = 5
    PROBLEM_BYTE_ORDER = 6
    PROBLEM_INTERFACE = 7
    PROBLEM_INTERFACES = 8

_PROBLEM_TEXTS = {
    PROBLEM_MAGIC: "is not a capture file (pcap or pcapng)",
    PROBLEM_VERSION: "is of version {value} of the pcap format, which is not known",
    PROBLEM_RECORD_LENGTH: "is damaged at byte {offset}: a record claims {value} bytes",
    PROBLEM_BLOCK_LENGTH: "is damaged at byte {offset}: a block claims {value} bytes",
    PROBLEM_TRAILER: "is damaged at byte {offset}: the two lengths of a block differ",
    PROBLEM_BYTE_ORDER: "is damaged at byte {offset}: a section has no byte order",
    PROBLEM_INTERFACE: "is damaged at byte {offset}: a packet of interface {value}, which is not described",
    PROBLEM_INTERFACES: "describes more than {value} interfaces",
}


cdef inline uint32_t swap32(uint32_t value) noexcept nogil:
    return (value >> 24) | ((value >> 8) & 0xff00) | ((value << 8) & 0xff0000) | (value << 24)


cdef inline uint32_t load32(const uint8_t* p, bint swapped) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, p, 4)
    return swap32(value) if swapped else value


cdef inline uint16_t load16(const uint8_t* p, bint swapped) noexcept nogil:
    cdef uint16_t value
    memcpy(&value, p, 2)
    return <uint16_t>((value >> 8) | (value << 8)) if swapped else value


cdef inline uint64_t load64(const uint8_t* p, bint swapped) noexcept nogil:
    cdef uint64_t value
    memcpy(&value, p, 8)
    if swapped:
        return (<uint64_t>swap32(<uint32_t>value) << 32) | swap32(<uint32_t>(value >> 32))
    return value


cdef inline const uint8_t* next_option(
    const uint8_t* option, const uint8_t* end, bint swapped, uint16_t* code, uint16_t* length
) noexcept nogil:
    """Reads one option (draft-ietf-opsawg-pcapng 3.5): its value, or NULL after the last one."""
    if end - option < 4:
        return NULL
    code[0] = load16(option, swapped)
    length[0] = load16(option + 2, swapped)
    if code[0] == OPTION_END or end - option - 4 < length[0]:
        return NULL
    return option + 4


cdef inline const uint8_t* after_option(const uint8_t* value, const uint8_t* end, uint16_t length) noexcept nogil:
    cdef uint32_t padded = (<uint32_t>length + 3) & ~<uint32_t>3
    return value + padded if padded <= end - value else end


cdef inline uint64_t power_of_ten(int exponent) noexcept nogil:
    cdef uint64_t power = 1
    for _ in range(exponent):
        power *= 10
    return power


cdef void set_resolution(Interface* interface, uint8_t resolution) noexcept nogil:
    """if_tsresol: a tick is 10^-n seconds, or 2^-n with the top bit set."""
    cdef uint8_t digits = resolution & 0x7f
    interface.multiplier = 0
    interface.divisor = 0
    interface.binary_digits = 0
    if resolution & 0x80:
        interface.binary_digits = digits
        if digits == 0:
            interface.multiplier = 1_000_000_000
    elif digits <= NANOSECOND_DIGITS:
        interface.multiplier = power_of_ten(NANOSECOND_DIGITS - digits)
    else:
        # Ticks finer than 10^-28 s have no power of ten in 64 bits, and no time after 1970 either.
        interface.divisor = power_of_ten(min(digits, MOST_DECIMAL_DIGITS) - NANOSECOND_DIGITS)


cdef inline int64_t interface_time(const Interface* interface, uint64_t ticks) noexcept nogil:
    """Nanoseconds since the epoch. Unsigned throughout: a hostile time wraps, which is defined."""
    cdef uint64_t seconds, fraction
    cdef uint8_t digits = interface.binary_digits
    if interface.multiplier != 0:
        return <int64_t>(ticks * interface.multiplier + interface.offset_ns)
    if interface.divisor != 0:
        return <int64_t>(ticks // interface.divisor + interface.offset_ns)
    seconds = ticks >> digits if digits < 64 else 0
    fraction = ticks - (seconds << digits) if digits < 64 else ticks
    if digits > 32:     # 32 bits of fraction are a quarter of a nanosecond, and their product fits
        fraction = fraction >> (digits - 32) if digits - 32 < 64 else 0
        digits = 32
    return <int64_t>(seconds * 1_000_000_000 + ((fraction * 1_000_000_000) >> digits) + interface.offset_ns)


cdef inline bint is_read(uint32_t kind) noexcept nogil:
    """Blocks that the reader takes something from, and which must therefore be whole in the buffer."""
    return (kind == BLOCK_SECTION or kind == BLOCK_INTERFACE or kind == BLOCK_PACKET
            or kind == BLOCK_SIMPLE_PACKET or kind == BLOCK_STATISTICS or kind == BLOCK_ENHANCED_PACKET)


cdef class RecordReader(RecordSource):
    """Finds records in `buffer`, a writable bytes-like object of which `filled` bytes are the file's start.

    Whoever fills the buffer calls `compact()`, writes behind the bytes that it kept, and says how many
    came with `filled()`. A buffer of MAXIMUM_BLOCK bytes or more never ends up full and without a record.
    """

    def __cinit__(self, buffer not None, size_t filled=0):
        PyObject_GetBuffer(buffer, &self.buffer, PyBUF_WRITABLE)
        if filled > <size_t>self.buffer.len:
            raise ValueError("more bytes filled than the buffer holds")
        self.data = <uint8_t*>self.buffer.buf
        self.end = filled
        self.interfaces = <Interface*>calloc(MAXIMUM_INTERFACES, sizeof(Interface))
        if self.interfaces == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.interfaces)
        PyBuffer_Release(&self.buffer)      # does nothing when there is none

    def compact(self) -> int:
        """Moves the unread bytes to the front of the buffer; how many they are."""
        cdef size_t unread = self.end - self.start
        self.move(unread)
        return unread

    def move(self, size_t end) -> None:
        """Moves the unread bytes within the buffer so that they end at its byte `end`, behind which it goes on."""
        cdef size_t unread = self.end - self.start
        if end < unread or end > <size_t>self.buffer.len:
            raise ValueError("the unread bytes have no room there")
        memmove(self.data + end - unread, self.data + self.start, unread)
        self.passed += self.end
        self.passed -= end      # below zero, which unsigned numbers bear, when they move further than was read
        self.start = end - unread
        self.end = end

    def filled(self, size_t count) -> None:
        """`count` bytes of the file were written behind the unread ones."""
        if count > <size_t>self.buffer.len - self.end:
            raise ValueError("more bytes filled than the buffer has room for")
        self.end += count
        self.starved = self.starved and count == 0

    def read_header(self) -> bool:
        """Reads the file's header; False when more of it is needed, or there is a problem."""
        return self._open() == RECORD_FOUND

    @property
    def problem(self) -> str | None:
        """Why nothing more can be read: the end of a sentence that begins with the file's name."""
        if self.problem_code == PROBLEM_NONE:
            return None
        text = _PROBLEM_TEXTS[self.problem_code]
        return text.format(value=self.problem_value, offset=self.problem_offset)

    @property
    def incomplete(self) -> bool:
        """Bytes are waiting for the rest of their record: at the end of a file it was cut short."""
        return self.end > self.start or self.skip > 0 or self.trailer > 0

    @property
    def position(self) -> int:
        """Bytes of the file that were put into the buffer so far."""
        return self.passed + self.end

    @property
    def records(self) -> int:
        """Records found so far."""
        return self.record_count

    @property
    def cut_by_snaplen(self) -> int:
        """Records of which less was captured than was on the wire."""
        return self.cut_count

    @property
    def link_types(self) -> tuple[int, ...]:
        """LINKTYPE_ values that the file has described so far, the first MAXIMUM_LINK_TYPES of them."""
        return tuple(self.link_types_met[i] for i in range(self.link_type_count))

    @property
    def dropped(self) -> int | None:
        """Packets that the capturing host says it lost, over all interfaces; None when it does not say."""
        if not self.dropped_known:
            return None
        return self.dropped_before + sum(self.interfaces[i].dropped for i in range(self.interface_count))

    cdef int next(self, Record* record) noexcept nogil:
        """The next record of the buffer, a RecordStatus."""
        cdef int status
        if self.format == FORMAT_PCAP:
            status = self._next_pcap(record)
        elif self.format == FORMAT_PCAPNG:
            status = self._next_pcapng(record)
        else:
            status = self._open()
            if status == RECORD_FOUND:
                status = self.next(record)
        self.starved = status != RECORD_FOUND
        return status

    cdef int _malformed(self, int problem, uint64_t value) noexcept nogil:
        self.format = FORMAT_BROKEN
        self.problem_code = problem
        self.problem_value = value
        self.problem_offset = self.passed + self.start
        return RECORD_MALFORMED

    cdef void _meet_link_type(self, int32_t link_type) noexcept nogil:
        cdef uint32_t i
        for i in range(self.link_type_count):
            if self.link_types_met[i] == link_type:
                return
        if self.link_type_count < MAXIMUM_LINK_TYPES:
            self.link_types_met[self.link_type_count] = link_type
            self.link_type_count += 1

    cdef int _open(self) noexcept nogil:
        """Tells the format by the magic number; RECORD_FOUND when the header is understood."""
        cdef uint32_t magic
        cdef bint swapped
        if self.format == FORMAT_BROKEN:
            return RECORD_MALFORMED
        if self.format != FORMAT_UNKNOWN:
            return RECORD_FOUND
        if self.end - self.start < 4:
            return RECORD_NEED_MORE
        if load32(self.data + self.start, False) == BLOCK_SECTION:
            self.format = FORMAT_PCAPNG
            return RECORD_FOUND
        for swapped in range(2):
            magic = load32(self.data + self.start, swapped)
            if magic == MAGIC_PCAP or magic == MAGIC_PCAP_NANOSECONDS or magic == MAGIC_PCAP_KUZNETZOV:
                self.swapped = swapped
                return self._open_pcap()
        return self._malformed(PROBLEM_MAGIC, magic)

    cdef int _open_pcap(self) noexcept nogil:
        cdef const uint8_t* header = self.data + self.start
        cdef uint32_t magic = load32(header, self.swapped)
        cdef uint16_t version
        if self.end - self.start < PCAP_HEADER_BYTES:
            return RECORD_NEED_MORE
        version = load16(header + 4, self.swapped)
        if version != PCAP_VERSION:
            return self._malformed(PROBLEM_VERSION, version)
        self.fraction_ns = 1 if magic == MAGIC_PCAP_NANOSECONDS else 1000
        self.header_bytes = KUZNETZOV_RECORD_BYTES if magic == MAGIC_PCAP_KUZNETZOV else PCAP_RECORD_BYTES
        self.link_type = <int32_t>(load32(header + 20, self.swapped) & LINK_TYPE_BITS)
        self._meet_link_type(self.link_type)
        self.start += PCAP_HEADER_BYTES
        self.format = FORMAT_PCAP
        return RECORD_FOUND

    cdef int _next_pcap(self, Record* record) noexcept nogil:
        cdef const uint8_t* header = self.data + self.start
        cdef size_t available = self.end - self.start
        cdef uint32_t captured, wire
        if available < self.header_bytes:
            return RECORD_NEED_MORE
        captured = load32(header + 8, self.swapped)
        wire = load32(header + 12, self.swapped)
        if captured > MAXIMUM_SNAPLEN:
            return self._malformed(PROBLEM_RECORD_LENGTH, captured)
        if available - self.header_bytes < captured:
            return RECORD_NEED_MORE
        record.time_ns = (<int64_t>load32(header, self.swapped) * 1_000_000_000
                          + <int64_t>load32(header + 4, self.swapped) * self.fraction_ns)
        record.data = header + self.header_bytes
        record.link_type = self.link_type
        self._lengths(record, captured, wire)
        self.start += self.header_bytes + captured
        return RECORD_FOUND

    cdef inline void _lengths(self, Record* record, uint32_t captured, uint32_t wire) noexcept nogil:
        record.captured_bytes = captured
        record.wire_bytes = wire if wire > captured else captured
        self.cut_count += wire > captured
        self.record_count += 1

    cdef int _next_pcapng(self, Record* record) noexcept nogil:
        """Takes blocks until one holds a packet. Each takes at least 12 bytes of the buffer, so it ends."""
        cdef int status
        cdef uint32_t kind, length
        cdef const uint8_t* block
        while True:
            status = self._next_block()
            if status != RECORD_FOUND:
                return status
            block = self.data + self.start
            kind = load32(block, self.swapped)
            length = load32(block + 4, self.swapped)
            status = RECORD_NEED_MORE
            if kind == BLOCK_ENHANCED_PACKET:
                status = self._packet(block, length, load32(block + 8, self.swapped), record)
            elif kind == BLOCK_PACKET:
                status = self._packet(block, length, load16(block + 8, self.swapped), record)
            elif kind == BLOCK_SIMPLE_PACKET:
                status = self._simple_packet(block, length, record)
            elif kind == BLOCK_INTERFACE:
                status = self._interface(block, length)
            elif kind == BLOCK_STATISTICS:
                self._statistics(block, length)
            elif kind == BLOCK_SECTION:
                status = self._section(length)
            if status == RECORD_MALFORMED:
                return status
            self.start += length
            if status == RECORD_FOUND:
                return status

    cdef int _next_block(self) noexcept nogil:
        """RECORD_FOUND when a whole block stands at the start of the unread bytes."""
        cdef size_t available
        cdef const uint8_t* block
        cdef uint32_t kind, length
        cdef int status
        while True:
            if self.trailer != 0:
                status = self._pass_over()
                if status != RECORD_FOUND:
                    return status
            available = self.end - self.start
            if available < BLOCK_OVERHEAD:
                return RECORD_NEED_MORE
            block = self.data + self.start
            kind = load32(block, self.swapped)
            if kind == BLOCK_SECTION:
                if load32(block + 8, False) == MAGIC_BYTE_ORDER:
                    self.swapped = False
                elif load32(block + 8, True) == MAGIC_BYTE_ORDER:
                    self.swapped = True
                else:
                    return self._malformed(PROBLEM_BYTE_ORDER, 0)
            length = load32(block + 4, self.swapped)
            if length < BLOCK_OVERHEAD or length & 3 != 0:
                return self._malformed(PROBLEM_BLOCK_LENGTH, length)
            if length <= MAXIMUM_BLOCK:
                if available < length:
                    return RECORD_NEED_MORE
                if load32(block + length - 4, self.swapped) != length:
                    return self._malformed(PROBLEM_TRAILER, length)
                return RECORD_FOUND
            if is_read(kind):
                return self._malformed(PROBLEM_BLOCK_LENGTH, length)
            self.skip = length - 4
            self.trailer = length

    cdef int _pass_over(self) noexcept nogil:
        """Goes on through a block that is too long to be read whole."""
        cdef size_t available = self.end - self.start
        cdef size_t step = available if available < self.skip else self.skip
        self.start += step
        self.skip -= step
        if self.end - self.start < 4 or self.skip > 0:
            return RECORD_NEED_MORE
        if load32(self.data + self.start, self.swapped) != self.trailer:
            return self._malformed(PROBLEM_TRAILER, self.trailer)
        self.start += 4
        self.trailer = 0
        return RECORD_FOUND

    cdef int _section(self, uint32_t length) noexcept nogil:
        """A new section: its interfaces are its own."""
        cdef uint32_t i
        if length < SECTION_BYTES:
            return self._malformed(PROBLEM_BLOCK_LENGTH, length)
        for i in range(self.interface_count):
            self.dropped_before += self.interfaces[i].dropped
        self.interface_count = 0
        return RECORD_NEED_MORE

    cdef int _interface(self, const uint8_t* block, uint32_t length) noexcept nogil:
        cdef const uint8_t* option = block + 16
        cdef const uint8_t* end = block + length - 4
        cdef uint16_t code, size
        cdef Interface* interface
        if length < INTERFACE_BYTES:
            return self._malformed(PROBLEM_BLOCK_LENGTH, length)
        if self.interface_count == MAXIMUM_INTERFACES:
            return self._malformed(PROBLEM_INTERFACES, MAXIMUM_INTERFACES)
        interface = &self.interfaces[self.interface_count]
        self.interface_count += 1
        interface.link_type = load16(block + 8, self.swapped)
        interface.snaplen = load32(block + 12, self.swapped)
        interface.offset_ns = 0
        interface.dropped = 0
        set_resolution(interface, 6)        # microseconds, unless an option says otherwise
        self._meet_link_type(interface.link_type)
        while True:
            option = next_option(option, end, self.swapped, &code, &size)
            if option == NULL:
                return RECORD_NEED_MORE
            if code == OPTION_IF_TSRESOL and size >= 1:
                set_resolution(interface, option[0])
            elif code == OPTION_IF_TSOFFSET and size >= 8:
                interface.offset_ns = load64(option, self.swapped) * 1_000_000_000
            option = after_option(option, end, size)

    cdef void _statistics(self, const uint8_t* block, uint32_t length) noexcept nogil:
        """Interface statistics count from the start of the capture: the last block of an interface holds."""
        cdef const uint8_t* option = block + 20
        cdef const uint8_t* end = block + length - 4
        cdef uint16_t code, size
        cdef uint32_t interface
        cdef uint64_t dropped = 0
        cdef bint known = False
        if length < STATISTICS_BYTES:
            return
        interface = load32(block + 8, self.swapped)
        if interface >= self.interface_count:
            return
        while True:
            option = next_option(option, end, self.swapped, &code, &size)
            if option == NULL:
                break
            if (code == OPTION_ISB_IFDROP or code == OPTION_ISB_OSDROP) and size >= 8:
                dropped += load64(option, self.swapped)
                known = True
            option = after_option(option, end, size)
        if known:
            self.dropped_known = True
            self.interfaces[interface].dropped = dropped

    cdef int _packet(
        self, const uint8_t* block, uint32_t length, uint32_t interface, Record* record
    ) noexcept nogil:
        """Enhanced and obsolete Packet blocks differ only in how they number the interface."""
        cdef uint64_t ticks
        cdef uint32_t captured
        if length < PACKET_BYTES:
            return self._malformed(PROBLEM_BLOCK_LENGTH, length)
        if interface >= self.interface_count:
            return self._malformed(PROBLEM_INTERFACE, interface)
        captured = load32(block + 20, self.swapped)
        if captured > MAXIMUM_SNAPLEN or captured > length - PACKET_BYTES:
            return self._malformed(PROBLEM_RECORD_LENGTH, captured)
        ticks = (<uint64_t>load32(block + 12, self.swapped) << 32) | load32(block + 16, self.swapped)
        record.time_ns = interface_time(&self.interfaces[interface], ticks)
        record.data = block + 28
        record.link_type = self.interfaces[interface].link_type
        self.last_ns = record.time_ns
        self._lengths(record, captured, load32(block + 24, self.swapped))
        return RECORD_FOUND

    cdef int _simple_packet(self, const uint8_t* block, uint32_t length, Record* record) noexcept nogil:
        cdef uint32_t wire, captured
        if length < SIMPLE_PACKET_BYTES:
            return self._malformed(PROBLEM_BLOCK_LENGTH, length)
        if self.interface_count == 0:
            return self._malformed(PROBLEM_INTERFACE, 0)
        wire = load32(block + 8, self.swapped)
        captured = wire
        if self.interfaces[0].snaplen != 0 and captured > self.interfaces[0].snaplen:
            captured = self.interfaces[0].snaplen
        if captured > MAXIMUM_SNAPLEN or captured > length - SIMPLE_PACKET_BYTES:
            return self._malformed(PROBLEM_RECORD_LENGTH, captured)
        record.time_ns = self.last_ns
        record.data = block + 12
        record.link_type = self.interfaces[0].link_type
        self._lengths(record, captured, wire)
        return RECORD_FOUND
