"""A scenario: populations, network and capture, a duration and a seed, read from a TOML file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from simulator.errors import ScenarioError
from simulator.frauds.call_pumping import CallPumping
from simulator.frauds.caller_spoofing import CallerSpoofing
from simulator.frauds.false_answer import FalseAnswer
from simulator.frauds.flash_call import FlashCall
from simulator.frauds.goip_gateway import GoipGateway
from simulator.frauds.irsf import Irsf
from simulator.frauds.password_guessing import PasswordGuessing
from simulator.frauds.prefix_scan import PrefixScan
from simulator.frauds.robocall import Robocall
from simulator.frauds.scans import OptionsScan, RegistrationScan
from simulator.frauds.tdos import Tdos
from simulator.frauds.toll_fraud import TollFraud
from simulator.frauds.vishing import Vishing
from simulator.frauds.wangiri import Wangiri
from simulator.honest.abroad import ForeignFamilies, TravelAgency, Travellers
from simulator.honest.calling_service import CallingService
from simulator.honest.couriers import Couriers
from simulator.honest.crowds import Conference, MassNotification, ServiceLine
from simulator.honest.exchanges import NewExchange, NumberPorting, PbxReboot
from simulator.honest.fax import Fax
from simulator.honest.forwarding import Forwarding
from simulator.honest.households import Households
from simulator.honest.load_test import LoadTest
from simulator.honest.machines import Alarms, Reminders
from simulator.honest.misdial import Misdial
from simulator.honest.offices import CallCentre, Office
from simulator.honest.redial import Redial
from simulator.honest.registrations import Keepalives, Monitoring, PasswordChange, Registrations
from simulator.honest.signals import MissedCallFriends
from simulator.honest.small_exchange import SmallExchange
from simulator.honest.wholesale import Interconnect, Wholesale
from simulator.keys import NoneOrMore, Positive, Ratio
from simulator.numbers import Country
from simulator.vendors import SCRIPTED, STYLES, Regime

SHIPPED = Path(__file__).parent / "scenarios"

Population = (
    Households
    | Office
    | CallCentre
    | CallingService
    | Forwarding
    | Couriers
    | Reminders
    | Alarms
    | Fax
    | Conference
    | ServiceLine
    | MassNotification
    | Wholesale
    | Interconnect
    | ForeignFamilies
    | TravelAgency
    | Travellers
    | MissedCallFriends
    | Redial
    | Misdial
    | SmallExchange
    | LoadTest
    | NewExchange
    | PbxReboot
    | NumberPorting
    | Registrations
    | PasswordChange
    | Keepalives
    | Monitoring
    | GoipGateway
    | Wangiri
    | Robocall
    | Vishing
    | Irsf
    | TollFraud
    | PrefixScan
    | RegistrationScan
    | PasswordGuessing
    | OptionsScan
    | Tdos
    | CallerSpoofing
    | FlashCall
    | CallPumping
    | FalseAnswer
)


class Network(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What happens to packets between the ends and on the way to the capture."""

    delay_ms: float = 15.0  # one way, median
    jitter_ms: float = 2.0  # of RTP, mean of an exponential
    loss_ratio: Ratio = 0.0  # lost between the ends: SIP is retransmitted, RTP is missing
    duplicate_ratio: Ratio = 0.0  # seen twice by the capture
    reorder_ratio: Ratio = 0.0  # held back by a few milliseconds, so that it arrives after later packets
    remote_busy: bool = False  # the server hands on what a gateway of SIM cards says of a busy line


class Capture(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the capture keeps."""

    resolution: Literal["ns", "us"] = "ns"
    snaplen_bytes: int = 65_535
    drop_ratio: Ratio = 0.0  # lost by the capture alone: the ends do not notice
    direction: Literal["both", "to_server", "from_server"] = "both"  # a mirror of one direction only


class Media(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """RTP of answered calls."""

    share: Ratio = 0.0  # of answered calls whose RTP is captured
    limit_s: float = 3600.0  # of one call's talk that is captured at most
    silence_suppression_ratio: Ratio = 0.2  # streams that send nothing while nobody speaks
    one_way_ratio: Ratio = 0.0  # calls in which one side is never heard: a NAT, a firewall, a wrong address
    mailbox_ratio: Ratio = 0.3  # calls that ring long before they are answered: by a mailbox, with its greeting
    voices: NoneOrMore = 0  # that all people have together, as where SIPp plays a file; 0: each has their own


class Scenario(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One scenario, as its file says it."""

    title: str
    start: datetime  # with an offset: the local time of the populations
    duration_s: Positive
    seed: int
    country: Country = "CN"  # home numbering plan, ISO 3166
    regime: Regime = "any"  # which vendors may appear: training and evaluation share some only
    scripted_ratio: Ratio = 0.0  # devices, of whomever, whose style is drawn at random instead of a product's
    calls: int = 0  # stop after this many calls; 0: at the end of the duration
    network: Network = msgspec.field(default_factory=Network)
    capture: Capture = msgspec.field(default_factory=Capture)
    media: Media = msgspec.field(default_factory=Media)
    population: list[Population]
    name: str = ""  # in labels, and part of the seed; empty: the file's name without .toml


def find(name: str | Path) -> Path:
    """A scenario file by path, or a shipped one by its bare name."""
    path = Path(name)
    shipped = SHIPPED / f"{name}.toml"
    return shipped if not path.exists() and path.name == str(name) and shipped.exists() else path


def load(name: str | Path) -> Scenario:
    """Read and check a scenario; raises ScenarioError that names the file and the key."""
    path = find(name)
    try:
        scenario = msgspec.toml.decode(path.read_bytes(), type=Scenario)
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    scenario.name = scenario.name or path.stem
    _check(path, scenario)
    return scenario


def _check(path: Path, scenario: Scenario) -> None:
    """What types alone cannot say."""
    if scenario.start.utcoffset() is None:
        raise ScenarioError(f"{path}: start needs an offset from UTC, such as +08:00")
    names = [population.name for population in scenario.population]
    for index, population in enumerate(scenario.population):
        where = f"{path}: population[{index}] ({population.name})"
        if names.count(population.name) > 1:
            raise ScenarioError(f"{where}: name is used twice")
        unknown = [vendor for vendor in population.vendors if vendor not in (SCRIPTED, *STYLES)]
        if unknown:
            raise ScenarioError(f"{where}: vendors: {unknown[0]} is not one of {', '.join(STYLES)}")
        through = getattr(population, "through", "")
        if through and through not in names:
            raise ScenarioError(f"{where}: through: no population is named {through}")
        if through and not scenario.population[names.index(through)].has_trunk:
            raise ScenarioError(f"{where}: through: {through} has no trunk")
