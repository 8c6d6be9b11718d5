# cython: language_level=3
"""IP fragments, kept until their datagram is whole."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from capture.index cimport Index
from capture.ip cimport Fragment
from capture.layer cimport Layer
from capture.packet cimport Packet

cdef enum FragmentStatus:       # the last two have the values of DecodeStatus and pass through
    FRAGMENT_REASSEMBLED = 1    # the layer now holds the datagram
    FRAGMENT_KEPT = 2
    FRAGMENT_ALONE = 3          # the layer is left as it is: the only fragment, or the first, cut by snaplen
    FRAGMENT_DROPPED = 0        # a duplicate, of a discarded datagram, or cut by snaplen
    FRAGMENT_MALFORMED = -1     # no datagram can have such a fragment

cdef enum:
    # Bytes of a whole datagram (RFC 791 total length, RFC 8200 payload length).
    MAXIMUM_DATAGRAM = 65535
    # Pieces of one datagram, so that one that is sent in crumbs stays cheap (CVE-2018-5391).
    # 65535 bytes in fragments of the smallest IPv4 MTU that is met, 576, are 119.
    MAXIMUM_PIECES = 128
    # A piece is one block of memory, header and data; a fragment of an Ethernet of 1500 bytes fits in one.
    PIECE_BLOCK = 2048
    PIECE_BYTES = PIECE_BLOCK - 12

cdef struct Piece:
    int32_t next                # in order of offset, or the next free one; NO_SLOT at the end
    uint32_t offset
    uint32_t length
    uint8_t data[PIECE_BYTES]

cdef struct Datagram:
    uint64_t key
    int64_t first_ns            # arrival of its first fragment
    int32_t older               # in order of arrival; `newer` also links the free ones
    int32_t newer
    int32_t head                # pieces in order of offset
    int32_t tail
    uint32_t pieces
    uint32_t received           # bytes
    uint32_t total              # bytes, 0 until the last fragment was seen
    uint8_t protocol            # as the first fragment says
    bint discarded              # only its name is kept: the rest is dropped as it comes (RFC 5722)

cdef struct FragmentCounters:
    uint64_t reassembled        # datagrams
    uint64_t timed_out          # datagrams
    uint64_t evicted            # datagrams
    uint64_t discarded          # datagrams whose fragments overlapped, contradicted each other or were too many
    uint64_t duplicates         # fragments
    uint64_t cut                # fragments that snaplen shortened
    uint64_t malformed          # fragments


@cython.final
cdef class FragmentTable:
    cdef readonly int64_t timeout_ns
    cdef uint64_t secret
    cdef Piece* pieces
    cdef Datagram* datagrams
    cdef uint8_t* assembly          # MAXIMUM_DATAGRAM bytes
    cdef Index index
    cdef int32_t capacity           # pieces, and datagrams
    cdef int32_t fresh_piece        # pieces from here on were never used
    cdef int32_t free_piece
    cdef int32_t free_datagram
    cdef int32_t oldest
    cdef int32_t newest
    cdef FragmentCounters counters

    # Takes one fragment: `layer` stands behind its header, `packet` has its addresses and time. When
    # FRAGMENT_REASSEMBLED, `layer` holds the datagram (valid until the next fragment) and fragment.protocol
    # what begins it.
    cdef int add(self, const Packet* packet, Fragment* fragment, Layer* layer) noexcept nogil
    cdef int32_t _find(self, const Packet* packet, const Fragment* fragment) noexcept nogil
    cdef int32_t _begin(self, uint64_t key, int64_t now_ns) noexcept nogil
    cdef int _insert(self, int32_t slot, const Fragment* fragment, const Layer* layer) noexcept nogil
    cdef inline uint32_t _end(self, int32_t piece) noexcept nogil
    cdef inline int32_t _before(self, const Datagram* datagram, uint32_t offset) noexcept nogil
    cdef inline int32_t _following(self, const Datagram* datagram, int32_t piece) noexcept nogil
    cdef inline bint _touches(
        self, const Datagram* datagram, int32_t before, uint32_t offset, uint32_t end) noexcept nogil
    cdef inline bint _repeats(
        self, const Datagram* datagram, int32_t before, const Fragment* fragment, const Layer* layer, uint32_t end
    ) noexcept nogil
    cdef bint _store(
        self, int32_t slot, int32_t after, uint32_t offset, const uint8_t* data, uint32_t length) noexcept nogil
    cdef void _assemble(self, int32_t slot, Fragment* fragment, Layer* layer) noexcept nogil
    cdef int32_t _take_piece(self, int32_t keep) noexcept nogil
    cdef void _discard(self, int32_t slot) noexcept nogil
    cdef void _free_pieces(self, Datagram* datagram) noexcept nogil
    cdef void _forget(self, int32_t slot) noexcept nogil
    cdef void _expire(self, int64_t now_ns) noexcept nogil
    cdef inline uint64_t _waited_ns(self, int32_t slot, int64_t now_ns) noexcept nogil
