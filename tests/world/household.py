"""The helpers of a flow that is none of ours: their books, and what must be in them.

The books are the truth: what is done there is done. A do that is repeated finds what it
has done; after an undo, also of what was never done, it is refused.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from fsm.engine.flow import Flow, Rules
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.words import EngineTrigger, OrderState, State
from fsm.flows import RULES
from payment_service.playground.memory.effects import Effects
from tests.fsm.chores import (
    CHORES,
    HELPERS,
    LIFECYCLES,
    NOW,
    WASH,
    Chore,
    Chores,
    ChoreWait,
    lifecycle_of,
)

DEAF: Final = lifecycle_of(
    "deaf", tuple(row for row in WASH if row.trigger is not EngineTrigger.TURNED_BACK)
)
"""Who washes, and does not listen when the order turns back."""


class Book(StrEnum):
    """What a helper has written down of a task; KEPT is done and cannot be undone."""

    NOTHING = "nothing"
    DONE = "done"
    KEPT = "done for good"
    REFUSED = "refused"
    UNDONE = "undone"
    BARRED = "undone before it was done"


STANDS: Final = frozenset({Book.DONE, Book.KEPT})
SAYS: Final = {
    ChoreWait.DO: {
        Book.DONE: Chore.DONE,
        Book.KEPT: Chore.DONE,
        Book.REFUSED: Chore.REFUSED,
        Book.UNDONE: Chore.REFUSED,
        Book.BARRED: Chore.REFUSED,
    },
    ChoreWait.UNDO: {
        Book.KEPT: Chore.KEPT,
        Book.UNDONE: Chore.UNDONE,
        Book.BARRED: Chore.UNDONE,
    },
}
"""What a helper says once its book says that."""
UNDOES: Final = {
    Book.NOTHING: Book.BARRED,
    Book.REFUSED: Book.BARRED,
    Book.DONE: Book.UNDONE,
}
"""What an undo makes of a book that it changes."""


def rules_of(flow: Flow = CHORES) -> Rules:
    """Return the rules of a service that handles this flow beside its own."""
    return Rules(
        {**RULES.lifecycles, **LIFECYCLES, DEAF.name: DEAF},
        {**RULES.flows, (flow.kind, flow.version): flow},
    )


def an_order(flow: Flow = CHORES, helpers: Any = HELPERS) -> Queue:
    """Return a new order of chores, whose tasks go by their positions."""
    opened = Chores(None, flow, helpers).open(None, "queue", NOW)
    tasks = tuple(replace(t, task_id=f"task-{t.position}") for t in opened)
    return Queue(
        queue_id="queue", kind=flow.kind, flow_version=flow.version, tasks=tasks
    )


def afterwards(flow: Flow, step: int) -> frozenset[int]:
    """Return the steps that come after one, and after those."""
    found = {step}
    for n, spec in enumerate(flow.steps):
        if any(flow.steps[each].name in spec.after for each in found):
            found.add(n)
    return frozenset(found - {step})


def offences_at_rest(flow: Flow, queue: Queue, books: Sequence[Book]) -> Iterator[str]:
    """Say what is wrong with an order that has its outcome: rows against books."""
    won = Counter(
        task.step
        for task, book in zip(queue.tasks, books, strict=True)
        if book in STANDS
    )
    steps = range(len(flow.steps))
    if any(not task.final for task in queue.tasks):
        yield f"{queue.state}, and not all of its tasks are over"
    if queue.state is OrderState.COMPLETED:
        if any(won[step] != 1 for step in steps):
            yield f"COMPLETED, and not every step is done once: {books}"
        return
    for task, book in zip(queue.tasks, books, strict=True):
        spec = flow.steps[task.step]
        if spec.undo and book is Book.DONE:
            yield f"{queue.state}, and {task.name} has not undone it"
        if spec.point_of_no_return and book in STANDS:
            yield f"{queue.state}, past the point of no return"


def offences_of_rows(queue: Queue, books: Sequence[Book]) -> Iterator[str]:
    """Say where a task's row and its helper's book contradict each other."""
    done = Counter(
        t.step for t, book in zip(queue.tasks, books, strict=True) if book in STANDS
    )
    if any(times > 1 for times in done.values()):
        yield f"a step is done twice: {books}"
    for task, book in zip(queue.tasks, books, strict=True):
        if not _agree(task, book):
            yield f"{task.name} is {task.state}, and its book says {book}"


def _agree(task: Task, book: Book) -> bool:
    if task.state is State.SUCCEEDED:
        return book in STANDS
    if task.state is State.REVERSED:
        return book in {Book.UNDONE, Book.BARRED}
    return not task.final or book not in STANDS


class Helpers:
    """Does and undoes chores, where nobody strikes; ``did`` is in the order it came."""

    def __init__(self, effects: Effects | None = None) -> None:
        self.effects = effects or Effects()
        self.refuse: set[str] = set()
        self.keep: set[str] = set()
        self.unclear: Counter[str] = Counter()
        self.pauses: dict[str, timedelta] = {}
        self.books: dict[str, Book] = {}
        self.did: list[str] = []

    async def ask(self, task: Task) -> Chore:
        """Do what the task's row says is due, and say so."""
        name, what = task.name or "", ChoreWait(str(task.waiting_for))
        if self.unclear[f"{what} {name}"]:
            self.unclear[f"{what} {name}"] -= 1
            self._work(task, what, name)
            return Chore.UNCLEAR
        return await self.effects.do(
            f"{name}.{what}",
            lambda: self._work(task, what, name),
            lambda _done: Chore.UNCLEAR,
        )

    def _work(self, task: Task, what: ChoreWait, name: str) -> Chore:
        book = self.books.get(task.task_id, Book.NOTHING)
        said = SAYS[what].get(book)
        if said is None:
            self.did.append(name if what is ChoreWait.DO else f"undo {name}")
            after = self._after(what, book, name)
            self.books[task.task_id] = after
            said = SAYS[what][after]
        return said

    def _after(self, what: ChoreWait, book: Book, name: str) -> Book:
        if what is ChoreWait.UNDO:
            kept = name in self.keep and book is Book.DONE
            return Book.KEPT if kept else UNDOES[book]
        return Book.REFUSED if name in self.refuse else Book.DONE

    def of(self, queue: Queue) -> list[Book]:
        """Return the books of an order's tasks, by position."""
        return [self.books.get(task.task_id, Book.NOTHING) for task in queue.tasks]
