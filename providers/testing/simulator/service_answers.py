"""What the callers of a simulated service ask, and what they read as the answer."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from providers.testing.simulator.script import PayoutState, Script
from providers.testing.simulator.service_book import BookedStep, ReceivedStep, StepState
from providers.testing.simulator.wire import BadCallError, Json, body_of, reply, text_in

TOO_LATE: Final = {"code": "too_late", "message": "too late"}
FIRST: Final[Mapping[PayoutState, StepState]] = {
    PayoutState.SUCCEEDED: StepState.DONE,
    PayoutState.ACCEPTED: StepState.PENDING,
}
"""What a step is at first; in any other state of a script it is refused."""


def step_answer(step: BookedStep) -> web.Response:
    """Answer a do, or its repeat."""
    match step.state:
        case StepState.DONE if step.script.says:
            return reply({"status": step.script.says})
        case StepState.DONE:
            return reply({"result": step.result, "task_id": step.asked.task_id})
        case StepState.PENDING:
            return reply({"status": "pending"}, status=202)
        case StepState.REFUSED:
            return refusal(step.script)
        case StepState.UNDONE:
            return reply({"code": "undone", "message": "it was undone"}, status=409)


def status_of_step(step: BookedStep) -> Json:
    match step.state:
        case StepState.DONE:
            word = step.script.says or "done"
            return {"status": word, "result": dict(step.result)}
        case StepState.PENDING:
            return {"status": "pending"}
        case StepState.REFUSED:
            return {"status": "refused", "code": step.script.code or "declined"}
        case StepState.UNDONE:
            return {"status": "refused", "code": "undone"}


def refusal(script: Script) -> web.Response:
    told = {
        "code": script.code or "declined",
        "message": script.message or "declined by a script",
    }
    if script.customer_message:
        told["customer_message"] = script.customer_message
    return reply(told, status=script.decline_status)


async def step_asked(
    request: web.BaseRequest, service: str, step: str, operation: str
) -> tuple[str, ReceivedStep]:
    """Read a do or an undo; its key says which task it is for.

    :raises BadCallError: there is no key, or the body is about another task.
    """
    key = request.headers.get("Idempotency-Key", "")
    task_id, _, said = key.rpartition(":")
    if said != operation or not task_id:
        raise BadCallError("the Idempotency-Key is not TASK:DO or TASK:UNDO")
    body = await body_of(request)
    if text_in(body, "task_id", task_id) != task_id:
        raise BadCallError("the key is another task's", code="key_of_another")
    return key, step_from(body, service, step, task_id)


def step_from(body: Json, service: str, step: str, task_id: str) -> ReceivedStep:
    method = body.get("payment_method")
    amount = body.get("amount")
    return ReceivedStep(
        service=service,
        step=step,
        task_id=task_id,
        queue_id=text_in(body, "queue_id", ""),
        order_id=text_in(body, "order_id", ""),
        merchant_id=text_in(body, "merchant_id", ""),
        amount=amount if type(amount) is int else 0,
        currency=text_in(body, "currency", ""),
        token=text_in(method, "token", "") if isinstance(method, dict) else "",
    )
