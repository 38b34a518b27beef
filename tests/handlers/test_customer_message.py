"""What the customer of a checkout is told of its end: kept and sealed with it."""

import asyncio
from datetime import timedelta

import psycopg
import pytest

from fsm.domain.audit_keys import UNKEYED
from fsm.engine.backoff import Backoff
from fsm.engine.customer import CustomerMessage
from fsm.engine.words import OrderState, State
from fsm.service.policy import ServicePolicy
from fsm.service.words import OURS
from fsm.tampering import tampered
from handlers.erase import erase
from handlers.ports.services import ServiceRefused
from handlers.sound import looked_over
from payment_service.cli.snapshot import Snapshot
from tests.world.checkouts import STEPS, a_checkout, serve, wrongs
from tests.world.stores import url_of, world_on

HASTY = ServicePolicy(
    retry=Backoff(first=timedelta(seconds=1), factor=2.0, longest=timedelta(seconds=4)),
    attempts=2,
)
PLEASE = "Please use another card, Ann."


@pytest.fixture(params=["memory", "postgres"])
async def house(request):
    """Give a world with a service for each step of a checkout, and for its items."""
    url = url_of(request)
    async with world_on(url) as world:
        if url is not None:
            world.url = url  # type: ignore[attr-defined]
        serve(world, "items", *STEPS, **dict.fromkeys(("items", *STEPS), HASTY))
        yield world


async def the_order(world):
    (order,) = await world.rows.orders()
    return order


async def told(world):
    """Have a checkout come to its end; return what its customer is told of it."""
    await world.request(a_checkout())
    await world.rest()
    order = await the_order(world)
    assert (await looked_over(order, world.ports)).sound
    return order.customer_message


async def test_of_an_order_that_is_completed_nothing_is_told(house):
    assert await told(house) is None
    assert (await the_order(house)).queue.customer_message is None


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("fraud", "order_not_accepted"),
        ("payment", "payment_declined"),
        ("delivery", "delivery_unavailable"),
        ("merchant", "merchant_declined"),
    ],
)
async def test_a_refused_step_says_why_in_its_services_own_words(house, step, code):
    service = house.services[step]
    service.refuses, service.tells = True, PLEASE
    assert await told(house) == CustomerMessage(code, PLEASE)
    assert (await the_order(house)).queue.state is OrderState.FAILED
    assert await wrongs(house) == []


async def test_without_words_of_its_own_there_is_the_code(house):
    house.services["payment"].refuses = True
    assert await told(house) == CustomerMessage("payment_declined")


async def test_a_service_may_name_a_code_that_says_more(house):
    service = house.services["payment"]
    service.refuses, service.refuses_with = True, "card_expired"
    assert await told(house) == CustomerMessage("card_expired")


@pytest.mark.parametrize("code", sorted(OURS))
async def test_a_services_code_is_no_word_that_our_rules_go_by(house, code):
    service = house.services["payment"]
    service.refuses, service.refuses_with, service.tells = True, code, PLEASE
    assert await told(house) == CustomerMessage("payment_declined", PLEASE)
    (notice,) = house.core.notices
    assert notice.body["code"] == f"their_{code}"
    assert await wrongs(house) == []


async def test_a_loads_code_is_no_word_that_our_rules_go_by(house):
    house.services["items"].found = ServiceRefused(code="not_needed")
    assert await told(house) == CustomerMessage("items_unavailable")
    (notice,) = house.core.notices
    assert notice.body["code"] == "their_not_needed"


@pytest.mark.parametrize("heard", ["away", "silent"])
@pytest.mark.parametrize("step", ["fraud", "payment"])
async def test_of_a_step_that_a_person_has_given_up_nobody_has_said_no(
    house, step, heard
):
    getattr(house.services[step], heard).update(do=2, ask=2)
    await house.request(a_checkout())
    n = STEPS.index(step)
    assert (await house.task(n)).state is State.EXECUTING
    await house.cancel_task(n)
    await house.rest()
    order = await the_order(house)
    assert order.queue.state is OrderState.FAILED
    assert order.customer_message == CustomerMessage("order_failed")
    assert await wrongs(house) == []


async def test_of_two_steps_that_are_refused_the_words_are_those_of_the_code(house):
    for step in ("payment", "delivery"):
        house.services[step].refuses = True
        house.services[step].tells = f"{step} says so"
    assert await told(house) == CustomerMessage("payment_declined", "payment says so")


@pytest.mark.parametrize("step", ["fraud", "payment"])
async def test_of_who_was_away_nobody_is_told(house, step):
    house.services[step].away.update(do=100, ask=100)
    assert await told(house) == CustomerMessage("temporarily_unavailable")


async def test_a_no_to_what_is_loaded_says_why(house):
    house.services["items"].found = ServiceRefused(
        code="gone",
        message="row 17 of items",
        customer_message="It is sold out.",
    )
    assert await told(house) == CustomerMessage("items_unavailable", "It is sold out.")


async def test_what_could_not_be_loaded_is_our_failure(house):
    house.services["items"].away["load"] = 100
    assert await told(house) == CustomerMessage("temporarily_unavailable")


async def test_an_order_that_was_given_up_is_cancelled_whatever_was_said(house):
    house.services["payment"].refuses = True
    house.services["payment"].tells = PLEASE
    house.services["items"].away["load"] = 1
    await house.request(a_checkout())
    await house.cancel_order()
    await house.rest()
    order = await the_order(house)
    assert order.queue.state is OrderState.CANCELLED
    assert order.customer_message == CustomerMessage("order_cancelled")


async def test_an_erasure_leaves_the_code_and_nobodys_words(house):
    house.services["payment"].refuses = True
    house.services["payment"].tells = PLEASE
    await told(house)
    await erase(
        await the_order(house),
        reason="asked",
        actor="key:anna",
        ports=house.ports,
        operator_store=house.rows.operator_store,
    )
    erased = await the_order(house)
    assert erased.customer_message == CustomerMessage("payment_declined")
    assert (await looked_over(erased, house.ports)).sound


async def test_a_withdrawals_customer_is_told_nothing(world):
    await world.submit()
    await world.rest()
    assert (await world.order()).queue.customer_message is None


def offences(url):
    """Return what ``verify`` finds of another hand's."""
    with Snapshot(url, UNKEYED) as snapshot:
        at = snapshot.facts().taken_at
        wholes = [*snapshot.wholes()]
    return [
        offence.what
        for whole in wholes
        for offence in tampered(
            whole.order, whole.tasks, whole.trails, UNKEYED, as_of=at, cases=()
        )
    ]


UNGUARDED = "SET session_replication_role = replica; UPDATE order_queues SET "


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    "forged", ["""'{"code":"payment_declined","text":"call +7"}'""", "NULL"]
)
async def test_another_message_is_found(house, forged):
    house.services["payment"].refuses = True
    await told(house)
    assert await asyncio.to_thread(offences, house.url) == []
    connection = await psycopg.AsyncConnection.connect(house.url, autocommit=True)
    async with connection:
        await connection.execute(f"{UNGUARDED} customer_message = {forged}")

    found = await asyncio.to_thread(offences, house.url)
    assert found == ["its row is not as its last step has left it"]
