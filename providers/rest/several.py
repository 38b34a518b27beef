"""A create of several calls: what comes before the one that pays, and is carried on.

All of them are one intent. Only calls that move money (``effect``) can have paid:
what stops before the first of them has paid nothing, whatever it was answered.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from providers.answering import Answer, unanswered
from providers.config import ProviderTable
from providers.config.creates import BeforeTable, CreateTable, FindTable
from providers.config.forms import Failing
from providers.config.places import Place
from providers.config.vocabulary import KEPT, PROVIDER_REFERENCE
from providers.http import outbound
from providers.http.outbound import Response
from providers.port import CreateAnswer, Declined, NotSent, Payout, Unclear
from providers.rest.parsed import (
    DEFINITE,
    NOT_DEFINITE,
    SUCCESSES,
    UNREADABLE,
    ParsedAnswer,
    hidden,
)
from providers.rest.reading import OK, Reading, reference_of
from providers.rest.requests import CallTemplate, Values
from providers.retry_after import heeding

OUT_OF_TIME: Final = "the time limit was over before the next call"
LACKING: Final = "its answer lacks a value that is to be carried on"
OTHER: Final = "its answer is about another payout"
SEVERAL: Final = "it finds several, and only one can have been used"
NONE_OURS: Final = "it finds some, and none is said to be ours"
KEPT_LENGTH_MAX: Final = 256
SHOWN_MAX: Final = 64

Stopped: TypeAlias = NotSent | Declined | Unclear
"""Why a create goes no further than one of its calls."""


Sending: TypeAlias = Callable[[CallTemplate, Payout, Values, float], Awaitable[Answer]]
"""Fills in one call, with what is carried on, and sends it: within so many seconds."""
Paying: TypeAlias = Callable[[Payout, Values, float], Awaitable[CreateAnswer]]
"""Makes the call that pays, with what is carried on, within so many seconds."""


@dataclass(slots=True)
class _Run:
    """One create under way: what it carries on, and whether money may have moved."""

    payout: Payout
    until: float
    kept: dict[str, str | int] = field(default_factory=dict)
    moved: bool = False

    @property
    def left(self) -> float:
        """The seconds that are left: all calls share one time limit."""
        return self.until - time.monotonic()

    @property
    def values(self) -> dict[str, object]:
        """What is carried on, as templates name it."""
        return {f"{KEPT}{name}": value for name, value in self.kept.items()}

    @property
    def reference(self) -> str | None:
        """The provider's own id of the payout, where a call has said it."""
        theirs = self.kept.get(PROVIDER_REFERENCE)
        return None if theirs is None else str(theirs)

    @property
    def evidence(self) -> dict[str, object]:
        """What was carried on, for the trail; never a part of the destination."""
        shown = {
            n: hidden(str(v), self.payout)[:SHOWN_MAX] for n, v in self.kept.items()
        }
        return {"kept": shown} if shown else {}


class _Before:
    """One call that comes before, its templates read once, and how it is answered."""

    def __init__(self, table: ProviderTable, call: BeforeTable, base_url: str) -> None:
        self.table: Final = call
        self.call: Final = CallTemplate(call, base_url)
        self.find: Final = CallTemplate(call.find, base_url) if call.find else None
        self._form = table.reference_form
        self._rejection_codes = frozenset(table.rejection_codes)
        answers = call.answers.over(table.answers)
        self._reading = Reading(
            answers, reference_form=table.reference_form, success_codes=SUCCESSES
        )

    def read(self, answer: Answer, payout: Payout) -> Mapping[str, str | int] | Stopped:
        """Return what is carried on from an answer, or why there is nothing."""
        if not isinstance(answer, Response):
            return unanswered(answer)
        said = self._reading.said(answer, payout)
        failing = self._reading.failing(answer, said)
        successes = self._reading.successes
        if failing is Failing.DECLINED and answer.status in DEFINITE | successes:
            refused = said.refused(self._rejection_codes)
            return refused if said.doubt is None else said.unclear(said.doubt)
        if failing is not None or answer.status not in successes:
            return said.unclear(NOT_DEFINITE)
        if self._is_other(said):
            return said.unclear(OTHER)
        kept = self._kept(answer.read_json())
        return said.unclear(LACKING) if kept is None else kept

    def read_found(
        self, find: FindTable, answer: Answer, payout: Payout
    ) -> Mapping[str, str | int] | Unclear | NotSent | None:
        """Return what is carried on from what is there; None where nothing is."""
        if not isinstance(answer, Response):
            return unanswered(answer)
        evidence: dict[str, object] = {"http_status": answer.status}
        if answer.status in find.absent:
            return None
        body = answer.read_json()
        if answer.status not in OK or body is None:
            return Unclear(because=NOT_DEFINITE, evidence=evidence)
        items = [body] if find.items_at is None else find.items_at.look(body)
        if not isinstance(items, list):
            return Unclear(because=UNREADABLE, evidence=evidence)
        ours = [
            each for each in items if self._is_ours(find.reference_at, each, payout)
        ]
        if not ours:
            unclear = Unclear(because=NONE_OURS, evidence=evidence)
            return unclear if items else None
        kept = [self._kept(each) for each in ours]
        if kept[0] is None or any(each != kept[0] for each in kept):
            because = LACKING if None in kept else SEVERAL
            return Unclear(because=because, evidence=evidence)
        return kept[0]

    def _is_ours(self, place: Place | None, item: object, payout: Payout) -> bool:
        if place is None:
            return True
        return reference_of(place.look(item), self._form) == payout.reference

    def _is_other(self, said: ParsedAnswer) -> bool:
        """True for another reference; for other money where this call says it."""
        if said.body.get("reference") not in {None, said.payout.reference}:
            return True
        return self.table.answers.amount_at is not None and said.other() is not None

    def _kept(self, body: object) -> dict[str, str | int] | None:
        found = {name: place.look(body) for name, place in self.table.keep.items()}
        kept = {n: v for n, v in found.items() if isinstance(v, str | int)}
        whole = len(kept) == len(found) and all(map(_is_carried, kept.values()))
        return kept if whole else None


class SeveralCalls:
    """Makes the calls that come before a create, and then has it paid."""

    def __init__(
        self, table: ProviderTable, create: CreateTable, base_url: str, sent: Sending
    ) -> None:
        self._seconds = table.timeout.total_seconds()
        self._calls = [_Before(table, call, base_url) for call in create.before]
        self._sent = sent
        # What another run of the same calls would carry into the payment as well.
        self._exact = all(call.keyed for call in create.carried())

    async def create(self, payout: Payout, pay: Paying) -> CreateAnswer:
        """Make all calls, in order; the last one pays, with what was carried on."""
        run = _Run(payout, time.monotonic() + self._seconds)
        for call in self._calls:
            if (stopped := await self._made(call, run)) is not None:
                return stopped
        if run.left <= 0:
            return _stopped(NotSent(because=OUT_OF_TIME), run)
        return self._paid(await pay(payout, run.values, run.left), run)

    def _paid(self, answer: CreateAnswer, run: _Run) -> CreateAnswer:
        """Return what the call that pays was answered with, as the whole create's."""
        if isinstance(answer, NotSent) or (isinstance(answer, Declined) and run.moved):
            return _stopped(answer, run)
        evidence = {**answer.evidence, **run.evidence}
        if isinstance(answer, Declined):
            # Other values were refused, it may be, than those a request before had.
            alone = not self._exact
            return replace(answer, of_this_request=alone, evidence=evidence)
        reference = answer.reference or run.reference
        return replace(answer, reference=reference, evidence=evidence)

    async def _made(self, before: _Before, run: _Run) -> Stopped | None:
        """Make one call unless it is found made; return why it goes no further."""
        kept = await self._found(before, run)
        if kept is None:
            kept = await self._asked(before, run)
        if isinstance(kept, NotSent | Declined | Unclear):
            return _stopped(_of_call(kept, before.table.name), run)
        run.kept.update(kept)
        return None

    async def _found(
        self, before: _Before, run: _Run
    ) -> Mapping[str, str | int] | Stopped | None:
        find = before.table.find
        if find is None or before.find is None:
            return None
        answer = await self._send(before.find, run)
        return heeding(before.read_found(find, answer, run.payout), answer)

    async def _asked(
        self, before: _Before, run: _Run
    ) -> Mapping[str, str | int] | Stopped:
        answer = await self._send(before.call, run)
        said = heeding(before.read(answer, run.payout), answer)
        if not isinstance(said, NotSent | Declined):
            run.moved = run.moved or before.table.effect
        return said

    async def _send(self, call: CallTemplate, run: _Run) -> Answer:
        if run.left <= 0:
            return outbound.RequestNotSent(OUT_OF_TIME, ours=True)
        return await self._sent(call, run.payout, run.values, run.left)


def _is_carried(value: str | int) -> bool:
    """True for an id: a whole number, or a line of text that is not too long."""
    if isinstance(value, str):
        return value.isprintable() and 0 < len(value) <= KEPT_LENGTH_MAX
    return not isinstance(value, bool)


def _of_call(stopped: Stopped, name: str) -> Stopped:
    """Return it with the name of the call that it is about."""
    if isinstance(stopped, NotSent):
        return replace(stopped, because=f"{name}: {stopped.because}")
    evidence = {**stopped.evidence, "call": name}
    if isinstance(stopped, Declined):
        return replace(stopped, evidence=evidence)
    return replace(stopped, because=f"{name}: {stopped.because}", evidence=evidence)


def _stopped(answer: Stopped, run: _Run) -> Stopped:
    """Return what follows where the call that pays was not made, or did nothing.

    Before money may have moved nothing was paid by this request, be it lost or not.
    """
    if run.moved:
        return _doubtful(answer, run)
    if isinstance(answer, Declined):
        return replace(answer, of_this_request=True)
    if isinstance(answer, Unclear):
        return NotSent(because=answer.because, after=answer.after)
    return answer


def _doubtful(answer: Stopped, run: _Run) -> Unclear:
    """Return that nothing follows: a call before has moved money, or may have."""
    if isinstance(answer, Unclear):
        return replace(answer, reference=run.reference)
    if isinstance(answer, NotSent):
        return Unclear(
            because=answer.because,
            after=answer.after,
            reference=run.reference,
            evidence=run.evidence,
        )
    return Unclear(
        because=f"refused after money had moved: {answer.code}",
        reference=run.reference,
        evidence={**answer.evidence, **run.evidence},
    )
