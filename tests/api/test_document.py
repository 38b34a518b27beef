import json
import re
from contextlib import asynccontextmanager

import pytest
from openapi_spec_validator import validate

from payment_service.wire.checkout import EXAMPLE as CHECKOUT
from payment_service.wire.withdrawal import EXAMPLE
from tests.api.fakes import (
    a_case,
    a_letter,
    a_line,
    an_order,
    as_,
    calling,
    deps_of,
    finished,
)
from tests.api.promised import PAGE, document, promises
from tests.wire.schemas import fitting, strict

A_KEY = {"name": "ann", "role": "support"}
DOCUMENT = document()


STRICT = strict(DOCUMENT)


def test_the_document_is_valid_openapi():
    validate(DOCUMENT)


def test_every_schema_that_is_named_is_there():
    named = {*re.findall(r"#/components/schemas/(\w+)", json.dumps(DOCUMENT))}

    assert named - DOCUMENT["components"]["schemas"].keys() == set()


def test_every_guarded_operation_names_its_key_and_its_refusals():
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            guarded = path.startswith("/v1/")
            assert ("security" in operation) == guarded
            assert ({"401", "403"} <= set(operation["responses"])) == guarded


def test_every_problem_is_a_problem_document():
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "4":
                    assert list(response["content"]) == ["application/problem+json"]


@asynccontextmanager
async def answered(session, method, path, template, **more):
    """Make a call whose answer must be one that the document knows."""
    operation = STRICT["paths"][template][method.lower()]
    async with session.request(method, path, **more) as answer:
        documented = operation["responses"][str(answer.status)]
        schema = documented["content"][answer.content_type]["schema"]
        body = await answer.json(content_type=None)
        fitting(schema, STRICT).validate(body)
        yield answer


@pytest.mark.parametrize(
    ("method", "path", "template", "role", "body", "status"),
    [
        ("GET", "/v1/orders/w-1", "/v1/orders/{order}", "viewer", None, 200),
        ("GET", "/v1/orders/w-2", "/v1/orders/{order}", "viewer", None, 200),
        ("GET", "/v1/orders/none", "/v1/orders/{order}", "viewer", None, 404),
        ("GET", "/v1/orders/twice", "/v1/orders/{order}", "viewer", None, 409),
        ("GET", "/v1/orders/w-1?wait=x", "/v1/orders/{order}", "viewer", None, 422),
        ("GET", "/v1/orders", "/v1/orders", "upstream", None, 200),
        ("GET", "/v1/orders?limit=x", "/v1/orders", "upstream", None, 422),
        ("GET", "/v1/orders", "/v1/orders", "nobody", None, 401),
        ("GET", "/v1/cases", "/v1/cases", "upstream", None, 403),
        ("GET", "/v1/cases", "/v1/cases", "viewer", None, 200),
        ("GET", "/v1/dead-letters", "/v1/dead-letters", "viewer", None, 200),
        ("GET", "/v1/service-events", "/v1/service-events", "viewer", None, 200),
        ("GET", "/v1/providers", "/v1/providers", "viewer", None, 200),
        (
            *("GET", "/v1/orders/w-1/events", "/v1/orders/{order}/events"),
            *("viewer", None, 200),
        ),
        ("POST", "/v1/withdrawals", "/v1/withdrawals", "upstream", EXAMPLE, 202),
        ("POST", "/v1/withdrawals", "/v1/withdrawals", "upstream", {}, 422),
        ("POST", "/v1/checkouts", "/v1/checkouts", "upstream", CHECKOUT, 202),
        ("POST", "/v1/checkouts", "/v1/checkouts", "upstream", {}, 422),
        (
            *("POST", "/v1/orders/w-1/cancel", "/v1/orders/{order}/cancel"),
            *("support", {"reason": "x"}, 202),
        ),
        (
            *("POST", "/v1/orders/w-2/cancel", "/v1/orders/{order}/cancel"),
            *("support", {"reason": "x"}, 409),
        ),
        (
            *("POST", "/v1/orders/w-2/erase", "/v1/orders/{order}/erase"),
            *("admin", {"reason": "x"}, 200),
        ),
        (
            *("POST", "/v1/customers/c-1/erase", "/v1/customers/{customer}/erase"),
            *("admin", {"reason": "x"}, 200),
        ),
        (
            *("POST", "/v1/providers/acme/pause", "/v1/providers/{name}/pause"),
            *("admin", {"reason": "x"}, 200),
        ),
        ("GET", "/v1/keys", "/v1/keys", "admin", None, 200),
        ("POST", "/v1/keys", "/v1/keys", "admin", A_KEY, 200),
        ("POST", "/v1/keys", "/v1/keys", "admin", A_KEY | {"reason": "big"}, 202),
        ("POST", "/v1/keys", "/v1/keys", "admin", {"name": "änna"}, 422),
        (
            *("POST", "/v1/keys/ann/agree", "/v1/keys/{name}/agree"),
            *("admin", None, 200),
        ),
        (
            *("POST", "/v1/keys/ann/revoke", "/v1/keys/{name}/revoke"),
            *("admin", {"reason": "x"}, 200),
        ),
        (
            *("POST", "/v1/keys/gone/revoke", "/v1/keys/{name}/revoke"),
            *("admin", {"reason": "x"}, 404),
        ),
        ("GET", "/v1/four-eyes", "/v1/four-eyes", "admin", None, 200),
        (
            *("POST", "/v1/four-eyes", "/v1/four-eyes"),
            *("admin", {"from": 200, "reason": "x"}, 200),
        ),
        (
            *("POST", "/v1/four-eyes", "/v1/four-eyes"),
            *("admin", {"currency": "EUR", "from": None, "reason": "big"}, 202),
        ),
        ("POST", "/v1/four-eyes", "/v1/four-eyes", "admin", {"reason": "x"}, 422),
        ("POST", "/webhooks/acme", "/webhooks/{provider}", "nobody", {}, 401),
        ("POST", "/webhooks/none", "/webhooks/{provider}", "nobody", {}, 404),
        ("GET", "/healthz", "/healthz", "nobody", None, 200),
        ("GET", "/readyz", "/readyz", "nobody", None, 200),
    ],
)
async def test_each_route_answers_what_it_documents(
    world, method, path, template, role, body, status
):
    order = world.put(an_order())
    world.put(finished(an_order("w-2")))
    world.put(an_order("twice"))
    world.put(an_order("twice", "m-2"))
    world.trails[order.queue_id].append(a_line(order))
    world.all_cases = [a_case()]
    world.letters = [a_letter(order_id="w-1", task_id=order.queue.tasks[0].task_id)]
    headers = {} if role == "nobody" else as_(role)
    async with (
        calling(deps_of(world)) as session,
        answered(session, method, path, template, json=body, headers=headers) as answer,
    ):
        assert answer.status == status


async def test_failures_of_ours_are_documented_too(world):
    async with calling(deps_of(world)) as session:
        headers = as_("viewer")
        for broken, status in ((ZeroDivisionError(), 500), (None, 503)):
            world.broken, world.down = broken, broken is None
            path = "/v1/orders"
            async with answered(session, "GET", path, path, headers=headers) as answer:
                assert answer.status == status
        world.unready = ["database"]
        async with answered(session, "GET", "/readyz", "/readyz") as answer:
            assert answer.status == 503


def test_nothing_that_was_promised_is_dropped_or_changed():
    """What is new is written down by `python -m tests.api.promised`."""
    made = {*promises(DOCUMENT)}

    assert [line for line in PAGE.read_text().splitlines() if line not in made] == []


def test_what_is_documented_is_written_down():
    assert {*promises(DOCUMENT)} - {*PAGE.read_text().splitlines()} == set()
