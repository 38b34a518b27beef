"""The one door to NATS: what the doctor sees is what the service gets."""

from collections.abc import Callable

from payment_service import bus
from payment_service.bus import topology
from payment_service.bus.connection import CONNECT_SECONDS_MAX
from payment_service.settings import Settings


def _ignore(_webhook: str) -> None:
    """Do nothing with it."""


async def connect_nats(
    settings: Settings,
    *,
    name: str,
    on_closed: Callable[[str], None] = _ignore,
    on_error: Callable[[str], None] = _ignore,
    seconds_max: float = CONNECT_SECONDS_MAX,
) -> bus.NatsClient:
    """Connect as the settings say.

    :raises BusUnavailable: NATS cannot be reached, or refuses us.
    :raises OldServer: NATS is too old.
    """
    return await bus.connect(
        settings.nats_urls,
        name=name,
        access=access_of(settings),
        on_closed=on_closed,
        on_error=on_error,
        seconds_max=seconds_max,
    )


def access_of(settings: Settings) -> bus.Access:
    """Return who we are to NATS."""
    return bus.Access(
        creds=settings.nats_creds,
        nkey=settings.nats_nkey,
        ca=settings.nats_ca,
        certificate=settings.nats_cert,
        key=settings.nats_key,
        tls_first=settings.nats_tls_first,
        inbox_prefix=settings.nats_inbox_prefix,
        domain=settings.nats_domain or "",
    )


def names_of(settings: Settings) -> bus.Names:
    """Return how subjects and streams are called."""
    return bus.Names(settings.subject_prefix)


def topology_of(settings: Settings) -> bus.Topology:
    """Return the streams and consumers that these settings ask for."""
    return bus.wanted(
        names_of(settings),
        replicas=settings.stream_replicas,
        ack_wait=settings.ack_wait,
        schedules=settings.schedules,
        terms={
            topology.REQUESTS: bus.StreamTerms(
                bytes_max=settings.stream_requests_bytes,
                age_max=settings.stream_requests_age,
                discard=settings.stream_requests_discard,
            ),
            topology.TASKS: bus.StreamTerms(
                bytes_max=settings.stream_tasks_bytes,
                age_max=settings.stream_tasks_age,
                discard=settings.stream_tasks_discard,
            ),
            topology.EVENTS: bus.StreamTerms(
                bytes_max=settings.stream_events_bytes,
                age_max=settings.stream_events_age,
                discard=settings.stream_events_discard,
            ),
            topology.DEAD: bus.StreamTerms(
                bytes_max=settings.stream_dlq_bytes,
                age_max=settings.stream_dlq_age,
                discard=settings.stream_dlq_discard,
            ),
        },
    )
