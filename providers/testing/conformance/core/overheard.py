"""Listens to what core answers: the client says what it means, this how it came."""

from collections.abc import Mapping
from time import monotonic
from typing import Final

from providers.http.outbound import (
    ConnectionLimit,
    Lost,
    Method,
    Outbound,
    RequestNotSent,
    Response,
)
from providers.http.proxies import NO_PROXIES, Proxies

TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NO_ROUTE: Final = frozenset({404, 405, 501})


class Overheard(Outbound):
    """Connections as the service makes them, whose answers are looked at as well."""

    def __init__(self, *, proxies: Proxies = NO_PROXIES) -> None:
        super().__init__(lambda: TRACE, proxies=proxies)
        self.last: Response | RequestNotSent | Lost | None = None
        self.answers = 0
        self.slowest = 0.0
        self.nowhere: tuple[int, object] | None = None

    async def send(
        self,
        method: Method,
        url: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
        lane: ConnectionLimit,
    ) -> Response | RequestNotSent | Lost:
        """Send it, and keep what came back."""
        began = monotonic()
        answer = await super().send(
            method, url, body=body, headers=headers, seconds=seconds, lane=lane
        )
        self.last = answer
        if isinstance(answer, Response):
            self.answers += 1
            self.slowest = max(self.slowest, monotonic() - began)
        return answer

    @property
    def status(self) -> int | None:
        """Return the status of the last answer; None where there was none."""
        return self.last.status if isinstance(self.last, Response) else None

    @property
    def is_no_route(self) -> bool:
        """Tell whether the last call is not there: it was answered as one made up."""
        said = self._said()
        return said is not None and said[0] in NO_ROUTE and said == self.nowhere

    def learn_nowhere(self) -> None:
        """Take the last answer for what core says where nothing is."""
        self.nowhere = self._said()

    def _said(self) -> tuple[int, object] | None:
        if not isinstance(self.last, Response):
            return None
        return self.last.status, (self.last.read_object() or {}).get("code")
