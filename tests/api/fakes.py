"""Ports in memory, and the API on a real socket."""

import asyncio
import hashlib
import hmac
import socket
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic

import aiohttp
import uvicorn

from fsm.domain.audit import GENESIS, AuditLine
from fsm.domain.dead_letters import DeadLetter, Reason
from fsm.domain.errors import (
    AmbiguousOrder,
    InvalidRequest,
    NotNow,
    StoreUnavailable,
    UnknownOrder,
)
from fsm.domain.four_eyes import FourEyes
from fsm.domain.ids import new_id
from fsm.domain.keys import ApiKey, KeyRole, parse_api_keys
from fsm.domain.money import Money
from fsm.domain.orders import Order, Submission
from fsm.domain.rates import Rate
from fsm.domain.roster import KeyRecord, Threshold, ThresholdProposal
from fsm.domain.votes import Vote
from fsm.domain.webhook_events import (
    Arrival,
    WebhookEvent,
    WebhookEventType,
    differing_facts,
)
from fsm.engine.rows import Queue, Task
from fsm.engine.words import CaseKind, OrderState, State
from fsm.payout.policy import ProviderPolicy
from fsm.payout.words import Waiting
from handlers.ports.provider import Rejected, Verified
from handlers.ports.reads import (
    AuditEntry,
    CaseRecord,
    Page,
    ProviderState,
    ProviderStatus,
)
from payment_service.api.app import create_app
from payment_service.api.deps import ApiDeps
from payment_service.api.keyring import Keyring
from payment_service.wire.checkout import STEPS
from payment_service.wire.people_views import environment_key_view, key_view
from providers.config.places import Place, require_clear

SECRET = b"sixteen bytes or more"
KEYS = {
    "viewer": "view-0001",
    "support": "supp-0002",
    "admin": "admi-0003",
    "upstream": "upst-0004",
}
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
ERASED = "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a01"
KEPT = "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a02"


def api_keys():
    return parse_api_keys(
        ",".join(
            f"{role}-1:{role}:{hashlib.sha256(key.encode()).hexdigest()}"
            for role, key in KEYS.items()
        )
    )


def as_(role):
    return {"Authorization": f"Bearer {KEYS[role]}"}


def a_task(queue_id, position=0, **changes):
    task = Task(
        task_id=new_id(AT),
        queue_id=queue_id,
        position=position,
        provider="acme",
        waiting_for=Waiting.FREEZE,
        wake_at=AT,
        created_at=AT,
        updated_at=AT,
    )
    return replace(task, **changes)


def an_order(order_id="w-1", merchant_id="m-1", **changes):
    queue_id = new_id(AT)
    order = Order(
        queue=Queue(queue_id=queue_id, tasks=(a_task(queue_id),)),
        order_id=order_id,
        merchant_id=merchant_id,
        customer_id="c-9",
        money=Money(12550, "EUR"),
        destination={"type": "card", "token": "tok_canary"},
        created_at=AT,
    )
    return replace(order, **changes)


def finished(order):
    tasks = tuple(
        replace(task, state=State.SUCCEEDED, waiting_for=None, wake_at=None)
        for task in order.queue.tasks
    )
    queue = replace(order.queue, state=OrderState.COMPLETED, tasks=tasks)
    return replace(order, queue=queue, finished_at=AT)


def a_case(**changes):
    case = CaseRecord(
        money_at_risk=12550,
        currency="EUR",
        id=new_id(AT),
        kind=CaseKind.LATE_SUCCESS,
        order_id="w-1",
        queue_id=new_id(AT),
        task_id=new_id(AT),
        opened_at=AT,
        detail={"token": "tok_canary", "code": "x"},
    )
    return replace(case, **changes)


def a_letter(**changes):
    letter = DeadLetter(
        id=new_id(AT),
        subject="withdrawal.requested",
        reason=Reason.INVALID,
        error="amount: must be an integer",
        deliveries=1,
        body=b'{"destination": {"token": "tok_canary"}}',
        headers={},
        at=AT,
    )
    return replace(letter, **changes)


class WallClock:
    def now(self):
        return datetime.now(UTC)

    def elapsed(self):
        return monotonic()


class Signed:
    """A provider whose webhooks are signed with HMAC-SHA256."""

    policy = ProviderPolicy()
    timeout = timedelta(seconds=5)

    def __init__(self, name, *, takes_webhooks=True):
        self.name = name
        self.takes_webhooks = takes_webhooks

    def verify(self, headers, body, now):
        del now
        if len(headers.get("x-signature", [])) != 1:
            return Rejected("missing")
        wanted = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(headers["x-signature"][0].encode(), wanted.encode()):
            return Rejected("wrong")
        return Verified(headers.get("x-event-id", [None])[0])

    def read_webhook(self, event_id, body, now):
        event_id = event_id or body.get("id")
        reference = body.get("reference")
        require_clear([Place(("amount",))], body)
        if not isinstance(reference, str) or event_id is None:
            return None
        return WebhookEvent(
            provider=self.name,
            event_id=event_id,
            type=WebhookEventType(body.get("type", WebhookEventType.UNKNOWN)),
            reference=reference,
            received_at=now,
        )


class FakeServices:
    def get(self, name):
        del name

    def names(self):
        return sorted(STEPS)


class FakePartners:
    def get(self, name):
        del name

    def names(self):
        return ["northbank"]


class FakeProviders:
    def __init__(self):
        self._all = {
            "acme": Signed("acme"),
            "zeta": Signed("zeta"),
            "mute": Signed("mute", takes_webhooks=False),
        }

    def get(self, name):
        return self._all.get(name)

    def names(self):
        return sorted(self._all)


class World:
    """What the API sees of the rest; a store that is ``down`` answers nothing."""

    def __init__(self):
        self.orders = {}
        self.contents = {}
        self.webhook = {}
        self.trails = defaultdict(list)
        self.all_cases = []
        self.letters = []
        self.service_trail = []
        self.said = []
        self.persons = []
        self.searches = []
        self.left_out = 0
        self.looked = 0
        self.down = False
        self.broken = None
        self.unready = []
        self.counted: Counter[tuple[str, str]] = Counter()
        self.reports = []
        self.noted = []
        self.events_of_waiters = {}
        self.redrives = True
        self.before_expecting = None

    def put(self, order):
        self.orders[order.queue_id] = order
        return order

    def finish(self, order):
        self.put(finished(order))
        if order.queue_id in self.events_of_waiters and self.redrives:
            self.events_of_waiters[order.queue_id].set()

    def _check(self):
        if self.down:
            raise StoreUnavailable
        if self.broken is not None:
            raise self.broken

    async def submit(self, request, *, actor, trace_parent):
        self._check()
        key = (request.merchant_id, request.kind, request.order_id)
        if key in self.contents:
            content, queue_id = self.contents[key]
            same = content == request.content
            return Submission(
                status="duplicate" if same else "conflict",
                order_id=request.order_id,
                queue_id=queue_id if same else None,
            )
        order = self.put(an_order(request.order_id, request.merchant_id))
        self.contents[key] = (request.content, order.queue_id)
        self.said.append((request, actor, trace_parent))
        return Submission(
            status="accepted", order_id=request.order_id, queue_id=order.queue_id
        )

    async def unlink(self, link, *, order_id, reason, actor, trace_parent):
        self._check()
        if not link.queue.final:
            raise NotNow(f"order {link.order_id} is still under way")
        self.said.append((link.queue_id, order_id, reason, actor, trace_parent))
        order = self.put(an_order(order_id or f"unlink-{link.queue_id}"))
        return Submission(
            status="accepted", order_id=order.order_id, queue_id=order.queue_id
        )

    async def find(self, asked, *, merchants=None):
        self._check()
        self.looked += 1
        found = [
            o
            for o in self.orders.values()
            if asked in {o.order_id, o.queue_id}
            and (merchants is None or o.merchant_id in merchants)
        ]
        if not found:
            raise UnknownOrder(asked)
        if len(found) > 1:
            raise AmbiguousOrder(
                asked,
                [
                    {
                        "queue_id": o.queue_id,
                        "order_id": o.order_id,
                        "merchant_id": o.merchant_id,
                        "kind": o.queue.kind.value,
                    }
                    for o in found
                ],
            )
        return found[0]

    async def search(self, search):
        self._check()
        if search.cursor not in {None, "next"}:
            raise InvalidRequest("cursor: take it from next_cursor of the page before")
        self.searches.append(search)
        found = [
            o
            for o in self.orders.values()
            if search.merchants is None or o.merchant_id in search.merchants
        ]
        return Page(items=tuple(found), next_cursor="next", left_out=self.left_out)

    async def events(self, queue_id):
        self._check()
        return self.trails[queue_id]

    async def histories(self, queue_ids):
        self._check()
        return {queue_id: self.trails[queue_id] for queue_id in queue_ids}

    async def cases(self, sought):
        self._check()
        self.sought_cases = sought
        state = sought.state
        return Page(
            items=[
                case
                for case in self.all_cases
                if state is None or (case.closed_at is None) == (state == "open")
            ]
        )

    async def service_events(self, *, limit, cursor):
        self._check()
        self.said.append(("service_events", limit, cursor))
        return Page(items=self.service_trail, next_cursor="1")

    async def dead_letters(self, *, limit, cursor):
        self._check()
        del limit, cursor
        return Page(items=self.letters)

    async def store_webhooks(self, events, *, trace_parent):
        self._check()
        del trace_parent
        return [self._arrived(webhook) for webhook in events]

    def _arrived(self, webhook):
        first = self.webhook.setdefault((webhook.provider, webhook.event_id), webhook)
        if first is webhook:
            return Arrival.STORED
        return Arrival.DIFFERS if differing_facts(first, webhook) else Arrival.SEEN

    @asynccontextmanager
    async def expect(self, queue_id):
        if self.before_expecting is not None:
            self.before_expecting()
        woken = self.events_of_waiters.setdefault(queue_id, asyncio.Event())
        try:
            yield woken
        finally:
            del self.events_of_waiters[queue_id]

    def _task(self, task_id):
        for order in self.orders.values():
            for task in order.queue.tasks:
                if task.task_id == task_id:
                    return task
        raise UnknownOrder(task_id)

    async def resolve(
        self, task_id, *, decision, reason, evidence, actor, person, by_hand
    ):
        self._check()
        if by_hand and not evidence:
            raise InvalidRequest("evidence: is needed")
        if by_hand:
            self.said.append("by hand")
        if self._task(task_id).state is not State.MANUAL_CHECK:
            raise NotNow("the task is not in MANUAL_CHECK")
        self.said.append((task_id, decision, reason, evidence, actor))
        self.persons.append(person)
        return Vote.WAITS if reason == "big" else Vote.DECIDES

    async def withdraw_resolution(self, item_id, *, reason, actor, person):
        self._check()
        self.said.append(("withdrawn", item_id, reason, actor))
        self.persons.append(person)
        if reason == "not mine":
            raise NotNow("only who gave a vote can withdraw it")

    withdraw_closing = withdraw_settlement = withdraw_resolution

    async def cancel_task(self, task_id, *, reason, actor):
        self._check()
        if self._task(task_id).final:
            raise NotNow("the task is final")
        self.said.append((task_id, reason, actor))

    async def cancel_order(self, order, *, reason, actor):
        self._check()
        if order.queue.final:
            raise NotNow("the order is final")
        self.said.append((order.queue_id, reason, actor))

    async def erase_order(self, order, *, reason, actor):
        self._check()
        if not order.queue.final:
            raise NotNow("the order is under way")
        self.said.append((order.queue_id, reason, actor))
        return reason != "again"

    async def erase_customer(self, customer_id, *, reason, actor):
        self._check()
        self.said.append((customer_id, reason, actor))
        return [ERASED], {KEPT: "it is under way"}

    async def close_case(self, item_id, *, reason, actor, person):
        self._check()
        for case in self.all_cases:
            if case.id == item_id:
                if case.closed_at:
                    raise NotNow("the case is closed")
                self.said.append((item_id, reason, actor))
                self.persons.append(person)
                return Vote.WAITS if reason == "big" else Vote.DECIDES
        raise UnknownOrder(item_id, "case")

    async def assign_case(self, item_id, *, owner, reason, actor):
        self._check()
        if item_id not in {case.id for case in self.all_cases}:
            raise UnknownOrder(item_id, "case")
        self.said.append((item_id, owner, reason, actor))

    async def settle_return(self, item_id, *, reason, evidence, actor, person):
        self._check()
        if item_id not in {case.id for case in self.all_cases}:
            raise UnknownOrder(item_id, "case")
        self.said.append((item_id, reason, evidence, actor))
        self.persons.append(person)
        return Vote.WAITS if reason == "big" else Vote.DECIDES

    async def _settle(self, item_id, said):
        self._check()
        if item_id not in {letter.id for letter in self.letters}:
            raise UnknownOrder(item_id, "dead letter")
        if item_id in {each[0] for each in self.said}:
            raise NotNow("somebody has done so before")
        self.said.append((item_id, *said))

    async def replay(self, item_id, *, reason, actor):
        await self._settle(item_id, (reason, actor))

    async def discard(self, item_id, *, reason, actor):
        await self._settle(item_id, (reason, actor))

    async def pause(self, name, *, reason, lasting, actor):
        self._check_provider(name)
        self.said.append((name, reason, lasting, actor))

    async def resume(self, name, *, reason, actor):
        self._check_provider(name)
        self.said.append((name, reason, actor))
        return True

    def _check_provider(self, name):
        if name not in FakeProviders().names():
            raise UnknownOrder(name, "provider")

    async def statuses(self):
        self._check()
        return [
            ProviderStatus(name="acme", adapter="rest", state=ProviderState.READY),
            ProviderStatus(
                name="zeta",
                adapter="rest",
                state=ProviderState.HALF_OPEN,
                in_flight=3,
                success_rate=0.5,
            ),
        ]

    async def ready(self):
        return self.unready

    def count(self, provider, outcome):
        self.counted[provider, str(outcome)] += 1

    def note(self, event, told):
        self.noted.append((event, told))

    def report(self, correlation_id, failure):
        self.reports.append((correlation_id, failure))


class FakeOperatorStore:
    """Who holds keys, as one test sees it: what is ``big`` waits for a second admin."""

    def __init__(self, world):
        self._world = world

    async def keys(self):
        self._world._check()
        key = ApiKey("ops", KeyRole.ADMIN, bytes(32))
        return [
            key_view(self._record(f"name-{n}", revoke="x"), AT.date()) for n in range(3)
        ] + [environment_key_view(key, AT, AT.date())]

    async def make_key(self, key, *, by, reason):
        self._world.said.append((key, by, reason))
        return self._record(key.name, key=key, takes_two=reason == "big")

    async def agree_to_key(self, name, *, by, reason):
        self._world.said.append((name, by, reason))
        return self._record(name)

    async def revoke_key(self, name, *, by, reason):
        if name == "gone":
            raise UnknownOrder(name, "key")
        self._world.said.append((name, by, reason))
        return self._record(name, revoke=reason)

    async def thresholds(self):
        set_ = Threshold(
            currency="EUR",
            amount=70,
            set_by="key:ops",
            set_at=AT,
            reason="large",
            proposal=ThresholdProposal(amount=None, by="key:ops", person="ops", at=AT),
        )
        return FourEyes(floor=100, by_currency={"EUR": 70}), [set_]

    async def set_threshold(self, currency, amount, *, by, reason):
        self._world.said.append((currency, amount, by, reason))
        proposal = ThresholdProposal(amount=amount, by="key:ops", person="ops", at=AT)
        return Threshold(
            currency=currency,
            amount=amount,
            proposal=proposal if reason == "big" else None,
        )

    def _record(self, name, *, key=None, takes_two=False, revoke=None):
        return KeyRecord(
            key=key or ApiKey(name, KeyRole.VIEWER, name.encode().ljust(32)),
            made_by="key:ops",
            made_person="ops",
            made_at=AT,
            takes_two=takes_two,
            revoked_by=revoke and "key:ops",
            revoked_at=revoke and AT,
            revoke_reason=revoke,
        )


def deps_of(world, **changes):
    deps = ApiDeps(
        keys=Keyring(api_keys(), WallClock()),
        clock=WallClock(),
        providers=FakeProviders(),
        services=FakeServices(),
        partners=FakePartners(),
        reads=world,
        waiters=world,
        submit=world.submit,
        unlink=world.unlink,
        operations=world,
        store_webhooks=world.store_webhooks,
        provider_statuses=world.statuses,
        ready=world.ready,
        metrics=lambda: b"dlq_size 0\n",
        people=FakeOperatorStore(world),
        webhook_rates={"zeta": Rate(2, timedelta(hours=1))},
        count_webhook=world.count,
        note=world.note,
        report=world.report,
        body_time_limit=timedelta(seconds=0.5),
    )
    return replace(deps, **changes)


def a_line(order, **changes):
    line = AuditLine(
        entity_id=order.queue_id,
        queue_id=order.queue_id,
        version=1,
        source=None,
        target="ACTIVE",
        trigger="order.requested",
        actor="key:upstream-1",
        at=AT,
        trace_id=None,
        detail={"reason": "x", "deep": [{"token": "tok_canary"}]},
        key_id="open",
        hash=GENESIS,
    )
    return AuditEntry(seq=7, line=replace(line, **changes))


@asynccontextmanager
async def served(app) -> AsyncIterator[str]:
    """Serve the application on a free port of this machine."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, http="httptools")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()


@asynccontextmanager
async def calling(deps):
    """Serve the API for these ports, and call it."""
    app = create_app(deps)
    async with served(app) as url, aiohttp.ClientSession(url) as session:
        yield session
