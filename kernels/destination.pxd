# cython: language_level=3
"""What a called number may cost, and whether it is abroad: by the longest matching prefix of its E.164 digits."""
from libc.stdint cimport uint8_t, uint16_t

cdef enum PriceClass:           # in order of how often fraud pumps calls there for money
    PRICE_ORDINARY = 0
    PRICE_HIGH_COST = 1         # a country whose ranges are often hijacked or sold as international premium rate
    PRICE_SATELLITE = 2         # satellite and other networks without a country
    PRICE_PREMIUM = 3           # premium rate, national or international

cdef struct Destination:
    uint8_t price               # PriceClass, seen from abroad
    uint16_t country            # country code, or 1 and the area code of an island of the NANP; 0 when there is none

# `e164`: digits without '+', NUL-terminated, at most 15.
cdef void destination_of(const char* e164, Destination* destination) noexcept nogil
# The same seen from a caller: an expensive country is ordinary to those who live there. `caller` may be empty.
cdef uint8_t price_between(const Destination* caller, const Destination* callee) noexcept nogil
