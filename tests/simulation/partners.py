"""The partners of links: slow, down, unheard, of several minds, and days to know."""

from datetime import timedelta
from random import Random
from typing import Any, Final

from fsm.domain.orders import Order
from fsm.engine.backoff import Backoff
from fsm.engine.rows import Task
from fsm.engine.words import State
from fsm.partner.lifecycle import LINK, UNLINK
from fsm.partner.policy import LinkPolicy, OnMultiMatch
from handlers.ports.core import Confirmed, MembershipCall, MembershipVerb, Refused
from handlers.ports.partners import (
    CheckAnswer,
    Eligible,
    MultiMatch,
    NotEligible,
    NoticeAnswer,
    PartnerCall,
    PartnerNotSent,
    PartnerPending,
    PartnerUnclear,
)
from handlers.resolve import Ruling
from payment_service.playground.memory.memberships import MemberBook
from payment_service.playground.memory.partners import (
    AGAIN,
    CHECK,
    NOTICE,
    MemoryPartner,
    MemoryPartners,
)
from tests.simulation.environment import Ground
from tests.simulation.fault_injection import Door
from tests.simulation.line import Line, Unheard
from tests.simulation.rates import MINUTE, SECOND
from tests.world.links import COVERS, NORTHBANK, card_of

UNHEARD: Final = Unheard(
    not_sent=PartnerNotSent(because="connection refused"),
    unsure=PartnerUnclear(because="timed out"),
    failed=PartnerUnclear(because="answered 502"),
)
LATEST: Final = 5 * MINUTE
LIFECYCLES: Final = frozenset({LINK.name, UNLINK.name})
DEFINITE: Final = (Eligible, NotEligible)


class SimPartner(MemoryPartner):
    """A partner behind a bad line; how it finds a card is drawn from the seed.

    What it has said of a card for good it says to every later check of that link.
    """

    def __init__(self, ground: Ground, door: Door, name: str) -> None:
        random = Random(f"{ground.seed}:partner {name}")
        super().__init__(name, policy=policy_of(random), now=ground.clock.now)
        self.ground = ground
        self.line = Line(ground, door, "partner", name, UNHEARD)
        self.line.timeout = random.choice((1, 3, 10)) * SECOND
        self.line.latest = lambda: LATEST
        self._knows = random.random()
        self._says_no = 0.5 * random.random()
        self._certain: dict[str, CheckAnswer] = {}

    async def check_eligibility(self, call: PartnerCall) -> CheckAnswer:
        return await self._call(CHECK, call)  # type: ignore[no-any-return]

    async def check_again(self, call: PartnerCall) -> CheckAnswer:
        return await self._call(AGAIN, call)  # type: ignore[no-any-return]

    async def notify_revoked(self, call: PartnerCall) -> NoticeAnswer:
        answer: NoticeAnswer = await self.line.call(
            NOTICE, call.task_id, lambda: self._noted(call)
        )
        return answer

    async def _call(self, what: str, call: PartnerCall) -> Any:
        return await self.line.call(what, call.task_id, lambda: self._found(what, call))

    def _found(self, what: str, call: PartnerCall) -> CheckAnswer:
        if call.key not in self.answers:
            self.script = [self._drawn(call.task_id)]
        answer = self._checked(what, call)
        self.ground.seen[f"partner: {type(answer).__name__}"] += 1
        return answer

    def _drawn(self, task_id: str) -> CheckAnswer:
        if task_id in self._certain:
            return self._certain[task_id]
        if self.ground.draw() >= self._knows:
            return MultiMatch() if self.ground.draw() < 0.7 else PartnerPending()
        no = self.ground.draw() < self._says_no
        answer = NotEligible(code="no_member") if no else Eligible()
        self._certain[task_id] = answer
        return answer


class SimMembers(MemberBook):
    """Core's members; some calls are refused until a person has seen to them."""

    def __init__(
        self, ground: Ground, complaints: list[str], refused: set[str]
    ) -> None:
        super().__init__(complaints)
        self._ground = ground
        self._refused = refused

    def _moved(self, verb: MembershipVerb, call: MembershipCall) -> Confirmed | Refused:
        if self._ground.chance(self._ground.dials.core_says_no):
            self._refused.add(call.task_id)
            self._ground.struck(f"core says no: membership.{verb}", call.task_id)
            return Refused("refused", "core refuses")
        return super()._moved(verb, call)

    def found_out(self, order: Order, task: Task) -> Ruling:
        """Have core's people put right what it refused, and say how it is."""
        stands = task.task_id[-1] in "01234567"
        if task.lifecycle == UNLINK.name:
            if not stands:
                self.mended(card_of(order), stands=False, task_id=task.task_id)
            return Ruling.NEGATIVE if stands else Ruling.POSITIVE
        self.mended(card_of(order), stands=stands, task_id=task.task_id)
        return Ruling.POSITIVE if stands else Ruling.NEGATIVE


def partners_of(ground: Ground, door: Door) -> MemoryPartners:
    """Draw the partners of a seed."""
    if not ground.setting.links:
        return MemoryPartners()
    return MemoryPartners(SimPartner(ground, door, NORTHBANK))


def policy_of(random: Random) -> LinkPolicy:
    """Draw how a partner may be treated."""
    return LinkPolicy(
        **COVERS,
        multi_match=random.choice((*OnMultiMatch,)),
        retry=Backoff(
            first=timedelta(seconds=random.choice((1, 5))),
            factor=2.0,
            longest=timedelta(minutes=5),
        ),
        attempts=random.choice((2, 4, 10)),
        fallback=Backoff(
            first=timedelta(hours=random.choice((1, 6))),
            factor=2.0,
            longest=timedelta(hours=24),
        ),
        deadline=timedelta(days=random.choice((1, 5))),
    )


def is_link(task: Task) -> bool:
    """Tell whether a task is of a link, or of its removal, left to a person or not."""
    return task.lifecycle in LIFECYCLES


def ended(order: Order) -> str:
    """Return in a word how an order about a link has ended, as it is counted."""
    (task,) = order.queue.tasks
    kind = order.queue.kind.value
    word = f" {task.code}" if task.state is State.SUCCEEDED and task.code else ""
    return f"{kind} {order.queue.state} {task.state}{word}"
