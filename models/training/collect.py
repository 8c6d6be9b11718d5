"""From a simulated scenario to labelled rows: the capture is written, and run through the engine that screens."""

import ipaddress
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from functools import reduce
from multiprocessing import get_context
from operator import or_
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from capture.file import CaptureFile
from kernels.engine import BLOCK, Engine
from models.fraud_types import BIT_OF
from models.training.calibration import BYSTANDERS, TAKEN_OVER
from models.training.regimes import base_name
from models.training.rows import Rows
from simulator.scenario import Scenario
from simulator.simulation import run
from simulator.town import server_of

LIMITS = {
    "calls": 65536,
    "callers": 131072,
    "callees": 131072,
    "sources": 16384,
    "streams": 1024,
    "tcp_connections": 1024,
    "tcp_bytes": 1 << 22,
    "block_packets": 4096,
}
SECRET = 0x74726169_6E696E67  # fixed, so that sketches estimate the same on every run
HONEST = "honest"
KINDS = ("call", "source")

HOME_SERVER = server_of(0).address
SERVER = "server"  # its population, where it sends no requests of its own

# Frauds that are not a caller's: it is the callee's carrier, or shows any number at all. Its campaign counts as one.
OF_CAMPAIGNS = ("false_answer", "goip_gateway", "tdos", "caller_spoofing", "flash_call", "call_pumping")

Label = dict[str, Any]


class Collector:
    """The rows of one scenario, gathered block by block."""

    def __init__(self, labels: list[Label]):
        self.calls = {label["call_id"].encode(): label for label in labels if label["type"] == "call"}
        # Numbers that honest people and a fraud call from: an exchange that was broken into, say.
        self.shared = {label["caller_e164"] for label in self.calls.values() if by_its_caller(label)}
        self.sources: dict[bytes, list[Label]] = {}
        for label in (*(label for label in labels if label["type"] == "source"), *callers_addresses(labels)):
            self.sources.setdefault(packed(label["source"]), []).append(label)
        self.case: dict[bytes, int] = {}
        self.actor: dict[str, int] = {}  # a caller, a campaign or a source, by name
        self.party: dict[tuple[bytes, ...], int] = {}  # an address, or a caller as sent at an address
        self.address: dict[bytes, int] = {}
        self.found: dict[str, list[tuple]] = {kind: [] for kind in KINDS}

    def take_block(self, engine: Engine) -> None:
        for i, row in enumerate(engine.call_block):
            _, call_id, caller = engine.call_of_row(i)
            label = self.calls.get(call_id)
            if label is not None:  # a Call-ID that was damaged on the way is nobody's
                address, time_ns, *_ = engine.note_of_row(i, False)
                self._take("call", row, call_id, actor(label), truth(label), time_ns, (address, caller), label)
        for i, row in enumerate(engine.source_block):
            address, time_ns, *_ = engine.note_of_row(i, True)
            labels = self.sources.get(address)
            if labels is not None:
                begun = [label for label in labels if nanoseconds(label["first"]) <= time_ns]
                types = reduce(or_, (truth(label) for label in begun), 0)
                worst = max(labels, key=truth)
                self._take("source", row, address, worst["source"], types, time_ns, (address,), worst)

    def _take(
        self,
        kind: str,
        row: np.ndarray,
        case: bytes,
        actor: str,
        types: int,
        time_ns: int,
        party: tuple[bytes, ...],
        label: Label,
    ) -> None:
        self.found[kind].append(
            (
                row.copy(),
                types,
                self._population(label),
                self.case.setdefault(case, len(self.case)),
                self.actor.setdefault(actor, len(self.actor)),
                time_ns,
                self.party.setdefault(party, len(self.party)),
                self.address.setdefault(party[0], len(self.address)),
            )
        )

    def _population(self, label: Label) -> str:
        """The honest population, or the fraud and its variant: `robocall/rotating`."""
        if label["label"] != HONEST:
            return f"{label['label']}/{label['variant']}"
        if label["variant"] in BYSTANDERS:
            return label["variant"]
        return TAKEN_OVER if label.get("caller_e164") in self.shared else base_name(label["population"])

    def rows(self, kind: str) -> Rows:
        features, types, populations, case, actor, time_ns, party, address = zip(*self.found[kind], strict=True)
        return Rows(
            np.stack(features),
            np.array(types, np.uint32),
            np.array(populations),
            np.array(case),
            np.array(actor),
            np.array(time_ns),
            np.array(party),
            np.array(address),
        )


def callers_addresses(labels: list[Label]) -> list[Label]:
    """What the calls from each address say of it: most addresses never send a request outside calls. The home server
    hands on what others sent, and is honest whatever it is."""
    found: dict[tuple[str, ...], Label] = {}
    for label in labels:
        if label["type"] == "call":
            address = label["source"].rpartition(":")[0]
            said = {"source": address, "label": label["label"], "population": label["population"],
                    "variant": label["variant"]}  # fmt: skip
            if address == HOME_SERVER:
                said |= {"label": HONEST, "population": SERVER, "variant": ""}
            found.setdefault(tuple(said.values()), {**said, "first": label["start"]})
    return list(found.values())


def packed(address: str) -> bytes:
    """16 bytes in network order, IPv4 mapped (RFC 4291 2.5.5.2), as the engine names a source."""
    parsed = ipaddress.ip_address(address)
    return parsed.packed if parsed.version == 6 else bytes(10) + b"\xff\xff" + parsed.packed


def by_its_caller(label: Label) -> bool:
    """Is it a fraud of who calls, and not one of whom the home server hands an honest call on to?"""
    return label["label"] not in (HONEST, "false_answer", "goip_gateway")


def actor(label: Label) -> str:
    """Who stands behind a call."""
    return label["population"] if label["label"] in OF_CAMPAIGNS else label["caller_e164"]


def truth(label: Label) -> int:
    return 0 if label["label"] == HONEST else BIT_OF[label["label"]]


def nanoseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1e6) * 1000


def collect_scenario(scenario: Scenario, region: str | None) -> dict[str, Rows]:
    """Simulates and screens one scenario. The rows of each kind of which there are any."""
    with TemporaryDirectory() as folder:
        capture, labels = Path(folder) / "capture.pcap", Path(folder) / "labels.jsonl"
        run(scenario, out=capture, labels=labels)
        collector = Collector([msgspec.json.decode(line) for line in labels.read_bytes().splitlines()])
        engine = Engine(**LIMITS, secret=SECRET, region=region)
        with CaptureFile(capture) as file:
            while engine.run(file.reader) == BLOCK or file.fill():
                collector.take_block(engine)
                engine.next_block()
    more = True
    while more:
        more = engine.finish()
        collector.take_block(engine)
        engine.next_block()
    return {kind: collector.rows(kind) for kind in KINDS if collector.found[kind]}


def collect(scenarios: list[Scenario], processes: int | None = None) -> dict[str, Rows]:
    """The rows of all, in order. Every other one is read without a home country: boxes are set up that way too.
    `processes` at a time, None: as many as there are processors."""
    regions = [scenario.country if index % 2 == 0 else None for index, scenario in enumerate(scenarios)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        parts = list(pool.map(collect_scenario, scenarios, regions))
    return {kind: Rows.concatenate([part[kind] for part in parts if kind in part]) for kind in KINDS}
