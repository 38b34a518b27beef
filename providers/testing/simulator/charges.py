"""Charges of payment providers over HTTP (contract, section 5), played by scripts.

A script says of a charge what it says of a payout: `succeed` collects, `decline` is a
no, `accept…` is at work until it is one or the other. Its `cancel` says of a refund
whether it is made: `too_late` refuses it, `hang` makes it and does not say.
"""

from collections.abc import Awaitable, Callable, Container
from dataclasses import replace
from typing import Final

from aiohttp import web

from providers.testing.simulator.charge_answers import (
    charge_answer,
    charge_from,
    declined,
    question,
    status_of_charge,
    told_of,
)
from providers.testing.simulator.charge_book import (
    BookedCharge,
    ChargeBook,
    ChargeEntry,
    ChargeEntryKind,
    ReceivedCharge,
)
from providers.testing.simulator.script import (
    Cancel,
    Mishap,
    PayoutState,
    Repeat,
)
from providers.testing.simulator.scripted import Playing, ScriptedParty
from providers.testing.simulator.wire import (
    BadCallError,
    Json,
    amount_in,
    body_of,
    currency_in,
    reply,
)

NOT_FOUND: Final = 404


class SimulatedCharges(ScriptedParty):
    """Plays what the providers do as payment providers, and keeps their book."""

    def __init__(
        self, providers: Container[str], book: ChargeBook, playing: Playing
    ) -> None:
        super().__init__(playing)
        self.book = book
        self._providers = providers
        self._asked: dict[str, int] = {}

    def standing(self) -> list[Json]:
        """Return where every charge stands now, as the admin's calls show it."""
        return [self._ripe(charge).view() for charge in self.book.charges.values()]

    async def handle(
        self, request: web.BaseRequest, provider: str, path: list[str]
    ) -> web.StreamResponse:
        """Answer a call to `/{provider}/charges…`; `path` is what comes then."""
        if provider not in self._providers:
            raise BadCallError(
                f"no provider {provider}", status=NOT_FOUND, code="no_provider"
            )
        match request.method, path:
            case "POST", []:
                return await self._charge(request, provider)
            case "GET", [reference]:
                return await self._status(request, provider, reference)
            case "POST", [reference, "refund"]:
                return await self._refund(request, provider, reference)
            case _:
                raise BadCallError(
                    "there is nothing here", status=NOT_FOUND, code="no_route"
                )

    # Charge.

    async def _charge(
        self, request: web.BaseRequest, provider: str
    ) -> web.StreamResponse:
        asked = charge_from(request, provider, await body_of(request))

        async def act() -> web.StreamResponse:
            return await self._charge_as_scripted(request, asked)

        return await self._under_faults(request, "charge", asked, act)

    async def _charge_as_scripted(
        self, request: web.BaseRequest, asked: ReceivedCharge
    ) -> web.StreamResponse:
        earlier = self._remembered(asked)
        if earlier is not None and earlier.asked != asked:
            return reply({"code": "key_reused", "message": "other content"}, status=409)
        script = earlier.script if earlier else self._script_for(asked.as_create())
        tries = self.book.calls("charge", asked.provider, asked.reference)
        mishap = script.mishap if tries <= script.mishap_times else None
        charge = earlier
        if earlier is None and (mishap is None or script.mishap_takes):
            charge = self.book.take(asked, script, at=self._now())
        await self._thinks(script)
        answer = charge_answer(charge) if charge else reply({})
        if mishap is not None:
            return await self._spoiled(request, mishap, script, answer)
        if charge is None or (earlier and script.repeat is Repeat.CONFLICT):
            return reply({"code": "duplicate_reference"}, status=409)
        return answer

    def _remembered(self, asked: ReceivedCharge) -> BookedCharge | None:
        """Return the charge that this key stands for, unless that is forgotten."""
        known = self._known(asked.provider, asked.reference)
        if known is None or known.asked.key != asked.key:
            return None
        memory = self._seconds(known.script, known.script.remembers_for)
        return None if self._now() - known.taken_at > memory else known

    # Status.

    async def _status(
        self, request: web.BaseRequest, provider: str, reference: str
    ) -> web.StreamResponse:
        async def act() -> web.StreamResponse:
            known = self._known(provider, reference)
            if known is None or self._hidden(known):
                raise BadCallError("no such charge", status=NOT_FOUND, code="not_found")
            script = known.script
            answer = reply(status_of_charge(known))
            return await self._spoiled(request, script.status_mishap, script, answer)

        asked = question(provider, reference)
        return await self._under_faults(request, "charge_status", asked, act)

    def _hidden(self, charge: BookedCharge) -> bool:
        script = charge.script
        if self._now() < charge.taken_at + self._seconds(script, script.hidden_for):
            return True
        asked = self._asked[charge.charge_id] = self._asked.get(charge.charge_id, 0) + 1
        return asked <= script.hidden_asks

    # Refund.

    async def _refund(
        self, request: web.BaseRequest, provider: str, reference: str
    ) -> web.StreamResponse:
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            raise BadCallError("there is no Idempotency-Key", code="no_key")
        body = await body_of(request)

        async def act() -> web.StreamResponse:
            known = self._known(provider, reference)
            if known is None:
                raise BadCallError("no such charge", status=NOT_FOUND, code="not_found")
            return await self._refund_as_scripted(request, known, key, body)

        asked = replace(question(provider, reference), key=key)
        return await self._under_faults(request, "refund", asked, act)

    async def _refund_as_scripted(
        self, request: web.BaseRequest, charge: BookedCharge, key: str, body: Json
    ) -> web.StreamResponse:
        wanted = (amount_in(body), currency_in(body))
        if wanted != (charge.asked.amount, charge.asked.currency):
            return declined("other_amount", "only all of it is given back")
        if charge.state is not PayoutState.SUCCEEDED:
            return declined("not_charged", "there is nothing to give back")
        script = charge.script
        if script.cancel is Cancel.TOO_LATE:
            return declined("too_late", "it was disputed")
        if not charge.refunded_by:
            self.book.refund(charge, key, at=self._now())
        answer = reply(
            {"status": "refunded", **told_of(charge, f"re_{charge.charge_id}")}
        )
        first = self.book.calls("refund", charge.asked.provider, charge.asked.reference)
        hangs = script.cancel is Cancel.HANG and first == 1
        return await self._spoiled(
            request, Mishap.HANG if hangs else None, script, answer
        )

    # What all have in common.

    async def _under_faults(
        self,
        request: web.BaseRequest,
        operation: str,
        asked: ReceivedCharge,
        act: Callable[[], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        self.book.record(
            ChargeEntry(
                at=self._now(),
                kind=ChargeEntryKind.REQUEST,
                provider=asked.provider,
                reference=asked.reference,
                what=operation,
                key=asked.key,
            )
        )
        call = {
            "provider": asked.provider,
            "reference": asked.reference,
            "order_id": asked.order_id,
            "destination": asked.token,
            "key": asked.key,
        }
        name = f"{asked.provider}.{operation}"
        return await self._faults.around(request, name, call, act=act)

    def _known(self, provider: str, reference: str) -> BookedCharge | None:
        known = self.book.latest(provider, reference)
        return None if known is None else self._ripe(known)

    def _ripe(self, charge: BookedCharge) -> BookedCharge:
        """Let what is at work become what its script says that it is by now."""
        script = charge.script
        for each in script.steps:
            at = charge.taken_at + self._seconds(script, each.after)
            at_work = charge.state is PayoutState.ACCEPTED
            if at_work and each.becomes and at <= self._now():
                self.book.move(charge, each.becomes, at=at)
        return charge
