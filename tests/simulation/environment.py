"""What all parts of a simulation stand on: time, chance, the dials and the trace."""

from collections import Counter, deque
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from datetime import timedelta
from random import Random
from typing import Any, Final
from zlib import crc32

from payment_service.playground.memory.loop import SimClock, SimLoop
from tests.simulation.rates import CALM, Dials, Setting

KEPT: Final = 200
MICROSECOND: Final = timedelta(microseconds=1)


class Process:
    """One incarnation of a process; once it is dead nothing of it goes on."""

    __slots__ = (
        "admission_control",
        "busy",
        "dead",
        "frozen_until",
        "name",
        "odd",
        "outbox_publisher",
        "ports",
    )

    def __init__(self, name: str, odd: str = "") -> None:
        self.name = name
        self.odd = odd
        self.dead = False
        self.frozen_until = 0
        self.busy = 0
        self.ports: Any = None
        self.outbox_publisher: Any = None
        self.admission_control: Any = None


CURRENT: ContextVar[Process] = ContextVar("CURRENT")
NOWHERE: Final = Process("nowhere")
CURRENT.set(NOWHERE)


class Ground:
    """Time, chance and memory of one run."""

    def __init__(
        self, seed: int, setting: Setting, dials: Dials, *, trace: bool
    ) -> None:
        self.seed = seed
        self.setting = setting
        self.dials = dials
        self.random = Random(f"{seed}:run")
        self.draw = self.random.random
        self.clock = SimClock()
        # Abstract it stays: nothing here opens a socket or a thread.
        self.loop = SimLoop(  # type: ignore[abstract]
            self.clock, Random(f"{seed}:order")
        )
        self.seen: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.last: deque[tuple[int, str, str]] = deque(maxlen=None if trace else KEPT)
        self.hash = 0
        self.events = 0

    def note(self, what: str, about: str = "") -> None:
        """Write an event into the trace; its hash is the run's fingerprint."""
        micros = self.clock.micros
        self.events += 1
        self.hash = crc32(f"{micros}{what}{about}".encode(), self.hash)
        self.last.append((micros, what, about))

    def struck(self, kind: str, about: str = "") -> None:
        """Count a fault that was injected."""
        self.faults[kind] += 1
        self.note(f"! {kind}", about)

    def chance(self, probability: float) -> bool:
        """Return True so often; draws nothing where it is impossible."""
        return probability > 0 and self.draw() < probability

    def between(self, low: int, high: int) -> int:
        """Return a time in microseconds, mostly a short one."""
        return low + int((high - low) * self.draw() ** 3)

    def spawn(self, process: Process, work: Coroutine[Any, Any, object]) -> None:
        """Run something in a process; what kills the process ends it."""
        context = copy_context()
        context.run(CURRENT.set, process)
        task = self.loop.create_task(work, context=context)
        del task

    def heal(self) -> None:
        """Inject nothing any more."""
        self.dials = CALM
        self.note("healed")


def moment(micros: int) -> str:
    """Write a virtual time as days and hours since the start."""
    seconds, rest = divmod(micros, 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}d {hours:02}:{minutes:02}:{seconds:02}.{rest:06}"
