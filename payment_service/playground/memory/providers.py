"""Providers in memory: each keeps its own book and behaves as its script says."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from fsm.domain.money import Money
from fsm.domain.webhook_events import WebhookEvent, WebhookEventType, hash_of_content
from fsm.payout.policy import ProviderPolicy
from handlers.ports.provider import (
    Accepted,
    CancelAnswer,
    Cancelled,
    CreateAnswer,
    Declined,
    NotFound,
    NotSent,
    Payout,
    Rejected,
    StatusAnswer,
    Succeeded,
    TooLate,
    Unclear,
    Verified,
)
from payment_service.playground.memory.clock import VirtualClock
from payment_service.playground.memory.effects import Effects


class Does(Enum):
    """What a provider makes of a create."""

    PAYS = "the money leaves at once"
    ACCEPTS = "it takes it and will tell"
    DECLINES = "a definite no"
    IGNORES = "it never heard of it"


class Tells(Enum):
    """What reaches the caller of what it did."""

    ALL = "its answer"
    NOTHING = "nothing: the answer is unclear"
    NOT_SENT = "that the connection was never made"
    LACKING = "nothing: the caller lacked what it takes to connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How one create goes; ``says`` is the amount it claims where that is another.

    ``again`` is what a repeat of it is answered with, where not as it was itself.
    """

    does: Does
    tells: Tells = Tells.ALL
    code: str = "declined"
    says: int | None = None
    again: Declined | None = None


PAYS = Conduct(does=Does.PAYS)
ACCEPTS = Conduct(does=Does.ACCEPTS)
DECLINES = Conduct(does=Does.DECLINES)
UNREACHABLE = Conduct(does=Does.IGNORES, tells=Tells.NOT_SENT)
OUT_OF_DESCRIPTORS = Conduct(does=Does.IGNORES, tells=Tells.LACKING)
LACKING = NotSent(because="too many open files", ours=True, lacking=True)
LOSES_REQUEST = Conduct(does=Does.IGNORES, tells=Tells.NOTHING)
PAYS_SILENTLY = Conduct(does=Does.PAYS, tells=Tells.NOTHING)
ACCEPTS_SILENTLY = Conduct(does=Does.ACCEPTS, tells=Tells.NOTHING)
DECLINES_SILENTLY = Conduct(does=Does.DECLINES, tells=Tells.NOTHING)


class PayoutFate(Enum):
    """Where a payout stands at the provider."""

    PENDING = "accepted"
    PAID = "succeeded"
    DECLINED = "declined"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """Money that left: one line of a provider's book."""

    place: int
    provider: str
    reference: str
    money: Money
    destination: Mapping[str, str]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCall:
    """One request as it arrived."""

    place: int
    provider: str
    call: str
    reference: str
    money: Money
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    payout: Payout
    fate: PayoutFate
    code: str
    says: int | None
    again: Declined | None

    answers: list[CancelAnswer] = field(default_factory=list)


def stated(webhook: WebhookEvent, **said: object) -> WebhookEvent:
    """Return a webhook that says this, with the hash of what it says then."""
    changed: WebhookEvent = replace(webhook, **said)  # type: ignore[arg-type]
    body = {"sequence": changed.sequence}
    return replace(changed, content_hash=hash_of_content(changed, body))


class MemoryProvider:
    """Implements ``handlers.ports.provider.Provider``.

    Where ``idempotent`` a repeated create finds the first one; else it pays again,
    which the book shows.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: VirtualClock,
        plan: ProviderPolicy | None = None,
        effects: Effects | None = None,
        script: tuple[Conduct, ...] = (PAYS,),
    ) -> None:
        self.name = name
        self.policy = plan or ProviderPolicy()
        self.timeout = timedelta(seconds=10)
        self.takes_webhooks = True
        self.script = list(script)
        self.statuses: list[StatusAnswer] = []
        self.cancels: list[CancelAnswer] = []
        self.book: list[Paid] = []
        self.asked: list[ReceivedCall] = []
        self.lied = False
        self._clock = clock
        self._effects = effects or Effects()
        self._known: dict[str, _Known] = {}
        self._events = 0

    async def create(self, payout: Payout) -> CreateAnswer:
        return await self._effects.do(
            f"{self.name}.create",
            lambda: self._created(payout),
            lambda done: Unclear(because=f"timed out, done: {done}"),
        )

    async def status(self, payout: Payout) -> StatusAnswer:
        return await self._effects.do(
            f"{self.name}.status",
            lambda: self._found(payout),
            lambda done: Unclear(because=f"timed out, done: {done}"),
        )

    async def cancel(self, payout: Payout) -> CancelAnswer:
        return await self._effects.do(
            f"{self.name}.cancel",
            lambda: self._cancelled(payout),
            lambda done: Unclear(because=f"timed out, done: {done}"),
        )

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        del headers, body, now
        return Rejected("webhooks of this world come in memory")

    def read_webhook(
        self, event_id: str | None, body: Mapping[str, object], now: datetime
    ) -> WebhookEvent | None:
        del event_id, body, now
        return None

    def fate(self, reference: str) -> PayoutFate | None:
        """Return where a payout stands; None where it is unknown."""
        known = self._known.get(reference)
        return known.fate if known else None

    def pays(self, reference: str) -> None:
        """Let a pending payout succeed; the provider has not told yet."""
        self._settle(reference, PayoutFate.PAID)

    def fails(self, reference: str, code: str = "returned_by_bank") -> None:
        """Let a pending payout fail; the provider has not told yet."""
        self._settle(reference, PayoutFate.FAILED, code)

    def pays_after_all(self, payout_reference: str, money: Money) -> None:
        """Break its word: pay what it has said no to."""
        self.lied = True
        self._pay(payout_reference, money, {})

    def forgets(self, reference: str) -> None:
        """Lose what it knows of a reference, as a bad provider may."""
        del self._known[reference]

    def webhook(
        self,
        kind: WebhookEventType,
        reference: str,
        *,
        event_id: str | None = None,
        amount: int | None = None,
        code: str | None = None,
    ) -> WebhookEvent:
        """Return a webhook of this provider about a payout."""
        self._events += 1
        known = self._known.get(reference)
        failed = kind is WebhookEventType.FAILED
        webhook = WebhookEvent(
            provider=self.name,
            event_id=event_id or f"{self.name}-event-{self._events}",
            type=kind,
            reference=reference,
            provider_reference=f"{self.name}-{reference[-6:]}" if known else None,
            amount=amount,
            code=code or ("returned_by_bank" if failed else None),
            received_at=self._clock.now(),
        )
        return stated(webhook)

    def _note(self, call: str, payout: Payout) -> None:
        self.asked.append(
            ReceivedCall(
                place=self._effects.tick(),
                provider=self.name,
                call=call,
                reference=payout.reference,
                money=payout.money,
                at=self._clock.now(),
            )
        )

    def _conduct(self) -> Conduct:
        # The last one is how it goes on behaving.
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def _created(self, payout: Payout) -> CreateAnswer:
        known = self._known.get(payout.reference)
        if known is not None and self.policy.idempotent_create:
            self._note("create", payout)
            return known.again or self._told(known)
        conduct = self._conduct()
        if conduct.tells is Tells.NOT_SENT:
            return NotSent(because="connection refused")
        if conduct.tells is Tells.LACKING:
            return LACKING
        self._note("create", payout)
        if conduct.does is Does.IGNORES:
            return Unclear(because="timed out")
        known = self._take(payout, conduct)
        if conduct.tells is Tells.NOTHING:
            return Unclear(because="timed out")
        return self._told(known)

    def _take(self, payout: Payout, conduct: Conduct) -> _Known:
        fates = {
            Does.PAYS: PayoutFate.PAID,
            Does.ACCEPTS: PayoutFate.PENDING,
            Does.DECLINES: PayoutFate.DECLINED,
        }
        known = _Known(
            payout=payout,
            fate=fates[conduct.does],
            code=conduct.code,
            says=conduct.says,
            again=conduct.again,
        )
        self._known[payout.reference] = known
        if known.fate is PayoutFate.PAID:
            self._pay(payout.reference, payout.money, payout.destination)
        return known

    def _told(self, known: _Known) -> Succeeded | Accepted | Declined:
        reference = f"{self.name}-{known.payout.reference[-6:]}"
        match known.fate:
            case PayoutFate.PAID:
                return Succeeded(reference=reference, amount=known.says)
            case PayoutFate.PENDING:
                return Accepted(reference=reference)
            case PayoutFate.DECLINED | PayoutFate.FAILED | PayoutFate.CANCELLED:
                return Declined(code=known.code, message="no")

    def _found(self, payout: Payout) -> StatusAnswer:
        self._note("status", payout)
        if self.statuses:
            return self.statuses.pop(0)
        known = self._known.get(payout.reference)
        return NotFound() if known is None else self._told(known)

    def _cancelled(self, payout: Payout) -> CancelAnswer:
        self._note("cancel", payout)
        if self.cancels:
            return self.cancels.pop(0)
        known = self._known.get(payout.reference)
        if known is None or known.fate is PayoutFate.PAID:
            return TooLate()
        self._known[payout.reference] = replace(
            known, fate=PayoutFate.CANCELLED, code="cancelled"
        )
        return Cancelled()

    def _settle(self, reference: str, fate: PayoutFate, code: str = "") -> None:
        known = self._known[reference]
        if known.fate is not PayoutFate.PENDING:
            raise ValueError(f"{reference} is {known.fate.value}, not pending")
        self._known[reference] = replace(known, fate=fate, code=code)
        if fate is PayoutFate.PAID:
            self._pay(reference, known.payout.money, known.payout.destination)

    def _pay(
        self, reference: str, money: Money, destination: Mapping[str, str]
    ) -> None:
        self.book.append(
            Paid(
                place=self._effects.tick(),
                provider=self.name,
                reference=reference,
                money=money,
                destination=destination,
                at=self._clock.now(),
            )
        )


class MemoryProviders:
    """Implements ``handlers.ports.provider.Providers``."""

    def __init__(self, *providers: MemoryProvider) -> None:
        self._by_name = {provider.name: provider for provider in providers}

    def __getitem__(self, name: str) -> MemoryProvider:
        return self._by_name[name]

    def get(self, name: str) -> MemoryProvider | None:
        return self._by_name.get(name)

    def names(self) -> list[str]:
        return sorted(self._by_name)

    def every(self) -> list[MemoryProvider]:
        return list(self._by_name.values())

    def add(self, provider: MemoryProvider) -> None:
        self._by_name[provider.name] = provider

    def drop(self, name: str) -> None:
        """Take a provider out of the configuration."""
        del self._by_name[name]
