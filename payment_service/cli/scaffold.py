"""Begins a provider: writes a folder to fill in."""

from pathlib import Path
from typing import Literal

from payment_service.cli.errors import DONE, Usage
from payment_service.cli.printing import print_text
from providers.testing.conformance.scaffold import (
    DECLARED,
    PYTHON,
    ScaffoldRefused,
    write,
)

STYLES = {"toml": DECLARED, "python": PYTHON}

Style = Literal["toml", "python"]


def new(name: str, *, style: Style, folder: Path | None) -> int:
    """Write the folder; say what is in it, and what comes next."""
    into = folder or Path(name)
    try:
        written = write(name, STYLES[style], into)
    except ScaffoldRefused as error:
        raise Usage(str(error)) from None
    for path in written:
        print_text(str(path))
    print_text(f"Go on with {into / 'README.md'}.")
    return DONE
