"""A model bundle: a folder with `model.tflite`, `bundle.toml` (what it is, its thresholds and how it was taught) and
`numbers.json` (its encoding and its figures). The card has the digests of the others.

The shipped bundles are in `models/bundles/`, named after the rows they score.
"""

import hashlib
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from kernels.schema import CALL_FEATURES, CALL_SCHEMA_HASH, SOURCE_FEATURES, SOURCE_SCHEMA_HASH
from kernels.schema_subscriber import SUBSCRIBER_FEATURES, SUBSCRIBER_SCHEMA_HASH
from models.errors import BundleError
from models.fraud_types import FRAUD_TYPES

MODEL_FILE = "model.tflite"
CARD_FILE = "bundle.toml"
NUMBERS_FILE = "numbers.json"
SHIPPED = Path(__file__).parent / "bundles"

# A file of a bundle has at most some 100 kilobytes. The limit keeps a wrong one from being read into memory.
MAX_FILE_BYTES = 16 << 20

# What the rows of each kind hold in this program, and the hash that names its meaning.
SCHEMAS = {
    "call": (CALL_FEATURES, CALL_SCHEMA_HASH),
    "source": (SOURCE_FEATURES, SOURCE_SCHEMA_HASH),
    "subscriber": (SUBSCRIBER_FEATURES, SUBSCRIBER_SCHEMA_HASH),
}

Probability = Annotated[float, Meta(ge=0, le=1)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]  # SHA-256
Count = Annotated[int, Meta(ge=0)]

# Edges of the bins in which scores are counted for drift, and what the counts of a reference sum up to.
SCORE_KNOTS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95)
REFERENCE_ROWS = 100_000


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row that has less than `minimum` of `feature`, or does not know it, is at most watched."""

    feature: str
    minimum: float


class LowerBar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row that has all of this evidence is flagged from a lower probability on, even one that is not watched else."""

    evidence: list[Evidence]
    flag: Probability


class FraudClass(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One output of the model: P(fraud_type) = 1 / (1 + exp(-(slope * output + intercept)))."""

    fraud_type: str
    slope: float
    intercept: float
    watch: Probability
    flag: Probability
    evidence: Evidence | None = None
    lower: list[LowerBar] = []

    def bars(self) -> list[tuple[float, list[Evidence]]]:
        """From which probability on a row is flagged, and what it must have for that: any of these."""
        least = [self.evidence] if self.evidence else []
        return [(self.flag, least), *((one.flag, one.evidence) for one in self.lower)]


class TrainingCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model was taught on, for its model card."""

    data: str
    command: str
    seed: int
    scenarios: list[str]
    held_out: list[str]
    rows: dict[str, int]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the honest rows of the calibration set lie: counts, in REFERENCE_ROWS, by the bins of kernels/drift.pxd."""

    features: list[list[Count]]  # by the knots of each feature
    score: list[Count]  # by SCORE_KNOTS


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"schema_hash": "schema"}):
    """bundle.toml. Features go in the order of the row's columns."""

    name: str
    version: str
    rows: Literal["call", "source", "subscriber"]
    licence: str
    schema_hash: str
    model_sha256: Digest
    model_bytes: Annotated[int, Meta(ge=1, le=MAX_FILE_BYTES)]
    numbers_sha256: Digest
    features: list[str]
    classes: list[FraudClass]  # in the order of the model's outputs
    training: TrainingCard


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """numbers.json. Typical values and knots go in the order of the row's columns."""

    typical: list[float | None]  # median over honest rows that know the feature; None: never known
    knots: list[list[float]]  # of the encoding, see kernels/encode.pyx
    metrics: dict[str, Any] = {}
    reference: Reference | None = None  # None: whether rows drift cannot be told


class Bundle:
    """A bundle that has been read and checked."""

    def __init__(self, path: Path, card: Card, numbers: Numbers, model: bytes):
        self.path = path
        self.card = card
        self.numbers = numbers
        self.model = model
        self.features = SCHEMAS[card.rows][0]
        self.typical = [math.nan if one is None else one for one in numbers.typical]

    @property
    def label(self) -> str:
        """`name@version`, as reports carry it."""
        return f"{self.card.name}@{self.card.version}"

    @classmethod
    def load(cls, path: Path | str) -> "Bundle":
        """Reads a bundle's folder. Raises BundleError, which names the file and what is wrong with it."""
        path = Path(path)
        card = read_card(path / CARD_FILE)
        check_schema(path / CARD_FILE, card)
        return cls(path, card, read_numbers(path / NUMBERS_FILE, card), read_model(path / MODEL_FILE, card))

    @classmethod
    def shipped(cls, name: str) -> "Bundle":
        """The bundle that came with this version: `call`, `source` or `subscriber`."""
        return cls.load(SHIPPED / name)


def read_card(path: Path) -> Card:
    """bundle.toml, checked for itself (not against the schema of this program)."""
    try:
        card = msgspec.toml.decode(read_file(path), type=Card)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # DecodeError names the key or the line
        raise BundleError(f"{path}: {error}") from error
    if not card.classes:
        raise BundleError(f"{path}: classes: there are none")
    for one in card.classes:
        check_class(path, card, one)
    return card


def check_class(path: Path, card: Card, one: FraudClass) -> None:
    if one.fraud_type not in FRAUD_TYPES:
        raise BundleError(f"{path}: classes: {one.fraud_type!r} is not a fraud type")
    if not (math.isfinite(one.slope) and math.isfinite(one.intercept)):
        raise BundleError(f"{path}: classes: {one.fraud_type}: the calibration is not finite")
    if one.watch > one.flag:
        raise BundleError(f"{path}: classes: {one.fraud_type}: `watch` lies above `flag`")
    for _, evidence in one.bars():
        for asked in evidence:
            if asked.feature not in card.features:
                raise BundleError(f"{path}: classes: {one.fraud_type}: evidence: no feature {asked.feature!r}")


def read_numbers(path: Path, card: Card) -> Numbers:
    """numbers.json, which must be the very bytes that bundle.toml describes."""
    content = read_file(path)
    check_digest(path, content, card.numbers_sha256)
    try:
        numbers = msgspec.json.decode(content, type=Numbers)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # DecodeError names the key or the byte
        raise BundleError(f"{path}: {error}") from error
    columns = len(card.features)
    for key in ("typical", "knots"):
        if len(getattr(numbers, key)) != columns:
            raise BundleError(f"{path}: {key}: {len(getattr(numbers, key))} entries for {columns} features")
    for name, knots in zip(card.features, numbers.knots, strict=True):
        if len(knots) < 2 or len(knots) != len(numbers.knots[0]):
            raise BundleError(f"{path}: knots: {name}: every feature needs the same number, 2 or more")
        if not all(map(math.isfinite, knots)) or knots != sorted(knots):
            raise BundleError(f"{path}: knots: {name}: they must be finite and must not fall")
    if numbers.reference is not None:
        check_reference(path, numbers.knots, numbers.reference)
    return numbers


def check_reference(path: Path, knots: list[list[float]], reference: Reference) -> None:
    bins = [len(counts) for counts in (*reference.features, reference.score)]
    if bins != [*(len(row) + 2 for row in knots), len(SCORE_KNOTS) + 2]:
        raise BundleError(f"{path}: reference: it does not have the bins of the knots")


def check_schema(path: Path, card: Card) -> None:
    """The columns the model was taught on must be the columns this program makes."""
    ours, schema_hash = SCHEMAS[card.rows]
    if card.schema_hash != schema_hash:
        raise BundleError(
            f"{path}: schema: the bundle was made for {card.rows} rows of schema {card.schema_hash}, this program "
            f"makes schema {schema_hash}"
        )
    if card.features != [feature.name for feature in ours]:
        raise BundleError(f"{path}: features: they are not those of schema {schema_hash}")


def read_model(path: Path, card: Card) -> bytes:
    """model.tflite, which must be the very bytes that bundle.toml describes."""
    model = read_file(path)
    if len(model) != card.model_bytes:
        raise BundleError(f"{path}: {len(model)} bytes, bundle.toml says {card.model_bytes}: cut short or replaced")
    check_digest(path, model, card.model_sha256)
    return model


def check_digest(path: Path, content: bytes, wanted: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != wanted:
        raise BundleError(f"{path}: sha256 is {digest}, bundle.toml says {wanted}")


def read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
