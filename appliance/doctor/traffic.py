"""What the running service says of what it sees and keeps: whether calls can be judged by it."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from appliance.config import Config
from appliance.doctor.check import Check, fail, ok, warn
from appliance.live.status import Status, shown_drift
from appliance.report import CallLine

# Below so many packets or calls nothing is said of shares.
ENOUGH_PACKETS = 1000
ENOUGH_CALLS = 20

MUCH_LOSS = 0.001
MUCH_ONE_WAY = 0.2
MUCH_MALFORMED = 0.05
MUCH_UNUSABLE = 0.5
UNUSABLE_CURE = "its log says why: of HEP mostly another key than in [hep] key_file, none, or another version than 3"
MOST_LATENCY_MS = 50.0
MOST_SKEW_S = 5.0
# Of a store or spool by the state that it is in.
CURES = {
    "full": "make room on the disk, or lower [store] and [spool] max_mib",
    "read_only": "mount the disk writable: `journalctl -k` says why the kernel made it read-only",
    "corrupt": "nothing: a new file was begun, and the old one lies beside it",
    "unavailable": "let the service's user write in [service] state_dir",
}
DEEP_SPOOL = 100_000


def traffic_checks(config: Config, status: Status, calls: Sequence[CallLine]) -> Iterator[Check]:
    """`calls`: some that are going on, or were over just now."""
    for problem in status.problems:
        yield fail("service", problem, "its log says more: journalctl -u sipwarden")
    yield from _sources(config, status)
    yield _drops(config, status)
    yield _sip(config, status)
    yield _directions(calls)
    yield _malformed(status)
    yield _latency(status)
    yield _time(status)
    yield _tables(status)
    yield _store(status)
    yield _queue(status)
    yield _spool(status)
    yield _bundles(status)
    yield from _drift(status)
    yield _snapshot(status)


def _sources(config: Config, status: Status) -> Iterator[Check]:
    if not status.capture.sources:
        yield fail("sources", "there are none", "name one: [capture] interfaces, [capture] directory or [hep] listen")
    for source in status.capture.sources:
        what = f"source {source.name}"
        if source.state == "down":
            yield fail(what, f"is down: {source.problem or 'no reason known'}", "it is tried again by itself")
        elif source.packets == 0:
            yield warn(what, "is up, and has brought nothing yet", _nothing_comes(config, source.name))
        elif source.errors > MUCH_UNUSABLE * source.packets:
            yield warn(what, f"is up, and of {source.packets:,} packets {source.errors:,} are unusable", UNUSABLE_CURE)
        else:
            yield ok(what, f"is up: {source.packets:,} packets, {source.duplicates:,} duplicates left out")


def _nothing_comes(config: Config, name: str) -> str:
    if config.capture.directory and name == str(Path(config.capture.directory)):
        return "a file is read when its writer has closed it or moved it here: is one there, and not hidden or a .tmp?"
    if name.startswith("hep"):
        return (
            "does the agent send to this address and port, and through the firewall? Is its HEP key the same? Does it "
            "trust the certificate?"
        )
    return "is it mirrored to this interface, and does the filter let it through: see [capture] filter"


def _drops(config: Config, status: Status) -> Check:
    capture = status.capture
    if not capture.dropped:
        return ok("drops", "none")
    share = capture.dropped / (capture.packets + capture.dropped)
    seen = f"{capture.dropped:,} packets were dropped, {share:.2%}"
    cure = f"[capture] ring_mib = {2 * config.capture.ring_mib}, a narrower filter, or fewer interfaces on this box"
    return fail("drops", seen, cure) if share > MUCH_LOSS else warn("drops", seen, cure)


def _sip(config: Config, status: Status) -> Check:
    """Packets without SIP are the sign of a wrong mirror, a wrong filter, or one that does not see through tags."""
    traffic, packets = status.traffic, status.capture.packets
    if traffic.sip_messages:
        share = traffic.sip_messages / max(packets, 1)
        return ok("SIP", f"{traffic.sip_messages:,} messages, {share:.1%} of the packets")
    if packets < ENOUGH_PACKETS:
        return warn("SIP", f"none in {packets:,} packets yet", "wait, then ask again; else see the sources above")
    seen = f"none in {packets:,} packets" + (f", but {traffic.rtp_packets:,} of RTP" if traffic.rtp_packets else "")
    if config.capture.filter:
        cure = f"does the filter {config.capture.filter!r} keep it away? See `filter` above"
    else:
        cure = "mirror the port of the signalling too; SIP over TLS cannot be read: take it as HEP from the proxy"
    return fail("SIP", seen, cure)


def _directions(calls: Sequence[CallLine]) -> Check:
    if len(calls) < ENOUGH_CALLS:
        return ok("both directions", f"{len(calls)} calls are too few to tell")
    one_way = sum(call.quality.one_way for call in calls) / len(calls)
    seen = f"of {len(calls)} calls {one_way:.0%} have only one"
    if one_way > MUCH_ONE_WAY:
        return fail("both directions", seen, "the mirror carries one direction only: mirror rx and tx of the port")
    return ok("both directions", seen)


def _malformed(status: Status) -> Check:
    traffic = status.traffic
    share = traffic.malformed / traffic.sip_messages if traffic.sip_messages else 0.0
    seen = f"{traffic.malformed:,} messages, {share:.1%}"
    if share > MUCH_MALFORMED:
        cure = "packets cut short? [capture] snaplen = 65535; else a broken or hostile sender: see `sipwarden findings`"
        return warn("malformed SIP", seen, cure)
    return ok("malformed SIP", seen)


def _latency(status: Status) -> Check:
    p99_ms = status.latency.p99_ms
    if p99_ms is None:
        return ok("time to a verdict", "there was none yet")
    seen = f"99 of 100 within {p99_ms:g} ms"
    if p99_ms > MOST_LATENCY_MS:
        return warn("time to a verdict", seen, "the machine is too busy: see top; a narrower filter, or a faster one")
    return ok("time to a verdict", seen)


def _time(status: Status) -> Check:
    """A capture agent whose clock is wrong dates what it sends."""
    if status.traffic.time is None:
        return ok("time of packets", "there was none yet")
    skew_s = datetime.fromisoformat(status.traffic.time).timestamp() - time.time()
    seen = f"{abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} this machine's clock"
    if abs(skew_s) > MOST_SKEW_S:
        return warn("time of packets", seen, "set the clocks of the HEP agents, and this one, by NTP")
    return ok("time of packets", seen)


def _tables(status: Status) -> Check:
    if status.evicted:
        return warn(
            "tables", f"{status.evicted:,} entries made room for newer ones", "raise [limits]: what goes is forgotten"
        )
    return ok("tables", "have room")


def _store(status: Status) -> Check:
    store = status.store
    seen = f"{store.findings:,} findings in {store.bytes / (1 << 20):,.1f} MiB"
    if store.state != "ok":
        return fail(
            "findings store", f"{store.state}: {store.problem or seen}; {store.lost:,} lost", CURES[store.state]
        )
    if store.lost:
        return warn("findings store", f"{seen}; {store.lost:,} were lost", "it has recovered: see the log for why")
    return ok("findings store", seen)


def _queue(status: Status) -> Check:
    queue = status.queue
    if queue.dropped:
        return warn("queue to the disk", f"{queue.dropped:,} were dropped", "a faster disk: it did not keep up")
    if queue.unreadable:
        seen = f"{queue.unreadable:,} findings could not be read and are lost"
        return warn("queue to the disk", seen, "a fault of this version: the log has what was wrong with them")
    return ok("queue to the disk", f"{queue.depth:,} wait")


def _spool(status: Status) -> Check:
    spool = status.spool
    seen = f"{spool.depth:,} reports wait for the collector, {spool.dropped:,} made room for others"
    if spool.state != "ok":
        return fail("spool", f"{spool.state}: {spool.problem or seen}; {spool.lost:,} lost", CURES[spool.state])
    if spool.dropped or spool.depth > DEEP_SPOOL:
        return warn("spool", seen, "does a collector take them? The oldest go when [spool] max_mib is used up")
    return ok("spool", seen)


def _bundles(status: Status) -> Check:
    if not status.bundles:
        return fail("bundles", "there are none: nothing is judged", "sipwarden model verify, and [screen] bundles")
    return ok("bundles", ", ".join(f"{label} for {kind} rows" for kind, label in sorted(status.bundles.items())))


def _drift(status: Status) -> Iterator[Check]:
    """Traffic unlike that which a bundle was calibrated on: its probabilities and thresholds may not hold here."""
    for one in status.drift:
        if not one.counted:
            continue
        what, seen = f"drift of {one.rows} rows", f"{one.state}: {shown_drift(one.ratio)}, in {one.counted:,} rows"
        if one.state in ("shifted", "drifted"):
            cure = (
                f"{one.feature} moved most ({one.feature_ratio:.2f}). Label findings and read `sipwarden model report` "
                "before anything is blocked; a bundle taught nearer to this traffic: sipwarden model install"
            )
            yield warn(what, seen, cure)
        else:
            yield ok(what, seen)


def _snapshot(status: Status) -> Check:
    snapshot = status.snapshot
    if snapshot.problem:
        return warn(
            "snapshot", snapshot.problem, "until then a restart forgets what callers did: see [service] state_dir"
        )
    return ok("snapshot", f"taken {snapshot.taken}" if snapshot.taken else "there was none yet")
