"""Dashboards and alerts, read: the queries that they ask, and where panels lie."""

import json
import re
from pathlib import Path

# What Prometheus itself says of a scrape, and the labels that it puts to each sample.
OF_PROMETHEUS = {"up"}
OF_TARGETS = {"instance", "job"}


def expressions(path: Path) -> list[str]:
    """The queries of a dashboard or of a file of rules."""
    if path.suffix == ".json":
        panels = json.loads(path.read_text())["panels"]
        return [target["expr"] for panel in panels for target in panel.get("targets", [])]
    # one line, or folded lines (`>-`) that are indented further
    found = re.findall(r"^        expr: (?:>-\n((?:          .*\n)+)|(.*)\n)", path.read_text(), re.MULTILINE)
    return [(folded or line) for folded, line in found]


def names_in(expression: str) -> set[str]:
    """The metrics that a query names."""
    return set(re.findall(r"\b(?:sipwarden_\w+|up\b)", expression))


def check(expression: str, names: set[str], labels: set[str]) -> None:
    """A query names something, and only samples and labels that there are."""
    named, known = names_in(expression), labels | OF_TARGETS
    assert named, expression
    assert named - names - OF_PROMETHEUS == set(), expression
    assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)) - known == set(), expression
    for grouped in re.findall(r"\bby \((.*?)\)", expression):
        assert set(re.split(r",\s*", grouped)) - known == set(), expression
    assert expression.count("(") == expression.count(")"), expression


def check_panels(path: Path) -> None:
    """The panels of a dashboard lie beside each other, within its 24 columns."""
    cells: set[tuple[int, int]] = set()
    for panel in json.loads(path.read_text())["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells, panel["title"]
        cells |= own
