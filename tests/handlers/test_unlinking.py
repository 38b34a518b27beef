"""A card is unlinked by an order of its own, where it is linked, and once."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from fsm.domain.errors import InvalidRequest, NotNow, Tampered, UnknownWords
from fsm.domain.orders import Request
from fsm.engine.words import Kind
from fsm.partner.unlinking import unlink_id, unlink_request
from handlers.erase import erase
from handlers.partner.unlink import completed, unlink
from handlers.ports.bus import Delivery
from handlers.ports.core import MembershipVerb
from handlers.ports.outcomes import Retry
from handlers.ports.partners import NotEligible
from handlers.resolve import Ruling
from handlers.route import Dispatch
from payment_service.playground.memory.world import TRACE
from tests.world.links import NORTHBANK, a_card, a_link, partnered, wrongs
from tests.world.stores import url_of, world_on

WHY = "the customer has removed the card"
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["memory", "postgres"])
async def house(request):
    """Give a world with a partner that answers at once."""
    async with world_on(url_of(request)) as world:
        partnered(world)
        yield world


async def linked(house, order_id="l-1001", *, after=SECOND):
    await house.pass_time(after)
    await house.submit(a_link(order_id))
    await house.rest(within=timedelta(hours=1))
    return await named(house, order_id)


async def named(house, order_id):
    return next(o for o in await house.rows.orders() if o.order_id == order_id)


async def asked(house, link, *, order_id=None, reason=WHY):
    return await unlink(
        link,
        order_id=order_id,
        reason=reason,
        actor="key:upstream",
        trace_parent=TRACE,
        ports=house.ports,
    )


async def removed(house, link, *, after=SECOND, **said):
    await house.pass_time(after)
    told = await asked(house, link, **said)
    await house.rest(within=timedelta(hours=1))
    return told


def a_wish(order_id="u-1001", *, merchant_id="m-1", token="tok_card_1") -> Request:  # noqa: S107
    return unlink_request(
        order_id=order_id,
        merchant_id=merchant_id,
        customer_id="c-9",
        partner=NORTHBANK,
        token=token,
        reason=WHY,
        metadata={},
    )


def members(house):
    return {*house.core.members.members}


async def test_a_card_is_unlinked_by_an_order_of_its_own(house):
    link = await linked(house)
    assert members(house)

    told = await removed(house, link)

    order = await named(house, told.order_id)
    assert (told.status, told.order_id) == ("accepted", unlink_id(link))
    assert order.queue.kind is Kind.PARTNER_UNLINK
    assert order.details == {
        "partner": NORTHBANK,
        "card": a_card(),
        "link": {"order_id": "l-1001", "queue_id": link.queue_id},
    }
    assert not members(house)
    assert await named(house, "l-1001") == link
    assert await wrongs(house) == []


async def test_who_has_asked_and_why_stands_in_its_trail(house):
    told = await removed(house, await linked(house))

    first = next(
        line
        for line in await house.rows.trail()
        if line.entity_id == told.queue_id and line.version == 1
    )
    assert (first.actor, first.detail["reason"]) == ("key:upstream", WHY)


async def test_a_repeat_is_a_duplicate_whatever_its_reason_and_however_late(house):
    link = await linked(house)
    first = await asked(house, link)

    at_once = await asked(house, link)
    await house.rest(within=timedelta(hours=1))
    later = await asked(house, link, reason="another one")

    for told in (at_once, later):
        assert told == replace(first, status="duplicate")
    assert len(await house.rows.orders()) == 2


async def test_another_removal_of_the_same_card_is_told_of_the_one_that_runs(house):
    link = await linked(house)
    await house.pass_time(timedelta(seconds=1))
    first = await asked(house, link)

    other = await asked(house, link, order_id="u-7")

    assert other == replace(first, status="duplicate")
    await house.rest(within=timedelta(hours=1))
    assert await wrongs(house) == []


async def test_what_is_under_way_is_not_unlinked(house):
    await house.submit(a_link())

    with pytest.raises(NotNow, match="l-1001 is still under way: cancel it"):
        await asked(house, await house.order())


async def test_what_has_linked_nothing_is_not_unlinked(house):
    house.partners[NORTHBANK].says = NotEligible(code="no")

    with pytest.raises(NotNow, match="l-1001 has linked nothing"):
        await asked(house, await linked(house))


async def test_a_link_that_was_removed_is_not_removed_again(house):
    link = await linked(house)
    await removed(house, link, order_id="u-1")
    again = await linked(house, "l-1002")
    assert members(house)

    with pytest.raises(NotNow, match="l-1001 links its card no more"):
        await asked(house, link, order_id="u-2")

    assert (await removed(house, again)).status == "accepted"
    assert not members(house)
    assert await wrongs(house) == []


async def test_what_found_the_card_linked_may_be_named_as_well(house):
    await linked(house)
    second = await linked(house, "l-1002")
    assert second.queue.tasks[0].code == "already_linked"

    assert (await removed(house, second)).status == "accepted"

    assert not members(house)
    assert await wrongs(house) == []


async def test_a_card_is_named_by_its_token(house):
    link = await linked(house)

    await house.request(a_wish())
    await house.rest(within=timedelta(hours=1))

    order = await named(house, "u-1001")
    assert order.details["link"] == {
        "order_id": "l-1001",
        "queue_id": link.queue_id,
    }
    assert order.details["card"] == a_card()
    assert not members(house)
    assert await completed(a_wish(), ports=house.ports) == a_wish()


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param(a_wish(token="tok_other"), id="another card"),
        pytest.param(a_wish(merchant_id="m-2"), id="another merchant's"),
    ],
)
async def test_a_card_that_is_not_linked_is_refused(house, wish):
    await linked(house)

    with pytest.raises(InvalidRequest, match="card: is not linked") as refused:
        await completed(wish, ports=house.ports)

    assert refused.value.order_id == "u-1001"


async def test_a_card_that_was_unlinked_is_not_linked(house):
    await removed(house, await linked(house))

    with pytest.raises(InvalidRequest, match="card: is not linked"):
        await completed(a_wish(), ports=house.ports)


async def test_a_link_is_in_conflict_with_the_removal_that_runs(house):
    told = await asked(house, await linked(house))

    other = await house.submit(a_link("l-1002"))

    assert (other.status, other.order_id) == ("conflict", told.order_id)
    assert "is under way: ask again once it has ended" in other.conflict
    await house.rest(within=timedelta(hours=1))
    assert (await house.submit(a_link("l-1002"))).status == "accepted"


async def test_a_link_that_was_erased_is_unlinked_by_its_cards_token(house):
    link = await linked(house)
    store = house.rows.operator_store
    assert await erase(
        link, reason="x", actor="a", ports=house.ports, operator_store=store
    )
    erased = await named(house, "l-1001")

    with pytest.raises(NotNow, match=r"erased.*by its token"):
        await asked(house, erased)
    await house.request(a_wish())
    await house.rest(within=timedelta(hours=1))

    assert not members(house)
    assert (await named(house, "u-1001")).details["link"]["queue_id"] == link.queue_id


async def test_what_links_a_card_is_known_after_its_order_was_erased(house):
    link = await linked(house)
    key = link.queue.exclusive_key
    store = house.rows.operator_store
    await erase(link, reason="x", actor="a", ports=house.ports, operator_store=store)

    again = await linked(house, "l-1002")

    erased = await named(house, "l-1001")
    assert (erased.customer_id, erased.details) == ("", {})
    assert erased.queue.exclusive_key == again.queue.exclusive_key == key
    assert "tok_card_1" not in f"{erased}"
    assert again.queue.tasks[0].code == "already_linked"
    assert len(house.core.members.granted) == 1


async def test_a_repeat_is_one_after_the_link_was_erased(house):
    link = await linked(house)
    first = await removed(house, link)
    store = house.rows.operator_store
    await erase(link, reason="x", actor="a", ports=house.ports, operator_store=store)

    again = await asked(house, await named(house, "l-1001"))

    assert again == replace(first, status="duplicate")


def test_the_content_of_a_removal_is_its_card_and_not_its_link():
    said = orjson.loads(a_wish().content)

    assert said["details"] == {"partner": NORTHBANK, "card": {"token": "tok_card_1"}}
    assert "reason" not in said


async def test_a_link_of_another_merchant_is_not_taken_back(house):
    await linked(house)
    await house.pass_time(timedelta(seconds=1))
    await house.submit(replace(a_link("l-1002"), merchant_id="m-2"))
    await house.rest(within=timedelta(hours=1))
    found = await named(house, "l-1002")
    assert found.queue.tasks[0].code == "already_linked"

    with pytest.raises(NotNow, match="l-1002 found its card linked by another"):
        await asked(house, found)

    assert members(house)


async def test_a_removal_that_came_to_nothing_is_no_duplicate_for_ever(house):
    link = await linked(house)
    house.core.members.refuses(MembershipVerb.REVOKE, "locked")
    told = await removed(house, link)
    await house.decide(Ruling.NEGATIVE)
    await house.rest()

    with pytest.raises(NotNow, match=f"{told.order_id} has ended FAILED: .*order_id"):
        await asked(house, link)

    assert (await removed(house, link, order_id="u-2")).status == "accepted"
    assert not members(house)
    assert await wrongs(house) == []


async def test_an_id_that_removed_an_older_link_removes_no_newer_one(house):
    await removed(house, await linked(house), order_id="u-1")
    again = await linked(house, "l-1002")

    with pytest.raises(NotNow, match="u-1 is about another link of this card"):
        await asked(house, again, order_id="u-1")

    assert members(house)


async def test_a_removal_that_a_person_finds_done_does_not_say_that_it_stands(house):
    link = await linked(house)
    house.core.members.refuses(MembershipVerb.REVOKE, "locked")
    told = await removed(house, link)
    await house.decide(Ruling.POSITIVE)
    await house.rest()

    order = await named(house, told.order_id)
    assert (order.queue.state, order.queue.tasks[0].code) == ("COMPLETED", None)


AHEAD = timedelta(seconds=40)


async def by_another(house, work):
    """Have work done by a process whose clock is behind that of all others."""
    house.clock._start -= AHEAD
    try:
        return await work
    finally:
        house.clock._start += AHEAD


async def test_a_removed_link_stands_for_no_clock_that_is_behind(house):
    """One process is ahead by 40 seconds: it links, and the other one unlinks."""
    first = await linked(house)
    await by_another(house, removed(house, first))
    await house.pass_time(timedelta(seconds=20))
    second = await linked(house, "l-1002")
    await by_another(house, removed(house, second))
    assert not members(house)

    third = await linked(house, "l-1003")

    assert third.queue.tasks[0].code is None
    assert members(house)


@pytest.mark.parametrize("house", ["memory"], indirect=True)
async def test_a_card_may_be_added_and_removed_as_often_as_its_customer_likes(house):
    first = await linked(house)
    await by_another(house, removed(house, first))
    for n in range(34):
        again = linked(house, f"l-2{n:03}", after=SECOND / 10)
        link = await by_another(house, again)
        await by_another(house, removed(house, link, after=SECOND / 10))
    assert not members(house)

    last = await linked(house, "l-1003")

    assert last.queue.tasks[0].code is None
    assert members(house)


def overtaken(house, monkeypatch, twin):
    """Have a twin of the next request be done as soon as that has looked for one."""
    looks = house.ports.store.queue_of_order
    left = [twin]

    async def looked(*key):
        found = await looks(*key)
        if left:
            await left.pop()()
            await house.rest(within=timedelta(hours=1))
        return found

    monkeypatch.setattr(house.ports.store, "queue_of_order", looked)


async def test_who_is_overtaken_by_his_own_repeat_is_a_duplicate(house, monkeypatch):
    link = await linked(house)
    await house.pass_time(timedelta(seconds=1))
    overtaken(house, monkeypatch, lambda: asked(house, link))

    assert (await asked(house, link)).status == "duplicate"

    assert not members(house)


async def test_a_card_that_its_own_repeat_has_unlinked_is_refused_to_nobody(
    house, monkeypatch
):
    await linked(house)
    await house.pass_time(timedelta(seconds=1))
    overtaken(house, monkeypatch, lambda: house.request(a_wish()))

    assert await completed(a_wish(), ports=house.ports) == a_wish()

    assert not members(house)


@pytest.mark.parametrize("house", ["memory"], indirect=True)
@pytest.mark.parametrize(
    "odd", [UnknownWords("q", ["state PAUSED"]), Tampered("q", "it was changed")]
)
async def test_a_removal_whose_link_cannot_be_read_is_not_taken_for_done(
    house, monkeypatch, odd
):
    """The message is all there is of it: nothing of it is stored yet."""
    link = await linked(house)
    load = house.ports.store.load

    async def unreadable(queue_id):
        if queue_id == link.queue_id:
            raise odd
        return await load(queue_id)

    monkeypatch.setattr(house.ports.store, "load", unreadable)
    dispatch = Dispatch(ports=house.ports, read_request=lambda _: a_wish())
    delivery = Delivery(
        subject="partner.unlink.requested",
        body=b"{}",
        headers={},
        deliveries=1,
        identity="t.1.1",
    )

    outcome = await dispatch.handle(delivery)

    assert outcome == Retry(because=str(odd))
    assert len(await house.rows.orders()) == 1
