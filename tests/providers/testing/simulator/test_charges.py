"""Simulated charges, asked by the real adapter `rest`, against their own book."""

import asyncio
from datetime import timedelta

import pytest

from fsm.domain.money import Money
from handlers.ports.payments import Charge, Charged, Refunded
from handlers.ports.services import (
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
)
from providers.config import CheckoutTable, Config, parse_config
from providers.http.outbound import Outbound
from providers.registry import build_payments
from providers.testing.simulator import (
    ChargeBook,
    InjectedFault,
    SimulatedProvider,
    Simulator,
)

TABLE = """
[providers.acme]
adapter = "simulator"
base_url = "{url}/acme"
timeout = "20s"
idempotent_create = true
charge = {{}}
"""


class Clock:
    """Time that only the test moves, in seconds."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Playing:
    """A simulator, and the real adapter of its one payment provider."""

    def __init__(self, simulator, provider, clock):
        self.simulator = simulator
        self.book = simulator.charges.book
        self.provider = provider
        self.clock = clock

    @staticmethod
    def of(means="tok", reference="t-1", **changes):
        told = {
            "reference": reference,
            "key": reference,
            "money": Money(1250, "EUR"),
            "order_id": "c-1",
            "merchant_id": "m-1",
            "customer_id": "c-9",
            "payment_method": {"type": "card", "token": means},
        }
        return Charge(**told | changes)

    async def charge(self, *args, **changes):
        return await self.provider.charge(self.of(*args, **changes))

    async def ask(self, *args, **changes):
        return await self.provider.charge_status(self.of(*args, **changes))

    async def refund(self, *args, key="t-1:refund", **changes):
        return await self.provider.refund(self.of(*args, key=key, **changes))


@pytest.fixture
async def playing():
    clock = Clock()
    simulator = Simulator([SimulatedProvider(name="acme")], now=clock)
    await simulator.start()
    text = TABLE.format(url=simulator.url)
    read = parse_config(text, ack_wait=timedelta(seconds=30), environment={})
    config = Config(providers=read.providers, checkout=CheckoutTable(payment=("acme",)))
    async with Outbound() as outbound:
        provider = build_payments(config, outbound).get("acme")
        yield Playing(simulator, provider, clock)
    await simulator.stop()


def paid(number=1):
    return Charged(reference=f"ch_acme_{number}", amount=1250, currency="EUR")


async def test_it_collects_once_however_often_it_is_asked(playing):
    assert await playing.charge() == paid()
    assert await playing.charge() == paid()

    assert await playing.ask() == paid()
    assert [each.asked.reference for each in playing.book.standing()] == ["t-1"]
    assert playing.book.check() == []


async def test_the_same_key_with_another_content_is_a_conflict(playing):
    await playing.charge()

    said = await playing.charge(money=Money(1251, "EUR"))

    assert isinstance(said, ServiceUnclear)
    assert len(playing.book.charges) == 1


async def test_a_script_may_decline(playing):
    no = await playing.charge("tok_sim:decline")

    assert no == ServiceRefused(code="do_not_honor", message="declined by the provider")
    assert isinstance(await playing.ask("tok_sim:decline"), ServiceRefused)
    assert playing.book.standing() == []


async def test_it_may_do_it_and_not_say_so(playing):
    token = "tok_sim:commit_reset"

    assert isinstance(await playing.charge(token), ServiceUnclear)
    assert await playing.ask(token) == paid()
    assert await playing.charge(token) == paid()
    assert playing.book.check() == []


async def test_it_may_be_at_work_and_succeed_late(playing):
    token = "tok_sim:silence_succeed"

    assert isinstance(await playing.charge(token), ServiceUnclear)
    assert await playing.ask(token) == ServicePending()
    playing.clock.now += 3
    assert await playing.ask(token) == paid()


async def test_it_may_not_know_yet_what_it_has_taken(playing):
    token = "tok_sim:succeed?hidden_for=2"
    await playing.charge(token)

    assert await playing.ask(token) == ServiceNotKnown()
    playing.clock.now += 2
    assert await playing.ask(token) == paid()


async def test_one_that_forgets_its_keys_charges_twice_and_its_book_says_so(playing):
    token = "tok_sim:keys_expire"
    await playing.charge(token)
    playing.clock.now += 2
    assert await playing.charge(token) == paid(2)

    assert playing.book.check() == [
        "task t-1: charged 2 times",
        "order c-1: charged by 2 tasks",
    ]


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (
            "misreport_amount=-1",
            Charged(reference="ch_acme_1", amount=1249, currency="EUR"),
        ),
        (
            "misreport_currency=USD",
            Charged(reference="ch_acme_1", amount=1250, currency="USD"),
        ),
    ],
)
async def test_it_may_lie_about_its_money(playing, lie, said):
    assert await playing.charge(f"tok_sim:succeed?{lie}") == said


async def test_a_refund_gives_it_back_once(playing):
    await playing.charge()

    assert await playing.refund() == Refunded(reference="re_ch_acme_1")
    assert await playing.refund() == Refunded(reference="re_ch_acme_1")

    assert playing.book.standing() == []
    assert playing.book.check() == []
    made = [each for each in playing.book.entries if each.kind == "refunded"]
    assert len(made) == 1
    (shown,) = playing.simulator.charges.standing()
    assert (shown["state"], shown["stands"]) == ("refunded", False)


async def test_a_refund_may_be_refused(playing):
    token = "tok_sim:succeed?cancel=too_late"
    await playing.charge(token)

    assert isinstance(await playing.refund(token), ServiceRefused)
    assert len(playing.book.standing()) == 1


async def test_a_refund_may_be_made_and_not_said(playing):
    token = "tok_sim:succeed?cancel=hang"
    await playing.charge(token)

    silent = asyncio.create_task(playing.refund(token))
    while playing.book.standing():  # noqa: ASYNC110 - the book tells nobody
        await asyncio.sleep(0.01)

    assert not silent.done()
    silent.cancel()
    assert isinstance(await playing.refund(token), Refunded)


async def test_nothing_is_given_back_of_what_was_not_collected(playing):
    assert isinstance(await playing.refund(), ServiceUnclear)
    await playing.charge("tok_sim:decline")
    assert isinstance(await playing.refund("tok_sim:decline"), ServiceRefused)


async def test_part_of_a_charge_is_not_given_back(playing):
    await playing.charge()

    said = await playing.refund(money=Money(1249, "EUR"))

    assert isinstance(said, ServiceRefused)
    assert len(playing.book.standing()) == 1


@pytest.mark.parametrize(
    ("kind", "stands"), [("down", False), ("error", False), ("applied_drop", True)]
)
async def test_faults_strike_charges_by_their_operation(playing, kind, stands):
    fault = InjectedFault.parse({"kind": kind, "operation": "acme.charge"})
    playing.simulator.faults.set(fault)

    said = await playing.charge()

    assert isinstance(said, ServiceUnclear | ServiceNotSent)
    assert bool(playing.book.standing()) is stands
    assert playing.simulator.faults.happened == {f"acme.charge.{kind}": 1}


async def test_its_book_is_whole_again_after_a_kill(playing, tmp_path):
    path = tmp_path / "charges.jsonl"
    book = ChargeBook(path)
    simulator = Simulator([SimulatedProvider(name="acme")], charge_book=book)
    await simulator.start()
    playing.provider._client._place = f"{simulator.url}/acme/charges"
    await playing.charge()
    await playing.refund()
    await playing.charge(reference="t-2")
    await simulator.stop()

    again = ChargeBook(path)

    assert again.charges == book.charges
    assert [each.asked.reference for each in again.standing()] == ["t-2"]


def kept(*states):
    return {f"c-{n}": state for n, state in enumerate(states, 1)}


@pytest.mark.parametrize(
    ("states", "wrong"),
    [
        (kept("COMPLETED"), []),
        (kept("ACTIVE"), []),
        (kept("FAILED"), ["c-1: failed, and its charge is kept"]),
        (kept("CANCELLED"), ["c-1: cancelled, and its charge is kept"]),
        ({}, ["c-1: charged for no order"]),
    ],
)
async def test_its_book_is_held_against_the_orders(playing, states, wrong):
    await playing.charge()

    assert playing.book.against(states) == wrong
