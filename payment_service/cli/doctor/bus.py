"""Checks NATS: reachable, new enough, its streams, consumers and schedules."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from payment_service.bus import Api, Names, OldServer, Topology, Wire, wanted
from payment_service.bus.topology import differences
from payment_service.cli.doctor.findings import Area, Finding
from payment_service.cli.doctor.store import Clock, skew
from payment_service.domain.errors import BusUnavailable
from payment_service.settings import Settings
from payment_service.wiring.nats import connect_nats

AREA: Final = Area("nats")
CONNECT_SECONDS_MAX: Final = 5.0
RECOMMENDED: Final = (2, 14)
RINGS_AFTER: Final = timedelta(seconds=1)
LOOKS_MAX: Final = 30
LOOK_EVERY_SECONDS: Final = 0.2
MAKE: Final = "start `payment-service run`, which makes it"


async def check(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    """Check NATS; nothing of the service's own is touched."""
    try:
        wire = await connect_nats(
            settings, name="payment-service doctor", seconds_max=CONNECT_SECONDS_MAX
        )
    except OldServer as old:
        yield AREA.wrong("version", str(old), "install a newer nats-server")
        return
    except BusUnavailable as error:
        mend = "see PAYMENT_NATS_URL, and whether NATS runs"
        yield AREA.wrong("connection", str(error), mend)
        return
    try:
        yield AREA.ok("connection", "reachable")
        yield _version(wire.version)
        async for finding in _jetstream(wire, settings, clock):
            yield finding
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
    wire: Wire, settings: Settings, clock: Clock
) -> AsyncIterator[Finding]:
    api, names = Api(wire), Names(settings.subject_prefix)
    await api.call("INFO")
    topology = wanted(
        names, replicas=settings.stream_replicas, ack_wait=settings.ack_wait
    )
    async for finding in _topology(api, topology):
        yield finding
    if not settings.schedules:
        mend = "timers come late by the sweeper's interval; let it be on"
        yield AREA.advice("schedules", "PAYMENT_SCHEDULES is off", mend)
        return
    async for finding in _schedules(api, wire, names, clock):
        yield finding


async def _topology(api: Api, topology: Topology) -> AsyncIterator[Finding]:
    for stream in topology.streams:
        live = await api.find(f"STREAM.INFO.{stream.name}")
        yield _compared(f"stream {stream.name}", live, stream.config, _held(live))
    for durable in topology.consumers:
        live = await api.find(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
        told = f"{live['num_pending']} wait" if live else ""
        yield _compared(f"consumer {durable.name}", live, durable.config, told)


def _compared(what: str, live: Any, config: Any, told: str) -> Finding:  # noqa: ANN401 - JSON
    if live is None:
        return AREA.wrong(what, "is missing", MAKE)
    found = differences(live["config"], config)
    if found:
        mend = "restart `payment-service run`, which mends what NATS lets it"
        return AREA.wrong(what, "; ".join(found), mend)
    return AREA.ok(what, told)


def _held(live: Any) -> str:  # noqa: ANN401 - JSON
    return f"{live['state']['messages']} messages" if live else ""


async def _schedules(
    api: Api, wire: Wire, names: Names, clock: Clock
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
    try:
        made = await api.call(f"STREAM.CREATE.{stream}", config)
    except BusUnavailable as error:
        mend = "let this user make a stream, or look at the limits"
        yield AREA.advice("schedules", f"could not be tried: {error}", mend)
        return
    try:
        if "ts" in made and clock.ahead is not None:
            # What lies between the answer and this line is added to the skew.
            ahead = datetime.fromisoformat(made["ts"]) - clock.now()
            yield skew(AREA, "clock", ahead, "the database's")
        yield await _ring(api, wire, stream, subject)
    finally:
        await api.find(f"STREAM.DELETE.{stream}")


async def _ring(api: Api, wire: Wire, stream: str, subject: str) -> Finding:
    at = (datetime.now(UTC) + RINGS_AFTER).isoformat().replace("+00:00", "Z")
    headers = {"Nats-Schedule": f"@at {at}", "Nats-Schedule-Target": f"{subject}.rung"}
    await wire.publish(f"{subject}.timer", b"{}", headers=headers)
    for _ in range(LOOKS_MAX):
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        info = await api.call(
            f"STREAM.INFO.{stream}", {"subjects_filter": f"{subject}.rung"}
        )
        if (info["state"].get("subjects") or {}).get(f"{subject}.rung"):
            return AREA.ok("schedules", "a message rang at its time")
    waited = LOOKS_MAX * LOOK_EVERY_SECONDS
    mend = "see the clock of the NATS server; until then only the sweeper rings"
    return AREA.wrong("schedules", f"a message did not ring in {waited:.0f} s", mend)
