# cython: language_level=3
"""Recognises the management and SIM bank traffic of GoIP gateways (HyberTone, DBLTek).

A keep-alive is `req:<number>;id:<id>;pass:<password>;num:<number>;signal:...;gsm_status:...;imei:...;imsi:...;
iccid:...`, sent to any UDP port (44444 by default). A SIM bank packet begins with a magic number. Port numbers and
four bytes alone are no proof, so two signs are asked of each. Nothing of the contents, which hold passwords and
subscribers' identities, is kept.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp

from capture.packet cimport read_be32
from capture.scan cimport find_byte

TRAFFIC_NAMES = ("none", "keepalive", "sim_bank")

cdef enum:
    MAX_KEEPALIVE_FIELDS = 32       # two dozen are sent; the rest says no more
    MAX_KEEPALIVE_BYTES = 1024
    FEWEST_SIM_FIELDS = 2           # without the default port


cdef inline bint named(const uint8_t* field, uint32_t length, const char* name, uint32_t name_length) noexcept nogil:
    return length > name_length and field[name_length] == c':' and memcmp(field, name, name_length) == 0


cdef inline bint is_sim_field(const uint8_t* field, uint32_t length) noexcept nogil:
    """What only a gateway with SIM cards has to tell."""
    return (
        named(field, length, b"signal", 6) or named(field, length, b"gsm_status", 10)
        or named(field, length, b"imei", 4) or named(field, length, b"imsi", 4) or named(field, length, b"iccid", 5)
    )


cdef bint begins_keepalive(const uint8_t* data, uint32_t length) noexcept nogil:
    """`req:`, digits and a semicolon."""
    cdef uint32_t at = 4
    if length < 6 or memcmp(data, b"req:", 4) != 0:
        return False
    while at < length and c'0' <= data[at] <= c'9':
        at += 1
    return at > 4 and at < length and data[at] == c';'


cdef bint is_keepalive(const uint8_t* data, uint32_t length, bint default_port) noexcept nogil:
    """The beginning, `id` and `pass`; and the default port or fields about SIM cards."""
    cdef uint32_t at = 0, stop
    cdef int _field, sim_fields = 0
    cdef bint has_id = False, has_password = False
    if not begins_keepalive(data, length):
        return False
    length = min(length, <uint32_t>MAX_KEEPALIVE_BYTES)
    for _field in range(MAX_KEEPALIVE_FIELDS):
        stop = find_byte(data, at, length, c';')
        has_id |= named(data + at, stop - at, b"id", 2)
        has_password |= named(data + at, stop - at, b"pass", 4)
        sim_fields += is_sim_field(data + at, stop - at)
        if stop >= length:
            break
        at = stop + 1
    return has_id and has_password and (default_port or sim_fields >= FEWEST_SIM_FIELDS)


cdef int goip_read(const uint8_t* data, uint32_t length, uint16_t source_port,
                   uint16_t destination_port) noexcept nogil:
    if length < 6:
        return GOIP_NONE
    if data[0] == c'r':
        if is_keepalive(data, length, source_port == KEEPALIVE_PORT or destination_port == KEEPALIVE_PORT):
            return GOIP_KEEPALIVE
    elif data[0] == SIM_BANK_MAGIC >> 24 and (source_port == SIM_BANK_PORT or destination_port == SIM_BANK_PORT):
        if read_be32(data) == <uint32_t>SIM_BANK_MAGIC:
            return GOIP_SIM_BANK
    return GOIP_NONE


def recognise(bytes payload, uint16_t source_port, uint16_t destination_port):
    """One of TRAFFIC_NAMES for the payload of a UDP datagram."""
    cdef const uint8_t* data = payload
    return TRAFFIC_NAMES[goip_read(data, <uint32_t>len(payload), source_port, destination_port)]
