"""What a payment provider can be asked for a charge, and the few things it can answer.

An adapter never raises for an answer and never guesses: what it cannot read as one of
these is ``ServiceUnclear``. Each call has a key of its own and may be repeated with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from fsm.charge.policy import ChargePolicy
from fsm.domain.money import Money
from handlers.ports.services import (
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One attempt to collect an order's money.

    ``reference`` is our task id, by which the provider is asked; ``key`` makes a repeat
    of this call the same one: a charge and its refund have each their own.
    ``provider_reference`` is the provider's own name of it, once it has told one.
    """

    reference: str
    key: str
    money: Money
    order_id: str
    merchant_id: str
    customer_id: str
    payment_method: Mapping[str, object] = field(repr=False)
    provider_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """The money is collected. Amount and currency where the provider says them."""

    reference: str | None = None
    amount: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """The money that was collected is given back, all of it."""

    reference: str | None = None


ChargeAnswer: TypeAlias = Charged | ServiceRefused | ServiceNotSent | ServiceUnclear
ChargeStatus: TypeAlias = (
    Charged
    | ServiceRefused
    | ServicePending
    | ServiceNotKnown
    | ServiceNotSent
    | ServiceUnclear
)
RefundAnswer: TypeAlias = Refunded | ServiceRefused | ServiceNotSent | ServiceUnclear


PaidBy: TypeAlias = Mapping[str, tuple[str, ...]]
"""The payment providers that do a step, in order, by its name; others services do."""


class PaymentProvider(Protocol):
    """A provider that collects, as its adapter presents it."""

    @property
    def name(self) -> str:
        """The table's name in the configuration."""
        ...

    @property
    def policy(self) -> ChargePolicy:
        """How it may be treated, from the configuration."""
        ...

    async def charge(self, charge: Charge) -> ChargeAnswer:
        """Ask for the money; a charge that is still at work is ``ServiceUnclear``."""
        ...

    async def charge_status(self, charge: Charge) -> ChargeStatus:
        """Ask what became of a charge, by its reference; it charges nothing."""
        ...

    async def refund(self, charge: Charge) -> RefundAnswer:
        """Give all of a charge back; one that is not through is ``ServiceUnclear``."""
        ...


class PaymentProviders(Protocol):
    """All providers that collect."""

    def get(self, name: str) -> PaymentProvider | None:
        """Return the provider, or None where the name is not configured."""
        ...


class NoPayments:
    """A process that has none: the step's own service is asked to pay."""

    def get(self, name: str) -> PaymentProvider | None:
        """Return None."""
        del name
        return None
