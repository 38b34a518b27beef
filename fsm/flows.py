"""The flows there are, by kind and version, and the lifecycles of their tasks."""

from typing import Final

from fsm.engine.flow import Flow, Rules, StepSpec
from fsm.engine.outcome import by_last_task
from fsm.engine.words import Kind
from fsm.payout.lifecycle import PAYOUT

WITHDRAWAL: Final = Flow(
    kind=Kind.WITHDRAWAL,
    version=1,
    steps=(StepSpec(name="payout", lifecycle=PAYOUT.name),),
    outcome=by_last_task,
)

RULES: Final = Rules(
    lifecycles={PAYOUT.name: PAYOUT},
    flows={(flow.kind, flow.version): flow for flow in (WITHDRAWAL,)},
)
"""What every process decides by."""
