"""A service over HTTP: each call under its own key, and only definite answers heard."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import orjson

from fsm.service.policy import ServicePolicy
from handlers.ports.services import (
    AskAnswer,
    DoAnswer,
    LoadAnswer,
    LoadCall,
    ServiceCall,
    UndoAnswer,
)
from providers.answering import Answer
from providers.config import Config, ServiceTable
from providers.http.outbound import Outbound
from providers.services.answers import (
    ask_answer,
    do_answer,
    load_answer,
    undo_answer,
)
from providers.services.hidden import without_token


def status_url(base_url: str, step: str, task_id: str) -> str:
    """Return the address at which a service says what became of a step."""
    return f"{base_url}/v1/{step}/{quote(task_id, safe='')}"


class HttpService:
    """A service at the other end of an address (contract, section 5).

    It calls once and never again: what follows from an answer, or from none, is for
    those to decide who know what is written down.
    """

    def __init__(self, table: ServiceTable, outbound: Outbound) -> None:
        self.name: Final = table.name
        self.policy: Final[ServicePolicy] = table.policy
        self._lane = outbound.lane(table.max_in_flight)
        self._base_url = table.base_url
        self._headers = table.sent_headers
        self._seconds = table.timeout.total_seconds()

    async def do(self, call: ServiceCall) -> DoAnswer:
        """Have the step done, under the key ``{task_id}:do``."""
        answer = await self._post(call.step, call.order, key=f"{call.task_id}:do")
        return without_token(do_answer(answer, call.task_id), call.order)

    async def undo(self, call: ServiceCall) -> UndoAnswer:
        """Have the step undone, under the key ``{task_id}:undo``."""
        path, key = f"{call.step}/reverse", f"{call.task_id}:undo"
        answer = await self._post(path, call.order, key=key)
        return without_token(undo_answer(answer, call.task_id), call.order)

    async def ask(self, call: ServiceCall) -> AskAnswer:
        """Ask what became of the step."""
        answer = await self._lane.request(
            "GET",
            status_url(self._base_url, call.step, call.task_id),
            headers=self._headers,
            timeout=self._seconds,
        )
        return without_token(ask_answer(answer, call.task_id), call.order)

    async def load(self, call: LoadCall) -> LoadAnswer:
        """Fetch what the steps of an order need; it changes nothing."""
        answer = await self._post(f"load/{call.name}", call.order)
        return without_token(load_answer(answer), call.order)

    async def _post(
        self, path: str, body: Mapping[str, object], *, key: str | None = None
    ) -> Answer:
        keyed = {} if key is None else {"Idempotency-Key": key}
        return await self._lane.request(
            "POST",
            f"{self._base_url}/v1/{path}",
            json_body=orjson.dumps(body),
            headers={**self._headers, **keyed},
            timeout=self._seconds,
        )


class ConfiguredServices:
    """All configured services, by name."""

    def __init__(self, services: Mapping[str, HttpService]) -> None:
        self._services = dict(services)

    def get(self, name: str) -> HttpService | None:
        """Return the service, or None where the name is not configured."""
        return self._services.get(name)

    def names(self) -> list[str]:
        """Return all configured names, sorted."""
        return sorted(self._services)


def build_services(config: Config, outbound: Outbound) -> ConfiguredServices:
    """Make all services that the configuration names."""
    return ConfiguredServices(
        {name: HttpService(table, outbound) for name, table in config.services.items()}
    )
