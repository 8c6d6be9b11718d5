"""Writing a bundle's folder."""

import hashlib
import math
from pathlib import Path

import msgspec
import numpy as np

from models.bundle import CARD_FILE, MODEL_FILE, NUMBERS_FILE, Bundle, Card, Numbers

FIGURES = 6  # significant digits of metrics: more is noise


def write_bundle(path: Path, card: Card, numbers: Numbers, model: bytes) -> Bundle:
    """Writes the three files into the folder `path`, and reads them back. The card's digests and size are filled in
    here."""
    numbers = msgspec.structs.replace(numbers, metrics=rounded(numbers.metrics))
    content = msgspec.json.format(msgspec.json.encode(numbers), indent=1) + b"\n"
    card = msgspec.structs.replace(
        card,
        model_sha256=hashlib.sha256(model).hexdigest(),
        model_bytes=len(model),
        numbers_sha256=hashlib.sha256(content).hexdigest(),
    )
    path.mkdir(parents=True, exist_ok=True)
    (path / MODEL_FILE).write_bytes(model)
    (path / NUMBERS_FILE).write_bytes(content)
    (path / CARD_FILE).write_bytes(msgspec.toml.encode(card))
    return Bundle.load(path)


def short(values: np.ndarray) -> list[float]:
    """float32 values as the shortest decimals that read back as the same float32."""
    return [float(str(value)) for value in np.asarray(values, np.float32)]


def known(values: np.ndarray) -> list[float | None]:
    """As `short`, with None for NaN: not known."""
    return [None if math.isnan(value) else value for value in short(values)]


def rounded(value):
    """Metrics to FIGURES digits. Those of nothing (NaN) are written as null."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, float):
        return float(f"{value:.{FIGURES}g}")
    return value
