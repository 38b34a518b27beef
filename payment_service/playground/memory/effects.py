"""Counts everything that leaves the process, and lets one of it go wrong."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

Result = TypeVar("Result")


class FailureForm(Enum):
    """How an effect goes wrong, and whether its caller lives to see it."""

    REFUSED = "not done, and the caller hears of a failure"
    NOT_DONE_DIED = "not done, and the process died"
    DONE_LOST = "done, and the caller hears of a failure"
    DONE_DIED = "done, and the process died"


@dataclass(frozen=True, slots=True)
class Strike:
    """Which effect goes wrong, counted from 1, and how."""

    at: int
    form: FailureForm


class Died(BaseException):
    """The process is gone: nothing in it may catch this."""


def is_death(error: BaseException) -> bool:
    """Tell whether the process is gone; of chains that go on at once, one has died."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_death(each) for each in error.exceptions)
    return isinstance(error, Died)


Act = Callable[[], Result]


class Effects:
    """The one door through which the effects of a world go, in one order."""

    def __init__(self, *strikes: Strike) -> None:
        self.log: list[str] = []
        self.struck: list[str] = []
        self._strikes = {strike.at: strike.form for strike in strikes}
        self._meanwhile: dict[str, list[Callable[[], Awaitable[None]]]] = {}
        self._ticks = 0

    def tick(self) -> int:
        """Return the place of something in the order of all that happened."""
        self._ticks += 1
        return self._ticks

    def meanwhile(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        """Do something once: after the next effect of that name, before its answer."""
        self._meanwhile.setdefault(name, []).append(act)

    def strike(self, at: int, form: FailureForm) -> None:
        """Have the n-th effect from now on go wrong, counted from 1."""
        self._strikes[len(self.log) + at] = form

    async def do(
        self, name: str, act: Act[Result], failed: Callable[[bool], Result]
    ) -> Result:
        """Do one effect; ``failed(done)`` answers, or raises, where it goes wrong."""
        self.log.append(name)
        form = self._strikes.pop(len(self.log), None)
        if form is not None:
            self.struck.append(f"{name}: {form.value}")
        if form is FailureForm.NOT_DONE_DIED:
            raise Died(name)
        if form is FailureForm.REFUSED:
            return failed(False)
        result = act()
        waiting = self._meanwhile.get(name)
        if waiting:
            await waiting.pop(0)()
        if form is FailureForm.DONE_DIED:
            raise Died(name)
        if form is FailureForm.DONE_LOST:
            return failed(True)
        return result
