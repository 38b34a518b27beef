import base64
import hmac
import time

import pytest

from tests.service.stage import SECRET, a_withdrawal


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


async def deliver(stage, event_id, body):
    """Send a webhook of acme, rightly signed whatever is in it."""
    sent = str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{event_id}.{sent}.".encode() + body, "sha256")
    headers = {
        "webhook-id": event_id,
        "webhook-timestamp": sent,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        "content-type": "application/json;charset=UTF-8;",
    }
    url = f"{stage.url}/webhooks/acme/"
    async with stage.http.post(url, data=body, headers=headers) as answer:
        return answer.status, await answer.text()


async def executing(stage, order_id):
    """Return the task of an order that acme has accepted and says nothing about."""
    await stage.ask(a_withdrawal(order_id, script="accept_silence"))
    return (await stage.task_in(order_id, "EXECUTING"))["task_id"]


def saying(task_id, money, kind="payout.succeeded"):
    return f'{{"type": "{kind}", "reference": "{task_id}", '.encode() + money + b"}"


UNREADABLE = [
    b'"amount": null',
    b'"amount": "12,50"',
    b'"amount": -12550',
    b'"amount": 1180591620717411303424',
    b'"amount": 12550, "amount": 12550',
    b'"amount": 12550, "currency": "E\xdcR"',
]


async def test_money_that_cannot_be_read_is_for_a_person_and_never_ignored(stage):
    kinds = ("payout.succeeded", "payout.failed")
    tasks = set()
    for number, money in enumerate(UNREADABLE):
        task_id = await executing(stage, f"w-{number}")
        body = saying(task_id, money, kinds[number % 2])
        assert await deliver(stage, f"evt-{number}", body) == (
            202,
            '{"status":"stored"}',
        )
        await stage.task_in(f"w-{number}", "MANUAL_CHECK")
        tasks.add(task_id)

    assert set(await open_cases(stage)) == {("amount_mismatch", t) for t in tasks}
    assert tasks <= set(stage.core.holds())


async def test_a_refusal_with_no_amount_in_it_needs_no_person(stage):
    nothing = b'"amount": null, "currency": null'
    await stage.ask(a_withdrawal(script="acme=accept_silence,*=succeed"))
    task_id = (await stage.task_in("w-1", "EXECUTING"))["task_id"]

    await deliver(stage, "evt-1", saying(task_id, nothing, "payout.failed"))

    assert (await stage.final("w-1"))["tasks"][0]["state"] == "FAILED"
    assert await open_cases(stage) == []


async def test_what_nobody_reads_spoils_no_webhook(stage):
    task_id = await executing(stage, "w-1")
    odd = b'"x": NaN, "x": "\xff", "deep": ' + b"[" * 99 + b"]" * 99 + b', "n": 1e999'
    body = b"\xef\xbb\xbf" + saying(task_id, b'"amount": 12550, ' + odd) + b"\r\n"

    status, _ = await deliver(stage, "evt-1", body)

    assert status == 202
    assert (await stage.final("w-1"))["state"] == "COMPLETED"


async def test_what_must_be_read_and_cannot_be_is_400_and_says_where(stage):
    task_id = await executing(stage, "w-1")
    body = saying(task_id, b'"type": "payout.failed"')

    status, told = await deliver(stage, "evt-1", body)

    assert (status, "/type is there twice" in told) == (400, True)
    assert (await stage.order("w-1"))["tasks"][0]["state"] == "EXECUTING"


async def test_a_payout_returned_after_success_opens_a_case_and_changes_nothing(stage):
    await stage.ask(a_withdrawal(script="return_after_success"))
    order = await stage.final("w-1")
    assert order["state"] == "COMPLETED"

    cases = await stage.until(lambda: open_cases(stage))

    assert cases == [("return_after_success", order["tasks"][0]["task_id"])]
    assert (await stage.order("w-1"))["state"] == "COMPLETED"


async def test_a_success_after_failure_opens_a_case_and_changes_nothing(stage):
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
