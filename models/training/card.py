"""Writing a bundle's folder."""

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import tomli_w

from models.bundle import CARD_FILE, MODEL_FILE, Card

FIGURES = 6  # significant digits of metrics: more is noise


def write_bundle(path: Path, card: Card, model: bytes) -> None:
    """Writes model.tflite and bundle.toml into the folder `path`; the card's digest and size are filled in here."""
    card = msgspec.structs.replace(card, model_sha256=hashlib.sha256(model).hexdigest(), model_bytes=len(model))
    path.mkdir(parents=True, exist_ok=True)
    (path / MODEL_FILE).write_bytes(model)
    content = without_none(msgspec.to_builtins(card))
    content["metrics"] = rounded(content["metrics"])
    (path / CARD_FILE).write_text(tomli_w.dumps(content), encoding="utf-8")


def short(values: np.ndarray) -> list[float]:
    """float32 values as the shortest decimals that read back as the same float32."""
    return [float(str(value)) for value in np.asarray(values, np.float32)]


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, float):
        return float(f"{value:.{FIGURES}g}")
    return value


def without_none(value):
    """TOML has no null: what is None is left out."""
    if isinstance(value, dict):
        return {key: without_none(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_none(inner) for inner in value]
    return value
