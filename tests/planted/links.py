"""Bugs in what links a card: a no too late, a membership too many, or left over."""

from typing import Any

import pytest

from fsm.domain import orders
from fsm.engine.records import replace
from fsm.engine.table import Row
from fsm.engine.words import EngineTrigger, State
from fsm.partner import due, outcome
from fsm.partner.lifecycle import LINK, UNLINK
from fsm.partner.words import LinkTrigger, LinkWait
from handlers.partner import asked, calls, validate
from handlers.ports.core import MembershipVerb
from tests.planted.sagas import Plant, fires

T, S, W = LinkTrigger, State, LinkWait


def silence_is_a_yes(patch: pytest.MonkeyPatch) -> None:
    fires(patch, LINK, Row(T.UNCLEAR, S.EXECUTING, S.EXECUTING, W.GRANT))


def silence_is_a_no(patch: pytest.MonkeyPatch) -> None:
    fires(patch, LINK, Row(T.UNCLEAR, S.RECHECKING, S.FAILED, None))


def what_may_be_granted_is_left(patch: pytest.MonkeyPatch) -> None:
    """Whoever gives it up before core has answered leaves a membership behind."""
    wish = EngineTrigger.CANCEL_REQUESTED
    for state in (S.EXECUTING, S.RECHECKING):
        fires(patch, LINK, Row(wish, state, S.CANCELLED, None))


def a_grant_for_now_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    fires(patch, LINK, Row(T.GRANTED, S.RECHECKING, S.FAILED, None))


def a_later_no_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    fires(patch, LINK, Row(T.NOT_ELIGIBLE, S.RECHECKING, S.FAILED, None))


def the_deadline_revokes_nothing(patch: pytest.MonkeyPatch) -> None:
    fires(patch, LINK, Row(T.EXPIRED, S.RECHECKING, S.FAILED, None))


def for_now_is_for_good(patch: pytest.MonkeyPatch) -> None:
    fires(patch, LINK, Row(T.ELIGIBLE, S.RECHECKING, S.SUCCEEDED, None))


def a_refused_revoke_is_done(patch: pytest.MonkeyPatch) -> None:
    fires(patch, LINK, Row(T.REVOKE_REFUSED, S.REVERSING, S.REVERSED, None))


def a_removal_revokes_nothing(patch: pytest.MonkeyPatch) -> None:
    fires(patch, UNLINK, Row(T.VALIDATED, S.PENDING, S.EXECUTING, W.REVOKE_NOTICE))


def a_member_is_never_confirmed(patch: pytest.MonkeyPatch) -> None:
    """A grant after several matches is not for now: nothing would revoke it."""
    real = asked.membership_of

    def membership(order: Any, task: Any, *, provisional: bool) -> Any:
        del provisional
        return real(order, task, provisional=False)

    patch.setattr(calls, "membership_of", membership)


def nobody_looks_what_stands(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None:
        return None

    patch.setattr(validate, "standing_link", nothing)


def any_link_is_the_one_that_stands(patch: pytest.MonkeyPatch) -> None:
    """A removal revokes what stands, whichever link it names."""

    async def still_linked(_order: Any, task: Any, _ports: Any) -> Any:
        return validate._found(T.VALIDATED, task, "any")

    patch.setattr(validate, "_still_linked", still_linked)


def a_repeat_is_another_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        asked, "asked_before", lambda task: due.asked_before(task) + task.tries
    )


def old_answers_count(patch: pytest.MonkeyPatch) -> None:
    real = calls.event_of

    def event_of(answer: Any, task: Any, n: int) -> Any:
        return replace(real(answer, task, n), sequence=None)

    patch.setattr(calls, "event_of", event_of)


def a_partners_code_is_ours(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calls, "as_theirs", lambda code, _: code)


def a_no_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(outcome, "_answer", lambda _: None)


def two_may_run_for_one_card(patch: pytest.MonkeyPatch) -> None:
    """A key that is each order's own: the constraint holds nobody back."""
    real = orders.Request.exclusive_key

    def key(self: Any, parts: Any) -> Any:
        found = real(self, parts)
        return found and f"{found}:{self.order_id}"

    patch.setattr(orders.Request, "exclusive_key", key)


def hears_core(verb: MembershipVerb, taken_for: LinkTrigger) -> Plant:
    """Take whatever core says to a call for done, or for refused."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setitem(calls._VERBS, verb, (taken_for, taken_for))

    return plant
