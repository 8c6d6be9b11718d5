# cython: language_level=3
"""Endpoints as Python sees them: (address text, port)."""
import ipaddress

from libc.stdint cimport uint8_t

from capture.packet cimport Endpoint, address_from_v4, address_from_v6, address_is_v4


cdef Endpoint endpoint_from_pair(pair) except *:
    cdef Endpoint endpoint
    address = ipaddress.ip_address(pair[0])
    cdef bytes octets = address.packed
    if address.version == 4:
        address_from_v4(&endpoint.address, <const uint8_t*>octets)
    else:
        address_from_v6(&endpoint.address, <const uint8_t*>octets)
    endpoint.port = pair[1]
    return endpoint


cdef tuple endpoint_to_pair(const Endpoint* endpoint):
    cdef const uint8_t* octets = <const uint8_t*>&endpoint.address
    if address_is_v4(&endpoint.address):
        return str(ipaddress.IPv4Address(octets[12:16])), endpoint.port
    return str(ipaddress.IPv6Address(octets[:16])), endpoint.port
