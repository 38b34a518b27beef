"""Validates a link before anybody is asked: the card, and what stands already."""

from typing import Any

from fsm.domain.orders import Order
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.partner.lifecycle import UNLINK
from fsm.partner.words import (
    BIN_NOT_COVERED,
    COUNTRY_NOT_COVERED,
    LinkTrigger,
)
from handlers.calling import timed
from handlers.commit import Ports
from handlers.partner.asked import card_of
from handlers.partner.standing import made_by, standing_link
from handlers.partner.terms import not_configured, partner_of


async def validated(order: Order, task: Task, ports: Ports) -> Event:
    """Say whether its partner, or core, is to be asked at all.

    :raises Tampered: the order that tells is not as the service has left it.
    """
    if task.lifecycle == UNLINK.name:
        return await _still_linked(order, task, ports)
    partner = partner_of(task, ports)
    if partner is None:
        return not_configured(task)
    standing = await standing_link(order.queue.exclusive_key or "", ports)
    if standing is not None:
        return _found(LinkTrigger.ALREADY_LINKED, task, standing)
    card, policy = card_of(order), partner.policy
    if not policy.covers_country(card.country):
        return timed(LinkTrigger.NOT_COVERED, task, code=COUNTRY_NOT_COVERED)
    if not policy.covers_bin(card.bin):
        return timed(LinkTrigger.NOT_COVERED, task, code=BIN_NOT_COVERED)
    return timed(LinkTrigger.VALIDATED, task)


async def _still_linked(order: Order, task: Task, ports: Ports) -> Event:
    """Say whether the link that is to be removed is the one that stands.

    Another may have come after it: that one is not meant.
    """
    said: Any = order.details["link"]
    named = await ports.store.load(said["queue_id"])
    standing = await standing_link(order.queue.exclusive_key or "", ports)
    if named is None or standing is None or made_by(named) != standing:
        return _found(LinkTrigger.NOT_LINKED, task, standing)
    return _found(LinkTrigger.VALIDATED, task, standing)


def _found(trigger: LinkTrigger, task: Task, standing: str | None) -> Event:
    return Event(trigger=trigger, version=task.version, reference=standing)
