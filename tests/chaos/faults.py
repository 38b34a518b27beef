"""The faults, as data: how each is done, undone, and known to have really happened."""

import asyncio
import os
import random
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import nats
import nats.errors
from nats.js.errors import Error as JetStreamError

from payment_service.bus import topology
from tests.chaos.fleet import CORE, DATABASE, NATS, PROVIDERS, Fleet, ask
from tests.chaos.processes import Process
from tests.chaos.proxy import SILENT, Proxy, Toxic


@dataclass(slots=True)
class Evidence:
    """What proves that a fault happened, once it is over."""

    notes: list[str] = field(default_factory=list)

    @property
    def happened(self) -> bool:
        """True where anything was really broken."""
        return bool(self.notes)

    def note(self, what: str, *, if_true: object = True) -> None:
        """Write it down, if it is so."""
        if if_true:
            self.notes.append(what)


PROVIDER_CALLS: Final = ("create", "status", "do", "undo", "ask")
"""What providers, and the services of checkouts beside them, are asked for."""

Seconds = tuple[float, float]
Inject = Callable[[Fleet, random.Random, Evidence], AbstractAsyncContextManager[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault: in force while ``inject`` is entered, for some of ``lasts`` seconds."""

    name: str
    what: str
    inject: Inject
    lasts: Seconds
    standby: bool = False
    """Whether it needs PostgreSQL as a pair."""


def fault(
    what: str, *, lasts: Seconds, standby: bool = False
) -> Callable[[Callable[[Fleet, random.Random, Evidence], AsyncIterator[None]]], Fault]:
    """Make a fault of a generator that breaks something, yields, and mends it."""

    def made(
        way: Callable[[Fleet, random.Random, Evidence], AsyncIterator[None]],
    ) -> Fault:
        return Fault(
            name=way.__name__.replace("_", "-"),
            what=what,
            inject=asynccontextmanager(way),
            lasts=lasts,
            standby=standby,
        )

    return made


# Processes of the service.


@asynccontextmanager
async def _killed(process: Process, seen: Evidence) -> AsyncIterator[None]:
    process.held = True
    seen.note(f"{process.name} died of SIGKILL", if_true=process.kill())
    try:
        yield
    finally:
        process.held = False
    await process.start()


@fault("a worker is killed with SIGKILL and started again", lasts=(0.2, 2.0))
async def kill_worker(
    fleet: Fleet, chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    async with _killed(chance.choice(fleet.of_role("worker")), seen):
        yield


@fault("an API is killed with SIGKILL and started again", lasts=(0.2, 2.0))
async def kill_api(
    fleet: Fleet, chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    async with _killed(chance.choice(fleet.of_role("api")), seen):
        yield


@fault("the relay is killed with SIGKILL and started again", lasts=(1.0, 3.0))
async def kill_relay(
    fleet: Fleet, chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    async with _killed(chance.choice(fleet.of_role("relay")), seen):
        yield


@fault("the sweeper is killed with SIGKILL and started again", lasts=(1.0, 3.0))
async def kill_sweeper(
    fleet: Fleet, chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    async with _killed(chance.choice(fleet.of_role("sweeper")), seen):
        yield


@fault("every process of the service is killed at once", lasts=(0.5, 2.0))
async def kill_all(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    for process in fleet.service.values():
        process.held = True
        seen.note(f"{process.name} died of SIGKILL", if_true=process.kill())
    yield
    for process in fleet.service.values():
        process.held = False
        process.launch()
    await asyncio.gather(*(p.until_ready() for p in fleet.service.values()))


@fault(
    "a worker is stopped dead for longer than AckWait, then goes on (a zombie)",
    lasts=(6.0, 10.0),
)
async def zombie_worker(
    fleet: Fleet, chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    worker = chance.choice(fleet.of_role("worker"))
    worker.pause()
    seen.note(f"{worker.name} was stopped dead", if_true=worker.running)
    try:
        yield
    finally:
        worker.resume()


# PostgreSQL.


@fault("PostgreSQL stops in immediate mode and recovers", lasts=(0.2, 2.0))
async def pg_restart(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    primary = fleet.pair.primary
    await asyncio.to_thread(primary.crash)
    seen.note("the primary was gone", if_true=not primary.running)
    yield
    await asyncio.to_thread(primary.start)


@fault(
    "PostgreSQL's primary dies, its synchronous standby takes over",
    lasts=(3.0, 6.0),
    standby=True,
)
async def pg_failover(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    before = fleet.pair.primary
    await fleet.pair.fail_over()
    seen.note("another server is primary", if_true=fleet.pair.primary is not before)
    yield
    await fleet.pair.rebuild()


@fault("the network to PostgreSQL goes silent, half-open afterwards", lasts=(5.0, 9.0))
async def pg_silent(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    proxies = [fleet.proxies[name] for name in DATABASE if name in fleet.proxies]
    async with _poisoned(proxies, SILENT, "swallowed", seen):
        yield


@fault("the network to PostgreSQL resets every connection", lasts=(1.0, 3.0))
async def pg_reset(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    proxies = [fleet.proxies[name] for name in DATABASE if name in fleet.proxies]
    for proxy in proxies:
        proxy.reset_all()
    async with _poisoned(proxies, Toxic(reset=True), "reset", seen):
        yield


@fault("the network to PostgreSQL breaks in the middle of answers", lasts=(3.0, 6.0))
async def pg_cut(
    fleet: Fleet, chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    proxies = [fleet.proxies[name] for name in DATABASE if name in fleet.proxies]
    toxic = Toxic(cut_after=chance.randrange(20_000, 60_000), slice_bytes=512)
    async with _poisoned(proxies, toxic, "cut", seen):
        yield


# NATS.


@fault("nats-server is killed with SIGKILL and started again", lasts=(0.2, 3.0))
async def nats_kill(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    await asyncio.to_thread(fleet.nats.kill)
    seen.note("nats-server was gone", if_true=not fleet.nats.running)
    yield
    await asyncio.to_thread(fleet.nats.start)


@fault("NATS loses its whole store in mid-flight", lasts=(0.2, 2.0))
async def nats_wipe(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    await asyncio.to_thread(fleet.nats.kill)
    await asyncio.to_thread(fleet.nats.wipe)
    seen.note("the store was empty", if_true=not fleet.nats.store_dir.exists())
    yield
    await asyncio.to_thread(fleet.nats.start)


@fault("NATS comes back with a store that is some seconds old", lasts=(5.0, 8.0))
async def nats_restored(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    copy = fleet.folder / "nats-copy"
    await asyncio.to_thread(_snapshot, fleet, copy)
    yield
    await asyncio.to_thread(_restore, fleet, copy)
    seen.note("the older store was put back")


def _snapshot(fleet: Fleet, copy: Path) -> None:
    os.kill(fleet.nats.pid, signal.SIGSTOP)
    try:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(fleet.nats.store_dir, copy)
    finally:
        os.kill(fleet.nats.pid, signal.SIGCONT)


def _restore(fleet: Fleet, copy: Path) -> None:
    fleet.nats.kill()
    shutil.rmtree(fleet.nats.store_dir)
    shutil.copytree(copy, fleet.nats.store_dir)
    fleet.nats.start()


@fault("the consumer of the task messages is deleted", lasts=(0.5, 1.0))
async def consumer_deleted(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    verb = f"CONSUMER.DELETE.{topology.TASKS}.{topology.TASK_CONSUMER}"
    seen.note("it was deleted", if_true=await _jetstream(fleet, verb))
    yield


@fault("the stream of the task messages is deleted", lasts=(0.5, 1.0))
async def stream_deleted(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    verb = f"STREAM.DELETE.{topology.TASKS}"
    seen.note("it was deleted", if_true=await _jetstream(fleet, verb))
    yield


async def _jetstream(fleet: Fleet, verb: str) -> bool:
    client = await nats.connect(fleet.nats.url)
    try:
        answer = await client.request(f"$JS.API.{verb}", timeout=3)
    except (nats.errors.Error, JetStreamError):
        return False
    else:
        return b'"success":true' in answer.data
    finally:
        await client.close()


@fault("the network to NATS goes silent, half-open afterwards", lasts=(6.0, 14.0))
async def nats_silent(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    async with _poisoned([fleet.proxies[NATS]], SILENT, "swallowed", seen):
        yield


@fault("the network to NATS is slow and in pieces", lasts=(4.0, 8.0))
async def nats_slow(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    toxic = Toxic(latency_seconds=0.1, slice_bytes=256)
    async with _poisoned([fleet.proxies[NATS]], toxic, "delayed", seen):
        yield


# Core.


@fault("core is down", lasts=(3.0, 6.0))
async def core_down(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    async with _refused(fleet.proxies[CORE], seen):
        yield


@fault("core is killed with SIGKILL and goes on from its book", lasts=(0.5, 3.0))
async def core_killed(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    async with _killed(fleet.core, seen):
        yield


@fault("core answers later than anybody waits", lasts=(3.0, 6.0))
async def core_slow(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    rules = [{"kind": "slow", "delay": 2.5, "probability": 0.5}]
    async with _scripted(fleet, CORE, rules, seen):
        yield


@fault("core does what it is asked, then answers 500", lasts=(3.0, 6.0))
async def core_applied_then_500(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    rules = [{"kind": "applied_error", "status": 500, "probability": 0.6}]
    async with _scripted(fleet, CORE, rules, seen):
        yield


@fault("core does what it is asked, then resets the connection", lasts=(3.0, 6.0))
async def core_resets(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    rules = [{"kind": "applied_drop", "probability": 0.6}]
    async with _scripted(fleet, CORE, rules, seen):
        yield


# The providers.


@fault("the providers are down", lasts=(2.0, 5.0))
async def providers_down(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    async with _refused(fleet.proxies[PROVIDERS], seen):
        yield


@fault("the providers are killed with SIGKILL and go on from their book", lasts=(1, 3))
async def providers_killed(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    async with _killed(fleet.providers, seen):
        yield


@fault("the providers answer later than anybody waits", lasts=(3.0, 6.0))
async def providers_slow(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    rules = [
        {"kind": "slow", "delay": 1.5, "operation": f"*.{what}", "probability": 0.5}
        for what in PROVIDER_CALLS
    ]
    async with _scripted(fleet, PROVIDERS, rules, seen):
        yield


@fault("the providers execute, then reset the connection", lasts=(3.0, 6.0))
async def providers_reset(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    rules = [
        {"kind": "applied_drop", "operation": f"*.{what}", "probability": 0.6}
        for what in PROVIDER_CALLS
    ]
    async with _scripted(fleet, PROVIDERS, rules, seen):
        yield


@fault("the providers execute, and their answers are lost", lasts=(3.0, 6.0))
async def providers_silent(
    fleet: Fleet, _chance: random.Random, seen: Evidence
) -> AsyncIterator[None]:
    toxic = Toxic(silent_down=True)
    async with _poisoned([fleet.proxies[PROVIDERS]], toxic, "swallowed", seen):
        yield


# How the ones above are done.


@asynccontextmanager
async def _poisoned(
    proxies: list[Proxy], toxic: Toxic, sign: str, seen: Evidence
) -> AsyncIterator[None]:
    before = sum(proxy.met[sign] for proxy in proxies)
    for proxy in proxies:
        proxy.poison(toxic)
    try:
        yield
    finally:
        for proxy in proxies:
            await proxy.heal()
        count = sum(proxy.met[sign] for proxy in proxies) - before
        seen.note(f"{count} times {sign}", if_true=count)


@asynccontextmanager
async def _refused(proxy: Proxy, seen: Evidence) -> AsyncIterator[None]:
    before = proxy.met["cut"]
    proxy.refuse()
    try:
        yield
    finally:
        await proxy.heal()
        seen.note(f"{proxy.met['cut'] - before} connections were cut, none was taken")


@asynccontextmanager
async def _scripted(
    fleet: Fleet, what: str, rules: Sequence[Mapping[str, object]], seen: Evidence
) -> AsyncIterator[None]:
    url = f"{fleet.url_of(what)}/_faults"
    before = await ask(url, {"faults": rules})
    try:
        yield
    finally:
        after = await ask(url, {"faults": []})
        for name, count in after["happened"].items():
            met = count - before["happened"].get(name, 0)
            seen.note(f"{name}: {met}", if_true=met)


FAULTS: Final[Mapping[str, Fault]] = {
    each.name: each for each in list(globals().values()) if isinstance(each, Fault)
}
