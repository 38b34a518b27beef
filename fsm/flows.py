"""The flows there are, by kind and version, and the lifecycles of their tasks."""

from typing import Final

from fsm.charge.lifecycle import CHARGE
from fsm.engine.flow import Flow, Rules, StepSpec
from fsm.engine.outcome import by_last_task
from fsm.engine.words import Kind
from fsm.payout.lifecycle import PAYOUT
from fsm.service.lifecycle import CHECK, LIFECYCLES, PIVOT, SERVICE
from fsm.service.outcome import by_saga

WITHDRAWAL: Final = Flow(
    kind=Kind.WITHDRAWAL,
    version=1,
    steps=(StepSpec(name="payout", lifecycle=PAYOUT.name),),
    outcome=by_last_task,
)

CHECKOUT: Final = Flow(
    kind=Kind.CHECKOUT,
    version=1,
    steps=(
        StepSpec(name="fraud", lifecycle=CHECK.name),
        StepSpec(
            name="payment",
            lifecycle=SERVICE.name,
            others=(CHARGE.name,),
            after=("fraud",),
            undo=True,
        ),
        StepSpec(name="delivery", lifecycle=SERVICE.name, after=("fraud",), undo=True),
        StepSpec(
            name="merchant",
            lifecycle=PIVOT.name,
            after=("payment", "delivery"),
            point_of_no_return=True,
        ),
    ),
    loads=True,
    outcome=by_saga,
)

RULES: Final = Rules(
    lifecycles={PAYOUT.name: PAYOUT, **LIFECYCLES, CHARGE.name: CHARGE},
    flows={(flow.kind, flow.version): flow for flow in (WITHDRAWAL, CHECKOUT)},
)
"""What every process decides by."""
