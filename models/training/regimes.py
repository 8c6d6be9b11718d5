"""The simulated worlds that the bundles are taught in, and the other worlds they are judged in.

A regime is a number of scenarios drawn at random from a world: training.toml or held_out.toml. Training and judgement
have no seed, no country and no vendor that is marked for one of them in common, and few parameter values; the
judgement also has fraud variants of its own.
"""

import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any, Literal

import msgspec

from simulator.scenario import SHIPPED, Scenario, load

Part = dict[str, Any]  # keys of a population, values to be drawn as {how: arguments}
# Frauds of which a campaign is one address, and one case: there must be many to learn from.
ONE_ADDRESS_EACH = ("registration_scan", "options_scan", "password_guessing")
PEACEFUL_SHARE = 0.15

# Of how many towns one has a given plain campaign.
PLAIN_TOWNS = 6

# Short towns: a capture that begins now, and has nothing before it. A handful of populations, often a single one.
SHORT_HOURS = (0.05, 0.6)
SHORT_PEACEFUL_SHARE = 0.4
MOST_HONEST_KINDS, MOST_CAMPAIGNS = 3, 2

# Towns of minutes at a carrier's edge: an honest trunk that carries campaigns, of the kinds that one can carry, and
# honest guests.
EDGE_HOURS = (0.1, 0.8)
EDGE_PEACEFUL_SHARE = 0.15
MOST_NEIGHBOURS, MOST_GUESTS, MOST_CARRIED = 2, 3, 3
CARRIED = ("robocall", "wangiri", "irsf", "toll_fraud", "vishing", "caller_spoofing", "flash_call", "call_pumping",
           "tdos", "false_answer")  # fmt: skip
# And by that of a firm: no carrier's address sends what such a gateway does.
CARRIED_BY_FIRMS = (*CARRIED, "goip_gateway")
# Of each talk that the mirror shows: long enough for a second of a recording that begins after a pause.
MEDIA_S = 2.0
LABORATORIES = (0,) * 12 + (1, 1, 3)  # voices that all people of a town have together
# In how many towns the server hands on what a gateway says of a busy line: then all calls to it have a sign of one.
REMOTE_BUSY_TOWNS = 0.2
# Keys of when an honest population begins to act; in a short town it is soon.
BEGINNINGS = {"mass_notification": "after_s", "new_exchange": "opens_after_s", "pbx_reboot": "after_s",
              "password_change": "after_s"}  # fmt: skip


def world(name: str) -> dict[str, Any]:
    """NAME.toml: over the world that it says it is `like`, if any."""
    parts = tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text())
    like = parts.pop("like", "")
    return ({"plain": [], "trunks": [], "guests": []} if not like else world(like)) | parts


WORLDS = {
    name: world(name)
    for name in ("training", "addresses", "rotating", "held_out", "addresses_held_out", "rotating_held_out")
}


@dataclass(frozen=True, slots=True)
class Regime:
    """Scenarios drawn alike: their count, the seed they are drawn from, and who may live in them."""

    name: str
    vendors: Literal["train", "eval"]
    seed: int
    scenarios: int
    hours: tuple[float, float]
    world: str  # whose file is NAME.toml
    drops: tuple[float, ...] = (0, 0, 0, 0.01, 0.03)  # what a capture may lose, each as likely as the next
    directions: tuple[str, ...] = ("both",)  # of which its mirror may show packets
    short: int = 0  # towns of minutes, after the long ones
    edges: int = 0  # and of minutes at a carrier's edge, after those
    scripted: tuple[float, ...] = (0,)  # devices whose style is no product's, in a long town
    frauds: tuple[str, ...] = ()  # kinds of fraud that there are, each variant once or more; empty: all, now and then

    @property
    def towns(self) -> int:
        """How many scenarios it has, of all lengths."""
        return self.scenarios + self.short + self.edges

    def draw(self) -> list[Scenario]:
        """The scenarios, the same for the same seed."""
        rng = Random(self.seed)
        long = [self._scenario(rng, index) for index in range(self.scenarios)]
        short = [self._short_scenario(rng, self.scenarios + index) for index in range(self.short)]
        first = self.scenarios + self.short
        return [*long, *short, *(self._edge_scenario(rng, first + index) for index in range(self.edges))]

    def _scenario(self, rng: Random, index: int) -> Scenario:
        duration_s = 3600 * rng.uniform(*self.hours)
        honest, frauds, plain = (WORLDS[self.world][kind] for kind in ("honest", "frauds", "plain"))
        # Households come first, so that there is somebody to call; half of the rest live in each town.
        honest = [honest[0], *(part for part in honest[1:] if rng.random() < 0.5)]
        # Some towns have no fraud at all, to learn peace from; scanners come in numbers.
        peace = rng.random() < PEACEFUL_SHARE
        frauds = [part for part in frauds for _ in range(rng.choice(self._campaigns(part)))]
        frauds += [part for part in plain if not self.frauds and rng.randrange(PLAIN_TOWNS) == 0]
        populations = [settled(part, rng, duration_s) for part in (*honest, *([] if peace else frauds))]
        return self._town(rng, index, duration_s, populations, self.scripted)

    def _short_scenario(self, rng: Random, index: int) -> Scenario:
        duration_s = 3600 * drawn({"rate": SHORT_HOURS}, rng)
        world = WORLDS[self.world]
        honest = rng.sample(world["honest"], rng.randint(0, MOST_HONEST_KINDS))
        frauds: list[Part] = []
        if rng.random() >= SHORT_PEACEFUL_SHARE:
            frauds = rng.choices([*world["plain"], *world["plain"], *world["frauds"]], k=rng.randint(1, MOST_CAMPAIGNS))
        honest = honest or rng.sample(world["honest"], 0 if frauds else 1)
        populations = [settled(part, rng, duration_s, soon=True) for part in (*honest, *frauds)]
        return self._town(rng, index, duration_s, populations, (0, 0.3, 1))

    def _edge_scenario(self, rng: Random, index: int) -> Scenario:
        duration_s = 3600 * drawn({"rate": EDGE_HOURS}, rng)
        world = WORLDS[self.world]
        trunk = rng.choice(world["trunks"])
        carried: list[Part] = []
        if rng.random() >= EDGE_PEACEFUL_SHARE:
            campaigns = [part for part in (*world["frauds"], *world["plain"]) if can_be_carried(trunk, part)]
            carried = [on(trunk, part) for part in rng.choices(campaigns, k=rng.randint(1, MOST_CARRIED))]
        neighbours = rng.sample(world["honest"], rng.randint(0, MOST_NEIGHBOURS))
        guests = rng.sample(world["guests"], rng.randint(0, MOST_GUESTS)) if trunk["kind"] == "wholesale" else []
        guests = [guest | {"on_trunk": [trunk["name"]]} for guest in guests]
        populations = [settled(part, rng, duration_s, soon=True) for part in (trunk, *neighbours, *guests, *carried)]
        return self._town(rng, index, duration_s, populations, (0, 0, 0.3))

    def _town(
        self, rng: Random, index: int, duration_s: float, populations: list[Part], scripted: tuple[float, ...]
    ) -> Scenario:
        mirror = Random(f"{self.name}/{self.seed}/{index}")
        ears = Random(f"{self.name}/{self.seed}/{index}/sounds")
        hour = rng.choice((2, 8, 10, 13, 16, 20))
        start = datetime(2026, 1, 5, hour, tzinfo=timezone(timedelta(hours=8))) + timedelta(days=rng.randrange(300))
        populations = [one | ({"sounds": drawn(one["sounds"], ears)} if "sounds" in one else {}) for one in populations]
        populations = on_trunks([one | {"name": f"{one['name']}-{k}"} for k, one in enumerate(populations)], rng)
        return msgspec.convert(
            {
                "name": f"{self.name}-{index}",
                "title": f"{self.name} {index}",
                "start": start.isoformat(),
                "duration_s": duration_s,
                "seed": rng.getrandbits(31),
                "country": rng.choice(WORLDS[self.world]["countries"]),
                "regime": self.vendors,
                "network": {"loss_ratio": rng.choice((0, 0, 0.01)), "reorder_ratio": rng.choice((0, 0, 0.01))}
                | {"remote_busy": mirror.random() < REMOTE_BUSY_TOWNS},
                "capture": {"drop_ratio": rng.choice(self.drops), "direction": mirror.choice(self.directions)},
                "media": media(mirror, ears, drawn(WORLDS[self.world].get("mailbox_ratio", 0.0), ears)),
                "scripted_ratio": mirror.choice(scripted),
                "population": populations,
            },
            Scenario,
        )

    def _campaigns(self, part: Part) -> tuple[int, ...]:
        """How many of a fraud there may be in a town, each count as likely as the next."""
        if self.frauds:
            return (0, 1, 2, 3) if part["kind"] in self.frauds else (0,)
        return (0, 1, 2) if part["kind"] in ONE_ADDRESS_EACH else (0, 0, 0, 1)


def media(rng: Random, ears: Random, mailbox_ratio: float) -> Part:
    """Whether the mirror shows RTP: that of half of the towns, the first seconds of half of the calls. One call in a
    hundred or so is silent on one side, and honest. In some towns, laboratories, a file is played in every call."""
    if rng.random() < 0.5:
        return {}
    return {
        "share": rng.choice((0.2, 0.5, 0.8)),
        "limit_s": MEDIA_S,
        "one_way_ratio": rng.choice((0.003, 0.01, 0.03)),
        "mailbox_ratio": mailbox_ratio,
        "voices": ears.choice(LABORATORIES),
    }


def can_be_carried(trunk: Part, campaign: Part) -> bool:
    """Not what already has a trunk of its own, or addresses of its own."""
    carried = CARRIED_BY_FIRMS if trunk["kind"] == "office" else CARRIED
    return campaign["kind"] in carried and "on_trunk" not in campaign


def on(trunk: Part, campaign: Part) -> Part:
    """The campaign, carried by this trunk: a variant of its own."""
    return campaign | {"on_trunk": [trunk["name"]], "variant": f"{campaign['variant']}_carried"}


def on_trunks(populations: list[Part], rng: Random) -> list[Part]:
    """The populations, those `on_trunk` put on the trunk of one of the honest parts they name, or left out."""
    settled_in = []
    for one in populations:
        hosts = one.pop("on_trunk", None)
        if hosts is not None:
            carriers = [host["name"] for host in populations if base_name(host["name"]) in hosts]
            if not carriers:
                continue
            one["through"] = rng.choice(carriers)
        settled_in.append(one)
    return settled_in


def base_name(name: str) -> str:
    """The name of a population as its world gives it, without its number in the town."""
    stem, _, number = name.rpartition("-")
    return stem if number.isdigit() else name


def settled(part: Part, rng: Random, duration_s: float, soon: bool = False) -> Part:
    """The part with its values drawn, but those of what is heard: they have chance of their own. A fraud may begin when
    honest life is under way, or with the capture."""
    values = {key: value if key == "sounds" else drawn(value, rng) for key, value in part.items()}
    if "variant" in values:
        values["after_s"] = rng.uniform(0, 0.5) * duration_s * (not soon or rng.random() < 0.5)
    elif soon and values["kind"] in BEGINNINGS:
        values[BEGINNINGS[values["kind"]]] = rng.uniform(0, 0.3) * duration_s
    return values


def drawn(value: Any, rng: Random) -> Any:
    """A value of a world: itself, or drawn as it says. Of a table each entry is drawn."""
    if not isinstance(value, dict):
        return value
    if not value.keys() <= {"among", "between", "rate", "whole"}:
        return {key: drawn(inner, rng) for key, inner in value.items()}
    ((how, arguments),) = value.items()
    if how == "among":
        return rng.choice(arguments)
    low, high = arguments
    if how == "between":
        return rng.uniform(low, high)
    found = low * (high / low) ** rng.random()
    return round(found) if how == "whole" else found


# Teaching sees bad captures, too: boxes are set up on what mirrors there are.
BAD_CAPTURES = (0, 0, 0, 0, 0.01, 0.03, 0.05, 0.2)
MIRRORS = ("both",) * 8 + ("to_server", "from_server")
GOOD_MIRRORS = ("both",) * 14 + ("to_server", "from_server")

# Many towns of minutes: what counts is how many towns have taught, not how many rows of each (docs/DETECTION.md).
TRAINING = Regime("training", "train", 1, 44, (1, 5), "training", BAD_CAPTURES, MIRRORS, 1800, 1200, (0, 0, 0.1))
# The same worlds under another seed: calibration and thresholds are set on calls that training has not seen.
CALIBRATION = Regime(
    "calibration", "train", 2, 24, (0.7, 3), "training", (0, 0, 0, 0.01, 0.03), GOOD_MIRRORS, 450, 300, (0, 0, 0.1)
)
HELD_OUT = Regime("held-out", "eval", 3, 16, (1, 4), "held_out", short=250, edges=180, scripted=(0, 0, 0.1))
# Numbers that rotate are a campaign's only when there are many of them: towns of their own.
ROTATING_TRAINING = Regime("training", "train", 21, 0, (1, 1), "rotating", BAD_CAPTURES, MIRRORS, short=700, edges=200)
ROTATING_CALIBRATION = Regime(
    "calibration", "train", 22, 0, (1, 1), "rotating", directions=GOOD_MIRRORS, short=120, edges=40
)
ROTATING_HELD_OUT = Regime("held-out", "eval", 23, 0, (1, 1), "rotating_held_out", short=50, edges=20)
# An address is one case, however much it does: the bundle for `source` rows has towns of its own, in which addresses
# are the fraud, and many of each kind; and some of half an hour, of a small world beside it.
OF_ADDRESSES = (*ONE_ADDRESS_EACH, "goip_gateway")
ADDRESSES_TRAINING = Regime(
    "training", "train", 11, 30, (0.3, 2), "training", BAD_CAPTURES, MIRRORS, frauds=OF_ADDRESSES
)
ADDRESSES_CALIBRATION = Regime("calibration", "train", 12, 14, (0.3, 2), "training", frauds=OF_ADDRESSES)
SHORT_TRAINING = Regime(
    "training", "train", 14, 60, (0.15, 0.6), "addresses", BAD_CAPTURES, MIRRORS, frauds=OF_ADDRESSES
)
SHORT_CALIBRATION = Regime(
    "calibration", "train", 15, 40, (0.15, 0.6), "addresses", directions=GOOD_MIRRORS, frauds=OF_ADDRESSES
)
ADDRESSES_HELD_OUT = Regime("held-out", "eval", 13, 12, (0.3, 3), "held_out", frauds=OF_ADDRESSES)
SHORT_HELD_OUT = Regime(
    "held-out", "eval", 16, 24, (0.15, 0.6), "addresses_held_out", directions=GOOD_MIRRORS, frauds=OF_ADDRESSES
)

# For each kind of row: what teaches, what tunes, what judges.
REGIMES = {
    "call": ((TRAINING, ROTATING_TRAINING), (CALIBRATION, ROTATING_CALIBRATION), (HELD_OUT, ROTATING_HELD_OUT)),
    "source": (
        (ADDRESSES_TRAINING, SHORT_TRAINING),
        (ADDRESSES_CALIBRATION, SHORT_CALIBRATION),
        (ADDRESSES_HELD_OUT, SHORT_HELD_OUT),
    ),
}


def shipped_judgement(seed: int | None = None) -> list[Scenario]:
    """The simulator's own scenarios for judging: written by hand, apart from these regimes. With a seed, drawn anew."""
    scenarios = [load(path) for path in sorted(SHIPPED.glob("eval_*.toml"))]
    if seed is None:
        return scenarios
    return [msgspec.structs.replace(one, seed=seed + k) for k, one in enumerate(scenarios)]
