"""Every thing that can happen has a sentence, and tells what it was proven by."""

from dataclasses import replace

import pytest

from fsm.domain.audit import AuditLine
from fsm.domain.explain import explain, in_words
from fsm.domain.money import Money
from fsm.domain.orders import Order
from fsm.engine.flow import Rules
from fsm.engine.rows import Queue, Task
from fsm.engine.sentences import Sentences
from fsm.engine.words import EngineTrigger, EngineWait, State, Verdict
from fsm.flows import RULES
from fsm.payout.sentences import HAPPENED, WAITS
from fsm.payout.timers import TIMERS
from fsm.payout.words import Trigger
from payment_service.playground.memory.clock import START
from tests.fsm.chores import LIFECYCLES, Chore, ChoreWait

CARD = "4111111111111111"


class ChoreSentences(Sentences):
    happened = {Chore.REFUSED: "Ann would not"}  # noqa: RUF012 - as its base has it
    waits = {ChoreWait.DO: "Ann is at it"}  # noqa: RUF012 - likewise


CHORE = LIFECYCLES["work"]
TOLD = replace(CHORE, sentences=ChoreSentences())


def a_task(position=0, provider="acme", **changes):
    task = Task(
        task_id=f"task-{position}", queue_id="q", position=position, provider=provider
    )
    return replace(task, **changes)


def an_order(*tasks):
    return Order(
        queue=Queue(queue_id="q", tasks=tasks),
        order_id="w-1",
        merchant_id="m-1",
        customer_id="c-9",
        money=Money(12550, "EUR"),
        destination={},
        created_at=START,
    )


def a_line(trigger, task="task-0", *, state="CREATING", **detail):
    return AuditLine(
        entity_id=task,
        queue_id="q",
        version=1,
        source=state,
        target="X",
        trigger=trigger,
        actor="system",
        at=START,
        trace_id=None,
        detail=detail,
        key_id="open",
        hash=b"",
    )


def story(*lines, **task):
    (attempt,) = explain(an_order(a_task(**task)), lines, RULES)
    return attempt


@pytest.mark.parametrize("trigger", Trigger)
def test_everything_that_can_happen_has_a_sentence(trigger):
    assert story(a_line(trigger), state=State.EXECUTING).because == (
        [HAPPENED[trigger]]
    )


@pytest.mark.parametrize("name", RULES.lifecycles)
def test_every_lifecycle_has_words_for_all_that_can_happen(name):
    lifecycle = RULES.lifecycles[name]

    untold = [
        word
        for word in (*EngineTrigger, *lifecycle.triggers)
        if lifecycle.sentences.of(word) is None
    ]
    assert untold == []


@pytest.mark.parametrize("wait", TIMERS)
def test_what_time_ends_is_told_while_it_is_waited_for(wait):
    told = story(waiting_for=wait, state=State.EXECUTING).because

    assert told == [WAITS[wait]]


def test_an_attempt_of_another_kind_is_told_in_its_own_words():
    house = Rules({**RULES.lifecycles, CHORE.name: TOLD}, RULES.flows)
    chore = a_task(lifecycle=CHORE.name, name="Ann", waiting_for=ChoreWait.DO)
    lines = (a_line(EngineTrigger.TURN_CAME), a_line(Chore.REFUSED))

    (attempt,) = explain(an_order(chore), lines, house)

    assert attempt.words == "Ann: its turn came → Ann would not → Ann is at it"


def test_what_nobody_has_words_for_is_told_by_the_engine_alone():
    bare = replace(TOLD, sentences=Sentences())
    house = Rules({**RULES.lifecycles, CHORE.name: bare}, RULES.flows)
    chore = a_task(lifecycle=CHORE.name, name="Ann", waiting_for=EngineWait.DECISION)
    lines = (a_line(EngineTrigger.UNDO_DUE), a_line(Chore.REFUSED))

    (attempt,) = explain(an_order(chore), lines, house)

    assert attempt.because == [
        "the order turned back: it is to be undone",
        "it waits for a person's decision",
    ]


def test_no_two_things_are_told_alike():
    assert len({*HAPPENED.values()}) == len(HAPPENED)


@pytest.mark.parametrize(
    ("trigger", "state", "detail", "told"),
    [
        (
            Trigger.DECLINED,
            "CREATING",
            {
                "code": "insufficient_funds",
                "evidence": {"http_status": 402, "status": "declined"},
            },
            ": insufficient_funds (create answered HTTP 402, status declined)",
        ),
        (
            Trigger.NOT_FOUND,
            "RECHECKING",
            {"evidence": {"http_status": 404}},
            " (status answered HTTP 404)",
        ),
        (
            Trigger.CANCEL_CONFIRMED,
            "EXECUTING",
            {"code": "cancelled", "evidence": {"http_status": 200}},
            ": cancelled (cancel answered HTTP 200)",
        ),
        (
            Trigger.PAID,
            "EXECUTING",
            {"source": "webhook", "evidence": {"event_id": "evt_7", "type": "x"}},
            " (webhook evt_7)",
        ),
        (
            EngineTrigger.RESOLVED_NEGATIVE,
            "MANUAL_CHECK",
            {"reason": "not in the statement", "evidence": "line 17"},
            ": not in the statement",
        ),
    ],
)
def test_a_sentence_has_the_evidence_in_words(trigger, state, detail, told):
    (sentence,) = story(a_line(trigger, state=state, **detail)).because

    assert sentence == HAPPENED[trigger] + told


@pytest.mark.parametrize(
    ("verdict", "trigger"),
    [
        (Verdict.NOT_PAID, Trigger.DECLINED),
        (Verdict.NOT_PAID, Trigger.NOT_FOUND),
        (Verdict.NOT_PAID, Trigger.NOT_SENT),
        (Verdict.NOT_PAID, Trigger.CANCEL_CONFIRMED),
        (Verdict.NOT_PAID, EngineTrigger.RESOLVED_NEGATIVE),
        (Verdict.NOT_PAID, EngineTrigger.SETTLED_NEGATIVE),
        (Verdict.PAID, Trigger.PAID),
        (Verdict.PAID, EngineTrigger.RESOLVED_POSITIVE),
        (Verdict.PAID, EngineTrigger.SETTLED_POSITIVE),
        (None, Trigger.FREEZE_REFUSED),
    ],
)
def test_the_line_that_proves_the_end_is_found(verdict, trigger):
    proof = a_line(trigger)
    lines = (a_line(Trigger.UNCLEAR), proof, a_line(Trigger.ROLLBACK_CONFIRMED))

    assert story(*lines, verdict=verdict).proof is proof


def test_an_unclear_answer_proves_nothing():
    assert story(a_line(Trigger.UNCLEAR), state=State.RECHECKING).proof is None


def test_what_happened_in_a_row_is_told_once():
    unclear = a_line(Trigger.UNCLEAR)

    (sentence,) = story(unclear, unclear, unclear, state=State.RECHECKING).because

    assert sentence.endswith("(3 times)")


def test_the_whole_order_is_told_in_one_line():
    order = an_order(
        a_task(state=State.SKIPPED), a_task(1, "zeta", state=State.PENDING)
    )
    lines = (a_line(Trigger.DECLINED, code="no"), a_line(Trigger.ROLLBACK_CONFIRMED))

    assert in_words(explain(order, lines, RULES)) == (
        "acme: the provider says a definite no: no → core released the money → "
        "zeta: not tried yet: it waits for its turn"
    )


def test_a_card_number_that_somebody_wrote_is_not_told():
    attempt = story(a_line(EngineTrigger.RESOLVED_POSITIVE, reason=CARD))

    assert CARD not in attempt.words


def test_a_repeat_that_is_the_question_is_told_as_a_create():
    told = story(
        a_line(Trigger.REPEAT_DUE, state="RECHECKING"),
        a_line(
            Trigger.PAID,
            state="RECHECKING",
            question="create",
            evidence={"http_status": 200},
        ),
    )

    assert told.because == [
        HAPPENED[Trigger.REPEAT_DUE],
        "the provider says that it has paid (create answered HTTP 200)",
    ]


def test_what_an_unreadable_answer_was_is_told():
    page = "the body cannot be read: it is an HTML page"
    told = story(a_line(Trigger.UNCLEAR, message=page, evidence={"http_status": 502}))

    (sentence,) = told.because
    assert sentence.endswith(f"it may have paid: {page} (create answered HTTP 502)")
