"""What is signed, as a template; one that could be read in two ways is refused."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from providers.signatures.scheme import EVENT_ID
from providers.signatures.settings import SignatureForm

METHOD: Final = "POST"
_KNOB: Final = "template"
_NAMES: Final = re.compile(r"\{(body|ts|id)\}")
_PATH: Final = re.compile(r"/[!-z|~]*", re.ASCII)
_LITERAL: Final = re.compile(r"[\t\n -z|~]*", re.ASCII)


class Part(StrEnum):
    """What every request fills in anew."""

    BODY = "body"
    TIME = "ts"
    EVENT = "id"


@dataclass(frozen=True, slots=True)
class SigningTemplate:
    """Literals and parts in their order; ``event_form`` keeps an id to one reading."""

    pieces: tuple[bytes | Part, ...]
    event_form: re.Pattern[str]

    @property
    def signs_event(self) -> bool:
        """True where the event's id is part of what is signed."""
        return Part.EVENT in self.pieces

    def filled(self, body: bytes, sent: str | None, event: str | None) -> bytes:
        """Return the bytes that are signed."""
        values = {
            Part.BODY: body,
            Part.TIME: (sent or "").encode("ascii"),
            Part.EVENT: (event or "").encode("ascii"),
        }
        return b"".join(
            values[piece] if isinstance(piece, Part) else piece for piece in self.pieces
        )


def read_template(form: SignatureForm) -> SigningTemplate:
    """Read the template of a form.

    :raises Unsafe: something is not signed, cannot be filled in, or two different
        webhooks could be signed alike.
    """
    pieces = _pieces(form)
    parts = [piece for piece in pieces if isinstance(piece, Part)]
    if parts.count(Part.BODY) != 1 or len(set(parts)) != len(parts):
        raise form.unsafe(_KNOB, "must have {body} once, and nothing twice")
    if (Part.TIME in parts) and not form.timed:
        raise form.unsafe(_KNOB, "has {ts}, and nothing says where the time stands")
    if form.timed and Part.TIME not in parts:
        raise form.unsafe(
            _KNOB, "must have {ts}: a time that is not signed protects nothing"
        )
    if Part.EVENT in parts and form.event_id_header is None:
        raise form.unsafe(_KNOB, "has {id}, and there is no event_id_header")
    return SigningTemplate(tuple(pieces), _event_form(pieces, form))


def _with_constants(form: SignatureForm) -> str:
    if ("{path}" in form.template) != (form.path is not None):
        raise form.unsafe("path", "must be said where, and only where, {path} is")
    if form.path is not None and not _PATH.fullmatch(form.path):
        raise form.unsafe("path", "must be a path like /hooks/acme")
    text = form.template.replace("{method}", METHOD)
    return text.replace("{path}", form.path or "")


def _pieces(form: SignatureForm) -> list[bytes | Part]:
    # Literals and names take turns.
    split = _NAMES.split(_with_constants(form))
    if not all(_LITERAL.fullmatch(literal) for literal in split[::2]):
        raise form.unsafe(
            _KNOB, "must be ASCII with {body}, {ts}, {id}, {method} or {path}"
        )
    pieces: list[bytes | Part] = []
    for number, word in enumerate(split):
        if number % 2:
            pieces.append(Part(word))
        elif word:
            pieces.append(word.encode("ascii"))
    return pieces


def _event_form(pieces: list[bytes | Part], form: SignatureForm) -> re.Pattern[str]:
    """Return the form of an id that cannot run into its neighbour."""
    body = pieces.index(Part.BODY)
    found = EVENT_ID
    for place, piece in enumerate(pieces):
        if not isinstance(piece, Part) or piece is Part.BODY:
            continue
        before = place < body
        neighbour = pieces[place + 1 if before else place - 1]
        sign = _sign(neighbour, piece, form, first=before)
        if piece is Part.EVENT:
            found = re.compile(rf"(?:(?!{re.escape(sign)})[!-~]){{1,128}}", re.ASCII)
    return found


def _sign(
    neighbour: bytes | Part, piece: Part, form: SignatureForm, *, first: bool
) -> str:
    """Return the sign that keeps a part from its neighbour on the body's side."""
    if neighbour is Part.BODY and piece is Part.TIME:
        # A body is an object: it neither begins nor ends with a digit.
        return ""
    if isinstance(neighbour, Part):
        raise form.unsafe(
            _KNOB, f"must have a sign between {{{piece}}} and its neighbour"
        )
    sign = neighbour.decode("ascii")[0 if first else -1]
    if sign.isdigit():
        raise form.unsafe(_KNOB, f"must not have a digit beside {{{piece}}}")
    return sign
