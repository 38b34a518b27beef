"""What a measurement costs: CPU by process, commits, WAL, memory, sequential scans."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString

import psycopg

from ops.bench.world import Cluster, World

TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
USER, SYSTEM, CHILD_USER, CHILD_SYSTEM = 11, 12, 13, 14
"""Fields of /proc/PID/stat, counted after the process's name."""

COUNTERS: Final[LiteralString] = """
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
    (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
    (SELECT wal_records FROM pg_stat_wal), (SELECT wal_fpi FROM pg_stat_wal)
"""
SCANS: Final[LiteralString] = """
SELECT relname, seq_scan, seq_tup_read FROM pg_stat_user_tables
"""
HOT_TABLES: Final = (
    "order_queues",
    "order_tasks",
    "order_task_results",
    "order_task_events",
    "order_task_events_rest",
    "outbox",
    "webhook_inbox",
)


@dataclass(frozen=True, slots=True)
class Scans:
    """How often a table was read from end to end, and how many rows that were."""

    count: int
    rows: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters at one moment."""

    at: float
    wal_bytes: int
    writes: int
    """Transactions that have written: exact, where the next one lags by a second."""

    commits: int
    wal_records: int
    wal_pages: int
    scans: Mapping[str, Scans]
    cpu: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent between two readings."""

    seconds: float
    wal_bytes: int
    writes: int
    commits: int
    wal_records: int
    wal_pages: int
    scans: Mapping[str, Scans]
    cpu: Mapping[str, float]

    def per(self, orders: int) -> dict[str, float]:
        """Return the cost of one withdrawal."""
        return {
            "commits": self.commits / orders,
            "writing_commits": self.writes / orders,
            "wal_bytes": self.wal_bytes / orders,
            "wal_records": self.wal_records / orders,
            "cpu_milliseconds": 1000 * sum(self.cpu.values()) / orders,
            **{
                f"cpu_milliseconds_{name}": 1000 * seconds / orders
                for name, seconds in self.cpu.items()
            },
        }


class Meter:
    """Reads the counters of one database and of the processes around it."""

    def __init__(
        self, world: World, url: str, pids: Mapping[str, Sequence[int]]
    ) -> None:
        self._world = world
        self._url = url
        self._pids = pids

    def read(self) -> Reading:
        """Read everything now."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            row = connection.execute(COUNTERS).fetchone() or (0,) * 5
            scans = {
                name: Scans(int(count or 0), int(rows or 0))
                for name, count, rows in connection.execute(SCANS)
            }
        wal_bytes, writes, commits, records, pages = map(int, row)
        return Reading(
            at=time.perf_counter(),
            wal_bytes=wal_bytes,
            writes=writes,
            commits=commits,
            wal_records=records,
            wal_pages=pages,
            scans=scans,
            cpu=self._cpu(),
        )

    def _cpu(self) -> dict[str, float]:
        postgres = self._world.postgres.pid
        return {
            **{name: cpu_seconds(pids) for name, pids in self._pids.items()},
            "postgres": cpu_seconds([postgres, *children(postgres)], reaped=True),
            "nats": cpu_seconds([self._world.nats.pid]),
            "mocks": cpu_seconds([self._world.mocks.pid]),
        }


def pids_of(cluster: Cluster) -> dict[str, list[int]]:
    """Return the processes of the service, and the load's own, by what they do."""
    found = {
        name: cluster.pids(name) for name in ("worker", "api", "relay", "all-in-one")
    }
    return {**{name: p for name, p in found.items() if p}, "load": [os.getpid()]}


def between(first: Reading, last: Reading) -> Cost:
    """Return what was spent."""
    return Cost(
        seconds=last.at - first.at,
        wal_bytes=last.wal_bytes - first.wal_bytes,
        writes=last.writes - first.writes,
        commits=last.commits - first.commits,
        wal_records=last.wal_records - first.wal_records,
        wal_pages=last.wal_pages - first.wal_pages,
        scans={
            name: Scans(
                scans.count - first.scans.get(name, Scans(0, 0)).count,
                scans.rows - first.scans.get(name, Scans(0, 0)).rows,
            )
            for name, scans in last.scans.items()
            if name in HOT_TABLES
        },
        cpu={n: spent - first.cpu.get(n, 0.0) for n, spent in last.cpu.items()},
    )


def cpu_seconds(pids: Iterable[int], *, reaped: bool = False) -> float:
    """Return the CPU time that living processes have used, or also dead children's."""
    fields = (USER, SYSTEM, CHILD_USER, CHILD_SYSTEM) if reaped else (USER, SYSTEM)
    ticks = 0
    for pid in pids:
        found = _stat(pid)
        ticks += sum(int(found[field]) for field in fields) if found else 0
    return ticks / TICKS


def children(pid: int) -> list[int]:
    """Return the process's children."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def resident_bytes(pid: int) -> int:
    """Return how much memory a process holds."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * PAGE_BYTES
