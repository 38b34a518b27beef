"""The services' own book of steps: what was done, undone, refused, by task and step."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from providers.testing.simulator.journal import Journal
from providers.testing.simulator.script import Script, script_from_record


class StepState(StrEnum):
    """Where a step really is, whatever its service says about it."""

    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"
    UNDONE = "undone"  # also where it had never been done: it never will be


class StepEntryKind(StrEnum):
    REQUEST = "request"  # a call came in; `what` is the operation
    TAKEN = "taken"  # the step is known from here on; `what` is its first state
    BECAME = "became"  # `what` is its new state


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedStep:
    """A step as it was asked for."""

    service: str
    step: str
    task_id: str
    queue_id: str = ""
    order_id: str = ""
    merchant_id: str = ""
    amount: int = 0
    currency: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEntry:
    at: float
    kind: StepEntryKind
    step: str
    task_id: str
    what: str = ""
    key: str = ""
    asked: ReceivedStep | None = None
    script: Script | None = None
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class BookedStep:
    """Where one step stands, as the entries about it say."""

    asked: ReceivedStep
    script: Script
    state: StepState
    taken_at: float
    result: Mapping[str, Any] = field(default_factory=dict)
    times_done: int = 0

    def view(self) -> dict[str, Any]:
        """Return it as the admin's calls show it."""
        asked = self.asked
        return {
            "service": asked.service,
            "step": asked.step,
            "task_id": asked.task_id,
            "queue_id": asked.queue_id,
            "order_id": asked.order_id,
            "amount": asked.amount,
            "currency": asked.currency,
            "state": self.state,
            "times_done": self.times_done,
        }


CAN_BE_UNDONE: Final = frozenset({"payment", "delivery"})
LOST: Final = frozenset({"FAILED", "CANCELLED"})
STEPS: Final = frozenset({"fraud", "payment", "delivery", "merchant"})


class ServiceBook:
    """Entries in order, on file if there is a path, and what follows from them."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._journal = Journal(path)
        self.entries: list[StepEntry] = []
        self.steps: dict[tuple[str, str], BookedStep] = {}
        self._calls: Counter[tuple[str, str, str]] = Counter()
        for line in self._journal.read():
            self._apply(_entry_from(line))

    def close(self) -> None:
        self._journal.close()

    def record(self, entry: StepEntry) -> None:
        """Append the entry, durably first."""
        self._journal.append(entry)
        self._apply(entry)

    def calls(self, operation: str, step: str, task_id: str) -> int:
        """Return how often this was asked for."""
        return self._calls[operation, step, task_id]

    def move(self, step: BookedStep, to: StepState, *, at: float) -> None:
        """Move a step; the book keeps when."""
        asked = step.asked
        self.record(
            StepEntry(
                at=at,
                kind=StepEntryKind.BECAME,
                step=asked.step,
                task_id=asked.task_id,
                what=to,
            )
        )

    # What an auditor asks.

    def done(self, step: str | None = None) -> list[BookedStep]:
        """Return what is done and not undone: of one step, or of all."""
        return [
            booked
            for booked in self.steps.values()
            if booked.state is StepState.DONE and step in (None, booked.asked.step)
        ]

    def check(self) -> list[str]:
        """Return what is wrong, in words; empty: nothing."""
        return [*self._twice_by_task(), *self._twice_by_order()]

    def against(
        self, orders: Mapping[str, str], *, elsewhere: frozenset[str] = frozenset()
    ) -> list[str]:
        """Compare with the states of orders by `queue_id`, once all is at rest.

        A completed order has every step done; of a failed or cancelled one nothing
        stands that could have been undone, and its merchant was never told. The steps
        that are done `elsewhere`, by payment providers for one, are not looked for.
        """
        standing: defaultdict[str, set[str]] = defaultdict(set)
        for booked in self.done():
            standing[booked.asked.queue_id].add(booked.asked.step)
        wrong = []
        for queue_id, state in orders.items():
            done = standing[queue_id]
            if state == "COMPLETED" and (missing := STEPS - done - elsewhere):
                wrong.append(f"{queue_id}: completed without {_named(missing)}")
            elif state in LOST and (left := done & (CAN_BE_UNDONE | {"merchant"})):
                wrong.append(f"{queue_id}: {state.lower()}, and {_named(left)} stands")
        unknown = standing.keys() - orders.keys()
        wrong += [f"{queue_id}: done for no order" for queue_id in sorted(unknown)]
        return wrong

    def _twice_by_task(self) -> Iterator[str]:
        for (step, task_id), booked in self.steps.items():
            if booked.times_done > 1:
                yield f"task {task_id}: {step} done {booked.times_done} times"

    def _twice_by_order(self) -> Iterator[str]:
        tasks: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for booked in self.done():
            asked = booked.asked
            if asked.queue_id:
                tasks[asked.queue_id, asked.step].append(asked.task_id)
        for (queue_id, step), found in tasks.items():
            if len(found) > 1:
                yield f"order {queue_id}: {step} done by {len(found)} tasks"

    def _apply(self, entry: StepEntry) -> None:
        self.entries.append(entry)
        key = entry.step, entry.task_id
        match entry.kind:
            case StepEntryKind.REQUEST:
                self._calls[entry.what, entry.step, entry.task_id] += 1
                return
            case StepEntryKind.TAKEN:
                if entry.asked is None or entry.script is None:
                    raise ValueError("a step was taken that nobody asked for")
                self.steps[key] = BookedStep(
                    asked=entry.asked,
                    script=entry.script,
                    state=StepState(entry.what),
                    taken_at=entry.at,
                    result=entry.result,
                )
            case StepEntryKind.BECAME:
                self.steps[key].state = StepState(entry.what)
        self.steps[key].times_done += self.steps[key].state is StepState.DONE


def _named(names: Iterable[str]) -> str:
    return " and ".join(sorted(names))


def _entry_from(line: dict[str, Any]) -> StepEntry:
    asked, script = line.pop("asked"), line.pop("script")
    return StepEntry(
        **{**line, "kind": StepEntryKind(line["kind"])},
        asked=None if asked is None else ReceivedStep(**asked),
        script=None if script is None else script_from_record(script),
    )
