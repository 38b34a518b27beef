"""Refuses card numbers where nobody may send one, and says where one stands."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from fsm.domain.cards import holds_card
from fsm.domain.field_errors import FieldError, in_body
from fsm.domain.masking import masked, masked_text
from fsm.domain.text import is_id

CARD: Final = "looks like a card number; send a token or an id of yours"
NAME_LENGTH_MAX: Final = 64
UNTOLD: Final = "(a field)"
"""Stands in a place for a name that is too long, or that nobody may see."""


def _nothing(text: str) -> bool:
    """Find no text harmless that holds a card number."""
    del text
    return False


def cards_inside(
    value: object,
    path: Sequence[int | str],
    *,
    is_harmless: Callable[[str], bool] = _nothing,
) -> Iterator[FieldError]:
    """Give the place of every card number in a parsed value; no number is told.

    A name that holds one is told by its place alone. What ``is_harmless`` may look
    like one all the same.
    """
    if isinstance(value, dict):
        for place, (name, item) in enumerate(value.items(), 1):
            if holds_card(name):
                yield _card_at(path, f" (the name of its field {place})")
            else:
                inside = (*path, shown_name(name))
                yield from cards_inside(item, inside, is_harmless=is_harmless)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from cards_inside(item, (*path, place), is_harmless=is_harmless)
    elif isinstance(value, str):
        if holds_card(value) and not is_harmless(value):
            yield _card_at(path)
    elif masked(value) != value:
        yield _card_at(path)


def _card_at(path: Sequence[int | str], which: str = "") -> FieldError:
    """Return an error at a place, whose pointer ends before a name that is not told."""
    called = in_body(path, CARD)
    known = path[: path.index(UNTOLD)] if UNTOLD in path else path
    return in_body(known, CARD, where=f"{called.where}{which}")


def shown_name(name: str) -> str:
    """Return a name that a sender has chosen, as far as anybody may see it."""
    told = is_id(name, NAME_LENGTH_MAX) and masked_text(name) == name
    return name if told else UNTOLD
