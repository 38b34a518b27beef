"""An event loop without sockets or threads: time jumps, chance orders what is ready."""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from datetime import datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any, Final

from payment_service.playground.memory.clock import START, VirtualClock

MICROS: Final = 1_000_000


class SimClock(VirtualClock):
    """The virtual clock with its microseconds in the open, for a fast loop."""

    def __init__(self, start: datetime = START) -> None:
        super().__init__(start)
        self.micros = 0
        self._now = start

    def now(self) -> datetime:
        return self._now

    def elapsed(self) -> float:
        return self.micros / MICROS

    def advance(self, by: timedelta) -> None:
        super().advance(by)
        self.jump(self.micros + by // timedelta(microseconds=1))

    def jump(self, micros: int) -> None:
        """Make it this late; the loop alone does so."""
        self.micros = micros
        self._now = self._start + timedelta(microseconds=micros)


class _Timer:
    """What ``call_later`` hands out; a cancelled one is skipped, due or not."""

    __slots__ = ("args", "call", "context")

    def __init__(
        self, call: Callable[..., object] | None, args: Any, context: Context | None
    ) -> None:
        self.call = call
        self.args = args
        self.context = context

    def cancel(self) -> None:
        self.call = None

    def run(self) -> None:
        """Call back, unless somebody who was due at the same time has cancelled it."""
        if self.call is not None:
            self.call(*self.args)


class SimLoop(asyncio.AbstractEventLoop):
    """Runs callbacks in an order drawn from the seed; the same seed, the same order."""

    def __init__(self, clock: SimClock, random: Random) -> None:
        self.clock = clock
        self.turns = 0
        self._draw = random.random
        self._ready: list[tuple[Callable[..., object], Any, Context | None]] = []
        self._timers: list[tuple[int, int, Any]] = []
        self._count = 0
        self._running = False

    def time(self) -> float:
        return self.clock.micros / MICROS

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Say nothing: the coroutines of a process that died are left behind."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name or "-", context=context)

    def call_soon(  # type: ignore[override]
        self,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> None:
        self._ready.append((callback, args, context))

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Timer:
        return self.at(
            self.clock.micros + int(delay * MICROS), callback, *args, context=context
        )

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Timer:
        return self.at(int(when * MICROS), callback, *args, context=context)

    def at(
        self,
        micros: int,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Timer:
        """Call back at a microsecond; one that has passed is now."""
        timer = _Timer(callback, args, context or copy_context())
        self._count += 1
        heappush(self._timers, (micros, self._count, timer))
        return timer

    def sleep(self, micros: int) -> asyncio.Future[None]:
        """Return what to await for so long."""
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        self._count += 1
        heappush(self._timers, (self.clock.micros + micros, self._count, future))
        return future

    def run(self, *, until: int, turns_max: int) -> bool:
        """Run until nothing is left (True), or until it is too late or too much."""
        asyncio._set_running_loop(self)
        self._running = True
        try:
            return self._run(until, turns_max)
        finally:
            self._running = False
            asyncio._set_running_loop(None)

    def end(self) -> None:
        """Close what nobody will go on with."""
        for task in asyncio.all_tasks(self):
            coroutine: Any = task.get_coro()
            coroutine.close()
        self._ready.clear()
        self._timers.clear()

    def _run(self, until: int, turns_max: int) -> bool:
        ready, draw = self._ready, self._draw
        while self.turns < turns_max:
            if ready:
                self.turns += 1
                many = len(ready)
                if many > 1:
                    place = int(draw() * many)
                    ready[place], ready[-1] = ready[-1], ready[place]
                callback, args, context = ready.pop()
                if context is None:
                    callback(*args)
                else:
                    context.run(callback, *args)
            elif not self._timers:
                return True
            elif not self._jump(until):
                return False
        return False

    def _jump(self, until: int) -> bool:
        """Let time pass to the next timer, and make ready all that are due then."""
        timers = self._timers
        when = timers[0][0]
        if when > until:
            return False
        if when > self.clock.micros:
            self.clock.jump(when)
        while timers and timers[0][0] <= when:
            waiting = heappop(timers)[2]
            if type(waiting) is _Timer:
                if waiting.call is not None:
                    self._ready.append((waiting.run, (), waiting.context))
            elif not waiting.done():
                waiting.set_result(None)
        return True
