"""Hypothesis plays everybody around the service, and shrinks what goes wrong."""

import os
from collections import deque
from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from fsm.domain.webhook_events import WebhookEvent, WebhookEventType
from fsm.engine.words import State
from fsm.payout.policy import ProviderPolicy
from handlers.resolve import Ruling
from payment_service.playground.memory.clock import run
from payment_service.playground.memory.effects import FailureForm
from payment_service.playground.memory.providers import (
    ACCEPTS,
    ACCEPTS_SILENTLY,
    DECLINES,
    DECLINES_SILENTLY,
    LOSES_REQUEST,
    PAYS,
    PAYS_SILENTLY,
    UNREACHABLE,
    PayoutFate,
)
from payment_service.playground.memory.world import a_request
from tests.world.judged import World

CONDUCTS = st.sampled_from(
    [
        PAYS,
        ACCEPTS,
        DECLINES,
        UNREACHABLE,
        LOSES_REQUEST,
        PAYS_SILENTLY,
        ACCEPTS_SILENTLY,
        DECLINES_SILENTLY,
    ]
)
PLANS = st.builds(
    ProviderPolicy,
    idempotent_create=st.booleans(),
    not_found_definite=st.booleans(),
    polls=st.booleans(),
    recheck_attempts=st.integers(1, 4),
    sla=st.sampled_from([None, timedelta(seconds=10), timedelta(minutes=15)]),
)
PROVIDERS = ("acme", "zeta")
TELLS = {
    PayoutFate.PAID: WebhookEventType.SUCCEEDED,
    PayoutFate.PENDING: WebhookEventType.ACCEPTED,
}


class Everybody(RuleBasedStateMachine):
    """One service, two orders; every rule is something the outside may do."""

    def __init__(self):
        super().__init__()
        self.world = World()
        self.turns = 0
        self.told: deque[WebhookEvent] = deque(maxlen=5)

    def do(self, work):
        """Run something now; ids differ from turn to turn."""
        self.turns += 1
        return run(work, clock=self.world.clock, seed=self.turns)

    @initialize(
        plans=st.tuples(PLANS, PLANS),
        scripts=st.tuples(st.lists(CONDUCTS, min_size=1, max_size=3), CONDUCTS),
    )
    def providers_are_configured(self, plans, scripts):
        self.world.provider("acme", *scripts[0], plan=plans[0])
        self.world.provider("zeta", scripts[1], plan=plans[1])

    @rule(number=st.integers(1, 2))
    def submit(self, number):
        self.do(self.world.submit(a_request(*PROVIDERS, order_id=f"w-{number}")))

    @rule()
    def publish_and_deliver(self):
        self.do(self.world.deliver())

    @rule()
    def work_off(self):
        self.do(self.world.work_off())

    @rule(form=st.sampled_from(FailureForm), after=st.integers(1, 6))
    def something_goes_wrong_soon(self, form, after):
        effects = self.world.effects
        effects._strikes = {len(effects.log) + after: form}

    @rule()
    def crash(self):
        self.world.die()

    @precondition(lambda self: self.world.bus._work)
    @rule(place=st.integers(0, 100))
    def repeat_a_message(self, place):
        work = self.world.bus._work
        self.world.bus.deliver_again(work[place % len(work)].message)

    @precondition(lambda self: self.world.bus._work)
    @rule(place=st.integers(0, 100))
    def lose_a_message(self, place):
        work = self.world.bus._work
        work.pop(place % len(work))

    @rule()
    def wipe(self):
        self.world.bus.wipe()

    @rule()
    def sweep(self):
        self.do(self.world.alive(self.world.sweep))

    @rule()
    def relay(self):
        self.do(self.world.alive(self.world.relay))

    @rule(seconds=st.sampled_from([0.05, 1, 31, 121, 1000, 90_000]))
    def time_passes(self, seconds):
        self.do(self.world.pass_time(timedelta(seconds=seconds)))

    @rule(name=st.sampled_from(PROVIDERS), paid=st.booleans())
    def a_provider_decides(self, name, paid):
        provider = self.world.providers[name]
        for task in self.do(self.world.tasks()):
            if provider.fate(task.task_id) is PayoutFate.PENDING:
                if paid:
                    provider.pays(task.task_id)
                else:
                    provider.fails(task.task_id)

    @rule(name=st.sampled_from(PROVIDERS))
    def a_provider_tells(self, name):
        provider = self.world.providers[name]
        for task in self.do(self.world.tasks()):
            fate = provider.fate(task.task_id)
            if fate is not None:
                kind = TELLS.get(fate, WebhookEventType.FAILED)
                webhook = self.do(self.world.tell(name, kind, task.task_id))
                self.told.append(webhook)

    @precondition(lambda self: self.told)
    @rule()
    def a_webhook_is_replayed(self):
        assert self.do(self.world.webhook(self.told[0])) is False

    @precondition(lambda self: self.do(self.world.tasks()))
    @rule(whole=st.booleans())
    def cancel(self, whole):
        asked = self.world.cancel_order if whole else self.world.cancel_task
        self.do(asked(insist=True))

    @rule(actor=st.sampled_from(["key:anna", "key:bert"]))
    def a_person_decides(self, actor):
        for task in self.do(self.world.tasks()):
            provider = self.world.providers[task.provider]
            fate = provider.fate(task.task_id)
            if task.state is State.MANUAL_CHECK and fate is not PayoutFate.PENDING:
                paid = fate is PayoutFate.PAID
                ruling = Ruling.POSITIVE if paid else Ruling.NEGATIVE
                deciding = self.world.decide_task(
                    task.task_id, ruling, actor=actor, insist=True
                )
                self.do(deciding)

    @invariant()
    def the_money_adds_up(self):
        assert self.do(self.world.offences(at_rest=False)) == []

    def teardown(self):
        self.world.effects._strikes = {}
        self.do(self.world.rest())
        assert self.do(self.world.offences()) == []


# The same examples in every run: what is new is looked for in the seeds.
TestEverybody = Everybody.TestCase
TestEverybody.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    # A bug that was planted has to be found, and need not be told well.
    phases=[Phase.generate] if "PLANTED_BUG" in os.environ else list(Phase),
    suppress_health_check=list(HealthCheck),
)
