"""Checks what people type; one line says what is wrong with it."""

import getpass
from collections.abc import Awaitable
from datetime import timedelta
from typing import Final, TypeVar

from fsm.domain.cards import holds_card
from fsm.domain.durations import parse_duration
from fsm.domain.errors import UnknownOrder
from fsm.domain.text import is_id, is_reason
from payment_service.cli.errors import NothingFound, Usage
from payment_service.wire.no_cards import CARD

T = TypeVar("T")
NAME_LENGTH_MAX: Final = 64
EVIDENCE_LENGTH_MAX: Final = 8000


def actor() -> str:
    """Return what this shell calls itself, as the trail names it.

    Anybody at a shell can choose the name: it is nobody's vote.
    """
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return "user:unknown"
    fits = is_id(name, NAME_LENGTH_MAX) and not holds_card(name)
    return f"user:{name}" if fits else "user:unknown"


def plain_id(text: str) -> str:
    """Return an id as the tables have it."""
    return text.strip().casefold()


def check_reason(reason: str) -> None:
    """Let pass what can stand in the record.

    :raises Usage: it cannot.
    """
    if not is_reason(reason):
        raise Usage("--reason: say why, in at most 2000 characters")
    if holds_card(reason):
        raise Usage(f"--reason: {CARD}")


def length_of(option: str, text: str) -> timedelta:
    """Return how long a duration is that an option was given.

    :raises Usage: it is none, or no time at all.
    """
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise Usage(f"{option}: {error}") from None
    if length <= timedelta(0):
        raise Usage(f"{option}: must be longer than 0s")
    return length


def check_evidence(evidence: str | None) -> None:
    """Let pass what can stand in the record.

    :raises Usage: it cannot.
    """
    if evidence is not None and len(evidence) > EVIDENCE_LENGTH_MAX:
        raise Usage(f"--evidence: at most {EVIDENCE_LENGTH_MAX} characters")


async def found_letter(work: Awaitable[T], letter_id: str) -> T:
    """Wait for the work; say which letter there is not.

    :raises NothingFound: there is none.
    """
    try:
        return await work
    except UnknownOrder:
        problem = f"no dead letter {letter_id!r}: see `payment-service dlq list`"
        raise NothingFound(problem) from None
