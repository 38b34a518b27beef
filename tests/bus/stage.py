"""What the tests of the bus share: messages, handlers that remember, a proxy."""

import asyncio
import itertools
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from fsm.domain.messages import STEP_DUE, Message
from handlers.ports.outcomes import Done
from payment_service.bus import (
    Consumer,
    ConsumerLimits,
    DurableConsumer,
    Listeners,
    PullTimes,
)

# Until what never comes is given up: no promise, for a busy machine takes its time.
SOON = 60.0
ACK_WAIT = timedelta(seconds=30)
QUICK_ACK_WAIT = timedelta(seconds=1)
LIMITS = ConsumerLimits(in_flight_max=8, prefetch=4, ack_wait=ACK_WAIT, max_deliver=3)
TIMES = PullTimes(expires_seconds=4.0, heartbeat_seconds=0.5)
NUMBERS = itertools.count()


def a_message(subject=STEP_DUE, body=b'{"version": 1}', **changes):
    message_id = changes.pop("message_id", f"m-{next(NUMBERS)}")
    return Message(subject=subject, body=body, message_id=message_id, **changes)


async def soon(awaitable, seconds=SOON):
    async with asyncio.timeout(seconds):
        return await awaitable


async def until(condition):
    """Wait for something that nothing announces."""
    async with asyncio.timeout(SOON):
        while not await condition():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.01)


async def state_of(api, stream):
    return (await api.call(f"STREAM.INFO.{stream}"))["state"]


def forget(*_webhook):
    """Hear of it and do nothing."""


async def is_empty(api, stream):
    return (await state_of(api, stream))["messages"] == 0


class Stage:
    """Handler, undertaker and listeners of a consumer; remembers what happened."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.deliveries: asyncio.Queue[Any] = asyncio.Queue()
        self.handled: asyncio.Queue[Any] = asyncio.Queue()
        self.dead_lettered: asyncio.Queue[Any] = asyncio.Queue()
        self.errors = []
        self.gone = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_dead_letter = asyncio.Event()
        self.may_end.set()
        self.may_dead_letter.set()
        self.dead_letterings_to_fail = 0
        self.at_once = 0
        self.at_once_max = 0

    async def handle(self, delivery):
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        self.deliveries.put_nowait((delivery, asyncio.get_running_loop().time()))
        try:
            await self.may_end.wait()
        finally:
            self.at_once -= 1
        outcome = self.outcomes.pop(0) if self.outcomes else Done()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def dead_letter(self, delivery, reason, because):
        self.dead_lettered.put_nowait((delivery, reason, because))
        await self.may_dead_letter.wait()
        if self.dead_letterings_to_fail:
            self.dead_letterings_to_fail -= 1
            raise OSError("the store is down")

    def consumer(self, wire, names, *, limits=LIMITS, times=TIMES, source=None):
        return Consumer(
            wire,
            names,
            source or DurableConsumer(names.stream("ORDER_TASKS"), "payment-tasks"),
            limits=limits,
            handle=self.handle,
            dead_letter=self.dead_letter,
            listeners=Listeners(
                on_handled=lambda *webhook: self.handled.put_nowait(webhook),
                on_error=lambda *webhook: self.errors.append(webhook),
                on_gone=self.gone.set,
            ),
            times=times,
        )

    @asynccontextmanager
    async def running(self, wire, names, **changes):
        consumer = self.consumer(wire, names, **changes)
        await consumer.start()
        try:
            yield consumer
        finally:
            self.may_end.set()
            self.may_dead_letter.set()
            await consumer.stop(timedelta(seconds=5))


class AckSpy:
    """Overhears how deliveries are answered."""

    def __init__(self):
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(self, wire, stream):
        await wire.subscribe_raw(f"$JS.ACK.{stream}.>", self._receive)
        await wire.round_trip(SOON)

    def _receive(self, _subject, _reply, body, _headers):
        self.answers.put_nowait(body)


class Proxy:
    """A TCP proxy that can go silent and stay connected."""

    def __init__(self, port):
        self._target = port
        self._is_silent = False
        self._tasks = set()
        self._writers = set()
        self._server: Any = None

    @property
    def url(self):
        return f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def go_silent(self):
        self._is_silent = True

    def speak_again(self):
        self._is_silent = False

    def hang_up(self):
        for writer in self._writers:
            writer.transport.abort()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.hang_up()
        await asyncio.sleep(0)

    def _accept(self, reader, writer):
        # Not a coroutine: the server would complain about those that are cancelled.
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        away_reader, away_writer = await asyncio.open_connection(
            "127.0.0.1", self._target
        )
        self._writers.add(away_writer)
        await asyncio.gather(
            self._copy(reader, away_writer), self._copy(away_reader, writer)
        )

    async def _copy(self, reader, writer):
        while data := await reader.read(65_536):
            if not self._is_silent:
                writer.write(data)
        writer.close()
