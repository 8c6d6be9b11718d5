"""One bundle from labelled rows: encoding, network, calibration, thresholds, judgement, card."""

from pathlib import Path

import msgspec
import numpy as np

from models.bundle import SCHEMAS, Bundle, Card, Evidence, FraudClass, LowerBar, Numbers, TrainingCard
from models.drift import reference_of
from models.fraud_types import BIT_OF
from models.interpreter import Interpreter
from models.scorer import Scorer, encoder
from models.training import network
from models.training.blueprint import Blueprint
from models.training.calibration import FALSE_WATCH_COST, Honest, cost_bar, flag_bar, tail_platt, watch_bar
from models.training.card import known, short, write_bundle
from models.training.evaluation import evaluate
from models.training.knots import COUNTED, by_magnitude, evened, quantile_knots, unread
from models.training.regimes import CALIBRATION, HELD_OUT, REGIMES, TRAINING
from models.training.rows import Rows, concerned, targets_of, thinned
from models.training.timing import campaigns

VERSION = "0.1.0"
SEED = 20260101
LICENCE = "Apache-2.0"

# The sets of rows that a bundle is judged by.
JUDGES = (HELD_OUT.name, "judgement")

# Whose a feature of a call may be, and features that tell of an address without being its own.
PARTIES = ("caller", "callee", "source", "route")
OF_THE_ADDRESS = ("contact_numbers_day",)

# How many of the rows that may be are put on another trunk: of all cases of some frauds, of others those that tell.
# What a header says of a fraud is the same on any trunk, and says more than the crowd that shares it.
MOVED_RATIO, MOVED_BY_HEADER_RATIO = 0.2, 0.6
KNOWN_ANYWHERE = ("wangiri", "irsf", "toll_fraud", "tdos", "call_pumping")
BY_CALLER = BIT_OF["robocall"] | BIT_OF["vishing"] | BIT_OF["caller_spoofing"]
BY_ROUTE = BIT_OF["false_answer"]
HEADER = Evidence("asserted_differs", 1)
TOLD_BY = (Evidence("caller_evidence", 3), HEADER)

# What is known of the users whose passwords are tried, where their registrations, or tries of others, were seen. In the
# towns that teach most were; a box may have been started just now.
OF_OTHERS = (
    "source_failed_bound_day",
    "source_failed_shared_day",
    "source_failed_crowd_day",
    "source_failed_own_day",
)

# What only a gateway sends, and how many of the honest rows also teach as rows of a gateway that sends it: what else
# its address does is no matter.
PROOFS = ("goip_keepalives", "sim_bank_packets")
PROVEN_RATIO = 0.05

# Of the honest rows, those above this quantile take part in the calibration, together with frauds as high.
CALIBRATED_TAIL = 0.99

# Evidence that fewer honest actors have says nothing of the honest, and lowers no bar.
LEAST_ACTORS = 20


def build(blueprint: Blueprint, rows: dict[str, Rows], path: Path) -> Bundle:
    """Trains on rows["training"], calibrates on rows["calibration"], judges on rows["held-out"], writes `path`."""
    features, schema_hash = SCHEMAS[blueprint.rows]
    types = list(blueprint.evidence)
    rows = {name: concerned(part, types) for name, part in rows.items()}
    taught, tuning = evenly_thinned(rows[TRAINING.name], blueprint), rows[CALIBRATION.name]
    if blueprint.rows == "source":
        taught = Rows.concatenate([taught, proven(taught)])
    typical = typical_values(taught)
    knots = evened(quantile_knots(taught, blueprint.commonest_share), features)
    knots = by_magnitude(knots, features, COUNTED if blueprint.counts_by_magnitude else ())
    knots = unread(knots, [feature.name for feature in features])
    encoding = encoder(knots.tolist(), typical.tolist())
    encode = encoding.encode
    targets = targets_of(taught, types, blueprint.may_be)
    groups, weight = forgotten_together(blueprint.rows), weights(taught, blueprint.population_power)
    lesson = network.Lesson(
        encode(moved(taught, weight, groups) if blueprint.rows == "call" else taught.features),
        targets,
        weight,
        groups,
        encoding.missing,
        blueprint.epochs,
        blueprint.pupil_epochs,
        blueprint.hidden,
        blueprint.by_log_odds,
    )
    model = network.train(lesson, SEED, blueprint.teachers)
    card = Card(
        name=blueprint.rows,
        version=VERSION,
        rows=blueprint.rows,
        licence=LICENCE,
        schema_hash=schema_hash,
        model_sha256="0" * 64,
        model_bytes=1,
        numbers_sha256="0" * 64,
        features=[feature.name for feature in features],
        classes=calibrated(blueprint, model, encode(tuning.features), tuning),
        training=training_card(blueprint.rows, rows),
    )
    numbers = Numbers(typical=known(typical), knots=[short(row) for row in knots])
    scorer = Scorer(write_bundle(path, card, numbers, model))
    numbers = msgspec.structs.replace(
        numbers,
        metrics={name: evaluate(scorer, rows[name]) for name in JUDGES},
        reference=reference_of(scorer, tuning.features[tuning.types == 0]),
    )
    return write_bundle(path, card, numbers, model)


def evenly_thinned(rows: Rows, blueprint: Blueprint) -> Rows:
    """At most so many of each population, and of each population of one town few enough that many towns teach."""
    rows = thinned(rows, campaigns(rows), blueprint.town_rows, SEED)
    _, population = np.unique(rows.population, return_inverse=True)
    return thinned(rows, population, blueprint.population_rows, SEED)


def forgotten_together(rows: str) -> np.ndarray:
    """int [features]: of calls by whose each feature is; of sources, which are what their rows are about, what rests on
    registrations and tries of before."""
    features, _ = SCHEMAS[rows]
    if rows == "source":
        return np.array([0 if one.name in OF_OTHERS else -1 for one in features])
    whose = ["source" if one.name in OF_THE_ADDRESS else one.source for one in features]
    return np.array([PARTIES.index(one) if one in PARTIES else -1 for one in whose])


def moved(rows: Rows, weight: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """float32 [n, features]: the features, those of the address and the route in a part of the rows an honest call's,
    each population as often as it weighs; to rows that a header tells, as often as it calls: most are on trunks.

    What a caller does is to be known on any trunk, and in the towns that teach most campaigns have an address of their
    own. Rows stay whose fraud only their address gives away. A route that answers falsely does so to any trunk: such
    rows keep their route.
    """
    names = [feature.name for feature in SCHEMAS["call"][0]]
    rng = np.random.default_rng(SEED)
    honest = np.flatnonzero(rows.types == 0)
    by_header = (rows.types & BY_CALLER != 0) & enough(rows, names, [HEADER])
    often = np.where(by_header, MOVED_BY_HEADER_RATIO, MOVED_RATIO)
    chosen = np.flatnonzero((rng.random(len(rows)) < often) & movable(rows))
    donors = rng.choice(honest, len(chosen), p=weight[honest] / weight[honest].sum())
    told = by_header[chosen]
    donors[told] = rng.choice(honest, told.sum())
    features = rows.features.copy()
    by_route = rows.types[chosen] & BY_ROUTE != 0
    for party, put in (("source", np.ones(len(chosen), bool)), ("route", ~by_route)):
        place = np.flatnonzero(groups == PARTIES.index(party))
        features[np.ix_(chosen[put], place)] = rows.features[np.ix_(donors[put], place)]
    return features


def proven(rows: Rows) -> Rows:
    """Honest addresses, each population as often as any other, that send what a gateway sends beside SIP, too."""
    rng = np.random.default_rng(SEED)
    names = [feature.name for feature in SCHEMAS["source"][0]]
    columns = [names.index(name) for name in PROOFS]
    sent = rows.features[(rows.features[:, columns] > 0).any(axis=1) & (rows.types != 0)][:, columns]
    honest = np.flatnonzero(rows.types == 0)
    _, population, sizes = np.unique(rows.population[honest], return_inverse=True, return_counts=True)
    share = 1 / sizes[population]
    chosen = rows[rng.choice(honest, round(PROVEN_RATIO * len(honest)), p=share / share.sum())]
    chosen.features[:, columns] = rng.choice(sent, len(chosen))
    chosen.types[:] = BIT_OF["goip_gateway"]
    chosen.population = np.full(len(chosen), "goip_gateway/proven")
    return chosen


def movable(rows: Rows) -> np.ndarray:
    """bool [n]: honest, or a fraud that its caller's calls, its callee, its route or its headers give away."""
    names = [feature.name for feature in SCHEMAS["call"][0]]
    anywhere = BY_ROUTE | sum(BIT_OF[name] for name in KNOWN_ANYWHERE)
    told = np.any([enough(rows, names, [evidence]) for evidence in TOLD_BY], axis=0)
    return (rows.types == 0) | (rows.types & anywhere != 0) | ((rows.types & BY_CALLER != 0) & told)


def typical_values(rows: Rows) -> np.ndarray:
    """float32 [features]: medians over honest rows, each population counted once; NaN where none knows the feature."""
    honest = rows[rows.types == 0]
    medians = [known_median(honest.features[honest.population == name]) for name in np.unique(honest.population)]
    return known_median(np.stack(medians)).astype(np.float32)


def known_median(values: np.ndarray) -> np.ndarray:
    """The median of each column's known entries, NaN when there is none."""
    return np.array(
        [np.median(known) if len(known) else np.nan for known in (column[~np.isnan(column)] for column in values.T)]
    )


def weights(rows: Rows, power: float) -> np.ndarray:
    """float32 [n]: half for honest rows, half for fraud; within each half by the size of the population to a power;
    mean 1."""
    weight = np.zeros(len(rows))
    for name in np.unique(rows.population):
        chosen = rows.population == name
        weight[chosen] = chosen.sum() ** (power - 1)
    for half in (rows.types == 0, rows.types != 0):
        weight[half] /= 2 * weight[half].sum()
    return (weight * len(rows)).astype(np.float32)


def calibrated(blueprint: Blueprint, model: bytes, encoded: np.ndarray, rows: Rows) -> list[FraudClass]:
    """The outputs of the converted model made into probabilities, with their thresholds."""
    names = [feature.name for feature in SCHEMAS[blueprint.rows][0]]
    interpreter = Interpreter(model)
    outputs = (interpreter.run(encoded).astype(float) - interpreter.output_zero) * interpreter.output_scale
    honest = rows.types == 0
    classes = []
    for index, (name, evidence) in enumerate(blueprint.evidence.items()):
        truth = rows.types & BIT_OF[name] != 0
        # Frauds that are hardly known yet would make the sigmoid too shallow for those that are; other frauds are
        # neither examples of this one nor of its absence, for many are two at once.
        fitted = honest | (truth & enough(rows, names, [evidence]))
        slope, intercept = tail_platt(outputs[fitted, index], truth[fitted], blueprint.prevalence, CALIBRATED_TAIL)
        probability = 1 / (1 + np.exp(-(slope * outputs[:, index] + intercept)))
        innocent = Honest(probability[honest], rows.case[honest], rows.actor[honest], rows.population[honest])
        share = 1 / len(blueprint.evidence)
        watch = watch_bar(innocent, share)
        asked = [[evidence], *map(list, blueprint.lower.get(name, ()))]
        flags = [
            flag_bar(innocent, has, watch, blueprint.false_flag_cost, blueprint.margin, share, len(asked))
            for has in (enough(rows[honest], names, one) for one in asked)
        ]
        lower = [
            LowerBar(one, flag)
            for one, flag in zip(asked[1:], flags[1:], strict=True)
            if flag < flags[0] and len(np.unique(rows.actor[honest & enough(rows, names, one)])) >= LEAST_ACTORS
        ]
        for found, bar in ((blueprint.conclusive, cost_bar(FALSE_WATCH_COST)), (blueprint.proof, 0.0)):
            lower += [
                LowerBar(one, bar)
                for one in map(list, found.get(name, ()))
                if not enough(rows[honest], names, one).any()
            ]
        classes.append(FraudClass(name, slope, intercept, watch, flags[0], evidence, lower))
    return classes


def enough(rows: Rows, names: list[str], evidence: list[Evidence]) -> np.ndarray:
    """bool [n]: has all of the evidence; what is not known is none."""
    return np.all([rows.features[:, names.index(one.feature)] >= one.minimum for one in evidence], axis=0)


def training_card(kind: str, rows: dict[str, Rows]) -> TrainingCard:
    teaching, tuning, judging = REGIMES[kind]
    return TrainingCard(
        data="simulated only",
        command="make model",
        seed=SEED,
        scenarios=[f"{regime.name}: {regime.towns} drawn from seed {regime.seed}" for regime in (*teaching, *tuning)],
        held_out=[f"{one.name}: {one.towns} drawn from seed {one.seed}" for one in judging],
        rows={name: len(part) for name, part in rows.items()},
    )
