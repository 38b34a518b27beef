"""Records made quickly are made as their dataclass would make them."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field, fields

import pytest

from fsm.engine.records import quickly_made, replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Event
from fsm.engine.words import EngineTrigger


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One field of each sort, and the names that its constructor could trip over."""

    needed: str
    kind: str = "plain"
    become: int | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


def test_it_has_what_it_was_given_and_its_defaults_else():
    made = Made(needed="n", become=1)

    assert (made.needed, made.kind, made.become, made.detail) == ("n", "plain", 1, {})
    assert made == Made(needed="n", become=1)
    assert made.detail is not Made(needed="n").detail


def test_it_is_frozen_and_of_its_own_class():
    made = Made(needed="n")

    with pytest.raises(FrozenInstanceError):
        made.needed = "other"  # type: ignore[misc]
    assert type(made) is Made
    assert replace(made, kind="k") == Made(needed="n", kind="k")


@pytest.mark.parametrize("given", [{}, {"needed": "n", "unknown": 1}])
def test_what_does_not_fit_is_refused_by_name(given):
    with pytest.raises(TypeError, match=r"Made\.__init__\(\)"):
        Made(**given)


def test_what_it_would_make_otherwise_is_refused():
    @dataclass(frozen=True, slots=True)
    class Placed:
        at: int

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Checked:
        at: int

        def __post_init__(self) -> None: ...

    for kind in (Placed, Checked):
        with pytest.raises(TypeError, match="cannot be made quickly"):
            quickly_made(kind)


@pytest.mark.parametrize(
    "made",
    [
        Task(task_id="t", queue_id="q", position=0),
        Queue(queue_id="q"),
        Event(trigger=EngineTrigger.TURN_CAME),
    ],
    ids=lambda made: type(made).__name__,
)
def test_the_records_of_every_step_keep_their_declared_defaults(made):
    declared = {f.name: f.default for f in fields(made)}

    differing = {
        name
        for name, default in declared.items()
        if getattr(made, name) not in (default, {})
    }

    assert differing <= {"task_id", "queue_id", "position", "trigger"}
