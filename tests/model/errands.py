"""The engine's own world: an order of several invented steps, and workers that fail.

The flow is ``tests.fsm.chores``, with its own lifecycles and its own ``call``; other
graphs of the same chores stand beside it. Time is left out: what is due may be woken
at any time, by as many workers as there are, as often as they like. A worker may die
between any two effects, sleep on a picture that others have moved on from, and call
late. A helper may have done it and not say so. What it says may come again, ever so
late. An order, or one of its tasks, may be given up at any moment. None of this is
counted: all of it may happen any number of times.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

from fsm.engine.decide import cancel_order, decide, notified
from fsm.engine.flow import Flow
from fsm.engine.invariants import standing
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Decision, Event, Known, Step
from fsm.engine.words import EngineTrigger, EngineWait, OrderState, Source, State
from tests.fsm.chores import ASKED_MAX, HELPERS, NOW, STANDS, Chore, Chores, ChoreWait
from tests.model.checker import Move, Violation
from tests.world.household import (
    SAYS,
    UNDOES,
    Book,
    afterwards,
    an_order,
    offences_at_rest,
    offences_of_rows,
    rules_of,
)
from tests.world.household import STANDS as DONE_NOW

OWN: Final = -1
IS_SO: Final = EngineTrigger.RESOLVED_POSITIVE
IS_NOT_SO: Final = EngineTrigger.RESOLVED_NEGATIVE
WISH: Final = Event(trigger=EngineTrigger.CANCEL_REQUESTED, source=Source.PERSON)
ENDS: Final = frozenset({OrderState.FAILED, OrderState.CANCELLED})
MAY_BECOME: Final = {
    OrderState.ACTIVE: ENDS | {OrderState.REVERSING, OrderState.COMPLETED},
    OrderState.REVERSING: ENDS,
    OrderState.COMPLETED: frozenset[OrderState](),
    OrderState.FAILED: frozenset[OrderState](),
    OrderState.CANCELLED: frozenset[OrderState](),
}


class Worker(NamedTuple):
    """A process that goes on with ``row``: its picture, and what it has heard.

    ``stale`` are the rows that others have moved since it loaded them.
    """

    rows: tuple[int, ...]
    stale: frozenset[int]
    row: int
    heard: Chore | None


class Errands(NamedTuple):
    """Everything there is; rows are numbers of pictures, the order's own last."""

    rows: tuple[int, ...]
    books: tuple[Book, ...]
    workers: tuple[Worker | None, ...]


class Moved(NamedTuple):
    """A decision that is a step: the rows as it leaves them."""

    changed: frozenset[int]
    rows: tuple[int, ...]
    cases: int


@dataclass(frozen=True, slots=True)
class Bugs:
    """Wrong turns of what carries a flow out."""

    no_version_check: bool = False
    unrecorded: bool = False
    hears: Callable[[Task, Chore], Chore] = field(default=lambda _, heard: heard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """A flow and who is asked, and which faults there are in its world."""

    name: str
    flow: Flow
    helpers: tuple[tuple[int, str], ...] = HELPERS
    workers: int = 2
    refuses: bool = True
    keeps: bool = False
    late: bool = True
    cancels: bool = True

    def model(self, bugs: Bugs | None = None) -> "Model":
        """Return the world, with wrong turns in it."""
        return Model(self, bugs or Bugs())


class Model:
    """The moves of such a world, with memory of what was decided before."""

    def __init__(self, setup: Household, bugs: Bugs) -> None:
        self.setup, self.bugs = setup, bugs
        self.rules = rules_of(setup.flow)
        self.steps = tuple(step for step, _ in setup.helpers)
        self.specs = setup.flow.steps
        self.pictures: list[Any] = []
        self.numbers: dict[Any, int] = {}
        self.afterwards = cache(lambda step: afterwards(setup.flow, step))
        self.decided = cache(self._decided)
        self.judged = cache(self._judged)
        self.due = cache(self._due)
        self.like = cache(self._like)
        self.alike: dict[object, Worker] = {}

    # Pictures and their numbers.

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
        own = replace(queue, tasks=(), version=1, wake_at=wakes)
        return (*(self.number(_blurred(t)) for t in queue.tasks), self.number(own))

    def first(self) -> Errands:
        setup = self.setup
        queue = an_order(setup.flow, setup.helpers)
        tasks = queue.tasks
        books = (Book.NOTHING,) * len(tasks)
        return Errands(self.rows_of(queue), books, (None,) * setup.workers)

    # The real functions, remembered.

    def _due(self, rows: tuple[int, ...]) -> tuple[int, ...]:
        tasks = [n for n, each in enumerate(rows[:OWN]) if self.task(each).due(NOW)]
        own: Queue = self.pictures[rows[OWN]]
        return (*tasks, OWN) if own.due(NOW) else (*tasks,)

    def _decided(self, rows: tuple[int, ...], row: int, heard: Any) -> Moved | None:
        """Return what news means for a row; ``heard`` None: the order is given up."""
        try:
            return self._really_decided(rows, row, heard)
        except LookupError as error:
            raise Violation(f"the rule wants what no table has: {error}") from error

    def _really_decided(
        self, rows: tuple[int, ...], row: int, heard: Any
    ) -> Moved | None:
        queue = self.queue(rows)
        given: Any = {"rules": self.rules, "terms_of": lambda _: None, "now": NOW}
        decision: Decision
        if row == OWN and heard is None:
            decision = cancel_order(queue, WISH, **given)
        elif row == OWN:
            decision = notified(queue)
        else:
            event = WISH if heard is None else Event(trigger=heard)
            task_id = queue.tasks[row].task_id
            decision = decide(queue, task_id, event, **given)
        if not isinstance(decision, Step):
            assert isinstance(decision, Known)
            return None
        moved = [c.after.task_id for c in decision.changes]
        if len(moved) != len({*moved}):
            raise Violation(f"a task moves twice in one step: {moved}")
        changed = {n for n, t in enumerate(queue.tasks) if t.task_id in moved}
        changed |= {OWN} if decision.queue else set()
        rows = self.rows_of(decision.after)
        return Moved(frozenset(changed), rows, len(decision.cases))

    def _judged(self, rows: tuple[int, ...], books: tuple[Book, ...]) -> str | None:
        queue = self.queue(rows)
        wrong = [*offences_of_rows(queue, books)]
        wrong += [o.what for o in standing(queue, queue.tasks, self.rules)]
        if queue.final:
            wrong += offences_at_rest(self.setup.flow, queue, books)
        return wrong[0] if wrong else None

    # What can happen.

    def moves(self, world: Errands) -> Iterator[Move]:
        for n, worker in enumerate(world.workers):
            if worker is not None:
                yield Move(f"{_name(n)} dies", _manned(world, n, None), fault=True)
                yield from self._works(world, n, worker)
            elif None not in world.workers[:n]:
                yield from self._wakes(world, n)
        yield from self._persons(world)
        if self.setup.late:
            yield from self._late(world)
        if self.setup.cancels:
            yield from self._given_up(world)

    def _wakes(self, world: Errands, n: int) -> Iterator[Move]:
        for row in self.due(world.rows):
            worker = Worker(world.rows, frozenset(), row, None)
            yield Move(f"{_name(n)} goes on with {row}", _manned(world, n, worker))

    def _works(self, world: Errands, n: int, worker: Worker) -> Iterator[Move]:
        if worker.heard is not None:
            yield from self._records(world, n, worker, worker.heard)
        elif worker.row == OWN:
            yield from self._records(world, n, worker, Chore.DONE)
        else:
            yield from self._calls(world, n, worker)

    def _calls(self, world: Errands, n: int, worker: Worker) -> Iterator[Move]:
        task = self.task(worker.rows[worker.row])
        what, book = ChoreWait(str(task.waiting_for)), world.books[worker.row]
        self._check_call(world, worker.row, what)
        lost = worker._replace(heard=self.bugs.hears(task, Chore.UNCLEAR))
        who = f"{_name(n)} has {task.name} {what} it"
        yield Move(f"{who}, in vain", _manned(world, n, lost), fault=True)
        for after in self._outcomes(what, book):
            books = (*world.books[: worker.row], after, *world.books[worker.row + 1 :])
            made = world._replace(books=books)
            heard = self.bugs.hears(task, said_by(task, what, after))
            told = worker._replace(heard=heard)
            yield Move(f"{who}: {after}", _manned(made, n, told))
            if after is not book:
                yield Move(f"{who}: {after}, unheard", _manned(made, n, lost), True)

    def _outcomes(self, what: ChoreWait, book: Book) -> tuple[Book, ...]:
        if book in SAYS[what]:
            return (book,)
        if what is ChoreWait.UNDO:
            keeps = self.setup.keeps and book is Book.DONE
            return (UNDOES[book], Book.KEPT) if keeps else (UNDOES[book],)
        return (Book.DONE, Book.REFUSED) if self.setup.refuses else (Book.DONE,)

    def _check_call(self, world: Errands, row: int, what: ChoreWait) -> None:
        """Hold what has to be so wherever a helper is about to be asked."""
        states = [self.task(n).state for n in world.rows[:OWN]]
        step, book, state = self.steps[row], world.books[row], states[row]
        if what is ChoreWait.UNDO:
            later = self.afterwards(step)
            for n, each in enumerate(self.steps):
                undone = world.books[n] is not Book.DONE or not self.specs[each].undo
                if each in later and not (undone and _is_idle(states[n])):
                    raise Violation(f"{row} is undone before {n}, which came after it")
            if book is Book.DONE and state is not State.REVERSING:
                raise Violation(f"{row} is undone, and no row says that it is to be")
        elif book is Book.NOTHING:
            self._check_first_do(world, row, states)

    def _check_first_do(self, world: Errands, row: int, states: list[State]) -> None:
        step = self.steps[row]
        if _is_idle(states[row]):
            raise Violation(f"{row} is asked, and no row says that it is to be")
        for n, each in enumerate(self.steps):
            may = world.books[n] in DONE_NOW or not _is_idle(states[n])
            if each == step and n != row and may:
                raise Violation(f"{row} is asked while {n} may have done it")
        for name in self.specs[step].after:
            if not any(
                self.specs[each].name == name and world.books[n] in DONE_NOW
                for n, each in enumerate(self.steps)
            ):
                raise Violation(f"{row} is asked before {name} is done")

    def _records(
        self, world: Errands, n: int, worker: Worker, heard: Chore
    ) -> Iterator[Move]:
        """Commit what the worker has heard, decided again where its picture is old."""
        row, who = worker.row, f"{_name(n)} records {heard} of {worker.row}"
        blind = self.bugs.no_version_check
        step = None
        if row not in worker.stale or blind:
            step = self.decided(worker.rows, row, heard)
            if step and worker.stale & step.changed and not blind:
                step = self.decided(world.rows, row, heard)
        else:
            step = self.decided(world.rows, row, heard)
        if self.bugs.unrecorded and step:
            for due in {*self.due(step.rows)} & step.changed - {OWN}:
                ahead = Worker(step.rows, frozenset(), due, None)
                yield Move(f"{who}, later", _manned(world, n, ahead))
        yield Move(who, _manned(self._committed(world, step, who, n), n, None))

    def _committed(
        self, world: Errands, step: Moved | None, who: str, by: int | None = None
    ) -> Errands:
        if step is None:
            return world
        if step.cases:
            raise Violation(f"a case, though nobody lied: {who}")
        if OWN in step.changed:
            self._check_order(world.rows[OWN], step.rows[OWN])
        last = len(world.rows) - 1
        rows = tuple(
            step.rows[n] if (OWN if n == last else n) in step.changed else row
            for n, row in enumerate(world.rows)
        )
        workers = tuple(
            w and (w if n == by else w._replace(stale=w.stale | step.changed))
            for n, w in enumerate(world.workers)
        )
        return Errands(rows, world.books, workers)

    def _check_order(self, before: int, after: int) -> None:
        """Hold that an order goes on as the database lets it."""
        was, now = self.pictures[before].state, self.pictures[after].state
        if was is not now and now not in MAY_BECOME[was]:
            raise Violation(f"the order was {was} and is {now}")

    def _persons(self, world: Errands) -> Iterator[Move]:
        """Let a person find out what is so, and have no more come of what is not."""
        for row, number in enumerate(world.rows[:OWN]):
            task, book = self.task(number), world.books[row]
            if task.waiting_for is not EngineWait.DECISION:
                continue
            if book is Book.NOTHING:
                books = (*world.books[:row], Book.REFUSED, *world.books[row + 1 :])
                world = world._replace(books=books)
            found = IS_SO if book in DONE_NOW else IS_NOT_SO
            step = self.decided(world.rows, row, found)
            story = f"a person decides {found} of {row}"
            yield Move(story, self._committed(world, step, story))

    def _late(self, world: Errands) -> Iterator[Move]:
        """Have a helper's word come again, however late: it has been true once."""
        for row, book in enumerate(world.books):
            word = _WORDS.get(book)
            if word is not None:
                story = f"{word} of {row} comes late, or again"
                step = self.decided(world.rows, row, word)
                if step is not None:
                    after = self._committed(world, step, story)
                    yield Move(story, after, fault=True)

    def _given_up(self, world: Errands) -> Iterator[Move]:
        for row in (OWN, *range(len(world.books))):
            what = "the order" if row == OWN else f"task {row}"
            step = self.decided(world.rows, row, None)
            if step is not None:
                story = f"somebody gives up {what}"
                yield Move(story, self._committed(world, step, story), fault=True)

    # What is held of a state.

    def check_state(self, world: Errands) -> None:
        wrong = self.judged(world.rows, world.books)
        if wrong is not None:
            raise Violation(wrong)

    def at_rest(self, world: Errands) -> bool:
        own: Queue = self.pictures[world.rows[OWN]]
        idle = own.waiting_for is None and not any(world.workers)
        return idle and own.state not in {OrderState.ACTIVE, OrderState.REVERSING}

    def calm(self, world: Errands) -> Errands:
        """Forget what no longer matters: many worlds have the same future."""
        workers = [self.like(w) for w in world.workers if w is not None]
        workers.sort(key=_rank)
        free = (None,) * (len(world.workers) - len(workers))
        busy = {worker.row for worker in workers}
        books = tuple(
            book if n in busy else _WHATEVER.get(self.task(world.rows[n]).state, book)
            for n, book in enumerate(world.books)
        )
        return Errands(world.rows, books, (*workers, *free))

    def _like(self, worker: Worker) -> Worker:
        """Return the first worker met that will do all that this one will.

        Whose row was moved by others decides again on what there is. Of another's
        picture it matters what is made of each word that may be heard.
        """
        rows, stale, row, heard = worker
        if self.bugs.no_version_check or self.bugs.unrecorded:
            return worker
        if row in stale:
            own = rows[row] if heard is None else 0
            rows = tuple(own if n == row else 0 for n in range(len(rows)))
            return Worker(rows, frozenset({row}), row, heard)
        words = [*Chore] if heard is None else [heard]
        future = (rows[row], heard, *(self._made(worker, word) for word in words))
        return self.alike.setdefault((row, future), worker)

    def _made(self, worker: Worker, word: Chore) -> object:
        step = self.decided(worker.rows, worker.row, word)
        if step is None or step.changed & worker.stale:
            return step is None
        return step.changed, tuple(step.rows[n] for n in sorted(step.changed))


_WHATEVER: Final = {State.SKIPPED: Book.REFUSED, State.REVERSED: Book.UNDONE}
"""What a book may as well say where nobody will ask about it any more."""
_WORDS: Final = {
    Book.DONE: Chore.DONE,
    Book.KEPT: Chore.DONE,
    Book.UNDONE: Chore.DONE,
    Book.REFUSED: Chore.REFUSED,
}


def said_by(task: Task, what: ChoreWait, book: Book) -> Chore:
    """Return what the flow's own call makes of what a helper answers."""

    async def answers(_: Task) -> Chore:
        return SAYS[what][book]

    asking = Chores(answers).call(None, task)
    try:
        asking.send(None)
    except StopIteration as done:
        event: Event = done.value
        return Chore(event.trigger)
    raise AssertionError("a helper waited")


def _is_idle(state: State) -> bool:
    return state in {State.PENDING, State.SUCCEEDED} or replace(_ANY, state=state).final


NEVER: Final = frozenset({State.SKIPPED, State.FAILED, State.CANCELLED})
_ANY: Final = Task(task_id="any", queue_id="queue", position=0)


def _blurred(task: Task) -> Task:
    """Keep what decides, so that the pictures are few: every wait is over."""
    counts = task.lifecycle == "work"
    return replace(
        task,
        state=State.SKIPPED if task.state in NEVER else task.state,
        version=1,
        wake_at=None if task.wake_at is None else NOW,
        tries=min(task.tries, ASKED_MAX) if counts else 0,
        cancel_requested=task.cancel_requested and not task.final,
        code=task.code if task.code == STANDS else None,
        updated_at=NOW,
    )


def _manned(world: Errands, n: int, worker: Worker | None) -> Errands:
    workers = (*world.workers[:n], worker, *world.workers[n + 1 :])
    return Errands(world.rows, world.books, workers)


def _name(n: int) -> str:
    return f"worker {'ABC'[n]}"


def _rank(worker: Worker) -> tuple[object, ...]:
    rows, stale, row, heard = worker
    return rows, sorted(stale), row, heard or ""
