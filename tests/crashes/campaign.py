"""Plays every scenario once for each point and form, many at the same time."""

import asyncio
import contextlib
import random
import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import psycopg
from psycopg import sql

from payment_service import bus
from payment_service.playground.embedded import EmbeddedNats, EmbeddedPostgres
from payment_service.playground.embedded.postgres import FAST
from payment_service.playground.memory.clock import run
from payment_service.playground.memory.effects import Strike
from payment_service.playground.memory.world import NeverRests
from payment_service.storage import migrate
from tests.crashes.door import FORMS, Crash, Door, Point
from tests.crashes.life import Place
from tests.crashes.world import RealWorld
from tests.handlers.test_crash_points import SCENARIOS, play, played
from tests.playground.embedded.processes import memory_folder
from tests.world.judged import World

LANES: Final = 8
TRIES_MAX: Final = 3
"""A point that timers kept from happening is looked for again."""

VISIT_SECONDS_MAX: Final = 90.0
CONNECTIONS_MAX: Final = 400
TABLES: Final = """
SELECT c.oid::regclass::text FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
    AND c.relname <> 'alembic_version'
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """A scenario with one thing gone wrong in it; without a crash it is the dry run."""

    scenario: str
    crash: Crash | None = None

    @property
    def replay(self) -> str:
        """The command that plays it again."""
        command = f'python -m tests.crashes --scenario "{self.scenario}"'
        if self.crash is None:
            return f"{command} --dry"
        form = self.crash.form.name.lower()
        return f"{command} --point {self.crash.at} --form {form}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a visit came to."""

    visit: Visit
    points: Sequence[Point]
    struck: bool
    deaths: int
    seconds: float
    offences: Sequence[str]
    releases_slot: tuple[str, ...] | None = None
    """Where it ended, if the twins never end there; a slow machine may do that once."""


@dataclass(slots=True)
class Tally:
    """What all visits of one scenario came to."""

    points: int = 0
    seen: list[Seen] = field(default_factory=list)

    @property
    def struck(self) -> int:
        return sum(seen.struck for seen in self.seen)

    @property
    def deaths(self) -> int:
        return sum(seen.deaths for seen in self.seen)

    @property
    def missed(self) -> list[Seen]:
        return [s for s in self.seen if s.visit.crash is not None and not s.struck]

    @property
    def failed(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.offences]

    @property
    def seconds(self) -> float:
        return sum(seen.seconds for seen in self.seen)

    @property
    def longest(self) -> float:
        return max((seen.seconds for seen in self.seen), default=0.0)


Tell = Callable[[Seen], None]
Ends = frozenset[tuple[str, ...]]


def ends_on_twins(scenario: str) -> Ends:
    """Return every end that the twins come to, whatever goes wrong on them."""
    clean = play(SCENARIOS[scenario])
    ends = {_end_of(clean)}
    for at in range(1, len(clean.effects.log) + 1):
        for form in FORMS:
            ends.add(_end_of(play(SCENARIOS[scenario], Strike(at, form))))
    return frozenset(ends)


def _end_of(world: World) -> tuple[str, ...]:
    async def ends() -> tuple[str, ...]:
        return (*await world.states(), *sorted(await world.kinds_of_cases()))

    return run(ends(), clock=world.clock)


async def visit(place: Place, wanted: Visit, ends: Ends) -> Seen:
    """Play it in an empty place, and judge where it has come to rest."""
    began = time.monotonic()
    door = Door(wanted.crash)
    world = RealWorld(place, door)
    end: tuple[str, ...] | None = None
    async with world.at_work():
        try:
            async with asyncio.timeout(VISIT_SECONDS_MAX):
                await played(SCENARIOS[wanted.scenario], world)
            offences, end = await world.offences(), await world.ends()
        except (NeverRests, TimeoutError) as never:
            offences = [f"it does not end: {never!r}"]
        except Exception as error:  # noqa: BLE001 - one visit's end is not all's
            offences = [f"{type(error).__name__}: {error}"]
    return Seen(
        visit=wanted,
        points=door.points,
        struck=door.has_struck,
        deaths=world.deaths,
        seconds=time.monotonic() - began,
        offences=offences,
        releases_slot=None if end in ends else end,
    )


def visits(
    dry: Iterable[Seen], *, points: int | None = None, seed: int = 0
) -> list[Visit]:
    """Return every point that dry runs had, in every form; or some of them."""
    every = [
        Visit(seen.visit.scenario, Crash(point, form))
        for seen in dry
        for point in seen.points
        for form in FORMS
    ]
    if points is None or points >= len(every):
        return every
    return random.Random(seed).sample(every, points)


async def campaign(
    places: Sequence[Place],
    wanted: Collection[Visit],
    ends: Mapping[str, Ends],
    tell: Tell,
) -> list[Seen]:
    """Make all visits, one after the other in each place; ``tell`` hears of each."""
    waiting = iter(wanted)
    done: list[Seen] = []

    async def lane(place: Place) -> None:
        for each in waiting:
            seen = await _found(place, each, ends[each.scenario])
            done.append(seen)
            tell(seen)

    async with asyncio.TaskGroup() as lanes:
        for place in places:
            lanes.create_task(lane(place))
    return done


async def _found(place: Place, wanted: Visit, ends: Ends) -> Seen:
    for _ in range(TRIES_MAX):
        await cleared(place)
        seen = await visit(place, wanted, ends)
        met = seen.struck or wanted.crash is None
        if (met or seen.offences) and not seen.releases_slot:
            break
    if not seen.releases_slot:
        return seen
    because = f"it ended in {seen.releases_slot} every time, which the twins never do"
    return replace(seen, offences=[*seen.offences, because])


async def cleared(place: Place) -> None:
    """Empty a place, so that whoever comes next is alone in it."""
    await asyncio.to_thread(_truncate, place.database_url)
    wire = await bus.connect([place.nats_url], name="crashes", on_closed=_ignore)
    try:
        await bus.ensure(bus.JetStreamApi(wire), place.topology)
        for stream in place.topology.streams:
            await bus.JetStreamApi(wire).call(f"STREAM.PURGE.{stream.name}")
    finally:
        await wire.close()


def _ignore(_reason: str) -> None:
    """Do nothing: the next one connects anew."""


def _truncate(url: str) -> None:
    with psycopg.connect(url) as connection:
        # The audit trail may not be emptied, but for this.
        connection.execute("SET session_replication_role = replica")
        names = [row[0] for row in connection.execute(TABLES)]
        tables = sql.SQL(", ").join(map(sql.Identifier, names))
        connection.execute(sql.SQL("TRUNCATE {}").format(tables))


@asynccontextmanager
async def places(count: int) -> AsyncIterator[list[Place]]:
    """Start PostgreSQL and NATS, with so many places in them."""
    with contextlib.ExitStack() as stack:
        postgres = EmbeddedPostgres(
            settings=FAST, max_connections=CONNECTIONS_MAX, within=memory_folder()
        )
        nats = EmbeddedNats(within=memory_folder())
        stack.callback(postgres.close)
        stack.callback(nats.close)
        await asyncio.gather(
            asyncio.to_thread(postgres.start), asyncio.to_thread(nats.start)
        )
        urls = await asyncio.to_thread(_databases, postgres, count)
        yield [Place(url, nats.url, f"lane{n}") for n, url in enumerate(urls)]


def _databases(postgres: EmbeddedPostgres, count: int) -> list[str]:
    names = [f"lane_{n}" for n in range(count)]
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {}").format(sql.Identifier(names[0]))
        )
        migrate.upgrade(postgres.url_of(names[0]))
        for name in names[1:]:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(names[0])
                )
            )
    return [postgres.url_of(name) for name in names]
