"""`python -m benchmarks.live.watcher INTERFACE`: ring, tracker and models until SIGTERM; then its figures as JSON."""

import json
import resource
import signal
import sys

from appliance.config import Capture, Config
from appliance.outlet import Outlet
from appliance.pipeline import Pipeline
from appliance.sources import open_sources
from appliance.tracker import Tracker


def main(interface: str) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    config = Config(capture=Capture(interfaces=(interface,)))
    capture = config.capture
    window_ns = capture.duplicate_window_ms * 1_000_000 if capture.remove_duplicates else 0
    pipeline = Pipeline(config, duplicate_window_ns=window_ns)
    sources = open_sources(config)
    tracker = Tracker(pipeline, sources, Outlet(), config.service.verdict_delay_ms / 1e3)
    tracker.start()
    # what started up is not what a packet costs
    before = resource.getrusage(resource.RUSAGE_SELF)
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    after = resource.getrusage(resource.RUSAGE_SELF)
    tracker.stop()
    tracker.join()
    totals = pipeline.summary()
    counters = sources[0].counters()
    latency = tracker.tally.latency_s
    print(
        json.dumps(
            {
                "packets": counters.packets,
                "dropped": counters.dropped,
                "duplicates": counters.duplicates,
                "sip_messages": totals["sip_messages"],
                "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
                "peak_mib": after.ru_maxrss / 1024,
                "verdicts": latency.count,
                "p50_ms": (latency.quantile(0.5) or 0) * 1e3,
                "p99_ms": (latency.quantile(0.99) or 0) * 1e3,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
