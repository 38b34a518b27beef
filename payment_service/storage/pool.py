"""A pool of connections that can write: what is in doubt leaves it at once.

Whoever needs a connection that is not there makes it himself, so that he hears at once
why it cannot be made, and nothing has to be waited for once it can.
"""

import asyncio
import random
import select
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg.pq import TransactionStatus

from fsm.domain.errors import StoreUnavailable
from payment_service.storage.session import Connection

TRUSTED_SECONDS: Final = 1.0
"""What lay about for longer is asked whether it is there: a path may have lost it."""
IDLE_SECONDS_MAX: Final = 300.0
LIFE_SECONDS_MAX: Final = 3600.0


@dataclass(eq=False, slots=True)
class Member:
    """A connection of the pool; those of one generation were made after one drain."""

    connection: Connection
    generation: int
    ends_at: float
    idle_since: float = 0.0

    def is_alive(self, now: float) -> bool:
        """Look whether it can be handed out, without asking the server."""
        if self.connection.closed or now > self.ends_at:
            return False
        return now < self.idle_since + IDLE_SECONDS_MAX and not self._has_webhook()

    async def answers(self) -> bool:
        """Ask the server whether it is there, where that is not known."""
        if time.monotonic() < self.idle_since + TRUSTED_SECONDS:
            return True
        return await self.connection.answers()

    def _has_webhook(self) -> bool:
        # Nothing was asked: what comes now is its end, or a change of its settings.
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return bool(poll.poll(0))


class Pool:
    """Hands out at most ``size_max`` connections, the last used first."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        *,
        size_max: int,
        wait_seconds_max: float,
    ) -> None:
        self._connect = connect
        self._size_max = size_max
        self._wait_seconds_max = wait_seconds_max
        self._idle: deque[Member] = deque()
        self._asked: set[Member] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._size = 0
        self._making = 0
        self._closed = False
        self.generation = 0

    @asynccontextmanager
    async def member(self) -> AsyncIterator[Member]:
        """Lend a connection until the block is left.

        :raises psycopg.Error: none is there and none can be made.
        :raises StoreUnavailable: likewise, or all are at work for too long.
        """
        member = await self._take()
        try:
            yield member
        finally:
            await self._give(member)

    def doubt(self, generation: int) -> None:
        """Let go of all that were made when one was that has failed."""
        if generation == self.generation:
            self.generation += 1
            for member in self._asked:
                member.connection.give_up()

    async def close(self) -> None:
        """Close what lies about; what is lent out is closed when it comes back."""
        self._closed = True
        while self._idle:
            await self._discard(self._idle.pop())

    async def _take(self) -> Member:
        until = time.monotonic() + self._wait_seconds_max
        because: Exception | None = None
        while not self._closed:
            while self._idle:
                member = self._idle.pop()
                if self._is_good(member) and await self._answers(member):
                    return member
                await self._discard(member)
            if self._size < self._size_max and because is None:
                try:
                    return await self._made()
                except (psycopg.Error, StoreUnavailable, OSError) as error:
                    if self._size == self._making:
                        raise
                    # Those at work are good, as it seems: one of them will do.
                    because = error
            await self._turn(until, because)
            because = None
        raise StoreUnavailable("the connections are closed")

    async def _answers(self, member: Member) -> bool:
        self._asked.add(member)
        try:
            there = await member.answers()
        except BaseException:
            await self._discard(member)
            raise
        finally:
            self._asked.discard(member)
        if not there:
            # Where one has gone silent the others have: nobody waits for each of them.
            self.doubt(member.generation)
        return there and member.generation == self.generation

    async def _made(self) -> Member:
        self._size += 1
        self._making += 1
        generation = self.generation
        try:
            connection = await self._connect()
        except BaseException:
            self._size -= 1
            self._wake()
            raise
        finally:
            self._making -= 1
        life = LIFE_SECONDS_MAX * random.uniform(0.9, 1)  # noqa: S311 - no secret
        return Member(connection, generation, time.monotonic() + life)

    async def _turn(self, until: float, because: Exception | None) -> None:
        """Wait until a connection comes back, or leaves."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await turn
        except BaseException as error:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:
                # It was woken and cannot go on: another one can.
                self._wake()
            if not isinstance(error, TimeoutError):
                raise
            if because is not None:
                raise because from None
            told = f"all {self._size} connections are at work"
            raise StoreUnavailable(told) from None

    async def _give(self, member: Member) -> None:
        member.idle_since = time.monotonic()
        status = member.connection.pgconn.transaction_status
        if status != TransactionStatus.IDLE or not self._is_good(member):
            await self._discard(member)
            return
        self._idle.append(member)
        self._wake()
        if not self._is_good(self._idle[0]):
            await self._discard(self._idle.popleft())

    def _is_good(self, member: Member) -> bool:
        current = member.generation == self.generation and not self._closed
        return current and member.is_alive(time.monotonic())

    async def _discard(self, member: Member) -> None:
        self._size -= 1
        self._wake()
        await member.connection.close()

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
