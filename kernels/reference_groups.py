"""Twins of what calls have in common: groups, crowds, bindings; see kernels/reference.py."""

from collections import defaultdict

import numpy as np

from kernels.reference_behaviour import CANCELLED, COMPLETED, FAILED, HOUR_NS, HOUR_S, REJECTED
from kernels.reference_signalling import block

NOT_FOUND = (404, 410, 484, 604)
NEWCOMER_CALLS = 3
ONE_RING_S, SHORT_S, LONG_S, UNRUNG_S = 6.0, 10.0, 120.0, 1.0
HASTY_RING_S, HASTY_TALK_S = 2.0, 30.0
KEPT_DURATIONS = 4
TAIL_DIGITS, SPELLED_NUMBERS, MOST_SPELLINGS, MANY_SPELLINGS = 8, 8, 8, 4
ACCOUNT_DIGITS, BLOCK_DIGITS = 2, 4
CALLER_ONLY = 2
DECIMAL = 1
BINDING_NS = 2 * 3600 * 10**9
RECORDED = 2.5
RECORDING_FEATURES = ("recording_callees_day", "recording_callers_day", "answer_recording_callees_day")


def differing_digits(a, b):
    """Of the longer number, behind those with which both begin."""
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return max(len(a), len(b)) - same


def group_attempt(history, call):
    number, now = int(call["callee_e164"]), call["invite_ns"]
    step = abs(number - history.numbers[-1]) if history.numbers else 0
    history.numbers.append(number)
    differing = differing_digits(call["caller_e164"], call["callee_e164"])
    history.note(now, calls=1, successors=1 <= step <= 10, compared=differing > 0, differing=differing)
    history.note(now, respelled=call["spellings"] >= MANY_SPELLINGS)


def group_reply(history, call):
    history.note(call["reply_ns"], replied=1)


def group_answer(history, call):
    history.note(call["answer_ns"], settled=1, answered=1, unrung=picked_up_within(call, UNRUNG_S))


def picked_up_within(call, most_s):
    if not call["ringing_ns"]:
        return call["status_code"] != 0
    return (call["answer_ns"] - call["ringing_ns"]) * 1e-9 < most_s


def group_end(history, call):
    now = call["end_ns"]
    history.note(now, **heard(call, "caller"), **heard(call, "answer"))
    if call["answer_ns"]:
        if call["heard"]:
            history.note(now, heard=1, one_sided=call["heard"] == CALLER_ONLY)
        if call["state"] == COMPLETED:
            lasted_s = (now - call["answer_ns"]) * 1e-9
            note_duration(history, lasted_s, now)
            history.note(now, hasty=lasted_s < HASTY_TALK_S and picked_up_within(call, HASTY_RING_S))
    elif call["state"] in (CANCELLED, REJECTED, FAILED):
        cancelled = call["state"] == CANCELLED
        rang = call["ringing_ns"] and (now - call["ringing_ns"]) * 1e-9 < ONE_RING_S
        not_found = not cancelled and call["status_code"] in NOT_FOUND
        history.note(now, settled=1, cancelled=cancelled, one_ring=bool(cancelled and rang), not_found=not_found)


def note_duration(history, lasted_s, now):
    before = [amount for _, name, amount in history.events if name == "talk_s"][-KEPT_DURATIONS:]
    same_s = max(0.5, 0.02 * lasted_s)
    history.note(now, completed=1, short=lasted_s < SHORT_S, long=lasted_s >= LONG_S, talk_s=lasted_s)
    history.note(now, repeated=any(one > 0 and abs(one - lasted_s) <= same_s for one in before))


def source_row(every, newcomers, now):
    """The part of a call row that the groups of its source give, by feature name."""
    new, calls = newcomers.sum("calls", now, HOUR_S), every.sum("calls", now, HOUR_S)
    return {
        "source_answered_ratio": every.share("answered", "settled", now, HOUR_S, 0.6),
        "source_cancelled_ratio": every.share("cancelled", "settled", now, HOUR_S, 0.15),
        "source_one_ring_ratio": every.share("one_ring", "settled", now, HOUR_S, 0.03),
        "source_vacant_ratio": every.share("not_found", "settled", now, HOUR_S, 0.02),
        "source_short_ratio": every.share("short", "completed", now, HOUR_S, 0.1),
        "source_long_ratio": every.share("long", "completed", now, HOUR_S, 0.2),
        "source_talk_mean_s": every.share("talk_s", "completed", now, HOUR_S, 90.0),
        "source_repeated_ratio": every.share("repeated", "completed", now, HOUR_S, 0.1),
        "source_successor_ratio": every.share("successors", "calls", now, HOUR_S, 0.0),
        "source_differing_digits": every.share("differing", "compared", now, HOUR_S, 9.0),
        "source_recorded_ratio": every.share("recorded", "sounds", now, HOUR_S, 0.02),
        "source_respelled_ratio": every.share("respelled", "calls", now, HOUR_S, 0.0),
        "source_calls_replied_ratio": min(1.0, every.share("replied", "calls", now, HOUR_S, 0.9)),
        "newcomer_ratio": (new + 1) / (calls + 2),
        "newcomer_calls_hour": new,
        "newcomer_answered_ratio": newcomers.share("answered", "settled", now, HOUR_S, 0.6),
        "newcomer_one_ring_ratio": newcomers.share("one_ring", "settled", now, HOUR_S, 0.03),
        "newcomer_short_ratio": newcomers.share("short", "completed", now, HOUR_S, 0.1),
        "newcomer_talk_mean_s": newcomers.share("talk_s", "completed", now, HOUR_S, 90.0),
        "newcomer_differing_digits": newcomers.share("differing", "compared", now, HOUR_S, 9.0),
    }


def route_row(route, now):
    """The part of a call row that its route gives, by feature name."""
    return {
        "route_calls_hour": route.sum("calls", now, HOUR_S),
        "route_answered_ratio": route.share("answered", "settled", now, HOUR_S, 0.6),
        "route_short_ratio": route.share("short", "completed", now, HOUR_S, 0.1),
        "route_talk_mean_s": route.share("talk_s", "completed", now, HOUR_S, 90.0),
        "route_repeated_ratio": route.share("repeated", "completed", now, HOUR_S, 0.1),
        "route_unrung_ratio": route.share("unrung", "answered", now, HOUR_S, 0.05),
        "route_one_sided_ratio": route.share("one_sided", "heard", now, HOUR_S, 0.02),
        "route_recorded_ratio": route.share("answer_recorded", "answer_sounds", now, HOUR_S, 0.02),
        "route_hasty_ratio": min(1.0, route.share("hasty", "answered", now, HOUR_S, 0.03)),
    }


def voice_row(call, stage):
    """The part of a call row that tells of its answer and its end, by feature name."""
    row = {"answer_tag_decimal": float(call["answer_tag"] == DECIMAL)} if stage and call["answer_tag"] else {}
    if stage < 2 or not call["answer_ns"] or not call["end_ns"]:
        return row
    if call["hung_up"]:
        row["callee_hung_up"] = float(call["hung_up"] == 2)
    if call["heard"]:
        row["one_sided"] = float(call["heard"] == CALLER_ONLY)
    if call["callee_voice_ns"]:
        row["callee_voice_delay_s"] = max(0.0, (call["callee_voice_ns"] - call["answer_ns"]) * 1e-9)
    row |= {name: call[name] for name in RECORDING_FEATURES}
    return row


def heard(call, side):
    """What a side's sound adds to a history at the end of its call."""
    if side == "caller":
        return {"sounds": call["caller_sound"] > 0, "recorded": call["recording_callees_day"] >= RECORDED}
    recorded = call["answer_recording_callees_day"] >= RECORDED
    return {"answer_sounds": call["callee_sound"] > 0, "answer_recorded": recorded}


class Recordings:
    """Who heard, played, or answered with each sound. None is given up."""

    def __init__(self, history):
        self.crowds = defaultdict(history)

    def note(self, kind, sound, member, now):
        """How many members a sound has had; NaN without one."""
        if not sound:
            return np.nan
        crowd = self.crowds[kind, sound]
        crowd.keys.append((now, kind, member))
        return crowd.distinct(kind, 12 * HOUR_NS, now)

    def end(self, call):
        """What a call keeps of its sounds, by feature name."""
        now, played, answered = call["end_ns"], call["caller_sound"], call["callee_sound"]
        noted = (
            self.note("to", played, call["callee_key"], now),
            self.note("by", played, call["caller_key"], now),
            self.note("answered", answered, call["callee_key"], now),
        )
        return dict(zip(RECORDING_FEATURES, noted, strict=True))


class Spellings:
    """In how many ways an address has dialled its latest numbers: [(tail, prefixes)], the latest last."""

    def __init__(self):
        self.latest = []

    def note(self, dialled):
        """How many of the number dialled, at most MOST_SPELLINGS."""
        prefix, tail = dialled[:-TAIL_DIGITS], dialled[-TAIL_DIGITS:]
        if len(tail) < TAIL_DIGITS or not tail.isdigit():
            return 0
        forms = next((forms for known, forms in self.latest if known == tail), set())
        self.latest = [one for one in self.latest if one[0] != tail][1 - SPELLED_NUMBERS :]
        self.latest.append((tail, forms | {prefix}))
        return min(len(forms | {prefix}), MOST_SPELLINGS)


class Groups:
    """All groups: of each address the calls and those of newcomers, of each route the calls."""

    def __init__(self, history):
        self.every, self.newcomers, self.routes = (defaultdict(history) for _ in range(3))

    def on(self, event, call, address, route, newcomer):
        """An event of a call; `newcomer` None: its setup was not seen."""
        if newcomer is None:
            return
        event(self.every[address], call)
        event(self.routes[route], call)
        if newcomer:
            event(self.newcomers[address], call)

    def row(self, address, route, now):
        return source_row(self.every[address], self.newcomers[address], now) | route_row(self.routes[route], now)


class Accounts:
    """What is shown and called under a number that is asserted for others, and what is asserted for one number."""

    def __init__(self):
        self.shown, self.called, self.asserted = defaultdict(set), defaultdict(set), defaultdict(set)

    def row(self, source, asserted, shown, callee):
        """The part of the row of a call that asserts another number than it shows, by feature name, in one half day."""
        account = source, block(asserted, ACCOUNT_DIGITS)
        self.shown[account].add(block(shown, BLOCK_DIGITS))
        self.called[account].add(callee)
        self.asserted[source, shown].add(account)
        return {
            "asserted_blocks_day": min(len(self.shown[account]), len(self.called[account])),
            "shown_accounts_day": len(self.asserted[source, shown]),
        }


class Bindings:
    """From where each user was registered last."""

    def __init__(self):
        self.latest = {}

    def note(self, user, address, now):
        self.latest[user] = address, now

    def find(self, user, address, now):
        """One of kernels.bindings.BOUND_NAMES."""
        if user not in self.latest or now - self.latest[user][1] > BINDING_NS:
            return "unknown"
        return "here" if self.latest[user][0] == address else "elsewhere"


def crowd_counts(keys, members, times_ns, distinct_count, window_ns):
    """How many members each key has had after each note; see kernels/crowds.pyx. None is given up.

    `distinct_count`: the twin of the sketch."""
    notes, out = {}, []
    for key, member, time in zip(keys, members, times_ns, strict=True):
        notes.setdefault(int(key), []).append((member, time))
        seen, times = zip(*notes[int(key)], strict=True)
        out.append(distinct_count(seen, times, window_ns, time))
    return np.array(out)
