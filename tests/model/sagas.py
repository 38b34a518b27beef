"""The saga's own world: steps done by services, and workers that fail, asked for real.

The lifecycles are those of ``fsm.service``; what is due is asked by the real calls of
``handlers.checkout``. Time is left out: what is due may be woken at any time, and may
have been tried long enough or not. A worker may die between any two effects, sleep on
a picture that others have moved on from, and call late. A service may have done it and
not say so; a do may float, and land ever so late. An order, or one of its steps, may
be given up at any moment.
"""

import types
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final, NamedTuple

from fsm.charge.lifecycle import CHARGE
from fsm.domain.money import Money
from fsm.domain.orders import Order
from fsm.engine.decide import cancel_order, decide, notified
from fsm.engine.flow import Flow, Rules, StepSpec
from fsm.engine.invariants import standing
from fsm.engine.loading import loaded
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Event, Step
from fsm.engine.words import EngineTrigger, EngineWait, Kind, OrderState, Source, State
from fsm.flows import RULES
from fsm.service.outcome import by_saga
from fsm.service.policy import Default, ServicePolicy
from fsm.service.words import DEFAULTED, STANDS, ServiceWait, StepTrigger
from handlers.checkout.calls import call_for
from handlers.checkout.open import opened
from handlers.claims import Claims
from handlers.commit import Limits
from handlers.ports.admission import OpenAdmission
from handlers.ports.payments import Charge, Charged, Refunded
from handlers.ports.services import (
    ServiceDone,
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
    ServiceUndone,
)
from payment_service.playground.memory.services import StepFate
from tests.fsm.chores import NOW
from tests.model.checker import Move, Violation

OWN: Final = -1
DONE_NOW: Final = frozenset({StepFate.DONE, StepFate.KEPT})
OVER: Final = frozenset({StepFate.UNDONE, StepFate.BARRED})
WISH: Final = Event(trigger=EngineTrigger.CANCEL_REQUESTED, source=Source.PERSON)
PATIENT: Final = ServicePolicy(attempts=99)
Fate = StepFate | None
Heard = tuple[str, bool, str | None]
"""(trigger, whether it is about this version alone, code) of an event."""


class Worker(NamedTuple):
    """A process that goes on with ``row``; ``claims`` it if its own step made it due.

    ``stale`` are the rows that others have moved since it loaded them.
    """

    rows: tuple[int, ...]
    stale: frozenset[int]
    row: int
    claims: bool
    heard: Heard | None = None


class Saga(NamedTuple):
    """Everything there is; ``floating`` are the steps whose do may still land."""

    rows: tuple[int, ...]
    books: tuple[Fate, ...]
    floating: frozenset[int]
    workers: tuple[Worker | None, ...]


class Moved(NamedTuple):
    """A decision that is a step: the rows as it leaves them."""

    changed: frozenset[int]
    rows: tuple[int, ...]
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkouts:
    """A flow of services' steps, and which faults there are in its world."""

    name: str
    steps: tuple[StepSpec, ...]
    workers: int = 2
    asks: bool = True
    keeps: bool = False
    defaults: bool = False
    cancels: bool = True
    refuses: bool = True
    errs: bool = False

    def model(self, bugs: Any = None) -> "Model":
        """Return the world; its wrong turns are planted in the code itself."""
        del bugs
        return Model(self)


class _Clock:
    def now(self) -> Any:
        return NOW

    def elapsed(self) -> float:
        return 0.0


@types.coroutine
def _asks(what: str) -> Generator[str, Any, Any]:
    return (yield what)


class _Service:
    """Asks the world what it answers; nobody knows how often it was tried."""

    name = "service"

    def __init__(self, policy: ServicePolicy) -> None:
        self.policy = policy

    async def do(self, _: Any) -> Any:
        return await _asks("do")

    async def ask(self, _: Any) -> Any:
        return await _asks("ask")

    async def undo(self, _: Any) -> Any:
        return await _asks("undo")


class _Payment:
    """Asks the world as a service does, in the words of a payment provider."""

    name = "provider"

    def __init__(self, policy: ServicePolicy) -> None:
        self.policy = policy

    async def charge(self, charge: Charge) -> Any:
        assert charge.key == charge.reference
        return _collected(await _asks("do"))

    async def charge_status(self, _: Any) -> Any:
        return _collected(await _asks("ask"))

    async def refund(self, charge: Charge) -> Any:
        assert charge.key != charge.reference
        return _collected(await _asks("undo"))


def _collected(answer: Any) -> Any:
    if isinstance(answer, ServiceDone):
        return Charged()
    return Refunded() if isinstance(answer, ServiceUndone) else answer


class _Always:
    def __init__(self, side: Any) -> None:
        self._side = side

    def get(self, _: str) -> Any:
        return self._side


class _Ports:
    clock = _Clock()
    limits = Limits()
    rules = RULES
    gate = OpenAdmission()

    def __init__(self, policy: ServicePolicy) -> None:
        self.services = _Always(_Service(policy))
        self.payments = _Always(_Payment(policy))


ANSWERS: Final[dict[str, Any]] = {
    "done": ServiceDone(),
    "undone": ServiceUndone(),
    "refused": ServiceRefused(code="refused"),
    "pending": ServicePending(),
    "not known": ServiceNotKnown(),
    "not sent": ServiceNotSent(because="connection refused"),
    "unheard": ServiceUnclear(because="timed out"),
}
SAYS: Final[dict[str, dict[Fate, str]]] = {
    "do": {
        StepFate.DONE: "done",
        StepFate.KEPT: "done",
        StepFate.REFUSED: "refused",
        StepFate.UNDONE: "refused",
        StepFate.BARRED: "refused",
    },
    "undo": {
        StepFate.KEPT: "refused",
        StepFate.UNDONE: "undone",
        StepFate.BARRED: "undone",
    },
}
"""What a service answers once its book says that."""


class Model:
    """The moves of such a world, with memory of what was decided before."""

    terms: ServicePolicy = PATIENT

    def __init__(self, setup: Checkouts) -> None:
        self.setup = setup
        self.flow = Flow(
            kind=Kind.CHECKOUT,
            version=99,
            steps=setup.steps,
            loads=True,
            outcome=by_saga,
        )
        self.rules = Rules(RULES.lifecycles, {(Kind.CHECKOUT, 99): self.flow})
        self.pictures: list[Any] = []
        self.numbers: dict[Any, int] = {}
        self.decided = cache(self._decided)
        self.judged = cache(self._judged)
        self.due = cache(self._due)
        self.asked = cache(self._asked)

    def number(self, thing: Any) -> int:
        known = self.numbers.get(thing)
        if known is None:
            known = self.numbers[thing] = len(self.pictures)
            self.pictures.append(thing)
        return known

    def task(self, number: int) -> Task:
        found: Task = self.pictures[number]
        return found

    def queue(self, rows: tuple[int, ...]) -> Queue:
        own: Queue = self.pictures[rows[OWN]]
        return replace(own, tasks=tuple(self.task(n) for n in rows[:OWN]))

    def rows_of(self, queue: Queue) -> tuple[int, ...]:
        wakes = None if queue.wake_at is None else NOW
        own = replace(queue, tasks=(), version=1, wake_at=wakes, loaded=None)
        return (*(self.number(_blurred(t)) for t in queue.tasks), self.number(own))

    def opened(self) -> tuple[Task, ...]:
        """Return the tasks of a new order."""
        return opened(self.flow, "queue", NOW)

    def policy(self, *, spent: bool) -> ServicePolicy:
        """Return how whoever is asked is treated; ``spent``: was tried long enough."""
        default = Default(after=timedelta(0)) if spent and self.setup.defaults else None
        return ServicePolicy(
            asks=self.setup.asks, attempts=0 if spent else 99, default=default
        )

    def first(self) -> Saga:
        """Begin where what the steps need has just been loaded."""
        tasks = tuple(
            replace(task, task_id=f"task-{task.position}") for task in self.opened()
        )
        queue = Queue(
            queue_id="queue",
            kind=Kind.CHECKOUT,
            flow_version=99,
            waiting_for=EngineWait.LOAD,
            tasks=tasks,
        )
        step = loaded(queue, b"{}", {}, rules=self.rules, now=NOW)
        assert isinstance(step, Step)
        rows = self.rows_of(step.after)
        nobody = (None,) * (self.setup.workers - 1)
        first = Worker(rows, frozenset(), 0, claims=True)
        return Saga(rows, (None,) * len(tasks), frozenset(), (first, *nobody))

    # The real functions, remembered.

    def _due(self, rows: tuple[int, ...]) -> tuple[int, ...]:
        tasks = [n for n, each in enumerate(rows[:OWN]) if self.task(each).due(NOW)]
        own: Queue = self.pictures[rows[OWN]]
        return (*tasks, OWN) if own.due(NOW) else (*tasks,)

    def _decided(self, rows: tuple[int, ...], row: int, heard: Any) -> Moved | None:
        """Return what news means for a row; ``heard`` None: it is given up."""
        queue = self.queue(rows)
        terms = self.terms
        given: Any = {"rules": self.rules, "terms_of": lambda _: terms, "now": NOW}
        try:
            if row == OWN:
                told = heard is not None
                decision = (
                    notified(queue) if told else cancel_order(queue, WISH, **given)
                )
            else:
                event = WISH
                if heard is not None:
                    word, _, code = heard
                    event = Event(trigger=_WORDS[word], code=code)
                decision = decide(queue, queue.tasks[row].task_id, event, **given)
        except LookupError as error:
            raise Violation(f"the rule wants what no table has: {error}") from error
        if not isinstance(decision, Step):
            return None
        moved = [c.after.task_id for c in decision.changes]
        if len(moved) != len({*moved}):
            raise Violation(f"a task moves twice in one step: {moved}")
        changed = {n for n, t in enumerate(queue.tasks) if t.task_id in moved}
        changed |= {OWN} if decision.queue else set()
        rows = self.rows_of(decision.after)
        return Moved(frozenset(changed), rows, len(decision.cases))

    def _asked(
        self, number: int, claims: bool, spent: bool, answer: str | None = None
    ) -> Heard | str:
        """Return what the real call asks of a service; with an answer what it hears."""
        task = self.task(number)
        entered = frozenset({(task.task_id, task.version)}) if claims else frozenset()
        ports: Any = _Ports(self.policy(spent=spent))
        asking = call_for(
            ORDER, task, ports=ports, claims=Claims(taken_at=0, entered=entered)
        )
        try:
            what: str = asking.send(None)
            if answer is None:
                asking.close()
                return what
            asking.send(ANSWERS[answer])
        except StopIteration as done:
            event: Event = done.value
            return event.trigger.value, event.version is not None, event.code
        raise AssertionError("it asks twice")

    def _judged(
        self,
        rows: tuple[int, ...],
        books: tuple[Fate, ...],
        floating: frozenset[int],
    ) -> str | None:
        queue = self.queue(rows)
        wrong = [o.what for o in standing(queue, queue.tasks, self.rules)]
        for n, task in enumerate(queue.tasks):
            wrong += self._contradicts(queue, task, books[n], n in floating)
        return wrong[0] if wrong else None

    def _contradicts(
        self, queue: Queue, task: Task, book: Fate, floats: bool
    ) -> Iterator[str]:
        spec = self.flow.steps[task.step]
        stands = book in DONE_NOW or (book is None and floats)
        won = task.state is State.SUCCEEDED and task.code is None
        if won and book not in DONE_NOW:
            yield f"{task.name} is SUCCEEDED, and its book says {book}"
        if task.state is State.REVERSED and book not in OVER:
            yield f"{task.name} is REVERSED, and its book says {book}"
        if not queue.final:
            return
        if queue.state is OrderState.COMPLETED:
            done = book in DONE_NOW or task.code in {DEFAULTED, STANDS}
            if not (done or self.is_spared(task)):
                yield f"COMPLETED, and {task.name} is not done"
        elif stands and (spec.point_of_no_return or _is_lost(spec, task)):
            yield f"{queue.state}, and {task.name} is done, or may yet be"

    def is_spared(self, task: Task) -> bool:
        """Tell whether an order may be completed without it: it has alternatives."""
        del task
        return False

    # What can happen.

    def moves(self, world: Saga) -> Iterator[Move]:
        for n, worker in enumerate(world.workers):
            if worker is not None:
                yield Move(f"{_name(n)} dies", _manned(world, n, None), fault=True)
                yield from self._works(world, n, worker)
            elif None not in world.workers[:n]:
                for row in self.due(world.rows):
                    free = Worker(world.rows, frozenset(), row, claims=False)
                    story = f"{_name(n)} goes on with {row}"
                    yield Move(story, _manned(world, n, free))
        yield from self._persons(world)
        for row in world.floating:
            yield from self._lands(world, row)
        if self.setup.cancels:
            yield from self._given_up(world)

    def _works(self, world: Saga, n: int, worker: Worker) -> Iterator[Move]:
        if worker.heard is not None:
            yield from self._records(world, n, worker, worker.heard)
        elif worker.row == OWN:
            yield from self._records(world, n, worker, ("core.notified", False, None))
        else:
            yield from self._calls(world, n, worker)

    def _calls(self, world: Saga, n: int, worker: Worker) -> Iterator[Move]:
        number, claims = worker.rows[worker.row], worker.claims
        seen = set[Any]()
        for spent in (False,) if self._heard_in_time(number) else (False, True):
            what = self.asked(number, claims, spent)
            if what in seen:
                continue
            seen.add(what)
            if isinstance(what, tuple):
                told = worker._replace(heard=what)
                # That it was tried long enough is a matter of time, and no fault.
                story = f"{_name(n)} finds of {worker.row}: {what[0]}"
                yield Move(story, _manned(world, n, told))
                continue
            self._check_call(world, worker.row, what)
            for books, floating, answer, fault in self._answers(world, worker, what):
                heard = self.asked(number, claims, spent, answer)
                assert isinstance(heard, tuple)
                made = world._replace(books=books, floating=floating)
                story = f"{_name(n)} has {worker.row} {what}: {heard[0]}, "
                story += f"{books[worker.row]}"
                told = worker._replace(heard=heard)
                yield Move(story, _manned(made, n, told), fault=fault)

    def _heard_in_time(self, number: int) -> bool:
        """Where a person errs, silence would make it so: whoever is asked answers."""
        questioned = self.task(number).waiting_for is ServiceWait.LAST_QUESTION
        return self.setup.errs and questioned

    def _answers(
        self, world: Saga, worker: Worker, what: str
    ) -> Iterator[tuple[tuple[Fate, ...], frozenset[int], str, bool]]:
        books, floating, row = world.books, world.floating, worker.row
        book = books[row]
        yield books, floating, "unheard", True
        if what == "ask":
            if book is None:
                yield books, floating, "not known", False
            if book is None and row in floating:
                yield books, floating, "pending", True
            if book is not None:
                yield books, floating, SAYS["do"][book], False
            return
        yield books, floating, "not sent", True
        if what == "do" and book is None:
            yield books, floating | {row}, "unheard", True
        for after in self._outcomes(what, row, book):
            made = (*books[:row], after, *books[row + 1 :])
            yield made, floating, SAYS[what][after], False
            if after is not book:
                yield made, floating, "unheard", True

    def _outcomes(self, what: str, row: int, book: Fate) -> tuple[StepFate, ...]:
        if book in SAYS[what] and book is not None:
            return (book,)
        if what == "undo":
            undone = StepFate.UNDONE if book is StepFate.DONE else StepFate.BARRED
            keeps = self.setup.keeps and book is StepFate.DONE and row == 0
            return (undone, StepFate.KEPT) if keeps else (undone,)
        if not self.setup.refuses:
            return (StepFate.DONE,)
        return (StepFate.DONE, StepFate.REFUSED)

    def _check_call(self, world: Saga, row: int, what: str) -> None:
        """Hold what has to be so wherever a service is about to be asked."""
        books, tasks = world.books, [self.task(n) for n in world.rows[:OWN]]
        steps, state = [self.flow.steps[t.step] for t in tasks], tasks[row].state
        if what == "do" and books[row] is None:
            for name in steps[row].after:
                done = any(
                    books[n] in DONE_NOW or tasks[n].code == DEFAULTED
                    for n, step in enumerate(steps)
                    if step.name == name
                )
                if not done and not _sleeps(state):
                    raise Violation(f"{row} is asked before {name} is done")
        if what == "undo" and books[row] is StepFate.DONE:
            if state not in {State.REVERSING, State.MANUAL_CHECK}:
                raise Violation(f"{row} is undone, and no row says that it is to be")
            for n, step in enumerate(steps):
                if steps[row].name in step.after and books[n] in DONE_NOW and step.undo:
                    raise Violation(f"{row} is undone before {n}, which came after it")

    def _records(
        self, world: Saga, n: int, worker: Worker, heard: Heard
    ) -> Iterator[Move]:
        """Commit what the worker has heard, decided again where its picture is old."""
        row, who = worker.row, f"{_name(n)} records {heard[0]} of {worker.row}"
        stale, step = worker.stale, None
        if row not in stale:
            step = self.decided(worker.rows, row, heard)
        if row in stale or (step is not None and stale & step.changed):
            stale = frozenset()
            bound = heard[1] and row in worker.stale
            step = None if bound else self.decided(world.rows, row, heard)
        after = self._committed(world, step, who, n)
        yield Move(who, _manned(after, n, None))
        if step is not None:
            for due in {*self.due(step.rows)} & step.changed - {OWN}:
                ahead = Worker(step.rows, stale - step.changed, due, claims=True)
                yield Move(f"{who}, goes on with {due}", _manned(after, n, ahead))

    def _committed(
        self, world: Saga, step: Moved | None, who: str, by: int | None = None
    ) -> Saga:
        if step is None:
            return world
        if step.cases:
            raise Violation(f"a case, though nobody lied: {who}")
        last = len(world.rows) - 1
        rows = tuple(
            step.rows[n] if (OWN if n == last else n) in step.changed else row
            for n, row in enumerate(world.rows)
        )
        workers = tuple(
            w and (w if n == by else w._replace(stale=w.stale | step.changed))
            for n, w in enumerate(world.workers)
        )
        return world._replace(rows=rows, workers=workers)

    def _persons(self, world: Saga) -> Iterator[Move]:
        """Let a person find out what is so, and have no more come of what is not."""
        for row, number in enumerate(world.rows[:OWN]):
            task, book = self.task(number), world.books[row]
            if task.waiting_for is not EngineWait.DECISION:
                continue
            for after in _put_right(task, book):
                books = (*world.books[:row], after, *world.books[row + 1 :])
                yes = after in DONE_NOW
                word = (
                    EngineTrigger.RESOLVED_POSITIVE
                    if yes
                    else EngineTrigger.RESOLVED_NEGATIVE
                )
                step = self.decided(world.rows, row, (word.value, False, None))
                story = f"a person decides {word} of {row}: {after}"
                right = world._replace(books=books)
                yield Move(story, self._committed(right, step, story))
            if self.setup.errs and book in DONE_NOW and _is_asked_about(task):
                no = (EngineTrigger.RESOLVED_NEGATIVE.value, False, None)
                step = self.decided(world.rows, row, no)
                story = f"a person errs, and says no to {row}"
                yield Move(story, self._committed(world, step, story), fault=True)

    def _lands(self, world: Saga, row: int) -> Iterator[Move]:
        book, floating = world.books[row], world.floating - {row}
        for after in self._outcomes("do", row, book):
            books = (*world.books[:row], after, *world.books[row + 1 :])
            landed = world._replace(books=books, floating=floating)
            yield Move(f"the do of {row} lands: {after}", landed, fault=True)

    def _given_up(self, world: Saga) -> Iterator[Move]:
        for row in (OWN, *range(len(world.books))):
            step = self.decided(world.rows, row, None)
            if step is not None:
                story = f"somebody gives up {'the order' if row == OWN else row}"
                yield Move(story, self._committed(world, step, story), fault=True)

    # What is held of a state.

    def check_state(self, world: Saga) -> None:
        wrong = self.judged(world.rows, world.books, world.floating)
        if wrong is not None:
            raise Violation(wrong)

    def at_rest(self, world: Saga) -> bool:
        own: Queue = self.pictures[world.rows[OWN]]
        idle = own.waiting_for is None and not any(world.workers)
        return idle and own.state not in {OrderState.ACTIVE, OrderState.REVERSING}

    def calm(self, world: Saga) -> Saga:
        """Forget what no longer matters: many worlds have the same future."""
        workers = sorted((_like(w) for w in world.workers if w is not None), key=repr)
        free = (None,) * (len(world.workers) - len(workers))
        floating = frozenset(n for n in world.floating if world.books[n] is None)
        return Saga(world.rows, world.books, floating, (*workers, *free))


_WORDS: Final = {word.value: word for word in (*EngineTrigger, *StepTrigger)}
ORDER: Final = Order(
    queue=Queue(queue_id="queue", kind=Kind.CHECKOUT),
    order_id="c-1",
    merchant_id="m-1",
    customer_id="c-9",
    money=Money(1, "EUR"),
    destination={},
    created_at=NOW,
)


def _put_right(task: Task, book: Fate) -> tuple[StepFate, ...]:
    """Return what people make of what was done, as their word for it has it."""
    if _is_asked_about(task):
        return (book or StepFate.REFUSED,)
    if book is StepFate.DONE:
        return (StepFate.KEPT, StepFate.UNDONE)
    return (book if book in DONE_NOW and book else StepFate.UNDONE,)


def _is_asked_about(task: Task) -> bool:
    """Tell whether a no to it is acted on only once it was asked about."""
    unproven = task.lifecycle == CHARGE.name and task.verdict is None
    return task.lifecycle == "pivot" or unproven


def _like(worker: Worker) -> Worker:
    """Whoever's row was moved by others decides again on what there is."""
    if worker.row not in worker.stale:
        return worker
    own = worker.rows[worker.row] if worker.heard is None else 0
    rows = tuple(own if n == worker.row else 0 for n in range(len(worker.rows)))
    return worker._replace(rows=rows, stale=frozenset({worker.row}))


def _is_lost(spec: StepSpec, task: Task) -> bool:
    """Tell whether it had to be undone: no person has said that it stands."""
    return spec.undo and task.code != STANDS


def _sleeps(state: State) -> bool:
    return replace(_ANY, state=state).final or state is State.REVERSING


_ANY: Final = Task(task_id="any", queue_id="queue", position=0)
NEVER: Final = frozenset({State.SKIPPED, State.FAILED, State.CANCELLED})


def _is_charge(task: Task) -> bool:
    return task.lifecycle == CHARGE.name and not task.final


def _blurred(task: Task) -> Task:
    """Keep what decides, so that the pictures are few: every wait is over."""
    return replace(
        task,
        state=State.SKIPPED if task.state in NEVER else task.state,
        version=1,
        wake_at=None if task.wake_at is None else NOW,
        tries=0,
        taken=task.taken and not task.final,
        cancel_requested=task.cancel_requested and not task.final,
        # Only a charge asks whether its key still lives, and for how long it was sent.
        sent_first_at=task.sent_first_at and (NOW if _is_charge(task) else None),
        code=task.code if task.code in {STANDS, DEFAULTED} else None,
        result=None,
        updated_at=NOW,
    )


def _manned(world: Saga, n: int, worker: Worker | None) -> Saga:
    workers = (*world.workers[:n], worker, *world.workers[n + 1 :])
    return world._replace(workers=workers)


def _name(n: int) -> str:
    return f"worker {'ABC'[n]}"


def _step(name: str, lifecycle: str, *after: str) -> StepSpec:
    undo, last = lifecycle == "service", lifecycle == "pivot"
    return StepSpec(
        name=name,
        lifecycle=lifecycle,
        after=after,
        undo=undo,
        point_of_no_return=last,
    )


IN_TURN: Final = (_step("fraud", "check"), _step("payment", "service", "fraud"))
AT_ONCE: Final = (_step("payment", "service"), _step("delivery", "service"))
TO_THE_END: Final = (
    _step("payment", "service"),
    _step("merchant", "pivot", "payment"),
)
ALL_FOUR: Final = (
    _step("fraud", "check"),
    _step("payment", "service", "fraud"),
    _step("delivery", "service", "fraud"),
    _step("merchant", "pivot", "payment", "delivery"),
)
ENDING: Final = Checkouts(
    name="checkout: payment, then no return", steps=TO_THE_END, workers=1, keeps=True
)
GIVEN_UP: Final = Checkouts(
    name="checkout: a check, then a payment, two workers, no refusal",
    steps=IN_TURN,
    refuses=False,
)
ERRING: Final = Checkouts(
    name="checkout: payment, then no return, a person errs",
    steps=TO_THE_END,
    workers=1,
    errs=True,
)
SAGAS: Final = (
    ERRING,
    ENDING,
    Checkouts(
        name="checkout: a check, then a payment",
        steps=IN_TURN,
        workers=1,
        defaults=True,
    ),
    Checkouts(
        name="checkout: a service that cannot be asked",
        steps=TO_THE_END,
        workers=1,
        asks=False,
    ),
    Checkouts(
        name="checkout: a check, then no return, two workers, nobody gives up",
        steps=(_step("fraud", "check"), _step("merchant", "pivot", "fraud")),
        cancels=False,
        refuses=False,
    ),
)
WIDE_SAGAS: Final = (
    GIVEN_UP,
    Checkouts(
        name="checkout: payment and delivery at once",
        steps=AT_ONCE,
        workers=1,
        keeps=True,
    ),
    Checkouts(
        name="checkout: a check, then a payment, two workers",
        steps=IN_TURN,
        defaults=True,
    ),
    Checkouts(
        name="checkout: payment, then no return, two workers",
        steps=TO_THE_END,
        cancels=False,
    ),
    Checkouts(
        name="checkout: all four steps, nothing is refused or given up",
        steps=ALL_FOUR,
        workers=1,
        refuses=False,
        cancels=False,
    ),
)
"""What takes a minute: searched by the command alone."""
