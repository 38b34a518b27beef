"""Prints: tables and colours for people at a terminal, plain text or JSON elsewhere."""

import codecs
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from fsm.domain.masking import masked_text

Row = Sequence[object]
_KEPT: Final = frozenset("\n\t")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
# A terminal may obey these; JSON can say them otherwise.
_OBEYED: Final = re.compile(
    r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069]+"
)


def print_json(value: object) -> None:
    """Print one JSON document; escaped where the output is in no UTF-8."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    try:
        text = orjson.dumps(value, option=options).decode()
    except orjson.JSONEncodeError:
        # The name of a file may be no text at all.
        plain = json.dumps(value, ensure_ascii=False, indent=2, default=str)
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


def print_table(columns: Sequence[str], rows: Iterable[Row], *, empty: str) -> None:
    """Print rows as a table, as tab separated lines without a terminal."""
    shown = [[_text(cell) for cell in row] for row in rows]
    if not shown:
        print_text(empty)
        return
    if not is_terminal():
        for row in ([*columns], *shown):
            print_text("\t".join(row))
        return
    from rich.markup import escape  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in shown:
        table.add_row(*(escape(cell) for cell in row))
    console().print(table, soft_wrap=False)


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values, one a line; what there is none of is left out."""
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        if value is not None:
            print_text(f"{name:<{width}}  {_text(value)}")


def heading(text: str) -> None:
    """Print a heading."""
    print_text("")
    if is_terminal():
        console().print(f"[bold]{text}[/]")
    else:
        print_text(text)


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    text = orjson.dumps(cell).decode() if isinstance(cell, dict | list) else str(cell)
    # What came from outside must not move the cursor or fold the table.
    text = masked_text(text)
    return "".join(sign if sign.isprintable() else "?" for sign in text)
