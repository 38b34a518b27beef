"""What a partner can say and hear, and who knows how it says it in bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from providers.config.partners import PartnerTable
from providers.testing.conformance.vocabulary import ReceivedRequest, Reply


class Question(StrEnum):
    """What an adapter asks a partner, or tells it."""

    FIRST = "check"
    AGAIN = "fallback check"
    REVOKED = "revoke notice"


class PartnerSaying(StrEnum):
    """What a partner says in reply."""

    ELIGIBLE = "eligible"
    NOT_ELIGIBLE = "not eligible"
    MULTI_MATCH = "several matches"
    PENDING = "not known yet"
    UNLISTED = "a word that nobody has listed"
    UNLISTED_ERROR = "an error with a code that nobody has listed"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enquiry:
    """A card as the partner knows it: who asks, under which key, about whose card."""

    key: str
    task_id: str
    order_id: str
    customer_id: str
    card_token: str


class PartnerDouble(Protocol):
    """A partner as it is on its own side of the wire.

    Whoever writes an adapter in Python writes one too, from the partner's pages and
    not from the adapter: what both have misread in the same way, no check can find.
    """

    def heard(self, request: ReceivedRequest) -> Mapping[str, str]:
        """Return what a request says, by the names of :class:`Enquiry`; all it has."""
        ...

    def replies(
        self, question: Question, saying: PartnerSaying, enquiry: Enquiry
    ) -> Mapping[str, Reply]:
        """Return every way of saying this, by a label for people.

        Empty where this partner never says so.
        """
        ...


class MakingDouble(Protocol):
    """What a double's module has as ``double``."""

    def __call__(self, table: PartnerTable) -> PartnerDouble:
        """Make the double of a table."""
        ...
