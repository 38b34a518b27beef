"""The flows that a process handles, by kind and version; wiring alone hands them on."""

from collections.abc import Mapping
from typing import Final

from fsm.engine.words import Kind
from handlers.checkout import CheckoutHandlers
from handlers.commit import Ports
from handlers.flow import FlowHandlers
from handlers.partner import LINKS, UNLINKS
from handlers.withdrawal import WithdrawalHandlers

_ALL: Final[tuple[FlowHandlers[Ports], ...]] = (
    WithdrawalHandlers(),
    CheckoutHandlers(),
    LINKS,
    UNLINKS,
)
FLOWS: Final[Mapping[tuple[Kind, int], FlowHandlers[Ports]]] = {
    (each.flow.kind, each.flow.version): each for each in _ALL
}
