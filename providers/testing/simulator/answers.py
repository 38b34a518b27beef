"""What the callers of a simulated provider read, right or spoiled on its way."""

import asyncio
from typing import Final

from aiohttp import web

from providers.testing.simulator.book import BookedPayout, spoken
from providers.testing.simulator.script import Mishap, PayoutState, Script
from providers.testing.simulator.wire import Json, hang_up, reply

HANG_SECONDS_MAX: Final = 600.0
HUGE_BYTES: Final = 8 * 1024 * 1024
GARBAGE: Final = b"<html><body>It works!\xff"


async def spoiled(
    request: web.BaseRequest,
    mishap: Mishap,
    script: Script,
    answer: web.Response,
    *,
    drip_seconds: float,
) -> web.StreamResponse:
    match mishap:
        case Mishap.HANG:
            await asyncio.sleep(HANG_SECONDS_MAX)
            return hang_up(request)
        case Mishap.RESET:
            return hang_up(request)
        case Mishap.ERROR:
            return _error(script)
        case Mishap.GARBAGE:
            return web.Response(body=GARBAGE, content_type="text/html")
        case Mishap.HUGE:
            flood = b"[" * HUGE_BYTES
            return web.Response(body=flood, content_type="application/json")
        case Mishap.DRIP:
            return await _dripped(request, answer, drip_seconds)


def first_answer(payout: BookedPayout) -> web.Response:
    """Answer a create, or its repeat, by what was true when it was taken."""
    script = payout.script
    word = script.says or script.state
    if word == PayoutState.DECLINED:
        declined = {"status": word, "code": script.code, "message": script.message}
        return reply(declined, status=script.decline_status)
    return reply({"status": word, "provider_reference": payout.payout_id}, status=201)


def status_of(payout: BookedPayout) -> Json:
    script = payout.script
    answer = {
        "status": script.says or spoken(payout.state),
        "provider_reference": payout.payout_id,
        "amount": payout.order.amount + script.misreport_amount,
        "currency": script.misreport_currency or payout.order.currency,
    }
    if payout.state is PayoutState.CANCELLED:
        answer["code"] = "cancelled"
    elif payout.state in (PayoutState.DECLINED, PayoutState.FAILED):
        answer["code"] = script.code
    return answer


def notice_of(payout: BookedPayout, webhook_id: str, notice: str) -> Json:
    script = payout.script
    body = {
        "id": webhook_id,
        "type": notice,
        "reference": payout.order.reference,
        "provider_reference": payout.payout_id,
        "amount": payout.order.amount + script.misreport_amount,
        "currency": script.misreport_currency or payout.order.currency,
    }
    if notice == "payout.failed":
        body |= {"code": script.code or "failed", "message": script.message}
    return body


def _error(script: Script) -> web.Response:
    headers = {"Retry-After": str(script.retry_after)} if script.retry_after else None
    broken = {"code": "unavailable", "message": "a scripted error"}
    return reply(broken, status=script.mishap_status, headers=headers)


async def _dripped(
    request: web.BaseRequest, answer: web.Response, pause: float
) -> web.StreamResponse:
    body = answer.body if isinstance(answer.body, bytes) else b""
    stream = web.StreamResponse(status=answer.status)
    stream.content_type = "application/json"
    stream.content_length = len(body)
    await stream.prepare(request)
    for position in range(len(body)):
        await stream.write(body[position : position + 1])
        await asyncio.sleep(pause)
    await stream.write_eof()
    return stream
