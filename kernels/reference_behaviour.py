"""Twins of the smaller kernels of behaviour, and of the rows of callees and registrations; see kernels/reference.py."""

import numpy as np

from kernels.feature import MOST_EVIDENCE

HOUR_S, DAY_S = 3600.0, 86400.0
HOUR_NS = 3600 * 10**9
HALF_HOUR_NS = HOUR_NS // 2
BINS, MEMORY, LEAST_EVENTS = 24, 128, 4
ENTRIES = 8
COUNT_FLOOR = np.float32(1e-12)
PAIR_TICKS = 20117
PAUSE_TICKS, MOST_RUN = 70, 63
PENDING = 16
MINUTE_S = 60.0
ONE_RING_S = 6.0
COMPLETED, CANCELLED, REJECTED, FAILED = 3, 4, 5, 6
REGISTER, OPTIONS = 5, 6


def hash_mix(a, b):
    """The hash of two 64-bit values; see capture/hashing.pxd."""
    product = (a ^ 0xA0761D6478BD642F) * (b ^ 0xE7037ED1A0B428DB)
    return (product ^ (product >> 64)) & (2**64 - 1)


def entropy(bins):
    """Miller and Madow's entropy in bits of events in bins, which were halved whenever there were 128."""
    counts = np.zeros(BINS, np.int64)
    for at in bins:
        counts[at] += 1
        if counts.sum() == MEMORY:
            counts //= 2
    n = counts.sum()
    if n < LEAST_EVENTS:
        return np.nan
    shares = counts[counts > 0] / n
    bits = -np.sum(shares * np.log2(shares)) + (len(shares) - 1) / (2 * n * np.log(2))
    return min(max(bits, 0.0), np.log2(BINS))


def entropies(bins):
    """The running entropy; see kernels/entropy.pyx."""
    return np.array([entropy(bins[: i + 1]) for i in range(len(bins))])


def heavy_hitters(keys, times_ns, half_life_s):
    """Space-Saving with decay, in single precision; see kernels/heavy.pyx."""
    entries = [[0, np.float32(0), np.float32(0)] for _ in range(ENTRIES)]  # key, count, error
    total, updated, out = np.float32(0), 0, []

    def faded(amount, left):
        return amount * left if amount * left >= COUNT_FLOOR else np.float32(0)

    for key, time in zip(keys.tolist(), times_ns.tolist(), strict=True):
        if time > updated:
            left = np.float32(np.exp2(-(time - updated) * 1e-9 / half_life_s))
            entries = [[k, faded(count, left), faded(error, left)] for k, count, error in entries]
            total, updated = faded(total, left), time
        entry = next((entry for entry in entries if entry[0] == key), None)
        if entry is None:
            entry = min(entries, key=lambda entry: entry[1])
            entry[0], entry[2] = key, entry[1]
        entry[1] += np.float32(1)
        total += np.float32(1)
        out.append((entry[1] - entry[2], max(count - error for _, count, error in entries), total))
    return np.array(out, np.float64).reshape(-1, 3)


def call_backs(callers, callees, times_ns):
    """Which calls go to someone who had called the caller within a day; see kernels/pairs.pyx. Nothing is given up."""
    latest, out = {}, []
    for caller, callee, time in zip(callers.tolist(), callees.tolist(), times_ns.tolist(), strict=True):
        tick = time >> 32
        out.append((callee, caller) in latest and tick - latest[callee, caller] <= PAIR_TICKS)
        latest[caller, callee] = tick
    return np.array(out, bool)


def population_stability(expected, observed):
    """The index of each row of counts; see kernels/drift.pyx."""
    p = (expected + 0.5) / (expected + 0.5).sum(axis=1, keepdims=True)
    q = (observed + 0.5) / (observed + 0.5).sum(axis=1, keepdims=True)
    return np.sum((q - p) * np.log(q / p), axis=1)


def drift_counts(knots, rows):
    """Histograms of rows: below, between, from the last knot on, NaN; see kernels/drift.pyx."""
    counts = np.zeros((knots.shape[0], knots.shape[1] + 2))
    for feature, values in enumerate(rows.T):
        bins = np.where(np.isnan(values), knots.shape[1] + 1, np.searchsorted(knots[feature], values, side="right"))
        np.add.at(counts[feature], bins, 1)
    return counts


class Reciprocity:
    """Who called whom: [tick, answered, returned, run] of the latest call of each pair."""

    def __init__(self):
        self.pairs = {}

    def call(self, caller, callee, now, callers):
        """Notes a call; the class of `call_back`. `callers`: the histories of callers, by key."""
        if caller == callee:
            return 0
        found = 0
        earlier = self.pairs.get((callee, caller))
        if earlier is not None and (now >> 32) - earlier[0] <= PAIR_TICKS:
            found = 1 if earlier[1] else 2
            callers[caller].note(now, replies=1)
            if not earlier[2]:
                earlier[2] = True
                callers[callee].note(now, returned=1)
        self.pairs[caller, callee] = [now >> 32, False, False, self.run(caller, callee, now)]
        return found

    def row(self, caller, callee, now, callers):
        """Notes a call; what it leaves in its row, by feature name."""
        earlier = {"call_again": self.latest(caller, callee, now), "call_run": self.run(caller, callee, now)}
        return earlier | {"call_back": self.call(caller, callee, now, callers)}

    def run(self, caller, callee, now):
        """Which call of a run one now would be."""
        earlier = self.pairs.get((caller, callee))
        if caller == callee or earlier is None or (now >> 32) - earlier[0] > PAUSE_TICKS:
            return 1
        return min(earlier[3] + 1, MOST_RUN)

    def latest(self, caller, callee, now):
        """The class of `call_again`."""
        earlier = self.pairs.get((caller, callee))
        if caller == callee or earlier is None or (now >> 32) - earlier[0] > PAIR_TICKS:
            return 0
        return 1 if earlier[1] else 2

    def answer(self, caller, callee, now):
        pair = self.pairs.get((caller, callee))
        if pair is not None and (now >> 32) - pair[0] <= PAIR_TICKS:
            pair[1] = True


def callee_end(history, call):
    """What the end of a call adds to the number called."""
    end = call["end_ns"]
    if call["answer_ns"]:
        if call["state"] == COMPLETED:
            history.note(end, completed=1, talk_s=(end - call["answer_ns"]) * 1e-9)
    elif call["state"] in (CANCELLED, REJECTED, FAILED):
        cancelled = call["state"] == CANCELLED
        rang = call["ringing_ns"] and (end - call["ringing_ns"]) * 1e-9 < ONE_RING_S
        history.note(end, settled=1, cancelled=cancelled, one_ring=bool(cancelled and rang))


def callee_row(history, open_calls, now):
    """The callee's part of a call row, by feature name."""
    return {
        "callee_calls_minute": history.sum("calls", now, 60.0),
        "callee_calls_hour": history.sum("calls", now, HOUR_S),
        "callee_calls_day": history.sum("calls", now, DAY_S),
        "callee_evidence": min(len(history.times), MOST_EVIDENCE),
        "callee_callers_hour": history.distinct("callers", HALF_HOUR_NS, now),
        "callee_callers_ratio": history.distinct_ratio("callers", now),
        "callee_answer_ratio_day": history.share("answered", "settled", now, DAY_S, 0.6),
        "callee_cancel_ratio_day": history.share("cancelled", "settled", now, DAY_S, 0.15),
        "callee_one_ring_ratio_day": history.share("one_ring", "settled", now, DAY_S, 0.03),
        "callee_duration_mean_s": history.share("talk_s", "completed", now, DAY_S, 90.0),
        "callee_concurrency": open_calls,
    }


def habit_row(history, now):
    """What a caller's row says of call-backs and of entropies, by feature name."""
    ranges = [number // 10000 for number in history.numbers if number >= 1000000]
    return {
        "caller_reply_ratio": history.share("replies", "calls", now, DAY_S, 0.1),
        "caller_called_back_ratio": min(1.0, history.share("returned", "calls", now, DAY_S, 0.1)),
        "caller_hour_entropy": entropy([time // HOUR_NS % BINS for time in history.times]),
        "caller_range_entropy": entropy([hash_mix(block, 0) % BINS for block in ranges]),
    }


def call_source_row(history, open_calls, now):
    """What a call row says of its source's calls, by feature name. Never more than eight ranges in use."""
    amounts = [history.sum(name, now, HOUR_S) for name in {name for _, name, _ in history.events} if type(name) is int]
    return {
        "source_calls_hour": history.sum("calls", now, HOUR_S),
        "source_callers_ratio": history.distinct_ratio("callers", now),
        "source_numbers_day": history.distinct("callers", 12 * HOUR_NS, now),
        "source_fan_out_ratio": history.distinct_ratio("callees", now),
        "source_top_range_ratio": (max(amounts, default=0.0) + 2 * 0.2) / (sum(amounts) + 2),
        "source_high_cost_ratio": history.share("high_cost", "calls", now, HOUR_S, 0.0),
        "source_concurrency": open_calls,
        "source_seen": min(len(history.times), MOST_EVIDENCE),
        "source_registrations_day": history.sum("registered", now, DAY_S),
    }


def amount(times, now, half_life_s):
    """The decayed count of events at these times."""
    return sum(2.0 ** (-(now - time) * 1e-9 / half_life_s) for time in times)


class Passwords:
    """The passwords that one source tried: which were wrong. Never more than eight users fail at a time."""

    def __init__(self):
        self.asked, self.waiting, self.failures, self.recent = 0, {}, {}, {}

    def ask(self, transaction, credentials):
        if credentials:
            self.waiting[transaction] = self.asked
            self.asked += 1

    def answer(self, history, user, transaction, status, stale, now):
        """Whether a password was wrong."""
        waited = self.awaited(transaction)
        if status < 300:
            self.right(history, user, now)
        elif status in (401, 403, 407) and not stale and waited:
            self.wrong(history, user, now)
            return True
        return False

    def answer_invite(self, history, user, transaction, status, stale, now):
        """The same of an INVITE, which other refusals say nothing of."""
        if status <= 100 or not self.awaited(transaction):
            return False
        if status < 300:
            self.right(history, user, now)
        elif status in (401, 407) and not stale:
            self.wrong(history, user, now)
            return True
        return False

    def awaited(self, transaction):
        waited = self.waiting.pop(transaction, None)
        return waited is not None and waited + PENDING >= self.asked

    def right(self, history, user, now):
        tries = amount(self.failures.pop(user, []), now, DAY_S)
        history.note(now, guessed=tries >= 2.5, guessed_tries=tries * (tries >= 2.5))
        if tries < 2.5:
            self.recent.pop(user, None)

    def wrong(self, history, user, now):
        self.failures.setdefault(user, []).append(now)
        self.recent.setdefault(user, []).append(now)
        history.keys.append((now, "failing_users", user))

    def row(self, history, now):
        """The part of a source row that is about registrations, by feature name."""
        amounts = [amount(times, now, DAY_S) for times in self.failures.values()]
        recent = [amount(times, now, MINUTE_S) for times in self.recent.values()]
        refused = history.sum("forbidden", now, DAY_S) + history.sum("not_found", now, DAY_S)
        outside = history.sum("requests", now, HOUR_S) - history.sum("invites", now, HOUR_S)
        return {
            "source_registered_ratio_day": history.share("registered", "register_responses", now, DAY_S, 0.5),
            "source_refused_ratio_day": (refused + 2 * 0.02) / (history.sum("responses", now, DAY_S) + 2),
            "source_credentials_ratio_day": history.share("credentials", "registers", now, DAY_S, 0.5),
            "source_wrong_passwords_day": sum(amounts) + history.sum("guessed_tries", now, DAY_S),
            "source_user_failures_day": max(amounts, default=0.0),
            "source_guessed_day": history.sum("guessed", now, DAY_S),
            "source_guessed_tries_day": history.sum("guessed_tries", now, DAY_S),
            "source_wrong_passwords_minute": sum(recent),
            "source_user_failures_minute": max(recent, default=0.0),
            "source_failing_users_day": history.distinct("failing_users", 12 * HOUR_NS, now),
            "source_granted_day": 0.0,
            "source_targets_day": history.distinct("targets", 12 * HOUR_NS, now),
            "source_open_calls": 0.0,
            "source_failed_bound_day": history.sum("failed_bound", now, DAY_S),
            "source_failed_own_day": history.sum("failed_own", now, DAY_S),
            "source_failed_shared_day": history.sum("failed_shared", now, DAY_S),
            "source_failed_crowd_day": history.sum("failed_crowd", now, DAY_S),
            **anew_row(history, now),
            "source_call_ids_day": history.distinct("call_ids", 12 * HOUR_NS, now),
            "source_call_id_ratio": history.distinct_ratio("call_ids", now),
            "source_probes_day": history.distinct("probes", 12 * HOUR_NS, now),
            "source_probed_users_day": history.distinct("probed_users", 12 * HOUR_NS, now),
            "source_probe_ratio": history.distinct_ratio("probes", now),
            "source_replied_ratio": min(1.0, (history.sum("replies", now, HOUR_S) + 2 * 0.9) / (outside + 2)),
        }


def anew_row(history, now):
    """Of the tries after a user's first, those with another Call-ID, by feature name."""
    users = history.distinct("failing_users", 12 * HOUR_NS, now)
    anew = max(0.0, history.distinct("failing_call_ids", 12 * HOUR_NS, now) - 1.35 * users)
    later = max(0.0, history.seen("failing_call_ids", now) - users)
    return {
        "source_failed_anew_day": anew,
        "source_failed_anew_ratio": (min(anew, later) + 2 * 0.1) / (later + 2),
    }
