"""What a scenario of a partner plays on: the real adapter, and who it talks to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from fsm.domain.ids import new_id
from handlers.ports.partners import (
    Partner,
    PartnerCall,
    PartnerNotSent,
)
from providers.config.partners import PartnerTable
from providers.http.outbound import Outbound
from providers.testing.conformance.fake_server import Counterpart, Manner
from providers.testing.conformance.harness import TRIES, Findings, NotHere
from providers.testing.conformance.partners.words import (
    Enquiry,
    PartnerDouble,
    PartnerSaying,
    Question,
)
from providers.testing.conformance.vocabulary import Reply

TOKEN: Final = "tok_conformance_8f2a"  # noqa: S105 - nobody's card


def an_enquiry(n: int = 1, *, token: str = TOKEN) -> Enquiry:
    """Return a card that nobody has asked about before."""
    task_id = new_id(datetime.now(UTC))
    return Enquiry(
        key=f"{task_id}:{n}",
        task_id=task_id,
        order_id="l-conformance",
        customer_id="c-conformance",
        card_token=token,
    )


def call_of(enquiry: Enquiry) -> PartnerCall:
    """Return the call by which a flow asks about it."""
    return PartnerCall(
        task_id=enquiry.task_id,
        key=enquiry.key,
        n=int(enquiry.key.rpartition(":")[2]),
        order={
            "task_id": enquiry.task_id,
            "order_id": enquiry.order_id,
            "merchant_id": "m-conformance",
            "customer_id": enquiry.customer_id,
            "partner": "conformance",
            "card": {"token": enquiry.card_token, "bin": "451012", "country": "CA"},
            "metadata": {},
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerRehearsal:
    """A partner's table that is ready for the check, and the secrets made up for it."""

    table: PartnerTable
    canaries: tuple[str, ...] = field(repr=False)


@dataclass(slots=True, kw_only=True)
class PartnerStage(Findings):
    """One scenario's partner, counterpart and findings."""

    table: PartnerTable
    partner: Partner
    double: PartnerDouble
    counterpart: Counterpart
    outbound: Outbound
    rebuilt: Callable[[PartnerTable], Partner]
    enquiry: Enquiry = field(default_factory=an_enquiry)

    def questions(self) -> list[Question]:
        """Return what this partner is asked over HTTP, and told."""
        asked = [Question.FIRST]
        if self.table.file is None:
            asked.append(Question.AGAIN)
        if self.double.replies(Question.REVOKED, PartnerSaying.DONE, self.enquiry):
            asked.append(Question.REVOKED)
        return asked

    async def ask(
        self,
        question: Question,
        manner: Manner,
        case: str,
        enquiry: Enquiry | None = None,
    ) -> object | None:
        """Ask the adapter once; None where it failed to answer at all.

        What never reached the counterpart says nothing about it, and is asked again.
        """
        call = call_of(enquiry or self.enquiry)
        answer: object | None = None
        for _ in range(TRIES):
            self.counterpart.receive_by(manner)
            seconds = self.table.timeout.total_seconds()
            answer = await self.answered(self._asked(question, call), seconds, case)
            if not isinstance(answer, PartnerNotSent) or self.counterpart.touched:
                break
        self.hide(repr(answer), case)
        self.must(TOKEN not in repr(answer), f"{case}: it shows the card's token")
        times = len(self.counterpart.heard)
        self.must(times <= 1, f"{case}: it asked {times} times, not once")
        return answer

    async def expect(
        self,
        question: Question,
        manner: Manner,
        kinds: Iterable[type],
        case: str,
    ) -> object | None:
        """Ask, and note an answer that is of no such kind."""
        answer = await self.ask(question, manner, case)
        if answer is not None:
            self.be(answer, kinds, case)
        return answer

    async def _asked(self, question: Question, call: PartnerCall) -> object:
        match question:
            case Question.FIRST:
                return await self.partner.check_eligibility(call)
            case Question.AGAIN:
                return await self.partner.check_again(call)
            case Question.REVOKED:
                return await self.partner.notify_revoked(call)

    def heard(self, case: str) -> Mapping[str, str]:
        """Return what the one request said, as the partner reads it."""
        heard = self.counterpart.heard
        last = heard[-1] if heard else None
        return self.legible(last, self.double.heard, case) or {}

    def replies(self, question: Question, saying: PartnerSaying) -> Mapping[str, Reply]:
        """Return how this partner says so.

        :raises NotHere: it never does.
        """
        found = self.double.replies(question, saying, self.enquiry)
        if not found:
            raise NotHere(f"this partner never says to a {question}: {saying}")
        return found
