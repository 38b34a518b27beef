"""A flow: the steps that a kind of order consists of, and what each comes after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsm.engine.lifecycle import Lifecycle
from fsm.engine.outcome import Ends, by_steps
from fsm.engine.rows import Queue, Task
from fsm.engine.words import EngineTrigger, Kind, State


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """One step of a flow; its tasks are attempts at its alternatives, in order.

    A task goes by ``lifecycle``, or by one of the ``others``, as who opened the order
    has it. ``after`` names the steps that must be won before it starts. What was won is
    undone where the order turns back, if ``undo`` says that it can be. A
    ``point_of_no_return`` comes after all other steps: an order that has won it has
    won.
    """

    name: str
    lifecycle: str
    others: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    undo: bool = False
    point_of_no_return: bool = False

    @property
    def lifecycles(self) -> tuple[str, ...]:
        """The names of all lifecycles that a task of it may go by."""
        return (self.lifecycle, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The steps that an order of this kind and version consists of.

    ``loads`` says that what its steps need is fetched before the first of them, and
    kept. Of orders with the same value in all the parts of their request that
    ``exclusive`` names, as ``"details.thing.id"``, one runs at a time: another is told
    of it, whoever asks, and may be asked for again once that one has its outcome. So
    it is of orders of several flows that name the same parts. ``outcome`` says how an
    order ends.
    """

    kind: Kind
    version: int
    steps: tuple[StepSpec, ...]
    loads: bool = False
    exclusive: tuple[str, ...] = ()
    outcome: Ends = by_steps

    def __post_init__(self) -> None:
        """Refuse a graph that could not be walked.

        :raises ValueError: no step, one twice, one before what it comes after, or a
            point of no return that is not the end of all.
        """
        earlier: set[str] = set()
        for step in self.steps:
            if step.name in earlier:
                raise ValueError(f"step {step.name!r} is there twice")
            if missing := set(step.after) - earlier:
                raise ValueError(f"step {step.name!r} comes after {sorted(missing)}")
            earlier.add(step.name)
        if not self.steps:
            raise ValueError("a flow has a step at least")
        last = self.steps[-1]
        if any(step.point_of_no_return for step in self.steps[:-1]):
            raise ValueError(f"step {last.name!r} comes after a point of no return")
        if last.point_of_no_return:
            self._check_return(last)

    def _check_return(self, last: StepSpec) -> None:
        """Refuse a point of no return that could be passed and the order be lost."""
        before = {last.name}
        for step in reversed(self.steps):
            if step.name in before:
                before |= {*step.after}
        if beside := {step.name for step in self.steps} - before:
            raise ValueError(
                f"step {last.name!r} is a point of no return, and does not come "
                f"after {sorted(beside)}"
            )
        if last.undo:
            raise ValueError(f"step {last.name!r} has no return, and an undo")


@dataclass(frozen=True, slots=True)
class Rules:
    """All lifecycles by name, and all flows by kind and version."""

    lifecycles: Mapping[str, Lifecycle[Any]]
    flows: Mapping[tuple[Kind, int], Flow]

    def __post_init__(self) -> None:
        """Refuse a flow whose steps go by a lifecycle that cannot do what they say.

        :raises ValueError: there is no such lifecycle, or it has no undo.
        """
        for flow in self.flows.values():
            for step in flow.steps:
                for name in step.lifecycles:
                    self._check(step, name)

    def _check(self, step: StepSpec, name: str) -> None:
        lifecycle = self.lifecycles.get(name)
        if lifecycle is None:
            raise ValueError(f"no lifecycle {name!r}: {step.name}")
        undo = (EngineTrigger.UNDO_DUE, State.SUCCEEDED)
        if step.undo and undo not in lifecycle.ways:
            raise ValueError(f"{name!r} has no undo: {step.name}")

    def lifecycle(self, name: str) -> Lifecycle[Any]:
        """Return the lifecycle of a name that a row says.

        :raises ValueError: there is none here.
        """
        lifecycle = self.lifecycles.get(name)
        if lifecycle is None:
            raise ValueError(f"this version knows no lifecycle {name!r}")
        return lifecycle

    def of(self, task: Task) -> Lifecycle[Any]:
        """Return the lifecycle that a task goes by."""
        return self.lifecycles[task.lifecycle]

    def flow_of(self, queue: Queue) -> Flow:
        """Return the flow that an order follows."""
        return self.flows[queue.kind, queue.flow_version]
