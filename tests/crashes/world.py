"""The scenarios' world on PostgreSQL and JetStream, in time that really passes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import orjson

from fsm.decided import decision_offences
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.decided import Decided, Subject
from fsm.domain.errors import Fault
from fsm.domain.messages import WITHDRAWAL_REQUESTED
from fsm.domain.orders import Order, Request
from fsm.engine.backoff import Backoff
from fsm.engine.judged import Offence
from fsm.invariants import order_offences, without_row
from fsm.payout.policy import ProviderPolicy
from fsm.reconciliation import (
    LedgerEntry,
    StatementEntry,
    core_offences,
    provider_offences,
)
from fsm.tampering import tampered
from handlers.commit import Ports
from payment_service.bus import JetStreamApi
from payment_service.bus.protocol import publication
from payment_service.cli.snapshot import Snapshot
from payment_service.playground.memory.bus import MemoryBus
from payment_service.playground.memory.clock import VirtualClock
from payment_service.playground.memory.providers import Conduct, MemoryProvider
from payment_service.playground.memory.world import (
    A_MONTH,
    PATIENCE,
    NeverRests,
    a_request,
)
from payment_service.storage.database import Database
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.reads import PostgresReads
from payment_service.storage.store import PostgresStore
from payment_service.storage.sweeps import PostgresSweeps
from payment_service.wiring.roles import cancel_all
from tests.crashes.door import Door
from tests.crashes.life import Life, Place
from tests.world.judged import World
from tests.world.postgres_rows import PostgresRows

LOOK_SECONDS: Final = 0.02
REST_SECONDS_MAX: Final = 40.0
PROVIDER_TIMEOUT: Final = timedelta(milliseconds=300)
"""As long a create may be under way by a worker that is not heard of."""

A_WHILE_SECONDS: Final = 1.0
"""What is left of a time that a scenario only wants to pass."""

Result = TypeVar("Result")


def quick(plan: ProviderPolicy) -> ProviderPolicy:
    """Return the plan with every wait a thousandth or so of what it is."""
    steps = Backoff(
        first=timedelta(milliseconds=100),
        factor=1.5,
        longest=timedelta(milliseconds=250),
    )
    return replace(
        plan,
        not_found_grace=timedelta(milliseconds=400),
        sla=None if plan.sla is None else timedelta(milliseconds=800),
        poll=steps,
        poll_deadline=timedelta(milliseconds=800),
        recheck=steps,
    )


class WallClock(VirtualClock):
    """The time it is; nobody makes it pass."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        return time.monotonic()

    def advance(self, by: timedelta) -> None:
        raise NotImplementedError("real time passes by itself")


class RealRows(PostgresRows):
    """The rows as one who is no part of the service sees them."""

    def __init__(self, place: Place) -> None:
        self.database = Database(place.database_url, connections_max=2)
        self.reads = PostgresReads(self.database)
        self.reading = self.store = PostgresStore(self.database)
        self.sweeps = PostgresSweeps(self.database)
        self.operator_store = PostgresOperatorStore(self.database, UNKEYED)

    async def tell_time(self) -> None:
        return

    async def orders(self) -> Sequence[Order]:
        rows = await self.database.run(
            "SELECT queue_id::text FROM order_queues ORDER BY created_at, queue_id", {}
        )
        found = [await self.reading.load(row[0]) for row in rows]
        return [order for order in found if order is not None]


class RealBus(MemoryBus):
    """What scenarios do to the bus, done to JetStream."""

    def __init__(self, place: Place, clock: VirtualClock) -> None:
        super().__init__(clock)
        self._place = place
        self.life: Life | None = None
        self.wiped: asyncio.Task[None] | None = None

    def wipe(self) -> None:
        self.wiped = asyncio.create_task(self._wipe())

    async def _wipe(self) -> None:
        assert self.life is not None
        api = JetStreamApi(self.life.wire)
        for stream in self._place.topology.streams:
            await api.find(f"STREAM.DELETE.{stream.name}")


class RealWorld(World):
    """A service that is started again whenever it has died, with its neighbours."""

    def __init__(self, place: Place, door: Door) -> None:
        clock = WallClock()
        self.place = place
        self.door = door
        self.real_rows = RealRows(place)
        self.real_bus = RealBus(place, clock)
        self.living = asyncio.Event()
        super().__init__(
            clock=clock, effects=door, rows=self.real_rows, bus=self.real_bus
        )

    @property
    def ports(self) -> Ports:
        return self.life.ports

    def provider(
        self, name: str, *script: Conduct, plan: ProviderPolicy | None = None
    ) -> MemoryProvider:
        twin = super().provider(name, *script, plan=quick(plan or ProviderPolicy()))
        twin.timeout = PROVIDER_TIMEOUT
        return twin

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["RealWorld"]:
        """Keep the service running until the block is left."""
        await self.real_rows.database.open()
        await self._be_born()
        admission_control = asyncio.create_task(self._keep())
        try:
            yield self
        finally:
            admission_control.cancel()
            await asyncio.gather(admission_control, return_exceptions=True)
            await self.life.end()
            await self.real_rows.close()

    async def insist(self, act: Callable[[], Awaitable[Result]]) -> Result:
        """Repeat a call from outside until it is answered; our process may die."""
        for _ in range(PATIENCE):
            await self.living.wait()
            with suppress(Fault):
                answered, result = await self._unless_it_dies(act)
                if answered:
                    return result
        raise NeverRests("nobody answers")

    async def request(self, request: Request | None = None) -> None:
        """Send a request as a message, again and again until it is stored."""
        wanted = request or a_request()
        subject = self.place.names.subject(WITHDRAWAL_REQUESTED)
        frame = publication(subject, _body_of(wanted))
        until = time.monotonic() + REST_SECONDS_MAX
        while time.monotonic() < until:
            await self.living.wait()
            with suppress(Fault):
                self.life.wire.send(frame)
            await asyncio.sleep(LOOK_SECONDS)
            await self.work_off()
            if await self.rows.orders():
                return
        raise NeverRests("nobody stores the request")

    async def work_off(self) -> None:
        """Wait until nothing moves that needs no time to pass, or a process died."""
        deaths = self.deaths
        quiet = 0
        until = time.monotonic() + REST_SECONDS_MAX
        while quiet < 2 and self.deaths == deaths:
            await asyncio.sleep(LOOK_SECONDS / 2)
            if time.monotonic() > until:
                raise NeverRests("messages without end")
            quiet = quiet + 1 if await self._is_quiet() else 0
        await self.living.wait()

    async def rest(self, *, within: timedelta = A_MONTH) -> None:
        """Wait until nothing is due any more, or for a while."""
        if self.real_bus.wiped is not None:
            await self.real_bus.wiped
            self.real_bus.wiped = None
        if within < A_MONTH:
            await asyncio.sleep(A_WHILE_SECONDS)
            return
        await self.door.outside_done()
        until = time.monotonic() + REST_SECONDS_MAX
        while not await self._is_at_rest():
            if time.monotonic() > until:
                raise NeverRests(f"not at rest after {REST_SECONDS_MAX:g} s")
            await asyncio.sleep(LOOK_SECONDS)

    async def offences(self, *, at_rest: bool = True) -> list[str]:
        """Return what the books, the rows and the audit trail have against it."""
        judged = await asyncio.to_thread(lambda: [*self._against_invariants()])
        found = await super().offences(at_rest=at_rest)
        return [*found, *(f"[{each.invariant}] {each.what}" for each in judged)]

    async def ends(self) -> tuple[str, ...]:
        """Return where everything has come to rest, cases included."""
        return (*await self.states(), *sorted(await self.kinds_of_cases()))

    async def _be_born(self) -> None:
        # First: it may die before all of it is there.
        self.door.died.clear()
        self.life = await Life(
            self.place,
            self.door,
            core=self.core,
            providers=self.providers,
            services=self.services,
            partners=self.partners,
        ).begin()
        self.real_rows.store = self.life.store
        self.real_bus.life = self.life
        self.living.set()

    async def _keep(self) -> None:
        while True:
            await self.door.died.wait()
            self.living.clear()
            self.deaths += 1
            await self.life.end()
            while not self.living.is_set():
                # Whoever starts it again does so until it is there.
                with suppress(Fault):
                    await self._be_born()

    async def _unless_it_dies(
        self, act: Callable[[], Awaitable[Result]]
    ) -> tuple[bool, Result]:
        async def acted() -> Result:
            return await act()

        doing = asyncio.create_task(acted())
        dying = asyncio.create_task(self.door.died.wait())
        try:
            await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return True, doing.result()
            await cancel_all([doing])
            # The death is known to its keeper in the next turn of the loop.
            await asyncio.sleep(0)
            return False, None  # type: ignore[return-value]
        finally:
            dying.cancel()

    async def _is_quiet(self) -> bool:
        if self.door.died.is_set() or not self.life.outbox_publisher._idle.is_set():
            return False
        # What goes on in the middle of an effect cannot wait for its handler.
        if self.life.in_flight > int(self.door.others_at_work):
            return False
        unread, _ = await self._waiting()
        return unread == 0

    async def _is_at_rest(self) -> bool:
        if self.door.died.is_set() or not self.living.is_set():
            return False
        none = timedelta(0)
        if await self.rows.next_at(left=none, grace=none) is not None:
            return False
        return await self._waiting() == (0, 0)

    async def _waiting(self) -> tuple[int, int]:
        """Return how many messages nobody has, and how many somebody has."""
        api, unread, held = JetStreamApi(self.life.wire), 0, 0
        try:
            for durable in self.place.topology.consumers:
                verb = f"CONSUMER.INFO.{durable.stream}.{durable.name}"
                info = await api.call(verb)
                unread += info["num_pending"]
                held += info["num_ack_pending"]
        except Fault:
            return -1, -1
        return unread, held

    def _against_invariants(self) -> Iterator[Offence]:
        honest = [p for p in self.providers.every() if not p.lied]
        with Snapshot(self.place.database_url, UNKEYED) as snapshot:
            as_of, cases = snapshot.facts().taken_at, snapshot.cases()
            told: dict[Subject, Decided] = {}
            for order, tasks, trails in snapshot.wholes():
                yield from order_offences(order, tasks, trails)
                yield from tampered(
                    order, tasks, trails, UNKEYED, as_of=as_of, cases=cases
                )
                for task in tasks:
                    entries = self._ledger_of(task.task_id)
                    yield from core_offences(order, task, entries, as_of=as_of)
                ids = [task.task_id for task in tasks]
                yield from provider_offences(
                    order,
                    tasks,
                    {task_id: _statement(honest, task_id) for task_id in ids},
                    stated={provider.name for provider in honest},
                    cases=cases,
                )
                told |= {s: d for t in trails.values() for s, d in t.decided.items()}
            service = snapshot.service()
            if service is not None:
                told |= service.decided
                yield from service.offences
            yield from decision_offences(snapshot.decided(), told)
            yield from map(without_row, snapshot.unclaimed())

    def _ledger_of(self, task_id: str) -> list[LedgerEntry]:
        return [
            LedgerEntry(e.task_id, e.operation.value, e.amount, e.currency, e.at)
            for e in self.core.book
            if e.task_id == task_id
        ]


def _body_of(request: Request) -> bytes:
    return orjson.dumps(
        {
            "order_id": request.order_id,
            "merchant_id": request.merchant_id,
            "customer_id": request.customer_id,
            "amount": request.money and request.money.amount,
            "currency": request.money and request.money.currency,
            "destination": request.destination,
            "cascade": [{"provider": entry.provider} for entry in request.cascade],
            "metadata": request.metadata,
        }
    )


def _statement(
    providers: Sequence[MemoryProvider], task_id: str
) -> list[StatementEntry]:
    return [
        StatementEntry(
            p.provider, p.reference, "succeeded", p.money.amount, p.money.currency
        )
        for provider in providers
        for p in provider.book
        if p.reference == task_id
    ]
