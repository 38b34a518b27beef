import pytest

from tests.service.stage import a_withdrawal


async def open_cases(stage):
    _, page = await stage.call("GET", "/v1/cases?state=open", role="viewer")
    return [(case["kind"], case["task_id"]) for case in page["cases"]]


@pytest.mark.parametrize("script", ["webhook_first", "webhook_twice", "out_of_order"])
async def test_webhooks_may_come_early_twice_and_out_of_order(stage, script):
    await stage.ask(a_withdrawal(script=script))

    assert (await stage.final("w-1"))["state"] == "COMPLETED"
    assert await open_cases(stage) == []
    assert stage.core.check() == []


@pytest.mark.parametrize("script", ["wrong_amount", "wrong_currency"])
async def test_a_webhook_with_another_amount_never_settles_a_task(stage, script):
    await stage.ask(a_withdrawal(script=script))

    task = await stage.task_in("w-1", "MANUAL_CHECK")

    assert await open_cases(stage) == [("amount_mismatch", task["task_id"])]
    assert task["task_id"] in stage.core.holds()


async def test_a_payout_returned_after_success_opens_a_case_and_changes_nothing(stage):
    await stage.ask(a_withdrawal(script="return_after_success"))
    order = await stage.final("w-1")
    assert order["state"] == "COMPLETED"

    cases = await stage.until(lambda: open_cases(stage))

    assert cases == [("return_after_success", order["tasks"][0]["task_id"])]
    assert (await stage.order("w-1"))["state"] == "COMPLETED"


async def test_a_success_after_failure_opens_a_case_and_changes_nothing(stage):
    # Slow enough that the two webhooks arrive in the order they were sent in.
    script = "acme=failed_then_false_success?pace=40,*=succeed"

    await stage.ask(a_withdrawal(script=script))
    order = await stage.final("w-1")
    cases = await stage.until(lambda: open_cases(stage))

    assert order["state"] == "COMPLETED"
    assert [task_id for _, task_id in cases] == [order["tasks"][0]["task_id"]]
    assert cases[0][0] in {"late_success", "contradiction"}
    first = (await stage.order("w-1"))["tasks"][0]
    assert first["state"] == "FAILED"


async def test_a_case_is_closed_with_a_reason_once(stage):
    await stage.ask(a_withdrawal(script="wrong_amount"))
    await stage.task_in("w-1", "MANUAL_CHECK")
    _, page = await stage.call("GET", "/v1/cases", role="viewer")
    path = f"/v1/cases/{page['cases'][0]['id']}/close"

    first, _ = await stage.call("POST", path, role="support", body={"reason": "seen"})
    again, _ = await stage.call("POST", path, role="support", body={"reason": "seen"})

    assert (first, again) == (200, 409)
