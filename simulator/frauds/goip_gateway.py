"""Gateways full of SIM cards (GoIP, SIM box)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from simulator.frauds.campaign import Campaign
from simulator.intent import Call, Datagram, Intent, Line, Request
from simulator.keys import Count, Positive, Ratio
from simulator.numbers import draw_abroad
from simulator.rhythm import NS_PER_S, log_normal
from simulator.town import Answering, Town, call

MANAGEMENT_PORT = 44444  # keep-alives of each channel, in text
SIM_BANK_PORT, SIM_BANK_MAGIC = 56011, 0x43215678


@dataclass(slots=True)
class _Channel:
    """One GSM channel with the SIM card that is in it."""

    line: Line
    imei: str
    imsi: str
    iccid: str


class GoipGateway(Campaign, tag="goip_gateway"):
    """A box that puts calls from the Internet on SIM cards, past the interconnect, or lets people far away call as
    local mobiles. The server hands it calls (`terminating_ratio`), the rest come from it; each channel calls all day,
    hardly one callee twice. Its management and its SIM bank are seen beside SIP."""

    channels: Count = 8  # of each of the `gateways`
    calls_per_channel_hour: Positive = 14.0
    calls_per_sim: int = 0  # then the channel gets another SIM card; 0: never
    terminating_ratio: Ratio = 0.5
    foreign_ratio: Ratio = 0.8  # callers of terminating calls who are abroad
    regulars_ratio: Ratio = 0.05  # calls to a callee of before: high, and it passes for people
    keepalive_s: float = 30.0  # management datagram of each channel; 0: none seen
    register_every_s: float = 300.0  # of each channel; 0: it does not register
    sim_bank: bool = False
    answer_ratio: Ratio = 0.48
    talk_median_s: Positive = 75.0
    talk_sigma: Positive = 0.9

    def intents(self, town: Town, rng: Random) -> Iterator[Intent]:
        start_ns, end_ns = self.window(town)
        for number, device in enumerate(self.entrances(town, rng, "sim_gateway"), start=1):
            password = f"{rng.getrandbits(32):08x}"
            for channel in range(1, self.channels + 1):
                card = self._card(town, rng, device)
                name = f"box{number:02d}{channel:02d}"
                calls_ns = start_ns + int(rng.uniform(0, 120) * NS_PER_S)
                yield from self._calls(town, rng, calls_ns, end_ns, card)
                yield from self._registrations(rng, start_ns, end_ns, card.line)
                yield from self._keepalives(rng, start_ns, end_ns, card, name, password)
            if self.sim_bank:
                yield from self._sim_bank(rng, start_ns, end_ns, device, town.trunk_endpoint().address)

    def _card(self, town: Town, rng: Random, device: Line) -> _Channel:
        line = self.beside(town, device, town.new_number(rng, 1.0))
        digits = [f"{rng.randrange(10**9):09d}" for _ in range(3)]
        return _Channel(line, "867495" + digits[0], "460001" + digits[1], "8986001234" + digits[2] + "7")

    def _calls(self, town: Town, rng: Random, at_ns: int, end_ns: int, card: _Channel) -> Iterator[Intent]:
        """One call after another, as many in an hour as told, for one channel has one call at a time."""
        how, gap_s, called = self.answering(), 3600 / self.calls_per_channel_hour, list[str]()
        line = card.line
        while at_ns < end_ns:
            if self.calls_per_sim and called and len(called) % self.calls_per_sim == 0:
                line = self.beside(town, line, town.new_number(rng, 1.0))
            again = bool(called) and rng.random() < self.regulars_ratio
            callee = rng.choice(called) if again else town.some_number(rng, mobile_share=0.95)
            called.append(callee)
            made = self._call(town, rng, at_ns, line, callee, how)
            yield made
            busy_s = made.post_dial_delay_s + made.ring_s + made.talk_s
            at_ns += int(max(busy_s + 3, gap_s * rng.expovariate(1.0)) * NS_PER_S)

    def _call(self, town: Town, rng: Random, at_ns: int, line: Line, callee: str, how: Answering) -> Call:
        far = None
        if rng.random() < self.terminating_ratio:
            abroad = rng.random() < self.foreign_ratio
            number = draw_abroad(town.home, ("africa", "europe"), 0.2, rng) if abroad else town.some_number(rng)
            line, far = town.handed_on(self.beside(town, line, number)), line
        made = call(rng, town, at_ns, line, callee, how, self.name, label="goip_gateway", variant=self.variant)
        made.far = far
        return made

    def _registrations(self, rng: Random, at_ns: int, end_ns: int, line: Line) -> Iterator[Intent]:
        while self.register_every_s and at_ns < end_ns:
            yield Request(at_ns + rng.randrange(NS_PER_S), line, "REGISTER", line.user, (401, 200), self.name,
                          label="goip_gateway", variant=self.variant, series=line.user)  # fmt: skip
            at_ns += int(self.register_every_s * rng.uniform(0.98, 1.02) * NS_PER_S)

    def _keepalives(
        self, rng: Random, at_ns: int, end_ns: int, card: _Channel, name: str, password: str
    ) -> Iterator[Intent]:
        serial = rng.randrange(1, 60_000)
        while self.keepalive_s and at_ns < end_ns:
            text = (
                f"req:{serial};id:{name};pass:{password};num:{card.line.number};signal:{rng.randrange(12, 31)};"
                f"gsm_status:LOGIN;imei:{card.imei};imsi:{card.imsi};iccid:{card.iccid};"
            )
            yield Datagram(at_ns + rng.randrange(NS_PER_S), card.line, MANAGEMENT_PORT, name, text.encode(),
                           f"reg:{serial};status:0;".encode(), self.name, "goip_gateway", self.variant)  # fmt: skip
            serial += 1
            at_ns += int(self.keepalive_s * rng.uniform(0.97, 1.03) * NS_PER_S)

    def _sim_bank(self, rng: Random, at_ns: int, end_ns: int, device: Line, bank: str) -> Iterator[Intent]:
        """The link to a bank of SIM cards elsewhere: a four-byte magic, and what follows is not public."""
        head = struct.pack("!I", SIM_BANK_MAGIC)
        while at_ns < end_ns:
            length = rng.randrange(16, 120)
            yield Datagram(at_ns, device, SIM_BANK_PORT, "sim-bank", head + rng.randbytes(length),
                           head + rng.randbytes(16), self.name, "goip_gateway", self.variant, bank)  # fmt: skip
            at_ns += int(log_normal(rng, 8, 0.6, 0.2, 60) * NS_PER_S)
