import asyncio

import pytest

from tests.service.stage import a_withdrawal, staged


async def test_a_request_over_nats_is_answered_driven_and_told(stage):
    answer = await stage.ask(a_withdrawal())

    assert answer["status"] == "accepted"
    order = await stage.final("w-1")
    assert order["state"] == "COMPLETED"
    assert [t["state"] for t in order["tasks"]] == ["SUCCEEDED", "SKIPPED", "SKIPPED"]
    assert {t["code"] for t in order["tasks"][1:]} == {"not_needed"}
    await stage.until(lambda: stage.told("withdrawal.completed"))
    await stage.until(lambda: stage.core.notifications)
    assert stage.core.check() == []
    assert stage.core.holds() == {}
    assert stage.simulator.book.executed() == 1


async def test_declines_lead_to_the_next_provider(stage):
    script = "acme=decline,zeta=decline,nova=succeed"

    await stage.ask(a_withdrawal(script=script))

    order = await stage.final("w-1")
    assert [t["state"] for t in order["tasks"]] == ["SKIPPED", "SKIPPED", "SUCCEEDED"]
    failed = stage.told("withdrawal.attempt_failed")
    assert [each["attempts"] for each in failed] == [1, 2]
    await stage.until(lambda: stage.told("withdrawal.completed"))
    (done,) = stage.told("withdrawal.completed")
    last = order["tasks"][-1]
    assert done["attempts"] == 3
    assert done["provider_reference"] == last["provider_reference"]
    assert done.get("terminal_id") == last.get("terminal_id")
    started = stage.told("withdrawal.attempt_started")
    assert [each.get("terminal_id") for each in started] == [
        task.get("terminal_id") for task in order["tasks"]
    ]
    await stage.until(lambda: stage.core.notifications)


async def test_an_order_that_nobody_pays_fails_and_leaves_no_hold(stage):
    await stage.ask(a_withdrawal(script="decline"))

    assert (await stage.final("w-1"))["state"] == "FAILED"
    assert stage.core.holds() == {}
    assert stage.core.check() == []


@pytest.mark.parametrize(
    ("script", "state"),
    [("accept_then_succeed", "COMPLETED"), ("accept_then_fail", "FAILED")],
)
async def test_a_webhook_settles_an_accepted_payout(stage, script, state):
    await stage.ask(a_withdrawal(script=script))

    assert (await stage.final("w-1"))["state"] == state


async def test_the_same_request_starts_nothing_new_and_another_one_conflicts(stage):
    first = await stage.ask(a_withdrawal())

    assert await stage.ask(a_withdrawal()) == {**first, "status": "duplicate"}
    conflict = await stage.ask(a_withdrawal(amount=1))
    assert conflict["status"] == "conflict"
    assert "error" in conflict
    assert stage.letters == []


async def test_http_and_nats_take_the_same_request(stage):
    status, answer = await stage.call(
        "POST", "/v1/withdrawals", role="upstream", body=a_withdrawal()
    )

    assert (status, answer["status"]) == (202, "accepted")
    assert (await stage.ask(a_withdrawal()))["status"] == "duplicate"


async def test_with_schedules_off_the_sweeper_rings_every_timer(
    database_url, nats_server, subject_prefix
):
    async with staged(
        database_url, nats_server.url, subject_prefix, schedules=False, sla="300ms"
    ) as stage:
        await stage.ask(a_withdrawal(script="silence_succeed"))

        assert (await stage.final("w-1"))["state"] == "COMPLETED"


async def test_a_lost_answer_is_cleared_up_by_asking(stage):
    await stage.ask(a_withdrawal(script="commit_hang"))

    order = await stage.final("w-1")
    assert order["state"] == "COMPLETED"
    assert stage.simulator.book.executed() == 1


async def test_a_manual_check_is_decided_by_a_person(
    database_url, nats_server, subject_prefix
):
    async with staged(
        database_url, nats_server.url, subject_prefix, sla="200ms"
    ) as stage:
        await stage.ask(a_withdrawal(script="acme=accept_silence,zeta=succeed"))
        task = await stage.task_in("w-1", "MANUAL_CHECK")
        assert stage.told("withdrawal.manual_check")

        status, _ = await stage.call(
            "POST",
            f"/v1/tasks/{task['task_id']}/resolution",
            role="support",
            body={"decision": "negative", "reason": "the statement shows nothing"},
        )

        assert status == 200
        # It is under way there: the next provider is not asked, and the person again.
        await stage.until(lambda: len(stage.told("withdrawal.manual_check")) == 2)
        asked = await stage.task_in("w-1", "MANUAL_CHECK")
        assert (asked["code"], asked["waiting_for"]) == (
            "resolution_stopped",
            "decision",
        )


async def test_a_cancelled_order_is_given_up_where_that_is_safe(stage):
    await stage.ask(a_withdrawal(script="cancel_ok"))
    await stage.task_in("w-1", "EXECUTING")

    status, _ = await stage.call(
        "POST", "/v1/orders/w-1/cancel", role="support", body={"reason": "asked to"}
    )

    assert status == 202
    assert (await stage.final("w-1"))["state"] == "CANCELLED"
    assert stage.core.holds() == {}


async def test_many_orders_at_once_all_come_to_rest(stage):
    await asyncio.gather(
        *(
            stage.publish("withdrawal.requested", a_withdrawal(f"w-{n}", "succeed"))
            for n in range(60)
        )
    )
    await stage.until(lambda: len(stage.told("withdrawal.completed")) == 60)

    assert stage.simulator.book.executed() == 60
    assert stage.core.check() == []
