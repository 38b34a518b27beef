"""Writes what somebody begins a provider or a partner with: a table, or an adapter.

The skeleton speaks of Acme; its Python is real, and passes the kit as it stands.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

SKELETON: Final = "providers.testing.conformance.skeleton"
DECLARED: Final[Mapping[str, str]] = {
    "payment.toml": "declared.toml",
    "README.md": "declared.md",
    "test_acme.py": "suite.py",
}
PYTHON: Final[Mapping[str, str]] = {
    "payment.toml": "python.toml",
    "README.md": "python.md",
    "pyproject.toml": "pyproject.txt",
    "test_acme.py": "suite.py",
    **{
        f"acme/{name}": name
        for name in (
            "__init__.py",
            "client.py",
            "translate.py",
            "provider.py",
            "double.py",
        )
    },
}
PARTNER_SKELETON: Final = "providers.testing.conformance.partners.skeleton"
PARTNER_DECLARED: Final[Mapping[str, str]] = {
    "payment.toml": "declared.toml",
    "README.md": "declared.md",
    "test_acme.py": "suite.py",
}
PARTNER_PYTHON: Final[Mapping[str, str]] = {
    "payment.toml": "python.toml",
    "README.md": "python.md",
    "pyproject.toml": "pyproject.txt",
    "test_acme.py": "suite.py",
    "acme.py": "adapter.py",
    "acme_double.py": "double.py",
}
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


# In a project of its own these packages are no longer those of the project.
_OURS: Final = re.compile(
    r"^(import (?:orjson|pytest)\n)\n(from (?:fsm|handlers|providers|payment_service))",
    re.MULTILINE,
)


class ScaffoldRefused(ValueError):
    """A name that cannot be an adapter's, or a folder that is in use."""


def write(
    name: str, parts: Mapping[str, str], folder: Path, *, skeleton: str = SKELETON
) -> list[Path]:
    """Write the files into a new folder; nothing that is there is ever changed.

    :raises Unfit: the name is none, or the folder is there already.
    """
    if not NAME.fullmatch(name):
        raise ScaffoldRefused("the name must be of a-z, 0-9 and _, with a letter first")
    if folder.exists():
        raise ScaffoldRefused(f"{folder} is there already")
    written = []
    for target, source in parts.items():
        text = (files(skeleton) / source).read_text("utf-8")
        path = folder / renamed(target, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_OURS.sub(r"\1\2", renamed(text, name)), "utf-8")
        written.append(path)
    return written


def renamed(text: str, name: str) -> str:
    """Put a name where the skeleton says Acme."""
    title = "".join(part.capitalize() for part in name.split("_"))
    text = text.replace("acme", name).replace("ACME", name.upper())
    return text.replace("Acme", title)
