"""Where a worker's time goes: py-spy's samples of it under load, summed by function."""

import asyncio
import re
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ops.bench import results
from ops.bench.load import UNIT, Load
from ops.bench.mocks import REPOSITORY
from ops.bench.world import Cluster, World, connected, serving, split, staged

MISSING: Final = "py-spy is not installed (pip install py-spy, or the group `bench`)"
SAMPLES_PER_SECOND: Final = 250
WARM_UP: Final = 200
SHOWN: Final = 30
ENDLESS: Final = 10**9
PACKAGES: Final = "site-packages/"
LIBRARY: Final = re.compile(r"^.*/lib/python[0-9.]+/")
POOL_THREAD: Final = "Thread._bootstrap"
"""Threads that wait for work look busy to py-spy; all of ours is in the loop."""

THREAD_DEPTH: Final = 3

PURPOSES: Final[Mapping[str, tuple[str, ...]]] = {
    "metrics": ("(prometheus_client/", "(payment_service/observability/measured"),
    "tracing": ("(opentelemetry/", "(payment_service/observability/tracing"),
    "logs": ("(structlog/", "(payment_service/observability/logs", "Router._note "),
    "calls out over HTTP": (
        "(providers/http/outbound",
        "(providers/http/connection",
        "(providers/core",
        "(providers/",
        "(aiohttp/",
    ),
    "rules (fsm)": ("(fsm/", "(transitions/"),
    "audit lines, events, messages": ("(fsm/domain/", "work_of "),
    "rows to and from JSON": (
        "(payment_service/storage/rows",
        "record_rows ",
        "_submit_rows ",
        "_json ",
    ),
    "statements and their groups": ("(psycopg", "(payment_service/storage/"),
    "messages in and out of NATS": (
        "(payment_service/bus/",
        "(nats/",
        "(handlers/relay",
    ),
    "requests, read and checked": ("(payment_service/wire/", "(pydantic"),
    "the chain of steps (handlers)": ("(handlers/",),
}


@dataclass(slots=True)
class Profile:
    """Samples by function: those at the top of the stack, and those anywhere in it."""

    total: int = 0
    own: Counter[str] = field(default_factory=Counter)
    inclusive: Counter[str] = field(default_factory=Counter)
    by_package: Counter[str] = field(default_factory=Counter)
    by_purpose: Counter[str] = field(default_factory=Counter)

    def add(self, stack: str, count: int) -> None:
        """Add a stack as py-spy writes it: outermost first, parted by semicolons."""
        frames = [frame.strip() for frame in stack.split(";")]
        if any(frame.startswith(POOL_THREAD) for frame in frames[:THREAD_DEPTH]):
            return
        self.total += count
        self.own[_function(frames[-1])] += count
        self.by_package[package_of(frames[-1])] += count
        self.by_purpose[purpose_of(frames)] += count
        for name in {_function(frame) for frame in frames}:
            self.inclusive[name] += count


def purpose_of(frames: Sequence[str]) -> str:
    """Return what a stack is for: the innermost frame that says so decides."""
    for frame in reversed(frames):
        for purpose, marks in PURPOSES.items():
            if any(mark in _function(frame) for mark in marks):
                return purpose
    return "the rest: the loop, tasks, garbage"


def _function(frame: str) -> str:
    # "name (FILE:12)": the line would part what is one function.
    name, _, place = frame.rpartition(" (")
    path = place.rstrip(")").rpartition(":")[0] or place.rstrip(")")
    return f"{name} ({_short(path)})"


def _short(path: str) -> str:
    path = path.removeprefix(f"{REPOSITORY}/")
    path = path.rpartition(PACKAGES)[2]
    return LIBRARY.sub("python/", path)


def package_of(frame: str) -> str:
    """Return whose code a frame is: ours by its package, others' by theirs."""
    path = _short(frame.rpartition(" (")[2].rstrip(")"))
    parts = path.split("/")
    if parts[0] == "payment_service" and len(parts) > 1:
        return f"payment_service/{parts[1].partition(':')[0]}"
    return parts[0].partition(":")[0] or "?"


async def measure(world: World, *, seconds: int, in_flight: int) -> None:
    """Record a worker under load; write the flame graph and the folded stacks."""
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if program is None:
        print(MISSING)
        return
    async with staged(world) as stage, serving(stage, split(1)) as cluster:
        wire = await connected(stage)
        load = Load(wire, stage)
        await load.open()
        await load.closed(WARM_UP, in_flight, UNIT)
        folded = await _recorded(program, load, cluster, seconds, in_flight)
        await wire.close()
    profile = read(folded)
    results.RESULTS.mkdir(parents=True, exist_ok=True)
    text = summary(profile)
    (results.RESULTS / "profile.txt").write_text(text)
    print(text)


async def _recorded(
    program: str, load: Load, cluster: Cluster, seconds: int, in_flight: int
) -> str:
    pid = cluster.first("worker").pid
    file = results.RESULTS / "worker.folded"
    results.RESULTS.mkdir(parents=True, exist_ok=True)
    recorder = await asyncio.create_subprocess_exec(
        program,
        "record",
        *("--pid", str(pid), "--duration", str(seconds)),
        *("--rate", str(SAMPLES_PER_SECOND), "--format", "raw", "--full-filenames"),
        *("--output", str(file)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    loading = asyncio.create_task(load.closed(ENDLESS, in_flight, UNIT))
    try:
        await asyncio.wait(
            {loading, waiting := asyncio.create_task(recorder.wait())},
            return_when=asyncio.FIRST_COMPLETED,
        )
        if loading.done():
            loading.result()
        await waiting
    finally:
        loading.cancel()
        if recorder.returncode is None:
            recorder.kill()
            await recorder.wait()
    text = file.read_text()
    file.unlink()
    return text


def read(folded: str) -> Profile:
    """Sum the folded stacks."""
    profile = Profile()
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        if count.isdigit():
            profile.add(stack, int(count))
    return profile


def summary(profile: Profile) -> str:
    """Return the profile in three lists."""
    return "\n".join(
        [
            f"{profile.total} samples of the worker",
            *_shares("what for", profile.by_purpose, profile.total, 25),
            *_shares("whose code is at work", profile.by_package, profile.total, 25),
            *_shares("by itself", profile.own, profile.total, SHOWN),
            *_shares("with what it calls", profile.inclusive, profile.total, 3 * SHOWN),
        ]
    )


def _shares(title: str, counts: Mapping[str, int], total: int, most: int) -> list[str]:
    ranked = Counter(counts).most_common(most)
    lines = [f"{100 * count / max(total, 1):6.1f} %  {name}" for name, count in ranked]
    return ["", f"{title}:", *lines]
