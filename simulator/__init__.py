"""Labelled telephone traffic: honest populations and frauds, as a capture file with the truth beside it."""

from simulator.errors import ScenarioError
from simulator.scenario import Scenario, load
from simulator.simulation import Summary, run

__all__ = ["Scenario", "ScenarioError", "Summary", "load", "run"]
