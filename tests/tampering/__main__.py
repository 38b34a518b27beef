"""`python -m tests.tampering`: writes the table of docs/tampering.md from its kinds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.tampering.kinds import GROUPS, GUARD, STOPS, Finder, Kind

PAGE: Final = Path(__file__).parents[2] / "docs/tampering.md"
BEGIN, END = "<!-- made by `python -m tests.tampering` -->", "<!-- until here -->"


def written(page: str) -> str:
    """Return the page with its tables made anew."""
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n" + "\n".join(_tables()) + f"\n{END}{tail}"


def _tables() -> Iterator[str]:
    for name, kinds in GROUPS.items():
        yield f"\n## {name}\n"
        yield f"| Changed | {' | '.join(finder.value for finder in Finder)} |"
        yield f"|{' --- |' * (len(Finder) + 1)}"
        for kind in kinds:
            cells = " | ".join(_cell(kind, finder) for finder in Finder)
            yield f"| {kind.what} | {cells} |"


def _cell(kind: Kind, finder: Finder) -> str:
    """Say by what name it is found there."""
    said = kind.found.get(finder)
    if said is None:
        return ""
    if finder is GUARD:
        return "the service may not" if said == "denied" else f"`{said}`"
    if finder is STOPS:
        return f"yes: {said}"
    return f"`{said.partition(':')[0]}`"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
