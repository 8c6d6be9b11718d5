"""Makes the two captures that the benchmarks read: `python -m benchmarks.captures OUTDIR`.

`signalling`: 100,000 calls, about 700,000 SIP messages. `media`: 1,000 calls, about 2,000,000 RTP packets. Beside each
lies its `.jsonl` with the labels. The scenarios are shipped: bench_signalling and bench_media.
"""

import gzip
import shutil
import sys
import time
from pathlib import Path

import simulator

NAMES = ("signalling", "media")


def make(name: str, capture: Path) -> simulator.Summary:
    """Make the capture of this name at `capture`; one that was interrupted is not taken for a whole one."""
    partial = capture.with_suffix(".partial")
    summary = simulator.run(f"bench_{name}", out=partial, labels=capture.with_suffix(".jsonl"))
    partial.rename(capture)
    return summary


def compress(capture: Path, compressed: Path) -> None:
    partial = compressed.with_suffix(".partial")
    with capture.open("rb") as plain, gzip.open(partial, "wb", compresslevel=6) as file:
        shutil.copyfileobj(plain, file, 1 << 20)
    partial.rename(compressed)


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        began = time.perf_counter()
        summary = make(name, directory / f"{name}.pcap")
        print(f"{name}: {summary.packets} packets, {summary.calls} calls, {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.captures OUTDIR")
    main(Path(sys.argv[1]))
