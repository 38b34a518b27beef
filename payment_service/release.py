"""Says which version this is: that of pyproject.toml, as it was installed."""

import importlib.metadata
from typing import Final

NAME: Final = "payment-service"


def version() -> str:
    """Return the version, as `payment-service --version` and both documents tell it.

    Whoever runs the sources without having installed them has none, and can work.
    """
    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"
