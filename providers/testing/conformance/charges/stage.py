"""What a scenario of charges plays on: the real adapter, and its counterpart."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from fsm.domain.money import Money
from handlers.ports.payments import (
    Charge,
    ChargeAnswer,
    ChargeStatus,
    PaymentProvider,
    RefundAnswer,
)
from handlers.ports.services import ServiceNotSent
from providers.testing.conformance.charge_doubles.vocabulary import (
    AskedCharge,
    ChargeCall,
    ChargeDouble,
    ChargeSaying,
)
from providers.testing.conformance.fake_server import Counterpart, Manner
from providers.testing.conformance.harness import (
    REFERENCE,
    TRIES,
    Findings,
    NotHere,
    a_deal,
)
from providers.testing.conformance.made_up_secrets import Rehearsal
from providers.testing.conformance.vocabulary import Deal, Reply

Answer = ChargeAnswer | ChargeStatus | RefundAnswer


@dataclass(slots=True, kw_only=True)
class ChargeStage(Findings):
    """One scenario's payment provider, counterpart and findings."""

    rehearsal: Rehearsal
    provider: PaymentProvider
    double: ChargeDouble
    counterpart: Counterpart
    collecting_at: Callable[[str], PaymentProvider]
    deal: Deal = field(default_factory=a_deal)

    def charge(
        self, call: ChargeCall, reference: str = REFERENCE, money: Money | None = None
    ) -> Charge:
        """Return a charge to ask for, or about; then its provider's id is known."""
        first = call is ChargeCall.CHARGE
        return Charge(
            reference=reference,
            key=f"{reference}:refund" if call is ChargeCall.REFUND else reference,
            money=money or self.deal.money,
            order_id="c-1001",
            merchant_id="m-1",
            customer_id="c-9",
            payment_method=self.double.payment_method,
            provider_reference=None if first else self.deal.provider_reference,
        )

    async def ask(
        self,
        call: ChargeCall,
        manner: Manner,
        case: str,
        charge: Charge | None = None,
        *,
        changes: int = 1,
    ) -> Answer | None:
        """Ask the adapter once; None where it failed to answer at all.

        ``changes`` is how many requests it may make that are more than a question.
        """
        asking: Callable[[Charge], Awaitable[Answer]] = getattr(self.provider, call)
        for _ in range(TRIES):
            self.counterpart.receive_by(manner)
            answer = await self.answered(
                asking(charge or self.charge(call)), self.seconds, case
            )
            if not isinstance(answer, ServiceNotSent) or self.counterpart.touched:
                break
        self.hide(repr(answer), case)
        changing = [each for each in self.counterpart.heard if each.method != "GET"]
        most = 0 if call is ChargeCall.STATUS and changes == 1 else changes
        times = len(changing)
        self.must(times <= most, f"{case}: it asked for a change {times} times")
        return answer

    async def expect(
        self,
        call: ChargeCall,
        manner: Manner,
        kinds: Iterable[type],
        case: str,
        charge: Charge | None = None,
    ) -> Answer | None:
        """Ask, and note an answer that is of no such kind."""
        answer = await self.ask(call, manner, case, charge)
        if answer is not None:
            self.be(answer, kinds, case)
        return answer

    def lead_to(self, url: str) -> None:
        """Have the adapter ask at another address."""
        self.provider = self.collecting_at(url)

    @property
    def seconds(self) -> float:
        """Return the time limit of one call."""
        return self.rehearsal.table.timeout.total_seconds()

    def heard(self, case: str) -> AskedCharge | None:
        """Return what the first request asked for, as the provider reads it."""
        heard = self.counterpart.heard
        return self.legible(heard[0] if heard else None, self.double.read, case)

    def replies(
        self, call: ChargeCall, saying: ChargeSaying, deal: Deal | None = None
    ) -> Mapping[str, Reply]:
        """Return how this provider says so.

        :raises NotHere: it never does.
        """
        found = self.double.replies(call, saying, deal or a_deal())
        if not found:
            raise NotHere(f"this provider never says to a {call}: {saying}")
        return found
