"""Bugs in what collects: a provider tried without proof, a refund too many."""

from itertools import count
from typing import Any

import pytest

from fsm.charge import guards
from fsm.charge.lifecycle import CHARGE
from fsm.charge.table import ChargeGuard
from fsm.engine.table import Row
from fsm.engine.words import EngineTrigger, State
from fsm.service.table import ServiceGuard
from fsm.service.words import ServiceWait, StepTrigger
from handlers.checkout import calls
from handlers.checkout import charges as collecting
from handlers.claims import Admissions
from handlers.flows import FLOWS
from handlers.ports.services import ServiceDone
from payment_service.wiring import service
from tests.planted.sagas import fires


def _is_a_no(patch: pytest.MonkeyPatch, trigger: StepTrigger) -> None:
    fires(patch, CHARGE, Row(trigger, State.EXECUTING, State.SKIPPED, None))


def silence_is_a_no(patch: pytest.MonkeyPatch) -> None:
    _is_a_no(patch, StepTrigger.UNCLEAR)


def not_known_is_a_no(patch: pytest.MonkeyPatch) -> None:
    """It may still be on its way, and land after the next one has charged."""
    _is_a_no(patch, StepTrigger.NOT_KNOWN)


def given_up_is_a_no(patch: pytest.MonkeyPatch) -> None:
    _is_a_no(patch, StepTrigger.GIVEN_UP)


def refunded_unasked(patch: pytest.MonkeyPatch) -> None:
    """Whether it was charged is not asked first: a service takes that, no provider."""
    for trigger in (EngineTrigger.TURNED_BACK, EngineTrigger.CANCEL_REQUESTED):
        row = Row(trigger, State.EXECUTING, State.REVERSING, ServiceWait.UNDO)
        fires(patch, CHARGE, row)


def refunded_under_another_key(patch: pytest.MonkeyPatch) -> None:
    keys = count()
    patch.setattr(
        collecting, "refund_key", lambda task_id: f"{task_id}:refund:{next(keys)}"
    )


def a_silent_refund_is_made(patch: pytest.MonkeyPatch) -> None:
    fires(
        patch, CHARGE, Row(StepTrigger.UNCLEAR, State.REVERSING, State.REVERSED, None)
    )


def a_no_to_a_repeat_is_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calls, "_charged_once", lambda heard, _: heard)


def a_no_to_an_earlier_do_is_believed(patch: pytest.MonkeyPatch) -> None:
    """Another worker has sent it again meanwhile, and that may have charged."""
    patch.setitem(guards.GUARDS, ChargeGuard.NEVER, lambda _: True)


def keys_live_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Neither the rule nor who sends it asks whether a repeat finds the first."""
    patch.setattr(calls, "_key_lives", lambda *_: True)
    patch.setitem(
        guards.GUARDS,
        ChargeGuard.KEY_LIVES,
        lambda facts: facts.task.waiting_for is ServiceWait.DO,
    )


def any_amount_is_charged(patch: pytest.MonkeyPatch) -> None:
    def done(*_: Any) -> ServiceDone:
        return ServiceDone()

    patch.setattr(collecting, "_done", done)


def found_charged_stands(patch: pytest.MonkeyPatch) -> None:
    """A person's word that it is charged is taken for one that it stays so."""
    patch.setitem(
        guards.GUARDS,
        ServiceGuard.LOOSE,
        lambda facts: facts.task.state is not State.SUCCEEDED,
    )


def a_persons_no_is_acted_on_unasked(patch: pytest.MonkeyPatch) -> None:
    no = EngineTrigger.RESOLVED_NEGATIVE
    fires(patch, CHARGE, Row(no, State.MANUAL_CHECK, State.FAILED, None))


def silence_confirms_a_persons_no(patch: pytest.MonkeyPatch) -> None:
    silence = StepTrigger.UNCLEAR
    fires(patch, CHARGE, Row(silence, State.MANUAL_CHECK, State.FAILED, None))


def under_way_confirms_a_persons_no(patch: pytest.MonkeyPatch) -> None:
    at_it = StepTrigger.PENDING
    fires(patch, CHARGE, Row(at_it, State.MANUAL_CHECK, State.FAILED, None))


def nobody_asks_the_gate(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calls, "at_gate", lambda *_, **__: None)


def a_repeat_asks_no_gate(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calls, "may_repeat_now", lambda *_: None)


def places_are_kept(patch: pytest.MonkeyPatch) -> None:
    """Who was let in keeps its place once its chain is over."""
    patch.setattr(Admissions, "give_back", lambda *_: None)
    patch.setattr(Admissions, "give_all_back", lambda *_: None)


def the_setting_is_passed_over(patch: pytest.MonkeyPatch) -> None:
    """It is read, and new orders are opened as if it were not there."""
    patch.setattr(service, "flows_of", lambda _: FLOWS)
