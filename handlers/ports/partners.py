"""What a partner can be asked about a card, and the few things it can answer.

An adapter never raises for an answer and never guesses: what it cannot read as one of
these is ``PartnerUnclear``. Each call has a key of its own and may be repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeAlias

from fsm.partner.policy import LinkPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerCall:
    """One call about a link, as its partner gets it.

    ``key`` makes a repeat the same call: ``{task_id}:{n}`` of a check, ``n`` counted
    from 1 over all checks of the link; ``{task_id}:revoked`` of the notice that it is
    revoked, whose ``n`` is 0. ``order`` is the JSON object that is sent: ``task_id``,
    ``order_id``, ``queue_id``, ``merchant_id``, ``customer_id``, ``partner``, ``card``
    (``token``, ``bin``, ``country``), ``metadata``, and of a removal the ``link``
    (``order_id``, ``queue_id``) that is removed.
    """

    task_id: str
    key: str
    n: int
    order: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligible:
    """A final yes; ``reference`` is the partner's own name for the link."""

    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEligible:
    """A final no."""

    code: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiMatch:
    """The card has several matches: the partner does not know yet, and will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerPending:
    """The partner is still at it: this check is answered, and the next one is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeNoted:
    """The partner has heard that the membership is revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerNotSent:
    """It was never sent. ``after`` and ``lacking`` as with a provider's ``NotSent``."""

    because: str
    after: timedelta = timedelta(0)
    lacking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerUnclear:
    """Anything else: it may have been heard. ``after`` as above."""

    because: str
    after: timedelta = timedelta(0)


CheckAnswer: TypeAlias = (
    Eligible
    | NotEligible
    | MultiMatch
    | PartnerPending
    | PartnerNotSent
    | PartnerUnclear
)
NoticeAnswer: TypeAlias = RevokeNoted | PartnerNotSent | PartnerUnclear


class Partner(Protocol):
    """A partner whose cards can be linked, as its adapter presents it."""

    @property
    def name(self) -> str:
        """The table's name in the configuration."""
        ...

    @property
    def policy(self) -> LinkPolicy:
        """How it may be treated, from the configuration."""
        ...

    async def check_eligibility(self, call: PartnerCall) -> CheckAnswer:
        """Ask whether the card can be linked, for as long as nothing else is known."""
        ...

    async def check_again(self, call: PartnerCall) -> CheckAnswer:
        """Ask once more after several matches: the fallback check."""
        ...

    async def notify_revoked(self, call: PartnerCall) -> NoticeAnswer:
        """Tell that the membership is revoked; it asks for nothing."""
        ...


class Partners(Protocol):
    """All configured partners."""

    def get(self, name: str) -> Partner | None:
        """Return the partner, or None where the name is not configured."""
        ...

    def names(self) -> list[str]:
        """Return all configured names, sorted."""
        ...


class NoPartners:
    """A process that has none: no card can be linked by it."""

    def get(self, name: str) -> Partner | None:
        """Return None."""
        del name
        return None

    def names(self) -> list[str]:
        """Return nothing."""
        return []
