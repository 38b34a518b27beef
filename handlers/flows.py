"""The flows that a process handles, by kind and version; wiring alone hands them on."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from fsm.engine.words import Kind
from handlers.checkout import CheckoutHandlers
from handlers.commit import Ports
from handlers.flow import FlowHandlers
from handlers.partner import LINKS, UNLINKS
from handlers.ports.payments import PaidBy
from handlers.withdrawal import WithdrawalHandlers

Flows: TypeAlias = Mapping[tuple[Kind, int], FlowHandlers[Ports]]


_ALL: Final[tuple[FlowHandlers[Ports], ...]] = (
    WithdrawalHandlers(),
    CheckoutHandlers(),
    LINKS,
    UNLINKS,
)
FLOWS: Final[Flows] = {(each.flow.kind, each.flow.version): each for each in _ALL}
"""Where services do every step."""


def flows_of(paid_by: PaidBy) -> Flows:
    """Return all flows, of which payment providers do the steps of ``paid_by``.

    It is about new orders alone: of an order its rows say who does what.

    :raises ValueError: no payment provider can do such a step.
    """
    if not paid_by:
        return FLOWS
    checkout = CheckoutHandlers(paid_by=paid_by)
    return {**FLOWS, (checkout.flow.kind, checkout.flow.version): checkout}
