"""Prints: tables and colours for people at a terminal, plain text or JSON elsewhere."""

import codecs
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from fsm.domain.masking import masked_text
from payment_service.cli.tables import Fall, folded, lay_out
from payment_service.cli.tables import pairs as lines_of_pairs

Row = Sequence[object]
BOLD: Final = 1
GREEN: Final = 32
YELLOW: Final = 33
RED: Final = 31
NOTHING_FALLS: Final = Fall()
_KEPT: Final = frozenset("\n\t")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
# A terminal may obey these; JSON can say them otherwise.
_OBEYED: Final = re.compile(
    r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069]+"
)


def print_json_line(value: object) -> None:
    """Print one JSON document in one line."""
    print_json(value, indented=False)


def print_json(value: object, *, indented: bool = True) -> None:
    """Print one JSON document; escaped where the output is in no UTF-8."""
    options = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if indented else 0)
    try:
        text = orjson.dumps(value, option=options).decode()
    except orjson.JSONEncodeError:
        # The name of a file may be no text at all.
        plain = json.dumps(
            value, ensure_ascii=False, indent=2 if indented else None, default=str
        )
        text = plain.encode("utf-8", "replace").decode()
    escaped = _OBEYED if _is_utf8() else _NOT_ASCII
    sys.stdout.write(escaped.sub(_escaped, text) + "\n")


def _is_utf8() -> bool:
    try:
        return codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    except LookupError:
        return False


def _escaped(sign: re.Match[str]) -> str:
    """Return signs as JSON writes them in ASCII."""
    return "".join(f"\\u{code:04x}" for code in _utf16(sign[0]))


def _utf16(text: str) -> Sequence[int]:
    return memoryview(text.encode("utf-16-le")).cast("H")


def print_text(text: str) -> None:
    """Print lines; what a terminal would obey is not passed on to it."""
    sys.stdout.write(plainly(text.rstrip("\n")) + "\n")


def plainly(text: str) -> str:
    """Return text with ``?`` for whatever would move a cursor, or turn it around."""
    if text.isprintable():
        return text
    return "".join(s if s.isprintable() or s in _KEPT else "?" for s in text)


def is_terminal() -> bool:
    """True where a person looks on."""
    return sys.stdout.isatty()


def console(*, stderr: bool = False) -> Any:  # noqa: ANN401 - imported on demand
    """Return a console that is plain, and never folds a line, without a terminal."""
    from rich.console import Console  # noqa: PLC0415 - only commands that print pay

    return Console(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)


def terminal_width() -> int:
    """Return how many cells a line of the terminal has."""
    return shutil.get_terminal_size().columns


def styled(text: str, *codes: int) -> str:
    """Return text in a style, by codes of ECMA-48, where a person wants to see any."""
    return f"\x1b[{';'.join(map(str, codes))}m{text}\x1b[0m" if _has_colours() else text


def _has_colours() -> bool:
    """Return whether to style: NO_COLOR and FORCE_COLOR decide where they are set."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal() and os.environ.get("TERM") != "dumb"


def print_table(
    columns: Sequence[str],
    rows: Iterable[Row],
    *,
    empty: str,
    fall: Fall = NOTHING_FALLS,
    wide: bool = False,
) -> None:
    """Print rows as a table that fits the terminal; whole where it is ``wide``.

    Without a terminal every row is a line of all its cells with tabs between them.
    """
    shown = [[_text(cell) for cell in row] for row in rows]
    if not shown:
        print_text(empty)
        return
    if not is_terminal():
        for row in ([*columns], *shown):
            print_text("\t".join(row))
        return
    width = sys.maxsize if wide else terminal_width()
    laid = lay_out(columns, shown, fall, width=width)
    if laid.head is not None:
        print_styled(laid.head, BOLD)
    print_text("\n".join(laid.lines))
    if laid.missing:
        columns_more = "column" if laid.missing == 1 else "columns"
        print_text(f"… --wide shows {laid.missing} more {columns_more}")
    elif laid.is_shortened:
        print_text("… --wide shows texts in full")


def print_cells(cells: Row) -> None:
    """Print one row as a pipe gets it: in one line, with tabs between its cells."""
    print_text("\t".join(map(_text, cells)))


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values, one a line; what there is none of is left out."""
    told = {name: _text(value) for name, value in pairs.items() if value is not None}
    width = terminal_width() if is_terminal() else sys.maxsize
    for line in lines_of_pairs(told, width=width):
        print_text(line)


def print_prose(text: str, *, indent: int = 0) -> None:
    """Print a sentence; on a terminal it is folded between words, and no id with it."""
    width = terminal_width() if is_terminal() else sys.maxsize
    one_line = plainly(text).replace("\n", "?").replace("\t", "?")
    print_text("\n".join(folded(one_line, width=width, indent=indent)))


def print_styled(text: str, *codes: int, more: str = "") -> None:
    """Print text in a style, and ``more`` after it in none."""
    sys.stdout.write(styled(plainly(text), *codes) + plainly(more) + "\n")


def heading(text: str) -> None:
    """Print a heading."""
    print_text("")
    print_styled(text, BOLD)


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    text = orjson.dumps(cell).decode() if isinstance(cell, dict | list) else str(cell)
    # What came from outside must not move the cursor or fold the table.
    text = masked_text(text)
    return "".join(sign if sign.isprintable() else "?" for sign in text)
