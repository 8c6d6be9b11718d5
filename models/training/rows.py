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
    party: np.ndarray  # int64 [n]: of a call the caller at its address, of a source the address
    address: np.ndarray  # int64 [n]: that sent the requests

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, chosen: np.ndarray) -> "Rows":
        return Rows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def concatenate(cls, parts: list["Rows"]) -> "Rows":
        """One after the other; cases, actors and parties of different parts stay different."""
        columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(cls)}
        for name in ("case", "actor", "party", "address"):
            firsts = np.cumsum([0] + [numbers.max(initial=-1) + 1 for numbers in columns[name]])
            columns[name] = [numbers + first for numbers, first in zip(columns[name], firsts, strict=False)]
        return cls(**{name: np.concatenate(found) for name, found in columns.items()})

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


def targets_of(rows: Rows, types: list[str], may_be: dict[str, tuple[str, ...]]) -> np.ndarray:
    """float32 [n, types]: 1 for what is at work, 0 for what is not, NaN for what is not asked: a case of a type says
    nothing of the others that it may be, and an output is spared to tell the two apart."""
    at_work = np.stack([rows.types & BIT_OF[name] != 0 for name in types], axis=1)
    targets = at_work.astype(np.float32)
    for name, others in may_be.items():
        own = at_work[:, types.index(name)]
        for other in (types.index(other) for other in others):
            targets[own & ~at_work[:, other], other] = np.nan
    return targets


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
