# cython: language_level=3
"""Destination ranges as a digit trie.

Sources of the ranges:

- Satellite and international networks, international premium rate: ITU-T E.164 (11/2010) 6.2.2 and 6.2.3 and the
  "List of ITU-T Recommendation E.164 assigned country codes" annexed to the ITU Operational Bulletin: 870 Inmarsat,
  878 UPT, 881 global mobile satellite, 882 and 883 international networks, 979 international premium rate service.
- High-cost countries: those that recur among the most abused destinations in the CFCA's Global Fraud Loss Surveys
  and in the published work of the i3forum on international revenue share fraud, the area and country codes
  that the FCC's and Ofcom's consumer warnings on "one ring" (wangiri) calls name, and small island states
  whose termination rates make them of the same kind.
- National premium ranges: the national numbering plans, as libphonenumber's metadata records them, where a plain
  prefix tells them from all other numbers (Ireland's 15xx, say, needs the length, too, and is not here); and the
  United Kingdom's personal numbers (070), which Ofcom's 2018 review found sold for the same abuse.

The class says where calls are pumped for money. It says nothing about who lives there, and a call inside one of
these countries is ordinary.
"""
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memset

import numpy as np

from kernels.numbers cimport country_code

cdef enum:
    TRIE_NODES = 1024           # some 600 are used; loading fails when the table outgrows it
    E164_DIGITS = 15            # E.164 6.1

# Area codes of the North American Numbering Plan (country code 1) that are abroad and expensive.
NANP_ISLANDS = ("1242 1246 1264 1268 1284 1345 1441 1473 1649 1658 1664 1670 1684 1721 1758 1767 1784 1809 1829 "
                "1849 1868 1869 1876").split()

# Kazakhstan within country code 7, which it shares with Russia.
KAZAKHSTAN = ("76", "77")

HIGH_COST = NANP_ISLANDS + (
    # Africa and its islands
    "211 213 216 218 220 221 222 223 224 225 226 227 228 229 231 232 235 236 237 238 239 240 241 242 243 244 245 246 "
    "247 248 249 252 253 257 258 260 261 263 265 266 268 269 290 291 "
    # the Baltic states, the western Balkans, small states of Europe
    "355 370 371 372 373 375 376 377 378 381 382 383 386 387 389 423 "
    # Latin America and the Caribbean outside the NANP
    "53 297 299 500 501 508 509 590 592 594 596 597 599 "
    # Pacific, Indian Ocean, and North Korea
    "670 672 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 850 960 "
    # Caucasus, central Asia, and Palestine, to where Israel's operators terminate
    "374 93 970 992 993 994 995 996 998"
).split()

SATELLITE = "870 878 881 882 883".split()

PREMIUM = (
    "979 "
    # Americas
    "1900 51805 52900 54600 55500 55900 57190 57901 58900 "
    # western and northern Europe
    "30901 30909 31900 31906 31909 3290 3389 34803 34806 34807 351760 358600 358700 3989 41900 41901 41906 "
    "43900 43901 43930 43931 43939 4470 449 4590 46900 46939 46944 47820 47829 49900 "
    # eastern Europe
    "355900 35990 3690 3691 370900 37190 372900 373900 380900 38190 38560 38690 38790 38950 40900 40903 40906 "
    "420900 420906 420909 421900 4870 7803 7809 "
    # Africa, Asia, Oceania
    "27862 61190 62809 64900 81990 852900 886203 886204 90900 97219 "
    "20900 21289 21688 22188 22709 23030 231332 250900 254900 25590 256901 256902 256903 2648701 26790 268900 "
    "651900 67090 8260 841900 92900 96290 966925 968900 971900 994900 "
    # more of Europe, the Americas and the Caucasus
    "297900 35490 357900 357909 374900 374901 374906 375902 383900 423900 423901 50219 503900 506900 506905 506909 "
    "5929008 59790 59890"
).split()


cdef struct Node:
    uint16_t next[10]           # by digit; 0 when no range goes on
    uint16_t country            # where the range has a country of its own within its country code
    uint8_t price

cdef Node trie[TRIE_NODES]
cdef int trie_used = 1          # node 0 is the root


cdef int place(str prefix) except -1:
    """The node of a prefix, made when absent."""
    global trie_used
    cdef int node = 0
    cdef int digit
    for character in prefix:
        digit = int(character)
        if trie[node].next[digit] == 0:
            if trie_used == TRIE_NODES:
                raise OverflowError(f"destination ranges need more than {TRIE_NODES} trie nodes")
            trie[node].next[digit] = <uint16_t>trie_used
            trie_used += 1
        node = trie[node].next[digit]
    return node


def _load():
    memset(trie, 0, sizeof(trie))
    for ranges, price in ((HIGH_COST, PRICE_HIGH_COST), (SATELLITE, PRICE_SATELLITE), (PREMIUM, PRICE_PREMIUM)):
        for prefix in ranges:
            trie[place(prefix)].price = price
    for prefix in NANP_ISLANDS:
        trie[place(prefix)].country = int(prefix)
    for prefix in KAZAKHSTAN:
        trie[place(prefix)].country = 77


_load()


cdef void destination_of(const char* e164, Destination* destination) noexcept nogil:
    cdef int i, node = 0
    cdef uint8_t digit
    destination.price = PRICE_ORDINARY
    destination.country = <uint16_t>country_code(e164)
    for i in range(E164_DIGITS):
        digit = <uint8_t>(<uint8_t>e164[i] - 48)
        if digit > 9:
            return
        node = trie[node].next[digit]
        if node == 0:
            return
        if trie[node].price != PRICE_ORDINARY:
            destination.price = trie[node].price
        if trie[node].country:
            destination.country = trie[node].country


cdef uint8_t price_between(const Destination* caller, const Destination* callee) noexcept nogil:
    if callee.price == PRICE_HIGH_COST and caller.country == callee.country:
        return PRICE_ORDINARY
    return callee.price


def destinations(e164, caller_e164=None):
    """Price classes and countries of called numbers.

    e164, caller_e164: sequences of n bytes objects, E.164 digits without '+', b"" when unknown.
    Returns (price, country): uint8 [n], a PriceClass as seen by that caller, from abroad without one; uint16 [n],
    the country code, for islands of the NANP with the area code (1876), 77 for Kazakhstan, 0 when there is none.
    Raises ValueError when the lengths differ or an entry is longer than 15 bytes.
    """
    cdef Destination caller, callee
    cdef Py_ssize_t i
    cdef bytes number
    callers = [b""] * len(e164) if caller_e164 is None else caller_e164
    if len(callers) != len(e164):
        raise ValueError("e164, caller_e164: expected one length")
    price = np.empty(len(e164), np.uint8)
    country = np.empty(len(e164), np.uint16)
    for i in range(len(e164)):
        number = bytes(callers[i])
        if max(len(number), len(e164[i])) > E164_DIGITS:
            raise ValueError(f"entry {i}: an E.164 number has at most {E164_DIGITS} digits")
        destination_of(number, &caller)
        number = bytes(e164[i])
        destination_of(number, &callee)
        price[i] = price_between(&caller, &callee)
        country[i] = callee.country
    return price, country
