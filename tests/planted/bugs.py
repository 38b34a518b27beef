"""Deliberate bugs, each planted in memory, and the layer that has to catch it."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from fsm.domain import foreign_json
from fsm.domain.anchors import Anchor, OddLine, read_anchor
from fsm.domain.keys import ApiKey
from fsm.domain.orders import Order
from fsm.domain.votes import Vote
from fsm.domain.webhook_events import WebhookEvent
from fsm.engine import decide as decisions
from fsm.engine import graph
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import EngineTrigger, EngineWait, State
from fsm.flows import RULES
from fsm.partner.words import LinkTrigger
from fsm.payout import guards
from fsm.payout.hearing import PayoutHearing
from fsm.payout.table import Guard
from fsm.payout.words import Trigger, Waiting
from fsm.service.words import StepTrigger
from handlers import (
    anchor,
    cancel,
    claims,
    close,
    commit,
    drive,
    erase,
    people,
    relay,
    route,
    sweep,
    withdrawal,
    work,
)
from handlers.partner import standing
from handlers.partner import unlink as unlinking
from handlers.ports.anchors import OpenSink
from handlers.ports.core import MembershipVerb, Operation
from handlers.ports.outcomes import Done
from handlers.ports.provider import Payout
from handlers.withdrawal import answers, asked, calls, create, status, webhooks
from handlers.withdrawal import balance as balance_calls
from handlers.withdrawal import cancel as cancel_call
from payment_service.api import awaiting
from payment_service.api.keyring import Keyring
from payment_service.api.webhooks import Kept, Webhooks
from payment_service.bus import durables, unrouted
from payment_service.bus.consumer import Consumer
from payment_service.cli import anchor_check, printing, webhook_check
from payment_service.cli import decisions as operator_decisions
from payment_service.playground.memory import store as twin
from payment_service.playground.memory.store import MemoryStore
from payment_service.storage import anchors, parked, record, statements
from payment_service.storage import people as people_rows
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.sweeps import PostgresSweeps
from payment_service.wiring import forwarders
from payment_service.wiring.trust import Trust
from tests.model import charges as collecting
from tests.model import checker, households
from tests.model import links as linking
from tests.model import sagas as worlds
from tests.model.setups import DEFINITE, FORGETFUL, IDEMPOTENT, MANUAL, UNASKED
from tests.model.world import Setup
from tests.planted import (
    acts,
    charges,
    collected,
    flows,
    judges,
    links,
    partners,
    sagas,
    services,
    wishes,
)
from tests.planted.tampering import (
    a_forged_line_opens_a_case,
    a_planted_return_is_settled,
    requests_are_believed,
    results_are_believed,
    seals_are_not_looked_at,
    sums_are_believed,
    the_inbox_is_believed,
    thresholds_are_believed,
)
from tests.simulation.bus import SimBus
from tests.simulation.fleet import Fleet

Plant = Callable[[pytest.MonkeyPatch], None]
SIMULATION, CRASHES, MODEL = "simulation", "crash points", "model checker"
UNIT, CONFORMANCE = "unit", "conformance suite"

ANCHORS: Final = "tests/storage/test_anchors.py"
VERIFIED: Final = "tests/cli/test_anchors.py"
FLOWS_VERIFIED: Final = "tests/cli/test_verify_flows.py"
SHORT_IDS: Final = "tests/cli/test_short_ids.py"
ENGINE_INVARIANTS: Final = "tests/fsm/test_engine_invariants.py"
ACTS: Final = "tests/storage/test_acts.py"
BUILDS: Final = "tests/bus/test_two_builds.py"
SERVICE_TRAIL: Final = "tests/storage/test_service_trail.py"
WAKEUPS: Final = "tests/handlers/test_wakeups.py"
MACHINE: Final = "tests/simulation/test_machine.py"
KEYS: Final = "tests/api/test_keys.py"
PEOPLE: Final = "tests/storage/test_people.py"
PROPOSALS: Final = "tests/handlers/test_proposals.py"
PERSONS: Final = "tests/handlers/test_persons.py"
TRUST: Final = "tests/wiring/test_trust.py"
STORE: Final = "tests/storage/test_store.py"
WEBHOOKS: Final = "tests/api/test_webhooks.py"
CHECKOUTS: Final = "tests/handlers/test_checkouts.py"
LINKS: Final = "tests/handlers/test_partner_links.py"
CHARGED: Final = "tests/handlers/test_charges.py"
ASKED_LAST: Final = "tests/handlers/test_last_ask_of_persons.py"
COLLECTED: Final = "tests/service/test_checkout_charges.py"
GATED: Final = "tests/handlers/test_charge_gate.py"
AT_ONCE: Final = (
    f"{CHECKOUTS}::test_two_steps_that_end_at_once_elsewhere_meet_in_the_orders_row"
)
UNDONE_LAST_FIRST: Final = f"{CHECKOUTS}::test_what_was_done_last_is_undone_first"
REST_CHARGES: Final = "tests/providers/rest/test_charges.py"
SERVICES: Final = "tests/providers/services/test_services.py"
STRIPE_CHARGES: Final = "tests/providers/stripe/test_charges.py"
TAMPERING: Final = "tests/handlers/test_tampering.py"
WAITING: Final = "tests/handlers/test_waiting.py"
PAIR = Setup(name="two workers", plan=DEFINITE, providers=1, webhook=())
REPEAT_ASKS = replace(PAIR, name="the repeat asks", plan=UNASKED)
KEYS_DIE = replace(PAIR, name="keys die", plan=FORGETFUL)
ERRS = replace(PAIR, name="nobody answers", plan=MANUAL, answers_status=False)
REPEATING = replace(PAIR, name="repeats", plan=replace(IDEMPOTENT, recheck_attempts=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """What is planted, and where it has to be caught.

    ``world`` is the model checker's; ``test`` is the file or test of the other suites.
    By ``seed``, or ``scenario`` of the crash points, it has been found before: that
    is tried first.
    Beside others' transactions one that is ``alone`` would not be seen.
    """

    plant: Plant
    layer: str
    world: checker.Setup = PAIR
    test: str = ""
    seed: int = 0
    scenario: str = ""
    alone: bool = False


def hears(state: State, heard: Trigger, taken_for: Trigger) -> Plant:
    """Take one answer for another, in that state."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        real = answers.event_of_status

        def wrong(answer: Any, order: Any, task: Task) -> Event:
            event = real(answer, order, task)
            if task.state is state and event.trigger is heard:
                return replace(event, trigger=taken_for, code="planted")
            return event

        for module in (answers, status):
            patch.setattr(module, "event_of_status", wrong)

    return plant


def random_key(patch: pytest.MonkeyPatch) -> None:
    real = asked.payout_of

    def payout_of(order: Order, task: Task) -> Payout:
        return replace(real(order, task), reference=str(uuid.uuid4()))

    for module in (create, status, cancel_call):
        patch.setattr(module, "payout_of", payout_of)


def no_version_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(twin, "_is_current", lambda *_: True)


def no_version_in_sql(patch: pytest.MonkeyPatch) -> None:
    blinded(patch, "AND t.version = c.base", "")
    blinded(patch, "AND t.audit_hash = c.base_hash", "")


def who_leads_is_moved_blindly(patch: pytest.MonkeyPatch) -> None:
    leads = "AND c.leads\n        AND t.audit_hash = c.base_hash"
    blinded(patch, leads, "AND c.leads")


def blinded(patch: pytest.MonkeyPatch, checked: str, unchecked: str) -> None:
    """Leave a check out of every form of the statement that records steps."""
    every = {p: text.replace(checked, unchecked) for p, text in record.RECORD.items()}
    patch.setattr(record, "RECORD", every)


def late_commits_are_lost(patch: pytest.MonkeyPatch) -> None:
    newest = anchors.SETTLED.replace("WHERE xid_to", "WHERE true OR xid_to")
    patch.setattr(anchors, "SETTLED", newest)


def the_last_that_has_begun_is_lost(patch: pytest.MonkeyPatch) -> None:
    ended = "pg_snapshot_xmax(pg_current_snapshot())::text"
    patch.setattr(
        anchors, "COVER", anchors.COVER.replace("pg_current_xact_id()::text", ended)
    )


def a_forged_anchor_counts(patch: pytest.MonkeyPatch) -> None:
    async def newest(_book: object, place: OpenSink) -> tuple[Anchor | None, int]:
        async for line in place.back():
            try:
                return read_anchor(line), 0
            except OddLine:
                continue
        return None, 0

    patch.setattr(anchor, "_newest", newest)


def the_erased_are_not_missed(patch: pytest.MonkeyPatch) -> None:
    there = anchor_check.LOST.replace("LEFT JOIN", "JOIN")
    patch.setattr(anchor_check, "LOST", there)


def the_invented_are_believed(patch: pytest.MonkeyPatch) -> None:
    never = anchor_check.LATE.replace("WHERE e.at <", "WHERE false AND e.at <")
    patch.setattr(anchor_check, "LATE", never)


def webhook_not_unique(patch: pytest.MonkeyPatch) -> None:
    doubled = statements.STORE_WEBHOOKS.replace(
        "ON CONFLICT (provider, event_id) DO NOTHING",
        "ON CONFLICT (provider, event_id) DO UPDATE SET type = excluded.type",
    )
    patch.setattr(statements, "STORE_WEBHOOKS", doubled)


def short_ids_decide(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(operator_decisions, "require_whole", lambda _named, _at, asked: asked)


def terminals_obey(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(printing, "plainly", lambda text: text)


def parsed_before_verified(patch: pytest.MonkeyPatch) -> None:
    real = Webhooks.keep

    async def keep(
        self: Webhooks, provider: Any, headers: Any, body: bytes, **given: Any
    ) -> Any:
        try:
            json.loads(body)
        except ValueError:
            return Kept.UNREADABLE
        return await real(self, provider, headers, body, **given)

    patch.setattr(Webhooks, "keep", keep)


def doubled_is_guessed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(foreign_json, "_object", dict)


def unreadable_money_is_no_money(patch: pytest.MonkeyPatch) -> None:
    real = webhooks.event_of_webhook

    def event_of_webhook(told: WebhookEvent, order: Order) -> Any:
        return real(replace(told, detail={}), order)

    patch.setattr(withdrawal, "event_of_webhook", event_of_webhook)


def high_water_mark(patch: pytest.MonkeyPatch) -> None:
    real = MemoryStore.unsent
    highest: dict[int, int] = {}

    async def unsent(self: MemoryStore, **given: Any) -> Any:
        mark = highest.get(id(self), 0)
        rows = [row for row in await real(self, **given) if row.seq > mark]
        if rows:
            highest[id(self)] = rows[-1].seq
        return rows

    patch.setattr(MemoryStore, "unsent", unsent)


def removed_unpublished(patch: pytest.MonkeyPatch) -> None:
    real = SimBus.publish

    async def publish(self: SimBus, messages: Any) -> Any:
        await real(self, messages)
        return [True] * len(messages)

    patch.setattr(SimBus, "publish", publish)


def a_bundle_goes_for_one(patch: pytest.MonkeyPatch) -> None:
    def whole(taken: Any, _: Any) -> list[int]:
        return list(dict.fromkeys(row.seq for row in taken))

    patch.setattr(relay, "_whole", whole)


def early_is_overdue(patch: pytest.MonkeyPatch) -> None:
    exact = " AND wake_at < statement_timestamp() - %(grace)s AND (redrives < 2"
    for name in ("OVERDUE_ORDERS", "OVERDUE"):
        sound = getattr(statements, name)
        blind = sound.replace(exact, " AND (redrives < 2", 1)
        assert blind != sound
        patch.setattr(statements, name, blind)


def any_version_rings(patch: pytest.MonkeyPatch) -> None:
    async def wake(wakeup: Any, *, ports: Any) -> Any:
        return await drive.wake(replace(wakeup, again=True), ports=ports)

    patch.setattr(route, "wake", wake)


def trust_is_never_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe for good what was asked at the start."""
    monkeypatch.setattr(Trust, "require", lambda *_: None)


def replays_are_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read no header that says that somebody has sent it again."""
    monkeypatch.setattr(forwarders, "REPLAY_OF", "X-Nobody")


def a_message_is_a_wish(patch: pytest.MonkeyPatch) -> None:
    async def woken(wakeup: Any, *, ports: Any) -> Any:
        order = await ports.store.load(wakeup.queue_id)
        if wakeup.task_id is None and not order.queue.final:
            await cancel.request_cancel_of_order(
                order, "asked", actor="system", ports=ports
            )
        return await drive.wake(wakeup, ports=ports)

    patch.setattr(route, "wake", woken)


def early_timer_is_due(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Task, "due", lambda t, _: t.wake_at is not None and t.waiting_for is not None
    )


def case_swallowed(patch: pytest.MonkeyPatch) -> None:
    real = decisions.step_of

    def step(queue: Any, changes: Any, cases: Any, *given: Any, **more: Any) -> Any:
        del cases
        return real(queue, changes, (), *given, **more)

    patch.setattr(decisions, "step_of", step)


def always_claims(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(claims.Claims, "claims", lambda *_: True)


async def _sends_again(order: Any, task: Any, ports: Any, claims: Any) -> Any:
    provider = ports.providers.get(task.provider)
    return await create._send(provider, order, task, ports, claims)


def taken_over_without_a_version(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calls, "create", _sends_again)


def claims_never_age(patch: pytest.MonkeyPatch) -> None:
    class Young:
        def __sub__(self, other: object) -> float:
            return 0.0

        def __rsub__(self, other: object) -> float:
            return 0.0

    real = create._send

    async def send(
        provider: Any, order: Any, task: Any, ports: Any, claims: Any
    ) -> Any:
        return await real(
            provider, order, task, ports, replace(claims, taken_at=Young())
        )

    patch.setattr(create, "_send", send)


def answers_never_age(patch: pytest.MonkeyPatch) -> None:
    def fresh(asks: Callable[[Any], bool]) -> Callable[[Any], bool]:
        return lambda facts: asks(facts._replace(asked_at=None))

    for which in (Guard.ABSENCE_IS_PROOF, Guard.MAY_REPEAT_CREATE):
        patch.setitem(guards.GUARDS, which, fresh(guards.GUARDS[which]))


def next_freeze_too_early(patch: pytest.MonkeyPatch) -> None:
    real = graph.follow

    def follow(queue: Any, changes: Any, rules: Any, now: Any) -> Any:
        waiting = [t for t in queue.tasks if t.waiting_for is EngineWait.TURN]
        rolls_back = any(c.after.waiting_for is Waiting.ROLLBACK for c in changes)
        if rolls_back and waiting:
            turn = Event(trigger=EngineTrigger.TURN_CAME)
            return graph.Followed((*changes, graph.ruled(waiting[0], turn, RULES, now)))
        return real(queue, changes, rules, now)

    patch.setattr(decisions, "follow", follow)


def notification_dropped(patch: pytest.MonkeyPatch) -> None:
    async def notify(order: Any, given: Any) -> Any:
        return await commit.commit(
            order, lambda queue, _: decisions.notified(queue), ports=given
        )

    patch.setattr(drive, "_notify", notify)


def sweeper_does_not_ring(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sweep, "wakeups_of", lambda *_: [])


def audit_line_missing(patch: pytest.MonkeyPatch) -> None:
    real = work.work_of

    def work_of(*given: Any, **more: Any) -> Any:
        made = real(*given, **more)
        return replace(made, lines=made.lines[:1])

    patch.setattr(commit, "work_of", work_of)


def amount_not_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answers, "differing", lambda *_: {})
    patch.setattr(webhooks, "differing", lambda *_: {})


def late_answer_thrown_away(patch: pytest.MonkeyPatch) -> None:
    async def again(order: Any, _: Any) -> Any:
        raise commit.Contended(order.queue_id)

    patch.setattr(commit, "_again", again)


def cancel_in_flight(patch: pytest.MonkeyPatch) -> None:
    sent_or_not = {Waiting.CREATE, Waiting.CREATE_RETRY}
    patch.setitem(
        guards.GUARDS, Guard.UNSENT, lambda f: f.task.waiting_for in sent_or_not
    )


def not_dead_lettered(patch: pytest.MonkeyPatch) -> None:
    async def dead_letter(*_: Any) -> None:
        return

    patch.setattr(Fleet, "_dead_letter", dead_letter)


def never_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PayoutHearing, "is_early", lambda *_: False)


def guard(which: Guard, instead: Callable[[Any], bool]) -> Plant:
    """Have a guard of the table say something else."""
    return lambda patch: patch.setitem(guards.GUARDS, which, instead)


def always_repeats(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(guards.GUARDS, Guard.MAY_REPEAT_CREATE, lambda _: True)
    for module in (create, status):
        patch.setattr(module, "may_repeat", lambda *_: True)


def repeats_before_it_rolls_back(patch: pytest.MonkeyPatch) -> None:
    real = balance_calls.balance

    async def balance(operation: Any, order: Any, task: Task, ports: Any) -> Event:
        provider = ports.providers.get(task.provider)
        unasked = provider is not None and not provider.policy.can_ask(task)
        if operation is not Operation.ROLLBACK or not (task.taken and unasked):
            return await real(operation, order, task, ports)
        heard = await provider.create(asked.payout_of(order, task))
        return answers.event_of_create(heard, order, task)

    patch.setattr(calls, "balance", balance)


def repeats_for_ever(patch: pytest.MonkeyPatch) -> None:
    due = guard(Guard.REPEAT_ASKS, lambda f: f.task.waiting_for is Waiting.RECHECK)
    due(patch)
    for module in (create, status):
        patch.setattr(module, "may_repeat", lambda *_: True)


def nobody_asks_about_a_no(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(guards.GUARDS, Guard.NO_IS_KNOWN, guards._decidable)


def a_no_stands_before_the_answer(patch: pytest.MonkeyPatch) -> None:
    async def unasked(_order: Order, task: Task, _engine: Any) -> Event:
        return status._unasked_no(task)

    patch.setitem(guards.GUARDS, Guard.ASKED_ENOUGH, guards._asking)
    patch.setattr(calls, "last_question", unasked)


def last_words(heard: Trigger, taken_for: Trigger) -> Plant:
    """Take one answer to a last question for another."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setitem(status._LAST_WORDS, heard, (taken_for, None))

    return plant


def a_last_question_is_a_create(patch: pytest.MonkeyPatch) -> None:
    async def asks(order: Order, task: Task, ports: Any) -> Event:
        provider = ports.providers.get(task.provider)
        heard = await provider.create(asked.payout_of(order, task))
        return answers.event_of_create(heard, order, task)

    patch.setattr(calls, "last_question", asks)


def one_person_closes_a_large_case(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(close, "_takes_two", lambda *_: False)


def a_vote_that_is_gone_closes(patch: pytest.MonkeyPatch) -> None:
    real = PostgresOperatorStore.close_case

    async def blind(self: PostgresOperatorStore, case_id: str, **said: Any) -> None:
        await real(self, case_id, **{**said, "agrees_with": None})

    patch.setattr(PostgresOperatorStore, "close_case", blind)


def ack_before_commit(patch: pytest.MonkeyPatch) -> None:
    real = Consumer._outcome

    async def outcome(self: Consumer, delivery: Any) -> Any:
        held = next(h for h in self._held if h.delivery is delivery)
        self._settle(held, Done())
        return await real(self, delivery)

    patch.setattr(Consumer, "_outcome", outcome)


def submitted_twice(patch: pytest.MonkeyPatch) -> None:
    real = MemoryStore._submit

    def submit(self: MemoryStore, new: Any) -> Any:
        self.tables.keys.clear()
        return real(self, new)

    patch.setattr(MemoryStore, "_submit", submit)


def one_pair_of_eyes(patch: pytest.MonkeyPatch) -> None:
    from handlers import approval as together  # noqa: PLC0415

    def whoever(task: Task, _event: Event) -> Vote:
        return Vote.WAITS if task.proposed_by is None else Vote.DECIDES

    patch.setattr(together, "_counted", whoever)


def merchants_bind_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ApiKey, "may_touch", lambda *_: True)


def what_was_unlinked_is_unlinked_again(patch: pytest.MonkeyPatch) -> None:
    async def nobody_looks(_link: Order, _ports: object) -> None: ...

    patch.setattr(unlinking, "_require_linked", nobody_looks)


def what_unlinked_another_is_a_repeat(patch: pytest.MonkeyPatch) -> None:
    async def nobody_looks(*_: object, **__: object) -> None: ...

    patch.setattr(unlinking, "_require_repeat", nobody_looks)


def clocks_never_part(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(standing, "CLOCKS_PART", standing.CLOCKS_PART / 60)


def others_orders_are_found(patch: pytest.MonkeyPatch) -> None:
    blind = statements.FIND.replace("AND (%(merchants)s", "AND (true OR %(merchants)s")
    patch.setattr(statements, "FIND", blind)


def a_key_is_a_person(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ApiKey, "voter", property(lambda key: key.name))


def keys_live_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ApiKey, "is_taken_on", lambda *_: True)


def one_makes_two(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(people, "_takes_two", lambda *_: False)


def one_loosens(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(people, "_loosens", lambda *_: False)


def whoever_is_left_is_alone(patch: pytest.MonkeyPatch) -> None:
    def live(turn: Any, environment: Any) -> set[str]:
        keys = [each.key for each in turn.keys if each.is_live]
        return {k.voter for k in (*keys, *environment.keys) if k.role == "admin"}

    patch.setattr(people, "_deciders", live)


def unsigned_keys_are_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(people_rows, "key_is_signed", lambda *_: True)


def what_stands_as_known_was_heard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(webhook_check, "_is_new", lambda _: False)


def links_count_as_they_say(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(webhook_check, "_miscounted", lambda _: iter(()))


def revoked_keys_stay(patch: pytest.MonkeyPatch) -> None:
    real = Keyring.adopt

    def adopt(wake: Keyring, stored: Any) -> None:
        real(wake, [*stored, *wake._stored.values()])

    patch.setattr(Keyring, "adopt", adopt)


def known_keys_need_no_database(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Keyring, "_clock_allows", lambda _: True)


def who_waits_is_let_be(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(awaiting, "require_still", lambda *_: None)


def any_name_counts(patch: pytest.MonkeyPatch) -> None:
    from fsm.domain import votes  # noqa: PLC0415

    patch.setattr(votes, "VOTER", "")


def proposed_again(patch: pytest.MonkeyPatch) -> None:
    from handlers import propose  # noqa: PLC0415

    patch.setattr(propose, "_is_same", lambda *_: False)


def erased_under_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(erase, "_require_rest", lambda _order: None)


S, T = State, Trigger
CLOSING: Final = "tests/handlers/test_closing.py"
LAST: Final = "tests/handlers/test_last_question.py"


def a_consumer_is_set_to_ones_own(patch: pytest.MonkeyPatch) -> None:
    """Give a consumer this version's filters, whatever another version needs."""

    def corrected(durable: Any, live: Any, beside: Any = ()) -> Any:
        del beside
        key = "filter_subjects"
        wanted = durable.config[key]
        return {} if set(live[key]) == set(wanted) else {key: wanted}

    patch.setattr(durables, "corrections", corrected)


def ones_own_consumers_are_all(patch: pytest.MonkeyPatch) -> None:
    """Take what no consumer of this version takes for what nobody takes."""

    async def none(api: Any, stream: str) -> list[Any]:
        del api, stream
        return []

    patch.setattr(unrouted, "consumers_in", none)


def what_is_not_known_is_marked(patch: pytest.MonkeyPatch) -> None:
    """Mark every overdue row as rung for, before it is known whether it can be read."""
    overdue = PostgresSweeps.overdue

    async def marked(self: Any, *, grace: Any, limit: int) -> Any:
        asked = {"grace": grace, "limit": limit}
        due = await self._database.run(statements.OVERDUE_ORDERS, asked)
        rung = {"grace": grace, "queue_ids": [row[0] for row in due]}
        await self._database.run(statements.OVERDUE, rung)
        return await overdue(self, grace=grace, limit=limit)

    patch.setattr(PostgresSweeps, "overdue", marked)


def what_is_parked_is_believed(patch: pytest.MonkeyPatch) -> None:
    """Handle a parked message, whoever has parked it."""
    patch.setattr(parked, "is_vouched", lambda *_: True)


BUGS: Final[Mapping[str, Bug]] = {
    "the older marks what it cannot read as rung for": Bug(
        plant=what_is_not_known_is_marked,
        layer=UNIT,
        test="tests/handlers/test_chores.py::"
        "test_a_worker_that_knows_no_chores_leaves_them_to_those_that_do",
    ),
    "a wish that nobody hears of is accepted": Bug(
        plant=wishes.accepted_for_nothing,
        layer=UNIT,
        test="tests/handlers/test_chores.py::"
        "test_what_nobody_would_hear_of_a_task_is_refused",
    ),
    "core is taken to know of every task": Bug(
        plant=wishes.everything_stands_in_all_books,
        layer=UNIT,
        test="tests/fsm/test_reconciliation.py::"
        "test_who_holds_nothing_at_core_has_no_entry_there",
    ),
    "a parked message is believed": Bug(
        plant=what_is_parked_is_believed,
        layer=UNIT,
        test="tests/service/test_strangers.py::"
        "test_a_request_that_another_hand_has_parked_is_not_made",
    ),
    "two versions set each other's consumer right": Bug(
        plant=a_consumer_is_set_to_ones_own,
        layer=UNIT,
        test=f"{BUILDS}::test_whoever_starts_first_and_again_neither_rewrites_the_others",
    ),
    "the older buries what only the newer takes": Bug(
        plant=ones_own_consumers_are_all,
        layer=UNIT,
        test=f"{BUILDS}::test_the_older_buries_nothing_that_the_newer_takes",
    ),
    "the cascade goes on after a time-out": Bug(
        plant=hears(S.CREATING, T.UNCLEAR, T.DECLINED), layer=SIMULATION
    ),
    "the cascade goes on after a time-out, and shrinks": Bug(
        plant=hears(S.CREATING, T.UNCLEAR, T.DECLINED),
        layer=UNIT,
        test=MACHINE,
    ),
    "it is rolled back while nobody knows": Bug(
        plant=hears(S.RECHECKING, T.UNCLEAR, T.DECLINED), layer=SIMULATION, seed=7
    ),
    "it is committed before there is a verdict": Bug(
        plant=hears(S.CREATING, T.ACCEPTED, T.PAID), layer=SIMULATION
    ),
    "a poll without an answer is a no": Bug(
        plant=hears(S.EXECUTING, T.UNCLEAR, T.DECLINED), layer=SIMULATION, seed=7
    ),
    "one person closes a large case": Bug(
        plant=one_person_closes_a_large_case,
        layer=UNIT,
        test=f"{CLOSING}::test_nobody_without_a_key_closes_or_contests",
    ),
    "a case is closed with a vote that is gone": Bug(
        plant=a_vote_that_is_gone_closes,
        layer=CONFORMANCE,
        test=f"{CLOSING}::test_a_vote_that_is_gone_meanwhile_closes_nothing",
    ),
    "nobody asks about a person's no": Bug(
        plant=nobody_asks_about_a_no, layer=SIMULATION, seed=3
    ),
    "a person's no stands before the answer": Bug(
        plant=a_no_stands_before_the_answer, layer=SIMULATION, seed=16
    ),
    "what is under way is taken for a no": Bug(
        plant=last_words(T.ACCEPTED, T.DECLINED), layer=SIMULATION, seed=17
    ),
    "silence to a last question is taken for a no": Bug(
        plant=last_words(T.UNCLEAR, T.DECLINED),
        layer=UNIT,
        test=f"{LAST}::test_without_an_answer_it_is_asked_as_often_as_planned_and_then_stands",
    ),
    "silence to a last question is taken for a yes": Bug(
        plant=last_words(T.UNCLEAR, T.PAID),
        layer=UNIT,
        test=f"{LAST}::test_without_an_answer_it_is_asked_as_often_as_planned_and_then_stands",
    ),
    "a last question repeats the create": Bug(
        plant=a_last_question_is_a_create, layer=SIMULATION
    ),
    "a last question is asked for ever": Bug(
        plant=guard(Guard.ASKED_ENOUGH, lambda _: False), layer=MODEL, world=ERRS
    ),
    "the idempotency key is random": Bug(plant=random_key, layer=SIMULATION),
    "the twin compares no version": Bug(plant=no_version_check, layer=SIMULATION),
    "the statement compares no version": Bug(
        plant=no_version_in_sql,
        layer=CONFORMANCE,
        test=f"{STORE}::test_a_step_on_an_older_version_is_stale_and_leaves_nothing",
    ),
    "who leads a step is moved whatever its past": Bug(
        plant=who_leads_is_moved_blindly,
        layer=CONFORMANCE,
        test=f"{STORE}::test_a_step_on_a_forgotten_past_with_the_same_version_is_stale",
    ),
    "the inbox is not unique": Bug(
        plant=webhook_not_unique,
        layer=CONFORMANCE,
        test=f"{STORE}::test_webhook_is_stored_once_for_ever",
    ),
    "what was done to a case has no line": Bug(
        plant=acts.act_without_a_line,
        layer=CONFORMANCE,
        test=f"{ACTS}::test_a_closed_case_is_a_line_of_its_order",
    ),
    "what was done to a dead letter has no line": Bug(
        plant=acts.letter_without_a_line,
        layer=CONFORMANCE,
        test=f"{ACTS}::test_a_letter_about_an_order_is_a_line_of_it",
    ),
    "a line says what no row does": Bug(
        plant=acts.line_without_the_row,
        layer=CONFORMANCE,
        test=f"{ACTS}::test_a_case_that_is_closed_twice_has_one_line",
    ),
    "a row and its line are two commits": Bug(
        plant=acts.row_and_line_apart,
        layer=CONFORMANCE,
        test=f"{ACTS}::test_where_the_line_cannot_be_written_no_row_changes",
    ),
    "who writes for the service waits for nobody": Bug(
        plant=acts.nobody_waits_for_his_turn,
        layer=CONFORMANCE,
        test=f"{SERVICE_TRAIL}::test_many_at_once_are_one_chain_without_a_gap",
    ),
    "an act leaves the order's version": Bug(
        plant=acts.the_version_stays,
        layer=CONFORMANCE,
        test=f"{ACTS}::test_a_step_decided_before_the_act_is_decided_again",
    ),
    "verify believes the rows": Bug(
        plant=acts.rows_are_believed,
        layer=UNIT,
        test="tests/cli/test_decided.py::test_what_was_changed_past_the_trail_is_named",
    ),
    "a short id decides about money": Bug(
        plant=short_ids_decide,
        layer=UNIT,
        test=f"{SHORT_IDS}::test_what_decides_about_money_takes_the_whole_id",
    ),
    "what strangers wrote moves the cursor": Bug(
        plant=terminals_obey,
        layer=UNIT,
        test="tests/cli/test_tables.py::test_no_stored_text_moves_the_cursor",
    ),
    "nobody says what people did": Bug(
        plant=acts.the_twin_forgets_the_line, layer=SIMULATION, seed=4
    ),
    "a webhook is parsed before its signature is checked": Bug(
        plant=parsed_before_verified,
        layer=UNIT,
        test=f"{WEBHOOKS}::test_an_unreadable_body_without_a_signature_is_401",
    ),
    "of two values of one key the last one is believed": Bug(
        plant=doubled_is_guessed,
        layer=UNIT,
        test="tests/fsm/domain/test_foreign_json.py",
    ),
    "money that cannot be read is taken for none": Bug(
        plant=unreadable_money_is_no_money,
        layer=UNIT,
        test=f"{WAITING}::test_money_that_cannot_be_read_is_for_a_person",
    ),
    "an order under way forgets where its money goes": Bug(
        plant=erased_under_way,
        layer=UNIT,
        test="tests/handlers/test_erase.py::"
        "test_what_is_under_way_is_refused_and_loses_nothing",
    ),
    "a delivery is acknowledged before it is handled": Bug(
        plant=ack_before_commit, layer=UNIT, test="tests/bus/test_consumer.py"
    ),
    "the outbox has a high-water mark": Bug(plant=high_water_mark, layer=SIMULATION),
    "a row leaves the outbox unpublished": Bug(
        plant=removed_unpublished, layer=SIMULATION
    ),
    "a bundle goes when one of it was taken": Bug(
        plant=a_bundle_goes_for_one,
        layer=UNIT,
        test=f"{WAKEUPS}::test_what_is_refused_of_a_bundle_goes_on_alone",
    ),
    "a row is woken by where its chain began": Bug(
        plant=early_is_overdue,
        layer=UNIT,
        test="tests/storage/test_heap_only.py::test_what_is_found_early_is_not_rung_for_early",
    ),
    "a timer needs no version": Bug(
        plant=any_version_rings,
        layer=UNIT,
        test=f"{WAKEUPS}::test_a_wakeup_for_an_older_version_is_stale_whatever_is_due",
    ),
    "NATS is trusted once and for all": Bug(
        plant=trust_is_never_lost,
        layer=UNIT,
        test=f"{TRUST}::test_where_it_was_lost_what_came_in_between_is_refused_for_ever",
    ),
    "a replay vouches for what it says": Bug(
        plant=replays_are_nothing_else,
        layer=UNIT,
        test=f"{TRUST}::test_a_replay_is_nobodys_word",
    ),
    "a cancel by message is a wish": Bug(
        plant=a_message_is_a_wish,
        layer=UNIT,
        test=f"{WAKEUPS}::test_a_cancel_by_a_message_is_no_wish_whatever_its_version",
    ),
    "an early timer is due": Bug(plant=early_timer_is_due, layer=SIMULATION),
    "a case is swallowed": Bug(plant=case_swallowed, layer=SIMULATION),
    "'not sent' is trusted without a claim": Bug(plant=always_claims, layer=MODEL),
    "a create is taken over without a version": Bug(
        plant=taken_over_without_a_version, layer=MODEL, world=REPEATING
    ),
    "a claim never ages": Bug(plant=claims_never_age, layer=MODEL),
    "an answer never ages": Bug(plant=answers_never_age, layer=MODEL),
    "a worker before that may have sent it is forgotten": Bug(
        plant=guard(Guard.NEVER_SENT, lambda f: f.task.verdict is None),
        layer=MODEL,
        world=REPEATING,
    ),
    "the next freeze does not wait for the rollback": Bug(
        plant=next_freeze_too_early, layer=SIMULATION
    ),
    "two steps that end at once do not meet in the order's row": Bug(
        plant=flows.steps_end_apart, layer=MODEL, world=households.TOGETHER
    ),
    "what was done first is undone first": Bug(
        plant=flows.undone_first_first, layer=MODEL, world=households.TURNS
    ),
    "a helper's silence is a no": Bug(
        plant=flows.silence_is_a_no, layer=MODEL, world=households.PAIR
    ),
    "a step waits for no other": Bug(
        plant=flows.nothing_is_waited_for, layer=MODEL, world=households.TURNS
    ),
    "a step waits for one of those it comes after": Bug(
        plant=flows.one_of_many_is_waited_for, layer=MODEL, world=households.TOGETHER
    ),
    "an alternative is tried while another may still do it": Bug(
        plant=flows.alternatives_at_once, layer=MODEL, world=households.PAIR
    ),
    "alternatives of what is done are left waiting": Bug(
        plant=flows.the_won_is_not_spared, layer=MODEL, world=households.PAIR
    ),
    "what had no turn is left waiting while the order turns back": Bug(
        plant=flows.the_rest_waits_while_it_turns_back,
        layer=MODEL,
        world=households.TURNS,
    ),
    "an order of several steps is judged as one of one step": Bug(
        plant=judges.every_order_is_judged_as_one_of_one_step,
        layer=UNIT,
        test=FLOWS_VERIFIED,
    ),
    "what was won and not undone offends nobody": Bug(
        plant=judges.what_was_to_be_undone_offends_nobody,
        layer=UNIT,
        test=ENGINE_INVARIANTS,
    ),
    "a task escapes by naming another lifecycle": Bug(
        plant=judges.any_lifecycle_will_do, layer=UNIT, test=ENGINE_INVARIANTS
    ),
    "what is done after the order has turned back stands": Bug(
        plant=flows.late_success_stands, layer=MODEL, world=households.TOGETHER
    ),
    "an order ends while a step is under way": Bug(
        plant=flows.turns_back_while_it_works, layer=MODEL, world=households.PAIR
    ),
    "an order turns back past its point of no return": Bug(
        plant=flows.no_point_is_of_no_return, layer=MODEL, world=households.TURNS
    ),
    "an order turns back before that point is known": Bug(
        plant=flows.turned_back_before_it_is_known, layer=MODEL, world=households.TURNS
    ),
    "what a person has found to stand is undone again": Bug(
        plant=flows.what_stands_is_undone, layer=MODEL, world=households.MAY_STAND
    ),
    "a service's silence is a yes": Bug(
        plant=sagas.silence_is_a_yes, layer=MODEL, world=worlds.ENDING
    ),
    "a service's silence is a no": Bug(
        plant=sagas.silence_is_a_no, layer=MODEL, world=worlds.ENDING
    ),
    "a step that may be done is left out": Bug(
        plant=sagas.what_may_be_done_is_left_out, layer=MODEL, world=worlds.ENDING
    ),
    "a step that succeeds after its order turned back is not undone": Bug(
        plant=sagas.a_late_success_is_left_alone, layer=MODEL, world=worlds.GIVEN_UP
    ),
    "what a service does not know yet is left out, not undone": Bug(
        plant=sagas.not_known_is_a_no, layer=MODEL, world=worlds.GIVEN_UP
    ),
    "a service that was not heard has done it": Bug(
        plant=sagas.hears(StepTrigger.UNCLEAR, State.EXECUTING, StepTrigger.DONE),
        layer=SIMULATION,
    ),
    "a service that was not heard has refused it": Bug(
        plant=sagas.hears(StepTrigger.UNCLEAR, State.EXECUTING, StepTrigger.REFUSED),
        layer=SIMULATION,
    ),
    "an undo that was not heard is done": Bug(
        plant=sagas.hears(StepTrigger.UNCLEAR, State.REVERSING, StepTrigger.UNDONE),
        layer=SIMULATION,
    ),
    "an undo that is refused is taken for done": Bug(
        plant=sagas.hears(StepTrigger.REFUSED, State.REVERSING, StepTrigger.UNDONE),
        layer=SIMULATION,
        seed=15,
    ),
    "an undo is never sent": Bug(plant=sagas.an_undo_is_never_sent, layer=SIMULATION),
    "a charge that was not heard is none, in the simulation": Bug(
        plant=charges.silence_is_a_no, layer=SIMULATION, seed=18
    ),
    "a refund is made anew with each try, in the simulation": Bug(
        plant=charges.refunded_under_another_key, layer=SIMULATION, seed=18
    ),
    "what a person found charged is never refunded, in the simulation": Bug(
        plant=charges.found_charged_stands, layer=SIMULATION, seed=0
    ),
    "a service's code is taken for a word of ours": Bug(
        plant=sagas.a_services_code_is_ours,
        layer=UNIT,
        test="tests/handlers/test_customer_message.py::"
        "test_a_services_code_is_no_word_that_our_rules_go_by",
    ),
    "a step is undone before it is asked about": Bug(
        plant=sagas.undone_before_it_is_asked_about,
        layer=UNIT,
        test=f"{CHECKOUTS}::test_what_is_unknown_is_asked_about_before_it_is_undone",
    ),
    "an undo without an answer counts as done": Bug(
        plant=sagas.an_undo_without_an_answer_is_done,
        layer=MODEL,
        world=worlds.GIVEN_UP,
    ),
    "a refused undo counts as done": Bug(
        plant=sagas.a_refused_undo_is_done, layer=MODEL, world=worlds.ENDING
    ),
    "a step that a person found to stand is undone again": Bug(
        plant=sagas.what_stands_is_undone_again, layer=MODEL, world=worlds.ENDING
    ),
    "a default holds for a step that can be undone": Bug(
        plant=sagas.a_default_holds_for_what_can_be_undone,
        layer=UNIT,
        test=f"{CHECKOUTS}::test_no_default_holds_for_what_can_be_undone",
    ),
    "a default is taken for a failure": Bug(
        plant=sagas.a_default_is_a_failure,
        layer=UNIT,
        test=f"{CHECKOUTS}::test_a_default_holds_for_a_check_that_is_away",
    ),
    "the point of no return is guessed": Bug(
        plant=sagas.the_pivot_is_guessed, layer=MODEL, world=worlds.ENDING
    ),
    "the point of no return is given up while it may be passed": Bug(
        plant=sagas.the_pivot_is_given_up_while_it_may_be_done,
        layer=MODEL,
        world=worlds.ENDING,
    ),
    "nobody claims a do, and not sent is believed": Bug(
        plant=sagas.nobody_claims_a_do, layer=MODEL, world=worlds.GIVEN_UP
    ),
    "a person's no to the merchant is acted on unasked": Bug(
        plant=sagas.the_merchants_no_is_a_persons, layer=MODEL, world=worlds.ERRING
    ),
    "a person's no to a charge is acted on unasked": Bug(
        plant=charges.a_persons_no_is_acted_on_unasked,
        layer=MODEL,
        world=collecting.ERRING,
    ),
    "silence confirms a person's no to a charge": Bug(
        plant=charges.silence_confirms_a_persons_no,
        layer=MODEL,
        world=collecting.ERRING,
    ),
    "a charge under way confirms a person's no": Bug(
        plant=charges.under_way_confirms_a_persons_no,
        layer=UNIT,
        test=f"{ASKED_LAST}::test_while_the_provider_is_at_it_the_person_decides_again",
    ),
    "a charge is sent to a paused provider": Bug(
        plant=charges.nobody_asks_the_gate,
        layer=UNIT,
        test=f"{GATED}::test_a_paused_provider_is_passed_over_where_another_can_be_had",
    ),
    "what may have arrived is told a paused provider again": Bug(
        plant=charges.a_repeat_asks_no_gate,
        layer=UNIT,
        test=f"{GATED}"
        "::test_what_may_have_arrived_is_asked_about_and_not_told_a_paused_one",
    ),
    "[checkout] payment is read and passed over": Bug(
        plant=charges.the_setting_is_passed_over,
        layer=UNIT,
        test=f"{COLLECTED}::test_a_card_that_one_declines_is_charged_by_the_next",
    ),
    "a place in flight is never given back": Bug(
        plant=charges.places_are_kept,
        layer=UNIT,
        test=f"{GATED}::test_a_place_in_flight_is_given_back",
    ),
    "a step that stops as it is told ends no order": Bug(
        plant=sagas.the_order_waits_for_what_was_told,
        layer=UNIT,
        test=f"{CHECKOUTS}::test_what_was_never_sent_stops_as_the_order_turns_back",
    ),
    "a worker that slept sends its do all the same": Bug(
        plant=sagas.a_sleeper_sends_all_the_same,
        layer=UNIT,
        test=f"{CHECKOUTS}::test_who_slept_before_a_do_leaves_it_to_another",
    ),
    "both that end at once do not meet, and the merchant is never asked": Bug(
        plant=sagas.both_ends_do_not_meet, layer=UNIT, test=AT_ONCE
    ),
    "what was done first of a checkout is undone first": Bug(
        plant=sagas.the_first_is_undone_first, layer=UNIT, test=UNDONE_LAST_FIRST
    ),
    "a payment provider's silence is a no": Bug(
        plant=charges.silence_is_a_no, layer=MODEL, world=collecting.COLLECTED
    ),
    "a charge that is not known is none, and the next provider is tried": Bug(
        plant=charges.not_known_is_a_no, layer=MODEL, world=collecting.COLLECTED
    ),
    "a charge that nobody can find out about is none": Bug(
        plant=charges.given_up_is_a_no, layer=MODEL, world=collecting.COLLECTED
    ),
    "what may never have been charged is refunded": Bug(
        plant=charges.refunded_unasked, layer=MODEL, world=collecting.COLLECTED
    ),
    "a refund is repeated under another key": Bug(
        plant=charges.refunded_under_another_key,
        layer=UNIT,
        test=f"{CHARGED}::test_a_refund_is_repeated_with_its_key",
    ),
    "a refund without an answer counts as made": Bug(
        plant=charges.a_silent_refund_is_made, layer=MODEL, world=collecting.COLLECTED
    ),
    "a no to a repeated charge is believed": Bug(
        plant=charges.a_no_to_a_repeat_is_believed,
        layer=UNIT,
        test=f"{CHARGED}::test_a_no_to_a_repeat_is_asked_about",
    ),
    "a no to the first of two dos is believed": Bug(
        plant=charges.a_no_to_an_earlier_do_is_believed,
        layer=UNIT,
        test=f"{CHARGED}"
        "::test_a_no_to_the_first_do_proves_nothing_once_another_has_repeated_it",
    ),
    "a charge is repeated once its key is dead": Bug(
        plant=charges.keys_live_for_ever,
        layer=UNIT,
        test=f"{CHARGED}"
        "::test_what_another_has_left_is_charged_again_while_its_key_lives",
    ),
    "a charge of another amount is one": Bug(
        plant=charges.any_amount_is_charged,
        layer=UNIT,
        test=f"{CHARGED}::test_another_amount_proves_nothing",
    ),
    "what a person found charged is never refunded": Bug(
        plant=charges.found_charged_stands,
        layer=UNIT,
        test=f"{CHARGED}::test_what_a_person_found_charged_is_refunded_with_its_order",
    ),
    "a partner's silence is a yes": Bug(
        plant=links.silence_is_a_yes,
        layer=UNIT,
        test=f"{LINKS}::test_a_check_without_an_answer_is_made_again_with_its_key",
    ),
    "a partner's silence is a no": Bug(
        plant=links.silence_is_a_no,
        layer=UNIT,
        test=f"{LINKS}::test_a_check_without_an_answer_is_made_again_with_its_key",
    ),
    "a membership that may be granted is left over by who gives it up": Bug(
        plant=links.what_may_be_granted_is_left, layer=MODEL, world=linking.FOR_NOW
    ),
    "a later no of a partner revokes nothing": Bug(
        plant=links.a_later_no_is_a_failure, layer=MODEL, world=linking.FOR_NOW
    ),
    "at the deadline nothing is revoked": Bug(
        plant=links.the_deadline_revokes_nothing, layer=MODEL, world=linking.FOR_NOW
    ),
    "a membership for now is never made good": Bug(
        plant=links.for_now_is_for_good, layer=SIMULATION, seed=3
    ),
    "a refused revoke of a membership is done": Bug(
        plant=links.a_refused_revoke_is_done,
        layer=UNIT,
        test=f"{LINKS}::test_a_revoke_that_core_refuses_is_for_a_person",
    ),
    "the removal of a link revokes nothing": Bug(
        plant=links.a_removal_revokes_nothing, layer=SIMULATION, seed=3
    ),
    "a membership of several matches is granted for good": Bug(
        plant=links.a_member_is_never_confirmed, layer=SIMULATION, seed=8
    ),
    "nobody looks whether a card is linked already": Bug(
        plant=links.nobody_looks_what_stands, layer=SIMULATION, seed=3
    ),
    "the removal of an old link removes the new one": Bug(
        plant=links.any_link_is_the_one_that_stands,
        layer=UNIT,
        test=f"{LINKS}::test_the_removal_of_an_old_link_leaves_the_new_one",
    ),
    "a repeated check has another key": Bug(
        plant=links.a_repeat_is_another_check, layer=SIMULATION, seed=3
    ),
    "an answer to an earlier check counts": Bug(
        plant=links.old_answers_count,
        layer=UNIT,
        test=f"{LINKS}::test_an_answer_to_an_earlier_check_overrides_nothing",
    ),
    "a partner's code is taken for one of ours": Bug(
        plant=links.a_partners_code_is_ours,
        layer=UNIT,
        test=f"{LINKS}::test_a_partners_code_is_never_taken_for_one_of_ours",
    ),
    "a grant for now is taken for a failure": Bug(
        plant=links.a_grant_for_now_is_a_failure, layer=MODEL, world=linking.FOR_NOW
    ),
    "that nobody may join fails the order": Bug(
        plant=links.a_no_is_a_failure,
        layer=UNIT,
        test=f"{LINKS}::test_a_card_that_is_not_eligible_is_no_failure",
    ),
    "two links of one card run at once": Bug(
        plant=links.two_may_run_for_one_card, layer=SIMULATION, seed=3
    ),
    "a grant that core refuses is granted": Bug(
        plant=links.hears_core(MembershipVerb.GRANT, LinkTrigger.GRANTED),
        layer=UNIT,
        test=f"{LINKS}::test_a_grant_that_core_refuses_fails_the_order",
    ),
    "a confirmation that core refuses is confirmed": Bug(
        plant=links.hears_core(MembershipVerb.CONFIRM, LinkTrigger.CONFIRMED),
        layer=UNIT,
        test=f"{LINKS}::test_a_confirmation_that_core_refuses_is_for_a_person",
    ),
    "the notification is dropped": Bug(plant=notification_dropped, layer=SIMULATION),
    "the sweeper marks and does not wake": Bug(
        plant=sweeper_does_not_ring, layer=SIMULATION, seed=1
    ),
    "an audit line is missing": Bug(plant=audit_line_missing, layer=CRASHES),
    "the amount is not compared": Bug(
        plant=amount_not_compared, layer=SIMULATION, seed=40
    ),
    "an answer is thrown away after a lost compare-and-set": Bug(
        plant=late_answer_thrown_away,
        layer=CRASHES,
        scenario="the repeat asks, cancelled",
    ),
    "a cancel rolls back while a create is in flight": Bug(
        plant=cancel_in_flight, layer=MODEL, world=replace(PAIR, cancels=1)
    ),
    "a dead letter is not kept before it is gone": Bug(
        plant=not_dead_lettered, layer=SIMULATION
    ),
    "a webhook is applied before the create has answered": Bug(
        plant=never_early, layer=MODEL, world=replace(PAIR, webhook=("failed",))
    ),
    "absence is proof before the grace": Bug(
        plant=guard(Guard.ABSENCE_IS_PROOF, lambda f: f.terms.not_found_definite),
        layer=SIMULATION,
    ),
    "a create is repeated where it pays twice": Bug(
        plant=always_repeats, layer=SIMULATION
    ),
    "a create is repeated once a rollback is due": Bug(
        plant=repeats_before_it_rolls_back, layer=MODEL, world=REPEAT_ASKS
    ),
    "a create is repeated before its rollback, in the simulation": Bug(
        plant=repeats_before_it_rolls_back, layer=SIMULATION
    ),
    "a create is repeated after its key's lifetime": Bug(
        plant=repeats_for_ever, layer=MODEL, world=KEYS_DIE
    ),
    "an order is accepted twice": Bug(plant=submitted_twice, layer=SIMULATION),
    "a name without a key is counted": Bug(
        plant=any_name_counts,
        layer=UNIT,
        test=f"{PROPOSALS}::test_nobody_without_a_key_decides_at_any_amount",
    ),
    "a proposal is written as often as it is made": Bug(
        plant=proposed_again,
        layer=UNIT,
        test=f"{PROPOSALS}::test_the_same_is_written_once_and_so_many_at_most",
    ),
    "one person decides for two": Bug(
        plant=one_pair_of_eyes,
        layer=UNIT,
        test=f"{PERSONS}::test_one_person_decides_nothing_whatever_is_said_second",
    ),
    "what commits late is in no anchor": Bug(
        plant=late_commits_are_lost,
        layer=UNIT,
        test=f"{ANCHORS}::test_a_line_that_commits_late_is_in_the_next_anchor",
    ),
    "who commits late was the last to begin, and is in no anchor": Bug(
        plant=the_last_that_has_begun_is_lost,
        layer=UNIT,
        test=f"{ANCHORS}::test_who_commits_late_may_be_the_last_that_has_begun",
        alone=True,
    ),
    "a forged anchor keeps all others in": Bug(
        plant=a_forged_anchor_counts,
        layer=UNIT,
        test="tests/service/test_anchor_sinks.py"
        "::test_what_others_write_there_keeps_no_line_back",
    ),
    "an erased order is not missed": Bug(
        plant=the_erased_are_not_missed,
        layer=UNIT,
        test=f"{VERIFIED}::test_an_erased_order_is_found_with_each_of_its_chains",
    ),
    "a row that was changed is stepped on": Bug(
        plant=seals_are_not_looked_at,
        layer=UNIT,
        test=f"{TAMPERING}::test_no_step_is_made_of_a_row_that_was_changed",
    ),
    "a planted first vote counts": Bug(
        plant=seals_are_not_looked_at,
        layer=UNIT,
        test=f"{TAMPERING}::test_a_planted_first_vote_does_not_count",
    ),
    "another amount is committed": Bug(
        plant=requests_are_believed,
        layer=UNIT,
        test=f"{TAMPERING}::test_what_was_changed_is_neither_committed_nor_rolled_back",
    ),
    "what a step came to is sent on unlooked at": Bug(
        plant=results_are_believed,
        layer=UNIT,
        test="tests/handlers/test_order_row.py::"
        "test_another_result_is_found_before_the_next_step",
    ),
    "a checkout of another amount than its items' is taken": Bug(
        plant=sums_are_believed,
        layer=UNIT,
        test="tests/wire/test_checkout.py::"
        "test_another_amount_than_the_sum_is_refused_and_told_it",
    ),
    "a planted webhook is believed": Bug(
        plant=the_inbox_is_believed,
        layer=UNIT,
        test=f"{TAMPERING}::test_a_webhook_that_nobody_sent_moves_nothing",
    ),
    "a planted return is settled": Bug(
        plant=a_planted_return_is_settled,
        layer=UNIT,
        test=f"{TAMPERING}::test_a_planted_return_is_settled_by_nobody",
    ),
    "a planted return is settled by a planted line": Bug(
        plant=a_forged_line_opens_a_case,
        layer=UNIT,
        test=f"{TAMPERING}::"
        "test_a_planted_return_is_settled_by_no_line_that_is_planted_too",
    ),
    "a threshold that was written past the service is believed": Bug(
        plant=thresholds_are_believed,
        layer=UNIT,
        test=f"{PEOPLE}::test_a_planted_threshold_lets_nobody_decide_alone",
    ),
    "an invented order is believed": Bug(
        plant=the_invented_are_believed,
        layer=UNIT,
        test=f"{VERIFIED}::test_an_invented_order_is_found",
    ),
    "a link that stands no more is unlinked once more": Bug(
        plant=what_was_unlinked_is_unlinked_again,
        layer=UNIT,
        test="tests/handlers/test_unlinking.py::"
        "test_a_link_that_was_removed_is_not_removed_again",
    ),
    "an order that has unlinked another link is a repeat": Bug(
        plant=what_unlinked_another_is_a_repeat,
        layer=UNIT,
        test="tests/handlers/test_unlinking.py::"
        "test_an_id_that_removed_an_older_link_removes_no_newer_one",
    ),
    "what stands of a card is told by one clock": Bug(
        plant=clocks_never_part,
        layer=UNIT,
        test="tests/handlers/test_unlinking.py::"
        "test_a_removed_link_stands_for_no_clock_that_is_behind",
    ),
    "a key stores orders of merchants that are not its own": Bug(
        plant=merchants_bind_nothing,
        layer=UNIT,
        test=f"{KEYS}::test_orders_of_other_merchants_are_not_stored",
    ),
    "a key finds orders of merchants that are not its own": Bug(
        plant=others_orders_are_found,
        layer=UNIT,
        test="tests/storage/test_reads.py::"
        "test_for_who_may_see_some_merchants_there_are_no_others",
    ),
    "a second key is a second person": Bug(
        plant=a_key_is_a_person,
        layer=UNIT,
        test=f"{KEYS}::test_who_votes_is_the_person_behind_the_key",
    ),
    "a key is taken after its last day": Bug(
        plant=keys_live_for_ever,
        layer=UNIT,
        test=f"{KEYS}::test_a_key_is_taken_to_the_end_of_its_last_day_in_utc",
    ),
    "a revoked key is taken until the process ends": Bug(
        plant=revoked_keys_stay,
        layer=UNIT,
        test=f"{KEYS}::test_a_key_that_is_gone_from_the_database_is_not_taken_any_more",
    ),
    "a process without the database takes its keys for ever": Bug(
        plant=known_keys_need_no_database,
        layer=UNIT,
        test=f"{KEYS}::test_without_the_database_its_keys_are_taken_for_a_bounded_time",
    ),
    "who waits with a key is not asked for it again": Bug(
        plant=who_waits_is_let_be,
        layer=UNIT,
        test=f"{KEYS}::test_a_key_that_expires_while_it_waits_is_answered_401",
    ),
    "one admin makes a second person of himself": Bug(
        plant=one_makes_two,
        layer=UNIT,
        test=f"{PEOPLE}::test_where_two_decide_two_make_a_key_that_decides_or_orders",
    ),
    "who revokes all others is the only admin there is": Bug(
        plant=whoever_is_left_is_alone,
        layer=UNIT,
        test=f"{PEOPLE}::test_who_has_revoked_all_others_is_not_alone",
    ),
    "one admin has two asked less often": Bug(
        plant=one_loosens,
        layer=UNIT,
        test=f"{PEOPLE}::test_a_looser_amount_takes_two",
    ),
    "a key that was written past the service is taken": Bug(
        plant=unsigned_keys_are_taken,
        layer=UNIT,
        test=f"{PEOPLE}::test_a_key_changed_in_the_database_is_not_taken",
    ),
    "a charge that is only taken is charged": Bug(
        plant=collected.taken_is_charged,
        layer=UNIT,
        test=f"{REST_CHARGES}::"
        "test_a_charge_is_what_the_contract_says_and_nothing_else",
    ),
    "a charge that is shown as it was is taken for its refund": Bug(
        plant=collected.a_charge_as_it_was_is_a_refund,
        layer=UNIT,
        test=f"{REST_CHARGES}::test_only_the_word_refunded_is_a_refund",
    ),
    "a charge is told again to who promised to know no key": Bug(
        plant=collected.nobody_promised_to_know_a_key,
        layer=UNIT,
        test=f"{REST_CHARGES}::test_its_policy_is_what_the_table_promises_of_charges",
    ),
    "a table of payouts collects": Bug(
        plant=collected.a_form_of_payouts_collects,
        layer=UNIT,
        test=f"{REST_CHARGES}::test_a_table_that_cannot_collect_is_refused_by_name",
    ),
    "an intent that waits for its customer is taken for a no": Bug(
        plant=collected.who_waits_has_refused,
        layer=UNIT,
        test=f"{STRIPE_CHARGES}::"
        "test_what_waits_for_a_customer_is_cancelled_and_then_a_no",
    ),
    "a refund that is on its way is made": Bug(
        plant=collected.a_refund_on_its_way_is_made,
        layer=UNIT,
        test=f"{STRIPE_CHARGES}::test_one_on_its_way_is_looked_at_itself",
    ),
    "a webhook settles a charge": Bug(
        plant=collected.a_webhook_settles_a_charge,
        layer=UNIT,
        test="tests/handlers/test_charge_webhooks.py::"
        "test_of_a_charge_that_is_asked_about_the_answer_counts",
    ),
    "a service's page is taken for a step that is done": Bug(
        plant=services.a_page_is_a_yes,
        layer=UNIT,
        test=f"{SERVICES}::test_anything_else_is_unclear",
    ),
    "a service's answer about another step is taken": Bug(
        plant=services.any_steps_answer_will_do,
        layer=UNIT,
        test=f"{SERVICES}::test_anything_else_is_unclear",
    ),
    "a service's refusal without a code is final": Bug(
        plant=services.a_no_needs_no_code,
        layer=UNIT,
        test=f"{SERVICES}::test_anything_else_is_unclear",
    ),
    "a service's answer that was lost was never asked for": Bug(
        plant=services.a_lost_answer_was_not_sent,
        layer=UNIT,
        test=f"{SERVICES}::test_a_lost_answer_is_unclear_and_what_was_never_sent_is_not",
    ),
    "a service's result is taken that cannot be stored": Bug(
        plant=services.any_result_can_be_kept,
        layer=UNIT,
        test=f"{SERVICES}::test_what_cannot_be_stored_and_sent_on_is_not_taken",
    ),
    "a default holds for what could be undone": Bug(
        plant=services.a_default_holds_for_anything,
        layer=UNIT,
        test="tests/providers/config/test_config.py::test_an_unsafe_service_is_refused",
    ),
    "a check that was lost was never sent": Bug(
        plant=partners.a_lost_check_was_not_sent,
        layer=UNIT,
        test="tests/providers/partners/test_rest_partner.py::"
        "test_a_connection_that_breaks_is_unclear",
    ),
    "a partner's answer that was lost is a no": Bug(
        plant=partners.silence_is_a_no,
        layer=UNIT,
        test="tests/providers/partners/test_rest_partner.py::"
        "test_a_connection_that_breaks_is_unclear",
    ),
    "of lines that contradict each other the last one counts": Bug(
        plant=partners.a_later_line_outvotes_the_other,
        layer=UNIT,
        test="tests/providers/partners/test_reconciling.py::"
        "test_lines_that_contradict_each_other_prove_nothing",
    ),
    "a line about an earlier link of the card counts": Bug(
        plant=partners.lines_of_an_earlier_link_count,
        layer=UNIT,
        test="tests/providers/partners/test_reconciling.py::"
        "test_a_line_from_before_the_link_says_nothing_of_it",
    ),
    "odd lines are dropped in silence": Bug(
        plant=partners.odd_lines_are_dropped_in_silence,
        layer=UNIT,
        test="tests/providers/partners/test_report.py::"
        "test_each_line_is_read_or_named_and_none_is_lost",
    ),
    "a line that is still being written is taken": Bug(
        plant=partners.a_line_that_does_not_end_is_taken,
        layer=UNIT,
        test="tests/providers/partners/test_report.py::"
        "test_a_last_line_without_its_end_may_still_be_written",
    ),
    "a paused partner is asked all the same": Bug(
        plant=partners.a_paused_partner_is_asked,
        layer=UNIT,
        test="tests/providers/health/test_observed_partners.py::"
        "test_a_paused_partner_is_asked_nothing_and_told_of_revokes",
    ),
    "a partner's ranges of card numbers may overlap": Bug(
        plant=partners.ranges_may_overlap,
        layer=UNIT,
        test="tests/providers/config/test_partner_config.py::"
        "test_what_is_unsafe_is_refused",
    ),
    "core grants what was revoked before": Bug(
        plant=partners.a_grant_after_its_revoke_stands,
        layer=UNIT,
        test="tests/providers/test_memberships.py::test_both_tell_the_same_story",
    ),
    "a webhook that stands as dealt with was heard, whatever the trail says": Bug(
        plant=what_stands_as_known_was_heard,
        layer=UNIT,
        test="tests/tampering/test_kinds.py::test_verify_finds_it",
    ),
    "a link has heard as many answers as it says, whatever the trail says": Bug(
        plant=links_count_as_they_say,
        layer=UNIT,
        test="tests/tampering/test_kinds.py::test_verify_finds_it",
    ),
}
