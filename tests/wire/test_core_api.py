"""`spec core` says what core is really sent, and what a right one really answers."""

import copy
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

from fsm.domain.errors import CoreUnavailable
from fsm.domain.money import Money
from handlers.ports.core import MembershipVerb, Operation, Refused
from payment_service.bus.consumer import BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN
from payment_service.settings import Settings
from payment_service.wire.core_api import core_api
from payment_service.wire.core_examples import CALL, MEMBER
from providers.core import HttpCore
from providers.core.ledger import CoreLedger
from providers.core.shapes import FINAL_TYPES
from providers.http.outbound import Outbound
from providers.testing.simulator.core import SimulatedCore
from providers.testing.simulator.wire import reply
from tests.simulation.simulation import Simulation

SEED = 3  # Its orders are of every kind, and end in every way.
DOCUMENT = core_api()
POOR = "0195f1de-7c1e-7000-8a56-0f1e2d3c4b01"
NEVER = "0195f1de-7c1e-7000-8a56-0f1e2d3c4b00"
OPERATIONS = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
NO = {"code": "no", "message": "looks like a refusal"}
FORMATS = FormatChecker(["date-time", "uuid"])


def strict(document):
    """Let objects that we send, or must be sent, hold nothing that is not described."""
    document = copy.deepcopy(document)
    for name, schema in document["components"]["schemas"].items():
        if schema["type"] == "object" and name != "DoneAnswer":
            schema["additionalProperties"] = False
    return document


STRICT = strict(DOCUMENT)


def problems(schema, value):
    schema = {**schema, "components": STRICT["components"]}
    validator = Draft202012Validator(schema, format_checker=FORMATS)
    return [error.message for error in validator.iter_errors(value)]


def schema_in(content):
    return content["application/json"]["schema"]


def answer_of(operation, status):
    """Return what is said of an answer with this status."""
    answers = operation["responses"]
    ranged = f"{status // 100}XX"
    found = answers.get(str(status)) or answers.get(ranged) or answers["default"]
    if "$ref" in found:
        name = found["$ref"].rpartition("/")[2]
        return name, DOCUMENT["components"]["responses"][name]
    return "Done", found


class Overheard(SimulatedCore):
    """The simulated core, which keeps what it was sent and what it answered."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = []

    async def _handle(self, request):
        answer = await super()._handle(request)
        self.calls.append((request, await request.read(), answer))
        return answer


@asynccontextmanager
async def overheard():
    core = Overheard(initial=10**6)
    await core.start()
    async with Outbound() as outbound:
        limit = timedelta(seconds=30)
        client = HttpCore(outbound, base_url=core.url, token=None, timeout=limit)
        ledger = CoreLedger(
            lane=outbound.lane(1), base_url=core.url, token=None, timeout=limit
        )
        yield core, client, ledger
    await core.stop()


def test_it_is_an_openapi_document():
    validate(DOCUMENT)


def test_operations_have_names_summaries_and_an_answer_to_everything():
    names = [operation["operationId"] for *_, operation in OPERATIONS]

    assert len({*names}) == len(names) == len(Operation) + 4
    for *_, operation in OPERATIONS:
        assert operation["summary"]
        assert operation["description"]
        assert "default" in operation["responses"]


def contents(node):
    if isinstance(node, dict):
        if "schema" in node and "example" in node:
            yield node
        for each in node.values():
            yield from contents(each)
    elif isinstance(node, list):
        for each in node:
            yield from contents(each)


def test_every_example_is_what_it_is_an_example_of():
    found = [*contents(DOCUMENT)]

    assert len(found) > 20
    for each in found:
        assert problems(each["schema"], each["example"]) == []


def test_the_limits_are_those_of_the_code():
    about = " ".join(DOCUMENT["info"]["description"].split())

    pauses = f"from {BACKOFF_SECONDS_MIN:g} s to {BACKOFF_SECONDS_MAX:g} s"
    assert pauses in about
    limit = Settings(_env_file=None).core_timeout.total_seconds()
    assert f"`PAYMENT_CORE_TIMEOUT` ({limit:g} s)" in about


@pytest.fixture(scope="module")
def days():
    """Play a few days of orders; it makes a loop of its own."""
    played = Simulation(SEED)
    assert played.run().offences == []
    return played


async def sent_by(client, ledger, played):
    """Make every call of a few days of orders, and some that are refused."""
    for (_, operation), call in played.core._calls.items():
        await client.balance(operation, call)
    types = set()
    for notice in played.core.notices:
        await client.notify(notice.body)
        types.add(notice.body["type"])
    poor = replace(CALL, task_id=POOR, money=Money(10**9, "EUR"))
    assert isinstance(await client.balance(Operation.FREEZE, poor), Refused)
    undone = await client.balance(Operation.COMMIT, replace(CALL, task_id=NEVER))
    assert isinstance(undone, Refused)
    for operation in (Operation.FREEZE, Operation.COMMIT, Operation.RETURN):
        await client.balance(operation, CALL)
    final = replace(MEMBER, provisional=False)
    await client.membership(MembershipVerb.GRANT, MEMBER)
    await client.membership(MembershipVerb.CONFIRM, final)
    await client.membership(MembershipVerb.REVOKE, final)
    other = replace(MEMBER, task_id=NEVER)
    await client.membership(MembershipVerb.REVOKE, replace(final, task_id=NEVER))
    assert isinstance(await client.membership(MembershipVerb.GRANT, other), Refused)
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    assert [p async for p in ledger.read(now - hour, now + hour)]
    return types


async def test_what_is_sent_and_answered_is_what_it_says(days):
    async with overheard() as (core, client, ledger):
        types = await sent_by(client, ledger, days)
    told, statuses = set(), set()
    for request, body, answer in core.calls:
        operation = DOCUMENT["paths"][request.path][request.method.lower()]
        told.add(operation["operationId"])
        statuses.add(answer.status)
        if "requestBody" in operation:
            schema = schema_in(operation["requestBody"]["content"])
            sent = orjson.loads(body)
            assert problems(schema, sent) == [], sent
            assert request.headers["Idempotency-Key"]
        else:
            assert {*request.query} == {"from", "to"}
        meaning, said = answer_of(operation, answer.status)
        assert meaning.startswith("Done" if answer.status == 200 else "Refused")
        if "content" in said:
            schema = schema_in(said["content"])
            assert problems(schema, orjson.loads(answer.body)) == []

    assert told == {operation["operationId"] for *_, operation in OPERATIONS}
    assert statuses == {200, 409, 422}
    assert types < {*FINAL_TYPES}
    assert len(types) > 9


@pytest.mark.parametrize("status", [200, 201, 204, 301, 401, 404, 409, 422, 429, 500])
async def test_what_it_calls_done_refused_and_try_again_the_client_takes_for_it(status):
    (operation,) = [o for *_, o in OPERATIONS if o["operationId"] == "freeze_balance"]
    meaning, said = answer_of(operation, status)
    schema_said = said.get("content", {}).get("application/json", {})

    class Saying(SimulatedCore):
        async def _handle(self, request):
            await super()._handle(request)
            return reply(schema_said.get("example", NO), status=status)

    core = await Saying().start()
    async with Outbound() as outbound:
        client = HttpCore(
            outbound, base_url=core.url, token=None, timeout=timedelta(seconds=30)
        )
        call = replace(CALL, money=Money(1, "EUR"))
        try:
            taken = type(await client.balance(Operation.FREEZE, call)).__name__
        except CoreUnavailable:
            taken = "TryAgain"
    await core.stop()

    meant = {"Confirmed": "Done", "Refused": f"Refused{status}"}.get(taken, taken)
    assert meant == meaning
