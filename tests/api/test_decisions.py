from dataclasses import replace
from functools import partial
from uuid import UUID

import pytest

from fsm.domain.acts import Act, ServiceTrigger, service_line
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.ids import new_id
from fsm.engine.words import EngineWait, State
from handlers.ports.reads import AuditEntry
from payment_service.api.keyring import Keyring
from tests.api.fakes import (
    AT,
    KEYS,
    WallClock,
    a_case,
    a_letter,
    a_task,
    an_order,
    as_,
    calling,
    deps_of,
    finished,
)


def in_manual_check(world):
    order = an_order()
    task = a_task(
        order.queue_id,
        state=State.MANUAL_CHECK,
        waiting_for=EngineWait.DECISION,
        wake_at=None,
    )
    world.put(order.with_queue(replace(order.queue, tasks=(task,))))
    return task.task_id


async def post(session, path, body=None, role="support", **more):
    async with session.post(path, json=body, headers=as_(role), **more) as response:
        return response.status, await response.json(content_type=None)


async def get(session, path, role="viewer"):
    async with session.get(path, headers=as_(role)) as response:
        return response.status, await response.json(content_type=None)


WISH = {"decision": "positive", "reason": "seen at the bank"}


async def test_a_decision_is_recorded_with_who_made_it(world):
    task_id = in_manual_check(world)
    path = f"/v1/tasks/{task_id}/resolution"
    async with calling(deps_of(world)) as session:
        assert await post(session, path, WISH | {"evidence": {"id": 1}}) == (
            200,
            {"task_id": task_id, "status": "recorded"},
        )
        status, answer = await post(
            session,
            path.upper()
            .replace("/V1/TASKS/", "/v1/tasks/")
            .replace("/RESOLUTION", "/resolution"),
            WISH | {"reason": "big"},
            role="admin",
        )
    assert (status, answer["status"]) == (202, "waits_for_second_person")
    assert world.said[0] == (
        *(task_id, "positive", "seen at the bank", {"id": 1}, "key:support-1"),
    )
    assert world.said[1][-1] == "key:admin-1"


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        [],
        {"decision": "positive"},
        {"decision": "maybe", "reason": "x"},
        {"decision": "positive", "reason": ""},
        {"decision": "positive", "reason": " "},
        {"decision": "positive", "reason": "x" * 2001},
        {"decision": "positive", "reason": "\x1b[2J"},
        {"decision": "positive", "reason": 5},
        {"decision": "positive", "reason": "x", "evidence": 5},
        {"decision": "positive", "reason": "x", "evidence": "x" * 8001},
    ],
)
async def test_a_decision_is_whole_and_has_a_reason(world, body):
    path = f"/v1/tasks/{in_manual_check(world)}/resolution"
    async with calling(deps_of(world)) as session:
        assert (await post(session, path, body))[0] == 422
    assert not world.said


async def test_what_is_not_in_manual_check_cannot_be_decided(world):
    order = world.put(an_order())
    path = f"/v1/tasks/{order.queue.tasks[0].task_id}/resolution"
    async with calling(deps_of(world)) as session:
        status, problem = await post(session, path, WISH)
    assert (status, problem["detail"]) == (409, "the task is not in MANUAL_CHECK")


@pytest.mark.parametrize("task_id", ["1", "%00", "0" * 36, str(UUID(int=7))])
@pytest.mark.parametrize("wish", ["resolution", "cancel"])
async def test_an_unknown_task_is_404(world, task_id, wish):
    async with calling(deps_of(world)) as session:
        assert (await post(session, f"/v1/tasks/{task_id}/{wish}", WISH))[0] == 404


async def test_tasks_and_orders_are_asked_to_stop(world):
    order = world.put(an_order())
    task_id = order.queue.tasks[0].task_id
    reason = {"reason": "customer called"}
    async with calling(deps_of(world)) as session:
        assert (await post(session, f"/v1/tasks/{task_id}/cancel", reason))[0] == 202
        assert await post(session, "/v1/orders/w-1/cancel", reason) == (
            202,
            {
                "order_id": "w-1",
                "queue_id": order.queue_id,
                "status": "cancel_requested",
            },
        )
        assert (await post(session, "/v1/orders/w-1/cancel", {}))[0] == 422
        assert (await post(session, "/v1/orders/none/cancel", reason))[0] == 404
        world.put(an_order(merchant_id="m-2"))
        assert (await post(session, "/v1/orders/w-1/cancel", reason))[0] == 409
    assert world.said == [
        (task_id, "customer called", "key:support-1"),
        (order.queue_id, "customer called", "key:support-1"),
    ]


async def test_what_is_final_cannot_be_stopped(world):
    order = world.put(finished(an_order()))
    task_id = order.queue.tasks[0].task_id
    async with calling(deps_of(world)) as session:
        for path in (f"/v1/tasks/{task_id}/cancel", "/v1/orders/w-1/cancel"):
            assert (await post(session, path, {"reason": "x"}))[0] == 409


async def test_cases_are_listed_by_state_and_closed_once(world):
    world.all_cases = [a_case(), a_case(closed_at=AT, reason="done")]
    opened, closed = (case.id for case in world.all_cases)
    reason = {"reason": "paid back"}
    async with calling(deps_of(world)) as session:
        for state, ids in (("open", [opened]), ("closed", [closed])):
            _, page = await get(session, f"/v1/cases?state={state}")
            assert [case["id"] for case in page["cases"]] == ids
        assert len((await get(session, "/v1/cases"))[1]["cases"]) == 2
        assert (await get(session, "/v1/cases?state=odd"))[0] == 422
        close = f"/v1/cases/{opened}/close"
        assert await post(session, close, reason) == (
            200,
            {"id": opened, "status": "closed"},
        )
        assert (await post(session, close, {}))[0] == 422
        assert (await post(session, f"/v1/cases/{closed}/close", reason))[0] == 409
        assert (await post(session, f"/v1/cases/{new_id(AT)}/close", reason))[0] == 404
        assert (await post(session, "/v1/cases/x/close", reason))[0] == 404


async def test_dead_letters_are_listed_replayed_and_discarded(world):
    world.letters = [a_letter(order_id="w-1"), a_letter()]
    one, two = (f"/v1/dead-letters/{letter.id}" for letter in world.letters)
    async with calling(deps_of(world)) as session:
        _, page = await get(session, "/v1/dead-letters")
        assert [letter.get("order_id") for letter in page["dead_letters"]] == [
            "w-1",
            None,
        ]
        assert "tok_canary" not in str(page)
        assert (await post(session, f"{one}/replay", []))[0] == 422
        assert (await post(session, f"{one}/replay", {}))[0] == 200
        assert (await post(session, f"{one}/replay", {"reason": "again"}))[0] == 409
        assert (await post(session, f"{two}/discard", {}))[0] == 422
        assert (await post(session, f"{two}/discard", {"reason": "old"}))[0] == 200
        missing = f"/v1/dead-letters/{new_id(AT)}"
        assert (await post(session, f"{missing}/replay", {}))[0] == 404
        assert (await post(session, f"{missing}/discard", {"reason": "x"}))[0] == 404


async def test_a_replay_needs_no_body(world):
    world.letters = [a_letter()]
    path = f"/v1/dead-letters/{world.letters[0].id}/replay"
    async with (
        calling(deps_of(world)) as session,
        session.post(path, headers=as_("support")) as response,
    ):
        assert response.status == 200


async def test_providers_are_listed_paused_and_resumed(world):
    reason = {"reason": "maintenance"}
    async with calling(deps_of(world)) as session:
        _, shown = await get(session, "/v1/providers")
        assert shown["providers"][1] == {
            "name": "zeta",
            "adapter": "rest",
            "state": "half_open",
            "in_flight": 3,
            "success_rate": 0.5,
        }
        pause, resume = "/v1/providers/acme/pause", "/v1/providers/acme/resume"
        assert (await post(session, pause, reason, "admin"))[0] == 200
        assert (await post(session, resume, {}, "admin"))[0] == 200
        assert (await post(session, pause, reason))[0] == 403
        assert (await post(session, "/v1/providers/x/pause", reason, "admin"))[0] == 404


async def test_what_was_done_to_the_service_is_listed_masked(world):
    act = Act(
        trigger=ServiceTrigger.PROVIDER_PAUSED,
        actor="key:ops",
        reason="r",
        detail={"provider": "acme", "token": "tok_canary"},
    )
    line = service_line(act, 1, b"before", at=AT, keys=UNKEYED)
    world.service_trail.append(AuditEntry(seq=7, line=line))
    async with calling(deps_of(world)) as session:
        _, first = await get(session, "/v1/service-events")
        cursor = first["next_cursor"]
        status, page = await get(session, f"/v1/service-events?limit=3&cursor={cursor}")
        odd, _ = await get(session, "/v1/service-events?cursor=%00")

    assert (status, odd, page["next_cursor"]) == (200, 422, cursor)
    (event,) = page["events"]
    assert (event["seq"], event["version"], event["actor"]) == (7, 2, "key:ops")
    assert event["detail"]["provider"] == "acme"
    assert "tok_canary" not in str(page)
    assert world.said[-1] == ("service_events", 3, "1")


ROUTES = {
    ("POST", "/v1/withdrawals"): {"upstream"},
    ("POST", "/v1/checkouts"): {"upstream"},
    ("POST", "/v1/partner-links"): {"upstream"},
    ("POST", "/v1/partner-links/{order_id}/unlink"): {"upstream"},
    ("GET", "/v1/orders"): {"viewer", "support", "admin", "upstream"},
    ("GET", "/v1/orders/{order}"): {"viewer", "support", "admin", "upstream"},
    ("GET", "/v1/orders/{order}/events"): {"viewer", "support", "admin", "upstream"},
    ("POST", "/v1/orders/{order}/cancel"): {"support", "admin", "upstream"},
    ("POST", "/v1/orders/{order}/erase"): {"admin"},
    ("POST", "/v1/customers/{customer}/erase"): {"admin"},
    ("POST", "/v1/tasks/{task_id}/resolution"): {"support", "admin"},
    ("DELETE", "/v1/tasks/{task_id}/resolution"): {"support", "admin"},
    ("POST", "/v1/tasks/{task_id}/cancel"): {"support", "admin"},
    ("GET", "/v1/cases"): {"viewer", "support", "admin"},
    ("POST", "/v1/cases/{item_id}/close"): {"support", "admin"},
    ("DELETE", "/v1/cases/{item_id}/close"): {"support", "admin"},
    ("POST", "/v1/cases/{item_id}/assign"): {"support", "admin"},
    ("POST", "/v1/cases/{item_id}/settle"): {"support", "admin"},
    ("DELETE", "/v1/cases/{item_id}/settle"): {"support", "admin"},
    ("GET", "/v1/dead-letters"): {"viewer", "support", "admin"},
    ("POST", "/v1/dead-letters/{item_id}/replay"): {"support", "admin"},
    ("POST", "/v1/dead-letters/{item_id}/discard"): {"support", "admin"},
    ("GET", "/v1/providers"): {"viewer", "support", "admin"},
    ("GET", "/v1/keys"): {"admin"},
    ("POST", "/v1/keys"): {"admin"},
    ("POST", "/v1/keys/{name}/agree"): {"admin"},
    ("POST", "/v1/keys/{name}/revoke"): {"admin"},
    ("GET", "/v1/four-eyes"): {"admin"},
    ("POST", "/v1/four-eyes"): {"admin"},
    ("GET", "/v1/service-events"): {"viewer", "support", "admin"},
    ("POST", "/v1/providers/{name}/pause"): {"admin"},
    ("POST", "/v1/providers/{name}/resume"): {"admin"},
}
OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("POST", "/webhooks/{provider}"),
}


@pytest.mark.attack(
    "role", "Every call lets in the roles that the contract names, and no other"
)
async def test_every_route_lets_in_just_its_roles(world):
    async with calling(deps_of(world)) as session:
        document = await (await session.get("/openapi.json")).json()
        there = {
            (method.upper(), path)
            for path, operations in document["paths"].items()
            for method in operations
        }
        assert there == set(ROUTES) | OPEN
        for (method, path), roles in ROUTES.items():
            for role in KEYS:
                async with session.request(method, path, headers=as_(role)) as answer:
                    assert (answer.status == 403) == (role not in roles), (path, role)
            async with session.request(method, path) as answer:
                assert answer.status == 401


@pytest.mark.attack("port", "A key that is not known is none")
@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer view-0002",
        "Basic view-0001",
        "view-0001",
        "Bearer view-0001 x",
        "Bearer é",
        "Bearer " + "x" * 1000,
    ],
)
async def test_a_wrong_key_is_401(world, header):
    async with calling(deps_of(world)) as session:
        headers = {"Authorization": header}
        async with session.get("/v1/orders", headers=headers) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_two_keys_are_none(world):
    pairs = [("Authorization", "Bearer view-0001")] * 2
    async with (
        calling(deps_of(world)) as session,
        session.get("/v1/orders", headers=pairs) as answer,
    ):
        assert answer.status == 401


@pytest.mark.attack(
    "port", "Without a key nothing answers but probes, metrics and webhooks"
)
async def test_without_any_key_all_is_locked_but_probes_and_webhooks(world):
    async with calling(deps_of(world, keys=Keyring((), WallClock()))) as session:
        for method, path in [*ROUTES, ("GET", "/openapi.json"), ("GET", "/console")]:
            async with session.request(method, path, headers=as_("admin")) as answer:
                assert answer.status == 401
                assert answer.content_type == "application/problem+json"
        for path in ("/healthz", "/readyz", "/metrics"):
            async with session.get(path) as answer:
                assert answer.status == 200
        async with session.post("/webhooks/acme", json={}) as answer:
            assert (await answer.json(content_type=None))["detail"].startswith("The si")


async def test_a_case_is_assigned(world):
    case = a_case()
    world.all_cases.append(case)
    path = f"/v1/cases/{case.id}/assign"
    async with calling(deps_of(world)) as session:
        assert await post(session, path, {"owner": "anna"}) == (
            200,
            {"id": case.id, "status": "assigned"},
        )
        assert (await post(session, path, {"owner": ""}))[0] == 422
        wish = {"owner": "bert", "reason": "she is away"}
        assert (await post(session, path, wish))[0] == 200
    assert world.said == [
        (case.id, "anna", None, "key:support-1"),
        (case.id, "bert", "she is away", "key:support-1"),
    ]


@pytest.mark.parametrize(
    ("reason", "status", "word"),
    [("sent back", 200, "settling"), ("big", 202, "waits_for_second_person")],
)
async def test_a_return_is_settled_by_one_person_or_two(world, reason, status, word):
    case = a_case()
    world.all_cases.append(case)
    wish = {"reason": reason, "evidence": "line 17"}
    async with calling(deps_of(world)) as session:
        answer = await post(session, f"/v1/cases/{case.id}/settle", wish)
    assert answer == (status, {"id": case.id, "status": word})
    assert world.said == [(case.id, reason, "line 17", "key:support-1")]


@pytest.mark.attack("role", "A large case is closed by two, and not by one")
@pytest.mark.parametrize(
    ("reason", "status", "word"),
    [("paid by hand", 200, "closed"), ("big", 202, "waits_for_second_person")],
)
async def test_a_case_is_closed_by_one_person_or_two(world, reason, status, word):
    case = a_case()
    world.all_cases.append(case)
    async with calling(deps_of(world)) as session:
        answer = await post(session, f"/v1/cases/{case.id}/close", {"reason": reason})
    assert answer == (status, {"id": case.id, "status": word})
    assert world.said == [(case.id, reason, "key:support-1")]


@pytest.mark.attack("role", "A vote is withdrawn by who gave it, and by nobody else")
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/tasks/{}/resolution", "task_id"),
        ("/v1/cases/{}/settle", "id"),
        ("/v1/cases/{}/close", "id"),
    ],
)
async def test_a_vote_is_withdrawn_by_who_gave_it_and_with_a_reason(world, path, name):
    item = new_id(AT)
    async with calling(deps_of(world)) as session:
        call = partial(session.delete, path.format(item), headers=as_("support"))
        async with call(json={"reason": "misread"}) as answer:
            assert answer.status == 200
            assert await answer.json() == {name: item, "status": "withdrawn"}
        async with call(json={"reason": "not mine"}) as answer:
            assert answer.status == 409
        async with call(json={"reason": " "}) as answer:
            assert answer.status == 422
    assert world.said[0] == ("withdrawn", item, "misread", "key:support-1")


@pytest.mark.parametrize("what", ["assign", "settle"])
async def test_a_case_that_is_not_is_404(world, what):
    wish = {"owner": "anna", "reason": "x"}
    async with calling(deps_of(world)) as session:
        status, problem = await post(session, f"/v1/cases/{new_id(AT)}/{what}", wish)
    assert (status, problem["detail"]) == (404, "There is no such case.")


async def test_cases_are_sought_by_all_that_tells_them_apart(world):
    queue_id = new_id(AT)
    asked = f"state=settling&kind=contradiction&owner=anna&queue_id={queue_id}"
    async with calling(deps_of(world)) as session:
        assert (await get(session, f"/v1/cases?{asked}"))[0] == 200
        assert (await get(session, "/v1/cases?queue_id=7"))[0] == 422
        assert (await get(session, "/v1/cases?kind=odd"))[0] == 422
    sought = world.sought_cases
    assert (sought.state, sought.kind) == ("settling", "contradiction")
    assert (sought.owner, sought.queue_id) == ("anna", queue_id)


async def test_a_case_tells_its_risk_owner_and_age(world):
    world.all_cases.append(a_case(owner="anna"))
    async with calling(deps_of(world)) as session:
        _, answer = await get(session, "/v1/cases")
    (case,) = answer["cases"]
    assert (case["money_at_risk"], case["currency"]) == (12550, "EUR")
    assert (case["owner"], case["state"]) == ("anna", "open")
    assert case["age_seconds"] >= 0


async def test_a_balance_is_settled_by_hand_with_evidence(world):
    task_id = in_manual_check(world)
    path = f"/v1/tasks/{task_id}/resolution"
    wish = WISH | {"balance": "settled_by_hand"}
    async with calling(deps_of(world)) as session:
        assert (await post(session, path, wish))[0] == 422
        assert (await post(session, path, wish | {"evidence": "ticket 17"}))[0] == 200
        odd = WISH | {"balance": "somehow"}
        assert (await post(session, path, odd))[0] == 422
    assert world.said[0] == "by hand"
