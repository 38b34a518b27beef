"""What `verify` leaves out where it compares is said by name, and nothing else is."""

import pytest

from fsm.charge.lifecycle import CHARGE
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.seals import signed_webhook
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.words import Invariant
from fsm.partner.lifecycle import LINK, UNLINK
from fsm.payout.lifecycle import PAYOUT
from payment_service.cli.not_compared import NotCompared
from payment_service.cli.webhook_check import HEARS, Untold, _unheard
from tests.storage.builders import a_webhook
from tests.world.as_rows import task_row

TASK = "0195f1de-0000-7000-8000-000000000001"


def untold(lifecycle, *, astray=False):
    return Untold(
        "applied",
        signed_webhook(a_webhook(TASK), UNKEYED),
        queue_id="q",
        task_id=TASK,
        lifecycle=lifecycle,
        astray=astray,
        differs=False,
        repeats=False,
        moved=(),
    )


def heard(*news):
    left_out = NotCompared(())
    found = [each for one in news for each in _unheard(one, UNKEYED, left_out)]
    return [offence.what for offence in found], [*left_out.notes()]


def test_what_a_payout_has_not_heard_is_wrong():
    offences, notes = heard(untold(PAYOUT.name))

    assert "and its task has never heard it" in offences[0]
    assert notes == []


def test_what_others_hear_is_left_out_by_name():
    offences, notes = heard(untold("wash"), untold("work"), untold("work"))

    assert offences == []
    assert notes == [
        (
            "webhooks were not compared with 1 task of 'wash', 2 tasks of 'work': what "
            "those hear is not known here"
        )
    ]


def test_what_was_led_astray_is_wrong_of_whatever_lifecycle():
    offences, notes = heard(untold("wash", astray=True))

    assert "was led astray" in offences[0]
    assert notes == []


def test_nothing_is_said_of_books_that_were_not_asked():
    left_out = NotCompared({Invariant.PROVIDERS})

    left_out.count([])

    assert [*left_out.notes()] == []


@pytest.mark.parametrize(("charging", "left"), [((), 1), ({"north"}, 0)])
def test_charges_of_who_lists_none_are_left_out_by_name(charging, left):
    left_out = NotCompared({Invariant.PROVIDERS}, charging)

    task = Task(task_id=TASK, queue_id="q", position=0, provider="north")
    left_out.count([task_row(replace(task, lifecycle=CHARGE.name))])

    told = [note for note in left_out.notes() if "1 task of 'charge'" in note]
    assert len(told) == left


def test_links_are_in_nobodys_books_and_are_left_out_of_both_by_name():
    left_out = NotCompared({Invariant.CORE, Invariant.PROVIDERS})

    task = task_row(Task(task_id=TASK, queue_id="q", position=0, provider="north"))
    left_out.count([task._replace(lifecycle=each.name) for each in (LINK, UNLINK)])

    named = "not compared with 1 task of 'link', 1 task of 'unlink', which nothing"
    assert [named in note for note in left_out.notes()] == [True, True]


def test_payouts_hear_webhooks():
    assert HEARS.keys() == {PAYOUT.name}
