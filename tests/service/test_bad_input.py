import orjson
import pytest

from payment_service.wire.checkout import EXAMPLE as CHECKOUT
from tests.service.stage import PROVIDERS, a_withdrawal

BIG = 2**53


def without(name):
    body = a_withdrawal()
    del body[name]
    return body


BAD = {
    "not an object": [1, 2],
    "a field is missing": without("amount"),
    "no destination": without("destination"),
    "an amount as a float": a_withdrawal(amount=12.5),
    "an amount as text": a_withdrawal(amount="12550"),
    "an amount of true": a_withdrawal(amount=True),
    "an amount of zero": a_withdrawal(amount=0),
    "a negative amount": a_withdrawal(amount=-1),
    "an amount that is too large": a_withdrawal(amount=BIG),
    "an unknown currency": a_withdrawal(currency="EUX"),
    "an unknown provider": a_withdrawal(cascade=[{"provider": "nobody"}]),
    "an empty cascade": a_withdrawal(cascade=[]),
    "a cascade of 65": a_withdrawal(
        cascade=[{"provider": "acme", "terminal_id": f"t-{n}"} for n in range(65)]
    ),
    "the same provider twice": a_withdrawal(cascade=[{"provider": PROVIDERS[0]}] * 2),
    "a long id": a_withdrawal(customer_id="c" * 200),
    "a control character in an id": a_withdrawal(merchant_id="m\x01"),
    "a card number as token": a_withdrawal(
        destination={"type": "card", "token": "4111111111111111"}
    ),
}


@pytest.mark.attack(
    "requests", "A request that is wrong is refused, and nothing else happens"
)
@pytest.mark.parametrize("name", list(BAD))
async def test_a_bad_request_is_refused_where_it_came_from(stage, name):
    body = BAD[name]

    answer = await stage.ask(body)

    assert answer["status"] == "rejected"
    assert answer["error"]
    letter = await stage.until(lambda: stage.letters)
    assert letter[0].headers["X-Reason"] == "invalid"
    assert letter[0].headers["X-Original-Subject"] == "withdrawal.requested"
    assert letter[0].data == orjson.dumps(body)
    if isinstance(body, dict):
        told = await stage.until(lambda: stage.told("withdrawal.rejected"))
        assert told[0]["order_id"] == "w-1"
        assert "queue_id" not in told[0]
    status, found = await stage.call("GET", "/v1/orders/w-1", role="viewer")
    assert (status, found["status"]) == (404, 404)


async def test_a_checkout_of_steps_that_nobody_does_is_refused_by_their_names(stage):
    delivery = {"name": "Ann Example"}
    body = {**CHECKOUT, "delivery": delivery}

    answer = await stage.ask(body, "checkout.requested")

    assert (answer["status"], answer["order_id"]) == ("rejected", "c-1001")
    assert "fraud: an unknown step service" in answer["error"]
    letter = await stage.until(lambda: stage.letters)
    assert letter[0].headers["X-Original-Subject"] == "checkout.requested"
    assert letter[0].data == orjson.dumps(body)
    told = await stage.until(lambda: stage.told("checkout.rejected"))
    assert told[0]["order_id"] == "c-1001"
    status, problem = await stage.call(
        "POST", "/v1/checkouts", role="upstream", body=body
    )
    assert (status, problem["error"]) == (422, answer["error"])


@pytest.mark.attack(
    "requests", "What two readers could read in two ways is read by none"
)
@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"\xff\xfe",
        b'{"order_id": "w-1", "order_id": "w-2"}',
        b'{"order_id": "w-1", "amount": NaN}',
        b"[" * 100_000,
        b'{"order_id": "\\u0000"}',
        b" " * 300_000,
    ],
    ids=["cut", "not UTF-8", "twice", "NaN", "deep", "NUL", "too long"],
)
async def test_what_is_not_strict_json_becomes_a_dead_letter(stage, data):
    await stage.publish("withdrawal.requested", data)

    letter = (await stage.until(lambda: stage.letters))[0]

    assert letter.headers["X-Reason"] == "invalid"
    assert letter.data == data


async def test_a_bad_request_over_http_is_a_problem_and_nothing_else(stage):
    status, problem = await stage.call(
        "POST", "/v1/withdrawals", role="upstream", body=a_withdrawal(amount=0)
    )

    assert (status, problem["status"], problem["outcome"]) == (422, 422, "rejected")
    assert problem["order_id"] == "w-1"
    assert "amount" in problem["error"]
    assert stage.letters == []


async def test_a_conflict_over_http_is_told_to_the_sender_only(stage):
    await stage.ask(a_withdrawal())

    status, problem = await stage.call(
        "POST", "/v1/withdrawals", role="upstream", body=a_withdrawal(amount=7)
    )

    assert (status, problem["outcome"]) == (409, "conflict")
    assert stage.told("withdrawal.rejected") == []


@pytest.mark.attack("bus", "An unreadable wake-up is buried")
@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"task_id": "x"}', b'{"queue_id": 1, "task_id": 2, "version": 3}'],
)
async def test_an_unreadable_task_message_becomes_a_dead_letter(stage, body):
    await stage.publish("order.task.status.tick", body)

    letter = (await stage.until(lambda: stage.letters))[0]

    assert letter.headers["X-Reason"] == "invalid"


@pytest.mark.attack("bus", "A wake-up for what is not there is buried")
async def test_a_message_about_an_unknown_task_becomes_a_dead_letter(stage):
    body = {
        "task_id": "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a10",
        "queue_id": "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a11",
        "version": 3,
    }

    await stage.publish("order.task.webhook.timeout", body)

    letter = (await stage.until(lambda: stage.letters))[0]
    assert letter.headers["X-Reason"] == "unknown_task"
    assert letter.headers["X-Task-Id"] == body["task_id"]


@pytest.mark.attack("bus", "A wake-up for a version that is over does nothing")
async def test_a_stale_message_is_acknowledged_and_counted(stage):
    await stage.ask(a_withdrawal(script="accept_silence"))
    task = await stage.task_in("w-1", "EXECUTING")
    order = await stage.order("w-1")
    body = {"task_id": task["task_id"], "queue_id": order["queue_id"], "version": 1}

    await stage.publish("order.task.webhook.timeout", body)

    async def counted():
        async with stage.http.get(f"{stage.url}/metrics") as answer:
            return b"timers_stale_total 1.0" in await answer.read()

    await stage.until(counted)
    assert (await stage.task_in("w-1", "EXECUTING"))["version"] == task["version"]
    assert stage.letters == []


@pytest.mark.attack("role", "No view of a dead letter shows a destination's token")
async def test_tokens_are_masked_in_every_view(stage):
    body = a_withdrawal(amount=0, script="succeed")
    token = body["destination"]["token"]
    await stage.ask(body)
    await stage.until(lambda: stage.letters)

    _, letters = await stage.call("GET", "/v1/dead-letters", role="viewer")

    assert len(letters["dead_letters"]) == 1
    assert token not in orjson.dumps(letters).decode()
