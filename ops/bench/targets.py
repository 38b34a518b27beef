"""What each figure is held against; a figure that misses is printed, never hidden."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

MET: Final = "met"
MISSED: Final = "MISSED"


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value, and the bound it should keep where it has one."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return whether the bound is kept; nothing where there is none."""
        if self.at_most is not None:
            return MET if self.value <= self.at_most else MISSED
        if self.at_least is not None:
            return MET if self.value >= self.at_least else MISSED
        return ""

    @property
    def bound(self) -> str:
        """Return the bound in words."""
        if self.at_most is not None:
            return f"≤ {_number(self.at_most)} {self.unit}".rstrip()
        if self.at_least is not None:
            return f"≥ {_number(self.at_least)} {self.unit}".rstrip()
        return ""

    def as_json(self) -> dict[str, object]:
        """Return the figure for a results file."""
        return {**asdict(self), "verdict": self.verdict}


def _number(value: float) -> str:
    if value != 0 and abs(value) < 10:  # noqa: PLR2004 - two digits say enough above it
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"  # noqa: PLR2004


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table, which reads well as text too."""
    rows = [("figure", "value", "target", "", "note")]
    rows += [
        (f.name, f"{_number(f.value)} {f.unit}".rstrip(), f.bound, f.verdict, f.note)
        for f in figures
    ]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(_line(row, widths) for row in (rows[0], rule, *rows[1:]))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
