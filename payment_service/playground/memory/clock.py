"""Time that passes only when it is told to, for clocks and for event loops."""

import asyncio
import selectors
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, TypeVar

from fsm.domain import ids

START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

Result = TypeVar("Result")


class VirtualClock:
    """Implements ``ports.clock.Clock``; counts whole microseconds."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._passed = timedelta(0)

    def now(self) -> datetime:
        return self._start + self._passed

    def elapsed(self) -> float:
        return self._passed.total_seconds()

    def advance(self, by: timedelta) -> None:
        if by < timedelta(0):
            raise ValueError("time does not go back")
        self._passed += by

    def advance_to(self, at: datetime) -> None:
        """Go on to a moment; one that has passed is now."""
        self.advance(max(at - self.now(), timedelta(0)))


class SkewedClock:
    """Another machine's clock: it shows the same time, off by a constant."""

    def __init__(self, clock: VirtualClock, by: timedelta) -> None:
        self._clock = clock
        self._by = by

    def now(self) -> datetime:
        return self._clock.now() + self._by

    def elapsed(self) -> float:
        return self._clock.elapsed()


class StandsStill(RuntimeError):
    """Every coroutine waits for something that no timer will bring."""


class _JumpingSelector(selectors.BaseSelector):
    """Waits for nothing but time, and lets that pass at once."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(
        self, fileobj: Any, events: int, data: Any = None
    ) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = selectors.SelectorKey(fileobj, number, events, data)
        self._keys[number] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        return self._keys.pop(number)

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StandsStill("nobody will ever wake what waits")
        if timeout > 0:
            # Rounded up, since the loop would ask again for what is left.
            self._clock.advance(timedelta(seconds=timeout) + MICROSECOND)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def close(self) -> None:
        self._keys.clear()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose sleeps take no time but the clock's."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(_JumpingSelector(clock))
        self._virtual = clock

    def time(self) -> float:
        return self._virtual.elapsed()


class _Seeded:
    """Stands in for ``secrets`` where ids are made: the same seed, the same ids."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def randbits(self, count: int) -> int:
        return self._random.getrandbits(count)


@contextmanager
def same_ids(seed: int) -> Iterator[None]:
    """Make the same ids as every other run with this seed, within this block."""
    real = vars(ids)["secrets"]
    vars(ids)["secrets"] = _Seeded(seed)
    try:
        yield
    finally:
        vars(ids)["secrets"] = real


def run(
    main: Coroutine[Any, Any, Result], *, clock: VirtualClock, seed: int = 0
) -> Result:
    """Run a coroutine to its end in virtual time; the same seed, the same run."""
    loop = VirtualLoop(clock)
    try:
        with same_ids(seed):
            return loop.run_until_complete(main)
    finally:
        loop.close()
