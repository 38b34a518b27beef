"""The events of a webhook: several in one request, and those of no use to us."""

import orjson
import pytest

from fsm.domain.webhook_events import WebhookEventType
from providers.config.places import parse_place
from providers.events import EVENTS_MAX, Events
from tests.api.fakes import calling, deps_of
from tests.api.test_webhooks import BODY, JSON, TASK, deliver, signed

SEVERAL = {"acme": Events(at=parse_place("events"))}
OTHER = TASK.replace("1", "2")


def an_event(name, kind="succeeded", reference=TASK, **more):
    told = {"id": name, "type": f"payout.{kind}", "reference": reference}
    return told | more


async def deliver_all(session, *events, **more):
    body = orjson.dumps({"events": list(events), "meta": {"webhook_id": "WB1"}})
    return await deliver(session, body, headers=signed(body) | JSON, **more)


@pytest.fixture
async def session(world):
    async with calling(deps_of(world, webhook_events=SEVERAL)) as made:
        yield made


async def test_each_event_of_a_request_is_stored_under_its_own_id(world, session):
    assert await deliver_all(session, an_event("a"), an_event("b", "failed")) == 202

    assert {event for _, event in world.webhook} == {"a", "b"}
    assert world.counted == {("acme", "stored"): 2}


async def test_a_request_that_was_partly_seen_is_202_and_a_repeated_one_200(
    world, session
):
    first, second = an_event("a"), an_event("b")
    await deliver_all(session, first)

    statuses = [await deliver_all(session, first, second) for _ in range(2)]

    assert statuses == [202, 200]
    assert world.counted == {("acme", "stored"): 2, ("acme", "seen"): 3}


@pytest.mark.parametrize(
    ("odd", "because"),
    [
        (5, "it is no object"),
        (None, "it is no object"),
        ([an_event("c")], "it is no object"),
        ({"id": "c"}, "it has no reference that can be read"),
        (an_event("c", reference=""), "it has no reference that can be read"),
        (an_event("c", reference="r" * 129), "it has no reference that can be read"),
        (an_event("c", reference="inv-7"), "its reference is none of ours"),
    ],
)
async def test_one_odd_event_stops_nothing_and_is_told_by_name(
    world, session, odd, because
):
    assert await deliver_all(session, an_event("a"), odd, an_event("b")) == 202

    assert {("acme", "a"), ("acme", "b")} < set(world.webhook)
    assert len(world.webhook) == 3
    ((event, told),) = world.noted
    assert (event, told["because"]) == ("webhook.ignored", because)
    assert world.counted == {("acme", "stored"): 2, ("acme", "ignored"): 1}


async def test_an_event_that_cannot_be_read_is_kept_by_the_names_in_it(world, session):
    good = orjson.dumps(an_event("a"))
    odd = b'{"id": "b", "amount": 1, "amount": 2, "4111111111111111": 1}'
    body = b'{"events": [' + good + b"," + odd + b"]}"

    assert await deliver(session, body, headers=signed(body) | JSON) == 202

    kept = next(n for n in world.webhook.values() if n.event_id != "a")
    assert kept.detail["because"] == "/amount is there twice"
    assert kept.detail["fields"] == ["***", "amount", "id"]


async def test_what_came_back_is_stored_after_what_was_paid(world, session):
    await deliver_all(session, an_event("b", "returned"), an_event("a"))

    assert [n.type for n in world.webhook.values()] == [
        WebhookEventType.SUCCEEDED,
        WebhookEventType.RETURNED,
    ]


async def test_one_event_twice_in_a_request_is_stored_once(world, session):
    assert await deliver_all(session, an_event("a"), an_event("a")) == 202

    assert world.counted == {("acme", "stored"): 1, ("acme", "seen"): 1}


async def test_one_id_with_two_contents_is_told(world, session):
    assert await deliver_all(session, an_event("a"), an_event("a", "returned")) == 202

    assert world.counted == {("acme", "stored"): 1, ("acme", "differs"): 1}
    ((event, told),) = world.noted
    assert (event, told["event_id"]) == ("webhook.differs", "a")


async def test_too_many_events_are_413_and_none_is_stored(world, session):
    events = [{"id": str(n)} for n in range(EVENTS_MAX + 1)]

    assert await deliver_all(session, *events) == 413
    assert await deliver_all(session, *events[1:]) == 202

    assert len(world.webhook) == EVENTS_MAX


async def test_all_events_are_stored_or_none(world, session):
    world.down = True

    assert await deliver_all(session, an_event("a"), an_event("b")) == 503
    assert not world.webhook


@pytest.mark.parametrize(
    "body", [b"", b" \n", b"null", b"{}", b"[]", b'"ping"', b"5", b'{"events": []}']
)
async def test_a_ping_that_is_signed_is_answered_and_counted(world, session, body):
    assert await deliver(session, body, headers=signed(body) | JSON) == 200

    assert not world.webhook
    assert world.counted == {("acme", "ignored"): 1}


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 200), ("HEAD", 200), ("OPTIONS", 204)]
)
async def test_who_looks_before_sending_is_answered_and_nothing_is_read(
    world, session, method, status
):
    async with session.request(method, "/webhooks/acme?challenge=x") as answer:
        assert (answer.status, answer.headers["Allow"]) == (
            status,
            "GET, HEAD, OPTIONS, POST",
        )
        assert b"x" not in await answer.read()
    async with session.request(method, "/webhooks/nobody") as answer:
        assert answer.status == 404
    assert not world.webhook


@pytest.mark.parametrize("several", [SEVERAL, {}])
async def test_a_list_can_be_nothing_but_events(world, several):
    body = orjson.dumps([an_event("a"), an_event("b")])
    async with calling(deps_of(world, webhook_events=several)) as session:
        assert await deliver(session, body, headers=signed(body, "d-1") | JSON) == 202

    assert {event for _, event in world.webhook} == {"a", "b"}


async def test_without_a_list_at_its_place_the_body_is_one_event(world, session):
    body = orjson.dumps({"event": "endpoint.test", "reference": "none"})

    assert await deliver(session, body, headers=signed(body) | JSON) == 202

    assert world.counted == {("acme", "ignored"): 1}


async def test_an_event_without_an_id_is_known_by_what_it_says(world):
    told = {"reference": TASK, "type": "payout.succeeded"}
    bodies = [
        orjson.dumps(told),
        orjson.dumps(dict(reversed(told.items())), option=orjson.OPT_INDENT_2),
        orjson.dumps(told | {"type": "payout.returned"}),
    ]
    async with calling(deps_of(world)) as session:
        statuses = []
        for body in bodies:
            headers = {"X-Signature": signed(body)["X-Signature"]} | JSON
            statuses.append(await deliver(session, body, headers=headers))

    assert statuses == [202, 200, 202]


async def test_an_id_that_is_too_long_is_kept_as_its_hash(world):
    headers = signed(BODY, "e" * 300) | JSON
    async with calling(deps_of(world)) as session:
        assert [await deliver(session, headers=headers) for _ in range(2)] == [202, 200]

    ((_, event_id),) = world.webhook
    assert event_id.startswith("sha256:")
