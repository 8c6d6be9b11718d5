"""The geometry of charts: templates draw it as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

WIDTH, HEIGHT = 640, 180
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 10, 24
TICKS = 4


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid with its text; `at` is x or y."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One series: `path` is the `d` of an SVG path."""

    name: str
    path: str
    highest: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of some series over time, in a view box of WIDTH x HEIGHT."""

    lines: list[Line]
    rows: list[Tick]
    columns: list[Tick]


def chart(
    series: Mapping[str, Sequence[tuple[int, float]]], since_ns: int, until_ns: int, span_s: int, share: bool = False
) -> Chart:
    """Lines through (time_ns, value). Spans without a value break a line: nothing was reported, which is not 0.
    `share`: values are shares of one, and the scale says percent."""
    most = max((value for points in series.values() for _, value in points), default=0.0)
    top = _round_up(most, share)

    def x(time_ns: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (time_ns - since_ns) / (until_ns - since_ns)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    lines = []
    for name, points in series.items():
        path, last = [], None
        for time_ns, value in points:
            follows = last is not None and time_ns - last <= span_s * 10**9
            # a point alone is a short line, else it would not be seen
            path.append(f"{'L' if follows else 'M'}{x(time_ns):.1f} {y(value):.1f}" + ("" if follows else "h1"))
            last = time_ns
        lines.append(Line(name, "".join(path), max((value for _, value in points), default=0.0)))
    rows = [Tick(y(top * k / TICKS), _number(top * k / TICKS, share)) for k in range(TICKS + 1)]
    step = (until_ns - since_ns) // TICKS
    form = "%H:%M" if until_ns - since_ns <= 2 * 86_400 * 10**9 else "%m-%d"
    columns = [
        Tick(x(since_ns + k * step), f"{datetime.fromtimestamp((since_ns + k * step) // 10**9, UTC):{form}}")
        for k in range(TICKS + 1)
    ]
    return Chart(lines, rows, columns)


def _round_up(value: float, share: bool) -> float:
    """1, 2 or 4 times a power of ten (and so divided well by TICKS) that is not below the value."""
    least = 0.001 if share else float(TICKS)
    scale = 10.0**-4
    while True:
        for factor in (1, 2, 4):
            if factor * scale >= max(value, least):
                return factor * scale
        scale *= 10


def _number(value: float, share: bool) -> str:
    if share:
        return f"{value:.3g}".rstrip(".") if value == 0 else f"{value * 100:.3g}%"
    for divisor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= divisor:
            return f"{value / divisor:.3g}{unit}"
    return f"{value:g}"
