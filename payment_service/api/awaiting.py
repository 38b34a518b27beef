"""Waits for the end of an order: woken where somebody wakes, looking now and then."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Query
from starlette.requests import Request as HttpRequest

from fsm.domain.durations import parse_duration
from fsm.domain.errors import InvalidRequest
from fsm.domain.orders import Order
from handlers.ports.clock import Clock
from handlers.ports.waiters import Waiters
from payment_service.api.auth import require_still
from payment_service.api.deps import ApiDeps
from payment_service.api.params import find

WAIT_MAX: Final = timedelta(seconds=60)
LOOK_AGAIN_SECONDS: Final = 1.0
Wait = Annotated[
    str | None, Query(description="A duration, at most 60s.", examples=["20s"])
]


async def _nobody_leaves() -> bool:
    return False


async def awaited(
    queue_id: str,
    limit: timedelta,
    *,
    look: Callable[[], Awaitable[Order]],
    waiters: Waiters,
    clock: Clock,
    gone: Callable[[], Awaitable[bool]] = _nobody_leaves,
) -> Order:
    """Return the order once it is final, or as it is when the time is over.

    The wake-up is asked for before the first look, so none is lost; one that never
    comes costs a second. Who is ``gone`` is waited for no longer.
    """
    ends = clock.elapsed() + limit.total_seconds()
    async with waiters.expect(queue_id) as woken:
        call = asyncio.create_task(woken.wait())
        try:
            while True:
                found = await look()
                left = ends - clock.elapsed()
                if found.queue.final or left <= 0 or await gone():
                    return found
                await _rest(call, min(left, _look_again_seconds()))
        finally:
            call.cancel()


async def _rest(call: asyncio.Task[None], seconds: float) -> None:
    """Sleep until the wake-up; once it has come, it wakes no second time."""
    if call.done():
        await asyncio.sleep(seconds)
    else:
        await asyncio.wait({call}, timeout=seconds)


def _look_again_seconds() -> float:
    return LOOK_AGAIN_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load


def waiting_time(wait: str | None) -> timedelta:
    """Return for how long somebody wants to wait: nothing where it is not said.

    :raises InvalidRequest: it is no duration, or longer than anybody may wait.
    """
    if wait is None:
        return timedelta(0)
    try:
        length = parse_duration(wait)
    except ValueError as wrong:
        raise InvalidRequest.of_parameter("wait", str(wrong)) from None
    if length > WAIT_MAX:
        raise InvalidRequest.of_parameter("wait", f"{wait!r} is over the most, 60s")
    return length


async def ended(
    deps: ApiDeps, request: HttpRequest, queue_id: str, limit: timedelta
) -> Order:
    """Return an order to who asks for it over HTTP, and waits for its end.

    :raises UnknownOrder: it is none of theirs.
    :raises HTTPException: 401, their key was revoked or has expired meanwhile.
    """
    found = await awaited(
        queue_id,
        limit,
        look=lambda: find(deps.reads, queue_id, request),
        waiters=deps.waiters,
        clock=deps.clock,
        gone=request.is_disconnected,
    )
    require_still(deps.keys, request)
    return found
