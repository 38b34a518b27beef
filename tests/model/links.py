"""A link's own world: a partner and core that fail, asked by the real calls.

The lifecycle is that of ``fsm.partner``; what is due is asked by the real calls of
``handlers.partner``. Time is left out: what is due may be woken at any time, and the
deadline may be over at any time. A worker may die between any two effects, sleep on a
picture that others have moved on from, and call late. A call to core may be done and
not said, or float and land ever so late. The order may be given up at any moment.
"""

import types
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final, NamedTuple

from fsm.domain.orders import Order
from fsm.engine.decide import cancel_order, decide
from fsm.engine.invariants import standing
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Event, Step
from fsm.engine.words import EngineTrigger, Kind, Source, State
from fsm.flows import RULES
from fsm.partner.policy import LinkPolicy, OnMultiMatch
from fsm.partner.words import OURS, LinkTrigger, LinkWait
from handlers.claims import Claims
from handlers.commit import Limits
from handlers.partner.calls import call_for
from handlers.ports.core import Confirmed, MembershipCall, MembershipVerb, Refused
from handlers.ports.partners import (
    Eligible,
    MultiMatch,
    NotEligible,
    PartnerNotSent,
    PartnerUnclear,
    RevokeNoted,
)
from tests.fsm.chores import NOW
from tests.model.checker import Move, Violation

CHECKS: Final = 3
"""How many checks there are at most: to the last of them the partner knows."""
DEADLINE: Final = NOW + timedelta(hours=1)
WISH: Final = Event(trigger=EngineTrigger.CANCEL_REQUESTED, source=Source.PERSON)
GRANT, CONFIRM, REVOKE = MembershipVerb
Heard = tuple[str, bool, str | None, int | None]
"""(trigger, whether it is about this version alone, code, number of the check)."""
HEARD: Final = 4
"""How many parts that has: what is asked has fewer."""
Said = tuple[str, bool]
"""(verb, provisional) of a call to core."""


class Worker(NamedTuple):
    """A process with its picture; ``stale`` once others have moved the rows since."""

    rows: int
    stale: bool = False
    heard: Heard | None = None


class World(NamedTuple):
    """Everything there is: the rows, core's book of the card, what floats to it.

    ``card`` is None, "now" or "good"; ``said`` what the partner has answered, by check.
    """

    rows: int
    card: str | None
    revoked: bool
    granted: bool
    said: tuple[str, ...]
    floating: frozenset[Said]
    workers: tuple[Worker | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """How the partner treats several matches, and how many workers there are."""

    name: str
    multi_match: OnMultiMatch
    workers: int = 2
    cancels: bool = True

    def model(self, bugs: Any = None) -> "Model":
        """Return the world; its wrong turns are planted in the code itself."""
        del bugs
        return Model(self)


@types.coroutine
def _asks(what: Any) -> Generator[Any, Any, Any]:
    return (yield what)


class _Partner:
    """Implements ``Partner``: asks the world what it answers."""

    name = "northbank"

    def __init__(self, policy: LinkPolicy) -> None:
        self.policy = policy

    async def check_eligibility(self, call: Any) -> Any:
        return await _asks(("check", call.n))

    async def check_again(self, call: Any) -> Any:
        return await _asks(("check", call.n))

    async def notify_revoked(self, _: Any) -> Any:
        return await _asks(("notice", 0))


class _Ports:
    """The ports of a call; the deadline is over where it is ``late``."""

    limits = Limits()
    rules = RULES

    def __init__(self, policy: LinkPolicy, *, late: bool) -> None:
        self._partner = _Partner(policy)
        self._now = DEADLINE if late else NOW
        self.partners = self.store = self.core = self.clock = self

    def get(self, _: str) -> _Partner:
        return self._partner

    def now(self) -> Any:
        return self._now

    def elapsed(self) -> float:
        return 0.0

    async def completed(self, _key: str, *, limit: int) -> list[str]:
        del limit
        return []

    async def membership(self, verb: MembershipVerb, call: MembershipCall) -> Any:
        return await _asks((verb.value, call.provisional))


ANSWERS: Final[dict[str, Any]] = {
    "eligible": Eligible(),
    "no": NotEligible(code="no_member"),
    "several": MultiMatch(),
    "not sent": PartnerNotSent(because="connection refused"),
    "unheard": PartnerUnclear(because="timed out"),
    "noted": RevokeNoted(),
    "done": Confirmed(),
    "refused": Refused("revoked", "it was revoked before"),
}
_WORDS: Final = {word.value: word for word in (*EngineTrigger, *LinkTrigger)}
ORDER: Final = Order(
    queue=Queue(queue_id="queue", kind=Kind.PARTNER_LINK, exclusive_key="key"),
    order_id="l-1",
    merchant_id="m-1",
    customer_id="c-9",
    money=None,
    destination={},
    details={
        "partner": "northbank",
        "card": {"token": "tok_1", "bin": "451401", "country": "CA"},
    },
    created_at=NOW,
)


class Model:
    """The moves of such a world, with memory of what was decided before."""

    def __init__(self, setup: Links) -> None:
        self.setup = setup
        self.policy = LinkPolicy(multi_match=setup.multi_match)
        self.pictures: list[Queue] = []
        self.numbers: dict[Queue, int] = {}
        self.decided = cache(self._decided)
        self.asked = cache(self._asked)
        self.wrong = cache(self._wrong)

    def first(self) -> World:
        """Begin with an order that was just stored; one worker has it."""
        task = Task(
            task_id="task",
            queue_id="queue",
            position=0,
            provider="northbank",
            lifecycle="link",
            name="link",
            waiting_for=LinkWait.VALIDATE,
            wake_at=NOW,
        )
        rows = self.number(replace(ORDER.queue, tasks=(task,)))
        nobody = (None,) * (self.setup.workers - 1)
        workers = (Worker(rows), *nobody)
        return World(rows, None, False, False, (), frozenset(), workers)

    def number(self, queue: Queue) -> int:
        queue = _blurred(queue)
        known = self.numbers.get(queue)
        if known is None:
            known = self.numbers[queue] = len(self.pictures)
            self.pictures.append(queue)
        return known

    def task(self, rows: int) -> Task:
        return self.pictures[rows].tasks[0]

    # The real functions, remembered.

    def _decided(self, rows: int, heard: Heard | None) -> int | None:
        """Return the rows as news leaves them; None: it is given up, or nothing new."""
        queue = self.pictures[rows]
        given: Any = {"rules": RULES, "terms_of": lambda _: self.policy, "now": NOW}
        if heard is None:
            decision = cancel_order(queue, WISH, **given)
        else:
            word, _, code, n = heard
            event = Event(trigger=_WORDS[word], code=code, sequence=n)
            decision = decide(queue, "task", event, **given)
        if not isinstance(decision, Step):
            return None
        if decision.cases:
            raise Violation(f"a case, though nobody lied: {heard}")
        return self.number(decision.after)

    def _asked(self, rows: int, late: bool, answer: str | None = None) -> Any:
        """Return what the real call asks of the others; with an answer what it hears.

        What it hears without asking comes back as a :data:`Heard` of four.
        """
        ports: Any = _Ports(self.policy, late=late)
        task = self.task(rows)
        asking = call_for(ORDER, task, ports=ports, claims=Claims(taken_at=0))
        try:
            what = asking.send(None)
            if answer is None:
                asking.close()
                return what
            asking.send(ANSWERS[answer])
        except StopIteration as done:
            event: Event = done.value
            bound = event.version is not None
            return event.trigger.value, bound, event.code, event.sequence
        raise AssertionError("it asks twice")

    def _wrong(
        self, rows: int, card: str | None, revoked: bool, floating: frozenset[Said]
    ) -> str | None:
        queue, task = self.pictures[rows], self.task(rows)
        offences = [o.what for o in standing(queue, queue.tasks, RULES)]
        if not task.final:
            return offences[0] if offences else None
        verbs = {verb for verb, _ in floating}
        if task.state is State.SUCCEEDED:
            if card != "good" or revoked or REVOKE in verbs:
                offences.append(f"it is linked, and core says {card}")
        elif card is not None or (GRANT in verbs and not revoked):
            offences.append(f"it is {task.state}, and core says {card}, or may yet")
        return offences[0] if offences else None

    # What can happen.

    def moves(self, world: World) -> Iterator[Move]:
        for n, worker in enumerate(world.workers):
            who = f"worker {'ABC'[n]}"
            if worker is not None:
                yield Move(f"{who} dies", _manned(world, n, None), fault=True)
                yield from self._works(world, n, worker, who)
            elif None not in world.workers[:n] and self.task(world.rows).due(NOW):
                yield Move(f"{who} goes on", _manned(world, n, Worker(world.rows)))
        for call in world.floating:
            landed = world._replace(floating=world.floating - {call})
            landed, _ = _core(landed, call)
            yield Move(f"{call[0]} lands", landed, fault=True)
        if self.setup.cancels:
            rows = self.decided(world.rows, None)
            if rows is not None:
                yield Move("it is given up", _moved(world, rows), fault=True)

    def _works(self, world: World, n: int, worker: Worker, who: str) -> Iterator[Move]:
        if worker.heard is not None:
            yield self._records(world, n, worker, who)
            return
        for late in (False, True):
            what = self.asked(worker.rows, late)
            if len(what) == HEARD:
                told = worker._replace(heard=what)
                yield Move(f"{who} finds {what[0]}", _manned(world, n, told))
                continue
            for made, answer, fault in self._answers(world, what):
                if answer is None:
                    story = f"{who} hears nothing of {what[0]}"
                    yield Move(story, _manned(made, n, None), fault=True)
                    continue
                heard = worker._replace(heard=self.asked(worker.rows, late, answer))
                story = f"{who} asks {what}: {answer}"
                yield Move(story, _manned(made, n, heard), fault=fault)

    def _answers(
        self, world: World, what: Any
    ) -> Iterator[tuple[World, str | None, bool]]:
        name, given = what
        if name in {"check", "notice"}:
            yield world, "not sent", True
            yield world, "unheard", True
            for said in _answers_to(name, given, world.said):
                kept = world
                if name == "check" and given > len(world.said):
                    kept = world._replace(said=(*world.said, said))
                    yield kept, "unheard", True
                yield kept, said, False
            return
        made, answer = _core(world, what)
        yield made, answer, False
        yield made, None, True
        yield world._replace(floating=world.floating | {what}), None, True

    def _records(self, world: World, n: int, worker: Worker, who: str) -> Move:
        """Commit what was heard, decided again where its picture is old."""
        assert worker.heard is not None
        word, bound, _, _ = worker.heard
        story = f"{who} records {word}"
        stale = worker.stale
        rows = None if stale and bound else self.decided(world.rows, worker.heard)
        freed = _manned(world, n, None)
        if rows is None:
            return Move(story, freed)
        return Move(story, _moved(freed, rows))

    # What is held of a state.

    def check_state(self, world: World) -> None:
        wrong = self.wrong(world.rows, world.card, world.revoked, world.floating)
        if wrong is not None:
            raise Violation(wrong)

    def at_rest(self, world: World) -> bool:
        return self.pictures[world.rows].final and not any(world.workers)

    def calm(self, world: World) -> World:
        """Forget what no longer matters: many worlds have the same future."""
        workers = sorted((w for w in world.workers if w is not None), key=repr)
        free = (None,) * (len(world.workers) - len(workers))
        return world._replace(workers=(*workers, *free))


def _answers_to(name: str, n: int, said: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a partner may say: to a check that it has answered, the same."""
    if name == "notice":
        return ("noted",)
    if n <= len(said):
        return (said[n - 1],)
    return ("eligible", "no") if n >= CHECKS else ("eligible", "no", "several")


def _core(world: World, call: Any) -> tuple[World, str]:
    """Do a call at core, once for each key; what was revoked is granted no more."""
    verb, provisional = call
    if verb == REVOKE:
        return world._replace(revoked=True, card=None), "done"
    if world.revoked:
        return world, "refused"
    if verb == CONFIRM:
        return world._replace(card="good"), "done"
    if world.granted:
        return world, "done"
    card = "now" if provisional else "good"
    return world._replace(card=card, granted=True), "done"


def _moved(world: World, rows: int) -> World:
    workers = tuple(w and w._replace(stale=True) for w in world.workers)
    return world._replace(rows=rows, workers=workers)


def _manned(world: World, n: int, worker: Worker | None) -> World:
    workers = (*world.workers[:n], worker, *world.workers[n + 1 :])
    return world._replace(workers=workers)


def _blurred(queue: Queue) -> Queue:
    """Keep what decides, so that the pictures are few: every wait is over."""
    (task,) = queue.tasks
    task = replace(
        task,
        version=1,
        wake_at=None if task.wake_at is None else NOW,
        deadline_at=None if task.deadline_at is None else DEADLINE,
        tries=0,
        sent_first_at=None,
        code=task.code if task.code in OURS else None,
        updated_at=NOW,
    )
    wakes = None if queue.wake_at is None else NOW
    return replace(queue, version=1, wake_at=wakes, tasks=(task,))


FOR_NOW: Final = Links(
    name="link: a member for now, two workers", multi_match=OnMultiMatch.PROVISIONAL
)
HELD: Final = Links(name="link: held, two workers", multi_match=OnMultiMatch.HOLD)
LINKS: Final = (FOR_NOW, HELD)
