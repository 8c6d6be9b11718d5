# cython: language_level=3
"""Messages of the Homer Encapsulation Protocol, by which proxies send copies of what they saw."""
from libc.stdint cimport int64_t, uint8_t, uint32_t

from capture.packet cimport Endpoint

cdef enum HepStatus:
    HEP_SIP = 1             # the message is filled
    HEP_NEED_MORE = 0       # of a stream: the message is longer than what is there
    HEP_OTHER = 2           # a payload that is not SIP: RTCP reports, logs, keep-alives
    HEP_COMPRESSED = 3      # the payload is compressed (chunk 0x0010): not opened
    HEP_OLD = 4             # version 1 or 2
    HEP_MALFORMED = -1

cdef enum:
    # Not a LINKTYPE_ value: no capture file can claim it.
    LINKTYPE_HEP = -1
    HEP_HEADER_BYTES = 6    # "HEP3" and the length of the whole
    # The length has 16 bits.
    HEP_MAXIMUM_BYTES = 65535

cdef struct HepMessage:
    uint32_t bytes              # of the whole message
    int64_t time_ns             # when the agent saw the packet, by its clock
    Endpoint source
    Endpoint destination
    uint8_t ip_protocol
    uint8_t payload_type        # 1 is SIP
    uint32_t agent_id
    const uint8_t* key          # the authenticate key, NULL when there is none
    uint32_t key_bytes
    const uint8_t* payload
    uint32_t payload_bytes

# Reads one message at `data`, of `length` bytes or more. A HepStatus; `message` points into `data`.
cdef int hep_read(const uint8_t* data, uint32_t length, HepMessage* message) noexcept nogil
# The bytes of the message that begins a stream, 0 when too little is there, -1 when none can begin like this.
cdef int hep_length(const uint8_t* data, uint32_t length) noexcept nogil
