"""The loop of the tracker in its simplest form: sources into a pipeline, until something has come."""

import json
import select
import struct
import subprocess
import time

from appliance.outlet import Outlet
from appliance.pipeline import Pipeline
from tests.waiting import PATIENCE_S

TURN_S = 0.02


class Watch:
    """Reads `sources` into a pipeline of its own."""

    def __init__(self, sources, config, duplicate_window_ns=0):
        self.sources = sources
        self.pipeline = Pipeline(config, duplicate_window_ns=duplicate_window_ns)
        self.lines = []
        self.outlet = Outlet(self.lines.append, self.lines.append)
        self.states = []  # of the first source, as they changed
        self.turn()

    def turn(self, wait_s=TURN_S):
        ready = [source for source in self.sources if source.fileno() >= 0]
        select.select(ready, [], [], wait_s)
        for source in self.sources:
            source.receive()
            if not self.states or self.states[-1] != self.sources[0].state:
                self.states.append(self.sources[0].state)
            while source.reader is not None and self.pipeline.run(source.reader, live=source.live):
                self.pipeline.end_block(self.outlet)

    def until(self, condition):
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, (self.counts(), [source.problem for source in self.sources])
            self.turn()
        return self

    def run_beside(self, command):
        """Turns while `command` runs, and then until nothing comes any more."""
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while process.poll() is None:
            self.turn()
        assert process.returncode == 0, process.stderr.read()
        process.stderr.close()
        return self.until_quiet()

    def until_quiet(self, quiet_s=0.15):
        """Until nothing came for so long, and in as many turns as that is: a busy machine may pass the time in one."""
        last, since_s, turns = -1, time.monotonic(), 0
        while time.monotonic() - since_s < quiet_s or turns * TURN_S < quiet_s:
            self.turn()
            turns += 1
            if (packets := self.counts()["packets"]) != last:
                last, since_s, turns = packets, time.monotonic(), 0
        return self

    def counts(self):
        return self.pipeline.engine.counters()

    def finish(self):
        """The lines of all calls and parties, as dicts; the sources are closed."""
        for source in self.sources:
            source.close()
        self.pipeline.finish(self.lines.append)
        return [json.loads(line) for line in b"".join(self.lines).splitlines()]


def write_pcap(path, frames):
    """`frames` of Ethernet, (time in ns, bytes) each, as a capture."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
        for time_ns, frame in frames:
            file.write(struct.pack("<IIII", *divmod(time_ns, 10**9), len(frame), len(frame)) + frame)
    return path
