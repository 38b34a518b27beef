"""Checkouts in a whole world: every step is done once, or all are undone, or a person.

Each test ends with the oracle: the services' own books against rows and trails.
"""

import asyncio
from datetime import timedelta

import pytest

from fsm.domain.errors import NotNow
from fsm.domain.four_eyes import FourEyes
from fsm.domain.money import Money
from fsm.engine.backoff import Backoff
from fsm.engine.steps import Event
from fsm.engine.words import EngineWait, State
from fsm.service.policy import Default, ServicePolicy
from fsm.service.words import ServiceWait, StepTrigger
from handlers.commit import apply
from handlers.resolve import Ruling
from handlers.serialized import SerializedCommits
from payment_service.playground.memory.services import StepFate
from tests.handlers.test_tampering import change
from tests.world.checkouts import DETAILS, a_checkout, serve, wrongs
from tests.world.stores import url_of, world_on

S = "SUCCEEDED"
ALL_DONE = [S, S, S, S, "COMPLETED"]
HASTY = ServicePolicy(
    retry=Backoff(first=timedelta(seconds=1), factor=2.0, longest=timedelta(seconds=4)),
    attempts=3,
)
UNASKABLE = ServicePolicy(asks=False, retry=HASTY.retry, attempts=3)


@pytest.fixture(params=["memory", "postgres"])
async def house(request):
    """Give a world in which the services of a checkout do what they are asked."""
    async with world_on(url_of(request)) as world:
        serve(world)
        yield world


async def checked_out(world):
    await world.request(a_checkout())
    await world.rest()
    assert await wrongs(world) == []
    return await world.states()


def did(world):
    return [what for each in world.services.every() for what in each.did]


async def triggers(world, position):
    task_id = (await world.task(position)).task_id
    lines = [line for line in await world.rows.trail() if line.task_id == task_id]
    return [line.trigger for line in sorted(lines, key=lambda line: line.version)]


# All goes well.


async def test_every_step_is_done_once(house):
    assert await checked_out(house) == ALL_DONE

    assert sorted(did(house)) == [
        "do delivery",
        "do fraud",
        "do merchant",
        "do payment",
    ]
    assert all(len(each.calls) == 1 for each in house.services.every())


def have_done_both(world):
    """Let neither payment nor delivery answer before both have been asked."""
    together = asyncio.Barrier(2)
    for name in ("payment", "delivery"):
        world.effects.meanwhile(f"{name}.do", together.wait)


async def test_payment_and_delivery_are_asked_at_once(house):
    have_done_both(house)

    await asyncio.wait_for(house.request(a_checkout()), 60)
    await house.rest()

    assert await house.states() == ALL_DONE


async def test_two_steps_that_end_at_once_are_committed_one_by_one(house):
    have_done_both(house)

    await asyncio.wait_for(house.request(a_checkout()), 60)
    await house.rest()

    # Neither was judged by what was before the other, and so refused by the store.
    assert await house.states() == ALL_DONE
    assert house.probe.conflicts == 0


async def test_two_steps_that_end_at_once_elsewhere_meet_in_the_orders_row(
    house, monkeypatch
):
    async def at_once(_commits, order, commit_from):
        return await commit_from(order)

    # As where each is in hand in a process of its own.
    monkeypatch.setattr(SerializedCommits, "run", at_once)
    have_done_both(house)

    await asyncio.wait_for(house.request(a_checkout()), 60)
    await house.rest()

    assert await house.states() == ALL_DONE
    assert house.probe.conflicts == 1


async def test_a_service_is_told_all_of_the_order(house):
    await checked_out(house)

    order = await house.order()
    ((_, call),) = house.services["fraud"].calls
    assert call.step == "fraud"
    assert call.order == {
        "task_id": order.queue.tasks[0].task_id,
        "order_id": "c-1001",
        "queue_id": order.queue_id,
        "merchant_id": "m-1",
        "customer_id": "c-9",
        "amount": 12550,
        "currency": "EUR",
        **DETAILS,
        "metadata": {"channel": "web"},
        "loaded": {},
        "results": {},
    }


async def test_a_later_step_is_given_what_those_before_it_came_to(house):
    await checked_out(house)

    ((_, call),) = house.services["merchant"].calls
    assert call.order["results"] == {
        name: {"by": name} for name in ("fraud", "payment", "delivery")
    }


# A definite no.


@pytest.mark.parametrize(
    ("no", "states", "undone"),
    [
        ("fraud", ["SKIPPED"] * 4, []),
        ("payment", [S, "SKIPPED", "REVERSED", "SKIPPED"], ["undo delivery"]),
        ("delivery", [S, "REVERSED", "SKIPPED", "SKIPPED"], ["undo payment"]),
        (
            "merchant",
            [S, "REVERSED", "REVERSED", "SKIPPED"],
            ["undo delivery", "undo payment"],
        ),
    ],
)
async def test_what_was_done_is_undone_where_a_step_is_refused(
    house, no, states, undone
):
    house.services[no].refuses = True
    if no != "fraud":
        have_done_both(house)

    assert await checked_out(house) == [*states, "FAILED"]

    assert sorted(what for what in did(house) if "undo" in what) == undone
    (notice,) = house.core.notices
    assert notice.body["code"] == "refused"


async def test_what_was_done_last_is_undone_first(house):
    house.services["merchant"].refuses = True
    order = []
    for name in ("payment", "delivery"):

        async def noted(name=name):
            order.append(name)

        house.effects.meanwhile(f"{name}.undo", noted)

    await checked_out(house)

    assert order == ["delivery", "payment"]


# Nobody knows.


@pytest.mark.parametrize("name", ["fraud", "payment", "delivery", "merchant"])
@pytest.mark.parametrize("fault", ["silent", "late", "away", "lacking"])
async def test_a_failure_that_passes_loses_no_order(house, name, fault):
    service = house.services[name]
    if fault == "late":
        service.late = 1
    else:
        getattr(service, fault)["do"] = 2

    assert await checked_out(house) == ALL_DONE

    assert did(house).count(f"do {name}") == 1


async def test_what_became_of_a_step_is_asked_before_it_is_done_again(house):
    house.services["payment"].silent["do"] = 1

    await checked_out(house)

    calls = [what for what, _ in house.services["payment"].calls]
    assert calls == ["do", "ask"]


async def test_a_service_that_cannot_be_asked_is_told_again_with_its_key(house):
    serve(house, "payment", payment=UNASKABLE)
    house.services["payment"].silent["do"] = 1

    assert await checked_out(house) == ALL_DONE

    calls = [what for what, _ in house.services["payment"].calls]
    assert calls == ["do", "do"]
    assert did(house).count("do payment") == 1


async def test_a_service_that_is_still_at_it_is_asked_again(house):
    payment = house.services["payment"]
    payment.late, payment.pending, payment.lands_after = 1, 2, "nothing"
    await house.request(a_checkout())
    await house.rest(within=timedelta(seconds=2))
    payment.lands()

    await house.rest()

    assert await house.states() == ALL_DONE
    assert "service.pending" in await triggers(house, 1)


async def test_who_slept_before_a_do_leaves_it_to_another(house):
    def sleeps(_):
        house.clock.advance(timedelta(seconds=6))

    house.probe.on_recorded.append(sleeps)

    assert await checked_out(house) == ALL_DONE

    began = ["order.requested", "turn.came", "service.taken_over", "service.done"]
    assert await triggers(house, 0) == began


async def test_what_was_never_sent_is_left_out(house):
    serve(house, "payment", payment=HASTY)
    house.services["payment"].away["do"] = 99

    states = await checked_out(house)

    assert states == [S, "SKIPPED", "REVERSED", "SKIPPED", "FAILED"]
    (notice,) = house.core.notices
    assert notice.body["code"] == "no_answer"
    assert house.services["payment"].calls == []


async def test_a_step_of_which_nobody_knows_is_undone(house):
    serve(house, "payment", payment=HASTY)
    payment = house.services["payment"]
    payment.silent["do"] = payment.silent["ask"] = 99

    states = await checked_out(house)

    assert states == [S, "REVERSED", "REVERSED", "SKIPPED", "FAILED"]
    (notice,) = house.core.notices
    assert notice.body["code"] == "no_answer"


async def test_a_check_of_which_nobody_knows_has_failed(house):
    serve(house, "fraud", fraud=HASTY)
    fraud = house.services["fraud"]
    fraud.silent["do"] = fraud.silent["ask"] = 99

    assert (await checked_out(house))[0] == "FAILED"
    (notice,) = house.core.notices
    assert notice.body["code"] == "no_answer"


async def test_a_deadline_ends_the_tries(house):
    serve(house, "payment", payment=ServicePolicy(deadline=timedelta(seconds=5)))
    house.services["payment"].away["do"] = 99
    await house.request(a_checkout())
    began = house.clock.now()

    await house.rest(within=timedelta(seconds=6))

    assert (await house.task(1)).state is State.SKIPPED
    assert house.clock.now() - began <= timedelta(seconds=6)


async def test_a_service_that_is_not_configured_is_waited_for(house):
    house.services.drop("payment")
    await house.request(a_checkout())
    assert (await house.task(1)).waiting_for is ServiceWait.RETRY
    assert (await house.task(1)).code == "service_not_configured"

    serve(house, "payment")
    await house.rest()

    assert await house.states() == ALL_DONE


# A default.


def with_default(seconds=3):
    default = Default(after=timedelta(seconds=seconds), result={"decision": "allow"})
    return ServicePolicy(default=default)


@pytest.mark.parametrize("fault", ["away", "silent"])
async def test_a_default_holds_for_a_check_that_is_away(house, fault):
    serve(house, "fraud", fraud=with_default())
    fraud = house.services["fraud"]
    for call in ("do", "ask"):
        getattr(fraud, fault)[call] = 99
    await house.request(a_checkout())
    began = house.clock.now()
    await house.rest(within=timedelta(seconds=3.5))

    assert await house.states() == ALL_DONE
    assert house.clock.now() - began < timedelta(seconds=4)
    assert (await triggers(house, 0))[-1] == "service.defaulted"
    assert (await house.task(0)).code == "default"
    assert await wrongs(house) == []


async def test_what_holds_by_default_is_given_to_the_steps_after(house):
    serve(house, "fraud", fraud=with_default())
    house.services["fraud"].away["do"] = 99

    await checked_out(house)

    ((_, call),) = house.services["payment"].calls
    assert call.order["results"] == {"fraud": {"decision": "allow"}}


async def test_a_no_that_comes_before_the_default_stands(house):
    serve(house, "fraud", fraud=with_default(60))
    house.services["fraud"].away["do"] = 1
    house.services["fraud"].refuses = True

    assert (await checked_out(house))[-1] == "FAILED"


async def test_no_default_holds_for_what_can_be_undone(house):
    serve(house, "payment", payment=with_default())
    house.services["payment"].away["do"] = 99

    states = await checked_out(house)

    assert states[1] == "SKIPPED"
    assert "service.defaulted" not in await triggers(house, 1)


# The order turns back while a step is under way.


@pytest.mark.parametrize("lands_after", ["ask", "undo", "nothing"])
async def test_a_step_that_succeeds_late_is_undone_too(house, lands_after):
    payment = house.services["payment"]
    payment.late, payment.lands_after = 1, lands_after
    house.services["delivery"].refuses = True

    states = await checked_out(house)

    assert states == [S, "REVERSED", "SKIPPED", "SKIPPED", "FAILED"]
    payment.lands()
    assert not payment.stands((await house.task(1)).task_id)


async def test_what_is_unknown_is_asked_about_before_it_is_undone(house):
    payment = house.services["payment"]
    payment.silent["do"] = 1
    house.services["delivery"].refuses = True

    await checked_out(house)

    assert [what for what, _ in payment.calls] == ["do", "ask", "undo"]
    assert "order.turned_back" in await triggers(house, 1)


async def test_what_was_refused_is_not_undone(house):
    payment = house.services["payment"]
    payment.silent["do"], payment.refuses = 1, True
    house.services["delivery"].refuses = True

    states = await checked_out(house)

    assert states[1] == "SKIPPED"
    assert [what for what, _ in payment.calls] == ["do", "ask"]


async def test_what_cannot_be_asked_is_undone_unasked(house):
    serve(house, "payment", payment=UNASKABLE)
    payment = house.services["payment"]
    payment.silent["do"] = 1
    house.services["delivery"].refuses = True

    states = await checked_out(house)

    assert states[1] == "REVERSED"
    assert [what for what, _ in payment.calls] == ["do", "undo"]


async def test_what_was_never_sent_stops_as_the_order_turns_back(house):
    house.services["payment"].away["do"] = 99
    house.services["delivery"].away["do"] = 1
    house.services["delivery"].refuses = True
    await house.request(a_checkout())
    assert (await house.task(1)).waiting_for is ServiceWait.RETRY

    await house.rest(within=timedelta(seconds=1))

    assert await house.states() == [S, "SKIPPED", "SKIPPED", "SKIPPED", "FAILED"]
    assert await wrongs(house) == []


# An undo that fails.


@pytest.mark.parametrize("fault", ["silent", "away"])
async def test_an_undo_is_told_again_until_it_is_done(house, fault):
    getattr(house.services["payment"], fault)["undo"] = 3
    house.services["merchant"].refuses = True

    states = await checked_out(house)

    assert states == [S, "REVERSED", "REVERSED", "SKIPPED", "FAILED"]


@pytest.mark.parametrize("how", ["refused", "no answer"])
async def test_an_undo_that_fails_is_for_a_person(house, how):
    payment = house.services["payment"]
    payment.keeps = how == "refused"
    payment.away["undo"] = 0 if payment.keeps else 99
    house.services["merchant"].refuses = True

    assert await checked_out(house) == [
        S,
        "MANUAL_CHECK",
        "REVERSED",
        "SKIPPED",
        "REVERSING",
    ]
    assert "checkout.manual_check" in announced(house)


def announced(world):
    """Return the kinds of events that were published, each once."""
    return {m.subject.removeprefix("order.event.") for m in world.bus.streams.events}


@pytest.mark.parametrize(
    ("ruling", "ends"), [(Ruling.POSITIVE, S), (Ruling.NEGATIVE, "REVERSED")]
)
async def test_a_person_decides_about_an_undo_that_was_refused(house, ruling, ends):
    payment = house.services["payment"]
    payment.keeps = True
    house.services["merchant"].refuses = True
    await checked_out(house)
    if ruling is Ruling.NEGATIVE:
        payment.books.update(dict.fromkeys(payment.books, StepFate.UNDONE))

    await house.decide(ruling)
    await house.rest()

    assert await house.states() == [S, ends, "REVERSED", "SKIPPED", "FAILED"]
    assert await wrongs(house) == []
    (notice,) = house.core.notices
    assert notice.body["code"] == "refused"


async def test_two_persons_decide_where_the_money_asks_for_two(house):
    house.four_eyes = FourEyes(1)
    house.services["payment"].keeps = True
    house.services["merchant"].refuses = True
    await checked_out(house)

    await house.decide(Ruling.POSITIVE, actor="key:anna")
    with pytest.raises(NotNow):
        await house.decide(Ruling.POSITIVE, actor="key:anna")
    assert (await house.task(1)).state is State.MANUAL_CHECK
    await house.decide(Ruling.POSITIVE, actor="key:bert")
    await house.rest()

    assert (await house.states())[1] == S


# The point of no return.


async def unknown_merchant(house):
    serve(house, "merchant", merchant=HASTY)
    merchant = house.services["merchant"]
    merchant.silent["do"] = merchant.silent["ask"] = 99
    states = await checked_out(house)
    assert states == [S, S, S, "MANUAL_CHECK", "ACTIVE"]
    return merchant


async def test_of_the_point_of_no_return_nothing_is_guessed(house):
    await unknown_merchant(house)

    assert (await house.task(3)).waiting_for is EngineWait.DECISION


async def test_a_person_who_knows_that_it_was_done_completes_the_order(house):
    await unknown_merchant(house)

    await house.decide(Ruling.POSITIVE)
    await house.rest()

    assert await house.states() == ALL_DONE
    assert await wrongs(house) == []


async def test_a_person_who_knows_that_it_was_not_done_turns_the_order_back(house):
    merchant = await unknown_merchant(house)
    merchant.books.clear()

    await house.decide(Ruling.NEGATIVE)
    await house.rest()

    assert await house.states() == [S, "REVERSED", "REVERSED", "FAILED", "FAILED"]
    assert await wrongs(house) == []


# Somebody gives the order up.


async def test_what_has_not_begun_is_given_up_at_once(house):
    await house.submit(a_checkout())

    await house.cancel_order()
    await house.rest()

    assert await house.states() == ["CANCELLED"] * 5
    assert did(house) == []
    assert await wrongs(house) == []


@pytest.mark.parametrize("during", ["fraud", "payment", "delivery"])
async def test_before_the_point_of_no_return_all_is_undone(house, during):
    house.effects.meanwhile(f"{during}.do", house.cancel_order)

    states = await checked_out(house)

    assert states[-1] == "CANCELLED"
    assert "do merchant" not in did(house)
    assert sum("undo" in what for what in did(house)) == sum(
        what in {"do payment", "do delivery"} for what in did(house)
    )


async def test_while_nobody_knows_whether_it_is_passed_the_order_waits(house):
    house.effects.meanwhile("merchant.do", house.cancel_order)

    assert await checked_out(house) == ALL_DONE


async def test_what_the_merchant_was_never_sent_is_given_up(house):
    house.services["merchant"].away["do"] = 99
    await house.request(a_checkout())
    assert (await house.task(3)).waiting_for is ServiceWait.RETRY

    await house.cancel_order()
    await house.rest()

    assert await house.states() == [S, "REVERSED", "REVERSED", "SKIPPED", "CANCELLED"]
    assert await wrongs(house) == []


async def test_what_nobody_wants_is_not_told_the_merchant_again(house):
    merchant = house.services["merchant"]
    merchant.late, merchant.lands_after = 1, "nothing"
    await house.request(a_checkout())

    await house.cancel_order()
    await house.rest()

    assert (await house.states())[3] == State.MANUAL_CHECK
    assert all(what == "ask" for what, _ in merchant.calls)


async def test_once_it_is_completed_it_is_refused_with_the_reason(house):
    await checked_out(house)

    with pytest.raises(NotNow, match="no return once 'merchant' is done"):
        await house.cancel_order()


async def test_a_step_given_up_alone_loses_the_order(house):
    payment = house.services["payment"]
    payment.late, payment.lands_after = 1, "nothing"
    await house.request(a_checkout())

    await house.cancel_task(1)
    await house.rest()

    assert await house.states() == [S, "REVERSED", "REVERSED", "SKIPPED", "FAILED"]
    (notice,) = house.core.notices
    assert notice.body["code"] == "cancelled"
    assert await wrongs(house) == []


async def test_a_step_given_up_that_was_done_stays_done(house):
    house.services["payment"].silent["do"] = 1
    await house.request(a_checkout())

    await house.cancel_task(1)
    await house.rest()

    assert await house.states() == ALL_DONE
    assert await wrongs(house) == []


# Another hand has changed the order.


async def test_nothing_is_done_about_what_is_not_as_it_was_requested(house):
    house.services["payment"].away["do"] = 1
    await house.request(a_checkout())
    delivered = len(house.services["delivery"].calls)
    put_back = await change(house, "order", money=Money(1, "EUR"))

    await house.rest(within=timedelta(minutes=1))

    assert (await house.task(1)).waiting_for is ServiceWait.RETRY
    assert house.services["payment"].calls == []
    assert len(house.services["delivery"].calls) == delivered
    assert await house.kinds_of_cases() == ["tampered"]

    await put_back()
    await house.rest()
    assert await house.states() == ALL_DONE


# What contradicts the end opens a case, and changes nothing.


@pytest.mark.parametrize(
    ("position", "trigger", "kind"),
    [
        (1, StepTrigger.DONE, "late_success"),
        (3, StepTrigger.DONE, "late_success"),
        (2, StepTrigger.REFUSED, None),
        (0, StepTrigger.DONE, None),
    ],
)
async def test_what_contradicts_the_end_is_for_a_person(house, position, trigger, kind):
    house.services["payment"].refuses = True
    have_done_both(house)
    await checked_out(house)
    order = await house.order()
    task = order.queue.tasks[position]

    await apply(order, task.task_id, Event(trigger=trigger), ports=house.ports)

    assert await house.kinds_of_cases() == ([] if kind is None else [kind])
    assert (await house.task(position)).state is task.state


async def test_a_no_after_a_yes_is_for_a_person(house):
    await checked_out(house)
    order = await house.order()

    for task in order.queue.tasks:
        no = Event(trigger=StepTrigger.REFUSED, code="too_late")
        await apply(order, task.task_id, no, ports=house.ports)

    assert await house.kinds_of_cases() == ["contradiction"] * 3
    assert await house.states() == ALL_DONE
