"""Partner links and checkouts that another hand changes: how they stand, and go on.

Partners and services are those in memory; core is simulated, the rows are PostgreSQL.
"""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

from fsm.engine.backoff import Backoff
from fsm.partner.policy import LinkPolicy, OnMultiMatch
from handlers.claims import Claims
from handlers.drive import drive, next_due
from handlers.ports.partners import Eligible, MultiMatch, NotEligible
from handlers.submit import submit
from payment_service.playground.memory.partners import MemoryPartner, MemoryPartners
from payment_service.playground.memory.services import MemoryService, MemoryServices
from payment_service.wire.checkout import EXAMPLE, STEPS, read_checkout
from tests.world.links import NORTHBANK, a_card, a_link, an_unlink

NO = NotEligible(code="other_person", message="another's card")
SECONDS_MAX = 60
SOON = timedelta(milliseconds=300)
"""After which a partner is asked again: what is planted is in the row by then."""


def partnered(world, again=SOON):
    """Give a world a partner; of several matches it has one granted for now."""
    policy = LinkPolicy(
        multi_match=OnMultiMatch.PROVISIONAL,
        fallback=Backoff(first=again, factor=1.0, longest=again),
    )
    partner = MemoryPartner(NORTHBANK, policy=policy)
    world.ports = replace(world.ports, partners=MemoryPartners(partner))
    return partner


def served(world):
    """Give a world the services of checkouts; return them by name."""
    services = {name: MemoryService(name) for name in STEPS}
    world.ports = replace(world.ports, services=MemoryServices(*services.values()))
    return services


async def requested(world, request):
    """Take in a request, and no more; return the id of its queue."""
    done = await submit(request, ports=world.ports, actor="key:test", trace_parent=None)
    assert done.status == "accepted", done
    return done.queue_id


async def driven(world, queue_id):
    """Go on with an order until nothing is due of it, or nobody moves it; return it."""
    ports, seen = world.ports, 0
    while True:
        order = await ports.store.load(queue_id)
        versions = order.queue.version + sum(t.version for t in order.queue.tasks)
        if next_due(order, ports) is None or versions == seen:
            return order
        seen = versions
        claims = Claims(taken_at=ports.clock.elapsed())
        await drive(order, ports=ports, claims=claims)


async def due(world, queue_id):
    """Return once something is due of an order again."""
    store, ports = world.ports.store, world.ports
    async with asyncio.timeout(SECONDS_MAX):
        while next_due(await store.load(queue_id), ports) is None:  # noqa: ASYNC110 - by its row
            await asyncio.sleep(0.02)


async def linked(world, order_id, card, says, **changes):
    """Have a link asked for, to which the partner says so; return its order."""
    partner = next(iter(world.ports.partners.every()))
    partner.script = [says]
    request = a_link(order_id, card=a_card(card), **changes)
    return await driven(world, await requested(world, request))


async def a_checkout(world):
    """Have the example bought, as far as its services answer."""
    request = read_checkout(json.dumps(EXAMPLE).encode(), STEPS)
    return await driven(world, await requested(world, request))


async def worked(world):
    """Have a link of every kind, a removal, and a checkout that was bought."""
    partnered(world, again=timedelta(days=1))
    await linked(world, "l-linked", "tok_1", Eligible())
    await linked(world, "l-refused", "tok_2", NO)
    await linked(world, "l-waits", "tok_3", MultiMatch())
    gone = await linked(world, "l-gone", "tok_4", Eligible())
    await driven(world, await requested(world, an_unlink(gone, "u-gone")))
    served(world)
    await a_checkout(world)


def moves(world):
    """Return what core was told: the balances it moved, and the memberships."""
    members = world.core.memberships.values()
    told = [verb for member in members for verb in member["verbs"]]
    return [entry.operation for entry in world.core.entries] + told


async def new_link(world, plant):
    """Have a link changed before anybody was asked, and go on with it."""
    partnered(world)
    queue_id = await requested(world, a_link("l-1"))
    plant("l-1")
    await driven(world, queue_id)
    return []


async def new_removal(world, plant):
    """Have the removal of a link changed before it has begun, and go on with it."""
    partnered(world)
    link = await linked(world, "l-linked", "tok_1", Eligible())
    queue_id = await requested(world, an_unlink(link, "u-1"))
    plant("u-1")
    await driven(world, queue_id)
    return ["grant"]


async def link_under_way(world, plant):
    """Have a member for now changed; whatever its partner says, nothing follows."""
    partnered(world)
    order = await linked(world, "l-1", "tok_1", MultiMatch())
    plant("l-1")
    await due(world, order.queue_id)
    await driven(world, order.queue_id)
    return ["grant"]


async def same_card(world, plant):
    """Have a link forged, and the same card asked for once more: it is not linked."""
    partnered(world)
    await linked(world, "l-linked", "tok_1", Eligible())
    await linked(world, "l-1", "tok_2", NO)
    plant("l-1")
    order = await linked(world, "l-2", "tok_2", Eligible())
    assert not order.queue.final
    return ["grant"]


async def checkout_under_way(world, plant):
    """Have a checkout changed of which one step is done: no other is begun."""
    services = served(world)
    late = services[STEPS[-1]]
    late.away["do"] = 10**6
    order = await a_checkout(world)
    before = moves(world)
    plant(order.order_id)
    late.away.clear()
    calls = {name: len(each.calls) for name, each in services.items()}
    await due(world, order.queue_id)
    await driven(world, order.queue_id)
    assert {name: len(each.calls) for name, each in services.items()} == calls
    return before
