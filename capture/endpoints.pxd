# cython: language_level=3
"""Endpoints as Python sees them, (address text, port), and the hash of a pair of them."""
from libc.stdint cimport uint32_t, uint64_t

from capture.hashing cimport hash_mix
from capture.index cimport index_key
from capture.packet cimport Endpoint, Packet

# From ("192.0.2.1", 5060) or ("2001:db8::1", 5060); ValueError when the text is no address. Not for the packet path.
cdef Endpoint endpoint_from_pair(pair) except *
cdef tuple endpoint_to_pair(const Endpoint* endpoint)


cdef inline uint64_t flow_key(const Packet* packet, uint32_t label, uint64_t secret) noexcept nogil:
    """Index key of one direction between two endpoints, with a label such as an SSRC."""
    cdef uint64_t ports_and_label = (
        <uint64_t>packet.source.port << 48 | <uint64_t>packet.destination.port << 32 | label
    )
    return index_key(hash_mix(
        hash_mix(packet.source.address.low ^ secret, packet.destination.address.low),
        hash_mix(packet.source.address.high ^ secret, packet.destination.address.high ^ ports_and_label),
    ))
