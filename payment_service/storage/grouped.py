"""Group commit: callers that are ready at the same time share one statement."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from fsm.domain.errors import BrokenInvariant

Item = TypeVar("Item")
Result = TypeVar("Result")


class Grouped(Generic[Item, Result]):
    """Runs ``statement`` for all items that wait, at most ``lanes`` at a time.

    Each caller awaits its own result; one that is an exception is raised to it alone.
    Where a batch breaks a constraint its items run again one by one, so that only the
    guilty one fails. A cancelled caller does not cancel the statement that its
    neighbours share. Items of the same ``key`` never meet in one statement.
    """

    def __init__(
        self,
        statement: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        lanes: int,
        size_max: int = 200,
        key: Callable[[Item], Hashable] | None = None,
    ) -> None:
        self._statement = statement
        self._lanes_max = lanes
        self._size_max = size_max
        self._key = key
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._lanes_open = 0
        self._lanes: set[asyncio.Task[None]] = set()

    async def __call__(self, item: Item) -> Result:
        """Return the item's own result once the shared statement has committed."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._lanes_open < self._lanes_max:
            self._lanes_open += 1
            lane = asyncio.create_task(self._drain())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch = self._take()
                try:
                    await self._run(batch)
                except BaseException as error:  # a lane must leave nobody waiting
                    _fail(batch, error)
                    if not isinstance(error, Exception):
                        raise
        finally:
            # In the same breath as the last look at who waits: a caller that this
            # lane has just served may come back before the task counts as done.
            self._lanes_open -= 1

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        later: list[tuple[Item, asyncio.Future[Result]]] = []
        seen: set[Hashable] = set()
        while self._waiting and len(batch) < self._size_max:
            entry = self._waiting.popleft()
            key = self._key(entry[0]) if self._key else id(entry)
            (later if key in seen else batch).append(entry)
            seen.add(key)
        self._waiting.extendleft(reversed(later))
        return batch

    async def _run(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._statement([item for item, _ in batch])
        except BrokenInvariant:
            if len(batch) == 1:
                raise
            for entry in batch:
                await self._alone(entry)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def _alone(self, entry: tuple[Item, asyncio.Future[Result]]) -> None:
        try:
            await self._run([entry])
        except BrokenInvariant as error:
            _fail([entry], error)


def _fail(
    batch: Sequence[tuple[Item, asyncio.Future[Result]]], error: BaseException
) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
