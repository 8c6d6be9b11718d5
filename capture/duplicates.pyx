# cython: language_level=3
"""Packets that a mirror shows twice: the port's coming and going, both ends of a link, two taps on one path.

Two packets are the same when addresses, ports, transport, IP identification, TCP sequence and payload are, and one
comes less than a window after the other. Link headers, VLAN tags, tunnels and the hop count may differ: they do between
two taps. Told apart by this:

- A SIP retransmission has the payload of the first sending, but comes 500 ms later (RFC 3261 17.1.1.1, T1), far outside
  any sensible window, and usually has another IP identification.
- RTP and RTCP never send the same payload twice: sequence numbers and times move.
- What an application sends twice at once, on purpose, has its own IP identification, where the sender numbers packets
  at all (RFC 6864 lets it leave them at 0).

The first sighting stays in the table; a third within the window is compared with it, so a packet that comes again and
again is let through once a window and cannot hide itself for ever.
"""

from capture.endpoints cimport flow_key
from capture.hashing cimport hash_bytes, hash_mix
from capture.index cimport index_key
from capture.memory cimport table_calloc, table_free


cdef class Duplicates:
    """Remembers packets for `window_ns`; `secret` keys their hashes."""

    def __cinit__(self, int64_t window_ns, uint64_t secret=0):
        if window_ns <= 0:
            raise ValueError("a window without a width")
        self.window_ns = window_ns
        self.secret = secret
        self.entries = <SeenPacket*>table_calloc(BUCKETS * BUCKET_ENTRIES, sizeof(SeenPacket))
        if self.entries == NULL:
            raise MemoryError("no memory for the packets that were seen")

    def __dealloc__(self):
        table_free(self.entries)

    cdef bint seen(self, const Packet* packet) noexcept nogil:
        cdef uint64_t key = index_key(hash_mix(
            flow_key(packet, packet.tcp_sequence, self.secret),
            hash_bytes(packet.payload, packet.payload_bytes, self.secret)
            ^ (<uint64_t>packet.ip_identification << 16 | <uint64_t>packet.tcp_flags << 8 | packet.protocol)))
        cdef SeenPacket* bucket = &self.entries[(key % BUCKETS) * BUCKET_ENTRIES]
        cdef SeenPacket* oldest = bucket
        cdef int i
        for i in range(BUCKET_ENTRIES):
            if bucket[i].key == key and -self.window_ns < packet.time_ns - bucket[i].time_ns < self.window_ns:
                self.found += 1
                return True
            # the place of an earlier sighting of the same is taken first: there is never more than one
            if bucket[i].key == key:
                oldest = &bucket[i]
                break
            if bucket[i].time_ns < oldest.time_ns:
                oldest = &bucket[i]
        if oldest.key != 0 and oldest.key != key and packet.time_ns - oldest.time_ns < self.window_ns:
            self.evicted += 1
        oldest.key = key
        oldest.time_ns = packet.time_ns
        return False
