"""Who waits for an order to end, in this process."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Woken(Protocol):
    """A wake-up call that was asked for."""

    async def wait(self) -> None:
        """Return once the order may have ended since the call was asked for.

        A wake-up that came before ``wait`` was called is not lost.
        """
        ...


class Waiters(Protocol):
    """Wake-up calls, best effort: who waits also looks by itself now and then."""

    def expect(self, queue_id: str) -> AbstractAsyncContextManager[Woken]:
        """Ask to be woken when the order ends; leaving the block forgets it."""
        ...
