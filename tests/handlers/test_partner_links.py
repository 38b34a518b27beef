"""Partner links in a whole world: linked, not eligible, expired, removed.

Each test ends with the oracle: core's own book of members against rows and trails.
"""

import asyncio
from datetime import timedelta

import pytest

from fsm.domain.errors import NotNow
from fsm.engine.words import Kind, State
from fsm.partner.words import LinkWait
from handlers.commit import apply
from handlers.partner.calls import event_of
from handlers.ports.core import MembershipVerb
from handlers.ports.partners import (
    Eligible,
    MultiMatch,
    NotEligible,
    PartnerPending,
)
from handlers.resolve import Ruling
from handlers.sound import looked_over
from handlers.submit import submit
from payment_service.playground.memory.core import CoreTrouble
from payment_service.playground.memory.memberships import Lasting, MemberCard
from payment_service.playground.memory.world import TRACE
from tests.handlers.test_tampering import change
from tests.world.links import (
    HOLDS,
    NORTHBANK,
    PROVISIONAL,
    a_card,
    a_link,
    an_unlink,
    partnered,
    wrongs,
)
from tests.world.stores import url_of, world_on

CARD = MemberCard("c-9", NORTHBANK, "tok_card_1")
NO = NotEligible(code="not_a_member", message="no such customer")
DAY = timedelta(days=1)


@pytest.fixture(params=["memory", "postgres"])
async def house(request):
    """Give a world with a partner that answers at once."""
    async with world_on(url_of(request)) as world:
        partnered(world)
        yield world


def northbank(world):
    return world.partners[NORTHBANK]


def asks(world, policy):
    """Have the partner treated by another policy."""
    northbank(world).policy = policy
    return northbank(world)


async def linked(world, request=None):
    await world.pass_time(timedelta(seconds=1))
    await world.request(request or a_link())
    await world.rest()
    assert await wrongs(world) == []
    return await world.states()


async def order_named(world, order_id):
    return next(o for o in await world.rows.orders() if o.order_id == order_id)


async def removed(world, link_id="l-1001", order_id="u-1001"):
    link = await order_named(world, link_id)
    await world.pass_time(timedelta(seconds=1))
    await world.request(an_unlink(link, order_id))
    await world.rest()
    assert await wrongs(world) == []
    return await order_named(world, order_id)


def result(world, order_id="l-1001"):
    """Return (type, result, code) of what core was told at the end."""
    (notice,) = (n for n in world.core.notices if n.body["order_id"] == order_id)
    said = notice.body
    return said["type"].partition(".")[2], said.get("result"), said.get("code")


def asked(world):
    return [call.key.partition(":")[2] for _, call in northbank(world).calls]


def moves(world):
    return [str(verb) for verb, _ in world.core.members.moves]


async def triggers(world, order_id="l-1001"):
    order = await order_named(world, order_id)
    task_id = order.queue.tasks[0].task_id
    lines = [line for line in await world.rows.trail() if line.task_id == task_id]
    return [line.trigger for line in sorted(lines, key=lambda line: line.version)]


# It answers at once.


async def test_an_eligible_card_is_linked(house):
    assert await linked(house) == ["SUCCEEDED", "COMPLETED"]

    assert result(house) == ("completed", "linked", None)
    assert asked(house) == ["1"]
    assert moves(house) == ["grant"]
    assert house.core.members.members[CARD].lasting is Lasting.FOR_GOOD


async def test_a_partner_is_told_all_of_the_link(house):
    await linked(house)

    order = await house.order()
    ((what, call),) = northbank(house).calls
    assert what == "check_eligibility"
    assert call.n == 1
    assert call.order == {
        "task_id": order.queue.tasks[0].task_id,
        "order_id": "l-1001",
        "queue_id": order.queue_id,
        "merchant_id": "m-1",
        "customer_id": "c-9",
        "partner": NORTHBANK,
        "card": a_card(),
        "metadata": {"channel": "app"},
    }
    assert "tok_card_1" not in repr(call)


async def test_a_card_that_is_not_eligible_is_no_failure(house):
    northbank(house).says = NO

    assert await linked(house) == ["FAILED", "COMPLETED"]

    assert result(house) == ("completed", "not_eligible", "not_a_member")
    assert moves(house) == []


@pytest.mark.parametrize(
    ("card", "code"),
    [
        (a_card(country="US"), "country_not_covered"),
        (a_card(bin="400000"), "bin_not_covered"),
        (a_card(bin="451500"), "bin_not_covered"),
        (a_card(bin="45140"), "bin_not_covered"),
    ],
)
async def test_a_card_that_the_partner_does_not_cover_is_not_asked_about(
    house, card, code
):
    assert await linked(house, a_link(card=card)) == ["SKIPPED", "COMPLETED"]

    assert result(house) == ("completed", "not_eligible", code)
    assert asked(house) == []


@pytest.mark.parametrize("number", ["4510", "451099", "45149999", "451400"])
def test_a_bin_is_within_a_prefix_or_a_range(number):
    assert HOLDS.covers_bin(number)


@pytest.mark.parametrize("code", ["expired", "cancelled", "confirm_refused"])
async def test_a_partners_code_is_never_taken_for_one_of_ours(house, code):
    northbank(house).says = NotEligible(code=code)

    await linked(house)

    assert result(house) == ("completed", "not_eligible", f"their_{code}")


# It was linked before.


async def test_a_card_that_is_linked_already_is_linked_without_a_grant(house):
    await linked(house)

    await linked(house, a_link("l-1002"))

    assert result(house, "l-1002") == ("completed", "linked", "already_linked")
    assert moves(house) == ["grant"]
    assert asked(house) == ["1"]


async def test_another_card_or_customer_or_partner_is_another_link(house):
    partnered(house, "southbank")
    await linked(house)

    await linked(house, a_link("l-2", card=a_card("tok_2")))
    await linked(house, a_link("l-3", customer_id="c-10"))
    await linked(house, a_link("l-4", partner="southbank"))

    assert moves(house) == ["grant"] * 4


async def test_a_card_that_was_not_eligible_is_asked_about_again(house):
    northbank(house).script = [NO]
    await linked(house)

    await linked(house, a_link("l-1002"))

    assert result(house, "l-1002") == ("completed", "linked", None)


async def test_of_a_hundred_requests_at_once_one_links(house):
    async def sent(n):
        wanted = a_link(f"l-{n}")
        return await submit(
            wanted, ports=house.ports, actor="system", trace_parent=TRACE
        )

    done = await asyncio.gather(*map(sent, range(100)))
    await house.rest()

    (one,) = [each for each in done if each.status == "accepted"]
    assert {each.status for each in done if each is not one} == {"duplicate"}
    assert {each.queue_id for each in done} == {one.queue_id}
    assert moves(house) == ["grant"]
    assert await wrongs(house) == []


# Several matches.


async def test_a_held_card_is_granted_once_the_partner_knows(house):
    northbank(house).script = [MultiMatch(), PartnerPending(), MultiMatch()]

    assert await linked(house) == ["SUCCEEDED", "COMPLETED"]

    assert asked(house) == ["1", "2", "3", "4"]
    assert moves(house) == ["grant"]
    assert await house.steps() == [
        "PENDING",
        "EXECUTING",
        "RECHECKING",
        "EXECUTING",
        "SUCCEEDED",
    ]


async def test_a_card_is_a_member_for_now_and_then_for_good(house):
    asks(house, PROVISIONAL).script = [MultiMatch()]
    await house.request(a_link())
    await house.rest(within=timedelta(hours=1))
    assert house.core.members.members[CARD].lasting is Lasting.FOR_NOW
    assert (await house.task()).waiting_for is LinkWait.FALLBACK

    await house.rest()

    assert await wrongs(house) == []
    assert moves(house) == ["grant", "confirm"]
    assert result(house) == ("completed", "linked", None)


async def test_a_later_no_revokes(house):
    asks(house, PROVISIONAL).script = [MultiMatch(), MultiMatch(), NO]

    assert await linked(house) == ["REVERSED", "COMPLETED"]

    assert moves(house) == ["grant", "revoke"]
    assert result(house) == ("completed", "not_eligible", "not_a_member")
    assert asked(house) == ["1", "2", "3", "revoked"]


async def test_at_the_deadline_a_provisional_membership_is_revoked(house):
    asks(house, PROVISIONAL).says = MultiMatch()
    await house.request(a_link())
    began = house.clock.now()

    await house.rest()

    assert await wrongs(house) == []
    assert moves(house) == ["grant", "revoke"]
    assert result(house) == ("completed", "expired", "expired")
    over = (await house.order()).finished_at - began
    assert DAY * 5 <= over < DAY * 5 + timedelta(minutes=1)


async def test_at_the_deadline_a_held_card_is_expired(house):
    northbank(house).says = MultiMatch()

    assert await linked(house) == ["FAILED", "COMPLETED"]

    assert moves(house) == []
    assert result(house) == ("completed", "expired", "expired")


async def test_checks_grow_apart_as_the_partner_has_it(house):
    northbank(house).says = MultiMatch()
    await house.request(a_link())
    times = []
    for _ in range(4):
        wake_at = (await house.task()).wake_at
        times.append(wake_at - house.clock.now())
        await house.pass_time(until=wake_at)
        await house.sweep()
        await house.work_off()
    hours = [round(each / timedelta(hours=1)) for each in times]

    assert [min((6, 12, 24), key=lambda h: abs(h - x)) for x in hours] == [
        6,
        12,
        24,
        24,
    ]


# Nobody answers.


@pytest.mark.parametrize("fault", ["silent", "away", "lacking"])
@pytest.mark.parametrize("what", ["check_eligibility", "check_again"])
async def test_a_check_without_an_answer_is_made_again_with_its_key(house, fault, what):
    partner = asks(house, PROVISIONAL)
    partner.script = [MultiMatch()]
    getattr(partner, fault)[what] = 3

    assert await linked(house) == ["SUCCEEDED", "COMPLETED"]

    numbers = asked(house)
    assert sorted({*numbers}) == ["1", "2"]
    number = "1" if what == "check_eligibility" else "2"
    assert numbers.count(number) == (4 if fault == "silent" else 1)


async def test_who_is_away_until_the_deadline_has_the_link_expire(house):
    northbank(house).away["check_eligibility"] = 10**6

    assert await linked(house) == ["FAILED", "COMPLETED"]

    assert result(house) == ("completed", "expired", "expired")
    # Soon at first, and then no more often than the fallback would.
    assert (await house.task()).version < 40


async def test_a_partner_that_is_not_configured_is_waited_for(house):
    house.partners.drop(NORTHBANK)
    await house.request(a_link())
    assert (await house.task()).code == "partner_not_configured"

    partnered(house)
    await house.rest()

    assert await wrongs(house) == []
    assert await house.states() == ["SUCCEEDED", "COMPLETED"]


@pytest.mark.parametrize("trouble", CoreTrouble)
@pytest.mark.parametrize("verb", MembershipVerb)
async def test_core_is_told_again_until_it_answers(house, verb, trouble):
    asks(house, PROVISIONAL).script = [MultiMatch()]
    if verb is MembershipVerb.REVOKE:
        northbank(house).says = NO
    house.core.fails(f"membership.{verb}", trouble, times=3)

    await linked(house)

    assert moves(house).count(verb) == 1


async def test_a_revoke_notice_that_is_not_heard_ends_nothing(house):
    partner = asks(house, PROVISIONAL)
    partner.script, partner.says = [MultiMatch()], NO
    partner.away["notify_revoked"] = 10**6

    assert await linked(house) == ["REVERSED", "COMPLETED"]

    assert (await triggers(house))[-1] == "partner.notice_given_up"


async def test_an_answer_to_an_earlier_check_overrides_nothing(house):
    asks(house, PROVISIONAL).script = [MultiMatch(), MultiMatch()]
    await house.request(a_link())
    await house.rest(within=timedelta(hours=8))
    order = await looked_over(await house.order(), house.ports)
    task = order.queue.tasks[0]
    assert (task.waiting_for, task.webhook_sequence) == (LinkWait.FALLBACK, 2)

    # A worker that was asleep all the while has heard this of the first check.
    heard = event_of(NO, task, 1)
    await apply(order, task.task_id, heard, ports=house.ports)
    await house.rest()

    assert await wrongs(house) == []
    assert result(house) == ("completed", "linked", None)
    assert await house.kinds_of_cases() == []


async def test_what_a_partner_says_after_a_link_is_linked_opens_a_case(house):
    await linked(house)
    order = await looked_over(await house.order(), house.ports)
    task = order.queue.tasks[0]

    await apply(order, task.task_id, event_of(NO, task, 1), ports=house.ports)

    assert await house.states() == ["SUCCEEDED", "COMPLETED"]
    assert await house.kinds_of_cases() == ["contradiction"]
    assert await wrongs(house) == []


# Core refuses.


async def test_a_grant_that_core_refuses_fails_the_order(house):
    house.core.members.refuses(MembershipVerb.GRANT, "member_elsewhere")

    assert await linked(house) == ["FAILED", "FAILED"]

    assert result(house) == ("failed", None, "member_elsewhere")


@pytest.mark.parametrize(
    ("ruling", "states"),
    [
        (Ruling.POSITIVE, ["SUCCEEDED", "COMPLETED"]),
        (Ruling.NEGATIVE, ["REVERSED", "FAILED"]),
    ],
)
async def test_a_confirmation_that_core_refuses_is_for_a_person(house, ruling, states):
    asks(house, PROVISIONAL).script = [MultiMatch()]
    house.core.members.refuses(MembershipVerb.CONFIRM, "locked")
    assert await linked(house) == ["MANUAL_CHECK", "ACTIVE"]
    assert await house.kinds_of_cases() == ["balance_refused"]

    await decide(house, ruling)

    assert await house.states() == states


@pytest.mark.parametrize(
    ("ruling", "ends"),
    [
        (Ruling.POSITIVE, ("completed", "linked", "stands")),
        (Ruling.NEGATIVE, ("completed", "not_eligible", "not_a_member")),
    ],
)
async def test_a_revoke_that_core_refuses_is_for_a_person(house, ruling, ends):
    partner = asks(house, PROVISIONAL)
    partner.script, partner.says = [MultiMatch()], NO
    house.core.members.refuses(MembershipVerb.REVOKE, "locked")
    assert await linked(house) == ["MANUAL_CHECK", "ACTIVE"]

    await decide(house, ruling)

    assert result(house) == ends


async def decide(world, ruling):
    """Put core's book right by hand, and say how it is."""
    task = await world.task()
    stands = ruling is Ruling.POSITIVE
    world.core.members.mended(CARD, stands=stands, task_id=task.task_id)
    await world.decide(ruling)
    await world.rest()
    assert await wrongs(world) == []


# It is given up.


async def test_a_link_is_given_up_before_a_grant(house):
    northbank(house).script = [MultiMatch()]
    await house.request(a_link())

    await house.cancel_order()
    await house.rest()

    assert await wrongs(house) == []
    assert result(house) == ("cancelled", None, "cancelled")
    assert moves(house) == []


async def test_a_provisional_membership_is_revoked_where_its_link_is_given_up(house):
    asks(house, PROVISIONAL).script = [MultiMatch()]
    await house.request(a_link())

    await house.cancel_order()
    await house.rest()

    assert await wrongs(house) == []
    assert await house.states() == ["REVERSED", "CANCELLED"]
    assert moves(house) == ["grant", "revoke"]


async def test_a_grant_that_may_be_under_way_is_revoked(house):
    house.core.fails("membership.grant", CoreTrouble.APPLIED, times=99)
    await house.request(a_link())
    assert (await house.task()).waiting_for is LinkWait.GRANT

    await house.cancel_order()
    await house.rest()

    assert await wrongs(house) == []
    assert await house.states() == ["REVERSED", "CANCELLED"]


async def test_what_is_linked_is_not_given_up_any_more(house):
    await linked(house)

    with pytest.raises(NotNow):
        await house.cancel_order()


async def test_who_slept_before_a_grant_leaves_it_to_another(house):
    def sleeps(_):
        house.clock.advance(timedelta(seconds=6))

    house.probe.on_recorded.extend([lambda _: None, sleeps])

    assert await linked(house) == ["SUCCEEDED", "COMPLETED"]
    assert moves(house) == ["grant"]


# It is removed.


async def test_a_link_is_removed_by_an_order_of_its_own(house):
    await linked(house)

    unlink = await removed(house)

    assert result(house, "u-1001") == ("completed", "unlinked", None)
    assert unlink.queue.kind is Kind.PARTNER_UNLINK
    assert moves(house) == ["grant", "revoke"]
    assert northbank(house).told == {unlink.queue.tasks[0].task_id}
    assert (await order_named(house, "l-1001")).queue.state == "COMPLETED"
    assert CARD not in house.core.members.members


async def test_a_card_that_was_removed_can_be_linked_again(house):
    await linked(house)
    await removed(house)

    await linked(house, a_link("l-1002"))

    assert result(house, "l-1002") == ("completed", "linked", None)
    assert moves(house) == ["grant", "revoke", "grant"]


async def test_a_link_is_removed_once(house):
    await linked(house)
    await removed(house)

    await removed(house, order_id="u-1002")

    assert result(house, "u-1002") == ("completed", "unlinked", "already_unlinked")
    assert moves(house) == ["grant", "revoke"]


async def test_the_removal_of_an_old_link_leaves_the_new_one(house):
    await linked(house)
    await removed(house)
    await linked(house, a_link("l-1002"))

    await removed(house, "l-1001", "u-1002")

    assert result(house, "u-1002") == ("completed", "unlinked", "already_unlinked")
    assert CARD in house.core.members.members


async def test_a_link_is_removed_by_any_order_that_found_it(house):
    await linked(house)
    await linked(house, a_link("l-1002"))

    await removed(house, "l-1002")

    assert CARD not in house.core.members.members
    await linked(house, a_link("l-1003"))
    assert result(house, "l-1003") == ("completed", "linked", None)


async def test_a_removal_that_core_refuses_is_for_a_person(house):
    await linked(house)
    house.core.members.refuses(MembershipVerb.REVOKE, "locked")
    unlink = await removed(house)
    assert unlink.queue.tasks[0].state == "MANUAL_CHECK"

    await house.decide(Ruling.NEGATIVE)
    await house.rest()

    assert await wrongs(house) == []
    assert result(house, "u-1001") == ("failed", None, "locked")


async def test_a_link_and_its_removal_never_run_at_once(house):
    asks(house, PROVISIONAL).script = [MultiMatch()]
    await house.request(a_link())
    link = await house.order()

    done = await house.submit(an_unlink(link))

    assert done.status == "conflict"
    assert done.queue_id == link.queue_id


# Days, restarts, and the loss of all messages.


async def test_a_reconciliation_of_four_days_survives_restarts_and_a_lost_bus(house):
    partner = asks(house, PROVISIONAL)
    partner.knows_at = house.clock.now() + 4 * DAY
    await house.request(a_link())

    for day in range(4):
        await house.rest(within=DAY - timedelta(hours=day))
        house.die()
        if day == 1:
            house.bus.wipe()
    assert house.core.members.members[CARD].lasting is Lasting.FOR_NOW
    await house.rest()

    assert await wrongs(house) == []
    assert result(house) == ("completed", "linked", None)
    assert moves(house) == ["grant", "confirm"]
    numbers = [int(n) for n in asked(house)]
    assert numbers == sorted({*numbers})


# Another hand.


async def test_a_link_into_which_another_request_was_written_is_left_alone(house):
    northbank(house).script = [MultiMatch()]
    await house.request(a_link())
    await change(house, "order", customer_id="c-666")

    await house.rest(within=2 * DAY)

    assert moves(house) == []
    assert await house.kinds_of_cases() == ["tampered"]


async def test_a_link_that_another_hand_made_links_nothing(house):
    northbank(house).says = NO
    await linked(house)
    await change(house, "task", state=State.SUCCEEDED, code=None)
    northbank(house).says = Eligible()
    await house.request(a_link("l-1002"))

    await house.rest(within=DAY)

    second = await order_named(house, "l-1002")
    assert second.queue.tasks[0].state == "PENDING"
    assert "tampered" in await house.kinds_of_cases()
