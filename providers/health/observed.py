"""Providers and partners whose calls are observed: timed, counted, heard by a keeper.

One wrapper: what a call came to is measured, what it says about its party's health goes
to the keeper, and whoever asks to be left alone (``Retry-After``) is.
"""

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

from handlers.ports.partners import PartnerNotSent, PartnerUnclear
from handlers.ports.services import ServiceNotSent, ServiceUnclear
from providers.health.admission import AdmissionControl
from providers.health.window import CreateOutcome
from providers.port import (
    Accepted,
    CancelAnswer,
    CreateAnswer,
    Declined,
    NotSent,
    Payout,
    Provider,
    Providers,
    StatusAnswer,
    Succeeded,
    Unclear,
)
from providers.wrapped import WrappedProvider, WrappedProviders

Answer = TypeVar("Answer")
Call = TypeVar("Call")
CallNote = Callable[[str, str, str, float], None]
"""(provider, operation, outcome, seconds): what a call came to."""

ASKS_FOR_SILENCE: Final = (
    NotSent,
    Unclear,
    PartnerNotSent,
    PartnerUnclear,
    ServiceNotSent,
    ServiceUnclear,
)
_OF: Final = re.compile("Partner|Service")
FAILED: Final = "error"
"""The outcome of a call that has raised, or was cancelled."""
CLIENT_ERRORS: Final = frozenset(range(400, 500)) - {408, 425, 429}


def nobody_notes(provider: str, operation: str, outcome: str, seconds: float) -> None:
    """Measure nothing."""
    del provider, operation, outcome, seconds


def heard_in(answer: CreateAnswer) -> CreateOutcome | None:
    """Return what an answer to a create says about the provider, None for nothing."""
    match answer:
        case Succeeded() | Accepted():
            return CreateOutcome.TAKEN
        case Declined():
            return CreateOutcome.REFUSED
        case NotSent(ours=ours):
            return None if ours else CreateOutcome.FAILED
        case Unclear(evidence=evidence):
            # It looked at the request and did not like it: that is no outage.
            answered = evidence.get("http_status") in CLIENT_ERRORS
            return CreateOutcome.REFUSED if answered else CreateOutcome.FAILED


class Observing:
    """What observes the calls of one party, by its name."""

    def __init__(
        self, name: str, admission_control: AdmissionControl, note: CallNote
    ) -> None:
        self._of = name
        self._admission_control = admission_control
        self._note = note

    async def tracked(
        self,
        operation: str,
        call: Callable[[Call], Awaitable[Answer]],
        what: Call,
        heard_of: Callable[[Answer], CreateOutcome | None],
    ) -> Answer:
        """Make a call that says how its party does; it may turn out to hang."""
        tracking, heard = self._admission_control.began(self._of), None
        try:
            answer = await self._timed(operation, call, what)
            heard = heard_of(answer)
        except Exception:
            heard = CreateOutcome.FAILED
            raise
        finally:
            self._admission_control.ended(self._of, tracking, heard)
        return self._heeded(answer)

    async def timed(
        self, operation: str, call: Callable[[Call], Awaitable[Answer]], what: Call
    ) -> Answer:
        """Make a call that is only measured."""
        return self._heeded(await self._timed(operation, call, what))

    async def _timed(
        self, operation: str, call: Callable[[Call], Awaitable[Answer]], what: Call
    ) -> Answer:
        began, outcome = time.perf_counter(), FAILED
        try:
            answer = await call(what)
            outcome = _OF.sub("", type(answer).__name__).lower()
        finally:
            self._note(self._of, operation, outcome, time.perf_counter() - began)
        return answer

    def _heeded(self, answer: Answer) -> Answer:
        """Leave the party alone where it has asked for it, for a bounded time."""
        if not isinstance(answer, ASKS_FOR_SILENCE) or not answer.after:
            return answer
        granted = self._admission_control.back_off(self._of, answer.after)
        return replace(answer, after=granted)


class ObservedProvider(WrappedProvider):
    """A provider, with its keeper listening and its calls measured."""

    def __init__(
        self,
        provider: Provider,
        admission_control: AdmissionControl,
        note: CallNote = nobody_notes,
    ) -> None:
        super().__init__(provider)
        self._observing = Observing(provider.name, admission_control, note)

    async def create(self, payout: Payout) -> CreateAnswer:
        """Ask for the payout; while it is under way it may turn out to hang."""
        create = self._provider.create
        return await self._observing.tracked("create", create, payout, heard_in)

    async def status(self, payout: Payout) -> StatusAnswer:
        """Ask what became of it."""
        return await self._observing.timed("status", self._provider.status, payout)

    async def cancel(self, payout: Payout) -> CancelAnswer:
        """Ask not to pay it."""
        return await self._observing.timed("cancel", self._provider.cancel, payout)


class ObservedProviders(WrappedProviders):
    """All providers, each observed."""

    def __init__(
        self,
        providers: Providers,
        admission_control: AdmissionControl,
        note: CallNote = nobody_notes,
    ) -> None:
        super().__init__(
            providers,
            admission_control.names(),
            lambda p: ObservedProvider(p, admission_control, note),
        )
