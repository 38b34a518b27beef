"""What is forged among what was posted goes, and takes nothing of ours with it."""

from datetime import timedelta

from fsm.payout.words import Trigger
from tests.storage.builders import a_message, a_new_order, a_work

EVERYTHING = timedelta(seconds=-1)


async def test_a_request_in_a_bundle_takes_no_neighbour_with_it(postgres):
    new = a_new_order()
    await postgres.store.submit(new)
    evil = a_message("evil", subject="withdrawal.requested")
    told = [a_message("m-1"), evil, a_message("m-3")]
    work = a_work(new.order, Trigger.FREEZE_CONFIRMED, messages=told)
    await postgres.store.record(work)

    looks = [
        await postgres.sweeps.unsent(older_than=EVERYTHING, limit=100) for _ in range(2)
    ]

    names = [{row.message.message_id for row in look} for look in looks]
    assert {"m-1", "m-3"} <= names[1]
    assert not any("evil" in each for each in names)
