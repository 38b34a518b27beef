"""Executor: makes fetches at once by what they depend on, and stops what is in vain.

Fetches are declared as data; a ``Plan`` holds them and can be printed and drawn. Each
starts when what it comes after is there, whatever else is still under way. A failure
cancels what is of no more use, and no more than that. Nothing of a run is left when it
is over, however it ends.

    plan = Plan((Fetch(name="basket"), Fetch(name="prices", after=("basket",))))
    outcome = await run(plan, fetch)  # async def fetch(name, given) -> ...
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")


class Use(StrEnum):
    """What a fetch is of use to.

    Without a REQUIRED one the whole is of no use. An OPTIONAL one may fail, and takes
    with it what comes after it. An AUXILIARY one is made for what comes after it
    alone, and is of no more use once none of that can be had.
    """

    REQUIRED = "required"
    OPTIONAL = "optional"
    AUXILIARY = "auxiliary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One fetch: what it comes after, by name, and how long it may take."""

    name: str
    after: tuple[str, ...] = ()
    limit: timedelta | None = None
    use: Use = Use.REQUIRED


Fetching: TypeAlias = Callable[[str, Mapping[str, T]], Awaitable[T]]
"""(a fetch's name, the results of what it comes after, by name) -> its own result."""


class UnfitPlan(ValueError):
    """Fetches that nobody could make in any order; it names them."""


class LimitPassed(TimeoutError):
    """A fetch has not come to an end within its limit."""


class FetchFailed(Exception):
    """A fetch that the whole needs has failed; its own error is the cause."""

    def __init__(self, name: str, cause: Exception) -> None:
        super().__init__(f"{name}: {cause or type(cause).__name__}")
        self.name = name
        self.cause = cause


@dataclass(frozen=True, slots=True)
class RunResult(Generic[T]):
    """What a run came to, by name, and why there is no more of it.

    ``lost`` holds the error that each fetch without a result has failed by, or that of
    the one that it came after or was made for.
    """

    results: Mapping[str, T]
    lost: Mapping[str, Exception]


class Plan:
    """Fetches, and the order that their dependencies leave; it is made once."""

    def __init__(self, fetches: tuple[Fetch, ...]) -> None:
        """Refuse fetches that could not be made.

        :raises UnfitPlan: a name is there twice or unknown, the fetches depend on each
            other in a circle, a limit leaves no time, or an auxiliary one helps none.
        """
        self._fetches = {fetch.name: fetch for fetch in fetches}
        if len(self._fetches) < len(fetches):
            names = [fetch.name for fetch in fetches]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise UnfitPlan(f"there twice: {', '.join(twice)}")
        self._helped = self._dependents()
        for fetch in fetches:
            self._check(fetch)
        self._order = self._ordered()

    def __iter__(self) -> Iterator[Fetch]:
        """Return the fetches, each after what it comes after."""
        return (self._fetches[name] for name in self._order)

    def __getitem__(self, name: str) -> Fetch:
        """Return the fetch of that name."""
        return self._fetches[name]

    def __str__(self) -> str:
        """Return the plan in words, a line for each fetch."""
        return "\n".join(map(_told, self))

    @property
    def mermaid(self) -> str:
        """The plan as a Mermaid diagram, from what is fetched first to what is last."""
        ids = {f.name: f"n{number}" for number, f in enumerate(self)}
        nodes = [f"    {ids[f.name]}[{_label(f)}]" for f in self]
        arrows = [f"    {ids[a]} --> {ids[f.name]}" for f in self for a in f.after]
        return "\n".join(["flowchart LR", *nodes, *arrows])

    def sorter(self) -> TopologicalSorter[str]:
        """Return what says which fetches are ready, for one run."""
        sorter = TopologicalSorter({f.name: f.after for f in self._fetches.values()})
        sorter.prepare()
        return sorter

    def helped_by(self, name: str) -> frozenset[str]:
        """Return the fetches that come right after one."""
        return self._helped[name]

    def critical_path(self, lasts: Mapping[str, float]) -> float:
        """Return how long a run takes at least whose fetches last so long."""
        ends: dict[str, float] = {}
        for fetch in self:
            ready = max((ends[name] for name in fetch.after), default=0.0)
            ends[fetch.name] = ready + lasts[fetch.name]
        return max(ends.values(), default=0.0)

    def _dependents(self) -> Mapping[str, frozenset[str]]:
        every = self._fetches.values()
        return {
            name: frozenset(other.name for other in every if name in other.after)
            for name in self._fetches
        }

    def _check(self, fetch: Fetch) -> None:
        if unknown := sorted({*fetch.after} - self._fetches.keys()):
            raise UnfitPlan(f"{fetch.name} comes after {', '.join(unknown)}: unknown")
        if fetch.limit is not None and fetch.limit <= timedelta(0):
            raise UnfitPlan(f"{fetch.name} has no time: its limit is {fetch.limit}")
        if fetch.use is Use.AUXILIARY and not self._helped[fetch.name]:
            raise UnfitPlan(f"{fetch.name} is auxiliary, and nothing comes after it")

    def _ordered(self) -> tuple[str, ...]:
        after = {fetch.name: fetch.after for fetch in self._fetches.values()}
        try:
            return tuple(TopologicalSorter(after).static_order())
        except CycleError as error:
            # Each comes before the one after it in the list, and the last is the first.
            circle = " -> ".join(error.args[1])
            raise UnfitPlan(f"they wait for each other: {circle}") from None


async def run(plan: Plan, fetch: Fetching[T]) -> RunResult[T]:
    """Make all fetches of a plan, each as soon as what it comes after is there.

    Whoever cancels this cancels all of them, and it ends when they have ended.

    :raises FetchFailed: one that is required cannot be had; nothing else goes on.
    """
    made = _Run(plan, fetch)
    await made.to_the_end()
    return RunResult(made.results, made.lost)


class _Run(Generic[T]):
    """One run of a plan: what is there, what is under way, what cannot be had."""

    def __init__(self, plan: Plan, fetch: Fetching[T]) -> None:
        self._plan = plan
        self._fetch = fetch
        self._sorter = plan.sorter()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failed: FetchFailed | None = None
        self.results: dict[str, T] = {}
        self.lost: dict[str, Exception] = {}

    async def to_the_end(self) -> None:
        """Make every fetch that is of use.

        :raises FetchFailed: as ``run`` says.
        """
        async with asyncio.TaskGroup() as group:
            self._start_ready(group)
        if self._failed is not None:
            raise self._failed from self._failed.cause

    def _start_ready(self, group: asyncio.TaskGroup) -> None:
        for name in self._sorter.get_ready():
            if name not in self.lost:
                made = group.create_task(self._make(name, group), name=f"fetch {name}")
                self._tasks[name] = made

    async def _make(self, name: str, group: asyncio.TaskGroup) -> None:
        """Make one fetch, and start what has waited for it alone."""
        try:
            result = await self._limited(self._plan[name])
        except Exception as error:  # noqa: BLE001 - whoever called hears of it
            self._lose(name, error)
            return
        # One that does not heed its cancellation ends here all the same.
        if _is_cancelled() or name in self.lost:
            return
        self.results[name] = result
        self._sorter.done(name)
        self._start_ready(group)

    async def _limited(self, fetch: Fetch) -> T:
        given = {name: self.results[name] for name in fetch.after}
        seconds = None if fetch.limit is None else fetch.limit.total_seconds()
        try:
            async with asyncio.timeout(seconds) as timer:
                return await self._fetch(fetch.name, given)
        except TimeoutError as error:
            if not timer.expired():
                raise
            raise LimitPassed(f"no answer within {seconds:g} s") from error
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            raise RuntimeError("it was cancelled by its own doing") from error

    def _lose(self, name: str, error: Exception) -> None:
        """Take out what cannot be had without one, and what was made for that alone."""
        if self._failed is not None or name in self.lost:
            return
        for each in self._in_vain(name):
            self.lost[each] = error
            if each != name and each in self._tasks:
                self._tasks[each].cancel()
            if self._plan[each].use is Use.REQUIRED:
                self._failed = FetchFailed(name, error)
        if self._failed is not None:
            self._stop_all(name)

    def _in_vain(self, name: str) -> list[str]:
        """Return a fetch that has failed and all that it leaves without use."""
        gone = [name]
        for each in gone:
            gone += sorted(self._plan.helped_by(each) - {*gone})
        left_out = {*gone, *self.lost}
        for fetch in reversed([*self._plan]):
            helps = self._plan.helped_by(fetch.name)
            unneeded = fetch.use is Use.AUXILIARY and helps <= left_out
            if unneeded and fetch.name not in {*left_out, *self.results}:
                gone.append(fetch.name)
                left_out.add(fetch.name)
        return gone

    def _stop_all(self, name: str) -> None:
        for other, task in self._tasks.items():
            if other != name:
                task.cancel()


def _is_cancelled() -> bool:
    """Tell whether somebody wants the fetch that runs here to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _told(fetch: Fetch) -> str:
    after = f" after {', '.join(fetch.after)}" if fetch.after else ""
    use = "" if fetch.use is Use.REQUIRED else f", {fetch.use}"
    limit = "" if fetch.limit is None else f", within {_seconds(fetch.limit)}"
    return f"{fetch.name}{after}{use}{limit}"


def _label(fetch: Fetch) -> str:
    """Return what stands in a node: a name alone, or with what holds for it."""
    limit = [] if fetch.limit is None else [f"within {_seconds(fetch.limit)}"]
    use = [] if fetch.use is Use.REQUIRED else [fetch.use.value]
    return f'"{"<br/>".join([fetch.name, *use, *limit])}"'


def _seconds(limit: timedelta) -> str:
    return f"{limit.total_seconds():g} s"
