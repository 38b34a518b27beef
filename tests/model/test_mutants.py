"""Bugs are planted one at a time, and the search has to find each of them."""

from dataclasses import replace

import pytest

from fsm.engine import decide as decisions
from fsm.engine import graph
from fsm.engine.steps import Event
from fsm.engine.words import EngineTrigger, EngineWait, State
from fsm.flows import RULES
from fsm.payout import guards
from fsm.payout.hearing import PayoutHearing
from fsm.payout.table import Guard
from fsm.payout.words import Trigger, Waiting
from handlers.ports.core import Operation
from handlers.withdrawal import answers, asked, balance, calls, create, status
from tests.model.asking import NOW
from tests.model.checker import check
from tests.model.setups import ASKED, BOTH, DEFINITE, FORGETFUL, IDEMPOTENT, UNASKED
from tests.model.world import Bugs, Setup

ALONE = Setup(
    name="one worker", plan=DEFINITE, workers=1, overlaps=0, webhook=(), cancels=1
)
UNANSWERED = replace(ALONE, name="one worker, no answer", answers_status=False)
REFUSING = replace(ALONE, name="core refuses once", refusals=1)
POLITE = replace(REFUSING, name="core refuses once, idempotent", plan=BOTH)
ASKING = replace(ALONE, name="only asked, one worker", plan=ASKED)
PAIR = Setup(name="two workers", plan=DEFINITE, providers=1, webhook=())
CANCELLED = replace(PAIR, name="two workers, cancelled", crashes=0, cancels=1)
TOLD = replace(PAIR, name="two workers, webhooks", webhook=("failed",))
PAUSED = replace(PAIR, name="two workers, paused", providers=2, crashes=0, gates=True)
BRITTLE = replace(IDEMPOTENT, recheck_attempts=1)
REPEATING = Setup(name="repeats", plan=BRITTLE, providers=1, webhook=())
REPEAT_ASKS = Setup(name="the repeat asks", plan=UNASKED, providers=1, crashes=0)
UNTOLD = replace(REPEAT_ASKS, name="the repeat asks, no webhook", webhook=())
REPEAT_ALONE = replace(UNTOLD, name="the repeat asks, alone", workers=1, overlaps=0)
KEYS_DIE = replace(UNTOLD, name="the repeat asks, keys die", plan=FORGETFUL)
KEYS_DIE_CRASH = replace(KEYS_DIE, name="the repeat asks, keys die, crash", crashes=1)
ERRS = Setup(
    name="a person errs", plan=ASKED, workers=1, overlaps=0, misreads=1, webhook=()
)
ERRS_UNANSWERED = replace(
    ERRS, name="a person, no answer", misreads=0, answers_status=False
)
WORLDS = (
    ALONE,
    UNANSWERED,
    REFUSING,
    POLITE,
    ASKING,
    PAIR,
    CANCELLED,
    TOLD,
    PAUSED,
    REPEATING,
    REPEAT_ASKS,
    UNTOLD,
    REPEAT_ALONE,
    KEYS_DIE,
    KEYS_DIE_CRASH,
    ERRS,
    ERRS_UNANSWERED,
)


@pytest.mark.parametrize("setup", WORLDS, ids=lambda setup: setup.name)
def test_every_promise_holds_before_anything_is_planted(setup):
    assert check(setup).broken is None


def broken(setup, bugs=None):
    """Return what a search finds with something planted, in a world that holds."""
    assert setup in WORLDS
    return check(setup, bugs).broken


def hearing(state, heard, taken_for):
    """Plant: in that state one answer is taken for another."""

    def hears(event, task):
        wrong = task.state is state and event.trigger is heard
        return replace(event, trigger=taken_for) if wrong else event

    return Bugs(hears=hears)


HEARD_WRONG = {
    "the cascade goes on after a timeout": (
        hearing(State.CREATING, Trigger.UNCLEAR, Trigger.DECLINED),
        ALONE,
    ),
    "a timeout is taken for a request that was not sent": (
        hearing(State.CREATING, Trigger.UNCLEAR, Trigger.NOT_SENT),
        ALONE,
    ),
    "it is rolled back while nobody knows": (
        hearing(State.RECHECKING, Trigger.UNCLEAR, Trigger.DECLINED),
        ALONE,
    ),
    "it is committed without a proof": (
        hearing(State.CREATING, Trigger.ACCEPTED, Trigger.PAID),
        ALONE,
    ),
    "a refused rollback is taken for done": (
        hearing(
            State.NEGATIVE_EVAL, Trigger.ROLLBACK_REFUSED, Trigger.ROLLBACK_CONFIRMED
        ),
        POLITE,
    ),
    "a refused commit is taken for done": (
        hearing(State.EXECUTING, Trigger.COMMIT_REFUSED, Trigger.COMMIT_CONFIRMED),
        POLITE,
    ),
    "silence after a cancellation is taken for a yes": (
        hearing(State.EXECUTING, Trigger.CANCEL_UNCLEAR, Trigger.CANCEL_CONFIRMED),
        ALONE,
    ),
    "what is under way is taken for a no": (
        hearing(
            State.MANUAL_CHECK, Trigger.RESOLUTION_STOPPED, Trigger.RESOLUTION_NOT_FOUND
        ),
        ERRS,
    ),
    "silence lets a person's no stand at once": (
        hearing(State.MANUAL_CHECK, Trigger.RESOLUTION_UNANSWERED, Trigger.DECLINED),
        ERRS,
    ),
    "silence overrules a person": (
        hearing(State.MANUAL_CHECK, Trigger.RESOLUTION_UNANSWERED, Trigger.PAID),
        ERRS,
    ),
    "too late to cancel is not heard": (
        hearing(State.EXECUTING, Trigger.CANCEL_TOO_LATE, Trigger.RETRY_DUE),
        ALONE,
    ),
}


@pytest.mark.parametrize("bug", HEARD_WRONG)
def test_an_answer_taken_for_another_is_found(bug):
    bugs, setup = HEARD_WRONG[bug]

    assert broken(setup, bugs)


@pytest.mark.parametrize(
    ("bugs", "setup"),
    [
        pytest.param(Bugs(no_version_check=True), PAIR, id="no version check"),
        pytest.param(Bugs(always_claims=True), PAIR, id="not sent without a claim"),
        pytest.param(Bugs(claims_never_age=True), PAIR, id="claims never age"),
        pytest.param(Bugs(answers_never_age=True), PAIR, id="answers never age"),
    ],
)
def test_a_handler_that_trusts_too_much_is_found(bugs, setup):
    assert broken(setup, bugs)


def test_a_next_freeze_before_the_rollback_is_found():
    def follows(_, step):
        waiting = [t for t in step.after.tasks if t.waiting_for is EngineWait.TURN]
        rolls_back = any(t.waiting_for is Waiting.ROLLBACK for t in step.after.tasks)
        if not (rolls_back and waiting) or step.queue:
            return step
        turn = Event(trigger=EngineTrigger.TURN_CAME)
        change = graph.ruled(waiting[0], turn, RULES, NOW)
        after = step.after.with_tasks({change.after.task_id: change.after})
        return replace(step, changes=(*step.changes, change), after=after)

    # Two holds are seen where core refuses the rollback that should have come first.
    assert broken(REFUSING, Bugs(follows=follows))


def test_an_absence_trusted_before_the_grace_is_found(monkeypatch):
    trusting = Guard.ABSENCE_IS_PROOF
    monkeypatch.setitem(guards.GUARDS, trusting, lambda f: f.terms.not_found_definite)

    assert broken(ALONE)


def test_a_repeated_create_where_it_makes_a_second_payout_is_found(monkeypatch):
    monkeypatch.setitem(guards.GUARDS, Guard.MAY_REPEAT_CREATE, lambda _: True)
    repeats_always(monkeypatch)

    assert broken(ASKING)


def test_a_cancel_that_takes_effect_while_a_create_may_be_sent_is_found(monkeypatch):
    sent_or_not = {Waiting.CREATE, Waiting.CREATE_RETRY}
    monkeypatch.setitem(
        guards.GUARDS, Guard.UNSENT, lambda f: f.task.waiting_for in sent_or_not
    )

    assert broken(CANCELLED)


def test_a_webhook_applied_before_the_create_has_answered_is_found(monkeypatch):
    monkeypatch.setattr(PayoutHearing, "is_early", lambda *_: False)

    assert broken(TOLD)


def test_a_create_repeated_without_a_claim_is_found(monkeypatch):
    monkeypatch.setattr(calls, "create", sends_again)

    assert broken(REPEATING)


def test_a_repeat_once_a_rollback_is_due_is_found(monkeypatch):
    monkeypatch.setattr(calls, "balance", repeating_first(balance.balance))

    assert broken(REPEAT_ASKS)


def test_a_repeat_after_a_persons_no_is_found(monkeypatch):
    only = lambda task: task.proposed_by  # noqa: E731
    monkeypatch.setattr(calls, "balance", repeating_first(balance.balance, only))

    found = check(UNTOLD, Bugs(follows=remembers_the_person))

    assert found.broken
    assert "a person decides" in str(found)


def test_a_no_that_nobody_asks_about_is_found(monkeypatch):
    monkeypatch.setitem(guards.GUARDS, Guard.NO_IS_KNOWN, guards._decidable)

    assert broken(ERRS)


def test_a_no_that_is_acted_on_before_the_answer_is_found(monkeypatch):
    monkeypatch.setitem(guards.GUARDS, Guard.ASKED_ENOUGH, guards._asking)
    monkeypatch.setattr(calls, "last_question", stands_unasked)

    assert broken(ERRS)


async def stands_unasked(_order, task, _engine):
    return status._unasked_no(task)


def test_a_last_question_that_repeats_the_create_is_found(monkeypatch):
    monkeypatch.setattr(calls, "last_question", asks_by_a_create)

    assert broken(ERRS)


async def asks_by_a_create(order, task, ports):
    provider = ports.providers.get(task.provider)
    heard = await provider.create(asked.payout_of(order, task))
    return answers.event_of_create(heard, order, task)


def test_a_last_question_without_an_end_is_found(monkeypatch):
    monkeypatch.setitem(guards.GUARDS, Guard.ASKED_ENOUGH, lambda _: False)

    assert broken(ERRS_UNANSWERED) == "no way to rest from here"


def remembers_the_person(_, step):
    change = step.changes[0]
    if change.trigger != Trigger.RESOLUTION_UNASKED:
        return step
    change = replace(change, after=replace(change.after, proposed_by="a person"))
    after = step.after.with_tasks({change.after.task_id: change.after})
    return replace(step, changes=(change,), after=after)


def repeating_first(really, only=lambda task: task.taken):
    """Plant: who is to roll back asks once more, since the status cannot be asked."""

    async def moved(operation, order, task, ports):
        asks = operation is Operation.ROLLBACK and only(task)
        if not asks:
            return await really(operation, order, task, ports)
        provider = ports.providers.get(task.provider)
        heard = await provider.create(asked.payout_of(order, task))
        return answers.event_of_create(heard, order, task)

    return moved


def test_a_repeat_after_the_keys_lifetime_is_found(monkeypatch):
    idle = lambda f: f.task.waiting_for is Waiting.RECHECK  # noqa: E731
    monkeypatch.setitem(guards.GUARDS, Guard.REPEAT_ASKS, idle)
    repeats_always(monkeypatch)

    assert broken(KEYS_DIE)


def test_a_repeat_by_who_slept_past_the_keys_lifetime_is_found(monkeypatch):
    monkeypatch.setattr(calls, "create", without_a_second_look(create.create))

    assert broken(KEYS_DIE_CRASH)


def without_a_second_look(really):
    async def create(order, task, ports, view):
        if view.claims(task):
            return await sends_again(order, task, ports, view)
        return await really(order, task, ports, view)

    return create


def test_a_repeat_that_the_table_does_not_know_is_found(monkeypatch):
    monkeypatch.setitem(guards.GUARDS, Guard.REPEAT_ASKS, lambda _: False)

    assert broken(REPEAT_ALONE) == "no way to rest from here"


def repeats_always(monkeypatch):
    for module in (create, status):
        monkeypatch.setattr(module, "may_repeat", lambda *_: True)


async def sends_again(order, task, ports, view):
    provider = ports.providers.get(task.provider)
    return await create._send(provider, order, task, ports, view)


def test_a_worker_before_that_may_have_sent_it_forgotten_is_found(monkeypatch):
    forgets = lambda f: f.task.verdict is None  # noqa: E731
    monkeypatch.setitem(guards.GUARDS, Guard.NEVER_SENT, forgets)

    assert broken(REPEATING)


def test_one_that_is_passed_over_without_a_rollback_is_found():
    assert broken(PAUSED, Bugs(follows=skips))


def skips(queue, step):
    """Plant: a provider that is paused is skipped at once; nobody asks for the hold."""
    if step.changes[0].trigger != Trigger.PASSED_OVER:
        return step
    change = step.changes[0]
    gone = replace(
        change.after, state=State.SKIPPED, waiting_for=None, wake_at=None, verdict=None
    )
    return decisions.step_of(queue, [replace(change, after=gone)], (), RULES, NOW)


def test_a_timer_that_is_never_acted_on_is_found(monkeypatch):
    monkeypatch.setitem(guards.GUARDS, Guard.POLLING, lambda _: False)

    assert broken(UNANSWERED) == "no way to rest from here"


def test_a_story_tells_every_step_up_to_the_broken_promise():
    bug, setup = HEARD_WRONG["the cascade goes on after a timeout"]

    told = str(check(setup, bug))

    assert "BROKEN: " in told
    assert "1. a message wakes worker A" in told
