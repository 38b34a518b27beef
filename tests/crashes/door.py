"""The door through which effects on real servers go, where one may go wrong."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NoReturn, Self, TypeVar

from payment_service.playground.memory.effects import Effects, FailureForm

ACK: Final = "bus.ack"
FORMS: Final = (FailureForm.NOT_DONE_DIED, FailureForm.DONE_LOST, FailureForm.DONE_DIED)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """The n-th effect of a name: timers make the order of all of them vary."""

    name: str
    nth: int

    def __str__(self) -> str:
        return f"{self.name}:{self.nth}"

    @classmethod
    def parse(cls, text: str) -> Self:
        name, _, nth = text.rpartition(":")
        return cls(name, int(nth))


@dataclass(frozen=True, slots=True)
class Crash:
    """Which effect goes wrong, and how."""

    at: Point
    form: FailureForm


class Door(Effects):
    """Lets effects through that take real time, until the process dies in one.

    From then on nothing leaves the process: whoever tries waits to be cancelled.
    """

    def __init__(self, crash: Crash | None = None) -> None:
        super().__init__()
        self.died = asyncio.Event()
        self.has_struck = False
        self._crash = crash
        self._counts: Counter[str] = Counter()
        self._outside: set[asyncio.Task[None]] = set()

    @property
    def points(self) -> list[Point]:
        """Every effect that there was, the last ones of each name at its end."""
        return [
            Point(name, nth + 1)
            for name, count in sorted(self._counts.items())
            for nth in range(count)
        ]

    async def do(
        self,
        name: str,
        act: Callable[[], Result],
        failed: Callable[[bool], Result],
    ) -> Result:
        async def acted() -> Result:
            return act()

        return await self.through(name, acted, failed)

    async def through(
        self,
        name: str,
        act: Callable[[], Awaitable[Result]],
        failed: Callable[[bool], Result],
    ) -> Result:
        """Do one effect, as :meth:`Effects.do` does."""
        form = await self.strikes(name)
        if form is FailureForm.NOT_DONE_DIED:
            await self.die()
        result = await act()
        await self._others(name)
        if form is FailureForm.DONE_DIED:
            await self.die()
        return failed(True) if form is FailureForm.DONE_LOST else result

    async def strikes(self, name: str) -> FailureForm | None:
        """Count an effect and say how it goes wrong; never return to the dead."""
        if self.died.is_set():
            await self.die()
        self._counts[name] += 1
        self.log.append(name)
        point = Point(name, self._counts[name])
        if self._crash is None or point != self._crash.at:
            return None
        self.has_struck = True
        self.struck.append(f"{point}: {self._crash.form.value}")
        return self._crash.form

    async def die(self) -> NoReturn:
        """End the process here."""
        self.died.set()
        await asyncio.Event().wait()
        raise AssertionError("the dead do not go on")

    @property
    def others_at_work(self) -> bool:
        """True while somebody outside does something in the middle of an effect."""
        return any(not task.done() for task in self._outside)

    async def outside_done(self) -> None:
        """Wait until those outside have done what they did meanwhile."""
        await asyncio.gather(*self._outside)

    async def _others(self, name: str) -> None:
        waiting = self._meanwhile.get(name)
        if not waiting:
            return

        async def act() -> None:
            await waiting.pop(0)()

        # Not in this task: they live on where the process does not.
        task = asyncio.create_task(act())
        self._outside.add(task)
        died = asyncio.create_task(self.died.wait())
        try:
            await asyncio.wait({task, died}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            died.cancel()
            with suppress(asyncio.CancelledError):
                await died
