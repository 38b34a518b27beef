"""The services of a checkout over HTTP (contract, section 5), played by scripts.

A script says of a service what it says of a provider: `succeed` is done, `decline` is a
refusal, `accept…` pending until it is one or the other, a mishap spoils its answers.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

from providers.testing.simulator.script import (
    Behaviour,
    Cancel,
    Mishap,
    PayoutState,
    Script,
    succeed,
)
from providers.testing.simulator.scripted import Playing, ScriptedParty
from providers.testing.simulator.service_answers import (
    FIRST,
    refusal,
    status_of_step,
    step_answer,
    step_asked,
    step_from,
)
from providers.testing.simulator.service_book import (
    BookedStep,
    ReceivedStep,
    ServiceBook,
    StepEntry,
    StepEntryKind,
    StepState,
)
from providers.testing.simulator.wire import BadCallError, Json, body_of, reply, text_in


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedService:
    """One of the services that a simulator plays, found under `/{name}`.

    `result` is what a step comes to, beside an id; `content` what a load returns.
    """

    name: str
    behaviour: Behaviour = succeed
    result: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)
    asks: bool = True  # else it cannot be asked what became of a step


class SimulatedServices(ScriptedParty):
    """Plays the services, each by a script for each order, and keeps their book."""

    def __init__(
        self,
        services: Iterable[SimulatedService],
        book: ServiceBook,
        playing: Playing,
    ) -> None:
        super().__init__(playing)
        self.book = book
        self._services = {service.name: service for service in services}
        self._asked: dict[tuple[str, str], int] = {}

    def __contains__(self, name: str) -> bool:
        """Tell whether a service of this name is played."""
        return name in self._services

    def behaviour(self, name: str) -> Behaviour:
        """Return what a service does where nothing else says so."""
        return self._services[name].behaviour

    def standing(self) -> list[Json]:
        """Return where every step stands now, as the admin's calls show it."""
        return [self._ripe(step).view() for step in self.book.steps.values()]

    def did(self, task_id: str) -> bool:
        """Tell whether a step of this task is done now."""
        mine = [s for s in self.book.steps.values() if s.asked.task_id == task_id]
        return any(self._ripe(step).state is StepState.DONE for step in mine)

    async def handle(
        self, request: web.BaseRequest, name: str, path: list[str]
    ) -> web.StreamResponse:
        """Answer a call to `/{name}/v1/…`; `path` is what comes then."""
        service = self._services.get(name)
        if service is None:
            raise BadCallError(f"no service {name}", status=404, code="no_service")
        match request.method, path:
            case "POST", ["load", load]:
                return await self._load(request, service, load)
            case "POST", [step]:
                return await self._do(request, service, step)
            case "POST", [step, "reverse"]:
                return await self._undo(request, service, step)
            case "GET", [step, task_id] if service.asks:
                return await self._ask(request, service, step, task_id)
            case _:
                raise BadCallError("there is nothing here", status=404, code="no_route")

    # Do.

    async def _do(
        self, request: web.BaseRequest, service: SimulatedService, step: str
    ) -> web.StreamResponse:
        key, asked = await step_asked(request, service.name, step, "do")
        return await self._under_faults(
            request, "do", asked, key, lambda: self._do_as_scripted(request, asked, key)
        )

    async def _do_as_scripted(
        self, request: web.BaseRequest, asked: ReceivedStep, key: str
    ) -> web.StreamResponse:
        known = self._known(asked.step, asked.task_id)
        # Of what was undone before it was ever asked for nobody knows the content.
        if known and known.times_done and known.asked != asked:
            raise BadCallError("the key came with other content", code="key_reused")
        script = known.script if known else self._script(asked, key)
        tries = self.book.calls("do", asked.step, asked.task_id)
        mishap = script.mishap if tries <= script.mishap_times else None
        if known is None and (mishap is None or script.mishap_takes):
            known = self._take(
                asked, script, FIRST.get(script.state, StepState.REFUSED)
            )
        await self._thinks(script)
        answer = step_answer(known) if known else reply({})
        return await self._spoiled(request, mishap, script, answer)

    def _script(self, asked: ReceivedStep, key: str) -> Script:
        return self._script_of(
            asked.service,
            asked.task_id,
            key,
            asked.token,
            amount=asked.amount,
            currency=asked.currency,
        )

    def _take(
        self, asked: ReceivedStep, script: Script, state: StepState
    ) -> BookedStep:
        number = len(self.book.steps) + 1
        result = {
            "id": f"sim_{asked.step}_{number}",
            **self._services[asked.service].result,
        }
        self.book.record(
            StepEntry(
                at=self._now(),
                kind=StepEntryKind.TAKEN,
                step=asked.step,
                task_id=asked.task_id,
                what=state,
                asked=asked,
                script=script,
                result=result,
            )
        )
        return self.book.steps[asked.step, asked.task_id]

    # Undo.

    async def _undo(
        self, request: web.BaseRequest, service: SimulatedService, step: str
    ) -> web.StreamResponse:
        key, asked = await step_asked(request, service.name, step, "undo")

        async def act() -> web.StreamResponse:
            known = self._known(asked.step, asked.task_id)
            if known is None:
                script = Script(name="undone_before_it_was_done")
                self._take(asked, script, StepState.UNDONE)
            elif known.state is not StepState.UNDONE:
                script = known.script
                if script.cancel is Cancel.HANG:
                    return await self._spoiled(request, Mishap.HANG, script, reply({}))
                if script.cancel is Cancel.TOO_LATE and known.state is StepState.DONE:
                    return reply(
                        {"code": "too_late", "message": "too late"}, status=409
                    )
                self.book.move(known, StepState.UNDONE, at=self._now())
            return reply({"status": "reversed", "task_id": asked.task_id})

        return await self._under_faults(request, "undo", asked, key, act)

    # Ask, load.

    async def _ask(
        self,
        request: web.BaseRequest,
        service: SimulatedService,
        step: str,
        task_id: str,
    ) -> web.StreamResponse:
        async def act() -> web.StreamResponse:
            known = self._known(step, task_id)
            if known is None or self._hidden(known):
                raise BadCallError("no such step", status=404, code="not_found")
            script = known.script
            answer = reply(status_of_step(known))
            return await self._spoiled(request, script.status_mishap, script, answer)

        asked = ReceivedStep(service=service.name, step=step, task_id=task_id)
        return await self._under_faults(request, "ask", asked, "", act)

    async def _load(
        self, request: web.BaseRequest, service: SimulatedService, load: str
    ) -> web.StreamResponse:
        body = await body_of(request)
        asked = step_from(body, service.name, load, text_in(body, "queue_id", ""))

        async def act() -> web.StreamResponse:
            script = self._script(asked, "")
            tries = self.book.calls("load", load, asked.task_id)
            mishap = script.mishap if tries <= script.mishap_times else None
            await self._thinks(script)
            answer = reply({"name": load, **service.content})
            if script.state is PayoutState.DECLINED:
                answer = refusal(script)
            return await self._spoiled(request, mishap, script, answer)

        return await self._under_faults(request, "load", asked, "", act)

    # What all have in common.

    async def _under_faults(
        self,
        request: web.BaseRequest,
        operation: str,
        asked: ReceivedStep,
        key: str,
        act: Callable[[], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        self.book.record(
            StepEntry(
                at=self._now(),
                kind=StepEntryKind.REQUEST,
                step=asked.step,
                task_id=asked.task_id,
                what=operation,
                key=key,
            )
        )
        call = {name: str(value) for name, value in asdict(asked).items()}
        name = f"{asked.service}.{operation}"
        return await self._faults.around(request, name, call, act=act)

    def _known(self, step: str, task_id: str) -> BookedStep | None:
        known = self.book.steps.get((step, task_id))
        return None if known is None else self._ripe(known)

    def _ripe(self, step: BookedStep) -> BookedStep:
        """Let what is pending become what its script says that it is by now."""
        for each in step.script.steps:
            at = step.taken_at + self._seconds(step.script, each.after)
            if step.state is StepState.PENDING and each.becomes and at <= self._now():
                became = FIRST.get(each.becomes, StepState.REFUSED)
                self.book.move(step, became, at=at)
        return step

    def _hidden(self, step: BookedStep) -> bool:
        script = step.script
        if self._now() < step.taken_at + self._seconds(script, script.hidden_for):
            return True
        key = step.asked.step, step.asked.task_id
        asked = self._asked[key] = self._asked.get(key, 0) + 1
        return asked <= script.hidden_asks
