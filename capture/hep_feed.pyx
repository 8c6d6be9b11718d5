# cython: language_level=3
"""HEP messages that have arrived, as records.

Datagrams come straight off their socket, many with one system call, into places of their own. Of streams, whole
messages are copied from the buffer of their connection. A record is a whole HEP message, of the link type LINKTYPE_HEP;
the decoder opens it as it opens an Ethernet frame.

The agent's clock gives a record its time; whether that is believed is the engine's affair, as with every live source.
"""
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport EAGAIN, EINTR
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from capture.hep cimport (
    HEP_COMPRESSED, HEP_MAXIMUM_BYTES, HEP_OLD, HEP_OTHER, HEP_SIP, LINKTYPE_HEP,
    hep_length, hep_read,
)
from capture.source cimport RECORD_FOUND, RECORD_NEED_MORE

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <sys/socket.h>
    #include <sys/uio.h>

    /* Takes up to `count` datagrams off `fd` without waiting; datagram i goes to memory + i * stride, its length to
       lengths[i]. How many came, or an errno, negative. */
    static int sw_take_datagrams(int fd, unsigned char *memory, unsigned int stride, unsigned int count,
                                 unsigned int *lengths) {
        struct mmsghdr messages[64];
        struct iovec vectors[64];
        int taken;
        if (count > 64) count = 64;
        for (unsigned int i = 0; i < count; i++) {
            vectors[i].iov_base = memory + (size_t)i * stride;
            vectors[i].iov_len = stride;
            messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
        }
        taken = recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL);
        for (int i = 0; i < taken; i++) lengths[i] = messages[i].msg_len;
        return taken >= 0 ? taken : -errno;
    }
    """
    int take_datagrams "sw_take_datagrams"(
        int fd, uint8_t* memory, unsigned int stride, unsigned int count, unsigned int* lengths) noexcept nogil

LARGEST_MESSAGE = HEP_MAXIMUM_BYTES
LARGEST_STEP = STREAM_BYTES


cdef inline bint same_bytes(const uint8_t* a, const uint8_t* b, uint32_t length) noexcept nogil:
    """Compares all of it, whatever the first bytes are: the time it takes tells nothing of the key."""
    cdef uint8_t different = 0
    cdef uint32_t i
    for i in range(length):
        different |= a[i] ^ b[i]
    return different == 0


cdef class HepFeed(RecordSource):
    """Takes messages in, and gives them out as records until the next `begin`.

    With `key` only messages count that carry it (chunk 0x000e).
    """

    def __cinit__(self, bytes key=None):
        self.use_key(key)
        self.datagrams = <uint8_t*>calloc(DATAGRAMS, DATAGRAM_BYTES)
        self.stream = <uint8_t*>calloc(1, STREAM_BYTES)
        self.waiting = <Waiting*>calloc(MESSAGES, sizeof(Waiting))
        if self.datagrams == NULL or self.stream == NULL or self.waiting == NULL:
            raise MemoryError("no memory for HEP messages")

    def use_key(self, bytes key):
        """Asks for `key` from now on; None: for none. Not while messages are taken."""
        self.key = key
        self.key_data = NULL
        self.key_bytes = 0
        if key is not None:
            self.key_data = <const uint8_t*><const char*>key
            self.key_bytes = <uint32_t>len(key)

    def __dealloc__(self):
        free(self.datagrams)
        free(self.stream)
        free(self.waiting)

    def begin(self) -> None:
        """Forgets what was taken in, whether it was given out or not."""
        self.first = self.count = self.stream_used = 0

    def take_datagrams(self, int fd) -> int:
        """Takes what waits at a UDP socket, DATAGRAMS at most and once between two `begin`: how many.

        Raises OSError.
        """
        cdef unsigned int lengths[DATAGRAMS]
        cdef unsigned int room = min(<unsigned int>DATAGRAMS, MESSAGES - self.count)
        cdef int taken, i
        with nogil:
            taken = take_datagrams(fd, self.datagrams, DATAGRAM_BYTES, room, lengths)
        if taken < 0:
            if taken == -EAGAIN or taken == -EINTR:
                return 0
            raise OSError(-taken, "recvmmsg")
        for i in range(taken):
            self.waiting[self.count] = Waiting(self.datagrams + <size_t>i * DATAGRAM_BYTES, lengths[i])
            self.count += 1
        return taken

    def take_stream(self, data not None) -> int:
        """Copies the whole messages at the start of `data`: the bytes of them.

        What is left over is either part of a message or finds no room before the next `begin`. -1 when no message can
        begin where one has to; those before it are taken.
        """
        cdef Py_buffer buffer
        PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)
        try:
            return self._take_stream(<const uint8_t*>buffer.buf, <uint32_t>buffer.len)
        finally:
            PyBuffer_Release(&buffer)

    cdef int64_t _take_stream(self, const uint8_t* data, uint32_t length) noexcept nogil:
        cdef uint32_t taken = 0
        cdef int total
        while taken < length and self.count < MESSAGES:
            total = hep_length(data + taken, length - taken)
            if total < 0:
                return -1
            if total == 0 or <uint32_t>total > length - taken or <uint32_t>total > STREAM_BYTES - self.stream_used:
                break
            memcpy(self.stream + self.stream_used, data + taken, <uint32_t>total)
            self.waiting[self.count] = Waiting(self.stream + self.stream_used, <uint32_t>total)
            self.count += 1
            self.stream_used += <uint32_t>total
            taken += <uint32_t>total
        return taken

    cdef int next(self, Record* record) noexcept nogil:
        cdef HepMessage message
        cdef Waiting* one
        cdef int status
        while self.first < self.count:
            one = &self.waiting[self.first]
            self.first += 1
            self.counters.messages += 1
            self.counters.bytes += one.length
            status = hep_read(one.data, one.length, &message)
            # the key is asked for first: who does not have it learns nothing of what else was wrong
            if self.key_data != NULL and (status == HEP_OLD or status > 0 and not self._accepts(&message)):
                self.counters.refused += 1
            elif status == HEP_SIP:
                self.counters.sip += 1
                record.time_ns = message.time_ns
                record.data = one.data
                record.captured_bytes = record.wire_bytes = one.length
                record.link_type = LINKTYPE_HEP
                return RECORD_FOUND
            elif status == HEP_OTHER:
                self.counters.other += 1
            elif status == HEP_COMPRESSED:
                self.counters.compressed += 1
            elif status == HEP_OLD:
                self.counters.old += 1
            else:       # a datagram that is shorter than it says, too
                self.counters.malformed += 1
        return RECORD_NEED_MORE

    cdef bint _accepts(self, const HepMessage* message) noexcept nogil:
        return (message.key != NULL and message.key_bytes == self.key_bytes
                and same_bytes(message.key, self.key_data, self.key_bytes))

    @property
    def unread(self) -> int:
        """Messages that were not given out yet: `begin` would lose them."""
        return self.count - self.first

    @property
    def full(self) -> bool:
        """Nothing more is taken in before the next `begin`."""
        return self.count == MESSAGES or self.stream_used > STREAM_BYTES - HEP_MAXIMUM_BYTES

    def counts(self) -> dict[str, int]:
        """HepCounters by name."""
        return dict(self.counters)
