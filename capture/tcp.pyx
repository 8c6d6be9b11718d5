# cython: language_level=3
"""TCP byte streams put back in order, and the SIP messages in them (plain or in WebSocket frames).

Each direction of a connection is followed by itself: captures often see only one. There is no need for the handshake:
without a SYN the first segment with data gives the sequence number. capture/window.pyx puts bytes in order,
capture/framing.pyx finds messages in them; here is the table, and what to do about losses.

A segment that the capture lost never comes, while the receiver had it and the connection goes on. Acknowledgements
of the other direction may be missing, too, so a gap is given up by what came after it: by bytes, by pieces, or by
time (longer than a retransmission would take).
"""
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from capture.endpoints cimport endpoint_from_pair, flow_key
from capture.framing cimport (
    FRAMING_NEEDS_BUFFER, STREAM_NOT_SIP, STREAM_SIP, STREAM_WEBSOCKET, framing_begin, framing_lose, framing_next,
)
from capture.index cimport NO_SLOT, index_find, index_free, index_init, index_insert, index_remove
from capture.memory cimport table_calloc, table_free
from capture.packet cimport (
    PACKET_TRUNCATED, PROTOCOL_TCP, TCP_FIN, TCP_RST, TCP_SYN, Packet,
)
from capture.pool cimport POOL_LARGEST_BYTES, BufferPool
from capture.sip cimport SIP_MESSAGE, SIP_NEED_MORE, SipMessage
from capture.window cimport (
    WINDOW_ISLANDS, Window, window_append, window_clear, window_island_bytes, window_own, window_settle,
    window_skip_gap, window_store,
)


cdef enum:
    GAP_BYTES = 32768               # beyond a gap: half of an unscaled window (RFC 9293), so the sender has gone on
    STALE_BYTES = 1048576           # further behind than any retransmission in SIP: another connection, its SYN unseen
    EXPIRE_AT_ONCE = 2              # idle directions forgotten with each new one

cdef int64_t SECOND_NS = 1000000000
cdef int64_t GAP_NS = 3 * SECOND_NS             # three times the initial and minimum RTO (RFC 6298 2.1, 2.4)
cdef int64_t[USE_LISTS] IDLE_NS = [120 * SECOND_NS, 7200 * SECOND_NS]    # RFC 9293 3.8.4: keep-alive after two hours


cdef inline bint _gap_is_due(const Direction* stream, int64_t now_ns) noexcept nogil:
    return stream.window.island_count > 0 and (
        window_island_bytes(&stream.window) > GAP_BYTES or now_ns - stream.gap_ns > GAP_NS)


cdef class StreamTable:
    """All TCP directions, bounded.

    `connections`: directions followed at once; `buffer_bytes`: memory for what they keep, all together;
    `secret` keys the hashes, random when not given.
    """

    def __cinit__(self, int32_t connections=8192, uint64_t buffer_bytes=33554432, secret=None):
        cdef int32_t slot
        if connections < 1:
            raise ValueError("there must be room for one direction of a connection")
        self.pool = BufferPool(buffer_bytes)
        if secret is None:
            from secrets import randbits    # with all that it imports, only where it is needed
            secret = randbits(64)
        self.secret = secret
        self.capacity = connections
        self.directions = <Direction*>table_calloc(connections, sizeof(Direction))
        if self.directions == NULL or index_init(&self.index, connections) != 0:
            raise MemoryError("no memory for the table of TCP connections")
        self.free_slot = NO_SLOT
        for slot in range(USE_LISTS):
            self.newest[slot] = NO_SLOT
            self.oldest[slot] = NO_SLOT
        self.pending = NO_SLOT
        self.first_buffered = NO_SLOT
        self.last_buffered = NO_SLOT

    def __dealloc__(self):
        cdef int32_t slot
        if self.directions != NULL and self.pool is not None:
            for slot in range(self.used_slots):
                if self.directions[slot].window.buffer != NULL:
                    free(self.directions[slot].window.buffer)
        index_free(&self.index)
        table_free(self.directions)

    # --- one segment ------------------------------------------------------------------------------------------------

    cdef int32_t feed(self, const Packet* packet) noexcept nogil:
        cdef uint64_t key
        cdef uint32_t sequence = packet.tcp_sequence
        cdef int32_t slot
        cdef Direction* stream
        cdef bint fresh
        if self.pending != NO_SLOT:             # its messages were not all taken, and its packet has gone
            self._forget_bytes(self.pending)
            self.pending = NO_SLOT
        key = flow_key(packet, 0, self.secret)
        slot = index_find(&self.index, key)
        if slot == NO_SLOT:
            if packet.payload_bytes == 0 and not packet.tcp_flags & TCP_SYN:
                return NO_SLOT
            slot = self._open(key, packet)
        stream = &self.directions[slot]
        stream.last_ns = packet.time_ns
        if packet.tcp_flags & TCP_SYN:
            if stream.closed or not stream.saw_syn or stream.initial_sequence != sequence:
                self._restart(slot)             # a new connection on the same ports
                stream.saw_syn = True
                stream.initial_sequence = sequence
                stream.synchronised = True
                stream.window.next_sequence = sequence + 1
                framing_begin(&stream.framing, True)
            sequence += 1
        if packet.tcp_flags & TCP_RST:
            self._close(slot)
            return NO_SLOT
        if stream.framing.kind == STREAM_NOT_SIP:
            return NO_SLOT
        if stream.closed:
            if packet.payload_bytes == 0 or <int32_t>(sequence - stream.window.next_sequence) < 0:
                return NO_SLOT
            self._restart(slot)
        self._use(slot)
        fresh = packet.payload_bytes > 0 and self._segment(slot, packet, sequence)
        if packet.tcp_flags & TCP_FIN:
            stream.saw_fin = True
            stream.fin_sequence = sequence + packet.payload_bytes
        if not fresh and _gap_is_due(stream, packet.time_ns):
            self._skip_gap(slot, packet.time_ns)
            fresh = True
        if fresh:
            self.pending = slot
            return slot
        self._settle(slot)
        return NO_SLOT

    cdef bint _segment(self, int32_t slot, const Packet* packet, uint32_t sequence) noexcept nogil:
        """Takes the payload. Whether there are new bytes in order."""
        cdef Direction* stream = &self.directions[slot]
        cdef const uint8_t* bytes = packet.payload
        cdef uint32_t length = packet.payload_bytes
        cdef int32_t ahead
        if not stream.synchronised:
            stream.synchronised = True
            stream.window.next_sequence = sequence
        ahead = <int32_t>(sequence - stream.window.next_sequence)
        if ahead < -STALE_BYTES or ahead > 0 and stream.framing.cut:
            self._jump(slot, sequence)
            ahead = 0
        if ahead > 0:
            return self._out_of_order(slot, sequence, bytes, length, packet.time_ns)
        if <uint32_t>-ahead >= length:          # a TCP keep-alive probe is one of these, too (RFC 9293 3.8.4)
            self.totals.retransmissions += 1
            return False
        stream.framing.cut = packet.flags & PACKET_TRUNCATED != 0
        return self._in_order(slot, bytes - ahead, length - <uint32_t>-ahead, packet.time_ns)

    cdef bint _in_order(
            self, int32_t slot, const uint8_t* bytes, uint32_t length, int64_t now_ns) noexcept nogil:
        cdef Window* window = &self.directions[slot].window
        while not window_append(window, self.pool, bytes, length):
            if not self._evict_buffer(slot):
                self._forget_bytes(slot)        # the segment itself then needs no memory
        self.directions[slot].gap_ns = now_ns   # of the next gap, if there are islands left
        return True

    cdef bint _out_of_order(
            self, int32_t slot, uint32_t sequence, const uint8_t* bytes, uint32_t length,
            int64_t now_ns) noexcept nogil:
        """Keeps a segment that lies beyond a gap. Whether bytes came into order: its place may be out of reach."""
        cdef Direction* stream = &self.directions[slot]
        cdef uint32_t islands = stream.window.island_count
        cdef int32_t ahead = <int32_t>(sequence - stream.window.next_sequence)
        self.totals.out_of_order += 1
        if self._store(slot, <uint32_t>ahead, bytes, length):
            if islands == 0:
                stream.gap_ns = now_ns
            return False
        if islands == 0:
            self._jump(slot, sequence)
            return self._in_order(slot, bytes, length, now_ns)
        self._skip_gap(slot, now_ns)
        ahead = <int32_t>(sequence - stream.window.next_sequence)
        if ahead > 0:
            self._store(slot, <uint32_t>ahead, bytes, length)
        return True

    cdef bint _store(self, int32_t slot, uint32_t ahead, const uint8_t* bytes, uint32_t length) noexcept nogil:
        cdef Window* window = &self.directions[slot].window
        cdef uint32_t kept = window.floor + window.filled - window.start
        if window.island_count == WINDOW_ISLANDS or <uint64_t>ahead + length + kept > POOL_LARGEST_BYTES:
            return False
        while not window_store(window, self.pool, ahead, bytes, length):
            if not self._evict_buffer(slot):
                return False
        return True

    cdef void _skip_gap(self, int32_t slot, int64_t now_ns) noexcept nogil:
        cdef Direction* stream = &self.directions[slot]
        framing_lose(&stream.framing, window_skip_gap(&stream.window))
        stream.gap_ns = now_ns
        self.totals.gaps += 1

    cdef void _jump(self, int32_t slot, uint32_t sequence) noexcept nogil:
        """Goes on at another place of the stream."""
        cdef Direction* stream = &self.directions[slot]
        cdef int32_t lost = <int32_t>(sequence - stream.window.next_sequence)
        window_clear(&stream.window, self.pool)
        framing_lose(&stream.framing, <uint32_t>lost if lost > 0 else 0)
        stream.window.next_sequence = sequence
        self.totals.gaps += 1

    # --- its messages -----------------------------------------------------------------------------------------------

    cdef int next_message(self, int32_t slot, SipMessage* message) noexcept nogil:
        cdef Direction* stream = &self.directions[slot]
        cdef int status = framing_next(&stream.framing, &stream.window, message)
        while status == FRAMING_NEEDS_BUFFER:
            while not window_own(&stream.window, self.pool):
                if not self._evict_buffer(slot):
                    self._forget_bytes(slot)
            status = framing_next(&stream.framing, &stream.window, message)
        if status == SIP_NEED_MORE:
            self._settle(slot)
            self.pending = NO_SLOT
        elif status == SIP_MESSAGE:
            self.totals.messages += 1
        return status

    cdef bint is_websocket(self, int32_t slot) noexcept nogil:
        return self.directions[slot].framing.kind == STREAM_WEBSOCKET

    cdef int32_t flush(self, int64_t now_ns, Packet* packet) noexcept nogil:
        cdef int32_t slot = self.first_buffered
        cdef Direction* stream
        while slot != NO_SLOT:
            stream = &self.directions[slot]
            if _gap_is_due(stream, now_ns):
                self._skip_gap(slot, stream.last_ns)
                memset(packet, 0, sizeof(Packet))
                packet.protocol = PROTOCOL_TCP
                packet.time_ns = stream.last_ns
                packet.source = stream.source
                packet.destination = stream.destination
                self.pending = slot
                return slot
            slot = stream.buffered_after
        return NO_SLOT

    cdef void _settle(self, int32_t slot) noexcept nogil:
        """All messages of a segment were taken and its bytes are about to go: keeps what is needed."""
        cdef Direction* stream = &self.directions[slot]
        self.totals.resynchronised += stream.framing.resynchronised
        self.totals.cut_messages += stream.framing.cut_messages
        stream.framing.resynchronised = 0
        stream.framing.cut_messages = 0
        if stream.framing.kind == STREAM_NOT_SIP:
            self.totals.not_sip += 1
            window_clear(&stream.window, self.pool)
        while not window_settle(&stream.window, self.pool):
            if not self._evict_buffer(slot):
                self._forget_bytes(slot)
        self._note_buffer(slot)
        self._use(slot)
        if stream.saw_fin and (stream.window.next_sequence == stream.fin_sequence or stream.framing.cut):
            self._close(slot)

    cdef void _forget_bytes(self, int32_t slot) noexcept nogil:
        """Drops what a direction keeps; its messages are to be searched for again."""
        cdef Direction* stream = &self.directions[slot]
        window_clear(&stream.window, self.pool)
        self._note_buffer(slot)
        framing_lose(&stream.framing, 0)

    # --- the list of buffers ----------------------------------------------------------------------------------------

    cdef bint _evict_buffer(self, int32_t wanting) noexcept nogil:
        """Makes room for `wanting`: whoever has waited longest with its bytes is the least likely to see the rest."""
        cdef int32_t victim = self.first_buffered
        if victim == wanting:
            victim = self.directions[victim].buffered_after
        if victim == NO_SLOT:
            return False
        self._forget_bytes(victim)
        self.totals.evicted_buffers += 1
        return True

    cdef void _note_buffer(self, int32_t slot) noexcept nogil:
        """Keeps the list of buffers in step with a direction's window."""
        cdef Direction* stream = &self.directions[slot]
        cdef bint holds = stream.window.buffer != NULL
        if holds == stream.is_buffered:
            return
        stream.is_buffered = holds
        if holds:
            stream.buffered_before = self.last_buffered
            stream.buffered_after = NO_SLOT
            if self.last_buffered != NO_SLOT:
                self.directions[self.last_buffered].buffered_after = slot
            else:
                self.first_buffered = slot
            self.last_buffered = slot
            return
        if stream.buffered_before != NO_SLOT:
            self.directions[stream.buffered_before].buffered_after = stream.buffered_after
        else:
            self.first_buffered = stream.buffered_after
        if stream.buffered_after != NO_SLOT:
            self.directions[stream.buffered_after].buffered_before = stream.buffered_before
        else:
            self.last_buffered = stream.buffered_before

    # --- the table --------------------------------------------------------------------------------------------------

    cdef int32_t _open(self, uint64_t key, const Packet* packet) noexcept nogil:
        cdef int32_t slot
        cdef Direction* stream
        self._expire(packet.time_ns)
        slot = self._free_slot()
        stream = &self.directions[slot]
        memset(stream, 0, sizeof(Direction))
        stream.key = key
        stream.source = packet.source
        stream.destination = packet.destination
        framing_begin(&stream.framing, False)
        index_insert(&self.index, key, slot)
        self._enlist(slot, LIST_OTHER)
        return slot

    cdef int32_t _free_slot(self) noexcept nogil:
        cdef int32_t slot
        if self.free_slot == NO_SLOT and self.used_slots < self.capacity:
            self.used_slots += 1
            return self.used_slots - 1
        if self.free_slot == NO_SLOT:
            self._remove(self.oldest[LIST_OTHER] if self.oldest[LIST_OTHER] != NO_SLOT else self.oldest[LIST_SIP])
            self.totals.evicted += 1
        slot = self.free_slot
        self.free_slot = self.directions[slot].older
        return slot

    cdef void _remove(self, int32_t slot) noexcept nogil:
        cdef Direction* stream = &self.directions[slot]
        window_clear(&stream.window, self.pool)
        self._note_buffer(slot)
        index_remove(&self.index, stream.key)
        self._delist(slot)
        stream.older = self.free_slot
        self.free_slot = slot

    cdef void _expire(self, int64_t now_ns) noexcept nogil:
        cdef int which, _
        cdef int32_t slot
        for which in range(USE_LISTS):
            for _ in range(EXPIRE_AT_ONCE):
                slot = self.oldest[which]
                if slot == NO_SLOT or now_ns - self.directions[slot].last_ns <= IDLE_NS[which]:
                    break
                self._remove(slot)
                self.totals.expired += 1

    cdef void _restart(self, int32_t slot) noexcept nogil:
        """The ports are used by another connection."""
        cdef Direction* stream = &self.directions[slot]
        window_clear(&stream.window, self.pool)
        self._note_buffer(slot)
        framing_begin(&stream.framing, False)
        stream.saw_syn = False
        stream.saw_fin = False
        stream.closed = False
        stream.synchronised = False

    cdef void _close(self, int32_t slot) noexcept nogil:
        """Nothing more comes; the sequence number is kept, to know copies of what has been."""
        cdef Direction* stream = &self.directions[slot]
        window_clear(&stream.window, self.pool)
        self._note_buffer(slot)
        framing_begin(&stream.framing, False)
        stream.closed = True
        self._use(slot)

    cdef void _use(self, int32_t slot) noexcept nogil:
        """Puts a direction first in the list it belongs to."""
        cdef uint8_t kind = self.directions[slot].framing.kind
        cdef uint8_t which = LIST_SIP if kind == STREAM_SIP or kind == STREAM_WEBSOCKET else LIST_OTHER
        if self.newest[which] != slot:
            self._delist(slot)
            self._enlist(slot, which)

    cdef void _enlist(self, int32_t slot, uint8_t which) noexcept nogil:
        cdef Direction* stream = &self.directions[slot]
        stream.list = which
        stream.newer = NO_SLOT
        stream.older = self.newest[which]
        if stream.older != NO_SLOT:
            self.directions[stream.older].newer = slot
        else:
            self.oldest[which] = slot
        self.newest[which] = slot

    cdef void _delist(self, int32_t slot) noexcept nogil:
        cdef Direction* stream = &self.directions[slot]
        if stream.newer != NO_SLOT:
            self.directions[stream.newer].older = stream.older
        else:
            self.newest[stream.list] = stream.older
        if stream.older != NO_SLOT:
            self.directions[stream.older].newer = stream.newer
        else:
            self.oldest[stream.list] = stream.newer

    # --- the Python face: one segment at a time, for tests and tools ------------------------------------------------

    def feed_segment(self, source, destination, uint32_t sequence, int flags, const uint8_t[::1] payload,
                     int64_t time_ns, bint truncated=False) -> list[bytes]:
        """Takes one segment between (address text, port) pairs; `flags`: as in the TCP header (FIN 1, SYN 2, RST 4);
        `truncated`: the capture cut it. The SIP messages that it completed; malformed ones are left out."""
        cdef Packet packet
        cdef uint8_t nothing = 0
        cdef int32_t slot
        memset(&packet, 0, sizeof(Packet))
        packet.time_ns = time_ns
        packet.payload_bytes = <uint32_t>payload.shape[0]
        packet.payload = &payload[0] if payload.shape[0] > 0 else &nothing
        packet.protocol = PROTOCOL_TCP
        packet.flags = PACKET_TRUNCATED if truncated else 0
        packet.tcp_flags = <uint8_t>(flags & 0xff)
        packet.tcp_sequence = sequence
        packet.source = endpoint_from_pair(source)
        packet.destination = endpoint_from_pair(destination)
        slot = self.feed(&packet)
        return self._take(slot) if slot != NO_SLOT else []

    def flush_gaps(self, now_ns=None) -> list[bytes]:
        """Gives up gaps that have waited too long at `now_ns`, all when it is None. The messages found behind them."""
        cdef Packet packet
        cdef int64_t now = INT64_MAX if now_ns is None else now_ns
        cdef int32_t slot = self.flush(now, &packet)
        messages = []
        while slot != NO_SLOT:
            messages += self._take(slot)
            slot = self.flush(now, &packet)
        return messages

    def _take(self, int32_t slot) -> list[bytes]:
        cdef SipMessage message
        cdef int status = self.next_message(slot, &message)
        messages = []
        while status != SIP_NEED_MORE:
            if status == SIP_MESSAGE:
                messages.append(message.data[:message.bytes])
            status = self.next_message(slot, &message)
        return messages

    @property
    def counters(self) -> dict[str, int]:
        """Totals since the table was made; see TcpCounters in tcp.pxd."""
        return dict(self.totals)

    @property
    def usage(self) -> dict[str, int]:
        """Directions that are followed, bytes held for what they keep, and how many of these wait to be used again."""
        return {
            "directions": self.index.used, "buffer_bytes": self.pool.held_bytes, "idle_bytes": self.pool.idle_bytes,
        }
