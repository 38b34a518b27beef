"""What is judged: rows as they are stored, the story of their trail, and an offence."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

from fsm.engine.words import FINAL, RUNNING, Invariant

FINAL_STATES: frozenset[str] = frozenset(state.value for state in FINAL)
RUNNING_STATES: frozenset[str] = frozenset(state.value for state in RUNNING)


class Offence(NamedTuple):
    """A rule that does not hold, and for whom."""

    invariant: Invariant
    queue_id: str | None
    task_id: str | None
    what: str
    warning: bool = False


class SeenLine(Protocol):
    """A line of the audit trail, as stored."""

    @property
    def version(self) -> int: ...
    @property
    def queue_id(self) -> str: ...
    @property
    def source(self) -> str | None: ...
    @property
    def target(self) -> str: ...
    @property
    def trigger(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def detail(self) -> Mapping[str, object]: ...


class SeenOrder(Protocol):
    """An order's own row, as stored."""

    @property
    def queue_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def flow_version(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def cancel_requested(self) -> bool: ...
    @property
    def waiting_for(self) -> str | None: ...
    @property
    def wake_at(self) -> datetime | None: ...


class SeenTask(Protocol):
    """A task's row, as stored; its columns are those of every lifecycle."""

    @property
    def task_id(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def lifecycle(self) -> str: ...
    @property
    def step(self) -> int: ...
    @property
    def provider(self) -> str | None: ...
    @property
    def state(self) -> str: ...
    @property
    def waiting_for(self) -> str | None: ...
    @property
    def wake_at(self) -> datetime | None: ...
    @property
    def verdict(self) -> str | None: ...
    @property
    def sla(self) -> str | None: ...
    @property
    def sla_at(self) -> datetime | None: ...


class Story(Protocol):
    """What the lines of one order or task tell, in the order of their versions."""

    @property
    def lines(self) -> Sequence[SeenLine]: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def ended_by(self) -> str | None: ...


Steps: TypeAlias = Sequence[Sequence[SeenTask]]
"""The tasks of each step, by position."""
Stories: TypeAlias = Mapping[str, Story]
"""The stories of an order and of all its tasks, by id, of those that have lines."""
Check: TypeAlias = Callable[[SeenOrder, Sequence[SeenTask], Stories], Iterator[Offence]]
"""(order, the tasks of one of its steps by position, stories) -> what is wrong."""


def proof_check(flaw: Callable[[SeenTask, Story], str | None]) -> Check:
    """Return a check of tasks by their stories: ``flaw`` says what one fails to prove.

    Of a task without a story others tell.
    """

    def check(
        order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories
    ) -> Iterator[Offence]:
        for task in tasks:
            story = stories.get(task.task_id)
            what = None if story is None else flaw(task, story)
            if what is not None:
                yield Offence(Invariant.PROOF, order.queue_id, task.task_id, what)

    return check


def unsaid(
    task: SeenTask, story: Story, proves: Mapping[str, frozenset[str]]
) -> str | None:
    """Say that a task stands as nobody has said; ``proves`` has who may, by state."""
    triggers = proves.get(task.state)
    said = {line.trigger for line in story.lines}
    if triggers is not None and not said & triggers:
        return f"it is {task.state}, and nobody has said so"
    return None
