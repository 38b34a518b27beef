"""Pauses and resumes providers, and shows how they do.

Through the API where there is a key for it; else, so that a broken API keeps nobody
from pausing a provider, in the database.
"""

from collections.abc import Awaitable, Callable, Container, Sequence
from typing import Final, TypeVar

from fsm.domain.acts import NO_REASON
from fsm.domain.events import stamp
from handlers.ports.controls import ControlEvent
from handlers.ports.reads import ProviderStatus
from payment_service.cli.api_client import ApiAccess, access_of, operate
from payment_service.cli.arguments import actor, check_reason, length_of
from payment_service.cli.context import configuration, read_settings, run_async
from payment_service.cli.database import open_database
from payment_service.cli.errors import Wrong
from payment_service.cli.printing import print_json, print_table, print_text
from payment_service.cli.shell import shell_operations
from payment_service.cli.tables import Fall
from payment_service.storage.clock import DatabaseClock
from payment_service.storage.controls import PostgresControls
from payment_service.wire.views import View

T = TypeVar("T")
HISTORY_MAX: Final = 100
FOLLOW: Final = "every replica follows within a second or two"


def pause(name: str, *, reason: str, lasting: str | None, as_json: bool) -> int:
    """Give a provider no new work, on every replica."""
    check_reason(reason)
    length = None if lasting is None else length_of("--for", lasting)
    access = access_of(read_settings())
    if access is not None:
        ends = "until it is resumed" if lasting is None else f"for {lasting}"
        told = f"{name} is paused {ends}: {FOLLOW}."
        return _steered(access, name, "pause", reason, lasting, told, as_json=as_json)
    known = _require(name)

    async def work() -> str | None:
        async with shell_operations(known) as operations:
            until = await operations.pause(
                name, reason=reason, lasting=length, actor=actor()
            )
        return None if until is None else stamp(until)

    until = run_async(work())
    if as_json:
        print_json({"name": name, "status": "paused", "until": until})
    else:
        ends = f"until {until}" if until else "until it is resumed"
        print_text(f"{name} is paused {ends}: {FOLLOW}.")
    return 0


def resume(name: str, *, reason: str | None, as_json: bool) -> int:
    """Give a provider new work again."""
    why = NO_REASON if reason is None else reason
    check_reason(why)
    access = access_of(read_settings())
    if access is not None:
        told = f"{name} is resumed: {FOLLOW}."
        return _steered(access, name, "resume", reason, None, told, as_json=as_json)
    known = _require(name)

    async def work() -> bool:
        async with shell_operations(known) as operations:
            return await operations.resume(name, reason=why, actor=actor())

    was_paused = run_async(work())
    if as_json:
        status = "resumed" if was_paused else "was not paused"
        print_json({"name": name, "status": status})
    elif was_paused:
        print_text(f"{name} is resumed: {FOLLOW}.")
    else:
        print_text(f"{name} was not paused.")
    return 0


def history(name: str, *, wide: bool, as_json: bool) -> int:
    """Print who paused and resumed a provider, newest first."""
    _require(name)

    async def work(
        controls: PostgresControls, _clock: DatabaseClock
    ) -> Sequence[ControlEvent]:
        return await controls.history(name, limit=HISTORY_MAX)

    shown = [_event_view(event) for event in run_async(_with_controls(work))]
    if as_json:
        print_json({"name": name, "history": shown})
        return 0
    names = ("at", "state", "by", "until", "reason")
    rows = [[each[column] for column in names] for each in shown]
    fall = Fall(first=("until", "by"), prose=("reason",))
    print_table(names, rows, empty=f"{name} was never paused.", fall=fall, wide=wide)
    return 0


def known_statuses() -> dict[str, ProviderStatus]:
    """Return how each provider does, by what the replicas say; by name."""
    from payment_service.wiring.health import shown  # noqa: PLC0415 - not for pauses
    from providers.health.summary import statuses  # noqa: PLC0415 - as above

    config = configuration(read_settings())

    async def work(
        controls: PostgresControls, clock: DatabaseClock
    ) -> list[ProviderStatus]:
        return statuses(shown(config), await controls.fleet_view(), clock.now())

    return {status.name: status for status in run_async(_with_controls(work))}


async def _with_controls(
    work: Callable[[PostgresControls, DatabaseClock], Awaitable[T]],
) -> T:
    async with open_database() as database:
        clock = DatabaseClock(database)
        await clock.calibrate()
        keys = read_settings().audit_keys
        return await work(PostgresControls(database, keys), clock)


def _steered(
    access: ApiAccess,
    name: str,
    verb: str,
    reason: str | None,
    lasting: str | None,
    told: str,
    *,
    as_json: bool,
) -> int:
    """Have the API do it."""
    given = {"reason": reason, "for": lasting}
    body = {field: value for field, value in given.items() if value is not None}
    answer = operate(access, "POST", "providers", name, verb, body=body)
    if as_json:
        print_json(answer.body)
    else:
        print_text(told)
    return 0


def _require(name: str) -> Container[str]:
    """Return the providers and partners that there are, this one among them."""
    config = configuration(read_settings())
    known = {**config.providers, **config.partners}
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise Wrong(f"no provider {name!r} in the configuration: it has {names}")
    return known


def _event_view(event: ControlEvent) -> View:
    return {
        "at": stamp(event.at),
        "state": event.state,
        "by": event.by,
        "until": None if event.until is None else stamp(event.until),
        "reason": event.reason,
    }
