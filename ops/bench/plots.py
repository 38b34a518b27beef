"""Line charts as SVG, by hand: two logarithmic axes, one colour a line, a legend."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 720
HEIGHT: Final = 420
LEFT, RIGHT, TOP, BOTTOM = 70, 220, 40, 50
COLOURS: Final = (
    "#1f6feb",
    "#bf3989",
    "#1a7f37",
    "#9a6700",
    "#8250df",
    "#cf222e",
    "#57606a",
    "#0a7ea4",
)
STYLE: Final = "font-family:sans-serif;font-size:12px"
OPENING: Final = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
    f'width="{WIDTH}" height="{HEIGHT}" style="{STYLE}" role="img">'
)
BELOW: Final = (
    f'<text x="{(LEFT + WIDTH - RIGHT) // 2}" y="{HEIGHT - 12}" '
    'text-anchor="middle">{}</text>'
)
BESIDE: Final = (
    f'<text x="16" y="{HEIGHT // 2}" text-anchor="middle" '
    f'transform="rotate(-90 16 {HEIGHT // 2})">{{}}</text>'
)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis between two powers of its base."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Return where on the paper a value is."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def axis(values: Sequence[float], base: float, start: float, end: float) -> Axis:
    """Return an axis that has room for all the values."""
    low = base ** math.floor(math.log(min(values), base) + 1e-9)
    high = base ** math.ceil(math.log(max(values), base) - 1e-9)
    return Axis(low, high if high > low else low * base, start, end)


def ticks(on: Axis, base: float) -> Iterator[float]:
    """Return the powers of the base on an axis."""
    exponent = round(math.log(on.low, base))
    while base**exponent <= on.high * (1 + 1e-9):
        yield base**exponent
        exponent += 1


def lines(title: str, series: Mapping[str, Points], *, x: str, y: str) -> str:
    """Return a chart of these lines."""
    points = [point for each in series.values() for point in each]
    across = axis([p[0] for p in points], 4, LEFT, WIDTH - RIGHT)
    up = axis([p[1] for p in points], 10, HEIGHT - BOTTOM, TOP)
    parts = [
        OPENING,
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-weight="bold">{escape(title)}</text>',
        *_grid(across, up),
        BELOW.format(escape(x)),
        BESIDE.format(escape(y)),
    ]
    for n, (name, each) in enumerate(series.items()):
        parts += _line(name, each, across, up, n)
    return "\n".join([*parts, "</svg>", ""])


def _grid(across: Axis, up: Axis) -> Iterator[str]:
    for value in ticks(across, 4):
        at = across.place(value)
        yield (
            f'<line x1="{at:.1f}" y1="{up.start}" x2="{at:.1f}" y2="{up.end}" '
            'stroke="#d0d7de"/>'
        )
        yield (
            f'<text x="{at:.1f}" y="{up.start + 18}" '
            f'text-anchor="middle">{value:,.0f}</text>'
        )
    for value in ticks(up, 10):
        at = up.place(value)
        yield (
            f'<line x1="{across.start}" y1="{at:.1f}" x2="{across.end}" y2="{at:.1f}" '
            'stroke="#d0d7de"/>'
        )
        yield (
            f'<text x="{across.start - 8}" y="{at + 4:.1f}" '
            f'text-anchor="end">{value:,.0f}</text>'
        )


def _line(name: str, each: Points, across: Axis, up: Axis, n: int) -> Iterator[str]:
    colour = COLOURS[n % len(COLOURS)]
    path = " ".join(f"{across.place(a):.1f},{up.place(b):.1f}" for a, b in each)
    yield (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    )
    for a, b in each:
        yield (
            f'<circle cx="{across.place(a):.1f}" cy="{up.place(b):.1f}" r="3" '
            f'fill="{colour}"><title>{escape(name)}: {b:,.1f}</title></circle>'
        )
    at = TOP + 18 * n
    left = WIDTH - RIGHT + 16
    yield f'<rect x="{left}" y="{at}" width="12" height="4" fill="{colour}"/>'
    yield f'<text x="{left + 18}" y="{at + 7}">{escape(name)}</text>'
