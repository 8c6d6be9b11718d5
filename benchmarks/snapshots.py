"""How long the packets wait while a snapshot is taken of full tables: `.venv/bin/python -m benchmarks.snapshots`."""

import struct
import tempfile
import time
from pathlib import Path

from appliance import snapshot
from appliance.config import Config
from appliance.outlet import Outlet
from appliance.pipeline import Pipeline

CALLS = 150_000  # fill every table of the default limits but the streams
SECRET = 1
INVITE = (
    "INVITE sip:+4420{n:08d}@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{n}\r\n"
    "From: <sip:+4930{n:08d}@192.0.2.1>;tag={n}\r\nTo: <sip:+4420{n:08d}@192.0.2.9>\r\nCall-ID: {n}@192.0.2.1\r\n"
    "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
)


def write_flood(path: Path) -> None:
    """INVITEs at 2,000/s, each of a caller, to a callee and with a Call-ID of its own, from 20,000 addresses."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for n in range(CALLS):
            payload = INVITE.format(n=n).encode()
            source = struct.pack("!I", 0x0A000000 + n % 20_000)
            head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, source, b"\xc0\0\2\x09")
            packet = head + struct.pack("!HHHH", 5060, 5060, 8 + len(payload), 0) + payload
            microseconds = n * 500
            file.write(struct.pack("<II", 1_700_000_000 + microseconds // 10**6, microseconds % 10**6))
            file.write(struct.pack("<II", len(packet), len(packet)) + packet)


def main() -> None:
    pipeline = Pipeline(Config(), SECRET)
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "flood.pcap"
        write_flood(capture)
        pipeline.screen_file(capture, len)
        pipeline.end_block(Outlet(len, len))
        path = Path(folder) / snapshot.SNAPSHOT_FILE
        for name in ("first", "second", "third"):
            steps_s: list[float] = []  # of processor time: what the scheduler gives to others is not the step's

            def ask(question, steps_s=steps_s):
                began_s = time.thread_time()
                answer = question(pipeline)
                steps_s.append(time.thread_time() - began_s)
                return answer

            taken = snapshot.save(path, ask, region=None, secret=SECRET)
            steps_s.sort()
            print(
                f"{name}: {taken.bytes / 2**20:.0f} MiB in {taken.steps} steps and {taken.elapsed_s:.2f} s;"
                f" a step takes {steps_s[len(steps_s) // 2] * 1e3:.2f} ms of processor time at the median,"
                f" {steps_s[-1] * 1e3:.2f} ms at most; packets waited {taken.longest_step_s * 1e3:.2f} ms at most"
            )
        fresh = Pipeline(Config(), SECRET)
        began_s = time.perf_counter()
        snapshot.load(path, fresh, region=None, secret=SECRET)
        print(f"put back in {time.perf_counter() - began_s:.2f} s")


if __name__ == "__main__":
    main()
