"""What a provider can be asked, and the few things it can answer.

An adapter never raises for an answer and never guesses: what it cannot read as
one of these is ``Unclear``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from fsm.domain.money import Money
from fsm.domain.webhook_events import WebhookEvent
from fsm.payout.policy import ProviderPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """One attempt; ``reference`` is our task id and the idempotency key."""

    reference: str
    money: Money
    destination: Mapping[str, str] = field(repr=False)
    terminal_id: str | None
    provider_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The money has left. Amount and currency where the provider says them."""

    reference: str | None
    amount: int | None = None
    currency: str | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider has taken it and will tell."""

    reference: str | None
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """A definite no: it did not pay and never will under this reference.

    ``of_this_request``: what was refused may be another thing than what a request
    before it has asked for, of which it says nothing.
    """

    code: str
    message: str | None = None
    of_this_request: bool = False
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """It was paid, and the money came back: what a webhook says as ``returned``."""

    reference: str | None
    amount: int | None = None
    currency: str | None = None
    code: str | None = None
    message: str | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Never sent, or turned away unexecuted: this request certainly did nothing.

    ``after`` is for how long the provider has asked to be left alone; ``ours`` says
    that it was we who did not send it, whatever the provider would have said, and
    ``lacking`` that we lack for the moment what it takes: it waits, using up nothing.
    """

    because: str
    after: timedelta = timedelta(0)
    ours: bool = False
    lacking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """The provider says it does not know the reference; what that means is planned."""

    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """Anything else: it may have paid; ``after`` as with ``NotSent``.

    ``reference`` is the provider's own id, where it was said before the doubt arose.
    """

    because: str
    after: timedelta = timedelta(0)
    reference: str | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The provider has cancelled it and will not pay."""

    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLate:
    """The provider goes on with it."""

    evidence: Mapping[str, object] = field(default_factory=dict)


CreateAnswer = Succeeded | Accepted | Declined | NotSent | Unclear
StatusAnswer = Succeeded | Accepted | Declined | Returned | NotFound | NotSent | Unclear
CancelAnswer = Cancelled | TooLate | NotSent | Unclear


@dataclass(frozen=True, slots=True)
class Verified:
    """A webhook whose signature holds, and which event it is.

    ``event_id`` None means: the scheme leaves it to the body (``read_webhook``).
    """

    event_id: str | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A webhook that proves nothing; ``reason`` is for the counter, not the sender.

    With a ``problem`` the signature holds, and that is what cannot be read: the sender
    is who it should be, and may be told.
    """

    reason: str
    problem: str | None = field(default=None, compare=False)


class Provider(Protocol):
    """A payout provider as its adapter presents it."""

    @property
    def name(self) -> str:
        """The table's name in the configuration."""
        ...

    @property
    def policy(self) -> ProviderPolicy:
        """Its capabilities, from the configuration."""
        ...

    @property
    def timeout(self) -> timedelta:
        """The time limit of one call."""
        ...

    async def create(self, payout: Payout) -> CreateAnswer:
        """Ask for the payout under the key ``payout.reference``."""
        ...

    async def status(self, payout: Payout) -> StatusAnswer:
        """Ask what became of it, by the name that ``plan.asked_by`` says."""
        ...

    async def cancel(self, payout: Payout) -> CancelAnswer:
        """Ask not to pay it."""
        ...

    @property
    def takes_webhooks(self) -> bool:
        """True where the configuration has a ``webhook`` table."""
        ...

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check a webhook's signature on its raw bytes; never raises.

        ``headers`` has lower-case names and every value as it came.
        """
        ...

    def read_webhook(
        self, event_id: str | None, body: Mapping[str, object], now: datetime
    ) -> WebhookEvent | None:
        """Read a verified, parsed webhook; None where no reference can be read.

        A value that has no one meaning is an ``Odd`` in it. Money that cannot be read
        stands in the detail as ``unreadable``: then a person decides.

        :raises InvalidRequest: something else that has to be read is odd.
        """
        ...


class Providers(Protocol):
    """All configured providers."""

    def get(self, name: str) -> Provider | None:
        """Return the provider, or None where the name is not configured."""
        ...

    def names(self) -> list[str]:
        """Return all configured names, sorted."""
        ...
