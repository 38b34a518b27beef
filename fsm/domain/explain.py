"""Explains from the audit trail why each provider was tried, passed over or left.

Pure, and at the time of reading: nothing is stored for it, and nothing else asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fsm.domain.audit import AuditLine
from fsm.domain.masking import masked_text
from fsm.domain.orders import Order
from fsm.domain.proposals import IN_WORDS, PROPOSED_FROM_SHELL
from fsm.engine.rows import Task
from fsm.engine.words import EngineTrigger, Source, State, Verdict
from fsm.payout.words import Trigger, Waiting

SENTENCES: Final[Mapping[str, str]] = {
    EngineTrigger.TURN_CAME: "its turn came: no attempt before it holds money any more",
    Trigger.FREEZE_CONFIRMED: "core froze the money",
    Trigger.FREEZE_REFUSED: "core refused the hold, so the provider was not asked",
    Trigger.PAID: "the provider says that it has paid",
    Trigger.ACCEPTED: "the provider has taken it",
    Trigger.DECLINED: "the provider says a definite no",
    Trigger.NOT_SENT: "the request never left",
    Trigger.NOT_FOUND: "the provider does not know it",
    Trigger.UNCLEAR: "no definite answer: it may have paid",
    Trigger.RETURNED: "the provider says that the money came back",
    Trigger.MISMATCHED: "what the provider tells is not about this amount or payout",
    Trigger.TAMPERED: "the order is not what was requested: nothing was sent",
    Trigger.WEIGHED: "nothing is proven: the provider is asked",
    Trigger.SLA_PASSED: "no webhook came within the SLA",
    Trigger.DEADLINE_PASSED: "the time for asking the status is over",
    Trigger.COMMIT_CONFIRMED: "core committed the money",
    Trigger.COMMIT_REFUSED: "core refused the commit",
    Trigger.ROLLBACK_CONFIRMED: "core released the money",
    Trigger.ROLLBACK_REFUSED: "core refused to release the money",
    EngineTrigger.CANCEL_REQUESTED: "a person asked to cancel it",
    Trigger.CANCEL_CONFIRMED: "the provider has cancelled it",
    Trigger.CANCEL_TOO_LATE: "the provider goes on with it: too late to cancel",
    Trigger.CANCEL_UNCLEAR: "the provider does not say whether it cancelled",
    Trigger.RESOLUTION_PROPOSED: "a person decided; a second one must agree",
    Trigger.RESOLUTION_WITHDRAWN: "the person took the vote back",
    Trigger.RESOLUTION_CONTESTED: "a second person decided otherwise: no vote stands",
    Trigger.RESOLUTION_STOPPED: "the provider says that it is still under way",
    Trigger.RESOLUTION_UNANSWERED: "asked once more, the provider did not answer",
    Trigger.RESOLUTION_NOT_FOUND: "asked once more, the provider does not know it",
    Trigger.RESOLUTION_UNASKED: "the person's no stands without an answer",
    Trigger.RESOLVED_POSITIVE: "a person decided that it has paid",
    Trigger.RESOLVED_NEGATIVE: "a person decided that it has not paid",
    Trigger.SETTLED_POSITIVE: "a person settled it by hand as paid",
    Trigger.SETTLED_NEGATIVE: "a person settled it by hand as not paid",
    Trigger.RETURN_PROPOSED: "a person settled the return; a second one must agree",
    Trigger.RETURN_WITHDRAWN: "the person took the vote on the return back",
    Trigger.RETURN_CONTESTED: "a second person wanted otherwise: no vote on it stands",
    Trigger.RETURN_REQUESTED: "a person had core take the returned money back",
    Trigger.RETURN_CONFIRMED: "core took the returned money back",
    Trigger.RETURN_REFUSED: "core refused to take the returned money back",
    Trigger.TAKEN_OVER: "a worker took over from one that may have sent it",
    Trigger.REPEAT_DUE: "the status cannot be asked: the create is, with its first key",
    Trigger.RETRY_DUE: "it is sent again, for nothing had been sent",
    Trigger.HELD: "the provider cannot be given new work just now: it waits",
    Trigger.PASSED_OVER: "it was passed over: nothing had been sent to the provider",
    EngineTrigger.NOT_NEEDED: "not needed: another attempt has succeeded",
}
_PROVES: Final[Mapping[Verdict, frozenset[str]]] = {
    Verdict.PAID: frozenset(
        {Trigger.PAID, Trigger.RESOLVED_POSITIVE, Trigger.SETTLED_POSITIVE}
    ),
    Verdict.NOT_PAID: frozenset(
        {
            Trigger.DECLINED,
            Trigger.NOT_SENT,
            Trigger.NOT_FOUND,
            Trigger.CANCEL_CONFIRMED,
            Trigger.RESOLVED_NEGATIVE,
            Trigger.SETTLED_NEGATIVE,
            # Where nothing had been sent, a wish is enough.
            EngineTrigger.CANCEL_REQUESTED,
            Trigger.FREEZE_CONFIRMED,
        }
    ),
}
_CANCELS: Final = frozenset(
    {Trigger.CANCEL_CONFIRMED, Trigger.CANCEL_TOO_LATE, Trigger.CANCEL_UNCLEAR}
)
QUESTION: Final = "question"
"""Where a line's detail names what was asked, if it is not what its state implies."""
_SAID: Final = ("code", "message", "reason")
_EVIDENCE: Final = {"http_status": "HTTP", "status": "status", "code": "code"}
_NOES: Final = frozenset({Trigger.RESOLVED_NEGATIVE, Trigger.SETTLED_NEGATIVE})
_DECIDES: Final = _NOES | {
    Trigger.RESOLVED_POSITIVE,
    Trigger.SETTLED_POSITIVE,
    Trigger.RESOLUTION_STOPPED,
}
_OVERRULE: Final = frozenset({Trigger.PAID, Trigger.RESOLUTION_STOPPED})
OVERRULED: Final = ": the person's no does not stand"
_REPEATED: Final = "{0} ({1} times)"
ARROW: Final = " → "


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt: its story in sentences, and the line that proves its end.

    ``proof`` is None while nothing is proven, and where it was never tried.
    """

    task: Task
    because: Sequence[str]
    proof: AuditLine | None

    @property
    def words(self) -> str:
        """The whole story in one line."""
        return f"{self.task.provider}: {ARROW.join(self.because)}"


def explain(order: Order, trail: Sequence[AuditLine]) -> list[Attempt]:
    """Tell the story of every attempt, without what must not be seen."""
    lines: dict[str, list[AuditLine]] = {}
    for line in trail:
        about = line.detail.get("task_id") if _is_proposal(line) else line.task_id
        if isinstance(about, str):
            lines.setdefault(about, []).append(line)
    return [_attempt(task, lines.get(task.task_id, [])) for task in order.queue.tasks]


def proposals(trail: Sequence[AuditLine]) -> list[str]:
    """Tell what was proposed without a key; the latest last."""
    return [_proposed(line) for line in trail if _is_proposal(line)]


def in_words(attempts: Sequence[Attempt]) -> str:
    """Return the whole order's story in one line."""
    return ARROW.join(attempt.words for attempt in attempts)


def _attempt(task: Task, lines: Sequence[AuditLine]) -> Attempt:
    story = [*_told(lines)]
    if task.state is State.PENDING and not story:
        story = ["not tried yet: it waits for its turn"]
    if task.waiting_for is Waiting.LAST_QUESTION:
        story.append("the provider is asked once more before the no is acted on")
    elif task.state is State.MANUAL_CHECK:
        story.append("it waits for a person's decision")
    return Attempt(task=task, because=_counted(story), proof=_proof(task, lines))


def _is_proposal(line: AuditLine) -> bool:
    return line.trigger == PROPOSED_FROM_SHELL


def _proposed(line: AuditLine) -> str:
    """Say who proposed what: whatever the name is, nobody has checked it."""
    decision = str(line.detail.get("decision"))
    what = IN_WORDS.get(decision, decision)
    return masked_text(
        f"{line.actor} proposed from a shell, which is no vote: {what}: "
        f"{line.detail.get('reason')}"
    )


def _told(lines: Sequence[AuditLine]) -> Iterator[str]:
    """Tell line by line; what proves a person wrong says so."""
    no_waits = False
    for line in lines:
        if _is_proposal(line):
            yield _proposed(line)
        elif line.trigger in SENTENCES:
            wrong = no_waits and line.trigger in _OVERRULE
            yield _sentence(line) + (OVERRULED if wrong else "")
        if line.trigger in _DECIDES:
            no_waits = line.trigger in _NOES and line.target == State.MANUAL_CHECK


def _sentence(line: AuditLine) -> str:
    plain = SENTENCES[line.trigger]
    said = [str(line.detail[n]) for n in _SAID if line.detail.get(n)]
    text = f"{plain}: {', '.join(said)}" if said else plain
    heard = _heard(line)
    return masked_text(f"{text} ({heard})" if heard else text)


def _heard(line: AuditLine) -> str:
    """Say where it was heard, and what exactly."""
    evidence = line.detail.get("evidence")
    if not isinstance(evidence, Mapping) or not evidence:
        return ""
    if line.detail.get("source") == Source.WEBHOOK:
        return f"webhook {evidence.get('event_id')}"
    told = [f"{w} {evidence[n]}" for n, w in _EVIDENCE.items() if n in evidence]
    return f"{_question(line)} answered {', '.join(told)}" if told else ""


def _question(line: AuditLine) -> str:
    if line.trigger in _CANCELS:
        return "cancel"
    asked = line.detail.get(QUESTION)
    if isinstance(asked, str):
        return asked
    return "create" if line.source == State.CREATING else "status"


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
