"""Payout providers over HTTP: the `rest` wire form, played by scripts."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson
from aiohttp import web

from providers.testing.simulator.answers import (
    first_answer,
    notice_of,
    spoiled,
    status_of,
)
from providers.testing.simulator.book import (
    Book,
    BookedPayout,
    PayoutEntry,
    PayoutEntryKind,
)
from providers.testing.simulator.charge_book import ChargeBook
from providers.testing.simulator.charges import SimulatedCharges
from providers.testing.simulator.faults import Faults
from providers.testing.simulator.library import Scripts
from providers.testing.simulator.partner_book import PartnerBook
from providers.testing.simulator.partners import SimulatedPartner, SimulatedPartners
from providers.testing.simulator.received import (
    create_from,
    rule_in,
    rule_of,
    same_create,
    show_book,
)
from providers.testing.simulator.script import (
    Behaviour,
    Cancel,
    Mishap,
    PayoutState,
    ReceivedCreate,
    Repeat,
    Script,
    ScriptStep,
    UnknownScriptError,
    succeed,
)
from providers.testing.simulator.scripted import Playing
from providers.testing.simulator.service_book import ServiceBook
from providers.testing.simulator.services import SimulatedService, SimulatedServices
from providers.testing.simulator.webhooks import (
    FORGED_KEY,
    Patience,
    Sender,
    Webhook,
    key_of,
)
from providers.testing.simulator.wire import (
    BadCallError,
    Endpoint,
    Json,
    body_of,
    page_of,
    reply,
)

RULES_MAX: Final = 100_000
TIMERS_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedProvider:
    """One of the providers that a simulator plays, found under `/{name}`."""

    name: str
    behaviour: Behaviour = succeed
    secrets: tuple[str, ...] = ()  # webhooks are signed with each of them
    callback_url: str = ""  # for creates that bring none
    statement: bool = True


class Simulator:
    """Plays the providers, each by a script for each order, and keeps the book.

    The first there is of these decides: a script set for the order's reference, its
    destination or its provider (`set_script`), its destination token (`tok_sim:…`),
    the behaviour of the provider.
    """

    def __init__(  # noqa: PLR0913 - one option each, all by name
        self,
        providers: Iterable[SimulatedProvider],
        *,
        book: Book | None = None,
        scripts: Scripts | None = None,
        faults: Faults | None = None,
        now: Callable[[], float] = time.time,
        scale: float = 1.0,
        patience: Patience | None = None,
        services: Iterable[SimulatedService] = (),
        service_book: ServiceBook | None = None,
        charge_book: ChargeBook | None = None,
        partners: Iterable[SimulatedPartner] = (),
        partner_book: PartnerBook | None = None,
    ) -> None:
        self.book = book or Book()
        self.faults = faults or Faults()
        self._providers = {provider.name: provider for provider in providers}
        self._keys = {
            provider.name: tuple(map(key_of, provider.secrets))
            for provider in self._providers.values()
        }
        self._scripts = scripts or Scripts()
        self._now = now
        self._scale = scale
        self._sender = Sender(now=now, patience=patience or Patience(), scale=scale)
        self._rules: dict[tuple[str, str], Script] = {}
        self._asked: dict[str, int] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._endpoint = Endpoint(self._handle)
        playing = Playing(self.faults, self._script_for, now, scale)
        booked = service_book or ServiceBook()
        self.services = SimulatedServices(services, booked, playing)
        known = partner_book or PartnerBook()
        self.partners = SimulatedPartners(partners, known, playing)
        charged = charge_book or ChargeBook()
        self.charges = SimulatedCharges(self._providers, charged, playing)

    # Its life.

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> Self:
        """Listen, and go on with what the book says was under way."""
        await self._sender.start()
        await self._endpoint.start(host, port)
        for payout in list(self.book.payouts.values()):
            self._arm(payout)
        return self

    async def stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        await self._endpoint.stop()
        await self._sender.stop()
        self.book.close()
        self.services.book.close()
        self.charges.book.close()
        self.partners.book.close()

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    @property
    def url(self) -> str:
        return self._endpoint.url

    def base_url(self, provider: str) -> str:
        return f"{self.url}/{provider}"

    def set_script(
        self,
        script: Script | str | Mapping[str, Any] | None,
        *,
        provider: str = "",
        reference: str = "",
        destination: str = "",
    ) -> None:
        """Decide what happens to the orders of one of these; None takes it back."""
        rule = rule_of(provider=provider, reference=reference, destination=destination)
        if script is None:
            self._rules.pop(rule, None)
            return
        if len(self._rules) >= RULES_MAX:
            msg = f"more than {RULES_MAX} scripts are set"
            raise BadCallError(msg)
        known = script if isinstance(script, Script) else self._scripts.read(script)
        self._rules[rule] = known

    # The wire.

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.strip("/").split("/")
        match request.method, path:
            case "POST", [name, "payouts"]:
                return await self._create(request, self._provider(name))
            case "GET", [name, "payouts", reference]:
                return await self._status(request, self._provider(name), reference)
            case "POST", [name, "payouts", reference, "cancel"]:
                return await self._cancel(request, self._provider(name), reference)
            case "GET", [name, "payouts"]:
                return await self._statement(request, self._provider(name))
            case _, [name, *rest] if name in self.partners:
                return await self.partners.handle(request, name, rest)
            case _, [name, "charges", *rest]:
                return await self.charges.handle(request, name, rest)
            case _, [name, "v1", *rest]:
                return await self.services.handle(request, name, rest)
            case _:
                return await self._admin(request, path)

    async def _admin(
        self, request: web.BaseRequest, path: list[str]
    ) -> web.StreamResponse:
        match request.method, path:
            case "POST", ["_script"]:
                return self._set_script(await body_of(request))
            case "POST", ["_faults"]:
                return reply(self.faults.configure(await body_of(request)))
            case "GET", ["_faults"]:
                return reply(self.faults.show())
            case "GET", ["_check"]:
                broken = self.book.broken_words()
                books = (self.book, self.services.book, self.charges.book)
                wrong = [problem for book in books for problem in book.check()]
                return reply({"wrong": wrong, "broken_words": broken})
            case "GET", ["_book"]:
                return show_book(request, self.book.entries)
            case "GET", ["_services"]:
                return reply({"steps": self.services.standing()})
            case "GET", ["_service_book"]:
                return show_book(request, self.services.book.entries)
            case "GET", ["_partners"]:
                return reply({"links": self.partners.standing()})
            case "GET", ["_partner_book"]:
                return show_book(request, self.partners.book.entries)
            case "GET", ["_charges"]:
                return reply({"charges": self.charges.standing()})
            case "GET", ["_charge_book"]:
                return show_book(request, self.charges.book.entries)
            case _:
                raise BadCallError("there is nothing here", status=404, code="no_route")

    def _set_script(self, body: Json) -> web.Response:
        try:
            self.set_script(body.get("script"), **rule_in(body))
        except (UnknownScriptError, AttributeError, TypeError) as error:
            msg = f"not a script: {error}"
            raise BadCallError(msg) from error
        return reply({"set": True})

    def _provider(self, name: str) -> SimulatedProvider:
        try:
            return self._providers[name]
        except KeyError:
            msg = f"no provider {name}"
            raise BadCallError(msg, status=404, code="no_provider") from None

    async def _under_faults(
        self,
        request: web.BaseRequest,
        operation: str,
        order: Mapping[str, str],
        act: Callable[[], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        self._received(operation, order)
        name = f"{order['provider']}.{operation}"
        return await self.faults.around(request, name, order, act=act)

    def _received(self, operation: str, order: Mapping[str, str]) -> None:
        self.book.record(
            PayoutEntry(
                at=self._now(),
                kind=PayoutEntryKind.REQUEST,
                provider=order["provider"],
                reference=order.get("reference", ""),
                what=operation,
                key=order.get("key", ""),
            )
        )

    # Create.

    async def _create(
        self, request: web.BaseRequest, provider: SimulatedProvider
    ) -> web.StreamResponse:
        order = create_from(request, provider.name, await body_of(request))
        call = {
            "provider": order.provider,
            "reference": order.reference,
            "destination": order.destination,
            "key": order.key,
        }
        return await self._under_faults(
            request, "create", call, lambda: self._create_as_scripted(request, order)
        )

    async def _create_as_scripted(
        self, request: web.BaseRequest, order: ReceivedCreate
    ) -> web.StreamResponse:
        earlier = self._remembered(order)
        if earlier is not None and not same_create(earlier.order, order):
            return reply({"code": "key_reused", "message": "other content"}, status=409)
        script = earlier.script if earlier else self._script_for(order)
        tries = self.book.creates(order.provider, order.reference)
        mishap = script.mishap if tries <= script.mishap_times else None
        payout = earlier
        if earlier is None and (mishap is None or script.mishap_takes):
            payout = await self._take(order, script)
        await asyncio.sleep(self._seconds(script, script.answer_after))
        if mishap is not None:
            answer = first_answer(payout) if payout else reply({})
            return await self._spoiled(request, mishap, script, answer)
        if payout is None or (earlier and script.repeat is Repeat.CONFLICT):
            return reply({"code": "duplicate_reference"}, status=409)
        return first_answer(payout)

    def _script_for(self, order: ReceivedCreate) -> Script:
        for rule in (
            ("reference", order.reference),
            ("destination", order.destination),
            ("provider", order.provider),
        ):
            if rule in self._rules:
                return self._rules[rule]
        try:
            told = self._scripts.of_token(order.destination, order.provider)
        except UnknownScriptError as error:
            raise BadCallError(str(error), code="unknown_script") from error
        if told is not None:
            return told
        if order.provider in self._providers:
            return self._providers[order.provider].behaviour(order)
        if order.provider in self.partners:
            return self.partners.behaviour(order.provider)(order)
        return self.services.behaviour(order.provider)(order)

    def _remembered(self, order: ReceivedCreate) -> BookedPayout | None:
        """Return the payout that this key stands for, unless that is forgotten."""
        payout = self.book.latest(order.provider, order.reference)
        if payout is None or payout.order.key != order.key:
            return None
        memory = self._seconds(payout.script, payout.script.remembers_for)
        if self._now() - payout.taken_at > memory:
            return None
        if payout.state is PayoutState.DECLINED and not payout.script.stores_declines:
            return None
        return payout

    async def _take(self, order: ReceivedCreate, script: Script) -> BookedPayout:
        if len(self._timers) >= TIMERS_MAX:
            raise BadCallError("too many under way", status=503, code="busy")
        payout = self.book.take(order, script, at=self._now())
        early = sum(step.before_answer for step in script.steps)
        tried: list[asyncio.Event] = []
        for position in range(early):
            tried = self._play(payout, position, tried)
        self._arm(payout, early, tried)
        for first_try in tried:
            await first_try.wait()
        return payout

    # What happens afterwards.

    def _arm(
        self,
        payout: BookedPayout,
        position: int = 0,
        tried: Sequence[asyncio.Event] = (),
    ) -> None:
        """Set the timer of this step, which sets the next one's, also after a restart.

        One after the other, so that steps which are overdue keep their order; so do
        their webhooks, `tried` being those before.
        """
        script = payout.script
        if position == len(script.steps):
            return

        def wake() -> None:
            self._timers.discard(timer)
            played = self._play(payout, position, tried)
            self._arm(payout, position + 1, played)

        age = self._now() - payout.taken_at
        due_in = self._seconds(script, script.steps[position].after) - age
        timer = asyncio.get_running_loop().call_later(max(0.0, due_in), wake)
        self._timers.add(timer)

    def _play(
        self, payout: BookedPayout, position: int, tried: Sequence[asyncio.Event]
    ) -> list[asyncio.Event]:
        """Do what the step says; the events tell that all webhooks have been tried."""
        step = payout.script.steps[position]
        webhook_id = f"evt_{payout.payout_id}_{position}"
        if not self._moved(payout, step.becomes):
            return [*tried]
        if not step.notice or webhook_id in payout.delivered:
            return [*tried]
        return [*tried, *self._notify(payout, webhook_id, step, tried)]

    def _moved(self, payout: BookedPayout, to: PayoutState | None) -> bool:
        if to is None or to is payout.state:
            return True
        return self.book.move(payout, to, at=self._now())

    def _notify(
        self,
        payout: BookedPayout,
        webhook_id: str,
        step: ScriptStep,
        after: Sequence[asyncio.Event],
    ) -> list[asyncio.Event]:
        provider = self._providers[payout.order.provider]
        url = payout.order.callback_url or provider.callback_url
        keys = (FORGED_KEY,) if step.forged else self._keys[provider.name]
        if not url or not keys:
            return []
        body = orjson.dumps(notice_of(payout, webhook_id, step.notice))
        webhook = Webhook(webhook_id=webhook_id, url=url, body=body, keys=keys)

        def report(status: int) -> None:
            self._delivered(payout, webhook_id, step.notice, status)

        return [self._sender.send(webhook, report, after) for _ in range(step.copies)]

    def _delivered(
        self, payout: BookedPayout, webhook_id: str, notice: str, status: int
    ) -> None:
        self.book.record(
            PayoutEntry(
                at=self._now(),
                kind=PayoutEntryKind.WEBHOOK,
                provider=payout.order.provider,
                reference=payout.order.reference,
                what=notice,
                payout=payout.payout_id,
                key=webhook_id,
                status=status,
            )
        )

    def _seconds(self, script: Script, seconds: float) -> float:
        return seconds * script.pace * self._scale

    async def _spoiled(
        self,
        request: web.BaseRequest,
        mishap: Mishap | None,
        script: Script,
        answer: web.Response,
    ) -> web.StreamResponse:
        if mishap is None:
            return answer
        pause = self._seconds(script, script.answer_after)
        return await spoiled(request, mishap, script, answer, drip_seconds=pause)

    # Status, cancel, statement.

    async def _status(
        self, request: web.BaseRequest, provider: SimulatedProvider, reference: str
    ) -> web.StreamResponse:
        async def act() -> web.StreamResponse:
            payout = self.book.latest(provider.name, reference)
            if payout is None or self._hidden(payout):
                raise BadCallError("no such payout", status=404, code="not_found")
            script = payout.script
            answer = reply(status_of(payout))
            return await self._spoiled(request, script.status_mishap, script, answer)

        call = {"provider": provider.name, "reference": reference}
        return await self._under_faults(request, "status", call, act)

    def _hidden(self, payout: BookedPayout) -> bool:
        script = payout.script
        hidden_until = payout.taken_at + self._seconds(script, script.hidden_for)
        if self._now() < hidden_until:
            return True
        if not script.hidden_asks:
            return False
        asked = self._asked.get(payout.payout_id, 0) + 1
        self._asked[payout.payout_id] = asked
        return asked <= script.hidden_asks

    async def _cancel(
        self, request: web.BaseRequest, provider: SimulatedProvider, reference: str
    ) -> web.StreamResponse:
        async def act() -> web.StreamResponse:
            payout = self.book.latest(provider.name, reference)
            if payout is None:
                raise BadCallError("no such payout", status=404, code="not_found")
            return await self._cancel_as_scripted(request, payout)

        call = {"provider": provider.name, "reference": reference}
        return await self._under_faults(request, "cancel", call, act)

    async def _cancel_as_scripted(
        self, request: web.BaseRequest, payout: BookedPayout
    ) -> web.StreamResponse:
        script = payout.script
        if script.cancel is Cancel.HANG:
            return await self._spoiled(request, Mishap.HANG, script, reply({}))
        if script.cancel is Cancel.OK and self._moved(payout, PayoutState.CANCELLED):
            return reply({"status": "cancelled"})
        return reply({"code": "too_late", "message": "too late"}, status=409)

    async def _statement(
        self, request: web.BaseRequest, provider: SimulatedProvider
    ) -> web.StreamResponse:
        async def act() -> web.StreamResponse:
            if not provider.statement:
                raise BadCallError("no statements", status=404, code="no_statement")
            payouts, cursor = page_of(
                request,
                self.book.statement_entries(provider.name),
                at=lambda entry: entry.at,
                show=self.book.line,
            )
            return reply({"payouts": payouts, "next_cursor": cursor})

        call = {"provider": provider.name}
        return await self._under_faults(request, "statement", call, act)
