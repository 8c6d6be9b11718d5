# cython: language_level=3
"""Reassembly of IP fragments (RFC 791 3.2, RFC 8200 4.5) in a fixed amount of memory.

Theory of operation. A datagram is found by the keyed hash of its addresses, identification and, in
IPv4, protocol. Its pieces form a list in order of offset, in blocks of one pool. Datagrams form a queue
in order of their first fragment: the front of it is what times out, and what is evicted when the pool or
the table is full. When the bytes received are all bytes, they are copied together and the datagram is
forgotten.

Fragments that overlap are an attack or damage. Those that lie wholly in what was received are dropped,
so that the first one wins as in Linux; in IPv6 only if they say the same. Any other overlap discards the
datagram, what is still to come of it included (RFC 5722; Linux does so in IPv4 too).
"""
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from capture.hashing cimport hash_mix
from capture.index cimport NO_SLOT, index_find, index_free, index_init, index_insert, index_key, index_remove
from capture.packet cimport address_hash

# Precedent: net.ipv4.ipfrag_high_thresh of Linux, 4 MiB.
MEMORY_BYTES = 4 * 1024 * 1024
# RFC 791 3.2 suggests 15 s. Linux waits 30 s and RFC 8200 60 s, in which a fast sender's 16-bit
# identification comes round again.
TIMEOUT_NS = 15 * 1_000_000_000
# Room for the largest datagram while others wait.
_LEAST_PIECES = 2 * MAXIMUM_PIECES
_MOST_PIECES = 1 << 24


cdef class FragmentTable:
    """Keeps at most `memory_bytes` of fragments, each datagram for `timeout_ns` of packet time.

    `secret` keys the hash of the table.
    """

    def __cinit__(self, *, size_t memory_bytes=MEMORY_BYTES, int64_t timeout_ns=TIMEOUT_NS, uint64_t secret=0):
        cdef int32_t count = <int32_t>min(memory_bytes // sizeof(Piece), _MOST_PIECES)
        cdef int32_t i
        if count < _LEAST_PIECES:
            raise ValueError(f"memory_bytes must be at least {_LEAST_PIECES * sizeof(Piece)}")
        if timeout_ns < 0:
            raise ValueError("timeout_ns must not be negative")
        self.timeout_ns = timeout_ns
        self.secret = secret
        self.capacity = count
        self.pieces = <Piece*>malloc(count * sizeof(Piece))
        self.datagrams = <Datagram*>calloc(count, sizeof(Datagram))
        self.assembly = <uint8_t*>malloc(MAXIMUM_DATAGRAM)
        if (self.pieces == NULL or self.datagrams == NULL or self.assembly == NULL
                or index_init(&self.index, count) != 0):
            raise MemoryError
        for i in range(count):
            self.datagrams[i].newer = i + 1 if i + 1 < count else NO_SLOT
        self.free_piece = NO_SLOT
        self.oldest = NO_SLOT
        self.newest = NO_SLOT

    def __dealloc__(self):
        free(self.pieces)
        free(self.datagrams)
        free(self.assembly)
        index_free(&self.index)

    @property
    def waiting(self) -> int:
        """Datagrams that are not yet whole."""
        return self.index.used

    def counts(self) -> dict[str, int]:
        """FragmentCounters by name."""
        return dict(self.counters)

    cdef int add(self, const Packet* packet, Fragment* fragment, Layer* layer) noexcept nogil:
        cdef int32_t slot
        cdef int status
        if fragment.offset == 0 and not fragment.more:
            return FRAGMENT_ALONE       # an atomic fragment (RFC 6946)
        if layer.captured < layer.wire:
            # Its datagram can never be whole; the first fragment still shows how it begins.
            self.counters.cut += 1
            return FRAGMENT_ALONE if fragment.offset == 0 else FRAGMENT_DROPPED
        if (layer.wire == 0 or fragment.offset + layer.wire > MAXIMUM_DATAGRAM
                or (fragment.more and layer.wire & 7 != 0)):
            self.counters.malformed += 1
            return FRAGMENT_MALFORMED
        self._expire(packet.time_ns)
        slot = self._find(packet, fragment)
        if self.datagrams[slot].discarded:
            return FRAGMENT_DROPPED
        status = self._insert(slot, fragment, layer)
        if status == FRAGMENT_REASSEMBLED:
            self._assemble(slot, fragment, layer)
        return status

    cdef int32_t _find(self, const Packet* packet, const Fragment* fragment) noexcept nogil:
        """The slot of the fragment's datagram, which is begun when it is new."""
        cdef uint64_t key = hash_mix(address_hash(&packet.source.address, self.secret),
                                     address_hash(&packet.destination.address, self.secret))
        cdef uint64_t name = <uint64_t>fragment.identification << 16 | <uint64_t>fragment.version << 8
        cdef int32_t slot
        if fragment.version == 4:
            name |= fragment.protocol
        key = index_key(hash_mix(key, name))
        slot = index_find(&self.index, key)
        return slot if slot != NO_SLOT else self._begin(key, packet.time_ns)

    cdef int32_t _begin(self, uint64_t key, int64_t now_ns) noexcept nogil:
        cdef int32_t slot
        cdef Datagram* datagram
        if self.free_datagram == NO_SLOT:
            self.counters.evicted += 1
            self._forget(self.oldest)
        slot = self.free_datagram
        datagram = &self.datagrams[slot]
        self.free_datagram = datagram.newer
        datagram.key = key
        datagram.first_ns = now_ns
        datagram.head = NO_SLOT
        datagram.tail = NO_SLOT
        datagram.pieces = 0
        datagram.received = 0
        datagram.total = 0
        datagram.protocol = 0
        datagram.discarded = False
        datagram.older = self.newest
        datagram.newer = NO_SLOT
        if self.newest != NO_SLOT:
            self.datagrams[self.newest].newer = slot
        else:
            self.oldest = slot
        self.newest = slot
        index_insert(&self.index, key, slot)
        return slot

    cdef int _insert(self, int32_t slot, const Fragment* fragment, const Layer* layer) noexcept nogil:
        """Puts the fragment where it belongs; FRAGMENT_REASSEMBLED when it was the one that was missing."""
        cdef Datagram* datagram = &self.datagrams[slot]
        cdef uint32_t end = fragment.offset + layer.wire
        cdef int32_t after
        if (datagram.total != 0 and (end > datagram.total or (not fragment.more and end != datagram.total))) \
                or (not fragment.more and datagram.tail != NO_SLOT and end < self._end(datagram.tail)):
            self._discard(slot)         # fragments behind the end, or two ends
            return FRAGMENT_DROPPED
        after = self._before(datagram, fragment.offset)
        if self._touches(datagram, after, fragment.offset, end):
            if self._repeats(datagram, after, fragment, layer, end):
                self.counters.duplicates += 1
            else:
                self._discard(slot)
            return FRAGMENT_DROPPED
        if not self._store(slot, after, fragment.offset, layer.data, layer.wire):
            self._discard(slot)
            return FRAGMENT_DROPPED
        if not fragment.more:
            datagram.total = end
        if fragment.offset == 0:
            datagram.protocol = fragment.protocol
        return FRAGMENT_REASSEMBLED if datagram.received == datagram.total else FRAGMENT_KEPT

    cdef inline uint32_t _end(self, int32_t piece) noexcept nogil:
        return self.pieces[piece].offset + self.pieces[piece].length

    cdef inline int32_t _before(self, const Datagram* datagram, uint32_t offset) noexcept nogil:
        """The last piece that begins before `offset`, NO_SLOT when none does."""
        cdef int32_t piece = datagram.head
        cdef int32_t before = NO_SLOT
        if datagram.tail != NO_SLOT and self.pieces[datagram.tail].offset < offset:
            return datagram.tail        # in order, as nearly always
        while piece != NO_SLOT and self.pieces[piece].offset < offset:
            before = piece
            piece = self.pieces[piece].next
        return before

    cdef inline int32_t _following(self, const Datagram* datagram, int32_t piece) noexcept nogil:
        return self.pieces[piece].next if piece != NO_SLOT else datagram.head

    cdef inline bint _touches(
        self, const Datagram* datagram, int32_t before, uint32_t offset, uint32_t end
    ) noexcept nogil:
        """Some byte of offset..end was received already."""
        cdef int32_t following = self._following(datagram, before)
        if before != NO_SLOT and self._end(before) > offset:
            return True
        return following != NO_SLOT and self.pieces[following].offset < end

    cdef inline bint _repeats(
        self, const Datagram* datagram, int32_t before, const Fragment* fragment, const Layer* layer, uint32_t end
    ) noexcept nogil:
        """All of offset..end was received already, and in IPv6 with the same bytes (RFC 8200 4.5)."""
        cdef uint32_t at = fragment.offset
        cdef int32_t number = before
        cdef uint32_t length
        cdef const Piece* piece
        if number == NO_SLOT or self._end(number) <= at:
            number = self._following(datagram, before)
        while at < end:
            if number == NO_SLOT or self.pieces[number].offset > at:
                return False
            piece = &self.pieces[number]
            length = min(end, piece.offset + piece.length) - at
            if fragment.version == 6 and memcmp(
                    piece.data + (at - piece.offset), layer.data + (at - fragment.offset), length) != 0:
                return False
            at += length
            number = piece.next
        return True

    cdef bint _store(
        self, int32_t slot, int32_t after, uint32_t offset, const uint8_t* data, uint32_t length
    ) noexcept nogil:
        """Copies bytes into new pieces behind the piece `after`. False when they are too many."""
        cdef Datagram* datagram = &self.datagrams[slot]
        cdef int32_t number
        cdef Piece* piece
        cdef uint32_t step
        while length > 0:
            number = self._take_piece(slot) if datagram.pieces < MAXIMUM_PIECES else NO_SLOT
            if number == NO_SLOT:
                return False
            step = min(length, <uint32_t>PIECE_BYTES)
            piece = &self.pieces[number]
            piece.offset = offset
            piece.length = step
            memcpy(piece.data, data, step)
            if after == NO_SLOT:
                piece.next = datagram.head
                datagram.head = number
            else:
                piece.next = self.pieces[after].next
                self.pieces[after].next = number
            if piece.next == NO_SLOT:
                datagram.tail = number
            datagram.pieces += 1
            datagram.received += step
            after = number
            offset += step
            data += step
            length -= step
        return True

    cdef int32_t _take_piece(self, int32_t keep) noexcept nogil:
        """A free piece, for which the oldest datagrams other than `keep` are given up."""
        cdef int32_t piece, victim
        while self.free_piece == NO_SLOT:
            if self.fresh_piece < self.capacity:
                self.fresh_piece += 1
                return self.fresh_piece - 1
            victim = self.oldest if self.oldest != keep else self.datagrams[keep].newer
            if victim == NO_SLOT:
                return NO_SLOT
            self.counters.evicted += 1
            self._forget(victim)
        piece = self.free_piece
        self.free_piece = self.pieces[piece].next
        return piece

    cdef void _assemble(self, int32_t slot, Fragment* fragment, Layer* layer) noexcept nogil:
        cdef Datagram* datagram = &self.datagrams[slot]
        cdef int32_t number = datagram.head
        cdef const Piece* piece
        while number != NO_SLOT:
            piece = &self.pieces[number]
            memcpy(self.assembly + piece.offset, piece.data, piece.length)
            number = piece.next
        fragment.protocol = datagram.protocol
        layer.data = self.assembly
        layer.captured = datagram.total
        layer.wire = datagram.total
        self.counters.reassembled += 1
        self._forget(slot)

    cdef void _discard(self, int32_t slot) noexcept nogil:
        """Keeps only the name of the datagram, so that its other fragments are known and dropped."""
        self.counters.discarded += 1
        self._free_pieces(&self.datagrams[slot])
        self.datagrams[slot].discarded = True

    cdef void _free_pieces(self, Datagram* datagram) noexcept nogil:
        if datagram.head != NO_SLOT:
            self.pieces[datagram.tail].next = self.free_piece
            self.free_piece = datagram.head
        datagram.head = NO_SLOT
        datagram.tail = NO_SLOT

    cdef void _forget(self, int32_t slot) noexcept nogil:
        cdef Datagram* datagram = &self.datagrams[slot]
        self._free_pieces(datagram)
        index_remove(&self.index, datagram.key)
        if datagram.older != NO_SLOT:
            self.datagrams[datagram.older].newer = datagram.newer
        else:
            self.oldest = datagram.newer
        if datagram.newer != NO_SLOT:
            self.datagrams[datagram.newer].older = datagram.older
        else:
            self.newest = datagram.older
        datagram.newer = self.free_datagram
        self.free_datagram = slot

    cdef void _expire(self, int64_t now_ns) noexcept nogil:
        while self.oldest != NO_SLOT and self._waited_ns(self.oldest, now_ns) > <uint64_t>self.timeout_ns:
            if not self.datagrams[self.oldest].discarded:
                self.counters.timed_out += 1
            self._forget(self.oldest)

    cdef inline uint64_t _waited_ns(self, int32_t slot, int64_t now_ns) noexcept nogil:
        """0 when the clock went back. Unsigned, since times are as hostile as the rest of a file."""
        cdef int64_t first_ns = self.datagrams[slot].first_ns
        return <uint64_t>now_ns - <uint64_t>first_ns if now_ns > first_ns else 0
