"""Runs the real ``call_for`` against neighbours that say what they are told to say."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fsm.domain.audit_keys import UNKEYED
from fsm.domain.binding import sign
from fsm.domain.money import Money
from fsm.domain.orders import Order
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Event
from fsm.engine.words import State
from fsm.payout.policy import ProviderPolicy
from fsm.payout.words import Waiting
from handlers.claims import Claims, ClaimTooOld, InFlight
from handlers.commit import Ports
from handlers.flows import FLOWS
from handlers.ports.core import Operation
from handlers.ports.provider import Succeeded, Unclear
from handlers.withdrawal.calls import call_for

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
GRACE = timedelta(hours=1)
OLD = NOW - 2 * GRACE
LATER = NOW + 2 * GRACE
MONEY = Money(12550, "EUR")
TOO_OLD = "too old"
IN_FLIGHT = "in flight"
SENDING = frozenset(
    {
        Waiting.CREATE,
        Waiting.CREATE_RETRY,
        Waiting.WEIGHING,
        Waiting.RECHECK,
        Waiting.RECREATE,
        Waiting.LAST_QUESTION,
    }
)
CREATES = frozenset({Waiting.CREATE, Waiting.RECREATE})
COUNTED = SENDING | {Waiting.CANCEL}


@dataclass
class _Clock:
    at: datetime = NOW
    age: float = 0.0

    def now(self):
        return self.at

    def elapsed(self):
        return self.age


class _Neighbours:
    """Core and every provider at once: notes what was asked, answers what it holds."""

    def __init__(self, plan: ProviderPolicy, answer: object) -> None:
        self.policy = plan
        self.timeout = timedelta(seconds=10)
        self.answer = answer
        self.asked: str | None = None

    def get(self, name):
        del name
        return self

    async def create(self, payout):
        return self._say("create", payout)

    async def status(self, payout):
        return self._say("status", payout)

    async def cancel(self, payout):
        return self._say("cancel", payout)

    async def balance(self, operation: Operation, call):
        return self._say(operation.value, call)

    def _say(self, what: str, about: object) -> object:
        if self.asked is not None:
            raise AssertionError("one delivery, at most one outside call")
        self.asked = what
        del about
        return self.answer


def ask(
    task: Task,
    plan: ProviderPolicy,
    answer: object = None,
    *,
    claimed: bool = True,
    overslept: bool = False,
    deadline_passed: bool = False,
) -> tuple[str | None, Event | None]:
    """Return which call the row made, and what the answer means.

    No event where the chain may not make the call any more.
    """
    answer = Unclear(because="probe") if answer is None else answer
    neighbours = _Neighbours(plan, answer)
    clock = _Clock(at=LATER if deadline_passed else NOW, age=1e6 if overslept else 0.0)
    fakes: Any = neighbours
    ports = Ports(flows=FLOWS, store=fakes, core=fakes, providers=fakes, clock=clock)
    entered = frozenset({(task.task_id, task.version)}) if claimed else frozenset()
    claims = Claims(taken_at=0.0, entered=entered)
    asking = call_for(_SIGNED, task, ports=ports, claims=claims)
    try:
        asking.send(None)
    except StopIteration as done:
        return neighbours.asked, done.value
    except ClaimTooOld:
        return TOO_OLD, None
    except InFlight:
        return IN_FLIGHT, None
    raise AssertionError("a fake neighbour waited")


def paid(**said: Any) -> Succeeded:
    return Succeeded(reference="p-1", **said)


_ORDER = Order(
    queue=Queue(queue_id="q-1"),
    order_id="w-1",
    merchant_id="m-1",
    customer_id="c-1",
    money=MONEY,
    destination={"type": "card", "token": "tok_1"},
    created_at=NOW,
)
_SIGNED = replace(_ORDER, signature=sign(_ORDER.bound, UNKEYED))


def _long_ago_or_now(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    return OLD if at <= OLD else NOW


def blurred(task: Task) -> Task:
    """Keep what decides and forget the rest, so that the pictures are few.

    Every wait is over, since a timer may ring at any time; of the last create it
    matters whether it was sent before or after the last long pause.
    """
    sends = task.waiting_for in SENDING
    executes = task.state is State.EXECUTING
    return replace(
        task,
        version=1,
        wake_at=None if task.wake_at is None else NOW,
        tries=task.tries if task.waiting_for in COUNTED else 0,
        sent_first_at=_long_ago_or_now(task.sent_first_at) if sends else None,
        sent_last_at=_long_ago_or_now(task.sent_last_at) if sends else None,
        sla_at=NOW if executes and task.sla_at else None,
        deadline_at=LATER if executes and task.deadline_at else None,
        code=None,
        updated_at=task.updated_at if task.waiting_for in CREATES else None,
    )
