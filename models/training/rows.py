"""Labelled feature rows: what training and evaluation work on."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from models.fraud_types import BIT_OF


@dataclass(slots=True)
class Rows:
    """n rows, in the order of time within each capture.

    A case is what gets one label: a call (rows at setup, answer and end) or a source (a row each time it is
    scored). An actor is who stands behind cases: a caller, or the source itself.
    """

    features: np.ndarray  # float32 [n, features], NaN: not known
    types: np.ndarray  # uint32 [n]: mask of the fraud types that are truly at work; 0 is honest
    population: np.ndarray  # str [n]: which honest population or fraud variant
    case: np.ndarray  # int64 [n]
    actor: np.ndarray  # int64 [n]
    time_ns: np.ndarray  # int64 [n]

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, chosen: np.ndarray) -> "Rows":
        return Rows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def concatenate(cls, parts: list["Rows"]) -> "Rows":
        """One after the other; cases and actors of different parts stay different."""
        cases = np.cumsum([0] + [part.case.max(initial=-1) + 1 for part in parts])
        actors = np.cumsum([0] + [part.actor.max(initial=-1) + 1 for part in parts])
        shifted = [
            Rows(part.features, part.types, part.population, part.case + case, part.actor + actor, part.time_ns)
            for part, case, actor in zip(parts, cases, actors, strict=False)
        ]
        return cls(*(np.concatenate([getattr(part, field.name) for part in shifted]) for field in fields(cls)))

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> "Rows":
        with np.load(path, allow_pickle=False) as stored:
            return cls(*(stored[field.name] for field in fields(cls)))


def concerned(rows: Rows, types: list[str]) -> Rows:
    """Those that are honest or of these fraud types. Other frauds are no examples of honesty."""
    mask = sum(BIT_OF[name] for name in types)
    return rows[(rows.types == 0) | (rows.types & mask != 0)]


def thinned(rows: Rows, group: np.ndarray, most: int, seed: int) -> Rows:
    """At most so many of each group, int [n], drawn at random, in the order they were in."""
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    order = shuffled[np.argsort(group[shuffled], kind="stable")]
    _, starts, counts = np.unique(group[order], return_index=True, return_counts=True)
    rank = np.arange(len(rows)) - np.repeat(starts, counts)
    return rows[np.sort(order[rank < most])]


def case_maxima(values: np.ndarray, case: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[n, ...] -> (the cases, ascending; the highest value of each): a verdict, once reached, stays."""
    order = np.argsort(case, kind="stable")
    cases, starts = np.unique(case[order], return_index=True)
    return cases, np.maximum.reduceat(values[order], starts, axis=0)
