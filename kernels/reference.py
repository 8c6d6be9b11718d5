"""The kernels in plain NumPy and Python: slow, without state, written from the definitions.

Tests hold the compiled kernels to these. Shapes, units and NaN rules are those of the compiled faces of the same name;
nothing here is used when screening.
"""

from collections import Counter, defaultdict

import numpy as np

from kernels import reference_groups, reference_signalling
from kernels.feature import MOST_EVIDENCE, MOST_SECONDS
from kernels.reference_behaviour import (
    Passwords,
    Reciprocity,
    call_source_row,
    callee_end,
    callee_row,
    habit_row,
    hash_mix,
)
from kernels.schema import CALL_FEATURES, SOURCE_FEATURES

HALF_LIVES_S = np.array([60.0, 3600.0, 86400.0])
COUNT_FLOOR = 1e-12
REGISTERS = 64
MAX_RANK = 15
CADENCE_MEMORY = 32
HALF_HOUR_NS = 1800 * 10**9
HALF_DAY_NS = 12 * 3600 * 10**9
REPLY = 0.5  # between setup, 0, and answer, 1
COMPLETED, CANCELLED, REJECTED, FAILED = 3, 4, 5, 6
REGISTER, OPTIONS, INVITE = 5, 6, 1
NOT_FOUND = (404, 410, 484, 604)


def decay(counts, from_ns, to_ns):
    """counts * 2^-(elapsed / half-life); see kernels/decay.pyx."""
    elapsed_s = np.array([max(0, int(to) - int(at)) * 1e-9 for at, to in zip(from_ns, to_ns, strict=True)])
    factors = np.exp2(-elapsed_s[:, None] / HALF_LIVES_S)[:, :, None]
    decayed = counts * factors
    decayed = np.where(decayed >= COUNT_FLOOR, decayed, 0.0)
    return np.where(elapsed_s[:, None, None] > 0, decayed, counts).astype(np.float32)


def rank(key):
    """The position of the first one bit of a key after the 6 bits that choose its register, at most 15."""
    rest = int(key) & ((1 << 58) - 1)
    return min(58 - rest.bit_length() + 1, MAX_RANK)


def estimate(registers):
    """Ertl's estimate of distinct keys from ranks, int [64]."""
    share_empty = np.mean(registers == 0)
    sigma = share_empty
    if share_empty == 1:
        return 0.0
    for k in range(1, 60):
        sigma += share_empty ** (2.0**k) * 2.0 ** (k - 1)
    held = registers[registers > 0]
    return REGISTERS**2 / (2 * np.log(2)) / (REGISTERS * sigma + np.sum(2.0**-held))


def recent_keys(keys, times_ns, window_ns, now_ns):
    """The keys in the present window and the one before: where the windows lie depends on when keys came."""
    start, present, before = None, [], []
    for key, time in [*zip(keys, times_ns, strict=True), (None, now_ns)]:
        age = 0 if start is None else int(time) - start
        if start is None or age >= 2 * window_ns:
            start, present, before = int(time), [], []
        elif age >= window_ns:
            start, present, before = start + window_ns, [], present
        if key is not None:
            present.append(key)
    return before + present


def distinct_count(keys, times_ns, window_ns, now_ns):
    """The estimate of distinct keys in both windows as of `now_ns`."""
    registers = np.zeros(REGISTERS, np.int64)
    for key in recent_keys(keys, times_ns, window_ns, now_ns):
        at = int(key) >> 58
        registers[at] = max(registers[at], rank(key))
    return estimate(registers)


def distinct_counts(keys, times_ns, window_ns):
    """The running estimate; see kernels/distinct.pyx."""
    return np.array(
        [distinct_count(keys[: i + 1], times_ns[: i + 1], window_ns, times_ns[i]) for i in range(len(keys))]
    )


def rhythm(intervals_s):
    """Mean, coefficient of variation and burstiness of all intervals at once.

    Interval i has the weight 1 / min(i, memory) when it comes, and each later one takes its own share from it.
    """
    taken = np.array([x for x in intervals_s if 0 <= x < 1e12], np.float64)
    n = len(taken)
    if n == 0:
        return np.nan, np.nan, np.nan
    shares = 1.0 / np.minimum(np.arange(1, n + 1), CADENCE_MEMORY)
    weights = shares * np.append(np.cumprod((1 - shares)[:0:-1])[::-1], 1.0)
    mean = np.sum(weights * taken)
    if n < 2:
        return mean, np.nan, np.nan
    r = np.sqrt(np.sum(weights * (taken - mean) ** 2)) / mean if mean > 0 else 0.0
    more, less = np.sqrt(min(n, CADENCE_MEMORY) + 1), np.sqrt(min(n, CADENCE_MEMORY) - 1)
    return mean, r, (more * r - less) / ((more - 2) * r + less)


def cadence(intervals_s):
    """The running values; see kernels/cadence.pyx."""
    return np.array([rhythm(intervals_s[: i + 1]) for i in range(len(intervals_s))]).reshape(-1, 3)


def reached(line):
    """Where the knots of a feature are reached: those that are there several times, a little below."""
    places = []
    for knot in line:
        place = knot - abs(knot) * np.float32(2.0**-9) if (line == knot).sum() > 1 else knot
        places.append(max([place, *places[-1:]]))
    return np.array(places, np.float64)


def encode(rows, knots, missing):
    """Codes -128..127; see kernels/encode.pyx."""
    codes = np.empty(rows.shape, np.int8)
    last = knots.shape[1] - 1
    for feature in range(rows.shape[1]):
        x = rows[:, feature].astype(np.float64)
        line = knots[feature].astype(np.float64)
        below = np.searchsorted(reached(knots[feature]), x, side="right") - 1
        inside = (below >= 0) & (below < last)
        left = line[np.clip(below, 0, last)]
        right = line[np.clip(below + 1, 0, last)]
        step = 255 / last
        position = np.where(below < 0, 0.0, 255.0) + 0.5
        beyond = np.maximum(x[inside] - left[inside], 0)  # not negative where a knot was reached from below
        position[inside] = beyond * (step / (right[inside] - left[inside])) + (below[inside] * step + 0.5)
        code = np.floor(position) - 128
        codes[:, feature] = np.where(np.isnan(x), missing[feature], np.nan_to_num(code))
    return codes


def longest_prefix(number, prefixes):
    """The longest of `prefixes` that `number` begins with, or an empty string."""
    return max((p for p in prefixes if number.startswith(p)), key=len, default="")


def shrunk(part, whole, usual):
    return (part + 2 * usual) / (whole + 2)


class History:
    """All that happened to one caller or source: events as (time, name, amount), keys as (time, set, key)."""

    def __init__(self):
        self.events, self.keys, self.times, self.numbers = [], [], [], []

    def note(self, time, **amounts):
        self.events += [(int(time), name, float(amount)) for name, amount in amounts.items()]

    def sum(self, name, now, half_life_s):
        return sum(a * 2.0 ** (-(now - t) * 1e-9 / half_life_s) for t, n, a in self.events if n == name)

    def share(self, part, whole, now, half_life_s, usual):
        return shrunk(self.sum(part, now, half_life_s), self.sum(whole, now, half_life_s), usual)

    def distinct(self, group, window_ns, now):
        taken = [(key, time) for time, name, key in self.keys if name == group]
        return distinct_count([k for k, _ in taken], [t for _, t in taken], window_ns, now)

    def seen(self, group, now):
        """Keys of both half days, repeats too."""
        taken = [(key, time) for time, name, key in self.keys if name == group]
        return len(recent_keys([k for k, _ in taken], [t for _, t in taken], HALF_DAY_NS, now))

    def distinct_ratio(self, group, now):
        seen = self.seen(group, now)
        return shrunk(min(self.distinct(group, HALF_DAY_NS, now), seen), seen, 0.5)

    def rhythm(self):
        return rhythm(np.diff(np.array(self.times, np.int64)) * 1e-9)


def caller_row(history, open_calls, now):
    """The caller's part of a call row, by feature name. `history` may be empty."""
    hour, day = HALF_LIVES_S[1:]
    mean_s, cv, burstiness = history.rhythm()
    return {
        "caller_calls_minute": history.sum("calls", now, 60.0),
        "caller_calls_hour": history.sum("calls", now, hour),
        "caller_calls_day": history.sum("calls", now, day),
        "caller_evidence": min(len(history.times), MOST_EVIDENCE),
        "caller_callees_hour": history.distinct("callees", HALF_HOUR_NS, now),
        "caller_callees_day": history.distinct("callees", HALF_DAY_NS, now),
        "caller_fan_out_ratio": history.distinct_ratio("callees", now),
        "caller_answer_ratio_hour": history.share("answered", "settled", now, hour, 0.6),
        "caller_answer_ratio_day": history.share("answered", "settled", now, day, 0.6),
        "caller_short_ratio_hour": history.share("short", "completed", now, hour, 0.1),
        "caller_short_ratio_day": history.share("short", "completed", now, day, 0.1),
        "caller_cancel_ratio_hour": history.share("cancelled", "settled", now, hour, 0.15),
        "caller_cancel_ratio_day": history.share("cancelled", "settled", now, day, 0.15),
        "caller_busy_ratio_day": history.share("busy", "settled", now, day, 0.05),
        "caller_not_found_ratio_day": history.share("not_found", "settled", now, day, 0.02),
        "caller_cancel_ring_s": history.share("cancel_ring_s", "cancelled", now, day, 20.0),
        "caller_duration_mean_s": history.share("talk_s", "completed", now, day, 90.0),
        "caller_interval_mean_s": np.minimum(mean_s, MOST_SECONDS),
        "caller_interval_cv": cv,
        "caller_burstiness": burstiness,
        "caller_successor_ratio": history.share("successors", "calls", now, day, 0.0),
        "caller_concurrency": open_calls,
        "caller_international_ratio": history.share("international", "located", now, day, 0.05),
        "caller_high_cost_hour": history.sum("high_cost", now, hour),
        "caller_high_cost_ratio": history.share("high_cost", "calls", now, day, 0.0),
        "caller_recorded_ratio_day": history.share("recorded", "sounds", now, day, 0.02),
        "caller_long_ratio_day": history.share("long", "completed", now, day, 0.2),
    }


def call_part(call, stage, price, countries):
    """The call's own part of a call row, for calls with E.164 numbers on both sides."""
    row = {
        "callee_price_class": price,
        "call_international": float(countries[0] != countries[1]),
        "caller_plausible": 1.0,
        "callee_plausible": 1.0,
        "caller_anonymous": 0.0,
        "differing_digits": reference_groups.differing_digits(call["caller_e164"], call["callee_e164"]),
        **reference_groups.voice_row(call, stage),
    }
    if stage >= 1:
        row["post_dial_delay_s"] = (call["progress_ns"] - call["invite_ns"]) * 1e-9 if call["progress_ns"] else np.nan
        for name, since in (("ring_s", "ringing_ns"), ("early_media_s", "early_media_ns")):
            if call[since]:
                row[name] = ((call["answer_ns"] or call["end_ns"]) - call[since]) * 1e-9
    if stage == 2:
        row["cancelled"] = float(call["state"] == CANCELLED)
        if call["answer_ns"]:
            row["duration_s"] = (call["end_ns"] - call["answer_ns"]) * 1e-9
    return row


def caller_end(history, call):
    """What the end of a call adds to its caller."""
    end = call["end_ns"]
    history.note(end, **reference_groups.heard(call, "caller"))
    if call["answer_ns"]:
        if call["state"] == COMPLETED:
            lasted_s = (end - call["answer_ns"]) * 1e-9
            history.note(end, completed=1, talk_s=lasted_s, short=lasted_s < 10, long=lasted_s >= 120)
    elif call["state"] in (CANCELLED, REJECTED, FAILED):
        status = call["status_code"] if call["state"] != CANCELLED else 0
        history.note(end, settled=1, busy=status in (486, 600), not_found=status in NOT_FOUND)
        if call["state"] == CANCELLED:
            history.note(end, cancelled=1, cancel_ring_s=(end - (call["ringing_ns"] or call["invite_ns"])) * 1e-9)


def caller_attempt(history, call, price, countries):
    """What a new call adds to its caller."""
    now, number = call["invite_ns"], int(call["callee_e164"])
    step = abs(number - history.numbers[-1]) if history.numbers else 0
    history.numbers.append(number)
    history.times.append(now)
    history.keys.append((now, "callees", call["callee_key"]))
    abroad = countries[0] != countries[1]
    history.note(now, calls=1, located=1, international=abroad, high_cost=price > 0, successors=1 <= step <= 10)


def source_attempt(history, call, price):
    """What a new call adds to its source; how many numbers of the caller's range it has shown."""
    now, block = call["invite_ns"], ("range", int(call["caller_e164"]) // 10000)
    history.times.append(now)
    history.keys.append((now, "callers", call["caller_key"]))
    history.keys.append((now, "callees", call["callee_key"]))
    history.keys.append((now, block, call["caller_key"]))
    history.note(now, calls=1, high_cost=price > 0)
    history.events.append((now, int(call["callee_e164"]) // 10000, 1.0))
    return history.distinct(block, HALF_DAY_NS, now)


def played(calls):
    """(time, stage, which call) of all that happens, in order; a reply comes between two stages and has no row."""
    stages = {"invite_ns": 0, "reply_ns": REPLY, "answer_ns": 1, "end_ns": 2}
    return sorted((int(call[at]), stage, i) for i, call in enumerate(calls) for at, stage in stages.items() if call[at])


# What a call whose INVITE was not seen has of what is counted then.
NOT_BEGUN = {"call_back": 0, "call_again": 0, "call_run": 0, "dialled_forms": 0}


def call_rows(calls, prices, countries):
    """Rows [n, 3, features] of calls with E.164 numbers; see replay_calls in kernels/replay.pyx.

    prices: [n], the price class of each callee as its caller sees it. countries: [n, 2], of caller and callee.
    No caller is anonymous, no number was evicted.
    """
    callers, callees, sources, newcomer, began = {}, {}, {}, {}, {}
    open_calls, pairs, dialled = Counter(), Reciprocity(), defaultdict(reference_groups.Spellings)
    ranges, groups, recordings = History(), reference_groups.Groups(History), reference_groups.Recordings(History)
    rows = np.full((len(calls), 3, len(CALL_FEATURES)), np.nan)
    for now, stage, i in played(calls):
        call = {name: calls[name][i].item() for name in calls.dtype.names if name not in ("source", "destination")}
        caller_key, callee_key, address = call["caller_key"], call["callee_key"], calls["source"][i].tobytes()
        caller = callers.setdefault(caller_key, History())
        callee = callees.setdefault(callee_key, History())
        source = sources.setdefault(address, History())
        parties = (("caller", caller_key), ("callee", callee_key), ("source", address))
        block = int(call["callee_e164"]) // 10000
        route = calls["destination"][i].tobytes()
        if stage == REPLY:
            groups.on(reference_groups.group_reply, call, address, route, newcomer.get(i))
            continue
        if stage == 0:
            caller_attempt(caller, call, prices[i], countries[i])
            newcomer[i] = len(caller.times) <= reference_groups.NEWCOMER_CALLS
            call["spellings"] = dialled[address].note(call["callee"])
            began[i] = {"dialled_forms": call["spellings"]}
            began[i]["range_numbers_day"] = source_attempt(source, call, prices[i])
            groups.on(reference_groups.group_attempt, call, address, route, newcomer[i])
            callee.times.append(now)
            callee.keys.append((now, "callers", caller_key))
            callee.note(now, calls=1)
            ranges.events.append((now, block, 1.0))
            began[i] |= pairs.row(caller_key, callee_key, now, callers)
            open_calls.update(parties)
            reference_signalling.note_countries(source, now, countries[i])
        elif stage == 1:
            caller.note(now, settled=1, answered=1)
            callee.note(now, settled=1, answered=1)
            groups.on(reference_groups.group_answer, call, address, route, newcomer.get(i))
            pairs.answer(caller_key, callee_key, now)
        else:
            call |= recordings.end(call)
            caller_end(caller, call)
            callee_end(callee, call)
            groups.on(reference_groups.group_end, call, address, route, newcomer.get(i))
            open_calls = +(open_calls - Counter(parties))
        row = caller_row(caller, open_calls["caller", caller_key], now) | habit_row(caller, now)
        row |= callee_row(callee, open_calls["callee", callee_key], now)
        row |= call_source_row(source, open_calls["source", address], now)
        row |= call_part(call, stage, prices[i], countries[i])
        row |= reference_signalling.call_row(source, now, countries[i])
        row |= groups.row(address, route, now)
        row["range_calls_hour"] = ranges.sum(block, now, 3600.0)
        row |= began.get(i, NOT_BEGUN)
        rows[i, stage] = [row.get(feature.name, np.nan) for feature in CALL_FEATURES]
    return rows


def source_row(history, now):
    """A source row, by feature name, of a source that makes no calls."""
    hour = HALF_LIVES_S[1]
    mean_s, cv, _ = history.rhythm()
    return {
        "source_requests_minute": history.sum("requests", now, 60.0),
        "source_requests_hour": history.sum("requests", now, hour),
        "source_requests_day": history.sum("requests", now, 86400.0),
        "source_evidence": min(len(history.times), MOST_EVIDENCE),
        "source_register_ratio": history.share("registers", "requests", now, hour, 0.3),
        "source_options_ratio": history.share("options", "requests", now, hour, 0.3),
        "source_invite_ratio": history.share("invites", "requests", now, hour, 0.3),
        "source_users_hour": history.distinct("users", HALF_HOUR_NS, now),
        "source_users_day": history.distinct("users", HALF_DAY_NS, now),
        "source_user_ratio": history.distinct_ratio("users", now),
        "source_registered_ratio": history.share("registered", "register_responses", now, hour, 0.5),
        "source_challenged_ratio": history.share("challenged", "responses", now, hour, 0.3),
        "source_forbidden_ratio": history.share("forbidden", "responses", now, hour, 0.0),
        "source_not_found_ratio": history.share("not_found", "responses", now, hour, 0.02),
        "source_callers_day": 0.0,
        "source_callees_day": 0.0,
        "source_answer_ratio": 0.6,
        "source_high_cost_hour": 0.0,
        "source_interval_mean_s": np.minimum(mean_s, MOST_SECONDS),
        "source_interval_cv": cv,
        **reference_signalling.UNREAD_SOURCE,
    }


def note_failure(source, failing, bindings, account, address, now):
    """A wrong password of an account, by whom else it is known: whether it is registered from the address itself.
    `failing`: [(address, time), ...] of each account."""
    failing.setdefault(account, []).append((address, now))
    addresses = recent_keys(*zip(*failing[account], strict=True), HALF_DAY_NS, now)
    bound = bindings.find(account, address, now)
    source.note(now, failed_bound=bound == "elsewhere", failed_own=bound == "here")
    source.note(now, failed_shared=len(set(addresses)) >= 2, failed_crowd=len(set(addresses)) >= 3)
    return bound == "here"


def answer_invite(source, asked, failing, bindings, request):
    """What the response to an INVITE says of the password that it brought, if it is said."""
    now, user, target = int(request["response_ns"]), int(request["user_key"]), int(request["target_key"])
    transaction, status = int(request["transaction_key"]), int(request["status_code"])
    if asked.answer_invite(source, user, transaction, status, request["stale"], now):
        source.times.append(now)
        source.keys.append((now, "targets", target))
        source.note(now, requests=1, invites=1)
        note_failure(source, failing, bindings, (user, target), request["source"].tobytes(), now)


def source_rows(requests):
    """Rows [n, features] of requests outside calls; see replay_requests in kernels/replay.pyx."""
    sources, passwords, bindings, failing, replied = {}, {}, reference_groups.Bindings(), {}, None
    rows = np.full((len(requests), len(SOURCE_FEATURES)), np.nan)
    events = [(int(r["time_ns"]), 2 * i) for i, r in enumerate(requests)]
    events += [(int(r["response_ns"]), 2 * i + 1) for i, r in enumerate(requests) if r["status_code"]]
    for now, event in sorted(events):
        request = requests[event // 2]
        status, method, user = int(request["status_code"]), int(request["method"]), int(request["user_key"])
        source = sources.setdefault(request["source"].tobytes(), History())
        asked = passwords.setdefault(request["source"].tobytes(), Passwords())
        if event % 2 == 0:
            source.times.append(now)
            source.keys.append((now, "targets", int(request["target_key"])))
            source.note(now, requests=1, registers=method == REGISTER, options=method == OPTIONS)
            if method == REGISTER:
                source.keys.append((now, "users", user))
                source.keys.append((now, "call_ids", int(request["call_id_key"])))
                source.note(now, credentials=request["credentials"])
                asked.ask(int(request["transaction_key"]), request["credentials"])
            elif method == INVITE:
                asked.ask(int(request["transaction_key"]), request["credentials"])
            elif method == OPTIONS:
                source.keys.append((now, "probes", hash_mix(user, int(request["target_key"]))))
                source.keys.append((now, "probed_users", user))
        elif status >= 200 and method != INVITE:
            replied = now
            source.note(now, responses=1, replies=1, challenged=status in (401, 407), forbidden=status == 403)
            source.note(now, not_found=status in NOT_FOUND)
            if method == REGISTER:
                source.note(now, register_responses=1, registered=status < 300)
                transaction, stale = int(request["transaction_key"]), request["stale"]
                wrong = asked.answer(source, user, transaction, status, stale, now)
                address, account = request["source"].tobytes(), (user, int(request["target_key"]))
                if status < 300:
                    bindings.note(account, address, now)
                elif wrong and not note_failure(source, failing, bindings, account, address, now):
                    source.keys.append((now, "failing_call_ids", int(request["call_id_key"])))
        elif method == INVITE:
            answer_invite(source, asked, failing, bindings, request)
        if event % 2 == 1 or status == 0:
            row = source_row(source, now) | asked.row(source, now)
            if replied is None or now - replied > 3600 * 10**9:
                row["source_replied_ratio"] = np.nan
            rows[event // 2] = [row[feature.name] for feature in SOURCE_FEATURES]
    return rows
