"""The one door to NATS: what the doctor sees is what the service gets."""

from collections.abc import Callable

from payment_service import bus
from payment_service.bus.connection import CONNECT_SECONDS_MAX
from payment_service.settings import Settings


def _ignore(_news: str) -> None:
    """Do nothing with it."""


async def connect_nats(
    settings: Settings,
    *,
    name: str,
    on_closed: Callable[[str], None] = _ignore,
    on_error: Callable[[str], None] = _ignore,
    seconds_max: float = CONNECT_SECONDS_MAX,
) -> bus.Wire:
    """Connect as the settings say.

    :raises BusUnavailable: NATS cannot be reached, or refuses us.
    :raises OldServer: NATS is too old.
    """
    return await bus.connect(
        settings.nats_urls,
        name=name,
        access=bus.Access(
            creds=settings.nats_creds,
            nkey=settings.nats_nkey,
            ca=settings.nats_ca,
            certificate=settings.nats_cert,
            key=settings.nats_key,
            tls_first=settings.nats_tls_first,
            inbox_prefix=settings.nats_inbox_prefix,
            domain=settings.nats_domain or "",
        ),
        on_closed=on_closed,
        on_error=on_error,
        seconds_max=seconds_max,
    )
