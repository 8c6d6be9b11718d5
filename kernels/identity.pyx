# cython: language_level=3
"""Reads who an INVITE says is calling.

Numbers are compared without a numbering plan, since one network writes the same number nationally and another with
its country code: the digits of the shorter one, without leading zeros, must end the longer one.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memset

from capture.hashing cimport hash_bytes
from capture.scan cimport find_byte
from capture.sip cimport (
    HEADER_DIVERSION, HEADER_FROM, HEADER_HISTORY_INFO, HEADER_IDENTITY, HEADER_P_ASSERTED_IDENTITY, HEADER_PRIVACY,
    HEADER_REMOTE_PARTY_ID, SIP_MESSAGE, HeaderField, SipMessage, SipUri, Span, sip_read_datagram,
)
from capture.sip_text cimport same_name, skip_quoted
from capture.sip_values cimport read_address
from kernels.destination cimport Destination, destination_of
from kernels.numbers cimport E164_BYTES, NumberPlan, Plan, e164_digits

ASSERTED_NAMES = ("none", "same", "other", "withheld", "abroad")
ATTESTATION_NAMES = ("none", "unreadable", "C", "B", "A")
VERSTAT_NAMES = ("none", "failed", "not made", "passed")

cdef enum:
    MAX_DIGITS = 32             # of a user part; E.164 has 15, prefixes and pauses come before and after
    FEWEST_DIGITS = 7           # that two forms of one number share; fewer are extensions, which must be equal
    BLOCK_DIGITS = 4            # in which the numbers of one exchange differ: it may assert its main number for all
    ACCOUNT_DIGITS = 2          # and those that one customer has at the least
    MAX_PAYLOAD_BYTES = 1024    # of a PASSporT as base64url: usual ones have 250
    DECODED_BYTES = 768         # three quarters of it
    NOT_BASE64 = -1
    BLOCK_SEED = 0x50

cdef extern from *:
    """
    #include <stdint.h>
    /* RFC 4648 5, base64url; 0 is kept for what is not in the alphabet. */
    static const uint8_t sw_base64url[256] = {
        ['A']=1,['B']=2,['C']=3,['D']=4,['E']=5,['F']=6,['G']=7,['H']=8,['I']=9,['J']=10,['K']=11,['L']=12,['M']=13,
        ['N']=14,['O']=15,['P']=16,['Q']=17,['R']=18,['S']=19,['T']=20,['U']=21,['V']=22,['W']=23,['X']=24,['Y']=25,
        ['Z']=26,['a']=27,['b']=28,['c']=29,['d']=30,['e']=31,['f']=32,['g']=33,['h']=34,['i']=35,['j']=36,['k']=37,
        ['l']=38,['m']=39,['n']=40,['o']=41,['p']=42,['q']=43,['r']=44,['s']=45,['t']=46,['u']=47,['v']=48,['w']=49,
        ['x']=50,['y']=51,['z']=52,['0']=53,['1']=54,['2']=55,['3']=56,['4']=57,['5']=58,['6']=59,['7']=60,['8']=61,
        ['9']=62,['-']=63,['_']=64,
    };
    /* RFC 3323 4.1.1.3, and what gateways put there. */
    static const char *const sw_withheld[] = {"anonymous", "restricted", "unknown", "unavailable", "private", 0};
    """
    const uint8_t* BASE64URL "sw_base64url"
    const char** WITHHELD "((const char **)sw_withheld)"


# -- numbers --------------------------------------------------------------------------------------------------

cdef int significant_digits(const uint8_t* user, uint32_t length, uint8_t* digits) noexcept nogil:
    """The digits of a user part up to its parameters (RFC 3966), without leading zeros: MAX_DIGITS at most."""
    cdef uint32_t i
    cdef int count = 0
    for i in range(length):
        if user[i] == c';' or count == MAX_DIGITS:
            break
        if c'0' <= user[i] <= c'9' and (count or user[i] != c'0'):
            digits[count] = user[i]
            count += 1
    return count


cdef bint same_number(const uint8_t* a, uint32_t a_length, const uint8_t* b, uint32_t b_length) noexcept nogil:
    cdef uint8_t[MAX_DIGITS] a_digits
    cdef uint8_t[MAX_DIGITS] b_digits
    cdef int a_count, b_count, shared
    if a_length == b_length and memcmp(a, b, a_length) == 0:
        return True
    a_count = significant_digits(a, a_length, a_digits)
    b_count = significant_digits(b, b_length, b_digits)
    shared = min(a_count, b_count)
    if shared < FEWEST_DIGITS:
        return shared > 0 and a_count == b_count and memcmp(a_digits, b_digits, shared) == 0
    return memcmp(&a_digits[a_count - shared], &b_digits[b_count - shared], shared) == 0


cdef bint same_block(const uint8_t* a, uint32_t a_length, const uint8_t* b, uint32_t b_length) noexcept nogil:
    """Of one block of 10 000 numbers, each as it may be written."""
    cdef uint8_t[MAX_DIGITS] a_digits
    cdef uint8_t[MAX_DIGITS] b_digits
    cdef int a_count = significant_digits(a, a_length, a_digits)
    cdef int b_count = significant_digits(b, b_length, b_digits)
    cdef int shared = min(a_count, b_count)
    return shared > FEWEST_DIGITS and memcmp(
        &a_digits[a_count - shared], &b_digits[b_count - shared], shared - BLOCK_DIGITS) == 0


cdef uint32_t block_hash(const uint8_t* user, uint32_t length, int behind) noexcept nogil:
    """Hash of a number without its last digits: all that are no numbers, as extensions and names are none, have one."""
    cdef uint8_t[MAX_DIGITS] digits
    cdef int count = significant_digits(user, length, digits)
    return <uint32_t>hash_bytes(digits, count - behind if count >= FEWEST_DIGITS else 0, BLOCK_SEED) | 1


cdef bint withholds(const uint8_t* user, uint32_t length) noexcept nogil:
    cdef const char* name
    cdef uint32_t i
    cdef int which = 0
    if length == 0:
        return True
    while WITHHELD[which] != NULL:
        name = WITHHELD[which]
        i = 0
        while i < length and (user[i] | 0x20) == <uint8_t>name[i]:      # also stops at the end of `name`
            i += 1
        if i == length and name[i] == 0:
            return True
        which += 1
    return False


cdef uint16_t country_of(const SipMessage* message, Span user, const NumberPlan* plan, char* e164) noexcept nogil:
    """0 when it is no E.164 number."""
    cdef Destination found
    if e164_digits(message.data + user.start, user.length, plan, e164) == 0:
        return 0
    destination_of(e164, &found)
    return found.country


cdef uint32_t block_abroad(const SipMessage* message, Span asserted, const NumberPlan* plan) noexcept nogil:
    """Hash of the block of the number when it is of neither the shown number's country nor the callee's, else 0."""
    cdef char[E164_BYTES] e164
    cdef char[E164_BYTES] other
    cdef uint32_t length = 0
    cdef uint16_t country = country_of(message, asserted, plan, e164)
    cdef uint16_t shown = country_of(message, message.from_uri.user, plan, other)
    cdef uint16_t callee = country_of(message, message.request.user, plan, other)
    if callee == 0:
        callee = country_of(message, message.to_uri.user, plan, other)
    if country == 0 or country == shown or country == callee or shown + callee == 0:
        return 0
    while e164[length]:
        length += 1
    return <uint32_t>hash_bytes(<const uint8_t*>e164, length - BLOCK_DIGITS, BLOCK_SEED) | 1


cdef void read_asserted(const SipMessage* message, int kind, const NumberPlan* plan, Identity* identity) noexcept nogil:
    """SAME when any of the header's fields names the caller that From shows, or a number of the same exchange; ABROAD
    when all of them name numbers abroad. The account is that of the first."""
    cdef const HeaderField* field
    cdef const uint8_t* data = message.data
    cdef Span user = message.from_uri.user
    cdef SipUri uri
    cdef Span tag
    cdef int i
    cdef uint32_t block
    if withholds(data + user.start, user.length):
        identity.asserted = ASSERTED_WITHHELD
        return
    for i in range(message.first[kind], message.field_count):
        field = &message.fields[i]
        if field.kind != kind:
            continue
        memset(&uri, 0, sizeof(uri))
        read_address(data, field.value_start, field.value_start + field.value_length, &uri, &tag)
        if uri.user.length == 0:
            continue
        if same_number(data + user.start, user.length, data + uri.user.start, uri.user.length) or same_block(
                data + user.start, user.length, data + uri.user.start, uri.user.length):
            identity.asserted = ASSERTED_SAME
            identity.account = identity.shown_block = 0
            return
        if identity.account == 0 and not identity.diverted:
            identity.account = block_hash(data + uri.user.start, uri.user.length, ACCOUNT_DIGITS)
            identity.shown_block = block_hash(data + user.start, user.length, BLOCK_DIGITS)
        block = 0 if identity.diverted else block_abroad(message, uri.user, plan)
        if block == 0:
            identity.asserted = ASSERTED_OTHER
        elif identity.asserted == ASSERTED_NONE:
            identity.asserted = ASSERTED_ABROAD
            identity.asserted_block = block


# -- attestation and verification -----------------------------------------------------------------------------

cdef int decode_base64url(const uint8_t* text, uint32_t length, uint8_t* out) noexcept nogil:
    """Bytes written to `out`, which has room for 3 of every 4; NOT_BASE64 when a character is not of the alphabet."""
    cdef uint32_t i
    cdef uint32_t bits = 0
    cdef int held = 0, written = 0
    for i in range(length):
        if BASE64URL[text[i]] == 0:
            return NOT_BASE64
        bits = (bits << 6) | <uint32_t>(BASE64URL[text[i]] - 1)
        held += 6
        if held >= 8:
            held -= 8
            out[written] = <uint8_t>(bits >> held)
            written += 1
    return written


cdef uint8_t attest_claim(const uint8_t* json, int length) noexcept nogil:
    """The value of `"attest"`, a name that no other claim of a PASSporT has."""
    cdef int i, at
    for i in range(length - 11):            # "attest":"A"
        if json[i] != c'"' or memcmp(json + i, b'"attest"', 8) != 0:
            continue
        at = i + 8
        while at < length and (json[at] <= c' ' or json[at] == c':'):
            at += 1
        if at + 2 < length and json[at] == c'"' and json[at + 2] == c'"' and c'A' <= json[at + 1] <= c'C':
            return <uint8_t>(ATTESTATION_A - (json[at + 1] - c'A'))
    return ATTESTATION_UNREADABLE


cdef uint8_t attestation_of(const uint8_t* value, uint32_t length) noexcept nogil:
    """header.payload.signature;info=... (RFC 8224 4): the payload is read, cut at MAX_PAYLOAD_BYTES."""
    cdef uint8_t[DECODED_BYTES] payload
    cdef uint32_t end = find_byte(value, 0, length, c';')
    cdef uint32_t start = find_byte(value, 0, end, c'.') + 1
    cdef uint32_t stop = find_byte(value, start, end, c'.')
    cdef int decoded
    if stop >= end:
        return ATTESTATION_UNREADABLE
    decoded = decode_base64url(value + start, min(stop - start, <uint32_t>MAX_PAYLOAD_BYTES), payload)
    return attest_claim(payload, decoded)


cdef uint8_t read_attestation(const SipMessage* message) noexcept nogil:
    """Of several PASSporTs, which diversion adds (RFC 8946), the first that has one."""
    cdef const HeaderField* field
    cdef uint8_t found
    cdef int i
    for i in range(message.first[<int>HEADER_IDENTITY], message.field_count):
        field = &message.fields[i]
        if field.kind == HEADER_IDENTITY:
            found = attestation_of(message.data + field.value_start, field.value_length)
            if found != ATTESTATION_UNREADABLE:
                return found
    return ATTESTATION_UNREADABLE


cdef uint8_t read_verstat(const SipMessage* message, int kind) noexcept nogil:
    """The parameter `verstat` of the address in the first field of a kind."""
    cdef const HeaderField* field
    cdef const uint8_t* data = message.data
    cdef uint32_t at, end
    if message.first[kind] < 0:
        return VERSTAT_NONE
    field = &message.fields[message.first[kind]]
    at = field.value_start
    end = at + field.value_length
    while True:
        at = find_byte(data, at, end, c';') + 1
        if at + 24 > end:                       # verstat=No-TN-Validation is the shortest
            break
        if same_name(data + at, b"verstat=", 8):
            at += 8
            if end - at >= 20 and same_name(data + at, b"tn-validation-passed", 20):
                return VERSTAT_PASSED
            if end - at >= 20 and same_name(data + at, b"tn-validation-failed", 20):
                return VERSTAT_FAILED
            return VERSTAT_NOT_MADE if same_name(data + at, b"no-tn-validation", 16) else VERSTAT_NONE
    return VERSTAT_NONE


# -- the whole ------------------------------------------------------------------------------------------------

cdef bint has_two_entries(const SipMessage* message, int kind) noexcept nogil:
    cdef const HeaderField* field
    cdef const uint8_t* data = message.data
    cdef uint32_t at, end
    cdef int i, entries = 0
    for i in range(message.first[kind], message.field_count):
        field = &message.fields[i]
        if field.kind != kind:
            continue
        entries += 1
        at = field.value_start
        end = at + field.value_length
        while at < end and entries < 2:
            if data[at] == c'"':
                at = skip_quoted(data, at, end)
                continue
            entries += data[at] == c','
            at += 1
    return entries > 1


cdef void identity_read(const SipMessage* message, const NumberPlan* plan, Identity* identity) noexcept nogil:
    cdef const HeaderField* field
    memset(identity, 0, sizeof(Identity))
    identity.diverted = message.first[<int>HEADER_DIVERSION] >= 0
    if not identity.diverted and message.first[<int>HEADER_HISTORY_INFO] >= 0:
        identity.diverted = has_two_entries(message, HEADER_HISTORY_INFO)
    if message.first[<int>HEADER_P_ASSERTED_IDENTITY] >= 0:
        read_asserted(message, HEADER_P_ASSERTED_IDENTITY, plan, identity)
    elif message.first[<int>HEADER_REMOTE_PARTY_ID] >= 0:
        read_asserted(message, HEADER_REMOTE_PARTY_ID, plan, identity)
    if message.first[<int>HEADER_IDENTITY] >= 0:
        identity.attestation = read_attestation(message)
    identity.verstat = read_verstat(message, HEADER_P_ASSERTED_IDENTITY)
    if identity.verstat == VERSTAT_NONE:
        identity.verstat = read_verstat(message, HEADER_FROM)
    if message.first[<int>HEADER_PRIVACY] >= 0:
        field = &message.fields[message.first[<int>HEADER_PRIVACY]]
        identity.privacy = not (
            field.value_length == 4 and same_name(message.data + field.value_start, b"none", 4))


def identity(bytes message, region=None):
    """What an INVITE says of its caller: dict of the fields of Identity, by name.

    message: a SIP message as it is in a datagram. region: ISO 3166 code by which national numbers are read, or None.
    Raises ValueError when the message is none, or the region unknown.
    """
    cdef Plan home = Plan(region)
    cdef SipMessage read
    cdef Identity found
    if sip_read_datagram(message, <uint32_t>len(message), &read) != SIP_MESSAGE:
        raise ValueError("not a SIP message")
    identity_read(&read, &home.plan, &found)
    return {
        "asserted": ASSERTED_NAMES[found.asserted],
        "attestation": ATTESTATION_NAMES[found.attestation],
        "verstat": VERSTAT_NAMES[found.verstat],
        "diverted": bool(found.diverted),
        "privacy": bool(found.privacy),
        "asserted_block": found.asserted_block,
        "account": found.account,
        "shown_block": found.shown_block,
    }


def attestation(bytes value):
    """One of ATTESTATION_NAMES for the value of an Identity header."""
    cdef const uint8_t* data = value
    return ATTESTATION_NAMES[attestation_of(data, <uint32_t>len(value))]


def is_same_number(bytes a, bytes b):
    """Whether two user parts are one number."""
    cdef const uint8_t* a_data = a
    cdef const uint8_t* b_data = b
    return bool(same_number(a_data, <uint32_t>len(a), b_data, <uint32_t>len(b)))
