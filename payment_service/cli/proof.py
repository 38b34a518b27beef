"""Explains an attempt from its audit lines: its story, and what proves its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fsm.snapshot import Task
from fsm.states import State, Trigger, Verdict
from payment_service.domain.audit import AuditLine
from payment_service.domain.events import stamp
from payment_service.domain.orders import Order
from payment_service.ports.reads import AuditEntry
from payment_service.wire.views import View, mask_tokens, task_view

_TOLD: Final[Mapping[str, str]] = {
    Trigger.TURN_CAME: "its turn came: no attempt before it holds money any more",
    Trigger.FREEZE_CONFIRMED: "core froze the money",
    Trigger.FREEZE_REFUSED: "core refused the hold, so the provider was not asked",
    Trigger.PAID: "the provider says that it has paid",
    Trigger.ACCEPTED: "the provider has taken it",
    Trigger.DECLINED: "the provider says a definite no",
    Trigger.NOT_SENT: "the request never left",
    Trigger.NOT_FOUND: "the provider does not know it",
    Trigger.UNCLEAR: "no definite answer: it may have paid",
    Trigger.RETURNED: "the provider says that the money came back",
    Trigger.MISMATCHED: "the provider tells another amount",
    Trigger.WEIGHED: "nothing is proven: the status is asked",
    Trigger.SLA_PASSED: "no webhook came within the SLA",
    Trigger.DEADLINE_PASSED: "the time for asking the status is over",
    Trigger.COMMIT_CONFIRMED: "core committed the money",
    Trigger.COMMIT_REFUSED: "core refused the commit",
    Trigger.ROLLBACK_CONFIRMED: "core released the money",
    Trigger.ROLLBACK_REFUSED: "core refused to release the money",
    Trigger.CANCEL_REQUESTED: "a person asked to cancel it",
    Trigger.CANCEL_CONFIRMED: "the provider has cancelled it",
    Trigger.CANCEL_TOO_LATE: "the provider goes on with it: too late to cancel",
    Trigger.CANCEL_UNCLEAR: "the provider does not say whether it cancelled",
    Trigger.RESOLUTION_PROPOSED: "a person decided; a second one must agree",
    Trigger.RESOLVED_POSITIVE: "a person decided that it has paid",
    Trigger.RESOLVED_NEGATIVE: "a person decided that it has not paid",
    Trigger.TAKEN_OVER: "a worker took over from one that may have sent it",
    Trigger.RETRY_DUE: "it is sent again, for nothing had been sent",
    Trigger.NOT_NEEDED: "not needed: another attempt has succeeded",
}
_PROVES: Final[Mapping[Verdict, frozenset[str]]] = {
    Verdict.PAID: frozenset({Trigger.PAID, Trigger.RESOLVED_POSITIVE}),
    Verdict.NOT_PAID: frozenset(
        {
            Trigger.DECLINED,
            Trigger.NOT_SENT,
            Trigger.NOT_FOUND,
            Trigger.CANCEL_CONFIRMED,
            Trigger.RESOLVED_NEGATIVE,
            # Where nothing had been sent, a wish is enough.
            Trigger.CANCEL_REQUESTED,
            Trigger.FREEZE_CONFIRMED,
        }
    ),
}
_REPEATED: Final = "{0} ({1} times)"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt with its story, and what proves how it ended."""

    task: Task
    because: Sequence[str]
    proof: AuditLine | None

    def view(self) -> View:
        """Return it as JSON has it."""
        proof = None
        if self.proof is not None:
            line = self.proof
            proof = {
                "trigger": line.trigger,
                "actor": line.actor,
                "at": stamp(line.at),
                "version": line.version,
                "detail": mask_tokens(line.detail),
            }
        return {**task_view(self.task), "because": [*self.because], "proof": proof}


def attempts_of(order: Order, trail: Sequence[AuditEntry]) -> list[Attempt]:
    """Tell the story of every task of an order."""
    lines: dict[str, list[AuditLine]] = {}
    for entry in trail:
        if entry.line.task_id is not None:
            lines.setdefault(entry.line.task_id, []).append(entry.line)
    return [_attempt(task, lines.get(task.task_id, [])) for task in order.queue.tasks]


def _attempt(task: Task, lines: Sequence[AuditLine]) -> Attempt:
    story = [_sentence(line) for line in lines if line.trigger in _TOLD]
    if task.state is State.PENDING and not story:
        story = ["not tried yet: it waits for its turn"]
    if task.state is State.MANUAL_CHECK:
        story.append("it waits for a person's decision")
    return Attempt(task=task, because=_counted(story), proof=_proof(task, lines))


def _sentence(line: AuditLine) -> str:
    said = [str(line.detail[n]) for n in ("code", "message") if line.detail.get(n)]
    reason = line.detail.get("reason")
    said += [str(reason)] if reason else []
    text = f"{_TOLD[line.trigger]}: {', '.join(said)}" if said else _TOLD[line.trigger]
    masked = mask_tokens([text, *said])
    return text if masked == [text, *said] else _TOLD[line.trigger]


def _counted(story: Sequence[str]) -> list[str]:
    """Tell what happened several times in a row once."""
    told: list[tuple[str, int]] = []
    for sentence in story:
        if told and told[-1][0] == sentence:
            told[-1] = (sentence, told[-1][1] + 1)
        else:
            told.append((sentence, 1))
    return [_REPEATED.format(s, n) if n > 1 else s for s, n in told]


def _proof(task: Task, lines: Sequence[AuditLine]) -> AuditLine | None:
    """Return the line that proved whether it was paid."""
    if task.verdict is None:
        return next((x for x in lines if x.trigger == Trigger.FREEZE_REFUSED), None)
    proves = _PROVES[task.verdict]
    return next((x for x in reversed(lines) if x.trigger in proves), None)
