"""A bound on how much is at work at once; who waits for the outside is not counted."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Final, ParamSpec, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Given = ParamSpec("Given")

_PLACE: Final[ContextVar[asyncio.Semaphore | None]] = ContextVar("place", default=None)


def limited(
    work: Callable[[Item], Awaitable[Result]], at_work_max: int
) -> Callable[[Item], Coroutine[Any, Any, Result]]:
    """Return the same work, done for so many at a time.

    It keeps a flood of what can wait from standing before what cannot: both share one
    event loop and one database.
    """
    places = asyncio.Semaphore(at_work_max)

    async def paced(item: Item) -> Result:
        async with places:
            _PLACE.set(places)
            return await work(item)

    return paced


def releases_slot(
    call: Callable[Given, Coroutine[Any, Any, Result]],
) -> Callable[Given, Coroutine[Any, Any, Result]]:
    """Give up one's place for as long as the call waits for somebody outside."""

    @functools.wraps(call)
    async def away(*given: Given.args, **named: Given.kwargs) -> Result:
        place = _PLACE.get()
        if place is None:
            return await call(*given, **named)
        place.release()
        try:
            return await call(*given, **named)
        finally:
            await place.acquire()

    return away
