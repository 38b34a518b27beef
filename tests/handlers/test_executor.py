"""The executor of fetches: what starts when, what a failure stops, what is left."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from handlers.executor import (
    Fetch,
    FetchFailed,
    LimitPassed,
    Plan,
    RunResult,
    UnfitPlan,
    Use,
    run,
)

ENDS_BY = 60.0
"""Seconds: only ends what would hang."""

DIAMOND = (
    Fetch(name="basket"),
    Fetch(name="shop"),
    Fetch(name="prices", after=("basket", "shop")),
    Fetch(name="card"),
    Fetch(name="limits", after=("card",)),
)


class Kitchen:
    """Makes what it is told to, when it is told to; knows what is under way."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.given: dict[str, Mapping[str, str]] = {}
        self._may_end: dict[str, asyncio.Future[str]] = {}
        self._has_begun: dict[str, asyncio.Event] = {}
        self._has_stopped: dict[str, asyncio.Event] = {}

    async def fetch(self, name: str, given: Mapping[str, str]) -> str:
        self.started.append(name)
        self.given[name] = given
        self._begun(name).set()
        try:
            return await self._end_of(name)
        except asyncio.CancelledError:
            self.cancelled.append(name)
            self._stopped(name).set()
            raise

    async def begins(self, *names: str) -> None:
        """Come back once all of these are under way: they are at once."""
        async with asyncio.timeout(ENDS_BY):
            for name in names:
                await self._begun(name).wait()

    async def is_stopped(self, name: str) -> None:
        async with asyncio.timeout(ENDS_BY):
            await self._stopped(name).wait()

    def ends(self, name: str, error: Exception | None = None) -> None:
        if error is None:
            self._end_of(name).set_result(f"the {name}")
        else:
            self._end_of(name).set_exception(error)

    def _begun(self, name: str) -> asyncio.Event:
        return self._has_begun.setdefault(name, asyncio.Event())

    def _stopped(self, name: str) -> asyncio.Event:
        return self._has_stopped.setdefault(name, asyncio.Event())

    def _end_of(self, name: str) -> asyncio.Future[str]:
        loop = asyncio.get_running_loop()
        return self._may_end.setdefault(name, loop.create_future())


@pytest.fixture
def kitchen():
    return Kitchen()


def under_way(kitchen, *fetches):
    return asyncio.create_task(run(Plan(fetches), kitchen.fetch))


async def outcome_of(running) -> RunResult[str]:
    async with asyncio.timeout(ENDS_BY):
        outcome: RunResult[str] = await running
    return outcome


async def failure_of(running) -> FetchFailed:
    with pytest.raises(FetchFailed) as failed:
        await outcome_of(running)
    return failed.value


def nothing_is_left():
    return asyncio.all_tasks() == {asyncio.current_task()}


async def test_all_that_waits_for_nothing_is_under_way_at_once(kitchen):
    running = under_way(kitchen, *DIAMOND)
    await kitchen.begins("basket", "shop", "card")
    assert sorted(kitchen.started) == ["basket", "card", "shop"]
    running.cancel()


async def test_a_fetch_starts_when_what_it_comes_after_is_there_whatever_else_is_not(
    kitchen,
):
    running = under_way(kitchen, *DIAMOND)
    kitchen.ends("card")
    await kitchen.begins("limits")
    assert "prices" not in kitchen.started
    kitchen.ends("basket")
    kitchen.ends("shop")
    await kitchen.begins("prices")
    assert kitchen.given["prices"] == {"basket": "the basket", "shop": "the shop"}
    assert kitchen.given["limits"] == {"card": "the card"}
    kitchen.ends("prices")
    kitchen.ends("limits")
    outcome = await outcome_of(running)
    assert outcome.results == {fetch.name: f"the {fetch.name}" for fetch in DIAMOND}
    assert outcome.lost == {}
    assert len(kitchen.started) == len(DIAMOND)


async def test_a_fetch_waits_for_all_that_it_comes_after(kitchen):
    running = under_way(kitchen, *DIAMOND[:3], Fetch(name="tray", after=("basket",)))
    kitchen.ends("basket")
    # Whatever the end of the basket lets start has begun at the same time.
    await kitchen.begins("tray")
    assert "prices" not in kitchen.started
    running.cancel()


async def test_what_is_required_and_fails_stops_all_that_is_under_way(kitchen):
    running = under_way(kitchen, *DIAMOND)
    await kitchen.begins("basket", "shop", "card")
    kitchen.ends("shop", OSError("closed"))
    failed = await failure_of(running)
    assert (failed.name, str(failed)) == ("shop", "shop: closed")
    assert isinstance(failed.__cause__, OSError)
    assert sorted(kitchen.cancelled) == ["basket", "card"]
    assert "prices" not in kitchen.started
    assert nothing_is_left()


async def test_of_two_that_fail_the_first_is_told(kitchen):
    running = under_way(kitchen, *DIAMOND)
    await kitchen.begins("basket", "shop", "card")
    kitchen.ends("card", OSError("first"))
    kitchen.ends("shop", OSError("second"))
    assert (await failure_of(running)).name == "card"


OPTIONAL = (
    Fetch(name="basket"),
    Fetch(name="taste", use=Use.OPTIONAL),
    Fetch(name="advice", after=("basket", "taste"), use=Use.OPTIONAL),
    Fetch(name="prices", after=("basket",)),
)


async def test_what_is_optional_and_fails_takes_only_what_comes_after_it(kitchen):
    running = under_way(kitchen, *OPTIONAL)
    await kitchen.begins("basket", "taste")
    error = OSError("closed")
    kitchen.ends("taste", error)
    kitchen.ends("basket")
    await kitchen.begins("prices")
    kitchen.ends("prices")
    outcome = await outcome_of(running)
    assert sorted(outcome.results) == ["basket", "prices"]
    assert outcome.lost == {"taste": error, "advice": error}
    assert (kitchen.cancelled, "advice" in kitchen.started) == ([], False)


async def test_what_is_required_and_comes_after_what_has_failed_fails_with_it(kitchen):
    required = replace(OPTIONAL[2], use=Use.REQUIRED)
    running = under_way(kitchen, *OPTIONAL[:2], required)
    await kitchen.begins("basket", "taste")
    kitchen.ends("taste", OSError("closed"))
    assert (await failure_of(running)).name == "taste"
    assert kitchen.cancelled == ["basket"]


async def test_what_was_made_for_others_alone_stops_with_the_last_of_them(kitchen):
    running = under_way(
        kitchen,
        Fetch(name="key", use=Use.AUXILIARY),
        Fetch(name="token", use=Use.AUXILIARY),
        Fetch(name="taste", use=Use.OPTIONAL),
        Fetch(name="mood", use=Use.OPTIONAL),
        Fetch(name="advice", after=("key", "taste"), use=Use.OPTIONAL),
        Fetch(name="music", after=("key", "token", "mood"), use=Use.OPTIONAL),
    )
    await kitchen.begins("key", "token", "taste", "mood")
    kitchen.ends("mood", OSError("closed"))
    await kitchen.is_stopped("token")
    # The key is of use as long as the advice may be had.
    assert kitchen.cancelled == ["token"]
    kitchen.ends("taste", OSError("closed as well"))
    outcome = await outcome_of(running)
    assert kitchen.cancelled == ["token", "key"]
    assert (outcome.results, str(outcome.lost["token"])) == ({}, "closed")
    assert set(outcome.lost) == {"key", "token", "taste", "mood", "advice", "music"}


async def test_a_chain_of_what_was_made_for_others_stops_as_a_whole(kitchen):
    running = under_way(
        kitchen,
        Fetch(name="key", use=Use.AUXILIARY),
        Fetch(name="door", use=Use.AUXILIARY, after=("key",)),
        Fetch(name="mood", use=Use.OPTIONAL),
        Fetch(name="music", after=("door", "mood"), use=Use.OPTIONAL),
        Fetch(name="basket"),
    )
    await kitchen.begins("key", "mood", "basket")
    kitchen.ends("mood", OSError("closed"))
    kitchen.ends("basket")
    outcome = await outcome_of(running)
    assert (kitchen.cancelled, "door" in kitchen.started) == (["key"], False)
    assert outcome.results == {"basket": "the basket"}


async def test_what_is_of_no_more_use_before_its_turn_never_starts(kitchen):
    running = under_way(
        kitchen,
        Fetch(name="key"),
        Fetch(name="door", use=Use.AUXILIARY, after=("key",)),
        Fetch(name="mood", use=Use.OPTIONAL),
        Fetch(name="music", after=("door", "mood"), use=Use.OPTIONAL),
    )
    kitchen.ends("mood", OSError("closed"))
    await kitchen.begins("mood", "key")
    kitchen.ends("key")
    outcome = await outcome_of(running)
    assert outcome.results == {"key": "the key"}
    assert "door" not in kitchen.started


async def test_what_is_there_is_not_lost_with_what_it_was_made_for(kitchen):
    running = under_way(
        kitchen,
        Fetch(name="key", use=Use.AUXILIARY),
        Fetch(name="music", after=("key",), use=Use.OPTIONAL),
    )
    kitchen.ends("key")
    await kitchen.begins("music")
    kitchen.ends("music", OSError("closed"))
    outcome = await outcome_of(running)
    assert outcome.results == {"key": "the key"}
    assert [*outcome.lost] == ["music"]


async def test_a_fetch_that_passes_its_limit_has_failed(kitchen):
    limited = Fetch(name="slow", limit=timedelta(milliseconds=1))
    running = under_way(kitchen, limited, Fetch(name="other"))
    failed = await failure_of(running)
    assert str(failed) == "slow: no answer within 0.001 s"
    assert isinstance(failed.cause, LimitPassed)
    assert sorted(kitchen.cancelled) == ["other", "slow"]


async def test_a_limit_is_a_fetchs_own_and_begins_when_it_does():
    async def fetch(name: str, given: Mapping[str, str]) -> str:
        del given
        # The first takes longer than the second may.
        await asyncio.sleep(0.05 if name == "first" else 0)
        return name

    limit = timedelta(seconds=0.04)
    second = Fetch(name="second", after=("first",), limit=limit)
    outcome = await run(Plan((Fetch(name="first"), second)), fetch)
    assert outcome.results == {"first": "first", "second": "second"}


async def test_a_time_out_of_a_fetchs_own_is_told_as_it_is(kitchen):
    limited = Fetch(name="basket", limit=timedelta(seconds=ENDS_BY))
    running = under_way(kitchen, limited)
    kitchen.ends("basket", TimeoutError("of the connection"))
    assert str(await failure_of(running)) == "basket: of the connection"


async def test_whoever_cancels_from_outside_leaves_nothing_behind(kitchen):
    running = under_way(kitchen, *DIAMOND)
    kitchen.ends("card")
    await kitchen.begins("basket", "shop", "limits")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(kitchen.cancelled) == ["basket", "limits", "shop"]
    assert nothing_is_left()


async def test_a_fetch_that_does_not_heed_its_cancellation_starts_nothing_more():
    begun = asyncio.Event()
    started = []

    async def fetch(name: str, given: Mapping[str, str]) -> str:
        del given
        started.append(name)
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return name  # as a library might that gives back what it has
        raise AssertionError

    fetches = (Fetch(name="stubborn"), Fetch(name="next", after=("stubborn",)))
    running = asyncio.create_task(run(Plan(fetches), fetch))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert started == ["stubborn"]
    assert nothing_is_left()


async def test_a_fetch_that_cancels_itself_has_failed_and_is_not_forgotten():
    async def fetch(_name: str, _given: Mapping[str, str]) -> str:
        raise asyncio.CancelledError

    with pytest.raises(FetchFailed, match="basket: it was cancelled by its own doing"):
        await run(Plan((Fetch(name="basket"),)), fetch)


async def test_an_error_while_all_is_stopped_hides_nothing_and_leaves_nothing(kitchen):
    begun = asyncio.Event()

    async def fetch(name: str, given: Mapping[str, str]) -> str:
        if name == "basket":
            fetched: str = await kitchen.fetch(name, given)
            return fetched
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("while it was stopped") from None
        raise AssertionError

    plan = Plan((Fetch(name="basket"), Fetch(name="rude")))
    running = asyncio.create_task(run(plan, fetch))
    await begun.wait()
    kitchen.ends("basket", OSError("closed"))
    assert str(await failure_of(running)) == "basket: closed"
    assert nothing_is_left()


async def test_a_plan_of_nothing_comes_to_nothing(kitchen):
    assert await run(Plan(()), kitchen.fetch) == RunResult({}, {})


@pytest.mark.parametrize(
    ("fetches", "says"),
    [
        ([("a", ["b"]), ("b", ["c"]), ("c", ["a"])], "they wait for each other: "),
        ([("a", ["a"])], "they wait for each other: a -> a"),
        ([("a", ["nobody", "b"]), ("b", [])], "a comes after nobody: unknown"),
        ([("a", []), ("a", [])], "there twice: a"),
    ],
    ids=["circle", "itself", "unknown", "twice"],
)
def test_fetches_that_nobody_could_make_are_refused_by_name(fetches, says):
    with pytest.raises(UnfitPlan, match=says) as refused:
        Plan(tuple(Fetch(name=name, after=(*after,)) for name, after in fetches))
    assert all(name in str(refused.value) for name, _ in fetches[:1])


def test_the_circle_is_told_as_it_goes_round():
    after = {"a": ("c",), "b": ("a",), "c": ("b",), "d": ()}
    with pytest.raises(UnfitPlan) as refused:
        Plan(tuple(Fetch(name=name, after=its) for name, its in after.items()))
    told = str(refused.value).removeprefix("they wait for each other: ").split(" -> ")
    assert told[0] == told[-1]
    assert all(one in after[other] for one, other in pairwise(told))


@pytest.mark.parametrize(
    ("fetch", "says"),
    [
        (Fetch(name="a", limit=timedelta(0)), "a has no time"),
        (Fetch(name="a", use=Use.AUXILIARY), "a is auxiliary, and nothing comes"),
    ],
)
def test_a_fetch_without_time_or_use_is_refused(fetch, says):
    with pytest.raises(UnfitPlan, match=says):
        Plan((fetch,))


def test_a_plan_is_printed_a_line_for_each_fetch_after_what_it_comes_after():
    plan = Plan(
        (
            Fetch(name="prices", after=("basket", "shop")),
            Fetch(name="basket", limit=timedelta(seconds=5)),
            Fetch(name="shop", use=Use.AUXILIARY, limit=timedelta(milliseconds=250)),
        )
    )
    assert str(plan).splitlines() == [
        "basket, within 5 s",
        "shop, auxiliary, within 0.25 s",
        "prices after basket, shop",
    ]


def test_a_plan_is_drawn_with_its_arrows():
    plan = Plan(
        (
            Fetch(name="prices", after=("basket",), limit=timedelta(seconds=5)),
            Fetch(name="basket"),
        )
    )
    assert plan.mermaid.splitlines() == [
        "flowchart LR",
        '    n0["basket"]',
        '    n1["prices<br/>within 5 s"]',
        "    n0 --> n1",
    ]


def test_the_critical_path_is_the_longest_chain():
    lasts = {"basket": 2.0, "shop": 5.0, "prices": 1.0, "card": 3.0, "limits": 2.5}
    assert Plan(DIAMOND).critical_path(lasts) == 6.0
