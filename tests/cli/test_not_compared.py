"""What `verify` leaves out where it compares is said by name, and nothing else is."""

from fsm.domain.audit_keys import UNKEYED
from fsm.domain.seals import signed_webhook
from fsm.engine.words import Invariant
from fsm.payout.lifecycle import PAYOUT
from payment_service.cli.not_compared import NotCompared
from payment_service.cli.webhook_check import HEARS, Untold, _unheard
from tests.storage.builders import a_webhook

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


def test_payouts_hear_webhooks():
    assert HEARS.keys() == {PAYOUT.name}
