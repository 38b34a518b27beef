"""The simulated services, asked by the real adapter, against their own book."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from handlers.ports.services import (
    Fetched,
    LoadCall,
    ServiceCall,
    ServiceDone,
    ServiceNotKnown,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
    ServiceUndone,
)
from providers.config import parse_config
from providers.http.outbound import Outbound, Response
from providers.services import build_services
from providers.testing.simulator import (
    Faults,
    InjectedFault,
    ServiceBook,
    SimulatedService,
    Simulator,
    StepState,
)
from providers.testing.simulator.config import BadConfigError, simulator_from
from providers.testing.simulator.service_book import ReceivedStep, StepEntryKind

NAMES = ("fraud", "payment", "delivery", "merchant", "items")


class Clock:
    """Time that only the test moves, in seconds."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Playing:
    """A simulator, and the real adapter of each of its services."""

    def __init__(self, simulator, services, outbound, clock):
        self.simulator = simulator
        self.book = simulator.services.book
        self.clock = clock
        self._services = services
        self._lane = outbound.lane(9)

    def call(self, means="tok", task_id="t-1", step="payment", **changes):
        order: dict[str, Any] = {
            "order_id": "c-1",
            "queue_id": "q-1",
            "task_id": task_id,
            "merchant_id": "m-1",
            "amount": 1250,
            "currency": "EUR",
            "payment_method": {"type": "card", "token": means},
        } | changes
        return ServiceCall(step=step, task_id=task_id, order=order)

    async def do(self, *args, **changes):
        call = self.call(*args, **changes)
        return await self._services.get(call.step).do(call)

    async def undo(self, *args, **changes):
        call = self.call(*args, **changes)
        return await self._services.get(call.step).undo(call)

    async def ask(self, *args, **changes):
        call = self.call(*args, **changes)
        return await self._services.get(call.step).ask(call)

    async def load(self, means="tok"):
        call = LoadCall(name="items", queue_id="q-1", order=self.call(means).order)
        return await self._services.get("items").load(call)

    def state(self, task_id="t-1", step="payment"):
        return self.book.steps[step, task_id].state

    async def admin(self, method, path, body=None):
        answer = await self._lane.request(
            method,
            f"{self.simulator.url}/{path}",
            json_body=None if body is None else orjson.dumps(body),
            headers={},
            timeout=5,
        )
        assert isinstance(answer, Response)
        return answer.status, answer.read_object()


@pytest.fixture
async def play():
    started: list[Simulator] = []
    async with Outbound() as outbound:

        async def start(*services, **options):
            clock = Clock()
            told = services or [SimulatedService(name=name) for name in NAMES]
            simulator = Simulator([], services=told, now=clock, **options)
            started.append(await simulator.start())
            text = "".join(
                f'[services.{name}]\nbase_url = "{simulator.base_url(name)}"\n'
                'timeout = "2s"\n'
                for name in NAMES
            )
            limit = timedelta(seconds=30)
            config = parse_config(text, ack_wait=limit, environment={})
            adapters = build_services(config, outbound)
            return Playing(simulator, adapters, outbound, clock)

        yield start
        for simulator in started:
            await simulator.stop()


@pytest.fixture
async def playing(play):
    return await play()


async def test_a_step_is_done_once_whoever_repeats_it(playing):
    first = await playing.do()
    rest = await asyncio.gather(*(playing.do() for _ in range(5)))

    assert first.result["id"].startswith("sim_payment_")
    assert {*map(repr, rest)} == {repr(first)}
    assert rest == [first] * 5
    assert playing.book.steps["payment", "t-1"].times_done == 1
    assert await playing.ask() == first
    assert playing.book.check() == []


async def test_what_was_done_is_undone_and_stays_so(playing):
    await playing.do()

    assert await playing.undo() == ServiceUndone()
    assert await playing.undo() == ServiceUndone()
    refused = await playing.do()
    assert (type(refused), refused.code) == (ServiceRefused, "undone")
    asked = await playing.ask()
    assert (type(asked), asked.code) == (ServiceRefused, "undone")
    assert playing.state() is StepState.UNDONE
    assert playing.book.done() == []


async def test_what_was_never_done_is_undone_before_it_is_done(playing):
    assert await playing.ask() == ServiceNotKnown()
    assert await playing.undo() == ServiceUndone()

    assert isinstance(await playing.do(), ServiceRefused)
    assert playing.book.steps["payment", "t-1"].times_done == 0


async def test_a_refusal_has_a_code_and_words_for_the_customer(playing):
    script = "tok_sim:decline?code=stolen&customer_message=Another card, please."

    refused = await playing.do(script)

    assert refused == ServiceRefused(
        code="stolen",
        message="declined by the provider",
        customer_message="Another card, please.",
    )
    assert await playing.do(script) == refused
    assert await playing.ask() == ServiceRefused(code="stolen")
    assert await playing.undo(script) == ServiceUndone()


async def test_a_token_says_what_each_service_does(playing):
    token = "tok_sim:payment=decline,delivery=commit_reset,*=succeed"

    assert isinstance(await playing.do(token), ServiceRefused)
    assert isinstance(await playing.do(token, step="fraud"), ServiceDone)
    lost = await playing.do(token, step="delivery")
    assert isinstance(lost, ServiceUnclear)
    assert isinstance(await playing.ask(token, step="delivery"), ServiceDone)


async def test_a_late_success_is_pending_and_then_done(playing):
    token = "tok_sim:silence_succeed"  # done after two seconds

    assert isinstance(await playing.do(token), ServiceUnclear)
    assert await playing.ask() == ServicePending()
    playing.clock.now += 2
    assert isinstance(await playing.ask(), ServiceDone)
    assert isinstance(await playing.do(token), ServiceDone)
    assert playing.book.steps["payment", "t-1"].times_done == 1


async def test_what_is_undone_while_it_is_pending_is_never_done(playing):
    await playing.do("tok_sim:silence_succeed")
    assert await playing.undo() == ServiceUndone()
    playing.clock.now += 60

    assert isinstance(await playing.do("tok_sim:silence_succeed"), ServiceRefused)
    assert playing.book.steps["payment", "t-1"].times_done == 0


async def test_a_late_refusal_is_told_when_it_is_asked(playing):
    await playing.do("tok_sim:silence_fail")
    playing.clock.now += 2

    assert await playing.ask() == ServiceRefused(code="account_closed")


@pytest.mark.parametrize(
    ("script", "takes"),
    [
        ("hang_once?answer_after=0", False),
        ("commit_502", True),
        ("error_500_once", False),
        ("commit_reset", True),
        ("garbage", True),
        ("huge", True),
        ("rate_limit", False),
    ],
)
async def test_a_lost_answer_is_unclear_and_the_next_one_is_clear(play, script, takes):
    playing = await play()
    token = f"tok_sim:{script}"

    assert isinstance(await playing.do(token), ServiceUnclear)
    assert (("payment", "t-1") in playing.book.steps) == takes
    assert isinstance(await playing.do(token), ServiceDone)
    assert playing.book.steps["payment", "t-1"].times_done == 1


async def test_an_undo_may_come_too_late(playing):
    await playing.do("tok_sim:cancel_ok?state=succeeded&cancel=too_late")

    refused = await playing.undo()
    assert (type(refused), refused.code) == (ServiceRefused, "too_late")
    assert playing.state() is StepState.DONE


async def test_who_hides_a_step_says_that_it_is_not_known(playing):
    await playing.do("tok_sim:succeed?hidden_asks=1")

    assert await playing.ask() == ServiceNotKnown()
    assert isinstance(await playing.ask(), ServiceDone)


async def test_faults_strike_by_operation_amount_and_token(play):
    playing = await play(
        faults=Faults(
            [
                InjectedFault.parse(
                    {"kind": "refuse", "operation": "payment.do", "code": "limit"}
                    | {"where": {"amount": "1301"}}
                ),
                InjectedFault.parse(
                    {"kind": "applied_drop", "operation": "*.undo", "times": 1}
                ),
                InjectedFault.parse(
                    {"kind": "error", "operation": "items.load", "times": 1}
                ),
            ]
        )
    )

    assert await playing.do(amount=1301) == ServiceRefused(
        code="limit", message="refused by a scripted fault"
    )
    await playing.do(task_id="t-2")
    assert isinstance(await playing.undo(task_id="t-2"), ServiceUnclear)
    assert playing.state("t-2") is StepState.UNDONE
    assert isinstance(await playing.load(), ServiceUnclear)
    assert isinstance(await playing.load(), Fetched)


async def test_a_load_returns_what_is_told_or_refuses(play):
    content = {"in_stock": True}
    playing = await play(SimulatedService(name="items", content=content))

    assert await playing.load() == Fetched(content={"name": "items", **content})
    refused = await playing.load("tok_sim:decline?code=sold_out")
    assert refused.code == "sold_out"


async def test_what_a_step_comes_to_is_told(play):
    result = {"decision": "allow"}
    playing = await play(SimulatedService(name="fraud", result=result))

    done = await playing.do(step="fraud")

    assert done.result["decision"] == "allow"


async def test_a_service_without_the_question_says_nothing(play):
    playing = await play(SimulatedService(name="payment", asks=False))
    await playing.do()

    assert await playing.ask() == ServiceNotKnown()


async def test_other_content_under_the_same_key_is_no_answer(playing):
    await playing.do()

    assert isinstance(await playing.do(amount=1251), ServiceUnclear)


@pytest.mark.parametrize("key", [None, "t-1", "t-1:undo", ":do", "t-2:do"])
async def test_a_call_under_no_key_of_ours_does_nothing(playing, key):
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await playing._lane.request(
        "POST",
        f"{playing.simulator.base_url('payment')}/v1/payment",
        json_body=b'{"task_id": "t-1"}',
        headers=headers,
        timeout=5,
    )

    assert answer.status == 400
    assert playing.book.steps == {}


async def test_the_admin_sees_the_books_and_sets_scripts_and_faults(playing):
    await playing.do()
    await playing.undo()
    script = {"script": "decline", "provider": "fraud"}
    assert await playing.admin("POST", "_script", script) == (200, {"set": True})
    assert isinstance(await playing.do(step="fraud"), ServiceRefused)

    _, standing = await playing.admin("GET", "_services")
    _, book = await playing.admin("GET", "_service_book")
    _, check = await playing.admin("GET", "_check")
    states = {each["step"]: each["state"] for each in standing["steps"]}
    assert states == {"payment": "undone", "fraud": "refused"}
    assert standing["steps"][0]["times_done"] == 1
    kinds = [entry["kind"] for entry in book["entries"]]
    assert kinds.count("request") == 3
    assert check["wrong"] == []


async def test_who_is_not_played_is_not_found(playing):
    status, told = await playing.admin("GET", "nobody/v1/payment/t-1")

    assert (status, told["code"]) == (404, "no_service")


# The book.


async def test_a_book_goes_on_where_a_killed_process_stopped(play, tmp_path):
    path = tmp_path / "book"
    playing = await play(service_book=ServiceBook(path))
    await playing.do("tok_sim:silence_succeed")
    await playing.do(task_id="t-2")
    await playing.undo(task_id="t-2")
    await playing.simulator.stop()

    again = await play(service_book=ServiceBook(path))
    again.clock.now += 2

    assert again.state("t-2") is StepState.UNDONE
    assert isinstance(await again.ask(), ServiceDone)
    assert [s.asked.task_id for s in again.book.done()] == ["t-1"]


async def test_an_order_that_is_charged_twice_is_found(playing):
    await playing.do()
    await playing.do(task_id="t-2")

    assert playing.book.check() == ["order q-1: payment done by 2 tasks"]


async def test_a_task_that_is_done_twice_is_found(playing):
    await playing.do()
    step = playing.book.steps["payment", "t-1"]
    playing.book.move(step, StepState.DONE, at=1001.0)

    assert playing.book.check() == ["task t-1: payment done 2 times"]


async def test_the_orders_are_held_against_the_book(playing):
    for step in ("fraud", "payment", "delivery", "merchant"):
        await playing.do(task_id=f"t-{step}", step=step)
    assert playing.book.against({"q-1": "COMPLETED"}) == []
    assert playing.book.against({"q-1": "FAILED"}) == [
        "q-1: failed, and delivery and merchant and payment stands"
    ]
    assert playing.book.against({"q-1": "ACTIVE", "q-2": "COMPLETED"}) == [
        "q-2: completed without delivery and fraud and merchant and payment"
    ]
    assert playing.book.against({}) == ["q-1: done for no order"]
    assert playing.book.against(
        {"q-1": "COMPLETED", "q-3": "COMPLETED"}, elsewhere=frozenset({"payment"})
    ) == ["q-3: completed without delivery and fraud and merchant"]


def test_every_request_is_in_the_book():
    book = ServiceBook()
    asked = ReceivedStep(service="payment", step="payment", task_id="t-1")

    assert book.calls("do", asked.step, asked.task_id) == 0
    assert {*StepEntryKind} == {"request", "taken", "became"}


# The table.


async def test_services_stand_in_the_table(tmp_path):
    simulator = simulator_from(
        {
            "book": str(tmp_path / "book"),
            "services": {
                "fraud": {"result": {"decision": "allow"}},
                "payment": {"mix": {"succeed": 1, "decline": 0}},
                "items": {"content": {"a": 1}},
                "merchant": {"script": "decline", "asks": False},
            },
        }
    )

    assert all(name in simulator.services for name in ("fraud", "items"))
    assert "zeta" not in simulator.services


def test_an_unknown_key_of_a_service_is_refused():
    with pytest.raises(BadConfigError, match="payment: unknown secrets"):
        simulator_from({"services": {"payment": {"secrets": []}}})


async def test_what_a_task_did_is_known_whichever_step_it_was(playing):
    assert not playing.simulator.services.did("t-1")
    await playing.do()
    assert playing.simulator.services.did("t-1")
    await playing.undo()
    assert not playing.simulator.services.did("t-1")
