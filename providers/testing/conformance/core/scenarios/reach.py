"""The first scenario: core is there, in time, and lets the token in."""

from typing import Final

from handlers.ports.core import Operation
from providers.testing.conformance.core.overheard import NO_ROUTE
from providers.testing.conformance.core.scenario import REACH, scene
from providers.testing.conformance.core.stage import CoreStage

LOCKED: Final = frozenset({401, 403})


@scene(REACH, "answers", "core is there, answers in time, and lets this token in")
async def _answers(stage: CoreStage) -> None:
    # Of what was never held: nothing moves, whoever this is.
    call, outbound = stage.samples.attempt(), stage.outbound
    await stage.ask(Operation.ROLLBACK, call)
    said = f"core answers {outbound.status}: it lets nobody in with this token"
    mend = "See --token, or PAYMENT_CORE_TOKEN"
    stage.must(outbound.status not in LOCKED, f"{said}. {mend}")
    if outbound.status in NO_ROUTE:
        # Some cores say so of a task that they do not know.
        await stage.ask(Operation.FREEZE, call)
        said = f"core answers {outbound.status} to a rollback and to a freeze"
        mend = f"Is {stage.base_url} core's base URL, without /v1?"
        mend += f" Does it know merchant {call.merchant_id}?"
        stage.must(outbound.status not in NO_ROUTE, f"{said}. {mend}")
