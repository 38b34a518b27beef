"""What the HTTP API needs of the rest, in one frozen value."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from fsm.domain.four_eyes import FourEyes
from fsm.domain.keys import ApiKey
from fsm.domain.news import Arrival, News
from fsm.domain.orders import Order, Request, Submission
from fsm.domain.rates import Rate
from fsm.domain.roster import KeyRecord, Threshold
from fsm.domain.votes import Vote
from handlers.people import Admin
from handlers.ports.clock import Clock
from handlers.ports.provider import Providers
from handlers.ports.reads import ProviderStatus, Reads
from handlers.ports.waiters import Waiters
from payment_service.api.keyring import Keyring
from payment_service.wire.people_shapes import KeyShape
from providers.events import Events


class Submit(Protocol):
    """Stores a request; after it returns the order is not lost."""

    async def __call__(
        self, request: Request, *, actor: str, trace_parent: str | None
    ) -> Submission: ...


class Resolve(Protocol):
    """Records a decision about a manual check, and says how the vote counts.

    :raises UnknownOrder: no such task.
    :raises InvalidRequest: settled by hand, and without evidence.
    :raises NotNow: not in MANUAL_CHECK, another decision, or the same person again.
    """

    async def __call__(  # noqa: PLR0913 - what a decision is made of
        self,
        task_id: str,
        *,
        decision: str,
        reason: str,
        evidence: object,
        actor: str,
        person: str | None,
        by_hand: bool,
    ) -> Vote: ...


class Withdraw(Protocol):
    """Takes one's own first vote back, on a manual check or on a returned payout.

    :raises UnknownOrder: no such task or case.
    :raises NotNow: nobody has voted, or somebody else has, or it is decided.
    """

    async def __call__(
        self, item_id: str, *, reason: str, actor: str, person: str | None
    ) -> None: ...


class CancelTask(Protocol):
    """Asks for the cancellation of a task.

    :raises UnknownOrder: no such task.
    :raises NotNow: the task is final.
    """

    async def __call__(self, task_id: str, *, reason: str, actor: str) -> None: ...


class CancelOrder(Protocol):
    """Asks for the cancellation of an order.

    :raises NotNow: the order is final.
    """

    async def __call__(self, order: Order, *, reason: str, actor: str) -> None: ...


class EraseOrder(Protocol):
    """Takes what is personal out of a final order; False where that was done before.

    :raises NotNow: it is under way, or a case or a dead letter about it is open.
    """

    async def __call__(self, order: Order, *, reason: str, actor: str) -> bool: ...


class EraseCustomer(Protocol):
    """Does so with every order of a customer; those refused it names, and says why.

    Returns the queue_ids of both.
    """

    async def __call__(
        self, customer_id: str, *, reason: str, actor: str
    ) -> tuple[Sequence[str], Mapping[str, str]]: ...


class Settle(Protocol):
    """Discards a dead letter; False where there is none.

    :raises NotNow: somebody has settled it before.
    """

    async def __call__(self, item_id: str, *, reason: str, actor: str) -> bool: ...


class CloseCase(Protocol):
    """Closes a case, and says how the vote counts.

    :raises UnknownOrder: no such case.
    :raises NotNow: it is over, being settled, or the second person is the first.
    """

    async def __call__(
        self, item_id: str, *, reason: str, actor: str, person: str | None
    ) -> Vote: ...


class AssignCase(Protocol):
    """Makes somebody the owner of a case.

    :raises UnknownOrder: no such case.
    :raises NotNow: it is over.
    """

    async def __call__(
        self, item_id: str, *, owner: str, reason: str | None, actor: str
    ) -> None: ...


class SettleReturn(Protocol):
    """Has core take back a payout that came back, and says how the vote counts.

    :raises UnknownOrder: no such case.
    :raises NotNow: it is no return, over, being settled, or came too late.
    """

    async def __call__(
        self,
        item_id: str,
        *,
        reason: str,
        evidence: object,
        actor: str,
        person: str | None,
    ) -> Vote: ...


class Replay(Protocol):
    """Sends a dead letter's message again; False where there is none.

    :raises NotNow: it has been replayed or discarded.
    """

    async def __call__(
        self, item_id: str, *, reason: str | None, actor: str
    ) -> bool: ...


class KeepNews(Protocol):
    """Stores the events of one verified webhook for good, all or none.

    :raises StoreUnavailable: they may not be stored; the sender sends them again.
    """

    async def __call__(
        self, events: Sequence[News], *, trace_parent: str | None
    ) -> Sequence[Arrival]: ...


class Pause(Protocol):
    """Gives a provider no new work for some time; False where there is none.

    ``lasting`` None: until it is resumed.
    """

    async def __call__(
        self, name: str, *, reason: str, lasting: timedelta | None, actor: str
    ) -> bool: ...


class Resume(Protocol):
    """Puts a provider back; False where there is none."""

    async def __call__(self, name: str, *, reason: str | None, actor: str) -> bool: ...


class PeopleDesk(Protocol):
    """Shows and changes who holds keys, and from which amounts two decide.

    :raises UnknownOrder: no such key.
    :raises InvalidRequest: a key that would be none.
    :raises NotNow: the state does not allow it, or the same person asks again.
    """

    async def keys(self) -> Sequence[KeyShape]:
        """Return all keys as they are shown, by name."""
        ...

    async def make_key(self, key: ApiKey, *, by: Admin, reason: str) -> KeyRecord:
        """Make a key, which may wait for a second admin."""
        ...

    async def agree_to_key(self, name: str, *, by: Admin, reason: str) -> KeyRecord:
        """Agree to a key that waits."""
        ...

    async def revoke_key(self, name: str, *, by: Admin, reason: str) -> KeyRecord:
        """End a key for good."""
        ...

    async def thresholds(self) -> tuple[FourEyes, Sequence[Threshold]]:
        """Return what holds, and what the database says."""
        ...

    async def set_threshold(
        self, currency: str, amount: int | None, *, by: Admin, reason: str
    ) -> Threshold:
        """Set an amount, which may wait for a second admin."""
        ...


def _uncounted(provider: str, outcome: str) -> None:
    del provider, outcome


def _unnoted(event: str, told: Mapping[str, object]) -> None:
    del event, told


def _unreported(correlation_id: str, failure: Exception) -> None:
    del correlation_id, failure


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDeps:
    """Everything the API calls.

    ``ready`` names what keeps the process from working, empty where nothing does.
    ``note`` is told by name of what is odd, whatever was answered.
    ``report`` is told of every failure that was answered with a 500; ``pause``,
    ``resume`` and ``people`` may be left out, and so are their routes then.
    """

    keys: Keyring
    clock: Clock
    providers: Providers
    reads: Reads
    waiters: Waiters
    submit: Submit
    resolve: Resolve
    withdraw_resolution: Withdraw
    cancel_task: CancelTask
    cancel_order: CancelOrder
    erase_order: EraseOrder
    erase_customer: EraseCustomer
    close_case: CloseCase
    withdraw_closing: Withdraw
    assign_case: AssignCase
    settle_return: SettleReturn
    withdraw_settlement: Withdraw
    replay: Replay
    discard: Settle
    keep_news: KeepNews
    provider_statuses: Callable[[], Awaitable[Sequence[ProviderStatus]]]
    ready: Callable[[], Awaitable[Sequence[str]]]
    metrics: Callable[[], bytes]
    pause: Pause | None = None
    resume: Resume | None = None
    people: PeopleDesk | None = None
    webhook_rates: Mapping[str, Rate] = field(default_factory=dict)
    webhook_events: Mapping[str, Events] = field(default_factory=dict)
    count_webhook: Callable[[str, str], None] = _uncounted
    note: Callable[[str, Mapping[str, object]], None] = _unnoted
    report: Callable[[str, Exception], None] = _unreported
    body_time_limit: timedelta = timedelta(seconds=10)
