"""Checks NATS: reachable, new enough, its streams, consumers and schedules."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fsm.domain.errors import BusUnavailable
from payment_service.bus import (
    Durable,
    JetStreamApi,
    JetStreamRefused,
    Names,
    NatsClient,
    OldServer,
    PermissionRefused,
    Stream,
    Topology,
    probe,
)
from payment_service.bus.changes import told
from payment_service.bus.ensure import additions
from payment_service.bus.probe import may_make_consumer, may_make_stream
from payment_service.bus.space import Room, room_of
from payment_service.bus.unfit import unfit_stream
from payment_service.cli.doctor.consumers import (
    AREA,
    MENDED,
    consumer,
    missing,
    others,
)
from payment_service.cli.doctor.findings import Finding
from payment_service.cli.doctor.permissions import of_nats
from payment_service.cli.doctor.store import ClockOffset, skew
from payment_service.settings import Settings
from payment_service.wiring.nats import access_of, connect_nats, topology_of
from providers.config import Config

CONNECT_SECONDS_MAX: Final = 5.0
RECOMMENDED: Final = (2, 14)
RINGS_AFTER: Final = timedelta(seconds=1)
LOOKS_MAX: Final = 30
LOOK_EVERY_SECONDS: Final = 0.2
GRANT: Final = "let this user publish there"
BODY_MAX: Final = 256 * 1024
PAYLOAD_MIN: Final = 2 * BODY_MAX
EXPIRES_SOON: Final = timedelta(days=7)


async def check(
    settings: Settings, config: Config, clock: ClockOffset
) -> AsyncIterator[Finding]:
    """Check NATS; nothing of the service's own is touched."""
    try:
        wire = await connect_nats(
            settings, name="payment-service doctor", seconds_max=CONNECT_SECONDS_MAX
        )
    except OldServer as old:
        yield AREA.wrong("version", str(old), old.mend)
        return
    except BusUnavailable as error:
        yield AREA.wrong("connection", str(error), error.mend)
        return
    try:
        yield AREA.ok("connection", "reachable")
        yield _version(wire.version)
        for finding in (*_payload(wire), *_expiry(settings)):
            yield finding
        async for finding in of_nats(wire, settings, config):
            yield finding
        async for finding in _jetstream(wire, settings, clock):
            yield finding
    except JetStreamRefused as error:
        mend = "enable JetStream for the server and the account; see its limits"
        yield AREA.wrong("JetStream", str(error), mend)
    except PermissionRefused as error:
        yield AREA.wrong("permission", str(error), GRANT)
    except BusUnavailable as error:
        yield AREA.wrong("JetStream", str(error), "enable JetStream and look at limits")
    finally:
        await wire.close()


def _version(found: str) -> Finding:
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers >= RECOMMENDED:
        return AREA.ok("version", found)
    newer = ".".join(map(str, RECOMMENDED))
    return AREA.advice("version", found, f"{newer} or newer is recommended")


async def _jetstream(
    wire: NatsClient, settings: Settings, clock: ClockOffset
) -> AsyncIterator[Finding]:
    api, names = JetStreamApi(wire), Names(settings.subject_prefix)
    room = await room_of(api, replicas=settings.stream_replicas)
    topology = topology_of(settings)
    denied = await probe(wire, names, topology)
    async for finding in _topology(api, topology, room, _Denied(wire.api, denied)):
        yield finding
    if not settings.schedules:
        mend = "timers come late by the sweeper's interval; let it be on"
        yield AREA.advice("schedules", "PAYMENT_SCHEDULES is off", mend)
        return
    async for finding in _schedules(api, wire, names, clock):
        yield finding


class _Denied:
    """What this user may not publish to; what it need not is no finding."""

    def __init__(self, api: str, subjects: frozenset[str]) -> None:
        self._api = api
        self._subjects = subjects

    def stream(self, stream: Stream) -> str | None:
        """Return the subject that would make the stream, where it is refused."""
        return self._found(may_make_stream(self._api, stream.name))

    def consumer(self, durable: Durable) -> str | None:
        """Return the subject that would make the consumer, where it is refused."""
        return self._found(may_make_consumer(self._api, durable.stream, durable.name))

    def needed(self) -> list[str]:
        """Return what is refused and needed by a service that has its streams."""
        makes = (f"{self._api}.STREAM.CREATE.", f"{self._api}.CONSUMER.CREATE.")
        return sorted(each for each in self._subjects if not each.startswith(makes))

    def _found(self, subject: str) -> str | None:
        return subject if subject in self._subjects else None


async def _topology(
    api: JetStreamApi, topology: Topology, room: Room, denied: _Denied
) -> AsyncIterator[Finding]:
    for subject in denied.needed():
        yield AREA.wrong("permission", f"publishing to {subject} is refused", GRANT)
    for stream in topology.streams:
        for finding in await _stream(api, stream, room, denied.stream(stream)):
            yield finding
    for durable in topology.consumers:
        beside = [
            each.name
            for each in topology.consumers
            if each.stream == durable.stream and each is not durable
        ]
        yield await consumer(api, durable, beside, denied.consumer(durable))
    for stream in topology.streams:
        if stream.is_work:
            for finding in await others(api, stream.name, topology):
                yield finding


async def _stream(
    api: JetStreamApi, stream: Stream, room: Room, denied: str | None
) -> list[Finding]:
    what = f"stream {stream.name}"
    try:
        live = await api.find(f"STREAM.INFO.{stream.name}")
    except PermissionRefused as refused:
        return [AREA.advice(what, str(refused), "let it be looked at")]
    if live is None:
        return [missing(what, denied)]
    config = live["config"]
    lacking = additions(stream, config)
    problems = unfit_stream(stream, config, room, lacking=lacking)
    if problems:
        mend = "see docs/surroundings.md, NATS"
        return [AREA.wrong(what, problem, mend) for problem in problems]
    if lacking:
        return [AREA.wrong(what, told(lacking, config), MENDED)]
    return [_bounded(what, stream, live)]


def _bounded(what: str, stream: Stream, live: Any) -> Finding:  # noqa: ANN401 - JSON
    held = f"{live['state']['messages']} messages"
    config = live["config"]
    limited = config.get("max_bytes", -1) > 0 or config.get("max_msgs", -1) > 0
    if not stream.is_work and not limited:
        mend = f"set PAYMENT_STREAM_{stream.word}_BYTES"
        return AREA.advice(what, f"{held}, and may fill the whole store", mend)
    if stream.is_work and limited and config.get("discard", "old") == "old":
        mend = "give it room; what it evicts is driven from PostgreSQL, later"
        return AREA.advice(what, f"{held}; the oldest go when it is full", mend)
    return AREA.ok(what, held)


def _payload(wire: NatsClient) -> list[Finding]:
    """Look whether requests of 256 KiB fit, as headers and dead letters do."""
    if wire.max_payload >= PAYLOAD_MIN:
        return []
    told = f"max_payload is {wire.max_payload} bytes"
    mend = f"set it to {PAYLOAD_MIN} or more: requests may have {BODY_MAX}"
    return [AREA.advice("payload", told, mend)]


def _expiry(settings: Settings) -> list[Finding]:
    if settings.nats_creds is None:
        return []
    at = access_of(settings).expires()
    if at is None or at - datetime.now(UTC) > EXPIRES_SOON:
        return []
    return [AREA.advice("credentials", f"end at {at:%Y-%m-%d %H:%M} UTC", "renew them")]


async def _schedules(
    api: JetStreamApi, wire: NatsClient, names: Names, clock: ClockOffset
) -> AsyncIterator[Finding]:
    """Let a schedule ring in a stream made for it, which goes afterwards."""
    name = f"PAYMENT_DOCTOR_{secrets.token_hex(4)}"
    stream, subject = names.stream(name), names.subject(f"payment-doctor.{name}")
    config = {
        "name": stream,
        "subjects": [f"{subject}.>"],
        "storage": "memory",
        "retention": "limits",
        "max_age": 60 * 10**9,
        "num_replicas": 1,
        "allow_msg_schedules": True,
    }
    asked = clock.now()
    try:
        made = await api.call(f"STREAM.CREATE.{stream}", config)
    except BusUnavailable as error:
        mend = "let this user make a stream, or look at the limits"
        yield AREA.advice("schedules", f"could not be tried: {error}", mend)
        return
    try:
        if "ts" in made and clock.ahead is not None:
            way = clock.now() - asked
            ahead = datetime.fromisoformat(made["ts"]) - asked - way / 2
            yield skew(AREA, ahead, way, "the database's")
        yield await _ring(api, wire, stream, subject)
    finally:
        await api.find(f"STREAM.DELETE.{stream}")


async def _ring(
    api: JetStreamApi, wire: NatsClient, stream: str, subject: str
) -> Finding:
    at = (datetime.now(UTC) + RINGS_AFTER).isoformat().replace("+00:00", "Z")
    headers = {"Nats-Schedule": f"@at {at}", "Nats-Schedule-Target": f"{subject}.woken"}
    await wire.publish(f"{subject}.timer", b"{}", headers=headers)
    for _ in range(LOOKS_MAX):
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        info = await api.call(
            f"STREAM.INFO.{stream}", {"subjects_filter": f"{subject}.woken"}
        )
        if (info["state"].get("subjects") or {}).get(f"{subject}.woken"):
            return AREA.ok("schedules", "a message rang at its time")
    waited = LOOKS_MAX * LOOK_EVERY_SECONDS
    mend = "see the clock of the NATS server; until then only the sweeper rings"
    return AREA.wrong("schedules", f"a message did not ring in {waited:.0f} s", mend)
