"""The legal lines of the audit trails of an order's own row, and of the service.

Those of a task are the moves of its lifecycle: :mod:`fsm.engine.invariants`.
"""

from typing import Final

from fsm.domain.acts import ORDER_ACTS, SERVICE_ACTS, STATE
from fsm.domain.erasure import ERASED
from fsm.domain.proposals import PROPOSED_FROM_SHELL
from fsm.engine.decide import STEP_ENDED
from fsm.engine.ended import NOTIFIED
from fsm.engine.flow import Flow
from fsm.engine.invariants import REQUESTED
from fsm.engine.loading import (
    LOAD_POSTPONED,
    ORDER_LOADED,
    ORDER_NOT_LOADED,
)
from fsm.engine.outcome import by_last_task, by_steps
from fsm.engine.words import RUNNING, EngineTrigger, OrderState

_OVER: Final = frozenset(s.value for s in OrderState if s not in RUNNING)
_ACTIVE: Final = OrderState.ACTIVE.value
_TURNED: Final = OrderState.REVERSING.value
_CANCEL: Final = EngineTrigger.CANCEL_REQUESTED.value
_ORDER_LINES: Final = frozenset(
    {
        (REQUESTED, None, _ACTIVE),
        (_CANCEL, _ACTIVE, _ACTIVE),
        (_CANCEL, _ACTIVE, OrderState.CANCELLED.value),
        *((f"order.{s.lower()}", _ACTIVE, s) for s in _OVER),
        *((NOTIFIED, s, s) for s in _OVER),
        *((ERASED, s, s) for s in _OVER),
        *((PROPOSED_FROM_SHELL, s.value, s.value) for s in OrderState),
        *((act.value, s.value, s.value) for act in ORDER_ACTS for s in OrderState),
    }
)
# What the flow's own word for an end may make of one that somebody has asked for.
_SAID_LINES: Final = frozenset((_CANCEL, _ACTIVE, s) for s in _OVER)
_LOADED_LINES: Final = frozenset(
    {
        (ORDER_LOADED, _ACTIVE, _ACTIVE),
        (LOAD_POSTPONED, _ACTIVE, _ACTIVE),
        *((ORDER_NOT_LOADED, _ACTIVE, s) for s in _OVER),
    }
)
# What an order of several steps does beside: each step that ends moves its row.
_TURNED_LINES: Final = frozenset(
    {
        *((STEP_ENDED, s.value, s.value) for s in RUNNING),
        (_CANCEL, _ACTIVE, _TURNED),
        (f"order.{_TURNED.lower()}", _ACTIVE, _TURNED),
        *((f"order.{s.lower()}", _TURNED, s) for s in _OVER - {"COMPLETED"}),
    }
)
SERVICE_LINES: Final = frozenset(
    (act.value, source, STATE) for act in SERVICE_ACTS for source in (None, STATE)
)


def lines_of(flow: Flow | None) -> frozenset[tuple[str, str | None, str]]:
    """Return how the own row of an order may move that follows this flow."""
    legal = _ORDER_LINES
    if flow is None:
        return legal
    if flow.outcome not in {by_last_task, by_steps}:
        legal |= _SAID_LINES
    if flow.loads:
        legal |= _LOADED_LINES
    return legal | _TURNED_LINES if len(flow.steps) > 1 else legal
