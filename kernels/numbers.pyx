# cython: language_level=3
"""Telephone numbers on the hot path: the user part of a URI to E.164 digits.

A number is read as libphonenumber reads it (parse, then is_possible_number), from the same metadata, with
these departures:

- A name is not a number: letters, `*`, `#` and extensions give nothing.
- A length that is possible only without its area code gives nothing: it is not the number of one line.
- No E.164 number has more than 15 digits (E.164 6.1), though some plans of the metadata would allow more.
- A national number of less than 7 digits must match its plan's pattern as well and, when it is dialled without
  a prefix, have half the digits of the plan's longest: in an open plan every PBX extension has a possible length.
- The common international prefixes are read without a home region too, and in a region that does not use
  them when the number does not match its own plan: gateways are set up far from where they stand.
"""
from libc.stdint cimport int8_t, int16_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memmove

from kernels.numbering_table import COUNTRIES, FIRST_DIGITS, REGIONS, STARTS, STEPS

cdef enum:
    MAX_DIGITS = 24             # 15 of E.164, and a prefix and a carrier's code before them
    MIN_UNCHECKED_DIGITS = 7    # a shorter national number must look less like an extension
    MAX_TRANSFORM_DIGITS = 4    # of what is put before a number that lacks its area code
    COUNTRY_CODES = 1000        # three digits at most (E.164 6.2.1)
    NO_PROGRAM = -1
    STEP_BYTES = 6              # of one step in the table
    # The matcher gives up beyond these; tests/test_numbers.py holds the whole table far below them.
    MAX_PENDING = 48
    MAX_STEPS = 2000

cdef enum Operation:            # of kernels/numbering_pattern.py
    OP_MATCH = 0
    OP_DIGIT = 1
    OP_SPLIT = 2
    OP_JUMP = 3
    OP_OPEN = 4
    OP_CLOSE = 5
    OP_END = 6

cdef struct Step:
    uint16_t target
    uint16_t set                # bit d: digit d; bit 10: or none
    uint8_t operation

cdef struct CountryRules:
    uint32_t lengths            # bit n: a national number may have n digits
    int16_t code                # the country code
    uint8_t code_digits
    uint8_t longest             # national number
    int international           # where the programs begin, NO_PROGRAM when there is none
    int prefix
    int national
    uint16_t prefix_first       # digits with which a national prefix can begin
    uint8_t transforms          # what the last group of the prefix matched is kept, after `transform`
    uint8_t transform_digits
    uint8_t transform[MAX_TRANSFORM_DIGITS]

cdef struct Match:
    int end                     # digits taken, -1 when there is no match
    int group_start             # of the last group, -1 when it took no part
    int group_end
    int steps                   # taken to find out

cdef struct Pending:
    uint16_t step
    int8_t at
    int8_t group_start
    int8_t group_end

cdef struct CommonPrefix:
    int count
    uint8_t digits[4]

# International prefixes that are read in every country. 00 is recommended by ITU-T E.123; 011 is that of the
# NANP, 0011 of Australia, 810 of Russia and its neighbours. Others (001, 010, 009) begin national numbers.
cdef enum:
    COMMON_PREFIX_COUNT = 4
cdef CommonPrefix COMMON_PREFIXES[COMMON_PREFIX_COUNT]
COMMON_PREFIXES[0] = CommonPrefix(4, [0, 0, 1, 1])      # before 00: no number of the NANP begins with 1
COMMON_PREFIXES[1] = CommonPrefix(2, [0, 0, 0, 0])
COMMON_PREFIXES[2] = CommonPrefix(3, [0, 1, 1, 0])
COMMON_PREFIXES[3] = CommonPrefix(3, [8, 1, 0, 0])

cdef Step* programs = NULL
cdef CountryRules* rules_of_rows = NULL
cdef CountryRules* rules_of_code[COUNTRY_CODES]
cdef dict row_of_region = {}


cdef inline uint16_t little16(const uint8_t* p) noexcept nogil:
    return <uint16_t>(p[0] | p[1] << 8)


def _load():
    """Fills the tables above from kernels/numbering_table.py, once, at import."""
    global programs, rules_of_rows
    cdef const uint8_t[::1] steps = STEPS
    cdef Py_ssize_t i
    programs = <Step*>calloc(len(steps) // STEP_BYTES, sizeof(Step))
    rules_of_rows = <CountryRules*>calloc(len(REGIONS), sizeof(CountryRules))
    if programs == NULL or rules_of_rows == NULL:
        raise MemoryError("no memory for the numbering plans")
    for i in range(len(steps) // STEP_BYTES):
        programs[i].target = little16(&steps[STEP_BYTES * i])
        programs[i].set = little16(&steps[STEP_BYTES * i + 2])
        programs[i].operation = <uint8_t>little16(&steps[STEP_BYTES * i + 4])
    for at, (region, row) in enumerate(REGIONS.items()):
        _fill_rules(rules_of_rows + <int>at, row)
        row_of_region[region] = at
    for code, region in COUNTRIES.items():
        rules_of_code[<int>code] = rules_of_rows + <int>row_of_region[region]


cdef _fill_rules(CountryRules* rules, row):
    code, lengths, international, prefix, transform, national = row
    rules.code = code
    rules.code_digits = len(str(code))
    rules.longest = max(lengths)
    for length in lengths:
        rules.lengths |= <uint32_t>1 << <int>length
    rules.international = STARTS.get((international, False), NO_PROGRAM)
    rules.prefix = STARTS.get((prefix, False), NO_PROGRAM)
    rules.prefix_first = FIRST_DIGITS[prefix]
    rules.national = STARTS[national, True]
    if transform:
        literal, _, group = transform.partition("\\")
        if len(literal) > MAX_TRANSFORM_DIGITS or not group.isdigit():
            raise ValueError(f"numbering table: transform {transform!r} of {code}")
        rules.transforms = 1
        rules.transform_digits = len(literal)
        for at, digit in enumerate(literal):
            rules.transform[<int>at] = int(digit)


# The matcher: backtracking over a program without loops, as Python's re would do it.

cdef Match match(int program, const uint8_t* digits, int count) noexcept nogil:
    cdef Match found
    cdef Pending pending[MAX_PENDING]
    cdef int waiting = 0
    cdef int at = 0
    cdef int step_at = program
    cdef const Step* step
    cdef bint failed
    found.end = found.group_start = found.group_end = -1
    found.steps = 0
    if program == NO_PROGRAM:
        return found
    while found.steps < MAX_STEPS:
        found.steps += 1
        step = programs + step_at
        failed = False
        if step.operation == OP_DIGIT:
            failed = at >= count or not (step.set >> digits[at]) & 1
            at += 1
            step_at += 1
        elif step.operation == OP_SPLIT:
            if not (step.set >> (digits[at] if at < count else 10)) & 1 and not (step.set >> 10) & 1:
                step_at = step.target
            elif waiting < MAX_PENDING:
                pending[waiting] = Pending(step.target, at, found.group_start, found.group_end)
                waiting += 1
                step_at += 1
            else:
                return found
        elif step.operation == OP_JUMP:
            step_at = step.target
        elif step.operation == OP_OPEN:
            found.group_start = at
            step_at += 1
        elif step.operation == OP_CLOSE:
            found.group_end = at
            step_at += 1
        elif step.operation == OP_END:
            failed = at != count
            step_at += 1
        else:
            found.end = at
            return found
        if failed:
            if waiting == 0:
                return found
            waiting -= 1
            step_at = pending[waiting].step
            at = pending[waiting].at
            found.group_start = pending[waiting].group_start
            found.group_end = pending[waiting].group_end
    return found


cdef inline bint fits_plan(const CountryRules* rules, const uint8_t* digits, int count) noexcept nogil:
    return match(rules.national, digits, count).end >= 0


# Reading, in the order of libphonenumber's parse().

cdef inline int hex_value(uint8_t byte) noexcept nogil:
    if 48 <= byte <= 57:
        return byte - 48
    byte |= 0x20
    return byte - 87 if 97 <= byte <= 102 else -1


cdef int read_digits(const uint8_t* user, uint32_t length, uint8_t* digits, bint* plus) noexcept nogil:
    """The digits of a user part and whether '+' leads them; 0 when it holds anything but a number."""
    cdef uint32_t at = 0
    cdef int count = 0
    cdef int high, low
    cdef uint8_t byte
    plus[0] = False
    while at < length:
        byte = user[at]
        at += 1
        if byte == 37:                              # '%': RFC 3261 25.1 escaped
            if length - at < 2:
                return 0
            high = hex_value(user[at])
            low = hex_value(user[at + 1])
            if high < 0 or low < 0:
                return 0
            byte = <uint8_t>(high << 4 | low)
            at += 2
        if 48 <= byte <= 57:
            if count == MAX_DIGITS:
                return 0
            digits[count] = byte - 48
            count += 1
        elif byte == 43 and count == 0 and not plus[0]:
            plus[0] = True
        elif byte == 59:                            # ';': parameters such as phone-context, isub, npdi
            break
        elif byte != 45 and byte != 46 and byte != 40 and byte != 41:     # RFC 3966 3 visual-separator
            return 0
    return count


cdef inline const CountryRules* country_of(const uint8_t* digits, int count) noexcept nogil:
    """The plan of the country code that `digits` begin with, or NULL. No code begins another."""
    cdef int code = 0
    cdef int at
    if count == 0 or digits[0] == 0:
        return NULL
    for at in range(3 if count > 3 else count):
        code = 10 * code + digits[at]
        if rules_of_code[code] != NULL:
            return rules_of_code[code]
    return NULL


cdef int strip_prefix(const CountryRules* rules, const uint8_t* digits, int count, uint8_t* out) noexcept nogil:
    """The number without its national prefix, or as it was: the digits in `out` (MAX_DIGITS of room)."""
    cdef Match found
    cdef int kept = count
    memcpy(out, digits, count)
    if count == 0 or not (rules.prefix_first >> digits[0]) & 1:
        return count
    found = match(rules.prefix, digits, count)
    if found.end < 0:
        return count
    if rules.transforms and found.group_start >= 0:
        kept = rules.transform_digits + (found.group_end - found.group_start) + (count - found.end)
        if kept > MAX_DIGITS:
            return count
        memcpy(out, rules.transform, rules.transform_digits)
        memcpy(out + rules.transform_digits, digits + found.group_start, found.group_end - found.group_start)
        memcpy(out + kept - (count - found.end), digits + found.end, count - found.end)
    else:
        kept = count - found.end
        memmove(out, digits + found.end, kept)
    if not fits_plan(rules, out, kept) and fits_plan(rules, digits, count):
        memcpy(out, digits, count)
        return count
    return kept


cdef struct Number:
    const CountryRules* country     # whose country code it has
    int count                       # of national digits, 0 when it is not a possible number
    uint8_t digits[MAX_DIGITS]


cdef void read_national(
    const CountryRules* country, const CountryRules* plan, const uint8_t* digits, int count, Number* number
) noexcept nogil:
    """Takes the digits after a country code by `plan`; `country` is the plan that decides for the whole code."""
    number.country = country
    number.count = strip_prefix(plan, digits, count, number.digits)
    if number.count <= plan.longest and not (plan.lengths >> number.count) & 1:
        # What was stripped was no prefix: the rest has no length of this plan.
        memcpy(number.digits, digits, count)
        number.count = count
    if not (country.lengths >> number.count) & 1 or number.count + country.code_digits >= E164_BYTES:
        number.count = 0


cdef void read_international(const uint8_t* digits, int count, Number* number) noexcept nogil:
    """Takes digits that begin with a country code."""
    cdef const CountryRules* country = country_of(digits, count)
    number.count = 0
    if country != NULL:
        read_national(country, country, digits + country.code_digits, count - country.code_digits, number)


cdef bint read_home(const CountryRules* home, const uint8_t* digits, int count, Number* number) noexcept nogil:
    """Takes digits as dialled in the home region. True when they fit its plan, not only its lengths."""
    cdef const CountryRules* country = rules_of_code[home.code]
    cdef const CountryRules* plan = home
    cdef uint8_t rest[MAX_DIGITS]
    cdef int left
    cdef int dialled = count
    cdef bint fits
    cdef Match found = match(home.international, digits, count)
    if found.end >= 0 and (found.end == count or digits[found.end] != 0):
        read_international(digits + found.end, count - found.end, number)
        return number.count > 0
    if begins_with_code(home, digits, count):
        left = strip_prefix(home, digits + home.code_digits, count - home.code_digits, rest)
        if count > home.longest or (fits_plan(home, rest, left) and not fits_plan(home, digits, count)):
            # The country code without '+' (a number too long for the plan, or one that only fits without it).
            plan = country
            digits = rest
            count = left
    read_national(country, plan, digits, count, number)
    fits = fits_plan(plan, number.digits, number.count)
    if number.count < MIN_UNCHECKED_DIGITS:
        if not fits or (number.count == dialled and 2 * number.count < plan.longest):
            number.count = 0
    return fits and number.count > 0


cdef inline bint begins_with_code(const CountryRules* rules, const uint8_t* digits, int count) noexcept nogil:
    cdef int code = 0
    cdef int at
    if count < rules.code_digits:
        return False
    for at in range(rules.code_digits):
        code = 10 * code + digits[at]
    return code == rules.code


cdef void read_common_prefix(const uint8_t* digits, int count, Number* number) noexcept nogil:
    """Takes digits that begin with an international prefix that is understood everywhere."""
    cdef const CommonPrefix* prefix
    cdef int at, i
    number.count = 0
    for i in range(COMMON_PREFIX_COUNT):
        prefix = &COMMON_PREFIXES[i]
        if count <= prefix.count:
            continue
        for at in range(prefix.count):
            if digits[at] != prefix.digits[at]:
                break
        else:
            read_international(digits + prefix.count, count - prefix.count, number)
            if number.count > 0:
                return


cdef void read_local(const NumberPlan* plan, const uint8_t* digits, int count, Number* number) noexcept nogil:
    """Takes digits without '+': as the home region dials them, else by a common international prefix."""
    cdef Number home
    home.count = 0
    if plan.home != NULL and read_home(plan.home, digits, count, &home):
        number[0] = home
        return
    read_common_prefix(digits, count, number)
    if number.count == 0 and home.count > 0:
        number[0] = home


cdef int e164_digits(const uint8_t* user, uint32_t length, const NumberPlan* plan, char* out16) noexcept nogil:
    cdef uint8_t digits[MAX_DIGITS]
    cdef Number number
    cdef bint plus
    cdef int count = read_digits(user, length, digits, &plus)
    cdef int at, code
    out16[0] = 0
    if count == 0:
        return 0
    if plus:
        read_international(digits, count, &number)
    else:
        read_local(plan, digits, count, &number)
    if number.count == 0:
        return 0
    code = number.country.code
    for at in range(number.country.code_digits - 1, -1, -1):
        out16[at] = <char>(48 + code % 10)
        code //= 10
    for at in range(number.count):
        out16[number.country.code_digits + at] = <char>(48 + number.digits[at])
    count = number.country.code_digits + number.count
    out16[count] = 0
    return count


cdef inline const CountryRules* country_of_e164(const char* e164) noexcept nogil:
    cdef uint8_t digits[3]
    cdef int count = 0
    while count < 3 and 48 <= e164[count] <= 57:
        digits[count] = <uint8_t>(e164[count] - 48)
        count += 1
    return country_of(digits, count)


cdef int country_code(const char* e164) noexcept nogil:
    cdef const CountryRules* country = country_of_e164(e164)
    return country.code if country != NULL else 0


cdef int country_code_length(const char* e164) noexcept nogil:
    cdef const CountryRules* country = country_of_e164(e164)
    return country.code_digits if country != NULL else 0


cdef class Plan:
    """By whose rules national numbers are read: a home region (ISO 3166 alpha-2), or none.

    Raises ValueError when the region has no numbering plan.
    """

    def __cinit__(self, region=None):
        self.plan.home = NULL
        self.region = region.upper() if region is not None else None
        if self.region is not None:
            if not self.region.isalpha() or self.region not in row_of_region:
                raise ValueError(f"no numbering plan of region {region!r}")
            self.plan.home = rules_of_rows + <int>row_of_region[self.region]

    def e164(self, user):
        """The E.164 number (`+` and digits) of a user part as sent (str or bytes), or None."""
        cdef char out[E164_BYTES]
        cdef bytes sent = user.encode() if isinstance(user, str) else user
        cdef int count = e164_digits(<const uint8_t*><const char*>sent, <uint32_t>len(sent), &self.plan, out)
        return "+" + out[:count].decode() if count else None


def country_code_of(e164):
    """The country code of an E.164 number with or without '+', as an int, or None."""
    cdef bytes digits = e164.lstrip("+").encode()
    cdef int code = country_code(digits)
    return code or None


def match_national(region, number):
    """Holds national digits against a region's pattern: whether they match, and the steps that it took."""
    cdef uint8_t digits[MAX_DIGITS]
    cdef int count = min(len(number), MAX_DIGITS)
    cdef Match found
    for at in range(count):
        digits[<int>at] = int(number[at])
    found = match(rules_of_rows[<int>row_of_region[region]].national, digits, count)
    return found.end >= 0, found.steps


_load()
