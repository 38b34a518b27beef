"""What providers do in their own time: they settle, tell, repeat, contradict."""

from typing import Final

from fsm.domain.webhook_events import Arrival, WebhookEvent, WebhookEventType
from fsm.payout.policy import ProviderPolicy
from handlers.inbox import keep
from payment_service.playground.memory.providers import PayoutFate, stated
from tests.simulation.counterparties import SimProvider
from tests.simulation.environment import NOWHERE, Ground
from tests.simulation.fleet import Fleet
from tests.simulation.rates import DAY, HOUR, MINUTE, SECOND

NOBODY: Final = "00000000-0000-7000-8000-000000000000"


class WebhookDelivery:
    """Sends webhooks until they are taken; ``taken`` holds what was acknowledged."""

    def __init__(self, ground: Ground, fleet: Fleet) -> None:
        self.ground = ground
        self.fleet = fleet
        self.acknowledged: set[tuple[str, str]] = set()
        self.mismatched: dict[tuple[str, str], str] = {}
        self.untold: list[tuple[SimProvider, WebhookEventType, str]] = []

    def taken(self, provider: SimProvider, reference: str) -> None:
        """Let a payout go its way, now that the provider has it."""
        fate = provider.fate(reference)
        if fate is PayoutFate.PENDING:
            if self.ground.draw() < 0.3:
                self.tell(provider, WebhookEventType.ACCEPTED, reference)
            after = self._sometime(provider.policy)
            self.ground.loop.at(
                self.ground.clock.micros + after, self._settles, provider, reference
            )
        elif fate is PayoutFate.PAID:
            if self.ground.draw() < 0.7:
                self.tell(provider, WebhookEventType.SUCCEEDED, reference)
            self._maybe_returns(provider, reference)
        elif fate is PayoutFate.DECLINED:
            if self.ground.draw() < 0.3:
                self.tell(provider, WebhookEventType.FAILED, reference)
            self._maybe_pays_after_all(provider, reference)
        if self.ground.chance(self.ground.dials.strange_webhook):
            self._tell_of_nobody(provider)

    def _sometime(self, plan: ProviderPolicy) -> int:
        sla = int((plan.sla.total_seconds() if plan.sla else 3600) * SECOND)
        draw = self.ground.draw
        drawn = draw()
        if drawn < 0.4:
            return int(draw() * MINUTE)
        if drawn < 0.7:
            return int(draw() * sla * 1.5)
        return self.ground.between(MINUTE, 2 * DAY)

    def _settles(self, provider: SimProvider, reference: str) -> None:
        if provider.fate(reference) is not PayoutFate.PENDING:
            return
        if self.ground.chance(self.ground.dials.breaks_word):
            # It says no, and pays all the same.
            self.lie(provider, reference, "failed, then paid")
            self.tell(provider, WebhookEventType.FAILED, reference, surely=True)
            later = self.ground.between(SECOND, 30 * DAY)
            self.ground.loop.at(
                self.ground.clock.micros + later, self._pays, provider, reference
            )
        elif self.ground.draw() < 0.6:
            self._pays(provider, reference)
        else:
            provider.fails(reference)
            self.tell(provider, WebhookEventType.FAILED, reference)

    def _pays(self, provider: SimProvider, reference: str) -> None:
        if provider.fate(reference) is not PayoutFate.PENDING:
            return
        provider.pays(reference)
        lied = reference in provider.lies
        if not lied and self.ground.chance(self.ground.dials.breaks_word / 2):
            self._returns_first(provider, reference)
            return
        self.tell(provider, WebhookEventType.SUCCEEDED, reference, surely=lied)
        if not lied:
            self._maybe_returns(provider, reference)

    def _returns_first(self, provider: SimProvider, reference: str) -> None:
        """Tell that the money came back, and only then that it had left."""
        self.lie(provider, reference, "returned before it was told as paid")
        self.tell(provider, WebhookEventType.RETURNED, reference, surely=True)
        late = self.ground.between(MINUTE, 5 * DAY)
        self.tell(
            provider, WebhookEventType.SUCCEEDED, reference, late=late, surely=True
        )

    def cancelled(self, provider: SimProvider, reference: str) -> None:
        """Tell of a cancellation, which is the end of a payout like any other."""
        self.tell(provider, WebhookEventType.FAILED, reference)

    def _maybe_returns(self, provider: SimProvider, reference: str) -> None:
        if not self.ground.chance(self.ground.dials.breaks_word):
            return
        kind = (
            WebhookEventType.RETURNED
            if self.ground.draw() < 0.5
            else WebhookEventType.FAILED
        )
        self.lie(provider, reference, f"paid, then {kind}")
        late = self.ground.between(0, 5 * DAY)
        self.tell(provider, kind, reference, late=late, surely=True)
        self.tell(
            provider, WebhookEventType.SUCCEEDED, reference, late=late, surely=True
        )

    def _maybe_pays_after_all(self, provider: SimProvider, reference: str) -> None:
        if not self.ground.chance(self.ground.dials.breaks_word):
            return
        self.lie(provider, reference, "declined, then paid")
        later = self.ground.between(SECOND, 30 * DAY)
        self.ground.loop.at(
            self.ground.clock.micros + later, self._after_all, provider, reference
        )

    def _after_all(self, provider: SimProvider, reference: str) -> None:
        if provider.has_paid(reference):
            return
        provider.pays_after_all(reference, provider.money_of(reference))
        self.tell(provider, WebhookEventType.SUCCEEDED, reference, surely=True)

    def lie(self, provider: SimProvider, reference: str, kind: str) -> None:
        provider.lies[reference] = kind
        self.ground.struck(f"broken word: {kind}", reference)

    def _tell_of_nobody(self, provider: SimProvider) -> None:
        self.ground.struck("webhook of nobody's task", provider.name)
        webhook = provider.webhook(WebhookEventType.SUCCEEDED, NOBODY)
        self.ground.spawn(NOWHERE, self._send(webhook, 0))

    def tell(
        self,
        provider: SimProvider,
        kind: WebhookEventType,
        reference: str,
        *,
        late: int = 0,
        surely: bool = False,
    ) -> None:
        """Send a webhook: soon or late, once or more often, or never."""
        ground, dials = self.ground, self.ground.dials
        if not surely and ground.chance(dials.webhook_lost):
            ground.struck("webhook lost", reference)
            self.untold.append((provider, kind, reference))
            return
        amount = None
        if not surely and ground.chance(dials.another_amount):
            # It tells the truth, too.
            self._sent(provider, kind, reference, late)
            if ground.draw() < 0.5:
                self._renames(provider, kind, reference, late)
                return
            amount = 1
            ground.struck("another amount in a webhook", reference)
        self._sent(provider, kind, reference, late, amount)

    def _renames(
        self, provider: SimProvider, kind: WebhookEventType, reference: str, late: int
    ) -> None:
        """Tell of a payout under a name that the provider never gave it before."""
        self.ground.struck("another reference in a webhook", reference)
        provider.renamed.add(reference)
        webhook = stated(
            provider.webhook(kind, reference), provider_reference="po_other"
        )
        self.ground.spawn(NOWHERE, self._send(webhook, late + SECOND))

    def _sent(
        self,
        provider: SimProvider,
        kind: WebhookEventType,
        reference: str,
        late: int,
        amount: int | None = None,
    ) -> None:
        ground, dials = self.ground, self.ground.dials
        delay = late + 1 + int(ground.draw() * SECOND)
        if ground.chance(dials.webhook_first):
            delay = late + 1
        elif ground.chance(dials.webhook_late):
            delay += ground.between(MINUTE, 2 * DAY)
            ground.struck("webhook late", reference)
        webhook = provider.webhook(kind, reference, amount=amount)
        if amount is not None:
            provider.misnamed.add(reference)
            self.mismatched[webhook.provider, webhook.event_id] = reference
        ground.spawn(NOWHERE, self._send(webhook, delay))
        if ground.chance(dials.webhook_repeated):
            ground.struck("webhook repeated", reference)
            ground.spawn(NOWHERE, self._send(webhook, delay + ground.between(0, HOUR)))
        if ground.chance(dials.webhook_repeated / 4):
            ground.struck("webhook repeated under another id", reference)
            again = provider.webhook(kind, reference, amount=amount)
            ground.spawn(NOWHERE, self._send(again, delay + ground.between(0, DAY)))

    async def _send(self, webhook: WebhookEvent, delay: int) -> None:
        await self.ground.loop.sleep(delay)
        (arrival,) = await self.fleet.insist(lambda p: keep(webhook, ports=p.ports))
        if arrival is not Arrival.STORED:
            self.ground.seen["webhook duplicate suppressed"] += 1
        self.acknowledged.add((webhook.provider, webhook.event_id))

    def tell_what_was_lost(self) -> None:
        """Repeat what providers without an SLA must tell in the end."""
        untold, self.untold = self.untold, []
        for provider, kind, reference in untold:
            self.tell(provider, kind, reference)
