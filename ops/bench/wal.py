"""What a withdrawal writes ahead (WAL), by table and by kind of record.

PostgreSQL's own `pg_waldump` reads the log of a round of the unit. Images of whole
pages are told apart: how many there are depends on how far apart checkpoints are.
"""

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, LiteralString, NamedTuple

import psycopg

from ops.bench import results
from ops.bench.load import UNIT, Load
from ops.bench.measure import Meter, between, pids_of
from ops.bench.rounds import over
from ops.bench.targets import Figure
from ops.bench.throughput import WARM_UP
from ops.bench.world import World, connected, serving, split, staged
from payment_service.playground.embedded.postgres import installed_programs

POSTGRES: Final = {"wal_keep_size": "3GB", "checkpoint_timeout": "1h"}
"""The log of a round has to be there when it is read."""

KIB_MAX: Final = 10.0
ALIGNED: Final = 8
"""A record takes up whole words of the log."""

# What is not written yet cannot be read: a commit that has to be durable writes all.
WRITTEN: Final[LiteralString] = "SELECT pg_logical_emit_message(true, 'bench', '')"
WHERE: Final[LiteralString] = "SELECT pg_current_wal_insert_lsn()::text"
# Relations by what the log calls them; parts of the trail are one table.
RELATIONS: Final[LiteralString] = """
SELECT pg_relation_filenode(c.oid)::text, regexp_replace(
    coalesce(long.relname || ': long values', i.indrelid::regclass || ': ' || c.relname,
        c.relname), 'order_task_events_(rest|[0-9]{4}_[0-9]{2})', 'order_task_events',
    'g')
FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_class long ON long.reltoastrelid IN (c.oid, i.indrelid)
WHERE c.relkind IN ('r', 'i', 'S', 't')
    AND c.relnamespace IN ('public'::regnamespace, 'pg_toast'::regnamespace)
"""
RECORD: Final = re.compile(
    r"rmgr: (?P<manager>\S+)\s+len \(rec/tot\):\s*(?P<bytes>\d+)/\s*(?P<whole>\d+), "
    r".*? desc: (?P<kind>\S+)(?:.*?rel \d+/\d+/(?P<relation>\d+) )?"
)
DEAD: Final = frozenset({"UPDATE", "HOT_UPDATE", "DELETE"})
"""Records that leave a version of a row behind, for a vacuum to take away."""

ENTRY: Final = "INSERT_LEAF"


class Record(NamedTuple):
    """A record of the log: what it is about, what it does, its bytes without images."""

    relation: str
    """Its table, or `table: index`; the manager's name where it is about neither."""

    kind: str
    size: int
    image: int


@dataclass(frozen=True, slots=True)
class Written:
    """What a round has written ahead, and what it cost PostgreSQL."""

    orders: int
    records: Sequence[Record]
    postgres_milliseconds: float

    def each(self, *tables: str, kinds: Iterable[str] = ()) -> float:
        """Return the bytes of one withdrawal, of all or of these tables and kinds."""
        return sum(r.size for r in self._of(tables, kinds)) / self.orders

    def count(self, *tables: str, kinds: Iterable[str] = ()) -> float:
        """Return the records of one withdrawal, of all or of these tables and kinds."""
        return sum(1 for _ in self._of(tables, kinds)) / self.orders

    def _of(self, tables: Sequence[str], kinds: Iterable[str]) -> Iterator[Record]:
        wanted = frozenset(kinds)
        for record in self.records:
            table = record.relation.partition(":")[0]
            if (not tables or table in tables) and (
                not wanted or record.kind.partition("+")[0] in wanted
            ):
                yield record


def records_of(lines: Iterable[str], names: Mapping[str, str]) -> Iterator[Record]:
    """Read what `pg_waldump` prints; ``names`` has relations by their numbers.

    :raises ValueError: a line is no record.
    """
    for line in lines:
        found = RECORD.match(line)
        if found is None:
            raise ValueError(f"pg_waldump printed what is no record: {line!r}")
        size, whole = int(found["bytes"]), int(found["whole"])
        relation = found["relation"]
        yield Record(
            found["manager"] if relation is None else names.get(relation, "other"),
            found["kind"],
            -(-size // ALIGNED) * ALIGNED,
            whole - size,
        )


def _read(world: World, url: str, first: str, last: str) -> list[Record]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(WRITTEN)
        names: dict[str, str] = dict(connection.execute(RELATIONS).fetchall())
    dumped = subprocess.run(  # noqa: S603 - its own program, and numbers
        [
            installed_programs() / "pg_waldump",
            *("--path", world.postgres.data_dir / "pg_wal"),
            *("--start", first, "--end", last),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return list(records_of(dumped.stdout.splitlines(), names))


def _lsn(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        (found,) = connection.execute(WHERE).fetchone() or ("",)
    return str(found)


async def _round(world: World, orders: int, in_flight: int) -> Written:
    async with staged(world) as stage, serving(stage, split(1)) as cluster:
        wire = await connected(stage)
        load = Load(wire, stage)
        await load.open()
        await load.closed(min(WARM_UP, orders), in_flight)
        meter = Meter(world, stage.database_url, pids_of(cluster))
        first, before = _lsn(stage.database_url), meter.read()
        await load.closed(orders, in_flight, UNIT)
        cost, last = between(before, meter.read()), _lsn(stage.database_url)
        records = _read(world, stage.database_url, first, last)
        await wire.close()
    per = cost.per(orders)
    return Written(orders, records, per["cpu_milliseconds_postgres"])


async def measure(world: World, *, orders: int, in_flight: int, rounds: int) -> None:
    """Measure some rounds; keep the medians, and every table and kind of the last."""
    written = []
    for n in range(rounds):
        written.append(await _round(world, orders, in_flight))
        print(f"round {n + 1}/{rounds} {written[-1].each() / 1024:.2f} KiB", flush=True)
    tables = table_of(written[-1])
    results.keep("wal", figures(written), {"tables": tables}, mocks=world.mocks.made_by)
    for name, kinds in tables.items():
        for kind, (count, size) in kinds.items():
            print(f"{name:64} {kind:24} {count:8.2f} {size:10.1f}")


def table_of(written: Written) -> dict[str, dict[str, tuple[float, float]]]:
    """Return records and bytes of one withdrawal by relation and kind."""
    found: defaultdict[str, defaultdict[str, list[int]]]
    found = defaultdict(lambda: defaultdict(list))
    for record in written.records:
        found[record.relation][record.kind].append(record.size)
    return {
        name: {
            kind: (
                round(len(sizes) / written.orders, 3),
                round(sum(sizes) / written.orders, 1),
            )
            for kind, sizes in sorted(kinds.items())
        }
        for name, kinds in sorted(found.items())
    }


TABLES: Final = ("order_task_events", "order_tasks", "order_queues", "outbox")


def figures(written: Sequence[Written]) -> list[Figure]:
    """Return what a withdrawal writes ahead, the whole with its target."""

    def middle(values: Iterable[float]) -> float:
        return over(list(values)).median

    told = [
        Figure(
            "WAL each, without images of pages",
            middle(w.each() for w in written) / 1024,
            "KiB",
            at_most=KIB_MAX,
        )
    ]
    told += [
        Figure(f"of it {name} and its indexes", middle(each) / 1024, "KiB")
        for name in TABLES
        for each in [[w.each(name) for w in written]]
    ]
    return [
        *told,
        Figure(
            "images of pages each",
            middle(sum(r.image for r in w.records) / w.orders for w in written) / 1024,
            "KiB",
        ),
        Figure("records each", middle(w.count() for w in written), ""),
        Figure(
            "index entries each", middle(w.count(kinds=[ENTRY]) for w in written), ""
        ),
        Figure("dead rows each", middle(w.count(kinds=DEAD) for w in written), ""),
        Figure(
            "updates of tasks each",
            middle(
                w.count("order_tasks", kinds=["UPDATE", "HOT_UPDATE"]) for w in written
            ),
            "",
            note=f"{_hot(written[-1]):.1f} of them heap-only",
        ),
        Figure(
            "PostgreSQL's CPU each",
            middle(w.postgres_milliseconds for w in written),
            "ms",
        ),
    ]


def _hot(written: Written) -> float:
    return written.count("order_tasks", kinds=["HOT_UPDATE"])
