# cython: language_level=3
"""What calls do to the groups they belong to, and the features of groups."""
from libc.math cimport exp2f, fabsf
from libc.stdint cimport int64_t, uint64_t

from kernels.behaviour cimport is_not_found
from kernels.calls cimport CALL_CANCELLED, CALL_COMPLETED, Call
from kernels.decay cimport HALF_LIFE_HOUR_S, decay_scale
from kernels.features cimport *
from kernels.parties cimport is_successor, is_unanswered
from kernels.recordings cimport is_recording
from kernels.rows cimport MOST_EVENTS, MOST_SECONDS, clipped, seconds_between, shrunk
from kernels.spellings cimport MANY_SPELLINGS
from kernels.voice cimport VOICE_CALLER

cdef extern from *:
    """
    /* As for a caller, kernels/profiles.pyx, and for a callee, kernels/callee.pyx. */
    #define SW_GROUP_SHORT_S 10.0
    #define SW_GROUP_ONE_RING_S 6.0
    /* Nobody lets strangers talk so long; who was drawn in by one does. */
    #define SW_GROUP_LONG_S 120.0
    /* No hand is quicker at a telephone. */
    #define SW_GROUP_UNRUNG_S 1.0
    /* Too quick for most hands, and too soon over for most talks: who hears nothing hangs up. */
    #define SW_GROUP_HASTY_RING_S 2.0
    #define SW_GROUP_HASTY_TALK_S 30.0
    /* Two calls last the same when no more than this share, or half a second, is between them: a recording. */
    #define SW_GROUP_SAME_RATIO 0.02f
    #define SW_GROUP_SAME_S 0.5f
    /* Priors: shares of events, seconds. */
    #define SW_GROUP_REPLIED_RATIO 0.9f
    #define SW_GROUP_ANSWER_RATIO 0.6f
    #define SW_GROUP_CANCEL_RATIO 0.15f
    #define SW_GROUP_ONE_RING_RATIO 0.03f
    #define SW_GROUP_NOT_FOUND_RATIO 0.02f
    #define SW_GROUP_SHORT_RATIO 0.1f
    #define SW_GROUP_LONG_RATIO 0.2f
    #define SW_GROUP_TALK_S 90.0f
    #define SW_GROUP_UNRUNG_RATIO 0.05f
    #define SW_GROUP_DIFFERING_DIGITS 9.0f
    #define SW_GROUP_REPEATED_RATIO 0.1f
    #define SW_GROUP_ONE_SIDED_RATIO 0.02f
    #define SW_GROUP_HASTY_RATIO 0.03f
    #define SW_GROUP_RECORDED_RATIO 0.02f
    """
    const double SHORT_CALL_S "SW_GROUP_SHORT_S"
    const double ONE_RING_S "SW_GROUP_ONE_RING_S"
    const double LONG_CALL_S "SW_GROUP_LONG_S"
    const double UNRUNG_S "SW_GROUP_UNRUNG_S"
    const double HASTY_RING_S "SW_GROUP_HASTY_RING_S"
    const double HASTY_TALK_S "SW_GROUP_HASTY_TALK_S"
    const float SAME_RATIO "SW_GROUP_SAME_RATIO"
    const float SAME_S "SW_GROUP_SAME_S"
    const float USUAL_REPLIED_RATIO "SW_GROUP_REPLIED_RATIO"
    const float USUAL_ANSWER_RATIO "SW_GROUP_ANSWER_RATIO"
    const float USUAL_CANCEL_RATIO "SW_GROUP_CANCEL_RATIO"
    const float USUAL_ONE_RING_RATIO "SW_GROUP_ONE_RING_RATIO"
    const float USUAL_NOT_FOUND_RATIO "SW_GROUP_NOT_FOUND_RATIO"
    const float USUAL_SHORT_RATIO "SW_GROUP_SHORT_RATIO"
    const float USUAL_LONG_RATIO "SW_GROUP_LONG_RATIO"
    const float USUAL_TALK_S "SW_GROUP_TALK_S"
    const float USUAL_UNRUNG_RATIO "SW_GROUP_UNRUNG_RATIO"
    const float USUAL_DIFFERING_DIGITS "SW_GROUP_DIFFERING_DIGITS"
    const float USUAL_REPEATED_RATIO "SW_GROUP_REPEATED_RATIO"
    const float USUAL_ONE_SIDED_RATIO "SW_GROUP_ONE_SIDED_RATIO"
    const float USUAL_HASTY_RATIO "SW_GROUP_HASTY_RATIO"
    const float USUAL_RECORDED_RATIO "SW_GROUP_RECORDED_RATIO"

GROUP_BYTES = sizeof(Group)


cdef inline float left_of(const Group* group, int64_t now_ns) noexcept nogil:
    if now_ns <= group.updated_ns:
        return 1.0
    return exp2f(<float>(-seconds_between(group.updated_ns, now_ns) / HALF_LIFE_HOUR_S))


cdef inline void bring_up(Group* group, int64_t now_ns) noexcept nogil:
    if now_ns > group.updated_ns:
        decay_scale(group.counts, GROUP_COUNTERS, left_of(group, now_ns))
        group.updated_ns = now_ns


cdef void group_attempt(Group* group, const Call* call, uint64_t number, int64_t now_ns) noexcept nogil:
    bring_up(group, now_ns)
    group.counts[GROUP_CALLS] += 1.0
    if call.differing_digits:
        group.counts[GROUP_COMPARED] += 1.0
        group.counts[GROUP_DIFFERING] += call.differing_digits
    group.counts[GROUP_SUCCESSORS] += is_successor(number, group.last_number)
    group.counts[GROUP_RESPELLED] += call.spellings >= MANY_SPELLINGS
    group.last_number = number


cdef void group_reply(Group* group, int64_t now_ns) noexcept nogil:
    bring_up(group, now_ns)
    group.counts[GROUP_REPLIED] += 1.0


cdef inline bint picked_up_within(const Call* call, double most_s) noexcept nogil:
    """From the first ringing, or without any. An answer that only its ACK tells of says nothing of ringing: its
    responses are not in the mirror."""
    if call.ringing_ns:
        return seconds_between(call.ringing_ns, call.answer_ns) < most_s
    return call.status_code != 0


cdef void group_answer(Group* group, const Call* call, int64_t now_ns) noexcept nogil:
    bring_up(group, now_ns)
    group.counts[GROUP_SETTLED] += 1.0
    group.counts[GROUP_ANSWERED] += 1.0
    group.counts[GROUP_UNRUNG] += picked_up_within(call, UNRUNG_S)


cdef void note_duration(Group* group, float lasted_s) noexcept nogil:
    cdef float same_s = max(SAME_S, lasted_s * SAME_RATIO)
    cdef bint repeated = False
    cdef int i
    for i in range(GROUP_DURATIONS):
        if group.durations[i] > 0 and fabsf(group.durations[i] - lasted_s) <= same_s:
            repeated = True
    group.counts[GROUP_REPEATED] += repeated
    group.durations[group.next_duration % GROUP_DURATIONS] = lasted_s
    group.next_duration = (group.next_duration + 1) % GROUP_DURATIONS


cdef void group_end(Group* group, const Call* call, int64_t now_ns) noexcept nogil:
    cdef double lasted_s
    bring_up(group, now_ns)
    if call.voice.caller_sound:
        group.counts[GROUP_SOUNDS] += 1.0
        group.counts[GROUP_RECORDED] += is_recording(call.recording_callees)
    if call.voice.callee_sound:
        group.counts[GROUP_ANSWER_SOUNDS] += 1.0
        group.counts[GROUP_ANSWER_RECORDED] += is_recording(call.answer_recording_callees)
    if call.answer_ns:
        if call.voice.heard:
            group.counts[GROUP_HEARD] += 1.0
            group.counts[GROUP_ONE_SIDED] += call.voice.heard == VOICE_CALLER
        if call.state == CALL_COMPLETED:
            lasted_s = clipped(seconds_between(call.answer_ns, call.end_ns), MOST_SECONDS)
            group.counts[GROUP_COMPLETED] += 1.0
            group.counts[GROUP_TALK_S] += <float>lasted_s
            group.counts[GROUP_SHORT] += lasted_s < SHORT_CALL_S
            group.counts[GROUP_LONG] += lasted_s >= LONG_CALL_S
            group.counts[GROUP_HASTY] += lasted_s < HASTY_TALK_S and picked_up_within(call, HASTY_RING_S)
            note_duration(group, <float>lasted_s)
        return
    if not is_unanswered(call):
        return
    group.counts[GROUP_SETTLED] += 1.0
    if call.state == CALL_CANCELLED:
        group.counts[GROUP_CANCELLED] += 1.0
        group.counts[GROUP_ONE_RING] += (
            call.ringing_ns != 0 and seconds_between(call.ringing_ns, call.end_ns) < ONE_RING_S)
    elif is_not_found(call.status_code):
        group.counts[GROUP_NOT_FOUND] += 1.0


# -- rows -----------------------------------------------------------------------------------------------------

cdef inline float share(const Group* group, int part, int whole, float left, float usual) noexcept nogil:
    return shrunk(group.counts[part] * left, group.counts[whole] * left, usual)


cdef void source_group_features(const Group* all, const Group* newcomers, int64_t now_ns, float* row) noexcept nogil:
    cdef float left = left_of(all, now_ns)
    row[SOURCE_ANSWERED_RATIO] = share(all, GROUP_ANSWERED, GROUP_SETTLED, left, USUAL_ANSWER_RATIO)
    row[SOURCE_CANCELLED_RATIO] = share(all, GROUP_CANCELLED, GROUP_SETTLED, left, USUAL_CANCEL_RATIO)
    row[SOURCE_ONE_RING_RATIO] = share(all, GROUP_ONE_RING, GROUP_SETTLED, left, USUAL_ONE_RING_RATIO)
    row[SOURCE_VACANT_RATIO] = share(all, GROUP_NOT_FOUND, GROUP_SETTLED, left, USUAL_NOT_FOUND_RATIO)
    row[SOURCE_SHORT_RATIO] = share(all, GROUP_SHORT, GROUP_COMPLETED, left, USUAL_SHORT_RATIO)
    row[SOURCE_LONG_RATIO] = share(all, GROUP_LONG, GROUP_COMPLETED, left, USUAL_LONG_RATIO)
    row[SOURCE_TALK_MEAN_S] = share(all, GROUP_TALK_S, GROUP_COMPLETED, left, USUAL_TALK_S)
    row[SOURCE_REPEATED_RATIO] = share(all, GROUP_REPEATED, GROUP_COMPLETED, left, USUAL_REPEATED_RATIO)
    row[SOURCE_SUCCESSOR_RATIO] = share(all, GROUP_SUCCESSORS, GROUP_CALLS, left, 0.0)
    row[SOURCE_DIFFERING_DIGITS] = share(all, GROUP_DIFFERING, GROUP_COMPARED, left, USUAL_DIFFERING_DIGITS)
    # A call has faded some when it is replied to: the share of what is left can come to more than all.
    row[SOURCE_CALLS_REPLIED_RATIO] = clipped(share(all, GROUP_REPLIED, GROUP_CALLS, left, USUAL_REPLIED_RATIO), 1.0)
    row[SOURCE_RESPELLED_RATIO] = share(all, GROUP_RESPELLED, GROUP_CALLS, left, 0.0)
    row[SOURCE_RECORDED_RATIO] = share(all, GROUP_RECORDED, GROUP_SOUNDS, left, USUAL_RECORDED_RATIO)
    row[NEWCOMER_RATIO] = shrunk(
        newcomers.counts[GROUP_CALLS] * left_of(newcomers, now_ns), all.counts[GROUP_CALLS] * left, 0.5)
    left = left_of(newcomers, now_ns)
    row[NEWCOMER_CALLS_HOUR] = clipped(newcomers.counts[GROUP_CALLS] * left, MOST_EVENTS)
    row[NEWCOMER_ANSWERED_RATIO] = share(newcomers, GROUP_ANSWERED, GROUP_SETTLED, left, USUAL_ANSWER_RATIO)
    row[NEWCOMER_ONE_RING_RATIO] = share(newcomers, GROUP_ONE_RING, GROUP_SETTLED, left, USUAL_ONE_RING_RATIO)
    row[NEWCOMER_SHORT_RATIO] = share(newcomers, GROUP_SHORT, GROUP_COMPLETED, left, USUAL_SHORT_RATIO)
    row[NEWCOMER_TALK_MEAN_S] = share(newcomers, GROUP_TALK_S, GROUP_COMPLETED, left, USUAL_TALK_S)
    row[NEWCOMER_DIFFERING_DIGITS] = share(newcomers, GROUP_DIFFERING, GROUP_COMPARED, left, USUAL_DIFFERING_DIGITS)


cdef void route_features(const Group* route, int64_t now_ns, float* row) noexcept nogil:
    cdef float left = left_of(route, now_ns)
    row[ROUTE_CALLS_HOUR] = clipped(route.counts[GROUP_CALLS] * left, MOST_EVENTS)
    row[ROUTE_ANSWERED_RATIO] = share(route, GROUP_ANSWERED, GROUP_SETTLED, left, USUAL_ANSWER_RATIO)
    row[ROUTE_SHORT_RATIO] = share(route, GROUP_SHORT, GROUP_COMPLETED, left, USUAL_SHORT_RATIO)
    row[ROUTE_TALK_MEAN_S] = share(route, GROUP_TALK_S, GROUP_COMPLETED, left, USUAL_TALK_S)
    row[ROUTE_REPEATED_RATIO] = share(route, GROUP_REPEATED, GROUP_COMPLETED, left, USUAL_REPEATED_RATIO)
    row[ROUTE_UNRUNG_RATIO] = share(route, GROUP_UNRUNG, GROUP_ANSWERED, left, USUAL_UNRUNG_RATIO)
    row[ROUTE_ONE_SIDED_RATIO] = share(route, GROUP_ONE_SIDED, GROUP_HEARD, left, USUAL_ONE_SIDED_RATIO)
    # An answer has faded some when its call ends: the share of what is left can come to more than all.
    row[ROUTE_HASTY_RATIO] = clipped(share(route, GROUP_HASTY, GROUP_ANSWERED, left, USUAL_HASTY_RATIO), 1.0)
    row[ROUTE_RECORDED_RATIO] = share(
        route, GROUP_ANSWER_RECORDED, GROUP_ANSWER_SOUNDS, left, USUAL_RECORDED_RATIO)
