"""The tables of a create: the call that pays, and the calls that come before it."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from providers.config.forms import (
    AnswersTable,
    At,
    CallTable,
    HttpStatus,
    ListAt,
    RequestTable,
    Word,
)
from providers.config.unsafe_calls import holes_of
from providers.config.values import Many
from providers.config.vocabulary import KEPT, PROVIDER_REFERENCE

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


def _kept(places: Mapping[str, At]) -> Mapping[str, At]:
    for name in places:
        if not _NAME.fullmatch(name):
            message = f"must not have a name {name!r}: small letters, digits and _"
            raise ValueError(message)
    return places


Kept = Annotated[Mapping[str, At], AfterValidator(_kept)]
"""By the name of a value, where an answer has it: ``{kept.NAME}`` in later calls."""


class FindTable(RequestTable):
    """How it is asked whether a call was made before: under our reference.

    ``items_at`` is where its answer has a list; then an item is ours where
    ``reference_at`` in it says so. ``absent`` are the HTTP statuses that say no.
    """

    method: Literal["GET", "POST"] = "GET"
    items_at: ListAt | None = None
    reference_at: At | None = None
    absent: Many[HttpStatus] = ()


class BeforeTable(RequestTable):
    """A call that a create needs before it, and what is carried on from its answer.

    ``effect`` tells whether it moves money; ``repeat`` what its repeat gives: the same
    where the content is the same, the first whatever the content is, or another.
    """

    name: Word
    method: Literal["GET", "POST", "PUT"] = "POST"
    effect: bool
    repeat: Literal["same", "first", "another"] | None = None
    find: FindTable | None = None
    keep: Kept = Field(default={})
    answers: AnswersTable = AnswersTable()

    @property
    def keyed(self) -> bool:
        """True where our reference makes a repeat of it the first one."""
        return self.repeat in {"same", "first"}


class CreateTable(CallTable):
    """How a payout is asked for; what stands on the way may repeat a PUT.

    ``before`` are the calls that come before this one, in order.
    """

    method: Literal["POST", "PUT"] = "POST"
    repeat: Literal["same", "first"] = "same"
    before: Many[BeforeTable] = ()

    @property
    def names_payout(self) -> bool:
        """True where a call before it says the provider's own id of the payout."""
        return any(PROVIDER_REFERENCE in call.keep for call in self.before)

    def holes(self) -> set[str]:
        """Return the placeholders of all its calls, those of its questions too."""
        asked = [call.find for call in self.before if call.find is not None]
        calls = [self, *self.before, *asked]
        return {hole for call in calls for hole in holes_of(call)}

    def carried(self) -> Iterator[BeforeTable]:
        """Return the calls from which values come into the one that pays."""
        needed = holes_of(self)
        for call in reversed(self.before):
            if needed & {f"{KEPT}{name}" for name in call.keep}:
                needed |= holes_of(call)
                yield call
