"""Writing a bundle's folder."""

import hashlib
import math
from pathlib import Path

import msgspec
import numpy as np

from models.bundle import CARD_FILE, MODEL_FILE, Card

FIGURES = 6  # significant digits of metrics: more is noise


def write_bundle(path: Path, card: Card, model: bytes) -> None:
    """Writes model.tflite and bundle.json into the folder `path`; the card's digest and size are filled in here."""
    card = msgspec.structs.replace(
        card,
        model_sha256=hashlib.sha256(model).hexdigest(),
        model_bytes=len(model),
        metrics=rounded(card.metrics),
    )
    path.mkdir(parents=True, exist_ok=True)
    (path / MODEL_FILE).write_bytes(model)
    (path / CARD_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n")


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
