"""The flows that a process handles, by kind and version; wiring alone hands them on."""

from collections.abc import Mapping
from typing import Final

from fsm.engine.words import Kind
from handlers.engine import Engine
from handlers.flow import FlowHandlers
from handlers.withdrawal import WithdrawalHandlers

_ALL: Final[tuple[FlowHandlers[Engine], ...]] = (WithdrawalHandlers(),)
FLOWS: Final[Mapping[tuple[Kind, int], FlowHandlers[Engine]]] = {
    (each.flow.kind, each.flow.version): each for each in _ALL
}
