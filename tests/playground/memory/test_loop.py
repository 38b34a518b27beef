"""The loop of virtual time calls back what is due, and nothing that was cancelled."""

from random import Random
from typing import Any

import pytest

from payment_service.playground.memory.loop import SimClock, SimLoop


@pytest.mark.parametrize("seed", range(8))
def test_what_is_due_at_once_may_cancel_one_another(seed):
    loop: Any = SimLoop(SimClock(), Random(seed))  # type: ignore[abstract]
    fired = []
    timers: dict[str, Any] = {}

    def fire(name, other):
        fired.append(name)
        timers[other].cancel()

    timers["a"] = loop.call_later(1, fire, "a", "b")
    timers["b"] = loop.call_later(1, fire, "b", "a")

    assert loop.run(until=10_000_000, turns_max=10)
    assert len(fired) == 1
