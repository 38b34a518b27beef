"""Requests to JetStream's own API, as JSON: nothing unknown is lost on the way."""

from typing import Any, Final

import orjson
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from payment_service.bus.wire import Wire
from payment_service.domain.errors import BusUnavailable

PREFIX: Final = "$JS.API"
CALL_SECONDS_MAX: Final = 5.0
NOT_FOUND: Final = 404
UNAVAILABLE: Final = 503

Json = dict[str, Any]


class JetStreamRefused(BusUnavailable):
    """JetStream answered, and the answer was no."""

    def __init__(self, call: str, code: int, err_code: int, description: str) -> None:
        super().__init__(f"JetStream refused {call}: {description} ({err_code})")
        self.code = code
        self.err_code = err_code
        self.description = description


class Api:
    """Asks JetStream; every call has a time limit."""

    def __init__(self, wire: Wire, *, seconds_max: float = CALL_SECONDS_MAX) -> None:
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

    async def find(self, verb: str) -> Json | None:
        """Return what the call says, or None if the thing does not exist."""
        try:
            return await self.call(verb)
        except JetStreamRefused as refused:
            if refused.code == NOT_FOUND:
                return None
            raise

    async def _ask(self, verb: str, body: bytes) -> Json:
        try:
            message = await self._wire.request(
                f"{PREFIX}.{verb}", body, timeout=self._seconds_max
            )
        except NoRespondersError as error:
            because = "nobody answers: is JetStream enabled?"
            raise JetStreamRefused(verb, UNAVAILABLE, 0, because) from error
        except NatsError as error:
            because = str(error) or type(error).__name__
            problem = f"JetStream {verb}: {because}"
            raise BusUnavailable(problem) from error
        answer: Json = orjson.loads(message.data)
        return answer
