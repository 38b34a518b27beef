"""What people decide about money: manual checks, cancellations, returned payouts.

With a key it is decided through the API, by its rules and under the key's name. Without
one it is only proposed: whoever has a shell can take any name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fsm.domain import proposals
from fsm.domain.masking import masked_text
from fsm.domain.proposals import Proposal
from payment_service.cli.api_client import (
    ApiAccess,
    ApiAnswer,
    access_of,
    ask,
    required_access,
)
from payment_service.cli.arguments import actor, check_evidence, check_reason
from payment_service.cli.context import read_settings, run_async
from payment_service.cli.errors import Usage
from payment_service.cli.orders import word_of
from payment_service.cli.printing import print_json, print_text
from payment_service.cli.short_ids import require_whole
from payment_service.storage.beginnings import Named
from providers.http.outbound import Method

TOLD: Final = {
    "recorded": "recorded; a running relay and worker go on with it",
    "waits_for_second_person": "a second person must agree",
    "first_vote_cleared": "the first decision was another: neither stands now",
    "settling": "recorded; core is asked to take the money back",
    "cancel_requested": "recorded; it stops where and when that is safe",
}
PROPOSED: Final = "proposed"


class CheckRuling(StrEnum):
    """What a person can decide about a manual check."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


_BY_HAND: Final = {
    CheckRuling.POSITIVE: proposals.BY_HAND_POSITIVE,
    CheckRuling.NEGATIVE: proposals.BY_HAND_NEGATIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants of one thing: ``path`` and ``body`` are the API's call.

    ``decision`` is what it is called where it can only be proposed.
    """

    asked: str
    path: tuple[str, ...]
    body: Mapping[str, object]
    decision: str
    by_id: str

    def propose(self) -> Proposal:
        """Return it as whoever sits at this shell proposes it."""
        evidence = self.body.get("evidence")
        return Proposal(
            decision=self.decision,
            actor=actor(),
            reason=str(self.body["reason"]),
            evidence=None if evidence is None else masked_text(str(evidence)),
        )


def resolve(
    task_id: str,
    decision: str,
    *,
    reason: str,
    evidence: str | None,
    by_hand: bool,
    as_json: bool,
) -> int:
    """Decide a manual check, or propose how."""
    ruling = word_of("DECISION", CheckRuling, decision)
    if ruling is None:
        raise Usage("DECISION: positive or negative")
    check_evidence(evidence)
    if by_hand and not evidence:
        raise Usage("--evidence: is needed where the balance is settled by hand")
    found = require_whole(Named.TASK, "TASK_ID", task_id)
    wish = Wish(
        asked=found,
        path=("tasks", found, "resolution"),
        body=_body(
            reason,
            evidence,
            decision=ruling.value,
            balance="settled_by_hand" if by_hand else None,
        ),
        decision=_BY_HAND[ruling] if by_hand else ruling.value,
        by_id="task_id",
    )
    return _decide(wish, as_json=as_json)


def cancel_task(task_id: str, *, reason: str, as_json: bool) -> int:
    """Give up one attempt, or propose to; the cascade goes on."""
    found = require_whole(Named.TASK, "TASK_ID", task_id)
    wish = Wish(
        asked=found,
        path=("tasks", found, "cancel"),
        body=_body(reason),
        decision=proposals.CANCEL,
        by_id="task_id",
    )
    return _decide(wish, as_json=as_json)


def cancel_order(order_id: str, *, reason: str, as_json: bool) -> int:
    """Give up a whole order, or propose to."""
    wish = Wish(
        asked=order_id,
        path=("orders", order_id, "cancel"),
        body=_body(reason),
        decision=proposals.CANCEL,
        by_id="order_id",
    )
    return _decide(wish, as_json=as_json)


def settle(case_id: str, *, reason: str, evidence: str | None, as_json: bool) -> int:
    """Have core take a returned payout back, or propose to."""
    check_evidence(evidence)
    return _decide(
        _about_case(case_id, "settle", _body(reason, evidence)), as_json=as_json
    )


def close(case_id: str, *, reason: str, as_json: bool) -> int:
    """Close a case that has been dealt with, or propose to."""
    return _decide(_about_case(case_id, "close", _body(reason)), as_json=as_json)


def withdraw(what: str, item_id: str, call: str, *, reason: str, as_json: bool) -> int:
    """Take one's own vote back; ``what`` are ``tasks`` or ``cases``."""
    check_reason(reason)
    named = Named.TASK if what == "tasks" else Named.CASE
    found = require_whole(named, f"{named.upper()}_ID", item_id)
    access = required_access()
    return _granted(
        found,
        _asked(access, "DELETE", (what, found, call), {"reason": reason}),
        as_json,
    )


def _about_case(case_id: str, verb: str, body: Mapping[str, object]) -> Wish:
    found = require_whole(Named.CASE, "CASE_ID", case_id)
    return Wish(
        asked=found,
        path=("cases", found, verb),
        body=body,
        decision=verb,
        by_id="id",
    )


def _body(
    reason: str, evidence: str | None = None, **more: str | None
) -> Mapping[str, object]:
    check_reason(reason)
    told = {"reason": reason, "evidence": evidence, **more}
    return {name: value for name, value in told.items() if value is not None}


def _decide(wish: Wish, *, as_json: bool) -> int:
    access = access_of(read_settings())
    if access is None:
        return _proposed(wish, as_json=as_json)
    answer = _asked(access, "POST", wish.path, wish.body)
    return _granted(wish.asked, answer, as_json)


def _asked(
    access: ApiAccess, method: Method, path: tuple[str, ...], body: Mapping[str, object]
) -> ApiAnswer:
    answer = ask(access, method, *path, body=body)
    answer.word("status")
    return answer


def _granted(asked: str, answer: ApiAnswer, as_json: bool) -> int:
    status = answer.word("status")
    if as_json:
        print_json(answer.body)
    else:
        print_text(f"{asked}: {TOLD.get(status, status.replace('_', ' '))}")
    return 0


def _proposed(wish: Wish, *, as_json: bool) -> int:
    """Write it down where whoever can decide will see it; nothing else changes."""
    from payment_service.cli.proposals import write_down  # noqa: PLC0415 - as it says

    proposal = wish.propose()
    is_new = run_async(write_down(wish.by_id, wish.asked, proposal))
    if as_json:
        print_json({wish.by_id: wish.asked, "status": PROPOSED, "by": proposal.actor})
        return 0
    before = "" if is_new else ", as it was before"
    print_text(
        f"{wish.asked}: only proposed by {proposal.actor}{before}: nothing has changed "
        "and nobody has voted. To decide, set PAYMENT_API_URL and PAYMENT_API_KEY."
    )
    return 0
