"""Who may decide about money on the bus: nobody, unless it is proven who says so."""

import asyncio
import re
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import orjson
import pytest

from payment_service import bus
from payment_service.wiring import trust
from providers.config import ConfigError
from providers.testing.simulator.webhooks import key_of, sign
from tests.bus.servers import account, serving
from tests.service.stage import SECRET as ACME_SECRET
from tests.service.stage import a_withdrawal, forwarder_headers, staged

RECEIVED = "order.task.webhook.received"
QUEUE_CANCEL = "order.queue.cancel.requested"
TASK_CANCEL = "order.task.cancel.requested"
CANCEL = "withdrawal.cancel.requested"
SECRET = "only-the-forwarder-knows-this"
OLD = "what-the-forwarder-knew-before"
STRANGER = "nobody-has-told-me-the-secret"
TABLES = f"""
[forwarders.svc]
providers = ["acme"]
secrets = ["{SECRET}", "{OLD}"]
may = ["webhooks", "cancel"]

[forwarders.mute]
providers = ["zeta"]
secrets = ["another-secret-of-another-one"]
"""

TRUSTED = '[forwarders.svc]\nproviders = ["acme"]\ntrust = "nats"\n'


@pytest.fixture
async def stage(database_url, nats_server, subject_prefix):
    async with staged(
        database_url, nats_server.url, subject_prefix, more=TABLES
    ) as running:
        yield running


@pytest.fixture
async def closed(database_url, nats_server, subject_prefix):
    """Return a service of which the configuration names no forwarder."""
    async with staged(database_url, nats_server.url, subject_prefix) as running:
        yield running


@pytest.fixture
async def trusting(database_url, subject_prefix):
    """Return a service that trusts a NATS which asks who somebody is."""
    with serving(account()) as server:
        async with staged(
            database_url, server.url_of("svc:pw"), subject_prefix, more=TRUSTED
        ) as running:
            yield running


GUEST = (
    account().replace(
        "users: [\n", 'users: [ { user: guest, password: "anybody" }\n', 1
    )
    + "\nno_auth_user: guest"
)


async def distrusted(stage):
    async with stage.http.get(f"{stage.url}/metrics") as answer:
        page = await answer.text()
    return re.findall(r"^forwarders_distrusted (\S+)", page, re.MULTILINE)


@asynccontextmanager
async def a_trusting_one(database_url, prefix):
    with serving(account()) as server:
        async with staged(
            database_url, server.url_of("svc:pw"), prefix, more=TRUSTED
        ) as running:
            yield server, running


@pytest.mark.attack(
    "bus", "What anybody could have published is not believed later either"
)
async def test_what_was_stored_while_anybody_could_is_never_believed(
    database_url, subject_prefix, monkeypatch
):
    monkeypatch.setattr(trust, "CLOCKS_APART", timedelta(0))
    async with a_trusting_one(database_url, subject_prefix) as (server, stage):
        task = await waiting(stage)

        restarted(server, GUEST)
        await until_distrusted(stage, "1.0")
        await stage.publish(RECEIVED, a_webhook(task, "payout.failed"))
        await stage.until(lambda: dead_lettered_for(stage, "without credentials"))

        restarted(server, account())
        await until_distrusted(stage, "0.0")
        await replayed(stage)
        await stage.until(lambda: dead_lettered_for(stage, "vouches for nobody"))

        assert (await stage.order("w-1"))["tasks"][0] == task
        await stage.publish(RECEIVED, a_webhook(task))
        assert (await stage.final("w-1"))["state"] == "COMPLETED"


def restarted(server, configuration):
    """Have the server come back with another configuration, and all that it has."""
    server.stop()
    server._configuration = configuration
    server.start()


@pytest.mark.attack("bus", "Trust that is lost while running is noticed, and ends")
async def test_it_is_asked_again_though_no_connection_was_lost(
    database_url, subject_prefix, monkeypatch
):
    async def takes_anybody(*_):
        return True

    monkeypatch.setattr(trust, "ASKED_EVERY", timedelta(milliseconds=200))
    async with a_trusting_one(database_url, subject_prefix) as (_, stage):
        task = await waiting(stage)
        monkeypatch.setattr(bus, "takes_anybody", takes_anybody)
        await until_distrusted(stage, "1.0")

        await stage.publish(RECEIVED, a_webhook(task))

        assert "without credentials" in await refused(stage)


async def until_distrusted(stage, number):
    async def look():
        return await distrusted(stage) == [number]

    await stage.until(look)


async def dead_lettered_for(stage, why):
    """Return the letters that say why; a client of the test may have been away."""
    _, page = await stage.call("GET", "/v1/dead-letters", role="viewer")
    return [letter for letter in page["dead_letters"] if why in letter["error"]]


async def replayed(stage):
    _, page = await stage.call("GET", "/v1/dead-letters", role="viewer")
    (letter,) = page["dead_letters"]
    path = f"/v1/dead-letters/{letter['id']}/replay"
    status, _ = await stage.call("POST", path, role="support")
    assert status == 200


@pytest.mark.attack("bus", "A new connection is not trusted before it was asked")
async def test_a_new_connection_is_trusted_once_it_was_asked(
    database_url, subject_prefix, monkeypatch
):
    asked = []

    async def takes_anybody(*_):
        asked.append(asyncio.Event())
        await asked[-1].wait()
        return False

    async with a_trusting_one(database_url, subject_prefix) as (server, stage):
        task = await waiting(stage)
        monkeypatch.setattr(bus, "takes_anybody", takes_anybody)
        server.restart()
        await stage.until(lambda: asked)
        await stage.until(lambda: stage.client.is_connected)
        await stage.publish(RECEIVED, a_webhook(task))
        await stage.ask(a_withdrawal("w-2"))
        await stage.final("w-2")
        assert (await stage.order("w-1"))["tasks"][0] == task

        asked[0].set()

        assert (await stage.final("w-1"))["state"] == "COMPLETED"
        assert not stage.letters


@pytest.mark.attack("role", "Replaying a forged webhook vouches for nothing")
async def test_a_replay_of_what_was_forged_is_no_evidence(stage):
    task = await waiting(stage)
    await stage.publish(RECEIVED, a_webhook(task))
    await refused(stage)

    await replayed(stage)

    await stage.until(lambda: len(stage.letters) == 2)
    assert "vouches for nobody" in stage.letters[1].headers["X-Error"]
    assert (await stage.order("w-1"))["tasks"][0] == task


@pytest.mark.attack("bus", "NATS that takes anybody is trusted by nobody")
async def test_no_trust_is_given_to_a_nats_that_takes_anybody(
    database_url, nats_server, subject_prefix
):
    with pytest.raises(ConfigError, match="without credentials"):
        async with staged(database_url, nats_server.url, subject_prefix, more=TRUSTED):
            pass


async def waiting(stage, order_id="w-1"):
    """Return the task of an order whose provider has taken it and says no more."""
    await stage.ask(a_withdrawal(order_id, script="accept_silence"))
    return await stage.task_in(order_id, "EXECUTING")


def a_webhook(task, kind="payout.succeeded", *, event_id="evt-1", **changes):
    body = {
        "id": event_id,
        "type": kind,
        "reference": task["task_id"],
        "amount": 12550,
        "currency": "EUR",
        **changes,
    }
    return orjson.dumps(
        {
            "provider": "acme",
            "event_id": event_id,
            "received_at": "2026-01-31T23:59:59Z",
            "body": {name: value for name, value in body.items() if value is not None},
        }
    )


async def forward(
    stage, body, *secrets, subject=RECEIVED, signed=None, late=0, **claims
):
    """Publish what was signed so many seconds ago, counted from when it is sent."""
    at = time.time() - late
    headers = forwarder_headers(signed or subject, body, *secrets, at=at, **claims)
    await stage.publish(subject, body, **headers)


async def refused(stage):
    """Wait for the dead letter and return what is wrong; nothing else has happened."""
    (letter,) = await stage.until(lambda: stage.letters)
    assert letter.headers["X-Reason"] == "invalid"
    return letter.headers["X-Error"]


async def trail(stage, order_id="w-1"):
    _, answer = await stage.call("GET", f"/v1/orders/{order_id}/events", role="viewer")
    return answer["events"]


async def whole_trail(stage):
    """Wait until core was told the outcome, the last that is written of an order."""

    async def told():
        events = await trail(stage)
        return events if events[-1]["trigger"] == "core.notified" else None

    return await stage.until(told)


@pytest.mark.attack(
    "bus", "A webhook that nobody signed moves no money and proves none"
)
@pytest.mark.parametrize("kind", ["payout.succeeded", "payout.failed"])
async def test_an_unsigned_webhook_on_the_bus_moves_nothing(closed, kind):
    task = await waiting(closed)

    await closed.publish(RECEIVED, a_webhook(task, kind))

    assert "nobody may forward webhooks" in await refused(closed)
    assert (await closed.order("w-1"))["tasks"][0] == task


@pytest.mark.attack("bus", "Nobody forwards unless a table says so")
async def test_forwarding_is_off_unless_it_is_switched_on(closed):
    task = await waiting(closed)

    await forward(closed, a_webhook(task), SECRET)

    assert "names nobody" in await refused(closed)
    assert (await closed.order("w-1"))["tasks"][0] == task


async def test_a_forwarder_speaks_for_a_provider_with_its_name_in_the_trail(stage):
    task = await waiting(stage)

    await forward(stage, a_webhook(task), SECRET)

    assert (await stage.final("w-1"))["state"] == "COMPLETED"
    (line,) = [e for e in await trail(stage) if e["actor"] == "forwarder:svc"]
    assert line["detail"]["forwarded"] is True
    assert line["detail"]["evidence"]["event_id"] == "forwarded:svc:evt-1"


@pytest.mark.parametrize(
    "secrets", [(OLD,), (STRANGER, SECRET)], ids=["the older one", "one of several"]
)
async def test_a_secret_can_be_exchanged_without_a_gap(stage, secrets):
    task = await waiting(stage)

    await forward(stage, a_webhook(task), *secrets)

    assert (await stage.final("w-1"))["state"] == "COMPLETED"


@pytest.mark.attack(
    "bus",
    "A forwarder's signature that is forged, old, or another's is refused",
)
@pytest.mark.parametrize(
    ("secrets", "claims", "because"),
    [
        ((STRANGER,), {}, "does not hold: wrong"),
        ((ACME_SECRET,), {}, "does not hold: wrong"),
        ((), {}, "does not hold: "),
        ((SECRET,), {"name": "mute"}, "does not hold: wrong"),
        ((SECRET,), {"name": "somebody"}, "names nobody"),
        ((SECRET,), {"late": 1000}, "does not hold: too old"),
        ((SECRET,), {"late": -1000}, "does not hold: too new"),
        ((SECRET,), {"signed": QUEUE_CANCEL}, "does not hold: wrong"),
        (("another-secret-of-another-one",), {"name": "mute"}, "may not speak for"),
    ],
)
async def test_a_forged_forwarder_is_refused(stage, secrets, claims, because):
    task = await waiting(stage)

    await forward(stage, a_webhook(task), *secrets, **claims)

    assert because in await refused(stage)
    assert (await stage.order("w-1"))["tasks"][0] == task


@pytest.mark.attack("bus", "A forwarded body that was changed is refused")
async def test_a_body_that_was_changed_is_refused(stage):
    task = await waiting(stage)
    headers = forwarder_headers(RECEIVED, a_webhook(task, "payout.failed"), SECRET)

    await stage.publish(RECEIVED, a_webhook(task), **headers)

    assert "wrong" in await refused(stage)


@pytest.mark.attack("bus", "A forwarded webhook without amount or currency is refused")
@pytest.mark.parametrize("missing", ["amount", "currency"])
async def test_a_forwarder_says_how_much_it_is_about(stage, missing):
    task = await waiting(stage)

    await forward(stage, a_webhook(task, **{missing: None}), SECRET)

    assert f"body.{missing}: is missing" in await refused(stage)


@pytest.mark.attack("bus", "A forwarded webhook about another amount settles nothing")
async def test_another_amount_settles_nothing(stage):
    task = await waiting(stage)

    await forward(stage, a_webhook(task, amount=1), SECRET)

    assert await stage.task_in("w-1", "MANUAL_CHECK")


async def test_the_same_message_again_changes_nothing(stage):
    task = await waiting(stage)
    body = a_webhook(task)
    headers = forwarder_headers(RECEIVED, body, SECRET)
    for _ in range(3):
        await stage.publish(RECEIVED, body, **headers)
    await stage.final("w-1")
    before = await whole_trail(stage)

    await stage.publish(RECEIVED, body, **headers)
    await stage.ask(a_withdrawal("w-2"))
    await stage.final("w-2")

    assert await trail(stage) == before
    assert not stage.letters


@pytest.mark.attack("bus", "An event id taken beforehand makes no real webhook 'seen'")
async def test_an_event_id_taken_on_the_bus_takes_nothing_from_the_webhook(stage):
    """What is said on the bus can never make the provider's own webhook 'seen'."""
    task = await waiting(stage)
    for event_id in ("evt-9", " forwarded:svc:evt-9"):
        body = a_webhook(task, "payout.accepted", event_id=event_id)
        await forward(stage, body, SECRET)
        await stage.publish(RECEIVED, body)
    await stage.until(lambda: len(stage.letters) >= 2)

    body = orjson.dumps(orjson.loads(a_webhook(task, event_id="evt-9"))["body"])
    headers = {
        **sign(
            webhook_id="evt-9",
            timestamp=int(time.time()),
            body=body,
            keys=[key_of(ACME_SECRET)],
        ),
        "Content-Type": "application/json",
    }
    url = f"{stage.url}/webhooks/acme"
    async with stage.http.post(url, data=body, headers=headers) as answer:
        assert answer.status == 202

    assert (await stage.final("w-1"))["state"] == "COMPLETED"


async def test_where_nats_is_trusted_an_account_vouches(trusting):
    task = await waiting(trusting)

    await trusting.publish(RECEIVED, a_webhook(task))

    assert (await trusting.final("w-1"))["state"] == "COMPLETED"
    assert "forwarder:svc" in [e["actor"] for e in await trail(trusting)]


@pytest.mark.attack("bus", "A trusted account speaks for its own providers alone")
async def test_a_trusted_account_speaks_for_its_own_providers_alone(trusting):
    task = await waiting(trusting)
    body = orjson.dumps({**orjson.loads(a_webhook(task)), "provider": "zeta"})

    await trusting.publish(RECEIVED, body)

    assert "may not speak for" in await refused(trusting)


@pytest.mark.attack("bus", "A cancel with every version tried is no wish")
@pytest.mark.parametrize("subject", [QUEUE_CANCEL, TASK_CANCEL])
async def test_an_unsigned_cancel_with_the_right_version_is_no_wish(stage, subject):
    task = await waiting(stage)
    order = await stage.order("w-1")
    for version in range(1, task["version"] + 3):
        body = {"queue_id": order["queue_id"], "version": version, "reason": "mine"}
        if subject == TASK_CANCEL:
            body["task_id"] = task["task_id"]
        await stage.publish(subject, body)
    await forward(stage, a_webhook(task), SECRET)

    assert (await stage.final("w-1"))["state"] == "COMPLETED"
    assert "cancel.requested" not in [e["trigger"] for e in await trail(stage)]


@pytest.mark.attack("bus", "A decision by message decides nothing")
async def test_an_unsigned_decision_is_no_decision(stage):
    await stage.ask(a_withdrawal(script="accept_silence"))
    task = await stage.task_in("w-1", "EXECUTING")
    await forward(stage, a_webhook(task, amount=1), SECRET)
    checked = await stage.task_in("w-1", "MANUAL_CHECK")
    order = await stage.order("w-1")

    ids = {"queue_id": order["queue_id"], "task_id": task["task_id"]}
    wish = {**ids, "version": checked["version"], "decision": "positive"}
    await stage.publish("order.task.manual.resolved", wish)
    await stage.ask(a_withdrawal("w-2"))
    await stage.final("w-2")

    assert (await stage.order("w-1"))["tasks"][0] == checked


@pytest.mark.parametrize("subject", [QUEUE_CANCEL, TASK_CANCEL])
async def test_a_signed_cancel_is_a_wish_whatever_its_version(stage, subject):
    task = await waiting(stage)
    order = await stage.order("w-1")
    body = orjson.dumps(
        {
            "queue_id": order["queue_id"],
            "task_id": task["task_id"],
            "version": 77,
            "reason": "asked by phone",
        }
    )

    await forward(stage, body, SECRET, subject=subject)

    await stage.until(lambda: wished(stage))
    (line, *_) = await wished(stage)
    assert line["actor"] == "forwarder:svc"
    assert line["detail"]["reason"] == "asked by phone"
    assert line["detail"]["forwarded"] is True


@pytest.mark.attack("bus", "A cancel with a forged signature is refused")
@pytest.mark.parametrize("subject", [QUEUE_CANCEL, TASK_CANCEL])
async def test_a_forged_cancel_is_refused(stage, subject):
    task = await waiting(stage)
    order = await stage.order("w-1")
    ids = {"queue_id": order["queue_id"], "task_id": task["task_id"]}

    body = orjson.dumps({**ids, "reason": "mine"})
    await forward(stage, body, STRANGER, subject=subject)

    assert "does not hold" in await refused(stage)
    assert not await wished(stage)


@pytest.mark.attack("bus", "Who may forward may not cancel")
async def test_who_may_forward_may_not_cancel(stage):
    await waiting(stage)
    body = orjson.dumps({"order_id": "w-1", "merchant_id": "m-1", "reason": "x"})

    secret = "another-secret-of-another-one"
    await forward(stage, body, secret, subject=CANCEL, name="mute")

    assert "may not cancel" in await refused(stage)


async def ask_to_cancel(stage, body, *secrets):
    """Ask, and return the answer on ``X-Reply-To``."""
    inbox = stage.client.new_inbox()
    answers = await stage.client.subscribe(inbox)
    data = orjson.dumps(body)
    headers = forwarder_headers(CANCEL, data, *secrets) if secrets else {}
    await stage.publish(CANCEL, data, **headers, **{"X-Reply-To": inbox})
    return orjson.loads((await answers.next_msg(timeout=20)).data)


async def wished(stage):
    return [e for e in await trail(stage) if e["trigger"] == "cancel.requested"]


WISH = {"order_id": "w-1", "merchant_id": "m-1", "reason": "a change of mind"}


async def test_a_request_of_a_later_version_is_told_from_a_broken_one(stage):
    said = {"order_id": "w-1", "merchant_id": "m-1"}
    await stage.publish("shadow.outcome", said)

    assert "not known to this version" in await refused(stage)


async def test_a_withdrawal_is_cancelled_by_its_own_name(stage):
    await waiting(stage)
    order = await stage.order("w-1")

    first = await ask_to_cancel(stage, WISH, SECRET)
    again = await ask_to_cancel(stage, WISH, SECRET)

    ids = {"order_id": "w-1", "queue_id": order["queue_id"]}
    assert first == {**ids, "status": "accepted"}
    assert again["status"] in {"duplicate", "rejected"}
    assert (await wished(stage))[0]["actor"] == "forwarder:svc"
    assert (await stage.final("w-1"))["state"] in {"CANCELLED", "COMPLETED"}


async def test_a_final_withdrawal_is_not_cancelled(stage):
    await stage.ask(a_withdrawal())
    await stage.final("w-1")

    answer = await ask_to_cancel(stage, WISH, SECRET)

    assert (answer["status"], answer["error"]) == ("rejected", "the order is final")
    assert not stage.letters


@pytest.mark.attack("requests", "A cancel that nobody signed is answered rejected")
async def test_a_cancel_of_a_withdrawal_that_nobody_signed_is_refused(stage):
    await waiting(stage)

    answer = await ask_to_cancel(stage, WISH)

    assert answer["status"] == "rejected"
    assert "nobody may cancel" in await refused(stage)
    assert not await wished(stage)


@pytest.mark.attack("requests", "A signed cancel finds no other merchant's order")
async def test_another_merchants_order_is_not_found(stage):
    await waiting(stage)

    answer = await ask_to_cancel(stage, {**WISH, "merchant_id": "m-2"}, SECRET)

    assert answer["status"] == "rejected"
    assert stage.letters[0].headers["X-Reason"] == "unknown_task"
    assert not await wished(stage)


async def test_a_cancel_that_overtakes_its_order_waits_for_it(stage):
    inbox = stage.client.new_inbox()
    answers = await stage.client.subscribe(inbox)
    data = orjson.dumps(WISH)
    headers = forwarder_headers(CANCEL, data, SECRET)
    await stage.publish(CANCEL, data, **headers, **{"X-Reply-To": inbox})
    await waiting(stage)

    answer = orjson.loads((await answers.next_msg(timeout=20)).data)

    assert answer["status"] == "accepted"
