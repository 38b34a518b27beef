"""Refuses card numbers where nobody may send one, and says where one stands."""

from collections.abc import Callable, Iterator
from typing import Final

from fsm.domain.cards import holds_card
from fsm.domain.masking import masked, masked_text
from fsm.domain.text import is_id

CARD: Final = "looks like a card number; send a token or an id of yours"
NAME_LENGTH_MAX: Final = 64


def _nothing(text: str) -> bool:
    """Find no text harmless that holds a card number."""
    del text
    return False


def cards_inside(
    value: object, path: str, *, is_harmless: Callable[[str], bool] = _nothing
) -> Iterator[str]:
    """Give the path of every card number in a parsed value; no number is told.

    A name that holds one is told by its place alone. What ``is_harmless`` may look
    like one all the same.
    """
    if isinstance(value, dict):
        for place, (name, item) in enumerate(value.items(), 1):
            if holds_card(name):
                yield f"{path} (the name of its field {place})"
            else:
                yield from cards_inside(
                    item, f"{path}.{_shown(name)}", is_harmless=is_harmless
                )
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from cards_inside(item, f"{path}[{place}]", is_harmless=is_harmless)
    elif isinstance(value, str):
        if holds_card(value) and not is_harmless(value):
            yield path
    elif masked(value) != value:
        yield path


def _shown(name: str) -> str:
    return masked_text(name) if is_id(name, NAME_LENGTH_MAX) else "(a field)"
