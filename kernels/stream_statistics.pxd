# cython: language_level=3
"""The statistics of one RTP stream, packet by packet (RFC 3550 A.1, A.3, A.8)."""
from libc.math cimport fabs
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t

from kernels.media cimport Stream

cdef enum:
    MAX_DROPOUT = 3000              # packets; RFC 3550 A.1: a larger gap is a restart, not loss
    MAX_MISORDER = 100              # packets; RFC 3550 A.1: older is a restart, not reordering
    NO_BAD_SEQUENCE = 0x10001       # RFC 3550 A.1: RTP_SEQ_MOD + 1, which no sequence number is
    SEEN_BITS = 64                  # packets; duplicates and reordering are told apart this far back


cdef inline void statistics_begin(Stream* stream, uint16_t sequence, int64_t time_ns) noexcept nogil:
    """The first packet of a stream, as init_seq of RFC 3550 A.1 with the packet itself counted."""
    stream.packets = 1
    stream.expected = 1
    stream.max_sequence = sequence
    stream.bad_sequence = NO_BAD_SEQUENCE
    stream.seen = 1
    stream.first_ns = time_ns
    stream.last_ns = time_ns


cdef inline bint statistics_sequence(Stream* stream, uint16_t sequence, int64_t time_ns) noexcept nogil:
    """Counts a packet (update_seq of RFC 3550 A.1). False when its sequence number jumped.

    Unlike the RFC's sample, totals survive a restart, and the packet that jumped is counted and expected once:
    the stream is watched from outside, where every packet that was on the wire is to be accounted for.
    """
    cdef uint16_t ahead = <uint16_t>(sequence - stream.max_sequence)
    cdef uint32_t behind
    stream.packets += 1
    stream.last_ns = time_ns
    if 0 < ahead < MAX_DROPOUT:
        stream.expected += ahead
        stream.max_sequence = sequence
        stream.seen = (stream.seen << ahead | 1) if ahead < SEEN_BITS else 1
        return True
    behind = (0x10000 - ahead) & 0xffff
    if behind < MAX_MISORDER:
        if behind < SEEN_BITS and stream.seen >> behind & 1:
            stream.duplicates += 1
        else:
            stream.reordered += 1
            if behind < SEEN_BITS:
                stream.seen |= <uint64_t>1 << behind
        return True
    stream.expected += 1
    if sequence != stream.bad_sequence:
        stream.bad_sequence = <uint16_t>(sequence + 1)
        return False
    stream.max_sequence = sequence          # two in a row from there: the sender has restarted
    stream.bad_sequence = NO_BAD_SEQUENCE
    stream.seen = 3
    stream.restarts += 1
    stream.has_reference = False
    return True


cdef inline void statistics_jitter(Stream* stream, uint32_t timestamp, int64_t time_ns) noexcept nogil:
    """Interarrival jitter (RFC 3550 6.4.1, A.8) from the difference of arrival times and that of timestamps.

    In double precision from nanoseconds, so arrival is not rounded to ticks as in the RFC's sample.
    """
    cdef double difference, jitter_ticks
    if stream.has_reference:
        # `fabs` and not a branch: which sign comes next nobody can foretell
        difference = fabs((time_ns - stream.arrival_ns) * stream.ticks_per_ns
                          - <int32_t>(timestamp - stream.last_timestamp))
        if stream.ticks_per_ns > 0:
            jitter_ticks = stream.jitter_ticks + (difference - stream.jitter_ticks) * 0.0625
            stream.jitter_ticks = jitter_ticks
            stream.jitter_sum_ticks += jitter_ticks
            stream.jitter_max_ticks = max(stream.jitter_max_ticks, jitter_ticks)
            stream.jitter_samples += 1
    stream.arrival_ns = time_ns
    stream.last_timestamp = timestamp
    stream.has_reference = True
