"""A flow: the steps that a kind of order consists of, and what each comes after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsm.engine.lifecycle import Lifecycle
from fsm.engine.rows import Queue, Task
from fsm.engine.words import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """One step of a flow; its tasks are attempts at its alternatives, in order.

    ``after`` names the steps that must be won before it starts.
    """

    name: str
    lifecycle: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The steps that an order of this kind and version consists of."""

    kind: Kind
    version: int
    steps: tuple[StepSpec, ...]

    def __post_init__(self) -> None:
        """Refuse steps that come before what they come after."""
        known: set[str] = set()
        for step in self.steps:
            if missing := set(step.after) - known:
                raise ValueError(f"step {step.name!r} comes after {sorted(missing)}")
            known.add(step.name)


@dataclass(frozen=True, slots=True)
class Rules:
    """All lifecycles by name, and all flows by kind and version."""

    lifecycles: Mapping[str, Lifecycle[Any]]
    flows: Mapping[tuple[Kind, int], Flow]

    def of(self, task: Task) -> Lifecycle[Any]:
        """Return the lifecycle that a task goes by."""
        return self.lifecycles[task.lifecycle]

    def flow_of(self, queue: Queue) -> Flow:
        """Return the flow that an order follows."""
        return self.flows[queue.kind, queue.flow_version]
