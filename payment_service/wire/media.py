"""Reads ``Content-Type`` by its grammar (RFC 9110, 8.3.1), as generously as that."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

KNOWN_MAX: Final = 256
LENGTH_MAX: Final = 512

_WORD: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_TYPE: Final = re.compile(rf"[ \t]*({_WORD}/{_WORD})[ \t]*", re.ASCII)
# A parameter may be missing between two semicolons, or after the last one.
_PARAMETER: Final = re.compile(
    rf';[ \t]*(?:({_WORD})[ \t]*=[ \t]*(?:({_WORD})|"((?:[^"\\]|\\.)*+)")[ \t]*)?',
    re.ASCII,
)
_QUOTED_PAIR: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class MediaType:
    """``essence`` and the parameters in lower case; a doubled one with each value."""

    essence: str
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def is_json(self) -> bool:
        """True for JSON by any of its names."""
        kind, _, rest = self.essence.partition("/")
        return self.essence in _JSON or (
            kind == "application" and rest.endswith(_JSON_)
        )

    @property
    def foreign_charset(self) -> str | None:
        """The first charset that is named and is not UTF-8 or a part of it."""
        named = [value for name, value in self.parameters if name == "charset"]
        return next((each for each in named if each not in _UTF8), None)


_JSON: Final = frozenset({"application/json", "text/json", "application/x-json"})
_JSON_: Final = "+json"
_UTF8: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


@lru_cache(KNOWN_MAX)
def parse_media_type(text: str) -> MediaType | None:
    """Return what a header says; None where that is no media type."""
    found = _TYPE.match(text) if len(text) <= LENGTH_MAX else None
    if found is None:
        return None
    place, parameters = found.end(), []
    while place < len(text):
        more = _PARAMETER.match(text, place)
        if more is None:
            return None
        place = more.end()
        name, plain, quoted = more.groups()
        if name is not None:
            value = _QUOTED_PAIR.sub(r"\1", quoted) if plain is None else plain
            parameters.append((name.lower(), value.lower()))
    return MediaType(found[1].lower(), tuple(parameters))
