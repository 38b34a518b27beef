"""A small world in which the real decisions run: one order, two providers, two workers.

A world's state is a tuple of small tuples; ``moves`` lists all that can happen next.
What is left out errs on the wild side: any row that is due may be woken at any time
and as often as there are workers, which is more than messages in any order, repeated,
late or lost can do. Time is what matters of it: a short pause makes claims too old, a
long one also ages answers and the last create, and outlasts every request on its way.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

from fsm.engine.decide import cancel_order, decide, notified
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Event, Known, Step
from fsm.engine.words import CaseKind, EngineTrigger, EngineWait, Source, State
from fsm.flows import RULES
from fsm.payout.policy import AskedBy, ProviderPolicy
from fsm.payout.words import Trigger, Waiting
from handlers.ports.core import Confirmed, Refused
from handlers.ports.provider import (
    Accepted,
    Cancelled,
    Declined,
    NotFound,
    NotSent,
    TooLate,
    Unclear,
)
from tests.model.asking import (
    CREATES,
    IN_FLIGHT,
    LATER,
    NOW,
    OLD,
    TOO_OLD,
    ask,
    blurred,
    paid,
)
from tests.model.checker import Move, Violation

# A provider's book: nothing, taken and open, paid, refused at once, failed later.
NOTHING, TAKEN, PAID, REFUSED, FAILED = "-", "taken", "paid", "refused", "failed"
MAY_PAY: Final = frozenset({TAKEN, PAID})
# Core's ledger.
FROZEN, COMMITTED, ROLLED_BACK, POOR = "frozen", "committed", "rolled back", "poor"
RETURNED: Final = "returned"
HOLDS_NOTHING: Final = frozenset({NOTHING, ROLLED_BACK, POOR})

SUCCEEDED: Final = paid()
ACCEPTED: Final = Accepted(reference="p-1")
DECLINED: Final = Declined(code="no")
NOT_FOUND: Final = NotFound()
NOT_SENT: Final = NotSent(because="refused")
UNCLEAR: Final = Unclear(because="timeout")
CANCELLED: Final = Cancelled()
TOO_LATE: Final = TooLate()
CONFIRMED: Final = Confirmed()
CORE_REFUSES: Final = Refused(code="no", message="no")

WEBHOOK: Final = {
    "succeeded": (Trigger.PAID, frozenset({PAID})),
    "failed": (Trigger.DECLINED, frozenset({REFUSED, FAILED})),
    "accepted": (Trigger.ACCEPTED, frozenset({TAKEN, PAID, FAILED})),
    "returned": (Trigger.RETURNED, frozenset({PAID})),
}
LAST_WORDS: Final = frozenset(
    {
        Trigger.RESOLUTION_STOPPED,
        Trigger.RESOLUTION_NOT_FOUND,
        Trigger.RESOLUTION_UNANSWERED,
    }
)
UNSENT: Final = frozenset({Waiting.FREEZE, Waiting.CREATE_RETRY})
QUEUE: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What there is in a world, and how often each fault may strike."""

    name: str
    plan: ProviderPolicy
    providers: int = 2
    workers: int = 2
    crashes: int = 1
    overlaps: int = 1
    cancels: int = 0
    refusals: int = 0
    misreads: int = 0
    poor: bool = False
    delays: bool = True
    webhook: tuple[str, ...] = ("succeeded", "failed")
    answers_status: bool = True
    gates: bool = False

    def model(self, bugs: "Bugs | None" = None) -> "Model":
        """Return the world, with wrong turns in it."""
        return Model(self, bugs)


class Budget(NamedTuple):
    """How many faults of each kind are left."""

    crashes: int
    overlaps: int
    cancels: int
    refusals: int
    misreads: int


class Worker(NamedTuple):
    """A process in the middle of a chain, with the picture it has in memory.

    ``stale`` has the rows that others have moved since; ``claimed`` says that this
    chain itself entered the version of ``row`` from which it is to send a create;
    ``event`` is what it has heard about ``row`` and not yet recorded.
    """

    rows: tuple[int, ...]
    stale: frozenset[int]
    row: int
    claimed: bool
    overslept: bool
    event: int | None


class World(NamedTuple):
    """Everything there is; rows are numbers of the pictures they stand for."""

    rows: tuple[int, ...]
    ledgers: tuple[str, ...]
    books: tuple[str, ...]
    flying: tuple[bool, ...]
    told: tuple[frozenset[str], ...]
    inbox: tuple[frozenset[str], ...]
    workers: tuple[Worker | None, ...]
    budget: Budget


class Moved(NamedTuple):
    """A decision that is a step: the rows as it leaves them."""

    changed: frozenset[int]
    rows: tuple[int, ...]
    cases: tuple[CaseKind, ...]


NOTHING_TO_DO: Final = "known"
TOO_EARLY: Final = "wait"
Decided = Moved | str


@dataclass(frozen=True, slots=True)
class Bugs:
    """Wrong turns that can be planted in the model of what the handlers do."""

    no_version_check: bool = False
    claims_never_age: bool = False
    answers_never_age: bool = False
    hears: Callable[[Event, Task], Event] = field(default=lambda event, _: event)
    follows: Callable[[Queue, Step], Step] = field(default=lambda _, step: step)
    always_claims: bool = False


class Model:
    """The moves of a world, with memory of what was decided before."""

    def __init__(self, setup: Setup, bugs: Bugs | None = None) -> None:
        self.setup = setup
        self.bugs = bugs or Bugs()
        # Which name a payout has matters only where it is asked for by that name.
        self.names = setup.plan.asked_by is AskedBy.THEIRS
        self.keys_die = setup.plan.key_lifetime <= LATER - NOW
        self._tasks: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self.decided = cache(self._decided)
        self.cancelled = cache(self._cancelled)
        self._heards: dict[tuple[int, int, bool, bool], int] = {}
        self.due = cache(self._due)
        self.is_final = cache(self._is_final)
        self.is_over = cache(self._is_over)
        self.waits_to_create = cache(self._waits_to_create)
        self.next_due = cache(self._next_due)
        self.left_behind = cache(self._left_behind)
        self.aged = cache(self._aged)
        self.aged_event = cache(self._aged_event)
        self.calm_worker = cache(self._calm_worker)
        self.rank = cache(_rank)
        self.call_of = cache(self._call_of)
        self.events: list[Event] = []
        gone = Task(task_id="gone", queue_id="queue", position=0, provider="")
        self.over = self.number(replace(gone, state=State.SKIPPED, waiting_for=None))
        self._event_numbers: dict[tuple[object, ...], int] = {}

    def moves(self, world: World) -> Iterator[Move]:
        return moves(self, world)

    def check_state(self, world: World) -> None:
        check_state(self, world)

    def at_rest(self, world: World) -> bool:
        return at_rest(self, world)

    def calm(self, world: World) -> World:
        return calm(self, world)

    # Pictures and their numbers.

    def number(self, thing: Any) -> int:
        known = self._numbers.get(thing)
        if known is None:
            known = self._numbers[thing] = len(self._tasks)
            self._tasks.append(thing)
        return known

    def _is_final(self, number: int) -> bool:
        final: bool = self.picture(number).final
        return final

    def _is_over(self, number: int) -> bool:
        """True for a task that is final and was not paid."""
        task = self.picture(number)
        return task.final and task.state is not State.SUCCEEDED

    def picture(self, number: int) -> Any:
        return self._tasks[number]

    def queue(self, rows: tuple[int, ...]) -> Queue:
        tasks = tuple(self.picture(n) for n in rows[:-1])
        queue: Queue = self.picture(rows[-1])
        return replace(queue, tasks=tasks)

    def rows_of(self, queue: Queue) -> tuple[int, ...]:
        own = replace(
            queue, tasks=(), version=1, wake_at=None if queue.wake_at is None else NOW
        )
        return (*(self.number(blurred(t)) for t in queue.tasks), self.number(own))

    def first(self) -> World:
        many = range(self.setup.providers)
        tasks = tuple(
            Task(
                task_id=f"task-{n}",
                queue_id="queue",
                position=n,
                provider=f"provider-{n}",
                waiting_for=EngineWait.TURN if n else Waiting.FREEZE,
                wake_at=None if n else NOW,
            )
            for n in many
        )
        setup = self.setup
        return World(
            rows=self.rows_of(Queue(queue_id="queue", tasks=tasks)),
            ledgers=(NOTHING,) * len(many),
            books=(NOTHING,) * len(many),
            flying=(False,) * len(many),
            told=(frozenset(),) * len(many),
            inbox=(frozenset(),) * len(many),
            workers=(None,) * setup.workers,
            budget=Budget(
                setup.crashes,
                setup.overlaps,
                setup.cancels,
                setup.refusals,
                setup.misreads,
            ),
        )

    # The real functions, remembered.

    def _waits_to_create(self, number: int) -> bool:
        return self.picture(number).waiting_for in CREATES

    def _due(self, number: int) -> bool:
        return bool(self.picture(number).due(NOW))

    def _next_due(self, rows: tuple[int, ...]) -> int | None:
        for place, number in enumerate(rows[:-1]):
            if self.due(number):
                return place
        return QUEUE if self.due(rows[-1]) else None

    def _left_behind(self, number: int) -> int:
        thing = self.picture(number)
        if isinstance(thing, Task) and thing.updated_at == NOW:
            return self.number(replace(thing, updated_at=OLD))
        return number

    def _aged(self, number: int) -> int:
        thing = self.picture(number)
        if not isinstance(thing, Task):
            return number
        first = OLD if self.keys_die and thing.sent_first_at else thing.sent_first_at
        last = OLD if thing.sent_last_at else None
        return self.number(replace(thing, sent_first_at=first, sent_last_at=last))

    def _aged_event(self, event: int) -> int:
        heard = self.events[event]
        if heard.asked_at == NOW and not self.bugs.answers_never_age:
            return self.event(replace(heard, asked_at=OLD))
        return event

    def _calm_worker(self, worker: "Worker") -> "Worker":
        """A picture that is stale where it matters is decided on again in any case."""
        if worker.row not in worker.stale or self.bugs.no_version_check:
            return worker
        seen = worker.event is None
        rows = tuple(
            row if seen and place == worker.row % len(worker.rows) else 0
            for place, row in enumerate(worker.rows)
        )
        return worker._replace(rows=rows, stale=frozenset({worker.row}))

    def _call_of(
        self, number: int, claimed: bool, overslept: bool
    ) -> tuple[str | None, Event | None]:
        return ask(
            self.picture(number), self.setup.plan, claimed=claimed, overslept=overslept
        )

    def _plan_of(self, task: Task) -> ProviderPolicy:
        del task
        return self.setup.plan

    def _decided(self, rows: tuple[int, ...], place: int, event: int) -> Decided:
        queue = self.queue(rows)
        if place == QUEUE:
            return self._moved(rows, notified(queue))
        decision = decide(
            queue,
            queue.tasks[place].task_id,
            self.events[event],
            rules=RULES,
            terms_of=self._plan_of,
            now=NOW,
        )
        if isinstance(decision, Step):
            decision = self.bugs.follows(queue, decision)
        return self._moved(rows, decision)

    def _cancelled(self, rows: tuple[int, ...], event: int) -> Decided:
        queue = self.queue(rows)
        happened = self.events[event]
        return self._moved(
            rows,
            cancel_order(queue, happened, rules=RULES, terms_of=self._plan_of, now=NOW),
        )

    def _moved(self, rows: tuple[int, ...], decision: object) -> Decided:
        if not isinstance(decision, Step):
            return NOTHING_TO_DO if isinstance(decision, Known) else TOO_EARLY
        queue = self.queue(rows)
        places = {task.task_id: n for n, task in enumerate(queue.tasks)}
        changed = {places[c.after.task_id] for c in decision.changes}
        if decision.queue is not None:
            changed.add(QUEUE)
        return Moved(
            frozenset(changed),
            self.rows_of(decision.after),
            tuple(case.kind for case in decision.cases),
        )

    def event(self, event: Event) -> int:
        key = (
            event.trigger,
            event.source,
            event.asked_at,
            event.reference,
            event.version,
        )
        if key not in self._event_numbers:
            self._event_numbers[key] = len(self.events)
            self.events.append(event)
        return self._event_numbers[key]

    def heard(
        self, number: int, answer: object, *, claimed: bool, deadline: bool = False
    ) -> int:
        """Return the event that the answer means; answers are told by identity."""
        key = (number, id(answer), claimed, deadline)
        if key not in self._heards:
            self._heards[key] = self._heard(
                number, answer, claimed=claimed, deadline=deadline
            )
        return self._heards[key]

    def _heard(
        self, number: int, answer: object, *, claimed: bool, deadline: bool
    ) -> int:
        task = self.picture(number)
        _, event = ask(
            task,
            self.setup.plan,
            answer,
            claimed=claimed or self.bugs.always_claims,
            deadline_passed=deadline,
        )
        if event is None:
            raise AssertionError("a fresh chain may always call")
        event = self.bugs.hears(event, task)
        absences = {Trigger.NOT_FOUND, Trigger.RESOLUTION_NOT_FOUND}
        ages = event.asked_at is not None and event.trigger in absences
        asked_at = NOW if ages else None
        bare = Event(
            trigger=event.trigger,
            source=event.source,
            asked_at=asked_at,
            reference=event.reference if self.names else None,
            # An answer to a last question is about that question alone.
            version=1 if event.trigger in LAST_WORDS else None,
        )
        return self.event(bare)


_ANSWERS_OF_BOOK: Final = {
    NOTHING: (NOT_FOUND,),
    TAKEN: (ACCEPTED,),
    PAID: (SUCCEEDED,),
    REFUSED: (DECLINED, NOT_FOUND),
    FAILED: (DECLINED,),
}
_ANSWERS_AGAIN: Final = {
    TAKEN: (ACCEPTED,),
    PAID: (SUCCEEDED, ACCEPTED),
    REFUSED: (DECLINED,),
    FAILED: (ACCEPTED, DECLINED),
}
_FIRST_ANSWERS: Final = (
    (REFUSED, DECLINED, "declines"),
    (TAKEN, ACCEPTED, "accepts"),
    (PAID, SUCCEEDED, "pays at once"),
)


def put(items: tuple[Any, ...], place: int, item: object) -> tuple[Any, ...]:
    return (*items[:place], item, *items[place + 1 :])


def moves(model: Model, world: World) -> Iterator[Move]:
    """Yield all that can happen next, or raise where a promise is broken."""
    for n, worker in enumerate(world.workers):
        if worker is None:
            if None not in world.workers[:n]:
                yield from _wakes(model, world, n)
        else:
            yield from _works(model, world, n, worker)
    yield from _providers(model, world)
    yield from _webhook(model, world)
    yield from _people(model, world)
    yield from _pause(model, world)


def _wakes(model: Model, world: World, n: int) -> Iterator[Move]:
    due = model.next_due(world.rows)
    if due is None:
        return
    busy = any(w is not None for w in world.workers)
    budget = world.budget
    if busy:
        if budget.overlaps == 0:
            return
        budget = budget._replace(overlaps=budget.overlaps - 1)
    nothing: frozenset[int] = frozenset()
    worker = Worker(
        world.rows, nothing, due, claimed=False, overslept=False, event=None
    )
    yield Move(
        f"a message wakes {_worker(n)}",
        _with(world, n, worker)._replace(budget=budget),
        fault=busy,
    )


def _worker(n: int) -> str:
    return f"worker {'AB'[n]}"


def _with(world: World, n: int, worker: Worker | None) -> World:
    return _manned(world, put(world.workers, n, worker))


def _manned(world: World, workers: tuple[Worker | None, ...]) -> World:
    # Several times as fast as `_replace`, on the path of every move.
    rows, ledgers, books, flying, told, inbox, _, budget = world
    return World(rows, ledgers, books, flying, told, inbox, workers, budget)


def _works(model: Model, world: World, n: int, worker: Worker) -> Iterator[Move]:
    if world.budget.crashes:
        left = world.budget._replace(crashes=world.budget.crashes - 1)
        gone = _with(world, n, None)._replace(budget=left)
        when = "before its call" if worker.event is None else "before it records"
        yield Move(f"{_worker(n)} dies {when}", gone, fault=True)
    if worker.event is not None:
        yield _record(model, world, n, worker, worker.event, "")
    elif worker.row == QUEUE:
        yield _record(model, world, n, worker, 0, "tells core the outcome and ")
    else:
        yield from _calls(model, world, n, worker)


def _calls(model: Model, world: World, n: int, worker: Worker) -> Iterator[Move]:
    place = worker.row
    number = worker.rows[place]
    task = model.picture(number)
    claimed = worker.claimed
    kind, event = model.call_of(
        number,
        claimed or model.bugs.always_claims,
        worker.overslept and not model.bugs.claims_never_age,
    )
    who = _worker(n)
    yield from _gated(model, world, n, worker)
    if kind == TOO_OLD:
        yield Move(f"{who} overslept and gives up", _with(world, n, None))
        return
    if kind == IN_FLIGHT:
        yield Move(f"{who} leaves create {place} to its sender", _with(world, n, None))
        return
    if kind is None and event is not None:
        version = 1 if event.trigger is Trigger.RESOLUTION_UNASKED else None
        told = Event(trigger=event.trigger, source=event.source, version=version)
        yield _record(model, world, n, worker, model.event(told), "")
        return
    asks = {
        "create": _create,
        "status": _status,
        "cancel": _cancel,
    }.get(str(kind), _balance)
    for story, moved, answer, fault in asks(model, world, place, str(kind)):
        heard = model.heard(number, answer, claimed=claimed)
        now_knows = worker._replace(event=heard)
        yield Move(f"{who} {story}", _with(moved, n, now_knows), fault)
    if task.waiting_for is Waiting.POLL:
        late = model.heard(number, UNCLEAR, claimed=False, deadline=True)
        yield _record(model, world, n, worker, late, "finds the deadline passed; ")


def _gated(model: Model, world: World, n: int, worker: Worker) -> Iterator[Move]:
    """Find the provider paused: pass it over, or do not repeat what may have arrived.

    To wait for it changes nothing here, where any row may be woken at any time.
    """
    if not model.setup.gates:
        return
    tasks = [model.picture(number) for number in worker.rows[:-1]]
    task, later = tasks[worker.row], tasks[worker.row + 1 :]
    others = any(other.waiting_for is EngineWait.TURN for other in later)
    if task.waiting_for in UNSENT and others and not task.cancel_requested:
        passed = Event(trigger=Trigger.PASSED_OVER, source=Source.TIMER, version=1)
        event = model.event(passed)
        yield _record(model, world, n, worker, event, "finds it paused; ")
    if task.waiting_for is Waiting.RECREATE and model.setup.plan.can_ask(task):
        unclear = model.heard(worker.rows[worker.row], UNCLEAR, claimed=True)
        yield _record(model, world, n, worker, unclear, "does not repeat it; ")


Asked = Iterator[tuple[str, World, object, bool]]


def _create(model: Model, world: World, place: int, kind: str) -> Asked:
    del kind
    check_create(model, world, place)
    check_key(model, world, place)
    asked = f"sends create {place}:"
    for book, answer, does in _taken(model, world, place):
        after = world._replace(books=put(world.books, place, book))
        yield f"{asked} the provider {does}", after, answer, False
        yield f"{asked} the provider {does}, unheard", after, UNCLEAR, True
    yield f"{asked} no connection", world, NOT_SENT, True
    yield f"{asked} lost, no answer", world, UNCLEAR, True
    if model.setup.delays:
        flying = world._replace(flying=put(world.flying, place, True))
        yield f"{asked} no answer, it is still on its way", flying, UNCLEAR, True


def _taken(model: Model, world: World, place: int) -> Iterator[tuple[str, object, str]]:
    """Say what becomes of a create that has come to the provider."""
    book = world.books[place]
    if book == NOTHING:
        yield from _FIRST_ANSWERS
        return
    if not model.setup.plan.idempotent_create:
        raise Violation(f"a second payout for task {place}: it was {book} already")
    for answer in _ANSWERS_AGAIN[book]:
        yield book, answer, "knows it already"


def check_create(model: Model, world: World, place: int) -> None:
    if world.books[place] != NOTHING and model.setup.plan.idempotent_create:
        return  # it is known already: a repeat starts nothing
    if world.ledgers[place] != FROZEN:
        held = world.ledgers[place]
        raise Violation(f"a create for task {place} without a hold: {held}")
    for other in range(len(world.books)):
        if other != place and may_pay(world, other):
            raise Violation(f"task {place} is sent while {other} may still pay")


def check_key(model: Model, world: World, place: int) -> None:
    """A provider that has forgotten the key of the first takes it for another."""
    task = model.picture(world.rows[place])
    known = world.books[place] != NOTHING
    if known and model.keys_die and task.sent_first_at == OLD:
        raise Violation(f"create {place} is repeated after its key's lifetime")


def may_pay(world: World, place: int) -> bool:
    """True where money has left or still may, whatever anybody believes."""
    book = world.books[place]
    return book in MAY_PAY or (book == NOTHING and world.flying[place])


def _status(model: Model, world: World, place: int, kind: str) -> Asked:
    del kind
    if model.setup.answers_status:
        book = world.books[place]
        for answer in _ANSWERS_OF_BOOK[book]:
            says = type(answer).__name__.lower()
            yield f"asks for task {place}: {says}", world, answer, False
        if model.setup.misreads and _is_last_try(model, world, place):
            return  # who errs and is not told errs: that is no promise of ours
    yield f"asks for task {place} in vain", world, UNCLEAR, model.setup.answers_status


def _is_last_try(model: Model, world: World, place: int) -> bool:
    task = model.picture(world.rows[place])
    asks = task.waiting_for is Waiting.LAST_QUESTION
    return asks and task.tries + 1 >= model.setup.plan.recheck_attempts


def _cancel(model: Model, world: World, place: int, kind: str) -> Asked:
    del model, kind
    if world.books[place] == TAKEN:
        gone = world._replace(books=put(world.books, place, FAILED))
        yield f"has the provider cancel {place}", gone, CANCELLED, False
        yield f"has the provider cancel {place}, unheard", gone, UNCLEAR, True
    yield f"is too late to cancel {place}", world, TOO_LATE, False
    yield f"tries in vain to cancel {place}", world, UNCLEAR, True


def _balance(model: Model, world: World, place: int, kind: str) -> Asked:
    check_balance(model, world, place, kind)
    if kind == "freeze" and world.ledgers[place] not in {NOTHING, FROZEN}:
        # A repeat that comes too late moves nothing.
        late = CONFIRMED if world.ledgers[place] == COMMITTED else CORE_REFUSES
        yield f"has core freeze {place}, which is long done", world, late, False
        return
    after = _LEDGERS[kind]
    done = world._replace(ledgers=put(world.ledgers, place, after))
    yield f"has core {kind} {place}", done, CONFIRMED, False
    if kind == "freeze" and model.setup.poor and world.ledgers[place] == NOTHING:
        poor = world._replace(ledgers=put(world.ledgers, place, POOR))
        yield f"has core refuse to freeze {place}", poor, CORE_REFUSES, False
    undone = {FROZEN, COMMITTED} if kind == "return" else {FROZEN}
    if kind != "freeze" and world.ledgers[place] in undone and world.budget.refusals:
        left = world.budget._replace(refusals=world.budget.refusals - 1)
        refused = world._replace(budget=left)
        yield f"has core refuse to {kind} {place}", refused, CORE_REFUSES, True


_LEDGERS: Final = {
    "freeze": FROZEN,
    "commit": COMMITTED,
    "rollback": ROLLED_BACK,
    "return": RETURNED,
}


def check_balance(model: Model, world: World, place: int, kind: str) -> None:
    ledger, book = world.ledgers[place], world.books[place]
    wrong = f"{kind} of task {place}: it is {ledger}, the provider says {book}"
    others = [x for n, x in enumerate(world.ledgers) if n != place]
    match kind:
        case "freeze":
            bad = ledger == NOTHING and FROZEN in others
        case "commit":
            bad = ledger not in {FROZEN, COMMITTED} or book != PAID
        case "return":
            told = "returned" in world.told[place]
            bad = ledger not in {COMMITTED, RETURNED} or not told
        case _:
            # One that is passed over may have been frozen by another worker, or not.
            undone = HOLDS_NOTHING if model.setup.gates else {ROLLED_BACK}
            bad = ledger not in {FROZEN, *undone} or may_pay(world, place)
    if bad:
        raise Violation(wrong)


def _record(
    model: Model, world: World, n: int, worker: Worker, event: int, story: str
) -> Move:
    """Commit what the worker holds, and let it go on with what is due then."""
    place, who = worker.row, _worker(n)
    fresh = place not in worker.stale or model.bugs.no_version_check
    if fresh:
        decision = model.decided(worker.rows, place, event)
        if isinstance(decision, Moved) and worker.stale & decision.changed:
            fresh = model.bugs.no_version_check
    said = "the outcome" if place == QUEUE else model.events[event].trigger.value
    if not fresh:
        if place != QUEUE and model.events[event].version is not None:
            return Move(f"{who} {story}finds {said} passed", _with(world, n, None))
        decision = model.decided(world.rows, place, event)
    if decision == TOO_EARLY:
        # Somebody else is weighing a no: that takes one step, then it is settled.
        weighed = model.event(Event(trigger=Trigger.WEIGHED, source=Source.TIMER))
        world = commit(world, _step(model.decided(world.rows, place, weighed)), n)
        decision = model.decided(world.rows, place, event)
        fresh = False
    if not isinstance(decision, Moved):
        return Move(f"{who} {story}finds {said} known", _with(world, n, None))
    check_cases(model, decision, said)
    after = commit(world, decision, n)
    rows = decision.rows if fresh else after.rows
    stale = worker.stale - decision.changed if fresh else frozenset()
    due = model.next_due(rows)
    going_on = None
    if due is not None:
        claims = due in decision.changed and model.waits_to_create(rows[due])
        going_on = Worker(rows, stale, due, claimed=claims, overslept=False, event=None)
    again = "" if fresh else " (decided again)"
    return Move(f"{who} {story}records {said}{again}", _with(after, n, going_on))


def _step(decision: Decided) -> Moved:
    if not isinstance(decision, Moved):
        raise Violation(f"weighing leads nowhere: {decision}")
    return decision


def commit(world: World, step: Moved, by: int | None) -> World:
    """Move the rows of the step; every other worker's picture of them is stale."""
    last = len(world.rows) - 1
    rows = tuple(
        step.rows[i] if (QUEUE if i == last else i) in step.changed else row
        for i, row in enumerate(world.rows)
    )
    workers = tuple(
        worker
        if worker is None or n == by
        else worker._replace(stale=worker.stale | step.changed)
        for n, worker in enumerate(world.workers)
    )
    _, ledgers, books, flying, told, inbox, _, budget = world
    return World(rows, ledgers, books, flying, told, inbox, workers, budget)


ALLOWED_CASES: Final = frozenset({CaseKind.BALANCE_REFUSED})
OF_RETURNS: Final = frozenset({CaseKind.RETURN_AFTER_SUCCESS, CaseKind.CONTRADICTION})


def check_cases(model: Model, step: Moved, said: str) -> None:
    returns = "returned" in model.setup.webhook
    allowed = ALLOWED_CASES | OF_RETURNS if returns else ALLOWED_CASES
    for case in step.cases:
        if case not in allowed:
            raise Violation(f"a case {case} though nobody lied, after {said}")


def _providers(model: Model, world: World) -> Iterator[Move]:
    for place, book in enumerate(world.books):
        if world.flying[place]:
            landed = world._replace(flying=put(world.flying, place, False))
            yield Move(f"create {place} is lost on its way", landed)
            for after, _, does in _taken(model, landed, place):
                taken = landed._replace(books=put(world.books, place, after))
                yield Move(f"create {place} arrives late: {does}", taken)
        if book == TAKEN:
            for after in (PAID, FAILED):
                moved = world._replace(books=put(world.books, place, after))
                yield Move(f"provider {place} lets it become {after}", moved)
        for kind in model.setup.webhook:
            if kind not in world.told[place] and book in WEBHOOK[kind][1]:
                told = world._replace(
                    told=put(world.told, place, world.told[place] | {kind}),
                    inbox=put(world.inbox, place, world.inbox[place] | {kind}),
                )
                yield Move(f"a webhook about {place} is stored: {kind}", told)


def _webhook(model: Model, world: World) -> Iterator[Move]:
    """Handle webhooks; nothing but the row's compare-and-set can come between."""
    for place, waiting in enumerate(world.inbox):
        for kind in sorted(waiting):
            trigger = WEBHOOK[kind][0]
            event = model.event(Event(trigger=trigger, source=Source.WEBHOOK))
            decision = model.decided(world.rows, place, event)
            if decision == TOO_EARLY:
                continue
            left = put(world.inbox, place, waiting - {kind})
            after = world._replace(inbox=left)
            if isinstance(decision, Moved):
                check_cases(model, decision, f"a webhook {kind}")
                after = commit(after, decision, None)
            yield Move(f"the webhook {kind} about {place} is applied", after)


def _people(model: Model, world: World) -> Iterator[Move]:
    for place, number in enumerate(world.rows[:-1]):
        task = model.picture(number)
        if task.waiting_for is EngineWait.DECISION:
            yield from _misread(model, world, place)
            trigger = _truth(model, world, place)
            if trigger is not None:
                event = model.event(Event(trigger=trigger, source=Source.PERSON))
                decision = _step(model.decided(world.rows, place, event))
                after = commit(world, decision, None)
                yield Move(f"a person decides: {trigger} for {place}", after)
                if task.verdict is not None:
                    yield _by_hand(model, world, place, trigger)
    if not world.budget.cancels:
        return
    wish = Event(trigger=EngineTrigger.CANCEL_REQUESTED, source=Source.PERSON)
    left = world.budget._replace(cancels=world.budget.cancels - 1)
    event = model.event(wish)
    asked: list[tuple[str, Decided]] = [
        (f"task {place}", model.decided(world.rows, place, event))
        for place in range(len(world.rows) - 1)
    ]
    asked.append(("the order", model.cancelled(world.rows, event)))
    for what, wanted in asked:
        if isinstance(wanted, Moved):
            after = commit(world, wanted, None)._replace(budget=left)
            yield Move(f"somebody wants {what} cancelled", after, fault=True)


def _misread(model: Model, world: World, place: int) -> Iterator[Move]:
    """Let a person say no to what has come to the provider and was paid, or may be."""
    if not world.budget.misreads or world.books[place] not in MAY_PAY:
        return
    no = Event(trigger=EngineTrigger.RESOLVED_NEGATIVE, source=Source.PERSON)
    decision = _step(model.decided(world.rows, place, model.event(no)))
    left = world.budget._replace(misreads=world.budget.misreads - 1)
    after = commit(world, decision, None)._replace(budget=left)
    yield Move(f"a person decides wrongly: no for {place}", after, fault=True)


def _by_hand(model: Model, world: World, place: int, trigger: EngineTrigger) -> Move:
    """Set core's books right, as its refusal has to be, and end the task after it."""
    paid_out = trigger is EngineTrigger.RESOLVED_POSITIVE
    settled = (
        EngineTrigger.SETTLED_POSITIVE if paid_out else EngineTrigger.SETTLED_NEGATIVE
    )
    event = model.event(Event(trigger=settled, source=Source.PERSON))
    decision = _step(model.decided(world.rows, place, event))
    ledger = COMMITTED if paid_out else ROLLED_BACK
    mended = world._replace(ledgers=put(world.ledgers, place, ledger))
    after = commit(mended, decision, None)
    return Move(f"a person settles {place} by hand: {settled}", after)


def _truth(model: Model, world: World, place: int) -> EngineTrigger | None:
    """Return what a person can know for certain; None: that has to wait."""
    book = world.books[place]
    if book == PAID:
        return EngineTrigger.RESOLVED_POSITIVE
    if book in {REFUSED, FAILED}:
        return EngineTrigger.RESOLVED_NEGATIVE
    under_way = world.flying[place] or any(
        w is not None and w.row == place and _is_to_create(model, w) and not w.overslept
        for w in world.workers
    )
    if book == NOTHING and not under_way:
        return EngineTrigger.RESOLVED_NEGATIVE
    return None


def _pause(model: Model, world: World) -> Iterator[Move]:
    """Let more time pass than claims live, or than requests fly and graces last."""
    slept = _slept(model, world)
    if slept != world:
        yield Move("claims grow too old", slept)
    if not any(world.flying):
        later = slept._replace(
            rows=tuple([model.aged(number) for number in slept.rows]),
            workers=tuple(
                [
                    w
                    if w is None or w.event is None
                    else w._replace(event=model.aged_event(w.event))
                    for w in slept.workers
                ]
            ),
        )
        if later != slept:
            yield Move("a long time passes", later)


def _slept(model: Model, world: World) -> World:
    rows = tuple([model.left_behind(number) for number in world.rows])
    workers = tuple(
        w and w._replace(overslept=_is_to_create(model, w)) for w in world.workers
    )
    _, ledgers, books, flying, told, inbox, _, budget = world
    return World(rows, ledgers, books, flying, told, inbox, workers, budget)


def _is_to_create(model: Model, worker: Worker) -> bool:
    return worker.event is None and model.waits_to_create(worker.rows[worker.row])


def check_state(model: Model, world: World) -> None:
    """Hold every promise that can be read off a single state."""
    if world.books.count(PAID) > 1:
        raise Violation("money has left twice")
    if world.ledgers.count(FROZEN) > 1:
        raise Violation("two holds for one order")
    for place, number in enumerate(world.rows[:-1]):
        if not model.is_final(number):
            continue
        task, ledger, book = (
            model.picture(number),
            world.ledgers[place],
            world.books[place],
        )
        told = f"task {place} is {task.state}, core {ledger}, the provider {book}"
        if task.state is State.SUCCEEDED:
            # A worker that died may have had core take back what another was refused.
            back = "returned" in world.told[place]
            if ledger not in ({COMMITTED, RETURNED} if back else {COMMITTED}):
                raise Violation(told)
            if book != PAID or (task.returned and ledger != RETURNED):
                raise Violation(told)
            continue
        if ledger not in HOLDS_NOTHING or may_pay(world, place):
            raise Violation(told)
        if task.state is State.SKIPPED and book == FAILED:
            raise Violation(f"{told}: it took it, so it is FAILED")


def at_rest(model: Model, world: World) -> bool:
    """True where the order has its outcome, core knows, and nobody is at work."""
    queue = model.picture(world.rows[-1])
    return (
        queue.final
        and queue.waiting_for is None
        and not any(world.workers)
        and not any(world.inbox)
        and FROZEN not in world.ledgers
        and all(_is_done(model.picture(n)) for n in world.rows[:-1])
    )


def _is_done(task: Task) -> bool:
    return task.final and task.waiting_for is None


def calm(model: Model, world: World) -> World:
    """Return the one of many worlds with the same future that stands for all."""
    workers = [model.calm_worker(w) for w in world.workers if w is not None]
    if len(workers) > 1:
        workers.sort(key=model.rank)
    busy = [worker.row for worker in workers]
    free = (None,) * (len(world.workers) - len(workers))
    if (*workers, *free) != world.workers:
        world = _manned(world, (*workers, *free))
    for place, number in enumerate(world.rows[:-1]):
        if (
            number != model.over
            and not world.flying[place]
            and place not in busy
            and model.is_over(number)
        ):
            world = _forgotten(model, world, place)
    return world


def _forgotten(model: Model, world: World, place: int) -> World:
    """Nobody will ever ask about this task again: its ends are all the same."""
    if world.ledgers[place] not in HOLDS_NOTHING or may_pay(world, place):
        return world
    return world._replace(
        rows=put(world.rows, place, model.over),
        ledgers=put(world.ledgers, place, NOTHING),
        books=put(world.books, place, REFUSED),
        told=put(world.told, place, frozenset(WEBHOOK)),
        inbox=put(world.inbox, place, frozenset()),
    )


def _rank(worker: Worker) -> tuple[object, ...]:
    rows, stale, row, claimed, overslept, event = worker
    heard = -1 if event is None else event
    return rows, sum(2 << (n + 1) for n in stale), row, claimed, overslept, heard
