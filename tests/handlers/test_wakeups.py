"""Wake-ups that ring twice, late, early, never, or after a worker has died."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fsm.domain.messages import (
    Message,
    cancel_wakeup,
    queue_wakeup,
    task_wakeup,
)
from fsm.domain.webhook_events import WebhookEventType
from fsm.flows import RULES
from fsm.payout.policy import ProviderPolicy
from handlers.cancel import cancel_known
from handlers.drive import Wakeup, wake
from handlers.ports.outcomes import Done, Park, Retry
from handlers.relay import OutboxPublisher, Relay, relay
from handlers.sweep import sweep
from payment_service.playground.memory.bus import Chaos, MemoryBus
from payment_service.playground.memory.clock import SkewedClock
from payment_service.playground.memory.effects import Died
from payment_service.playground.memory.providers import (
    ACCEPTS,
    DECLINES,
    LOSES_REQUEST,
    PAYS,
)
from payment_service.playground.memory.world import GRACE, a_request
from tests.storage.builders import a_letter

EVENT = Message(subject="order.event.withdrawal.failed", body=b"{}", message_id="e")
TAKEN = "order.event.withdrawal.completed"
NOBODY = "0195f1de-0000-7000-8000-000000000000"


def dies(_work):
    raise Died("right after a commit")


async def test_a_wakeup_for_an_older_version_is_stale(world):
    await world.submit()
    wakeup = world.wakeup()
    await world.rest()

    world.bus.deliver_again(wakeup)
    await world.rest()

    assert world.words() == ["done", "stale"]


async def test_a_wakeup_for_an_older_version_is_stale_whatever_is_due(world):
    world.probe.on_recorded = [dies]
    await world.submit()
    wakeup = world.wakeup()
    await world.work_off()

    world.bus.deliver_again(wakeup)
    await world.work_off()

    assert (await world.task()).version > 1
    assert world.words() == ["stale"]
    assert world.providers["acme"].asked == []


async def test_an_act_on_an_order_that_core_is_to_hear_of_holds_nothing_up(world):
    world.provider("acme", DECLINES)
    world.probe.on_recorded = [lambda _: None] * 2 + [dies]
    await world.submit(a_request("acme"))
    await world.work_off()
    order = await world.order()
    wakeup = queue_wakeup(order.queue)
    assert (order.queue.state, order.queue.waiting_for) == ("FAILED", "notification")
    letter = a_letter(queue_id=order.queue_id)
    await world.rows.store.dead_letter(letter, [])
    said = {"actor": "key:anna", "reason": "r", "at": world.clock.now()}
    await world.rows.operator_store.mark_discarded(letter.id, **said)

    world.bus.wipe()
    world.bus.deliver_again(wakeup)
    await world.work_off()

    after = (await world.order()).queue
    assert (after.version, after.waiting_for) == (order.queue.version + 2, None)
    world.bus.deliver_again(wakeup)
    await world.work_off()
    assert world.words()[-1] == "stale"
    assert len(world.core.notices) == 1


async def test_a_wakeup_of_no_order_is_buried(world):
    wakeup = Wakeup(queue_id=NOBODY, task_id=None, version=1)

    outcome = await wake(wakeup, ports=world.ports)

    assert isinstance(outcome, Park)
    assert outcome.reason == "unknown_task"


@pytest.mark.attack("bus", "A wake-up that names another order's task is buried")
async def test_a_wakeup_of_another_orders_task_is_buried(world):
    await world.submit()
    queue_id = (await world.order()).queue_id
    wakeup = Wakeup(queue_id=queue_id, task_id=NOBODY, version=1)

    assert isinstance(await wake(wakeup, ports=world.ports), Park)


async def test_a_timer_that_rings_a_little_early_comes_back_in_time(world):
    world.provider("acme", LOSES_REQUEST)
    await world.submit()
    await world.work_off()
    task = await world.task()
    wakeup = Wakeup(queue_id=task.queue_id, task_id=task.task_id, version=task.version)

    outcome = await wake(wakeup, ports=world.ports)

    assert isinstance(outcome, Retry)
    assert not outcome.in_vain
    assert outcome.delay == task.wake_at - world.clock.now()


async def test_a_timer_that_rings_much_too_early_is_left_to_the_sweeper(world):
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    task = await world.task()
    wakeup = Wakeup(queue_id=task.queue_id, task_id=task.task_id, version=task.version)

    assert await wake(wakeup, ports=world.ports) == Done(what="early")


@pytest.mark.parametrize("after", range(1, 8))
async def test_a_wakeup_is_delivered_again_and_goes_on_where_a_worker_died(
    world, after
):
    world.provider("acme", DECLINES)
    world.probe.on_recorded = [lambda _: None] * (after - 1) + [dies]
    await world.submit(a_request("acme", "zeta"))

    await world.rest()

    assert world.deaths == 1
    assert (await world.order()).queue.waiting_for is None


async def test_a_redelivery_goes_on_before_the_sweeper_would(world):
    ten = timedelta(seconds=10)
    world.bus = MemoryBus(world.clock, world.effects, ack_wait=ten)
    world.provider("acme", DECLINES)
    world.probe.on_recorded = [lambda _: None, dies]
    await world.submit()

    await world.rest(within=ten + timedelta(seconds=1))

    assert (await world.states())[-1] == "COMPLETED"


@pytest.mark.parametrize(
    ("plan", "ends", "creates"),
    [
        (ProviderPolicy(), "MANUAL_CHECK", 0),
        (ProviderPolicy(idempotent_create=True), "SUCCEEDED", 1),
    ],
)
async def test_a_create_found_by_another_worker_is_sent_only_where_that_is_safe(
    world, plan, ends, creates
):
    world.provider("acme", PAYS, plan=plan)
    world.probe.on_recorded = [dies]
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == ends
    calls = [asked.call for asked in world.providers["acme"].asked]
    assert calls.count("create") == creates


async def test_a_create_that_was_sent_by_a_worker_that_died_is_found_by_asking(world):
    world.provider("acme", PAYS)
    world.probe.on_recorded = [lambda _: None, dies]

    async def the_worker_dies():
        raise Died("with the answer in its hands")

    world.effects.meanwhile("acme.create", the_worker_dies)
    await world.submit()
    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"
    assert len(world.providers["acme"].book) == 1


async def test_schedules_that_never_ring_delay_and_lose_nothing(world):
    world.bus = MemoryBus(world.clock, world.effects, schedules=False)
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.rest(within=timedelta(minutes=20))
    world.providers["acme"].pays((await world.task()).task_id)

    await world.rest()

    assert (await world.states())[-1] == "COMPLETED"


async def test_losing_all_of_the_bus_delays_and_loses_nothing(world):
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    world.providers["acme"].fails((await world.task()).task_id)
    world.bus.wipe()

    await world.rest()

    assert await world.states() == ["FAILED", "SUCCEEDED", "SKIPPED", "COMPLETED"]


async def test_a_webhook_whose_wakeup_was_lost_is_rung_for(world):
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    await world.settle_pending("acme", paid=True)
    await world.publish()
    world.bus.wipe()

    await world.rest(within=timedelta(minutes=2))

    assert (await world.states())[-1] == "COMPLETED"


@pytest.mark.attack("bus", "Messages repeated, lost or out of order change no outcome")
@pytest.mark.parametrize("seed", range(5))
async def test_repeats_losses_and_any_order_change_nothing(world, seed):
    chaos = Chaos(seed=seed, repeats=0.5, loses=0.3, reorders=True)
    world.bus = MemoryBus(world.clock, world.effects, chaos=chaos)
    world.provider("acme", LOSES_REQUEST, plan=ProviderPolicy(idempotent_create=True))
    world.provider("zeta", ACCEPTS)
    for n in range(3):
        await world.submit(a_request("zeta", "nova", order_id=f"w-{n}"))
    await world.rest(within=timedelta(minutes=10))
    await world.settle_pending("zeta", paid=False)

    await world.rest()

    states = [order.queue.state for order in await world.rows.orders()]
    assert states == ["COMPLETED"] * 3


async def test_an_outbox_that_nobody_published_is_published_by_the_relay(world):
    await world.submit()
    world.committed.clear()

    await world.rest()

    assert (await world.states())[-1] == "COMPLETED"


async def test_a_bus_that_is_down_keeps_the_outbox(world):
    world.bus.goes_down()
    await world.submit()
    await world.publish()
    await world.pass_time(timedelta(seconds=4))

    assert await relay(outbox=world.rows.sweeps, publisher=world.bus) == 0
    world.bus.comes_back()
    assert await relay(outbox=world.rows.sweeps, publisher=world.bus) == 2


@pytest.mark.attack("requests", "Rows that are refused stand before no other row")
async def test_what_the_bus_refuses_stands_before_no_other_message(world):
    sweeps = world.rows.sweeps
    for n in range(4):
        event = replace(EVENT, message_id=f"e-{n}")
        await world.rows.store.post(event)
    await world.rows.store.post(replace(EVENT, subject=TAKEN, message_id="taken"))
    await world.pass_time(timedelta(seconds=4))
    relay = Relay(sweeps, RefusesEvents(), store=world.rows.store, clock=world.clock)

    pages = [await relay.go_on(limit=2) for _ in range(4)]

    assert [(page.rows, page.gone) for page in pages] == [
        (2, 0),
        (2, 0),
        (1, 1),
        (2, 0),
    ]
    assert [page.is_stuck for page in pages] == [True, True, False, True]
    left = await sweeps.unsent(older_than=timedelta(0), limit=10)
    assert {row.message.subject for row in left} == {EVENT.subject}


async def test_what_is_refused_of_a_bundle_goes_on_alone(world):
    await world.submit()
    world.committed.clear()
    await world.pass_time(timedelta(seconds=4))
    sweeps, before = world.rows.sweeps, await left_in(world)
    bus = RefusesAccepted()
    relay = Relay(sweeps, bus, store=world.rows.store, clock=world.clock)

    pages = [await relay.go_on() for _ in range(2)]

    assert [(page.rows, page.gone) for page in pages] == [(2, 1), (1, 0)]
    (left,) = await left_in(world)
    assert left.message.subject == bus.REFUSED
    assert left.seq > before[0].seq


async def test_what_is_unfit_in_a_bundle_is_set_aside_alone(world):
    await world.submit()
    world.committed.clear()
    await world.pass_time(timedelta(seconds=4))
    rows = await left_in(world)
    world.bus.unfit = {row.message.message_id: "not ASCII" for row in rows}
    relay = Relay(
        world.rows.sweeps, world.bus, store=world.rows.store, clock=world.clock
    )

    pages = [await relay.go_on() for _ in range(3)]

    assert [(page.rows, page.gone) for page in pages] == [(2, 0), (2, 2), (0, 0)]
    assert len(await world.rows.letters()) == len(rows) == 2


async def left_in(world):
    return await world.rows.sweeps.unsent(older_than=timedelta(0), limit=9)


class RefusesAccepted:
    REFUSED = "order.event.withdrawal.accepted"

    async def publish(self, messages):
        return [message.subject != self.REFUSED for message in messages]

    def why_unfit(self, message): ...

    async def reply(self, subject, body): ...


class RefusesEvents:
    async def publish(self, messages):
        return [message.subject != EVENT.subject for message in messages]

    def why_unfit(self, message): ...

    async def reply(self, subject, body): ...


@pytest.mark.attack(
    "requests", "What no server ever takes is set aside once, and paged past"
)
async def test_what_no_server_will_ever_take_is_set_aside_once(world):
    unfit = [replace(EVENT, message_id=f"e-{n}") for n in range(5)]
    for event in unfit:
        await world.rows.store.post(event)
    await world.rows.store.post(replace(EVENT, message_id="fit"))
    world.committed.clear()
    world.bus.unfit = {event.message_id: "not ASCII" for event in unfit}
    await world.pass_time(timedelta(seconds=4))
    sweeps, store = world.rows.sweeps, world.rows.store
    relay = Relay(sweeps, world.bus, store=store, clock=world.clock)

    pages = [await relay.go_on(limit=2) for _ in range(3)]

    assert [(page.rows, page.gone) for page in pages] == [(2, 2)] * 3
    assert [event.message_id for event in world.bus.streams.events] == ["fit"]
    letters = await world.rows.letters()
    assert {letter.error for letter in letters} == {"cannot be published: not ASCII"}
    assert {letter.body for letter in letters} == {EVENT.body}
    assert len(letters) == len(unfit)


async def test_a_copy_of_a_dead_letter_that_is_unfit_has_no_copy(world):
    copy = replace(EVENT, subject="order.task.dlq", message_id="copy")
    await world.rows.store.post(copy)
    world.committed.clear()
    world.bus.unfit = {"copy": "too long"}
    await world.pass_time(timedelta(seconds=4))
    relay = Relay(
        world.rows.sweeps, world.bus, store=world.rows.store, clock=world.clock
    )

    assert (await relay.go_on()).gone == 1
    assert (await relay.go_on()).rows == 0
    assert len(await world.rows.letters()) == 1


async def test_the_relay_leaves_what_its_owner_may_still_publish(world):
    await world.submit()

    assert await relay(outbox=world.rows.sweeps, publisher=world.bus) == 0


async def test_the_courier_removes_what_was_acknowledged(world):
    await world.submit()
    removed: list[int] = []
    outbox_publisher = OutboxPublisher(world.bus, remove=removed.extend)

    outbox_publisher.enqueue(world.committed)
    await outbox_publisher._deliver(world.committed)

    assert removed == [world.committed[0].seq]


async def test_the_courier_leaves_a_bundle_of_which_one_was_refused(world):
    await world.submit()
    removed: list[int] = []

    await OutboxPublisher(RefusesAccepted(), remove=removed.extend)._deliver(
        world.committed
    )

    assert len(world.committed) == 2
    assert removed == []


async def test_the_sweeper_rings_for_what_is_overdue_by_the_grace(world):
    world.bus.goes_down()
    await world.submit()
    await world.publish()
    world.bus.comes_back()

    assert (await world.sweep()).rows == 0
    await world.pass_time(GRACE + timedelta(seconds=1))
    assert (await world.sweep()).rows == 1


async def test_the_sweeper_rings_once_in_a_grace(world):
    await world.submit()
    world.committed.clear()
    await world.pass_time(GRACE + timedelta(seconds=1))
    await world.sweep()

    await world.pass_time(timedelta(seconds=10))

    assert (await world.sweep()).rows == 0


async def test_a_sweeper_whose_clock_is_a_little_slow_rings_all_the_same(world):
    await world.submit()
    world.committed.clear()
    await world.pass_time(GRACE + timedelta(seconds=1))

    swept = await sweep(
        rows=world.rows.sweeps,
        store=world.rows.store,
        publisher=world.bus,
        clock=SkewedClock(world.clock, timedelta(milliseconds=-5)),
        grace=GRACE,
    )

    assert swept.rows == 1


async def test_the_sweeper_rings_for_a_notification(world):
    world.core.goes_down()
    await world.submit(a_request("acme"))
    await world.pass_time(timedelta(seconds=1))
    world.core.comes_back()
    world.probe.on_recorded = [lambda _: None] * 2 + [dies]
    await world.work_off()
    world.bus.wipe()

    await world.rest()

    assert len(world.core.notices) == 1


@pytest.mark.attack(
    "bus", "A cancel that is not signed is no wish, whatever version it guesses"
)
@pytest.mark.parametrize("of", ["queue", "task"])
async def test_a_cancel_by_a_message_is_no_wish_whatever_its_version(world, of):
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    row = (await world.order()).queue if of == "queue" else await world.task()

    world.bus.deliver_again(cancel_wakeup(row))
    await world.work_off()

    assert not (await world.task()).cancel_requested
    assert not (await world.order()).queue.cancel_requested


@pytest.mark.parametrize("of", ["queue", "task"])
async def test_a_forwarder_cancels_with_its_name_in_the_trail(world, of):
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    order, task = await world.order(), await world.task()

    done = [
        await cancel_known(
            await world.order(),
            "asked",
            by="svc",
            task_id=None if of == "queue" else task.task_id,
            ports=world.ports,
        )
        for _ in range(2)
    ]

    assert [each.what for each in done] == ["accepted", "duplicate"]
    about = order.queue_id if of == "queue" else task.task_id
    lines = [e for e in await world.rows.trail() if e.trigger == "cancel.requested"]
    assert about in {line.entity_id for line in lines}
    assert {line.actor for line in lines} == {"forwarder:svc"}
    assert all(line.detail["forwarded"] for line in lines)


async def test_a_forwarder_is_told_that_it_is_too_late(world):
    await world.submit()
    await world.rest()

    done = await cancel_known(
        await world.order(), "asked", by="svc", task_id=None, ports=world.ports
    )

    assert done.what == "too_late"


async def test_a_wakeup_can_be_made_again_from_the_row(world):
    await world.submit()
    first = world.wakeup()

    again = task_wakeup(await world.task(), world.clock.now(), RULES)

    assert again == replace(first, headers={})


async def test_a_webhook_in_a_row_that_died_is_applied_when_it_is_delivered_again(
    world,
):
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    world.probe.on_recorded = [dies]
    await world.settle_pending("acme", paid=True)

    await world.rest()

    assert (await world.states())[-1] == "COMPLETED"


async def test_two_webhooks_at_once_are_one_end(world):
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    task = await world.task()
    world.providers["acme"].pays(task.task_id)
    for _ in range(3):
        await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)

    await world.rest()

    assert await world.kinds_of_cases() == []
    assert (await world.states())[-1] == "COMPLETED"
