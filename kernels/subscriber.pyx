# cython: language_level=3
"""Taking calls, fading, and reading the statistics of a subscriber, and its Python face."""
from libc.math cimport NAN, floor, log, pow
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

import numpy as np

SIZE_BYTES = sizeof(Subscriber)

cdef double BIN_RATIO = 1.12
cdef double PER_LOG = 1.0 / log(1.12)

cdef enum:
    HOUR_S = 3600
    DAY_S = 86400
    MOST_WEIGHT = 0xffff


cdef inline int duration_bin(double duration_s) noexcept nogil:
    """Bin 0 is below 1 s; bin i is from 1.12^(i-1) s on, the last without an end."""
    cdef int found
    if duration_s < 1.0:
        return 0
    if duration_s >= 1e9:
        return DURATION_BINS - 1
    found = 1 + <int>(log(duration_s) * PER_LOG)
    return found if found < DURATION_BINS else DURATION_BINS - 1


cdef inline int day_of_month(int64_t local_s) noexcept nogil:
    """0..30, by the civil calendar (Hinnant, chrono-compatible low-level date algorithms)."""
    cdef int64_t days = local_s // DAY_S
    cdef int64_t of_era, year, of_year
    if local_s < 0 and local_s % DAY_S != 0:
        days -= 1
    days += 719468
    of_era = days - (days if days >= 0 else days - 146096) // 146097 * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    return <int>(of_year - (153 * ((5 * of_year + 2) // 153) + 2) // 5)


cdef inline int hour_of_day(int64_t local_s) noexcept nogil:
    cdef int64_t second = local_s % DAY_S
    return <int>((second + DAY_S if second < 0 else second) // HOUR_S)


cdef inline void count_in(uint16_t* weights, int size, int at) noexcept nogil:
    cdef int i
    if weights[at] == MOST_WEIGHT:
        for i in range(size):       # what is there stays there
            weights[i] = <uint16_t>((weights[i] + 1) // 2)
    weights[at] += 1


cdef void sink(Counterpart* heap, uint32_t size) noexcept nogil:
    """Puts the first entry where it belongs."""
    cdef uint32_t at = 0
    cdef uint32_t child
    cdef Counterpart held = heap[0]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1].key > heap[child].key:
            child += 1
        if heap[child].key <= held.key:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = held


cdef void rise(Counterpart* heap, uint32_t at) noexcept nogil:
    """Puts entry `at`, the last, where it belongs."""
    cdef Counterpart held = heap[at]
    while at and heap[(at - 1) // 2].key < held.key:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = held


cdef void sample_add(Subscriber* one, uint32_t key, float seconds) noexcept nogil:
    cdef uint32_t i
    cdef Counterpart* entry
    if one.limit and key >= one.limit:
        return
    for i in range(one.sampled):
        entry = &one.sample[i]
        if entry.key == key:
            entry.calls += 1.0
            entry.seconds += seconds
            return
    if one.sampled == SAMPLE:
        # The greatest key leaves; from here on the sample is of the keys below it.
        if key >= one.sample[0].key:
            one.limit = key
            return
        one.limit = one.sample[0].key
        one.sample[0] = Counterpart(key, 1.0, seconds)
        sink(one.sample, SAMPLE)
        return
    one.sample[one.sampled] = Counterpart(key, 1.0, seconds)
    rise(one.sample, one.sampled)
    one.sampled += 1


cdef void heavy_add(HeavyEntry* table, uint32_t key, float amount) noexcept nogil:
    """Space-Saving: who has no place takes the lightest's, and inherits what it had."""
    cdef int i, lightest = 0
    for i in range(HEAVY):
        if table[i].key == key and table[i].amount > 0.0:
            table[i].amount += amount
            return
        if table[i].amount < table[lightest].amount:
            lightest = i
    table[lightest] = HeavyEntry(key, table[lightest].amount + amount, table[lightest].amount)


cdef void subscriber_add(Subscriber* subscriber, uint64_t counterpart, bint outgoing, double duration_s,
                         int64_t local_s) noexcept nogil:
    cdef uint32_t key = <uint32_t>(counterpart >> 32)
    cdef float seconds
    if not duration_s > 0.0:
        duration_s = 0.0
    seconds = <float>duration_s
    if subscriber.calls == 0.0 or seconds < subscriber.shortest_s:
        subscriber.shortest_s = seconds
    if seconds > subscriber.longest_s:
        subscriber.longest_s = seconds
    subscriber.calls += 1.0
    subscriber.outgoing += outgoing
    subscriber.seconds += duration_s
    count_in(subscriber.hours, HOURS, hour_of_day(local_s))
    count_in(subscriber.days, DAYS, day_of_month(local_s))
    count_in(subscriber.durations, DURATION_BINS, duration_bin(duration_s))
    sample_add(subscriber, key, seconds)
    heavy_add(subscriber.most_calls, key, 1.0)
    if seconds > 0.0:
        heavy_add(subscriber.most_seconds, key, seconds)


cdef inline double bin_floor(int at) noexcept nogil:
    return 0.0 if at == 0 else pow(BIN_RATIO, at - 1)


cdef void fade_weights(uint16_t* weights, int size) noexcept nogil:
    cdef int i
    for i in range(size):
        weights[i] //= 2


cdef void fade_extremes(Subscriber* one) noexcept nogil:
    """The shortest and the longest call may be forgotten: they are then those of the bins that are left."""
    cdef int first = 0, last = DURATION_BINS - 1
    while first < DURATION_BINS and one.durations[first] == 0:
        first += 1
    while last >= 0 and one.durations[last] == 0:
        last -= 1
    if last < 0:
        return
    if one.shortest_s < bin_floor(first):
        one.shortest_s = <float>bin_floor(first)
    if last < DURATION_BINS - 1 and one.longest_s > bin_floor(last + 1):
        one.longest_s = <float>bin_floor(last + 1)


cdef void fade_sample(Subscriber* one) noexcept nogil:
    cdef uint32_t i, kept = 0
    cdef Counterpart entry
    for i in range(one.sampled):
        entry = one.sample[i]
        entry.calls *= 0.5
        entry.seconds *= 0.5
        if entry.calls >= 0.5:
            one.sample[kept] = entry
            rise(one.sample, kept)
            kept += 1
    one.sampled = kept
    # A sample that has become small may take twice the keys again.
    if one.limit and kept <= SAMPLE // 2:
        if one.limit >> 31:
            one.limit = 0
        else:
            one.limit <<= 1


cdef void subscriber_fade(Subscriber* subscriber) noexcept nogil:
    cdef int i
    subscriber.calls *= 0.5
    if subscriber.calls < 0.5:
        memset(subscriber, 0, sizeof(Subscriber))
        return
    subscriber.outgoing *= 0.5
    subscriber.seconds *= 0.5
    fade_weights(subscriber.hours, HOURS)
    fade_weights(subscriber.days, DAYS)
    fade_weights(subscriber.durations, DURATION_BINS)
    fade_extremes(subscriber)
    fade_sample(subscriber)
    for i in range(HEAVY):
        subscriber.most_calls[i].amount *= 0.5
        subscriber.most_calls[i].inherited *= 0.5
        subscriber.most_seconds[i].amount *= 0.5
        subscriber.most_seconds[i].inherited *= 0.5


cdef double distinct(const Subscriber* one) noexcept nogil:
    """Counterparts: those in the sample, by the share of all keys that it is of."""
    return one.sampled if one.limit == 0 else one.sampled * 4294967296.0 / one.limit


cdef double weighted_median(const uint16_t* bins) noexcept nogil:
    """Seconds: where half of the calls are below, evenly spread within a bin by the logarithm."""
    cdef double total = 0.0, below = 0.0, share
    cdef int i
    for i in range(DURATION_BINS):
        total += bins[i]
    for i in range(DURATION_BINS):
        if bins[i] and below + bins[i] >= 0.5 * total:
            share = (0.5 * total - below) / bins[i]
            # Whole seconds are the rule: short ones have a bin to themselves, and are its first whole second.
            return whole_second(i, share)
        below += bins[i]
    return NAN


cdef inline double whole_second(int at, double share) noexcept nogil:
    cdef double low = bin_floor(at), high = bin_floor(at + 1), first
    if at == 0:
        return 0.0
    first = floor(low) if floor(low) == low else floor(low) + 1.0
    if first + 1.0 >= high:
        return first if first < high else low
    return low * pow(BIN_RATIO, share)


cdef double median_of(float* values, uint32_t count) noexcept nogil:
    """Sorts the values, few as they are."""
    cdef uint32_t i, at
    cdef float held
    if count == 0:
        return NAN
    for i in range(1, count):
        held = values[i]
        at = i
        while at and values[at - 1] > held:
            values[at] = values[at - 1]
            at -= 1
        values[at] = held
    return 0.5 * (<double>values[(count - 1) // 2] + values[count // 2])


cdef double sample_median(const Subscriber* one, bint seconds) noexcept nogil:
    cdef float values[SAMPLE]
    cdef uint32_t i
    for i in range(one.sampled):
        values[i] = one.sample[i].seconds if seconds else one.sample[i].calls
    return median_of(values, one.sampled)


cdef double heaviest(const HeavyEntry* table) noexcept nogil:
    """The most that one of the table is known to have."""
    cdef double found = 0.0, amount
    cdef int i
    for i in range(HEAVY):
        amount = <double>table[i].amount - table[i].inherited
        found = amount if amount > found else found
    return found


cdef double most_of_one(const Subscriber* one, bint seconds) noexcept nogil:
    """The most calls or seconds with one counterpart, by its table and by the sample: neither says too much."""
    cdef double found, amount
    cdef uint32_t i
    if seconds:
        found = heaviest(one.most_seconds)
    else:
        found = heaviest(one.most_calls)
    for i in range(one.sampled):
        amount = one.sample[i].seconds if seconds else one.sample[i].calls
        found = amount if amount > found else found
    return found


cdef void write_histogram(const uint16_t* weights, int size, double calls, int first, double* values) noexcept nogil:
    """The mode, the calls in it, and how many places have any."""
    cdef double total = 0.0
    cdef int i, mode = 0, filled = 0
    for i in range(size):
        total += weights[i]
        filled += weights[i] > 0
        if weights[i] > weights[mode]:
            mode = i
    values[0] = mode + first if filled else NAN
    values[1] = weights[mode] / total * calls if filled else NAN
    values[2] = filled if filled else NAN


cdef void subscriber_statistics(const Subscriber* subscriber, double* values) noexcept nogil:
    cdef double calls = subscriber.calls
    cdef double counterparts
    cdef int i
    values[0] = calls
    if calls == 0.0:
        for i in range(1, STATISTICS):
            values[i] = NAN
        return
    # Every call has a counterpart, and none has less than one call, whatever the sample makes of it.
    counterparts = distinct(subscriber)
    counterparts = calls if counterparts > calls else 1.0 if counterparts < 1.0 else counterparts
    values[1] = counterparts
    values[2] = subscriber.outgoing / calls
    values[3] = calls / counterparts
    values[4] = sample_median(subscriber, False)
    values[5] = most_of_one(subscriber, False)
    values[6] = subscriber.seconds / counterparts
    values[7] = sample_median(subscriber, True)
    values[8] = most_of_one(subscriber, True)
    values[9] = subscriber.seconds / calls
    values[10] = weighted_median(subscriber.durations)
    values[11] = subscriber.longest_s
    values[12] = subscriber.shortest_s
    write_histogram(subscriber.hours, HOURS, calls, 0, &values[13])
    write_histogram(subscriber.days, DAYS, calls, 1, &values[16])


cdef void add_each(Subscriber* one, const uint64_t[::1] counterparts, const uint8_t[::1] outgoing,
                   const double[::1] durations_s, const int64_t[::1] times_s) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(counterparts.shape[0]):
        subscriber_add(one, counterparts[i], outgoing[i], durations_s[i], times_s[i])


cdef class SubscriberProfile:
    """SubscriberProfile(): the statistics of one subscriber, SIZE_BYTES of memory whatever it does."""
    cdef Subscriber one

    def add(self, counterparts, outgoing, durations_s, times_s):
        """Takes finished calls in their order.

        counterparts: uint64 [n], uniform hashes. outgoing: bool [n]. durations_s: float64 [n], seconds, below 0 or NaN
        taken for 0. times_s: int64 [n], local time, seconds since the Unix epoch.
        Raises ValueError on another shape, TypeError on another dtype.
        """
        arrays = [np.ascontiguousarray(a) for a in (counterparts, outgoing, durations_s, times_s)]
        if [a.dtype for a in arrays] != [np.uint64, np.bool_, np.float64, np.int64]:
            raise TypeError(f"expected uint64, bool, float64 and int64, got {', '.join(str(a.dtype) for a in arrays)}")
        if arrays[0].ndim != 1 or any(a.shape != arrays[0].shape for a in arrays):
            raise ValueError("expected four arrays [n] of one length")
        add_each(&self.one, arrays[0], arrays[1].view(np.uint8), arrays[2], arrays[3])

    def fade(self):
        """Halves what was seen: for each half-life that passes."""
        subscriber_fade(&self.one)

    def statistics(self):
        """float64 [len(COLUMNS)] in the order of COLUMNS (kernels/reference_subscriber.py); NaN: not known."""
        values = np.empty(STATISTICS, np.float64)
        cdef double[::1] view = values
        subscriber_statistics(&self.one, &view[0])
        return values
