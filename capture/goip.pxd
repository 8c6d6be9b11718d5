# cython: language_level=3
"""Traffic of GSM gateways beside SIP: management keep-alives and SIM banks. Only that it is there is told."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum GoipTraffic:
    GOIP_NONE = 0
    GOIP_KEEPALIVE = 1
    GOIP_SIM_BANK = 2

cdef enum:
    KEEPALIVE_PORT = 44444          # default of the management server
    SIM_BANK_PORT = 56011
    SIM_BANK_MAGIC = 0x43215678     # the first four bytes, big endian

# The GoipTraffic of a UDP payload that is neither RTP nor SIP.
cdef int goip_read(const uint8_t* data, uint32_t length, uint16_t source_port,
                   uint16_t destination_port) noexcept nogil
