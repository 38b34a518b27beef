"""Sentences of a payout: why each provider was tried, passed over or left."""

from collections.abc import Mapping, Sequence
from typing import Final

from fsm.engine.rows import Task
from fsm.engine.sentences import Line, Sentences, Told
from fsm.engine.words import EngineTrigger, State, Verdict
from fsm.payout.words import Trigger, Waiting

HAPPENED: Final[Mapping[str, str]] = {
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
    Trigger.CANCEL_CONFIRMED: "the provider has cancelled it",
    Trigger.CANCEL_TOO_LATE: "the provider goes on with it: too late to cancel",
    Trigger.CANCEL_UNCLEAR: "the provider does not say whether it cancelled",
    Trigger.RESOLUTION_STOPPED: "the provider says that it is still under way",
    Trigger.RESOLUTION_UNANSWERED: "asked once more, the provider did not answer",
    Trigger.RESOLUTION_NOT_FOUND: "asked once more, the provider does not know it",
    Trigger.RESOLUTION_UNASKED: "the person's no stands without an answer",
    EngineTrigger.RESOLVED_POSITIVE: "a person decided that it has paid",
    EngineTrigger.RESOLVED_NEGATIVE: "a person decided that it has not paid",
    EngineTrigger.SETTLED_POSITIVE: "a person settled it by hand as paid",
    EngineTrigger.SETTLED_NEGATIVE: "a person settled it by hand as not paid",
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
}
WAITS: Final[Mapping[str, str]] = {
    Waiting.LAST_QUESTION: "the provider is asked once more before the no is acted on",
    Waiting.WEBHOOK: "it waits for the provider's webhook",
    Waiting.POLL: "the provider is asked for the status again and again",
    Waiting.RECHECK: "the provider is asked again whether it has paid",
    Waiting.CREATE_RETRY: "it will be sent again, for nothing has been sent",
    Waiting.CANCEL: "the provider is asked to cancel it",
}

_PROVES: Final[Mapping[Verdict, frozenset[str]]] = {
    Verdict.PAID: frozenset(
        {Trigger.PAID, EngineTrigger.RESOLVED_POSITIVE, EngineTrigger.SETTLED_POSITIVE}
    ),
    Verdict.NOT_PAID: frozenset(
        {
            Trigger.DECLINED,
            Trigger.NOT_SENT,
            Trigger.NOT_FOUND,
            Trigger.CANCEL_CONFIRMED,
            EngineTrigger.RESOLVED_NEGATIVE,
            EngineTrigger.SETTLED_NEGATIVE,
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
_NOES: Final = frozenset(
    {EngineTrigger.RESOLVED_NEGATIVE, EngineTrigger.SETTLED_NEGATIVE}
)
_DECIDES: Final = _NOES | {
    EngineTrigger.RESOLVED_POSITIVE,
    EngineTrigger.SETTLED_POSITIVE,
    Trigger.RESOLUTION_STOPPED,
}
_OVERRULE: Final = frozenset({Trigger.PAID, Trigger.RESOLUTION_STOPPED})
OVERRULED: Final = ": the person's no does not stand"


class PayoutSentences(Sentences):
    """What people are told of an attempt at a provider."""

    happened = HAPPENED
    waits = WAITS

    def question(self, line: Told) -> str:
        """Return which of the provider's calls was answered."""
        if line.trigger in _CANCELS:
            return "cancel"
        asked = line.detail.get(QUESTION)
        if isinstance(asked, str):
            return asked
        return "create" if line.source == State.CREATING else "status"

    def remark(self, line: Told, earlier: Sequence[Told]) -> str:
        """Say of what proves a person wrong that it does."""
        if line.trigger not in _OVERRULE:
            return ""
        last = next((x for x in reversed(earlier) if x.trigger in _DECIDES), None)
        if last is None or last.trigger not in _NOES:
            return ""
        return OVERRULED if last.target == State.MANUAL_CHECK else ""

    def proof(self, task: Task, lines: Sequence[Line]) -> Line | None:
        """Return the line that proved whether it was paid."""
        if task.verdict is None:
            return next((x for x in lines if x.trigger == Trigger.FREEZE_REFUSED), None)
        proves = _PROVES[task.verdict]
        return next((x for x in reversed(lines) if x.trigger in proves), None)
