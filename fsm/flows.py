"""The flows there are, by kind and version, and the lifecycles of their tasks."""

from typing import Any, Final

from fsm.charge.lifecycle import CHARGE
from fsm.engine.flow import Flow, Rules, StepSpec
from fsm.engine.lifecycle import Lifecycle
from fsm.engine.outcome import by_last_task
from fsm.engine.words import Kind
from fsm.partner.lifecycle import LINK, UNLINK
from fsm.partner.outcome import by_link, by_unlink
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

_ONE_CARD: Final = ("customer_id", "details.partner", "details.card.token")
"""What links and their removals have in common: one of them runs at a time."""

PARTNER_LINK: Final = Flow(
    kind=Kind.PARTNER_LINK,
    version=1,
    steps=(StepSpec(name=LINK.name, lifecycle=LINK.name),),
    exclusive=_ONE_CARD,
    outcome=by_link,
)

PARTNER_UNLINK: Final = Flow(
    kind=Kind.PARTNER_UNLINK,
    version=1,
    steps=(StepSpec(name=UNLINK.name, lifecycle=UNLINK.name),),
    exclusive=_ONE_CARD,
    outcome=by_unlink,
)

_FLOWS: Final = (WITHDRAWAL, CHECKOUT, PARTNER_LINK, PARTNER_UNLINK)
_LIFECYCLES: Final[tuple[Lifecycle[Any], ...]] = (
    PAYOUT,
    *LIFECYCLES.values(),
    CHARGE,
    LINK,
    UNLINK,
)
RULES: Final = Rules(
    lifecycles={each.name: each for each in _LIFECYCLES},
    flows={(flow.kind, flow.version): flow for flow in _FLOWS},
)
"""What every process decides by."""
