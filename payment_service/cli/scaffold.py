"""Begins a provider or a partner: writes a folder to fill in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from payment_service.cli.errors import DONE, Usage
from payment_service.cli.printing import print_text
from providers.testing.conformance.scaffold import (
    DECLARED,
    PARTNER_DECLARED,
    PARTNER_PYTHON,
    PARTNER_SKELETON,
    PYTHON,
    SKELETON,
    ScaffoldRefused,
    write,
)

STYLES = {"toml": DECLARED, "python": PYTHON}
PARTNER_STYLES = {"toml": PARTNER_DECLARED, "python": PARTNER_PYTHON}

Style = Literal["toml", "python"]


def new(name: str, *, style: Style, folder: Path | None) -> int:
    """Write the folder; say what is in it, and what comes next."""
    return _written(name, STYLES[style], folder, skeleton=SKELETON)


def new_partner(name: str, *, style: Style, folder: Path | None) -> int:
    """Write the folder of a partner; as :func:`new`."""
    return _written(name, PARTNER_STYLES[style], folder, skeleton=PARTNER_SKELETON)


def _written(
    name: str, parts: Mapping[str, str], folder: Path | None, *, skeleton: str
) -> int:
    into = folder or Path(name)
    try:
        written = write(name, parts, into, skeleton=skeleton)
    except ScaffoldRefused as error:
        raise Usage(str(error)) from None
    for path in written:
        print_text(str(path))
    print_text(f"Go on with {into / 'README.md'}.")
    return DONE
