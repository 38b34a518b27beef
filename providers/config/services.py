"""The tables of services: who does a checkout's steps, and who loads for them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, SecretStr

from fsm.engine.backoff import Backoff
from fsm.flows import RULES
from fsm.service.lifecycle import LIFECYCLES
from fsm.service.policy import Default, ServicePolicy
from handlers.ports.payments import PaidBy
from providers.config.fields import Duration, HttpUrl
from providers.config.table import Table
from providers.config.values import Attempts, Factor, Headers, InFlight, Many

_STEPS: Final = {
    step.name: step
    for flow in RULES.flows.values()
    for step in flow.steps
    if step.lifecycle in LIFECYCLES
}
STEPS: Final = tuple(_STEPS)
"""The steps that services do, as the flows declare them."""

CAN_BE_UNDONE: Final = frozenset(n for n, step in _STEPS.items() if step.undo)
NO_RETURN: Final = frozenset(n for n, s in _STEPS.items() if s.point_of_no_return)
LOADS: Final = (
    "items",
    "merchant_profile",
    "customer",
    "availability",
    "payment_method",
)


def _service(name: str) -> str:
    if name not in STEPS and name not in LOADS:
        steps, loads = ", ".join(STEPS), ", ".join(LOADS)
        message = f"must be a step ({steps}) or what is loaded for them ({loads})"
        raise ValueError(message)
    return name


class RetryTable(Table):
    """How a call to one of our own services is repeated."""

    first: Duration = timedelta(milliseconds=500)
    factor: Factor = 2.0
    max: Duration = timedelta(seconds=30)
    attempts: Attempts = 10

    @property
    def backoff(self) -> Backoff:
        """Return the waits between the tries."""
        return Backoff(first=self.first, factor=self.factor, longest=self.max)


class DefaultTable(Table):
    """What holds for a step whose service is away for so long."""

    after: Duration
    result: Mapping[str, Any] = Field(repr=False)


class ServiceTable(Table):
    """One ``[services.*]``: does a step of the checkout, or loads for its steps."""

    name: Annotated[str, AfterValidator(_service)]
    base_url: HttpUrl
    token: SecretStr | None = None
    headers: Headers = Field(default={}, repr=False)
    timeout: Duration = timedelta(seconds=5)
    max_in_flight: InFlight = 50
    retry: RetryTable = RetryTable()
    deadline: Duration | None = None
    asks: bool = True
    default: DefaultTable | None = None

    @property
    def is_step(self) -> bool:
        """True where it does a step; else it only loads."""
        return self.name in STEPS

    @property
    def policy(self) -> ServicePolicy:
        """Return how it may be treated, as the core sees it."""
        return ServicePolicy(
            asks=self.asks,
            retry=self.retry.backoff,
            attempts=self.retry.attempts,
            deadline=self.deadline,
            default=self._default,
        )

    @property
    def _default(self) -> Default | None:
        if self.default is None:
            return None
        return Default(after=self.default.after, result=self.default.result)

    @property
    def sent_headers(self) -> dict[str, str]:
        """Return the headers of every call, those by which we prove who asks too."""
        sent = {name: value.get_secret_value() for name, value in self.headers.items()}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token.get_secret_value()}"
        return sent


class CheckoutTable(Table):
    """``[checkout]``: who collects, where it is not ``[services.payment]``.

    ``payment`` names payment providers, to be tried in this order.
    """

    payment: Many[str] = ()

    @property
    def paid_by(self) -> PaidBy:
        """Return the payment providers that do a step of new orders, by its name."""
        return {"payment": self.payment} if self.payment else {}
