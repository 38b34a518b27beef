"""Translates what customers are told: a catalogue for each language, as TOML.

A further language is a file beside the others, and its name among ``LANGUAGES``.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from typing_extensions import TypedDict

from fsm.engine.customer import CustomerMessage
from fsm.service.customer import ACTIONS, TEXT_MAX, Action, CustomerCode

LANGUAGES: Final = ("en", "de")
"""The languages there is a catalogue of; the first is spoken to who asks for none."""

RANGES_MAX: Final = 32
"""So many of what a header lists are looked at."""

_RANGE: Final = re.compile(
    r"\s*(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*"
    r"(?:;\s*[qQ]\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?"
)


class CustomerMessageShape(TypedDict):
    """What an order's customer can be told: a stable code, a sentence, what to do."""

    code: CustomerCode
    text: str
    action: Action


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return the sentences of a language, by code.

    :raises FileNotFoundError: there is no catalogue of it.
    """
    file = files(__package__).joinpath(f"{language}.toml")
    found: Mapping[str, str] = tomllib.loads(file.read_text("utf-8"))
    return found


def shown(
    message: CustomerMessage | None, language: str = LANGUAGES[0]
) -> CustomerMessageShape | None:
    """Return a message as it is shown; a code that is not known here is any failure."""
    if message is None:
        return None
    code = message.code
    known = CustomerCode(code) if code in ACTIONS else CustomerCode.ORDER_FAILED
    return {
        "code": known,
        "text": (message.text or catalogue(language)[known])[:TEXT_MAX],
        "action": ACTIONS[known],
    }


def preferred(accepted: str | None) -> str:
    """Return the language that an ``Accept-Language`` header likes best of ours.

    Its subtags are not looked at, what it says in no known form is passed over, and
    where it wants none of ours the first is spoken: a refusal would help nobody.
    """
    liked: dict[str, float] = {}
    for said in (accepted or "").split(",")[:RANGES_MAX]:
        found = _RANGE.fullmatch(said)
        if found is not None:
            name, quality = found[1].partition("-")[0].lower(), float(found[2] or 1)
            liked[name] = max(quality, liked.get(name, 0.0))
    others = liked.get("*", 0.0)
    # Of those that are liked as much the first that is named, and then the first of us.
    wanted = [name for name, quality in liked.items() if quality and name in LANGUAGES]
    ranked = dict.fromkeys((*wanted, *LANGUAGES))
    return max(ranked, key=lambda ours: liked.get(ours, others))
