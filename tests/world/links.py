"""Partner links of the in-memory world, and the oracle of what must be so at rest.

Core's book of members is the truth: a card is a member for good where the last order
about it that came to something has linked it, and no member at all elsewhere.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from fsm.domain.orders import Order, Request
from fsm.engine.words import Kind, OrderState, State
from fsm.partner.policy import LinkPolicy, OnMultiMatch
from fsm.partner.words import ALREADY_UNLINKED
from handlers.ports.core import MembershipVerb
from payment_service.playground.memory.memberships import (
    Lasting,
    MemberBook,
    MemberCard,
)
from payment_service.playground.memory.partners import MemoryPartner
from tests.world.checkouts import offences_as_verified
from tests.world.judged import World

NORTHBANK: Final = "northbank"
COVERS: Final[dict[str, Any]] = {
    "countries": ("CA",),
    "bins": ("4510", "451400-451499"),
}
HOLDS: Final = LinkPolicy(**COVERS)
PROVISIONAL: Final = LinkPolicy(multi_match=OnMultiMatch.PROVISIONAL, **COVERS)
KINDS: Final = frozenset({Kind.PARTNER_LINK, Kind.PARTNER_UNLINK})


def a_card(name: str = "tok_card_1", **changed: str) -> dict[str, str]:
    """Return a card that the partner covers."""
    return {"token": name, "bin": "451412", "country": "CA", **changed}


def a_link(
    order_id: str = "l-1001",
    *,
    customer_id: str = "c-9",
    partner: str = NORTHBANK,
    card: dict[str, str] | None = None,
) -> Request:
    """Return a request for a link."""
    details = {"partner": partner, "card": card or a_card()}
    return _request(Kind.PARTNER_LINK, order_id, customer_id, details)


def an_unlink(link: Order, order_id: str = "u-1001") -> Request:
    """Return a request for the removal of a link."""
    named = {"order_id": link.order_id, "queue_id": link.queue_id}
    details = {**link.details, "link": named}
    return _request(Kind.PARTNER_UNLINK, order_id, link.customer_id, details)


def _request(
    kind: Kind, order_id: str, customer_id: str, details: dict[str, Any]
) -> Request:
    return Request(
        kind=kind,
        order_id=order_id,
        merchant_id="m-1",
        customer_id=customer_id,
        money=None,
        destination={},
        cascade=(),
        metadata={"channel": "app"},
        details=details,
        content=orjson.dumps([order_id, customer_id, details]),
    )


def partnered(world: World, *names: str, policy: LinkPolicy = HOLDS) -> MemoryPartner:
    """Give a world partners; return the first."""
    for name in names or (NORTHBANK,):
        world.partners.add(
            MemoryPartner(
                name, policy=policy, effects=world.effects, now=world.clock.now
            )
        )
    return world.partners[(names or (NORTHBANK,))[0]]


def card_of(order: Order) -> MemberCard:
    """Return the card that an order is about, as core's book has it."""
    said: Any = order.details
    return MemberCard(order.customer_id, said["partner"], said["card"]["token"])


def links_of(orders: Sequence[Order]) -> list[Order]:
    """Return those of some orders that are about links, by when they began."""
    its = [order for order in orders if order.queue.kind in KINDS]
    return sorted(its, key=lambda order: order.queue_id)


def offences_at_rest(orders: Sequence[Order], book: MemberBook) -> Iterator[str]:
    """Say what is wrong with links at rest: rows against core's book of members."""
    by_card: dict[MemberCard, list[Order]] = {}
    for order in links_of(orders):
        by_card.setdefault(card_of(order), []).append(order)
        yield from _contradicts(order, book)
    for card in book.members.keys() - by_card.keys():
        yield f"{card} is a member, and no order is about it"
    for card, its in by_card.items():
        yield from _stands_otherwise(card, its, book)


def _contradicts(order: Order, book: MemberBook) -> Iterator[str]:
    (task,) = order.queue.tasks
    name = order.order_id
    if not order.queue.final and task.state is not State.MANUAL_CHECK:
        yield f"{name} is {order.queue.state}, and nobody goes on with it"
    if times := max(book.granted.get(task.task_id, 0) - 1, 0):
        yield f"{name} was granted {times} times too often"
    link = order.queue.kind is Kind.PARTNER_LINK
    verbs = [verb for verb, call in book.moves if call.task_id == task.task_id]
    if task.state is State.REVERSED and task.task_id not in book.revoked:
        yield f"{name} is REVERSED, and core never revoked it"
    never = {State.SKIPPED, State.FAILED, State.CANCELLED}
    if task.state in never and MembershipVerb.GRANT in verbs:
        yield f"{name} is {task.state}, and core has granted it"
    if link and task.state is State.SUCCEEDED and task.code is None and not verbs:
        yield f"{name} is SUCCEEDED, and core has granted nothing"


def _stands_otherwise(
    card: MemberCard, its: list[Order], book: MemberBook
) -> Iterator[str]:
    """Hold core's book against the last order that came to something."""
    if any(not order.queue.final for order in its):
        return
    member = book.members.get(card)
    last = _last_that_counts(its)
    linked = last is not None and last.queue.kind is Kind.PARTNER_LINK
    if linked and (member is None or member.lasting is not Lasting.FOR_GOOD):
        yield f"{card} is linked, and core says {member}"
    if not linked and member is not None:
        yield f"{card} is not linked, and core says {member}"


def _last_that_counts(its: list[Order]) -> Order | None:
    ended = [order for order in its if order.queue.state is OrderState.COMPLETED]
    tasks = {order.queue_id: order.queue.tasks[0] for order in ended}
    counts = [
        order
        for order in ended
        if tasks[order.queue_id].state is State.SUCCEEDED
        and tasks[order.queue_id].code != ALREADY_UNLINKED
    ]
    return max(counts, key=_ended_at, default=None)


def _ended_at(order: Order) -> datetime:
    assert order.finished_at is not None
    return order.finished_at


async def wrongs(world: World) -> list[str]:
    """Say all that is wrong with a world at rest, whose orders are about links."""
    orders = await world.rows.orders()
    wrong = [*offences_at_rest(orders, world.core.members), *world.core.complaints]
    for partner in world.partners.every():
        wrong += partner.wrong
    for order in orders:
        wrong += await offences_as_verified(order, world)
    told = Counter(
        (str(n.body["order_id"]), str(n.body["type"])) for n in world.core.notices
    )
    for order in orders:
        final = f"{order.queue.kind.value}.{order.queue.state.lower()}"
        heard = {kind for order_id, kind in told if order_id == order.order_id}
        if heard != ({final} if order.queue.final else set()):
            wrong.append(f"core was told {heard} of an order {order.queue.state}")
    return wrong
