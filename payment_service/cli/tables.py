"""Tables that fit a terminal: columns fall away whole, ids are never cut nor folded.

What falls away first is named by whoever has the table; prose is shortened before
that, and where not even two columns fit, each row stands by itself, line by line.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Cells = Sequence[str]
GAP: Final = 2
PROSE_MIN: Final = 16
"""Cells: to less than this no text is shortened; its column falls away."""


@dataclass(frozen=True, slots=True)
class Fall:
    """What a table does without where there is little room.

    ``first`` are the columns that fall away, the first one first; ``prose`` those whose
    texts may be shortened: never an id, an amount or a state.
    """

    first: Sequence[str] = ()
    prose: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Laid:
    """A table as it fits: ``missing`` columns of it fell away."""

    lines: Sequence[str]
    head: str | None
    missing: int = 0
    is_shortened: bool = False


def width_of(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - only for what is not ASCII

    return cell_len(text)


def lay_out(names: Cells, rows: Sequence[Cells], fall: Fall, *, width: int) -> Laid:
    """Fit a table into so many cells; every cell is one line of printable text."""
    needs = {
        name: max(map(width_of, (name, *(row[n] for row in rows))))
        for n, name in enumerate(names)
    }
    falling = [*fall.first, *fall.prose]
    while (room := _room(needs, fall.prose, width)) is None and len(needs) > 1:
        gone = next((name for name in falling if name in needs), None)
        if gone is None:
            return _one_by_one(names, rows, [*needs], width)
        del needs[gone]
    widths = needs if room is None else room
    places = [names.index(name) for name in widths]
    head, *lines = (
        _line([row[place] for place in places], [*widths.values()])
        for row in (names, *rows)
    )
    return Laid(lines, head, len(names) - len(widths), widths != needs)


def _room(
    needs: Mapping[str, int], prose: Sequence[str], width: int
) -> Mapping[str, int] | None:
    """Return the widths of columns that fit, prose as short as need be, or None."""
    over = sum(needs.values()) + GAP * (len(needs) - 1) - width
    widths = dict(needs)
    for name in prose:
        if over > 0 and name in widths:
            given = min(over, max(widths[name] - PROSE_MIN, 0))
            widths[name] -= given
            over -= given
    return None if over > 0 else widths


def _line(cells: Cells, widths: Sequence[int]) -> str:
    fitted = [_fitted(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return (" " * GAP).join(fitted).rstrip()


def _fitted(cell: str, width: int) -> str:
    missing = width - width_of(cell)
    if missing >= 0:
        return cell + " " * missing
    while width_of(cell) > width - 1:
        cell = cell[:-1]
    return cell + "…" + " " * (width - 1 - width_of(cell))


def _one_by_one(
    names: Cells, rows: Sequence[Cells], kept: Sequence[str], width: int
) -> Laid:
    lines: list[str] = []
    for row in rows:
        told = {name: row[names.index(name)] for name in kept}
        lines += ["", *pairs(told, width=width)] if lines else pairs(told, width=width)
    return Laid(lines, None, len(names) - len(kept))


def pairs(told: Mapping[str, str], *, width: int) -> Iterator[str]:
    """Give names and values, one a line; a long value in lines of its own."""
    indent = max((len(name) for name in told), default=0) + GAP
    for name, value in told.items():
        if indent + width_of(value) <= width:
            yield f"{name:<{indent}}{value}"
        else:
            yield name
            yield from folded(value, width=width, indent=GAP)


def folded(text: str, *, width: int, indent: int = 0) -> Sequence[str]:
    """Return text in lines of so many cells, folded between words and nowhere else."""
    if indent + width_of(text) <= width:
        return [" " * indent + text]
    return textwrap.wrap(
        text,
        max(width, indent + 1),
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
