"""Loads what a saga's steps need, from services, at once by what they depend on.

Of each fetch it is the service of its own name that is asked, where one is configured.
A final no ends the order before anything of it has begun; of who is away it is asked
again, as often as the policy of that service has it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Final

from fsm.domain.canonical import written
from fsm.domain.orders import Order
from fsm.engine.backoff import jitter
from fsm.engine.words import as_theirs
from fsm.service.customer import UNAVAILABLE, refusal
from fsm.service.policy import ServicePolicy
from fsm.service.words import OURS
from handlers.checkout.asked import order_of
from handlers.commit import Ports
from handlers.executor import Fetch, FetchFailed, LimitPassed, Plan, run
from handlers.flow import Loaded, LoadLater, NotLoaded
from handlers.ports.services import (
    Fetched,
    LoadCall,
    ServiceNotSent,
    ServiceRefused,
    ServiceUnclear,
)

BYTES_MAX: Final = 256 * 1024
"""How much is kept of an order's load, all of it together, as JSON."""

LIMIT: Final = timedelta(seconds=30)
"""How long a fetch may take whatever its service's own time limit is."""

PLAN: Final = Plan(
    (
        Fetch(name="items", limit=LIMIT),
        Fetch(name="merchant_profile", limit=LIMIT),
        Fetch(name="customer", limit=LIMIT),
        Fetch(name="availability", after=("items", "merchant_profile"), limit=LIMIT),
        Fetch(name="payment_method", after=("customer",), limit=LIMIT),
    )
)
"""All that a checkout may load."""


class _Away(Exception):
    """A service gave no definite answer; it may have been away."""

    def __init__(self, answer: ServiceNotSent | ServiceUnclear) -> None:
        super().__init__(answer.because)
        self.answer = answer


class _Refused(Exception):
    """A service has said a final no, or what it says cannot be kept."""

    def __init__(self, no: NotLoaded) -> None:
        super().__init__(no.code)
        self.no = no


@cache
def plan_of(names: frozenset[str]) -> Plan:
    """Return the plan of those fetches that have a service, without all others."""
    return Plan(
        tuple(
            replace(fetch, after=tuple(n for n in fetch.after if n in names))
            for fetch in PLAN
            if fetch.name in names
        )
    )


async def load(order: Order, *, ports: Ports) -> Loaded | NotLoaded | LoadLater:
    """Fetch what the order's steps need; it changes nothing anywhere.

    :raises Exception: what a service's adapter has failed by.
    """
    services = {
        fetch.name: service
        for fetch in PLAN
        if (service := ports.services.get(fetch.name)) is not None
    }
    said = order_of(order)
    size = 0

    async def fetch(name: str, given: Mapping[str, object]) -> object:
        nonlocal size
        call = LoadCall(
            name=name, queue_id=order.queue_id, order={**said, "loaded": dict(given)}
        )
        answer = await services[name].load(call)
        match answer:
            case Fetched(content=content):
                size += len(written(content))
                if size > BYTES_MAX:
                    raise _Refused(_too_large(name, size))
                return content
            case ServiceRefused():
                raise _Refused(_refused(name, answer))
            case ServiceNotSent() | ServiceUnclear():
                raise _Away(answer)

    try:
        made = await run(plan_of(frozenset(services)), fetch)
    except FetchFailed as failed:
        policy = services[failed.name].policy
        return _failed(failed, order, policy, ports)
    return Loaded(made.results)


def _failed(
    failed: FetchFailed, order: Order, policy: ServicePolicy, ports: Ports
) -> NotLoaded | LoadLater:
    match failed.cause:
        case _Refused(no=no):
            return no
        case _Away(answer=answer):
            lacking = isinstance(answer, ServiceNotSent) and answer.lacking
            return _later(failed, order, policy, ports, answer.after, lacking=lacking)
        case LimitPassed():
            return _later(failed, order, policy, ports)
        case error:
            raise error


def _later(
    failed: FetchFailed,
    order: Order,
    policy: ServicePolicy,
    ports: Ports,
    after: timedelta = timedelta(0),
    *,
    lacking: bool = False,
) -> NotLoaded | LoadLater:
    """Ask again after the policy's wait, which grows; at the end of its budget never.

    What we lack ourselves uses up no try: nobody was asked.
    """
    tries = order.queue.tries
    if not lacking and _is_spent(policy, tries + 1, order, ports):
        return NotLoaded(f"not_loaded_{failed.name}", str(failed), UNAVAILABLE)
    wait = policy.retry.after(tries, jitter(order.queue))
    return LoadLater(str(failed), max(wait, after), counts=not lacking)


def _is_spent(policy: ServicePolicy, tries: int, order: Order, ports: Ports) -> bool:
    deadline = policy.deadline
    lasts = ports.clock.now() - order.created_at
    return tries >= policy.attempts or (deadline is not None and lasts >= deadline)


def _refused(name: str, answer: ServiceRefused) -> NotLoaded:
    message = f"{name}: {answer.message or 'refused'}"
    code = as_theirs(answer.code, OURS)
    customer = refusal(name, code, answer.customer_message)
    return NotLoaded(code, message, customer)


def _too_large(name: str, size: int) -> NotLoaded:
    what = f"{name}: with it {size} bytes are loaded, and {BYTES_MAX} may be kept"
    return NotLoaded(f"not_loaded_{name}", what, UNAVAILABLE)
