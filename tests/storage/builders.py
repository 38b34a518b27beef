"""Orders, steps and webhooks with boring defaults."""

import hashlib
from dataclasses import replace
from datetime import timedelta

from fsm.domain.audit_keys import UNKEYED
from fsm.domain.dead_letters import DeadLetter, Reason
from fsm.domain.ids import derived_id
from fsm.domain.messages import Message
from fsm.domain.webhook_events import WebhookEvent, WebhookEventType
from fsm.engine.decide import cancel_order, decide
from fsm.engine.steps import Case, Change, Event, QueueChange, Step
from fsm.engine.words import CaseKind, EngineTrigger, OrderState, State, Verdict
from fsm.flows import RULES
from fsm.payout.policy import ProviderPolicy
from fsm.payout.words import Waiting
from handlers.ports.store import NewOrder
from handlers.submit import _opened
from handlers.withdrawal import WithdrawalHandlers
from handlers.work import work_of
from payment_service.playground.memory.clock import START
from payment_service.playground.memory.world import a_request

PLAN = ProviderPolicy()


def a_message(name="bell", **changes):
    message = Message(subject="order.task.step.due", body=b"{}", message_id=name)
    return replace(message, **changes)


def a_new_order(*cascade, now=START, messages=None, trace_parent=None, **changes):
    request = a_request(*cascade, **changes)
    order, lines = _opened(
        request,
        now,
        flow=WithdrawalHandlers(),
        actor="system",
        trace_parent=trace_parent,
        keys=UNKEYED,
    )
    wakeups = messages or [a_message(order.queue_id)]
    wakeups = [replace(wakeup, queue_id=order.queue_id) for wakeup in wakeups]
    return NewOrder(
        request=request, order=order, lines=tuple(lines), messages=tuple(wakeups)
    )


def a_work(order, trigger, *, now=START, messages=(), webhooks=None, task=0, **event):
    """Return the step that an event is, ready to be recorded."""
    happened = Event(trigger=trigger, **event)
    task_id = order.queue.tasks[task].task_id
    decision = decide(
        order.queue, task_id, happened, rules=RULES, terms_of=lambda _: PLAN, now=now
    )
    assert isinstance(decision, Step), decision
    work = work_of(order, decision, now, webhooks=webhooks or {})
    return replace(work, messages=(*work.messages, *messages))


def a_cancel(order, *, now=START):
    happened = Event(trigger=EngineTrigger.CANCEL_REQUESTED, actor="key:anna")
    step = cancel_order(
        order.queue, happened, rules=RULES, terms_of=lambda _: PLAN, now=now
    )
    assert isinstance(step, Step), step
    return work_of(order, step, now, webhooks={})


def a_forced_work(order, *, task=0, queue=None, now=START, case=None, **columns):
    """Return a step that no rule would make: any columns at the next version."""
    before = order.queue.tasks[task]
    after = replace(before, **{"version": before.version + 1, **columns})
    change = Change(
        before=before, after=after, trigger="forced", actor="system", detail={}
    )
    moved = order.queue.with_tasks({after.task_id: after})
    queue_change = None
    if queue is not None:
        wanted = {"version": order.queue.version + 1, **queue}
        wanted["state"] = OrderState(wanted.get("state", order.queue.state))
        moved = replace(moved, **wanted)
        queue_change = QueueChange(
            before=order.queue, after=moved, trigger="x", actor="system", detail={}
        )
    step = Step(
        changes=(change,),
        queue=queue_change,
        announcements=(),
        cases=() if case is None else (case,),
        after=moved,
    )
    return work_of(order, step, now, webhooks={})


def a_case(order, task=0):
    task_id = order.queue.tasks[task].task_id
    return Case(kind=CaseKind.CONTRADICTION, task_id=task_id, detail={"state": "x"})


def a_webhook(reference, event_id="e-1", *, provider="acme", now=START, **changes):
    webhook = WebhookEvent(
        provider=provider,
        event_id=event_id,
        type=WebhookEventType.SUCCEEDED,
        reference=reference,
        received_at=now,
        body_hash=hashlib.sha256(event_id.encode()).digest(),
    )
    return replace(webhook, **changes)


def a_letter(cause="one", *, now=START, **changes):
    letter = DeadLetter(
        id=derived_id("letter", cause),
        subject="withdrawal.requested",
        reason=Reason.INVALID,
        error="no amount",
        deliveries=1,
        body=b"\x00\xff",
        headers={"X": "y"},
        at=now,
    )
    return replace(letter, **changes)


SUCCEEDED = {
    "state": State.SUCCEEDED,
    "waiting_for": None,
    "wake_at": None,
    "verdict": Verdict.PAID,
}
LIVE = {"state": State.EXECUTING, "waiting_for": Waiting.POLL, "wake_at": START}
FAILED = {
    "state": State.FAILED,
    "waiting_for": None,
    "wake_at": None,
    "verdict": Verdict.NOT_PAID,
}
LATER = timedelta(minutes=5)
