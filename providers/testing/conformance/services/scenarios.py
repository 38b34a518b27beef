"""The scenarios of a service: a step is done once, undone for good, and told truly."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from handlers.ports.services import (
    Fetched,
    ServiceDone,
    ServiceNotKnown,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
    ServiceUndone,
)
from providers.http.outbound import Response
from providers.testing.conformance.services.stage import (
    PAUSE_SECONDS,
    TRIES,
    ServiceStage,
    same,
)

AT_ONCE: Final = 5
DONE: Final = range(200, 300)
NOT_DONE: Final = (ServiceRefused, ServiceNotKnown)

Play = Callable[[ServiceStage], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceScenario:
    """One promise of a service, and how it is tried."""

    name: str
    proves: str
    play: Play

    def __str__(self) -> str:
        """Return the name, as pytest shows it."""
        return self.name


SERVICE_SCENARIOS: Final[list[ServiceScenario]] = []
"""All of them, in the order in which they are told."""


def _scene(name: str, proves: str) -> Callable[[Play], Play]:
    def keep(play: Play) -> Play:
        SERVICE_SCENARIOS.append(ServiceScenario(name=name, proves=proves, play=play))
        return play

    return keep


@_scene("do-done", "a step that is done is told with a result, which is an object")
async def _done(stage: ServiceStage) -> None:
    stage.needs()
    stage.be(await stage.do(stage.step()), ServiceDone, "a do")


@_scene("do-repeated", "a do that comes again with its key is the first one's result")
async def _repeated(stage: ServiceStage) -> None:
    stage.needs()
    step = stage.step()
    first, again = await stage.do(step), await stage.do(step)
    stage.be(again, ServiceDone, "the do again")
    stage.must(first == again, "the do again came to another result")


@_scene("do-at-once", "the same do from several at once is one, and nobody is refused")
async def _at_once(stage: ServiceStage) -> None:
    stage.needs()
    step = stage.step()
    answers = await asyncio.gather(*(stage.do(step) for _ in range(AT_ONCE)))
    for answer in answers:
        stage.be(answer, ServiceDone, "one of several dos")
    stage.must(same(answers), "dos at once came to several results")


@_scene("do-lost", "after an answer that was not waited for it is done, and once")
async def _lost(stage: ServiceStage) -> None:
    stage.needs()
    step = stage.step()
    hasty = await stage.hasty.do(step)
    first, again = await stage.do(step), await stage.do(step)
    stage.be(first, ServiceDone, "the do after a lost answer")
    stage.must(first == again, "the do again came to another result")
    if isinstance(hasty, ServiceDone):
        stage.must(first == hasty, "the do again came to another result")


@_scene("do-unreadable", "what cannot be read is not done")
async def _unreadable(stage: ServiceStage) -> None:
    stage.needs()
    step = stage.step()
    answer = await stage.lane.request(
        "POST",
        f"{stage.table.base_url}/v1/{step.step}",
        json_body=b'{"task_id": ',
        headers={
            **stage.table.sent_headers,
            "Idempotency-Key": f"{step.task_id}:do",
        },
        timeout=stage.table.timeout.total_seconds(),
    )
    taken = isinstance(answer, Response) and answer.status in DONE
    stage.must(not taken, "a body that is cut off was taken for an order")


@_scene("do-apart", "steps of two tasks are two, and to undo one leaves the other")
async def _apart(stage: ServiceStage) -> None:
    stage.needs(undo=True)
    one, other = stage.step(), stage.step()
    await stage.do(one)
    kept = await stage.do(other)
    await stage.undo(one)
    stage.be(await stage.do(one), ServiceRefused, "a do after its undo")
    stage.must(await stage.do(other) == kept, "the undo of one undid another")
    await stage.undo(other)


@_scene("ask-unknown", "of a step that it never heard of it says that it knows none")
async def _ask_unknown(stage: ServiceStage) -> None:
    stage.needs(asks=True)
    answer = await stage.ask(stage.step())
    stage.be(answer, ServiceNotKnown, "asked about a step that nobody asked for")


@_scene("ask-done", "of a step that is done it says so, and its result if any")
async def _ask_done(stage: ServiceStage) -> None:
    stage.needs(asks=True)
    step = stage.step()
    done, asked = await stage.do(step), await stage.ask(step)
    stage.be(asked, ServiceDone, "asked about a step that is done")
    if isinstance(asked, ServiceDone) and asked.result:
        stage.must(asked == done, "asked, it tells another result")


@_scene("undo-done", "what was done is undone, and once more whoever asks again")
async def _undo_done(stage: ServiceStage) -> None:
    stage.needs(undo=True)
    step = stage.step()
    stage.be(await stage.do(step), ServiceDone, "a do")
    for case in ("an undo", "the undo again"):
        stage.be(await stage.undo(step), ServiceUndone, case)


@_scene("undo-at-once", "the same undo from several at once is one, and nobody refused")
async def _undo_at_once(stage: ServiceStage) -> None:
    stage.needs(undo=True)
    step = stage.step()
    await stage.do(step)
    for answer in await asyncio.gather(*(stage.undo(step) for _ in range(AT_ONCE))):
        stage.be(answer, ServiceUndone, "one of several undos")


@_scene("undo-never-done", "what was never done can be undone, and is never done then")
async def _undo_never_done(stage: ServiceStage) -> None:
    stage.needs(undo=True)
    step = stage.step()
    undone = await stage.undo(step)
    stage.be(undone, ServiceUndone, "an undo of what was never done")
    stage.be(await stage.do(step), ServiceRefused, "a do after its undo")


@_scene("undo-then-do", "a do that comes late, after its undo, is refused")
async def _undo_then_do(stage: ServiceStage) -> None:
    stage.needs(undo=True)
    step = stage.step()
    await stage.do(step)
    await stage.undo(step)
    stage.be(await stage.do(step), ServiceRefused, "a do again after its undo")


@_scene("undo-asked", "of what is undone it never says that it is done")
async def _undo_asked(stage: ServiceStage) -> None:
    stage.needs(undo=True, asks=True)
    step = stage.step()
    await stage.do(step)
    await stage.undo(step)
    stage.be(await stage.ask(step), NOT_DONE, "asked about a step that is undone")


@_scene("undo-beside-do", "an undo beside its do leaves nothing done, whoever is first")
async def _undo_beside_do(stage: ServiceStage) -> None:
    stage.needs(undo=True)
    for _ in range(AT_ONCE):
        step = stage.step()
        did, undone = await asyncio.gather(stage.do(step), stage.undo(step))
        stage.be(did, (ServiceDone, ServiceRefused), "a do beside its undo")
        stage.be(undone, ServiceUndone, "an undo beside its do")
        stage.be(await stage.do(step), ServiceRefused, "a do after both")
        if stage.table.asks:
            stage.be(await stage.ask(step), NOT_DONE, "asked after both")


@_scene(
    "refused-code", "a refusal has a code, stays one, and is told where it is asked"
)
async def _refused(stage: ServiceStage) -> None:
    stage.needs()
    step = stage.step(stage.sample("refused"))
    first, again = await stage.do(step), await stage.do(step)
    stage.be(first, ServiceRefused, "a do that is to be refused")
    stage.be(again, ServiceRefused, "the refused do again")
    stage.must(first == again, "the do again was refused otherwise")
    if stage.table.asks:
        stage.be(await stage.ask(step), NOT_DONE, "asked about a refused step")


@_scene("refused-undo", "what was refused can be undone like anything else")
async def _refused_undo(stage: ServiceStage) -> None:
    stage.needs(undo=True)
    step = stage.step(stage.sample("refused"))
    await stage.do(step)
    stage.be(await stage.undo(step), ServiceUndone, "an undo of what was refused")


@_scene("pending-ends", "of a step that takes long it says so, until it is decided")
async def _pending(stage: ServiceStage) -> None:
    stage.needs(asks=True)
    step = stage.step(stage.sample("pending"))
    first = await stage.service.do(step)
    stage.be(first, (ServiceUnclear, ServiceDone), "a do that takes long")
    asked = await stage.ask(step)
    stage.be(asked, (ServicePending, ServiceDone), "asked about it at once")
    for _ in range(TRIES):
        if not isinstance(asked := await stage.ask(step), ServicePending):
            break
        await asyncio.sleep(PAUSE_SECONDS)
    stage.be(asked, (ServiceDone, ServiceRefused), "asked about it at last")


@_scene("load-fetched", "what is loaded is an object")
async def _load(stage: ServiceStage) -> None:
    if not stage.table.is_step:
        answer = await stage.service.load(stage.fetch())
        stage.be(answer, Fetched, "a load")
