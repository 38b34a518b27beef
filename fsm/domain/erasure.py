"""What an erasure takes out of an order, and what stays so that the books still hold.

Who the customer is, where the money went and what the sender added are gone. The ids,
the amount, the states and the hash of the content stay: a repeat is still a repeat.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fsm.domain.audit import AuditLine, signed_line
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.binding import Signature, sign
from fsm.domain.masking import masked_text
from fsm.domain.orders import Order
from fsm.domain.seals import head_of, sealed_queue
from fsm.domain.webhook_events import FORWARDED, UNREADABLE, WebhookEvent
from fsm.engine.customer import without_text
from fsm.engine.records import replace

ERASED: Final = "order.erased"
NOBODY: Final = ""
"""In place of a customer: no request can name him so, and no search finds him."""
BLANK: Final[Mapping[str, object]] = {
    "destination": {},
    "metadata": {},
    "erased": True,
}
"""In place of what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An order that is to lose what is personal, and the line that says so.

    ``customer_message`` is left of what its customer was told: nobody's own words.
    ``audit_hash`` is what its row has then: the line's hash, and the seal behind it.
    ``signature`` is over what is left of it: that much is still as it was requested.
    """

    order: Order
    line: AuditLine
    customer_message: str | None
    audit_hash: bytes
    signature: Signature


def is_erased(order: Order) -> bool:
    """Tell whether this was done to it."""
    return order.customer_id == NOBODY


def without_words(webhook: WebhookEvent) -> WebhookEvent:
    """Return news about an erased order: what it says that counts, in nobody's words.

    What is left is all that was signed when it came in.
    """
    kept = {n: v for n, v in webhook.detail.items() if n in {FORWARDED, UNREADABLE}}
    return replace(webhook, message=None, detail=kept)


def erasure_of(
    order: Order, *, reason: str, actor: str, at: datetime, keys: AuditKeys
) -> Erasure:
    """Return what is to be done to an order, as it stands now."""
    queue = order.queue
    line = signed_line(
        head_of(queue.audit_hash),
        keys,
        entity_id=queue.queue_id,
        queue_id=queue.queue_id,
        version=queue.version + 1,
        source=queue.state.value,
        target=queue.state.value,
        trigger=ERASED,
        actor=actor,
        at=at,
        detail={"reason": masked_text(reason)},
    )
    told = without_text(queue.customer_message)
    after = replace(
        queue, version=queue.version + 1, loaded=None, customer_message=told
    )
    sealed = sealed_queue(after, line.hash, order.signature.key_id, keys)
    left = replace(order, customer_id=NOBODY, destination={}, details={}, metadata={})
    return Erasure(
        order=order,
        line=line,
        customer_message=told,
        audit_hash=sealed.audit_hash,
        signature=sign(left.bound, keys, order.signature.key_id),
    )
