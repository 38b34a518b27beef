"""What a scenario plays on: the real adapter, and the counterpart it talks to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol, TypeVar

from fsm.domain.money import Money
from providers.http.outbound import Outbound
from providers.port import (
    CancelAnswer,
    CreateAnswer,
    NotSent,
    Payout,
    Provider,
    StatusAnswer,
)
from providers.statements import StatementPage
from providers.testing.conformance.fake_server import Counterpart, Manner
from providers.testing.conformance.made_up_secrets import Rehearsal
from providers.testing.conformance.token_desk import TokenDesk
from providers.testing.conformance.vocabulary import (
    DESTINATION,
    Asked,
    Call,
    Deal,
    Double,
    Payee,
    ReceivedRequest,
    Reply,
    Saying,
    Unreadable,
)

Answer = CreateAnswer | StatusAnswer | CancelAnswer
AnyAnswer = TypeVar("AnyAnswer")
ReadT = TypeVar("ReadT")

REFERENCE: Final = "018f3c2a-9b4d-7c1e-8a56-0f1e2d3c4b5a"
OTHER_REFERENCE: Final = "018f3c2a-9b4d-7c1e-8a56-0f1e2d3c4b5b"
NOW: Final = datetime(2026, 1, 31, 23, 59, 30, tzinfo=UTC)
MARGIN_SECONDS: Final = 2.0
PUBLIC_URL: Final = "https://conformance.example"
TRIES: Final = 3
TWICE: Final = 2
SHOWN_MAX: Final = 300


class Statement(Protocol):
    """A provider's own list of payouts, page by page."""

    def pages(self, since: datetime, until: datetime) -> AsyncIterator[StatementPage]:
        """Yield page after page.

        :raises NoStatement: one did not come, or cannot be read.
        """
        ...


class NotHere(Exception):
    """The scenario has no meaning for this provider; the message says why."""


def a_deal(reference: str = REFERENCE, money: Money | None = None) -> Deal:
    """Return the same payout, as the provider knows it."""
    return Deal(reference=reference, money=money or Money(12550, "EUR"))


class Rehearsed(Protocol):
    """What was made up for a scenario."""

    @property
    def canaries(self) -> tuple[str, ...]:
        """The secrets that must not show."""
        ...


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a scenario has found, without the secrets that were made up for it."""

    rehearsal: Rehearsed
    cases: int = 0
    wrong: list[str] = field(default_factory=list)

    def blame(self, problem: str) -> None:
        """Note what is wrong, without the secrets that may be in it."""
        for canary in self.rehearsal.canaries:
            problem = problem.replace(canary, "***")
        line = " ".join(problem.split())
        self.wrong.append(line if len(line) <= SHOWN_MAX else f"{line[:SHOWN_MAX]} …")

    def must(self, holds: object, otherwise: str) -> None:
        """Note what is wrong where something does not hold."""
        self.cases += 1
        if not holds:
            self.blame(otherwise)

    def be(self, answer: object, kinds: Iterable[type], case: str) -> None:
        """Note an answer that is of no such kind."""
        known = tuple(kinds)
        wanted = " or ".join(kind.__name__ for kind in known)
        self.must(isinstance(answer, known), f"{case}: {answer!r}, must be {wanted}")

    def hide(self, text: str, where: str) -> None:
        """Note a secret that shows."""
        for canary in self.rehearsal.canaries:
            self.must(canary not in text, f"{where}: it shows a secret")

    def legible(
        self,
        heard: ReceivedRequest | None,
        read: Callable[[ReceivedRequest], ReadT],
        case: str,
    ) -> ReadT | None:
        """Return what a request asked for; note that there is none, or none to read."""
        if heard is None:
            self.must(False, f"{case}: nothing was sent")  # noqa: FBT003
            return None
        try:
            return read(heard)
        except Unreadable as problem:
            self.must(False, f"{case}: the provider cannot read it: {problem}")  # noqa: FBT003
            return None

    async def answered(
        self, asking: Awaitable[AnyAnswer], seconds: float, case: str
    ) -> AnyAnswer | None:
        """Wait for an answer beyond its time limit; None where there is none."""
        try:
            async with asyncio.timeout(seconds + MARGIN_SECONDS):
                return await asking
        except TimeoutError:
            self.must(False, f"{case}: it goes on long after its time limit")  # noqa: FBT003
        except Exception as error:  # noqa: BLE001 - whatever an adapter may raise
            self.must(False, f"{case}: it raised {type(error).__name__}: {error}")  # noqa: FBT003
            self.hide(str(error), case)
        return None


@dataclass(slots=True, kw_only=True)
class Stage(Findings):
    """One scenario's provider, counterpart and findings."""

    rehearsal: Rehearsal
    provider: Provider
    double: Double
    counterpart: Counterpart
    outbound: Outbound
    statement: Statement | None = None
    desk: TokenDesk | None = None
    deal: Deal = field(default_factory=a_deal)

    def can(self, call: Call) -> bool:
        """Tell whether this provider can be asked so at all."""
        if call is Call.STATUS and not self.rehearsal.table.status:
            return False
        yes = Saying.CANCELLED if call is Call.CANCEL else Saying.SUCCEEDED
        return bool(self.double.replies(call, yes, self.deal))

    @property
    def destination(self) -> Mapping[str, str]:
        """Return where the money goes, in this provider's form."""
        if isinstance(self.double, Payee):
            return self.double.destination
        return DESTINATION

    def payout(
        self, call: Call, reference: str = REFERENCE, money: Money | None = None
    ) -> Payout:
        """Return a payout to ask for, or about; then its provider's id is known."""
        return Payout(
            reference=reference,
            money=money or self.deal.money,
            destination=self.destination,
            terminal_id="t-1",
            provider_reference=None
            if call is Call.CREATE
            else self.deal.provider_reference,
        )

    async def ask(
        self, call: Call, manner: Manner, case: str, payout: Payout | None = None
    ) -> Answer | None:
        """Ask the adapter once; None where it failed to answer at all.

        What never reached the counterpart says nothing about it, and is asked again.
        """
        for _ in range(TRIES):
            self.counterpart.receive_by(manner)
            answer = await self._answer(call, payout or self.payout(call), case)
            if not isinstance(answer, NotSent) or self.counterpart.touched:
                break
        self.hide(repr(answer), case)
        times = len(self.counterpart.heard)
        once = times <= 1 or self._renewed(call)
        self.must(once, f"{case}: it asked {times} times, not once")
        return answer

    def _renewed(self, call: Call) -> bool:
        """True for a question asked twice, the second time with a new token."""
        tokens = {each.headers.get("authorization") for each in self.counterpart.heard}
        twice = len(self.counterpart.heard) == len(tokens) == TWICE
        return self.desk is not None and call is not Call.CREATE and twice

    def carried(self) -> str | None:
        """Return by what the last request has said who asks."""
        heard = self.counterpart.heard
        return heard[-1].headers.get("authorization") if heard else None

    async def expect(
        self,
        call: Call,
        manner: Manner,
        kinds: Iterable[type],
        case: str,
        payout: Payout | None = None,
    ) -> Answer | None:
        """Ask, and note an answer that is of no such kind."""
        answer = await self.ask(call, manner, case, payout)
        if answer is not None:
            self.be(answer, kinds, case)
        return answer

    async def _answer(self, call: Call, payout: Payout, case: str) -> Answer | None:
        asking: Callable[[Payout], Awaitable[Answer]] = getattr(self.provider, call)
        seconds = self.provider.timeout.total_seconds()
        return await self.answered(asking(payout), seconds, case)

    def heard(self, case: str) -> Asked | None:
        """Return what the one request asked for, as the provider reads it."""
        heard = self.counterpart.heard
        return self.legible(heard[-1] if heard else None, self.double.read, case)

    def replies(
        self, call: Call, saying: Saying, deal: Deal | None = None
    ) -> Mapping[str, Reply]:
        """Return how this provider says so.

        :raises NotHere: it never does.
        """
        found = self.double.replies(call, saying, deal or a_deal())
        if not found:
            raise NotHere(f"this provider never says to a {call}: {saying}")
        return found

    def some_reply(self, call: Call, *sayings: Saying) -> Reply:
        """Return one answer with a body that says one of these.

        :raises NotHere: there is none.
        """
        for saying in sayings:
            for reply in self.double.replies(call, saying, a_deal()).values():
                if reply.body:
                    return reply
        raise NotHere(f"this provider never answers a {call}")
