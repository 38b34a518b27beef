"""The dispatch of messages, and how often a webhook's message is read for."""

from collections import Counter

import pytest

from fsm.domain.webhook_events import WebhookEventType
from handlers.ports.bus import Delivery
from handlers.ports.outcomes import Done, Park
from handlers.route import Dispatch
from handlers.webhook import WebhookHint, webhook_received
from payment_service.playground.memory.providers import ACCEPTS
from payment_service.playground.memory.world import a_request

QUEUE = b"0197f0a4-7c1b-7d0e-9c55-3f2a1b6c8d9e"
READS = ("load", "queue_of", "find_webhook", "pending_webhooks")


@pytest.fixture
async def paid(world):
    """The same world with a webhook stored that says that acme has paid."""
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    task = await world.task()
    world.providers["acme"].pays(task.task_id)
    webhook = await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    return world, task, webhook


@pytest.fixture
def reads(world, monkeypatch):
    """Count what is read from the store."""
    counted = Counter[str]()

    def counting(name, read):
        async def counted_read(*arguments):
            counted[name] += 1
            return await read(*arguments)

        return counted_read

    store = world.rows.store
    for name in READS:
        monkeypatch.setattr(store, name, counting(name, getattr(store, name)))
    return counted


async def test_a_webhook_costs_two_reads(paid, reads):
    world, _, _ = paid

    await world.publish()
    assert await world.deliver()

    assert reads == {"load": 1, "pending_webhooks": 1}
    assert (await world.states())[0] == "SUCCEEDED"


@pytest.mark.parametrize("named", ["another order", "another task"])
async def test_a_hint_that_names_what_is_another_s_is_no_evidence(paid, named):
    world, task, webhook = paid
    world.committed.clear()
    other = await world.submit(a_request("nova", order_id="w-2"))
    await world.publish()
    orders = {o.queue_id: o for o in await world.rows.orders()}
    theirs = orders[other.queue_id].queue.tasks[0].task_id
    before = orders[other.queue_id].queue.tasks[0].version
    told = WebhookHint(
        provider="acme",
        event_id=webhook.event_id,
        queue_id=other.queue_id if named == "another order" else task.queue_id,
        task_id=theirs if named == "another task" else task.task_id,
    )

    await webhook_received(told, again=False, ports=world.ports)

    orders = {o.queue_id: o for o in await world.rows.orders()}
    assert orders[task.queue_id].task(task.task_id).state.value == "SUCCEEDED"
    assert orders[other.queue_id].queue.tasks[0].version == before


@pytest.mark.parametrize(
    ("event_id", "again", "word"),
    [
        pytest.param("evt-nobody-sent", False, "stale", id="never stored"),
        pytest.param(None, False, "duplicate", id="heard before"),
        pytest.param(None, True, "done", id="heard before, by one who died"),
    ],
)
async def test_what_does_not_wait_changes_nothing(paid, event_id, again, word):
    world, task, webhook = paid
    await world.work_off()
    versions = [(t.task_id, t.version) for t in await world.tasks()]
    told = WebhookHint(
        provider="acme",
        event_id=event_id or webhook.event_id,
        queue_id=task.queue_id,
        task_id=task.task_id,
    )

    outcome = await webhook_received(told, again=again, ports=world.ports)

    assert isinstance(outcome, Done)
    assert outcome.what == word
    assert [(t.task_id, t.version) for t in await world.tasks()] == versions


@pytest.mark.parametrize(
    ("subject", "body", "because"),
    [
        ("order.task.step.due", b"{", "not JSON: "),
        ("order.task.step.due", b"[]", "not a JSON object"),
        ("order.task.step.due", b'{"queue_id": 1}', "queue_id must be a UUID"),
        (
            "order.task.step.due",
            b'{"queue_id": "%s", "version": 1}' % QUEUE,
            "task_id is missing",
        ),
        (
            "order.task.step.due",
            b'{"queue_id": "%s", "task_id": 7, "version": 1}' % QUEUE,
            "task_id must be a UUID",
        ),
        (
            "order.queue.notification.due",
            b'{"queue_id": "%s", "version": true}' % QUEUE,
            "version must be a positive integer",
        ),
        (
            "order.task.webhook.received",
            b'{"provider": "acme"}',
            "provider and event_id must be strings",
        ),
        ("order.task.webhook.received", b'{"body": "{}"}', "nobody may say so here"),
        ("withdrawal.cancel.requested", b"{}", "nobody may say so here"),
        ("shadow.outcome", b"{}", "is not known to this version"),
        ("order.task.of.\x7f", b"{}", "is not known to this version"),
    ],
)
async def test_what_no_use_case_takes_is_parked_with_the_reason(
    world, subject, body, because
):
    dispatch = Dispatch(ports=world.ports, read_request=lambda _: a_request())

    delivery = Delivery(
        subject=subject, body=body, headers={}, deliveries=1, identity="t.1.1"
    )

    outcome = await dispatch.handle(delivery)

    assert isinstance(outcome, Park)
    assert because in outcome.because


async def test_a_subject_that_another_version_may_know_is_parked_for_it(world):
    dispatch = Dispatch(ports=world.ports, read_request=lambda _: a_request())
    delivery = Delivery(
        subject="order.task.of.tomorrow",
        body=b"{}",
        headers={},
        deliveries=1,
        identity="t.1.1",
    )

    outcome = await dispatch.handle(delivery)

    assert isinstance(outcome, Done)
    assert outcome.what == "parked"
    assert "is not known to this version" in outcome.because
