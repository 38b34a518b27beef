"""A replayed dead letter is open, or replayed with what came of it: never neither."""

import pytest

from fsm.domain.errors import Fault, NotNow
from fsm.domain.webhook_events import WebhookEventState, WebhookEventType
from handlers.dead_letters import replay
from handlers.sweep import dead_letter_of_webhook
from payment_service.playground.memory.clock import VirtualClock, run
from payment_service.playground.memory.effects import Died, FailureForm
from payment_service.playground.memory.providers import ACCEPTS
from tests.world.judged import World

NOBODY = "0195f1de-0000-7000-8000-000000000000"


class HeldUp:
    """A desk at which everything else goes on before a letter is marked."""

    def __init__(self, world):
        self._world = world

    def __getattr__(self, name):
        return getattr(self._world.rows.operator_store, name)

    async def mark_replayed(self, *args, **given):
        await self._world.rest()
        return await self._world.rows.operator_store.mark_replayed(*args, **given)


async def replayed(world, letter, operator_store=None):
    await replay(
        letter.id,
        actor="key:anna",
        operator_store=operator_store or world.rows.operator_store,
        clock=world.clock,
    )


async def without_a_task(world):
    """Bury a webhook that nobody's task ever came for; return the letter."""
    await world.tell("acme", WebhookEventType.SUCCEEDED, NOBODY)
    await world.rest()
    (letter,) = await world.rows.letters()
    return letter


async def test_what_dies_again_before_its_mark_is_made_is_listed(world):
    letter = await without_a_task(world)

    await replayed(world, letter, HeldUp(world))
    await world.rest()

    assert [each.id for each in await world.rows.letters()] == [letter.id]


async def test_what_dies_twice_in_a_moment_is_sent_twice(world):
    letter = await without_a_task(world)
    sent = []
    for _ in range(2):
        await replayed(world, letter)
        sent += [row.message.message_id for row in world.committed]
        await world.rows.store.dead_letter(letter, [])
        (letter,) = await world.rows.letters()

    # The server takes an id that it has had a moment ago for a repeat.
    assert len({name for name in sent if name.startswith("replay:")}) == 2


async def test_a_letter_that_somebody_has_dealt_with_sends_nothing(world):
    letter = await without_a_task(world)
    await replayed(world, letter)
    world.committed.clear()

    marked = await world.rows.operator_store.mark_replayed(
        letter.id,
        actor="key:bert",
        reason="r",
        at=world.clock.now(),
        messages=[(await written(world))[0]],
    )

    assert (marked, world.committed) == (False, [])


async def written(world):
    """Return what a replay has put into the outbox."""
    rows = await world.rows.sweeps.unsent(older_than=-world.limits.chain * 9, limit=100)
    return [row.message for row in rows if row.message.message_id.startswith("replay:")]


async def with_a_letter(world):
    """Give up a webhook whose task is there after all; return the letter."""
    acme = world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    task = await world.task()
    acme.pays(task.task_id)
    webhook = await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    store = world.rows.store
    stored = await store.find_webhook("acme", webhook.event_id)
    letter = dead_letter_of_webhook(stored, world.clock.now())
    await store.dead_letter(letter, [])
    await store.close_webhook(stored.inbox_id, WebhookEventState.DEAD)
    await world.work_off()
    return letter


async def outcome(world, letter):
    """Say whether a letter is listed, or its replay is on its way."""
    if await world.rows.letters():
        return "open"
    waits = await world.rows.store.pending_webhooks(letter.task_id)
    return "replayed" if waits and await written(world) else "lost"


async def insisted(world, letter):
    """Replay until it is answered, whatever dies on the way; say what was seen then."""
    seen = []
    for _ in range(3):
        try:
            await replayed(world, letter)
        except NotNow:  # it was done, and its answer was lost
            break
        except (Fault, Died):
            world.die()
            seen.append(await outcome(world, letter))
        else:
            break
    await world.rest()
    return seen


def play(form, at):
    """Replay with the n-th effect of the replay gone wrong."""
    clock = VirtualClock()
    world = World(clock=clock)

    async def played():
        letter = await with_a_letter(world)
        world.effects.strike(at, form)
        seen = await insisted(world, letter)
        return seen, (await world.task()).state, await world.rows.letters()

    return run(played(), clock=clock, seed=1), world


@pytest.mark.parametrize("form", FailureForm)
def test_wherever_a_replay_dies_its_letter_is_open_or_was_replayed(form):
    for at in range(1, 9):
        (seen, state, left), world = play(form, at)

        assert "lost" not in seen, at
        assert (state, left) == ("SUCCEEDED", []), at
        assert {asked.call for asked in world.providers["acme"].asked} == {"create"}
        assert world.effects.struck, at
