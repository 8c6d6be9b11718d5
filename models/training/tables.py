"""The figures of a bundle's card as the tables of docs/DETECTION.md: `python -m models.training tables`."""

from collections.abc import Iterable
from typing import Any

from models.bundle import Bundle, Card, Evidence

Metrics = dict[str, Any]
TARGET_RECALL, TARGET_HONEST = 0.95, 0.005
JUDGES = {"held-out": "the held-out world", "judgement": "the scenarios written by hand"}


def tables(bundle: Bundle) -> str:
    """Markdown: for each set of judges its figures, and honest populations beside one another at the end."""
    card = bundle.card
    parts = [f"### `{card.name}`: what a flag needs", evidence(card)]
    for judge, words in JUDGES.items():
        metrics = bundle.numbers.metrics[judge]
        parts += [f"### `{card.name}`, {words}", summary(metrics), by_type(card, metrics)]
        parts += ["By the n-th call or row, share of callers and of whole campaigns named:", by_number(card, metrics)]
        parts += ["Flagged as shipped, by variant:", by_variant(card, metrics)]
    parts += [f"### `{card.name}`: honest actors flagged at least once", honest(bundle.numbers.metrics)]
    return "\n\n".join(parts)


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(share: float, digits: int = 2) -> str:
    return f"{100 * share:.{digits}f} %"


def figure(value: float | None, digits: int = 3) -> str:
    return "never" if value is None else f"{value:.{digits}f}"


def evidence(card: Card) -> str:
    return markdown(
        ("type", "watch", "flag", "evidence", "or flag"),
        [
            (
                one.fraud_type,
                f"{one.watch:.3f}",
                f"{one.flag:.4f}",
                asked([one.evidence] if one.evidence else []),
                "; ".join(f"{lower.flag:.4f} with {asked(lower.evidence)}" for lower in one.lower),
            )
            for one in card.classes
        ],
    )


def asked(evidence: list[Evidence]) -> str:
    return " and ".join(f"`{one.feature}` >= {one.minimum:g}" for one in evidence) or "none"


def summary(metrics: Metrics) -> str:
    precision = metrics["precision_at_prevalence"]
    return (
        f"{metrics['cases']:,} cases, {metrics['honest_cases']:,} honest: {percent(metrics['honest_flagged'], 3)} of "
        f"the honest flagged, {percent(metrics['honest_watched_or_flagged'])} watched or flagged; "
        f"{percent(metrics['fraud_flagged'], 1)} of the frauds flagged, "
        f"{percent(metrics['fraud_watched_or_flagged'], 1)} watched or flagged. AUC {metrics['auc']:.3f}, expected "
        f"calibration error {metrics['ece']:.3f}. Precision of a flag where fraud is one case in a hundred "
        f"{percent(precision['0.01'], 0)}, one in a thousand {percent(precision['0.001'], 0)}."
    )


def present(card: Card, metrics: Metrics) -> list[tuple[str, Metrics]]:
    return [(one.fraud_type, metrics[one.fraud_type]) for one in card.classes if metrics[one.fraud_type]["cases"]]


def by_type(card: Card, metrics: Metrics) -> str:
    head = ("type", "cases", "recall at 0.1 % false positives", "flagged", "named", "actors flagged",
            "campaigns flagged", "calls to name", "calls to flag", "seconds to flag")  # fmt: skip
    return markdown(
        head,
        [
            (
                name,
                f"{one['cases']:,}",
                figure(one["recall_at_fpr_0.001"]),
                figure(one["recall_flagged"]),
                figure(one["recall_named"]),
                f"{round(one['actors'] * one['actors_flagged'])} of {one['actors']}",
                f"{round(one['campaigns'] * one['campaigns_flagged'])} of {one['campaigns']}",
                figure(one["median_cases_to_name"], 1),
                figure(one["median_cases_to_flag"], 1),
                figure(one["median_seconds_to_flag"], 0),
            )
            for name, one in present(card, metrics)
        ],
    )


def by_number(card: Card, metrics: Metrics) -> str:
    found = present(card, metrics)
    numbers = sorted({int(n) for _, one in found for n in one["actors_named_by_case"]})
    return markdown(
        ("type", *(str(n) for n in numbers)),
        [(name, *(" / ".join(cells(one, str(n))) for n in numbers)) for name, one in found],
    )


def cells(one: Metrics, number: str) -> Iterable[str]:
    for key in ("actors_named_by_case", "campaigns_named_by_case"):
        yield f"{one[key][number]:.2f}" if number in one[key] else "-"


def by_variant(card: Card, metrics: Metrics) -> str:
    return markdown(
        ("type", "variants: calls flagged", "actors named by their second call"),
        [
            (
                name,
                variants(one["recall_flagged_by_variant"]),
                variants(one.get("actors_named_by_second_case_by_variant", {})),
            )
            for name, one in present(card, metrics)
        ],
    )


def variants(shares: dict[str, float | None]) -> str:
    return ", ".join(
        f"{variant.split('/')[-1].replace('_', ' ')} {'-' if share is None else format(share, '.2f')}"
        for variant, share in shares.items()
    )


def honest(metrics: Metrics) -> str:
    found = {judge: metrics[judge]["honest_actors_flagged"] for judge in JUDGES}
    populations = sorted({name for one in found.values() for name in one})
    return markdown(
        ("population", *JUDGES.values()),
        [
            (name.replace("_", " "), *(percent(one[name]) if name in one else "" for one in found.values()))
            for name in populations
        ],
    )


def targets(bundles: list[Bundle]) -> str:
    """What every type reaches of the recall that is aimed at, and honest populations that are over what is allowed."""
    rows, over = [], []
    for bundle in bundles:
        name, metrics = bundle.card.name, bundle.numbers.metrics
        for one in bundle.card.classes:
            found = [metrics[judge][one.fraud_type] for judge in JUDGES]
            recalls = [figure(part["recall_at_fpr_0.001"]) if part["cases"] else "" for part in found]
            reaches = "yes" if (found[0]["recall_at_fpr_0.001"] or 0) >= TARGET_RECALL else "**no**"
            rows.append((one.fraud_type, f"`{name}`", *recalls, reaches))
        for judge, words in JUDGES.items():
            shares = metrics[judge]["honest_actors_flagged"].items()
            over += [
                f"{population.replace('_', ' ')} {percent(share)} (`{name}`, {words})"
                for population, share in shares
                if share > TARGET_HONEST
            ]
    head = ("type", "bundle", *JUDGES.values(), f"reaches {TARGET_RECALL:g}")
    return (
        f"{markdown(head, rows)}\n\nHonest populations above {percent(TARGET_HONEST, 1)}: {'; '.join(over) or 'none'}."
    )


def blind_tables(bundle: Bundle, metrics: Metrics) -> str:
    """What a bundle says of rows that nobody has looked at."""
    flagged = {name: share for name, share in metrics["honest_actors_flagged"].items() if share}
    honest = "; ".join(f"{name.replace('_', ' ')} {percent(share)}" for name, share in flagged.items())
    parts = [summary(metrics), by_type(bundle.card, metrics), by_variant(bundle.card, metrics)]
    return "\n\n".join([*parts, f"Honest populations with an actor that is flagged: {honest or 'none'}."])


def shipped_tables() -> str:
    bundles = [Bundle.shipped(name) for name in ("call", "source")]
    parts = ["### Recall at 0.1 % false positives, against what is aimed at", targets(bundles)]
    return "\n\n".join([*parts, *(tables(bundle) for bundle in bundles)])
