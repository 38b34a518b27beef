"""Rows that this version may not know how to read: of a newer flow, say."""

from fsm.domain.errors import UnreadableRow
from fsm.domain.orders import Order
from fsm.engine.flow import Rules
from fsm.flows import RULES
from payment_service.storage.rows import order_from


def readable(queue_id: str, text: str, rules: Rules = RULES) -> Order | UnreadableRow:
    """A row that this version cannot read must not harm those loaded beside it."""
    try:
        return order_from(text, rules)
    except (ValueError, KeyError, TypeError) as error:
        return UnreadableRow(queue_id, str(error))
