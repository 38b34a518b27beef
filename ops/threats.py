"""`python -m ops.threats`: writes the threat model's tables from its tests.

A test says what it shows: ``@pytest.mark.attack("bus", "a cancel ... is no wish")``.
The sources are parsed, not imported, and a row that no test shows cannot be written.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs/threat-model.md"
BEGIN, END = "<!-- made by `python -m ops.threats` -->", "<!-- until here -->"
MARK: Final = "pytest.mark.attack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One of the six places, and all that it can do; what it cannot the tests say."""

    name: str
    at_most: str
    beyond: str = ""
    """What nothing holds yet."""


PLACES: Final = {
    "port": Place(
        name="A TCP port without a key",
        at_most="Be answered 401, 404 or a probe; use up its own connection; read "
        "`/metrics` where the port is reachable: names and counts, no ids.",
    ),
    "requests": Place(
        name="The right to publish requests",
        at_most="Order withdrawals that core then refuses or freezes: whoever may "
        "publish may ask. Be told of refusals. Fill the dead letters with its own.",
    ),
    "bus": Place(
        name="The right to publish anywhere on NATS",
        at_most="Wake work that is due anyway; fill or delete streams, and delay by "
        'that; read what the account may read. With `trust = "nats"` the account that '
        "is named there vouches, and says that a payout failed or succeeded.",
        beyond="Where NATS begins to take anybody and no connection is lost by it, up "
        "to 30 s pass before trust ends.",
    ),
    "role": Place(
        name="A role of the API",
        at_most="`viewer` reads, masked. `upstream` orders, reads and cancels what its "
        "merchants own. `support` decides and cancels, as itself, in the trail; from "
        "the threshold on two persons must agree, and without a threshold one is "
        "enough for any amount. `admin` also pauses providers, makes keys and sets "
        "thresholds.",
    ),
    "shell": Place(
        name="A shell on the service's machine",
        at_most="Everything that the process can: read its keys in its environment, "
        "send requests to core and providers, sign lines of the trail. On the command "
        "line propose, pause providers and replay dead letters, under any name.",
        beyond="Who has all of the service's settings can start another one with keys "
        "of its own making, and be as many persons as it likes: what shows is the "
        "names of keys that nobody has given out. With the trail's key and write "
        "access to the database the books can be forged from the last anchor on.",
    ),
    "database": Place(
        name="Write access to the database",
        at_most="Stop work, delete rows, change what is not sealed or signed, publish "
        "events and wake-ups through the outbox; as the service's own role neither "
        "delete an order nor change a line of a trail.",
        beyond="What was cut or erased since the last anchor went out, and all that "
        "was where none goes out. A row put back whole as it once was, with its seal "
        "or signature, is taken until its next step: an older threshold too, and one "
        "that is taken out leaves `PAYMENT_FOUR_EYES_FROM`; `verify` tells.",
    ),
}


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Attack:
    """What was tried from a place and holds, and the test that shows it."""

    place: str
    file: str
    test: str
    holds: str


class BadMark(Exception):
    """A mark that is not two texts, the first of them one of the six places."""


def attacks(tests: Path = ROOT / "tests") -> list[Attack]:
    """Return all that tests are marked with, by place, file and place in the file.

    :raises BadMark: names the file and line.
    """
    found = [each for file in sorted(tests.rglob("test_*.py")) for each in _in(file)]
    return sorted(found, key=lambda each: [*PLACES].index(each.place))


def tables(found: Sequence[Attack]) -> str:
    """Write what goes between the two marks of the page."""
    return "\n".join(
        line
        for key, place in PLACES.items()
        for line in _section(place, [each for each in found if each.place == key])
    )


def written(page: str, found: Sequence[Attack]) -> str:
    """Return the page with its tables made anew."""
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n{tables(found)}\n{END}{tail}"


def _section(place: Place, found: Sequence[Attack]) -> Iterator[str]:
    yield f"\n## {place.name}\n"
    yield f"*At most:* {place.at_most}\n"
    if place.beyond:
        yield f"*Open:* {place.beyond}\n"
    yield "| Tried, and held | Shown by |"
    yield "| --- | --- |"
    for each in found:
        yield f"| {each.holds} | [{each.test}](../{each.file}) |"


def _in(file: Path) -> Iterator[Attack]:
    text = file.read_text()
    if MARK not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == MARK:
                place, holds = _texts(mark, file)
                yield Attack(
                    place=place, file=_within(file), test=_said(node.name), holds=holds
                )


def _within(file: Path) -> str:
    return (file.relative_to(ROOT) if file.is_relative_to(ROOT) else file).as_posix()


def _said(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _texts(mark: ast.Call, file: Path) -> tuple[str, str]:
    told = [each.value for each in mark.args if isinstance(each, ast.Constant)]
    match told:
        case [str(place), str(holds)] if place in PLACES and "|" not in holds:
            return place, holds
    where = f"{file.name}:{mark.lineno}"
    raise BadMark(
        f"{where}: say attack(PLACE, HOLDS), PLACE one of {', '.join(PLACES)}"
    )


def main() -> int:
    """Write the page; exit 1 where a mark is wrong."""
    try:
        page = written(PAGE.read_text(), attacks())
    except BadMark as wrong:
        print(wrong, file=sys.stderr)
        return 1
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
