"""Draws the small world that ``decide`` is pinned in, and tells it in pinned names.

Its pictures hold every (state, waiting), with the facts that a guard may look at drawn
by a fixed seed; every trigger meets all of them. What is renamed in the code is entered
into the tables of translation below: what is told stays in the names that were first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from functools import cache
from itertools import product
from random import Random
from typing import Any, Final

from fsm.engine.decide import cancel_order, decide, notified
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Event, Step
from fsm.engine.words import (
    EngineTrigger,
    EngineWait,
    OrderState,
    Source,
    State,
    Verdict,
)
from fsm.flows import RULES
from fsm.payout.lifecycle import PAYOUT
from fsm.payout.policy import AskedBy, ProviderPolicy
from fsm.payout.words import Trigger

DRAWS: Final = 32
"""Pictures drawn for each (state, waiting)."""
EVENTS: Final = 61
"""Events drawn for each trigger; prime to the number of pictures."""

NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
GRACE: Final = timedelta(hours=1)
OLD: Final = NOW - 2 * GRACE
ANCIENT: Final = NOW - timedelta(days=40)

# The names as they are pinned. Where the code calls something otherwise by now, the
# table below it says how: by its pinned name.
STATES: Final = [
    "PENDING",
    "CREATING",
    "EXECUTING",
    "NEGATIVE_EVAL",
    "RECHECKING",
    "MANUAL_CHECK",
    "SUCCEEDED",
    "SKIPPED",
    "FAILED",
    "CANCELLED",
]
ORDER_STATES: Final = ["ACTIVE", "COMPLETED", "FAILED", "CANCELLED"]
SOURCES: Final = ["answer", "webhook", "timer", "person"]
WAITS: Final = [
    "turn",
    "freeze",
    "create",
    "create_retry",
    "weighing",
    "recheck",
    "recreate",
    "webhook",
    "poll",
    "cancel",
    "commit",
    "rollback",
    "return",
    "decision",
    "last_question",
]
WORDS_NOW: Final[dict[str, str]] = {}
TASK_FIELDS: Final = [
    "task_id",
    "position",
    "provider",
    "state",
    "version",
    "waiting_for",
    "wake_at",
    "tries",
    "verdict",
    "taken",
    "cancel_requested",
    "sent_first_at",
    "sent_last_at",
    "sla_at",
    "deadline_at",
    "provider_reference",
    "webhook_sequence",
    "returned",
    "code",
    "proposed_by",
    "proposed_decision",
    "updated_at",
]
QUEUE_FIELDS: Final = [
    "state",
    "version",
    "cancel_requested",
    "waiting_for",
    "wake_at",
    "tries",
]
FIELDS_NOW: Final[dict[str, str]] = {}

_TRIGGERS: Final[dict[str, StrEnum]] = {
    word.value: word for word in (*EngineTrigger, *Trigger)
}
WORDS_THEN: Final = {now: then for then, now in WORDS_NOW.items()}
ORDER_CANCELLED: Final = "order cancelled"
ORDER_TOLD: Final = "order told"


def now(word: str) -> str:
    return WORDS_NOW.get(word, word)


def _named(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what is given by its pinned names by those of the code."""
    return {FIELDS_NOW.get(name, name): value for name, value in fields.items()}


def _plain(value: Any) -> Any:
    """Return a value of a record as the hash takes it, in pinned words."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return WORDS_THEN.get(value, value)
    if isinstance(value, dict):
        return sorted((key, _plain(each)) for key, each in value.items())
    if isinstance(value, datetime):
        return (value - NOW).total_seconds()
    return value


def _record(record: Any, fields: list[str]) -> list[Any]:
    if record is None:
        return []
    return [_plain(getattr(record, FIELDS_NOW.get(f, f))) for f in fields]


def _moved(change: Any, fields: list[str]) -> list[Any]:
    if change is None:
        return []
    told = [_plain(change.trigger), change.actor, _plain(dict(change.detail))]
    return [*told, _record(change.before, fields), _record(change.after, fields)]


def said(decision: Any) -> str:
    """Return a decision in pinned words, whole."""
    if not isinstance(decision, Step):
        return type(decision).__name__
    return repr(
        [
            [_moved(change, TASK_FIELDS) for change in decision.changes],
            _moved(decision.queue, QUEUE_FIELDS),
            [
                [_plain(a.type), a.task and a.task.task_id, a.code, a.message]
                for a in decision.announcements
            ],
            [
                (
                    _plain(c.kind),
                    c.task_id,
                    _plain(c.detail),
                    _plain(c.state),
                    c.content,
                )
                for c in decision.cases
            ],
            [
                [m.task_id, _plain(m.state), m.actor, m.reason]
                for m in decision.case_moves
            ],
            _record(decision.after, QUEUE_FIELDS),
            [_record(task, TASK_FIELDS) for task in decision.after.tasks],
        ]
    )


def _a_task(
    draw: Random, state: str, waiting: str | None, plan: ProviderPolicy
) -> Task:
    sent = draw.choice([(None, None), (OLD, OLD), (OLD, NOW), (NOW, NOW)])
    succeeded = draw.choice([NOW, ANCIENT])
    timed = draw.choice([(None, None)] * 3 + [(NOW, None), (None, NOW + GRACE)])
    facts = {
        "task_id": "task-0",
        "queue_id": "queue",
        "position": 0,
        "provider": "acme",
        "state": State(now(state)),
        "version": 7,
        "waiting_for": PAYOUT.waiting(waiting and now(waiting)),
        "wake_at": draw.choice([None, NOW]),
        "tries": draw.choice([0, plan.recheck_attempts - 1, plan.recheck_attempts]),
        "verdict": draw.choice([None] * 3 + [*Verdict]),
        "taken": draw.random() < 0.5,
        "cancel_requested": draw.random() < 0.5,
        "sent_first_at": sent[0],
        "sent_last_at": sent[1],
        "sla_at": timed[0],
        "deadline_at": timed[1],
        "provider_reference": draw.choice([None, "p-1"]),
        "webhook_sequence": draw.choice([None, 5]),
        "returned": draw.random() < 0.25,
        "code": draw.choice([None, "before"]),
        "proposed_by": draw.choice([None, None, "somebody"]),
        "created_at": ANCIENT,
        "updated_at": succeeded,
    }
    return Task(**_named(facts))


def _another(draw: Random) -> tuple[Task, ...]:
    """Return what stands behind it in the cascade."""
    state, waiting, verdict = draw.choice(
        [
            (State.PENDING, EngineWait.TURN, None),
            (State.PENDING, EngineWait.TURN, None),
            (State.SUCCEEDED, None, Verdict.PAID),
            (State.MANUAL_CHECK, EngineWait.DECISION, None),
            (State.SKIPPED, None, Verdict.NOT_PAID),
        ]
    )
    other = Task(
        task_id="task-1",
        queue_id="queue",
        position=1,
        provider="globe",
        state=state,
        waiting_for=waiting,
        verdict=verdict,
    )
    last = Task(task_id="task-2", queue_id="queue", position=2, provider="late")
    return draw.choice([(), (), (other,), (last, other)])


def _a_plan(draw: Random) -> ProviderPolicy:
    facts = {
        "asked_by": draw.choice([AskedBy.OURS, AskedBy.THEIRS, AskedBy.NOTHING]),
        "idempotent_create": draw.random() < 0.6,
        "not_found_definite": draw.random() < 0.5,
        "not_found_grace": GRACE,
        "sla": draw.choice([None, timedelta(minutes=15)]),
        "polls": draw.random() < 0.75,
        "recheck_attempts": 3,
        "settles_returns": draw.random() < 0.5,
    }
    return ProviderPolicy(**_named(facts))


def _an_event(draw: Random, trigger: str) -> Event:
    facts = {
        "trigger": _TRIGGERS[now(trigger)],
        "source": draw.choice([Source(s) for s in (*SOURCES, "answer")]),
        "actor": draw.choice(["system", "somebody"]),
        "person": draw.choice([None, "anna"]),
        "code": draw.choice([None, "heard"]),
        "message": draw.choice([None, "words"]),
        "reference": draw.choice([None, None, "p-1", "p-2"]),
        "decision": draw.choice([None, "positive"]),
        "asked_at": draw.choice([None, OLD, NOW]),
        "version": draw.choice([None, None, None, 7, 6]),
        "after": draw.choice([timedelta(0), timedelta(hours=3)]),
        "lacking": draw.random() < 0.25,
        "sequence": draw.choice([None, None, 4, 6]),
        "content": draw.choice([None, "c0"]),
        "disputed": draw.random() < 0.1,
        "detail": draw.choice([{}, {"reason": "because"}]),
    }
    return Event(**_named(facts))


def _a_queue(draw: Random, task: Task) -> Queue:
    state = draw.choice([OrderState.ACTIVE] * 4 + [OrderState(s) for s in ORDER_STATES])
    waiting = None if state is OrderState.ACTIVE else EngineWait.NOTIFICATION
    facts = {
        "queue_id": "queue",
        "state": state,
        "version": 3,
        "cancel_requested": draw.random() < 0.3,
        "waiting_for": draw.choice([None, waiting]),
        "wake_at": None if waiting is None else NOW,
        "tasks": (task, *_another(draw)),
    }
    return Queue(**_named(facts))


@dataclass(frozen=True, slots=True)
class Picture:
    """An order in some state, and how its provider may be treated."""

    queue: Queue
    plan: ProviderPolicy


@cache
def pictures() -> tuple[Picture, ...]:
    """Return the small world."""
    drawn = []
    for state, waiting in product(STATES, (None, *WAITS)):
        draw = Random(f"{state} {waiting}")
        for _ in range(DRAWS):
            plan = _a_plan(draw)
            queue = _a_queue(draw, _a_task(draw, state, waiting, plan))
            drawn.append(Picture(queue, plan))
    return tuple(drawn)


def decided(name: str) -> Iterator[str]:
    """Return all that is decided about one trigger, or about the order as a whole."""
    trigger = "cancel.requested" if name in {ORDER_CANCELLED, ORDER_TOLD} else name
    draw = Random(name)
    events = [_an_event(draw, trigger) for _ in range(EVENTS)]
    for number, picture in enumerate(pictures()):
        try:
            yield said(_decision(name, picture, events[number % EVENTS]))
        except LookupError:
            # One that cannot be: a task that is at work, and waits for its turn.
            yield "no such picture"


def _decision(name: str, picture: Picture, event: Event) -> Any:
    queue, plan = picture.queue, picture.plan
    if name == ORDER_TOLD:
        return notified(queue)
    if name == ORDER_CANCELLED:
        return cancel_order(queue, event, rules=RULES, terms_of=lambda _: plan, now=NOW)
    return decide(queue, "task-0", event, rules=RULES, terms_of=lambda _: plan, now=NOW)
