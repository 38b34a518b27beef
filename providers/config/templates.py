"""Reads templates: text with holes from a closed vocabulary, and nothing that runs."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

TEMPLATE_LENGTH_MAX: Final = 4096

# A doubled brace is a brace; a question mark lets a hole stay empty.
_PIECE: Final = re.compile(
    r"(?P<brace>\{\{|\}\})|\{(?P<name>[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_-]+)?)"
    r"(?P<optional>\?)?\}|(?P<text>[^{}]+)|(?P<stray>[{}])",
    re.ASCII,
)


class BadTemplate(ValueError):
    """A template that is none; the message never holds its text."""


class MissingValue(LookupError):
    """A hole that nothing is known for, and that may not stay empty."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A place for a value; an optional one takes its whole leaf with it."""

    name: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Template:
    """The pieces of one text."""

    pieces: tuple[str | Hole, ...]

    @property
    def holes(self) -> tuple[Hole, ...]:
        """Return its holes, in order."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Hole))

    @property
    def alone(self) -> Hole | None:
        """Return the hole that it wholly consists of, if it does."""
        only = self.pieces[0] if len(self.pieces) == 1 else None
        return only if isinstance(only, Hole) else None

    def filled(
        self, values: Mapping[str, object], write: Callable[[str], str] = str
    ) -> str | None:
        """Return the text; None where an optional hole stays empty.

        ``write`` escapes the values, and never the template's own text.

        :raises MissingValue: a hole that is not optional stays empty.
        """
        text = ""
        for piece in self.pieces:
            if isinstance(piece, str):
                text += piece
            elif (value := value_of(piece, values)) is None:
                return None
            else:
                text += write(str(value))
        return text


def value_of(hole: Hole, values: Mapping[str, object]) -> object | None:
    """Return the value of a hole; None where it may stay empty, and does.

    :raises MissingValue: it may not.
    """
    value = values.get(hole.name)
    if value is None and not hole.optional:
        raise MissingValue(f"nothing is known for {{{hole.name}}}")
    return value


def parse_template(text: str) -> Template:
    """Read a template, of whatever vocabulary.

    :raises BadTemplate: a brace opens or closes nothing.
    """
    if len(text) > TEMPLATE_LENGTH_MAX:
        raise BadTemplate(f"must be no longer than {TEMPLATE_LENGTH_MAX} characters")
    pieces: list[str | Hole] = []
    for found in _PIECE.finditer(text):
        if found["stray"]:
            raise BadTemplate("has a { or } that belongs to no {name}; double it")
        if found["name"]:
            pieces.append(Hole(found["name"], found["optional"] is not None))
        else:
            pieces.append(found["text"] or found["brace"][0])
    return Template(_joined(pieces))


def _joined(pieces: list[str | Hole]) -> tuple[str | Hole, ...]:
    joined: list[str | Hole] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)
