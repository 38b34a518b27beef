"""Reads a status answer that is a list: what is ours in it, and what it says together.

Somebody else's payouts say nothing about ours, not even that it is missing: the
provider may not have understood the question.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from fsm.domain.reading import identifier_in
from providers.http.outbound import Response
from providers.port import Declined, NotFound, Payout, StatusAnswer, Unclear
from providers.rest.parsed import ParsedAnswer
from providers.rest.reading import Reading

NO_LIST: Final = "there is no list of payouts where one should be"
NONE_OURS: Final = "it lists payouts, and none is said to be ours"
SEVERAL: Final = "several payouts are listed under our reference"


def listed_answer(answer: Response, payout: Payout, reading: Reading) -> StatusAnswer:
    """Return what a list says of one payout; not found where it is empty, and whole."""
    items = reading.items(answer)
    evidence: dict[str, object] = {"http_status": answer.status}
    if items is None:
        return Unclear(because=NO_LIST, evidence=evidence)
    evidence["items"] = len(items)
    if not items and not reading.has_more(answer):
        return NotFound(evidence=evidence)
    every = [reading.said_in(item, answer, payout) for item in items]
    ours_of_them = [said for said in every if _is_ours(said)]
    if not ours_of_them:
        return Unclear(because=NONE_OURS, evidence=evidence)
    states = [(said.state(), said) for said in ours_of_them]
    return states[0][0] if len(states) == 1 else _together(states, evidence)


def _together(
    states: Sequence[tuple[StatusAnswer, ParsedAnswer]], evidence: Mapping[str, object]
) -> StatusAnswer:
    """Return what several payouts under our reference say together.

    A provider that tries again lists its failures, too: one that was paid is what
    counts. Two that may pay are a contradiction, for at most one was asked for.
    """
    words = ", ".join(said.word or "?" for _, said in states)
    # A payout that is listed twice is still one.
    named = {
        (_theirs(said) or str(n), said.word): s for n, (s, said) in enumerate(states)
    }
    may_pay = [state for state in named.values() if not isinstance(state, Declined)]
    if not may_pay:
        return states[0][0]
    unclear = Unclear(because=f"{SEVERAL}: {words}", evidence=evidence)
    if len(may_pay) > 1 or isinstance(may_pay[0], Unclear):
        return unclear
    return may_pay[0]


def _theirs(said: ParsedAnswer) -> str | None:
    return identifier_in(said.body, "provider_reference")


def _is_ours(said: ParsedAnswer) -> bool:
    """True where an item is said to be ours, by our reference or by theirs."""
    reference = said.body.get("reference")
    if reference is not None:
        return reference == said.payout.reference
    theirs = said.payout.provider_reference
    return theirs is not None and said.body.get("provider_reference") == theirs
