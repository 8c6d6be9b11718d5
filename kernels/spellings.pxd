# cython: language_level=3
"""In how many ways an address has dialled one number.

Whoever looks for a way out of somebody's exchange dials one number behind one prefix after another: the number's last
digits stay, and what stands before them changes. A number is known here by its last TAIL_DIGITS digits, more than a
national number can be written without, and a spelling by whatever precedes them. People and exchanges have two or
three: the national one, the international one and E.164.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from kernels.calls cimport Call

cdef enum:
    SPELLED_NUMBERS = 8         # that an address dialled last
    TAIL_DIGITS = 8
    MOST_SPELLINGS = 8          # of a number; stands for more
    MANY_SPELLINGS = 4          # more than honest ones

cdef struct Spelled:            # 20 bytes; all zero is no number
    uint32_t tail               # its last digits and 1
    uint16_t forms[MOST_SPELLINGS]      # hashes of what came before them, 0 for none

cdef struct Spellings:          # 160 bytes; all zero is the empty one
    Spelled numbers[SPELLED_NUMBERS]    # the latest first

# Notes the number that a call dials: how many spellings it has had, this one included; 0 when it has too few digits.
cdef uint8_t spellings_note(Spellings* spellings, const Call* call) noexcept nogil
