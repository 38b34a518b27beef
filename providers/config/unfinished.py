"""Finds what a scaffolded table leaves to whoever fills it in."""

from collections.abc import Iterator, Mapping
from typing import Final

from providers.config.unsafe_calls import leaves

MARK: Final = "TODO"


def unfinished(raw: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Return the keys whose values are still to be said, and what each is to say."""
    for key, value in leaves(raw, ""):
        if isinstance(value, str) and value.startswith(MARK):
            asked = value.removeprefix(MARK).strip(": ")
            yield key.removeprefix("."), f"is still to be filled in: {asked}"
