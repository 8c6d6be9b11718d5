"""What the shipped bundles lose when something is missing: agent strings, identity headers, packets, a direction.

`python -m models.training ablations`: a few towns of the held-out regime, judged by the code that judges bundles.
What a header says is taken out of the rows; what a capture loses is lost by the capture, so that everything behind it
suffers: the calls, the profiles, the streams.
"""

import msgspec
import numpy as np

from models.bundle import Bundle
from models.fraud_types import BIT_OF
from models.scorer import Scorer
from models.training.collect import collect
from models.training.evaluation import FALSE_POSITIVE_RATE, share, stand
from models.training.regimes import HELD_OUT
from models.training.rows import Rows, case_maxima, concerned
from models.verdict import FLAG, WATCH
from simulator.scenario import Capture, Scenario

TOWNS = 8
MOST_SECONDS = 3 * 3600.0  # of each

WHOLE = "whole"
CAPTURES = {
    WHOLE: Capture(),
    "1 % lost": Capture(drop_ratio=0.01),
    "5 % lost": Capture(drop_ratio=0.05),
    "20 % lost": Capture(drop_ratio=0.2),
    "only to the server": Capture(direction="to_server"),
    "only from the server": Capture(direction="from_server"),
}
# Features, by what they need, and the value of a row that does not have it.
BLINDFOLDS = {
    "no User-Agent": {
        "agent_contradicted": np.nan,
        "source_agent_change_ratio": 0.0,
        "agent_change_ratio": 0.0,
        "source_contradicted_ratio": 0.0,
    },
    "no identity headers": {
        "asserted_differs": np.nan,
        "attestation": np.nan,
        "verstat": np.nan,
        "diverted": np.nan,
        "privacy_requested": np.nan,
        "source_asserted_differs_ratio": 0.0,
        "source_asserted_abroad_day": 0.0,
        "asserted_blocks_day": np.nan,
        "shown_accounts_day": np.nan,
    },
}


def towns(count: int) -> list[Scenario]:
    """The first towns of the held-out regime, cut short."""
    return [
        msgspec.structs.replace(one, duration_s=min(one.duration_s, MOST_SECONDS)) for one in HELD_OUT.draw()[:count]
    ]


def ablations(count: int = TOWNS) -> dict[str, dict[str, dict[str, float]]]:
    """Bundle -> what is missing -> figures."""
    scenarios = towns(count)
    rows = {
        name: collect([msgspec.structs.replace(one, capture=capture) for one in scenarios])
        for name, capture in CAPTURES.items()
    }
    found: dict[str, dict[str, dict[str, float]]] = {}
    for kind in ("call", "source"):
        scorer = Scorer(Bundle.shipped(kind))
        found[kind] = {name: figures(scorer, part[kind]) for name, part in rows.items()}
        for name, blindfold in BLINDFOLDS.items():
            found[kind][name] = figures(scorer, blinded(rows[WHOLE][kind], scorer.bundle.card.features, blindfold))
    return found


def blinded(rows: Rows, features: list[str], blindfold: dict[str, float]) -> Rows:
    """The rows without what the blindfold names."""
    kept = rows[np.arange(len(rows))]
    for name, value in blindfold.items():
        if name in features:
            kept.features[:, features.index(name)] = value
    return kept


def figures(scorer: Scorer, rows: Rows) -> dict[str, float]:
    """Shares of the cases: of frauds by type at the usual false positive rate, as shipped, and of honest ones."""
    types = [one.fraud_type for one in scorer.bundle.card.classes]
    rows = concerned(rows, types)
    scores = scorer.score(rows.features)
    stand(scorer, rows, scores)
    _, truth = case_maxima(rows.types, rows.case)
    _, verdict = case_maxima(scores.verdict, rows.case)
    _, highest = case_maxima(scorer.class_log_odds(scorer.encode(rows.features)), rows.case)
    honest = truth == 0
    found = {
        "cases": float(len(truth)),
        "honest_flagged": share(verdict[honest] == FLAG),
        "honest_watched_or_flagged": share(verdict[honest] >= WATCH),
        "fraud_flagged": share(verdict[~honest] == FLAG),
        "fraud_watched_or_flagged": share(verdict[~honest] >= WATCH),
    }
    for index, name in enumerate(types):
        mine = truth & BIT_OF[name] != 0
        bar = np.sort(highest[honest, index])[::-1][int(FALSE_POSITIVE_RATE * honest.sum())]
        if mine.any():
            found[name] = share(highest[mine, index] > bar)
    return found


def table(found: dict[str, dict[str, float]]) -> str:
    """Markdown: a row for each figure, a column for what is missing."""
    names = list(found)
    lines = [f"| | {' | '.join(names)} |", f"|---|{'--:|' * len(names)}"]
    for figure in found[WHOLE]:
        cells = [f"{found[name][figure]:.4g}" if figure in found[name] else "" for name in names]
        lines.append(f"| {figure} | {' | '.join(cells)} |")
    return "\n".join(lines)
