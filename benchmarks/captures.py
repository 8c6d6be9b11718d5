"""Makes the two captures that the benchmarks read: `python -m benchmarks.captures OUTDIR`.

`signalling.pcap`: 100,000 calls, about 700,000 SIP messages. `media.pcap`: 1,000 calls, about 2,000,000 RTP packets.
Beside each lies its `.jsonl` with the labels. The scenarios are shipped: bench_signalling and bench_media.
"""
import sys
import time
from pathlib import Path

import simulator

CAPTURES = {"signalling": "bench_signalling", "media": "bench_media"}


def make(directory: Path) -> None:
    """Make what is not there yet."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, scenario in CAPTURES.items():
        out = directory / f"{name}.pcap"
        if out.exists():
            continue
        partial = out.with_suffix(".partial")       # a capture that was interrupted is not taken for a whole one
        began = time.perf_counter()
        summary = simulator.run(scenario, out=partial, labels=out.with_suffix(".jsonl"))
        partial.rename(out)
        print(f"{out}: {summary.packets} packets, {summary.calls} calls, {out.stat().st_size >> 20} MiB, {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.captures OUTDIR")
    make(Path(sys.argv[1]))
