"""Notices what NATS does not tell: a dead connection, a lost or starving consumer."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from fsm.domain.errors import BusUnavailable
from payment_service.bus.api import JetStreamApi, JetStreamRefused, Json
from payment_service.bus.changes import TopologyChange, TopologyRefused
from payment_service.bus.consumer import Consumer
from payment_service.bus.durables import recreate
from payment_service.bus.ensure import ensure
from payment_service.bus.nats_client import NatsClient, PermissionRefused
from payment_service.bus.topology import Durable, Topology

RENEWALS_MAX: Final = 2
FORCED_AFTER: Final = 1 / 3
"""Of the time a connection may be dead; the rest is for the next server."""

NUDGE_SECONDS_MIN: Final = 0.2
"""Several consumers lose their stream at once; one look serves them all."""


FULL: Final = 0.9
"""Of what a stream may hold; an operator should hear of it before it is full."""


def _forget(*_webhook: str) -> None:
    """Do nothing with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchTimes:
    """How often to look, and how long each thing may last."""

    look_seconds: float = 5.0
    answer_seconds_max: float = 3.0
    dead_seconds_max: float = 60.0
    starving_seconds_max: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchListeners:
    """Who hears: of repairs, of what could not be repaired, and of the end.

    `on_well` is called after a look that found nothing, `on_notice` for what an
    operator may have meant, or should know.
    """

    on_healed: Callable[[TopologyChange], None]
    on_trouble: Callable[[str], None]
    give_up: Callable[[str], None]
    on_well: Callable[[], None] = _forget
    on_notice: Callable[[str], None] = _forget


@dataclass(slots=True)
class _Patient:
    """What was last seen of a consumer."""

    consumer: Consumer | None = None
    delivered: int = -1
    moved_at: float = 0.0
    renewals: int = field(default=0)
    is_starving: bool = False


class Watchdog:
    """Looks every few seconds, and at once after :meth:`nudge`.

    `consumers` are those of this process; the streams are watched without any too.
    """

    def __init__(
        self,
        wire: NatsClient,
        topology: Topology,
        consumers: Sequence[Consumer],
        *,
        listeners: WatchListeners,
        times: WatchTimes | None = None,
    ) -> None:
        self._wire = wire
        self._topology = topology
        self._listeners = listeners
        self._times = times or WatchTimes()
        self._api = JetStreamApi(wire, seconds_max=self._times.answer_seconds_max)
        self._nudged = asyncio.Event()
        self._answered_at = 0.0
        self._was_forced = False
        self._patients = {
            (durable.stream, durable.name): _Patient() for durable in topology.consumers
        }
        for consumer in consumers:
            name = (consumer.source.stream, consumer.source.durable)
            self._patients[name].consumer = consumer

    def nudge(self) -> None:
        """Look soon: somebody found a stream or consumer gone."""
        self._nudged.set()

    async def run(self) -> None:
        """Watch until cancelled, or until the connection is given up."""
        self._answered_at = _now()
        while True:
            await self._wait()
            await self.look()
            silence = _now() - self._answered_at
            if silence >= self._times.dead_seconds_max:
                self._listeners.give_up(f"NATS has been silent for {silence:.0f} s")
                return
            if silence >= self._times.dead_seconds_max * FORCED_AFTER:
                await self._force_reconnect()

    async def look(self) -> None:
        """Look once, and mend what can be mended."""
        try:
            await self._ask()
            self._heard()
            await self._heal()
        except (JetStreamRefused, TopologyRefused, PermissionRefused) as refused:
            # A no is an answer all the same: the connection lives.
            self._heard()
            self._listeners.on_trouble(str(refused))
        except BusUnavailable as error:
            self._listeners.on_trouble(str(error))
        else:
            self._tell_of_the_starving()

    def _tell_of_the_starving(self) -> None:
        """Take nothing for well before what waits has been delivered."""
        names = [name for (_, name), each in self._patients.items() if each.is_starving]
        if names:
            waits = "messages wait, and none is delivered"
            self._listeners.on_trouble(f"consumer {', '.join(names)}: {waits}")
        else:
            self._listeners.on_well()

    async def _ask(self) -> None:
        try:
            await self._api.call("INFO")
        except PermissionRefused:
            await self._wire.round_trip(self._times.answer_seconds_max)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds_to_next_look()):
                await self._nudged.wait()
                await asyncio.sleep(NUDGE_SECONDS_MIN)
        self._nudged.clear()

    def _seconds_to_next_look(self) -> float:
        left = self._answered_at + self._times.dead_seconds_max - _now()
        return max(NUDGE_SECONDS_MIN, min(self._times.look_seconds, left))

    def _heard(self) -> None:
        self._answered_at = _now()
        self._was_forced = False

    async def _heal(self) -> None:
        refusal = None
        try:
            changes = await ensure(self._api, self._topology, asks=False)
        except TopologyRefused as refused:
            refusal, changes = refused, refused.changes
        for change in changes:
            self._listeners.on_healed(change)
        if changes:
            self._renew_all()
        for durable in self._topology.consumers:
            # What may not be looked at cannot be nursed, and works without it.
            with suppress(PermissionRefused):
                await self._examine(durable)
        if refusal is not None:
            raise refusal

    async def _examine(self, durable: Durable) -> None:
        info = await self._api.find(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
        stream = await self._api.find(f"STREAM.INFO.{durable.stream}")
        if info is None or stream is None:
            self.nudge()
            return
        self._notice_fullness(durable.stream, stream)
        if info.get("paused"):
            # Somebody meant it: a consumer made anew would go on.
            self._patient(durable).moved_at = _now()
            self._listeners.on_notice(f"consumer {durable.name} is paused")
        elif _is_ahead(info, stream):
            await self._recreate(durable, "was ahead of its stream")
        elif self._is_starving(durable, info):
            await self._feed(durable)

    def _notice_fullness(self, name: str, stream: Json) -> None:
        limit = stream["config"].get("max_bytes", 0)
        if limit > 0 and stream["state"]["bytes"] > limit * FULL:
            share = stream["state"]["bytes"] / limit
            what = "evicts the oldest" if _evicts(stream) else "refuses more"
            self._listeners.on_notice(f"stream {name} is {share:.0%} full and {what}")

    def _is_starving(self, durable: Durable, info: Json) -> bool:
        """Tell whether messages wait, somebody could take them, and nothing moves."""
        patient = self._patient(durable)
        delivered = info["delivered"]["consumer_seq"]
        is_full = info["num_ack_pending"] >= info["config"]["max_ack_pending"]
        is_idle = patient.consumer is not None and patient.consumer.is_waiting
        if delivered != patient.delivered or is_full or not info["num_pending"]:
            # One that was made anew has delivered nothing yet.
            is_new = patient.delivered < 0 and bool(info["num_pending"])
            patient.is_starving = patient.is_starving and is_new
            patient.delivered, patient.moved_at = delivered, _now()
            patient.renewals = 0
        silence = _now() - patient.moved_at
        starving = is_idle and silence > self._times.starving_seconds_max
        patient.is_starving = patient.is_starving or starving
        return starving

    async def _feed(self, durable: Durable) -> None:
        patient = self._patient(durable)
        patient.moved_at = _now()
        patient.renewals += 1
        if patient.renewals > RENEWALS_MAX:
            await self._recreate(durable, "did not deliver what waited")
            return
        if patient.consumer is not None:
            await patient.consumer.reopen()
        self._healed(durable, "asked again for what waited")

    async def _recreate(self, durable: Durable, because: str) -> None:
        await recreate(self._api, durable)
        patient = self._patient(durable)
        patient.delivered, patient.renewals = -1, 0
        if patient.consumer is not None:
            patient.consumer.renew()
        self._healed(durable, f"made anew: it {because}")

    async def _force_reconnect(self) -> None:
        """Leave a connection that seems to be up and is not; try the next server."""
        if not self._was_forced:
            self._was_forced = True
            await self._wire.force_reconnect()

    def _healed(self, durable: Durable, what: str) -> None:
        name = f"{durable.stream}.{durable.name}"
        self._listeners.on_healed(TopologyChange(name=name, what=what))

    def _renew_all(self) -> None:
        for patient in self._patients.values():
            if patient.consumer is not None:
                patient.consumer.renew()

    def _patient(self, durable: Durable) -> _Patient:
        return self._patients[durable.stream, durable.name]


def _evicts(stream: Json) -> bool:
    discard: str = stream["config"].get("discard", "old")
    return discard == "old"


def _is_ahead(info: Json, stream: Json) -> bool:
    """Tell whether a consumer waits for numbers its stream had in a former life."""
    last: int = stream["state"]["last_seq"]
    seen: int = max(info["delivered"]["stream_seq"], info["ack_floor"]["stream_seq"])
    return seen > last


def _now() -> float:
    return asyncio.get_running_loop().time()
