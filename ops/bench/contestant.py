"""How a contestant in a process of its own is told to go, and says how it went.

It says ``ready`` after its warm-up, waits for a line, works, prints a line of JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

READY: Final = "ready"
Work = Callable[[int], Awaitable[None]]


@dataclass(slots=True)
class Clocked:
    """Times orders that are kept in flight, each from its start to its end."""

    in_flight: int
    one: Callable[[], Awaitable[None]]
    latencies: list[float] = field(default_factory=list)

    async def run(self, orders: int) -> float:
        """Run so many orders; return the seconds that all took."""
        self.latencies.clear()
        left = iter(range(orders))

        async def lane() -> None:
            for _ in left:
                began = time.perf_counter()
                await self.one()
                self.latencies.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(self.in_flight)))
        return time.perf_counter() - began


async def compete(clocked: Clocked, orders: int, warm_up: int) -> None:
    """Warm up, say so, wait for the word, run, and print what came out."""
    await clocked.run(warm_up)
    print(READY, flush=True)
    if not await asyncio.to_thread(sys.stdin.readline):
        return
    seconds = await clocked.run(orders)
    print(json.dumps({"seconds": seconds, "latencies": clocked.latencies}), flush=True)


@dataclass(frozen=True, slots=True)
class Competing:
    """A contestant's process, warm and waiting for the word."""

    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self.process.pid

    async def go(self) -> tuple[float, Sequence[float]]:
        """Give the word; return the seconds of all and of each order."""
        if self.process.stdin is None:
            raise RuntimeError("the contestant has no input")
        self.process.stdin.write(b"go\n")
        told = json.loads(await self._line())
        return told["seconds"], told["latencies"]

    async def _line(self) -> bytes:
        if self.process.stdout is None:
            raise RuntimeError("the contestant has no output")
        line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError("the contestant has ended before it was done")
        return line

    async def warm(self) -> None:
        """Return when it has warmed up; what a library prints is passed over."""
        while (await self._line()).strip().decode() != READY:
            pass

    async def end(self) -> None:
        """End it, whatever it is doing."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


async def competing(module: str, *arguments: str, env: Mapping[str, str]) -> Competing:
    """Start a contestant."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        env=dict(env),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Ctrl-C is for the parent, which ends its children itself.
        start_new_session=True,
        limit=2**26,
    )
    return Competing(process)
