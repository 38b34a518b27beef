"""Requests to JetStream's own API, as JSON: nothing unknown is lost on the way."""

from typing import Any, Final

import orjson

from fsm.domain.errors import BusUnavailable
from payment_service.bus.nats_client import NatsClient
from payment_service.bus.protocol import status_of

CALL_SECONDS_MAX: Final = 5.0
NOT_FOUND: Final = 404

Json = dict[str, Any]


class JetStreamRefused(BusUnavailable):
    """JetStream answered, and the answer was no."""

    mend = "see whether JetStream is enabled, and its limits"

    def __init__(self, call: str, code: int, err_code: int, description: str) -> None:
        super().__init__(f"JetStream refused {call}: {description} ({err_code})")
        self.code = code
        self.err_code = err_code
        self.description = description


class JetStreamApi:
    """Asks JetStream; every call has a time limit."""

    def __init__(
        self, wire: NatsClient, *, seconds_max: float = CALL_SECONDS_MAX
    ) -> None:
        self._wire = wire
        self._seconds_max = seconds_max

    async def call(self, verb: str, body: Json | None = None) -> Json:
        """Raise :class:`JetStreamRefused` for a no, :class:`BusUnavailable` else."""
        answer = await self._ask(verb, b"" if body is None else orjson.dumps(body))
        error = answer.get("error")
        if error:
            raise JetStreamRefused(
                verb,
                error.get("code", 0),
                error.get("err_code", 0),
                error.get("description", "no reason given"),
            )
        return answer

    async def find(self, verb: str, body: Json | None = None) -> Json | None:
        """Return what the call says, or None if the thing does not exist."""
        try:
            return await self.call(verb, body)
        except JetStreamRefused as refused:
            if refused.code == NOT_FOUND:
                return None
            raise

    async def _ask(self, verb: str, body: bytes) -> Json:
        body, headers = await self._wire.ask(
            f"{self._wire.api}.{verb}", body, self._seconds_max
        )
        status = status_of(headers)
        if status:
            because = "nobody answers: is JetStream enabled?"
            raise JetStreamRefused(verb, status, 0, because)
        answer: Json = orjson.loads(body)
        return answer
