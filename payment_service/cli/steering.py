"""Pauses and resumes providers, and shows how they do."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final, TypeVar

from payment_service.cli.database import open_database
from payment_service.cli.failures import Usage, Wrong
from payment_service.cli.letters import actor
from payment_service.cli.opening import configuration, read_settings, run_async
from payment_service.cli.screen import print_json, print_table, print_text
from payment_service.domain.durations import parse_duration
from payment_service.domain.events import stamp
from payment_service.ports.controls import NO_REASON, ControlEvent
from payment_service.ports.reads import ProviderStatus
from payment_service.storage.clock import DatabaseClock
from payment_service.storage.controls import PostgresControls
from payment_service.wire.text import is_reason
from payment_service.wire.views import View

T = TypeVar("T")
HISTORY_MAX: Final = 100
FOLLOW: Final = "every replica follows within a second or two"
SAY_WHY: Final = "--reason: say why, in at most 2000 characters"


def pause(name: str, *, reason: str, lasting: str | None, as_json: bool) -> int:
    """Give a provider no new work, on every replica."""
    _require(name, reason)
    length = None if lasting is None else _length(lasting)

    async def work(controls: PostgresControls, clock: DatabaseClock) -> str | None:
        until = None if length is None else clock.now() + length
        await controls.pause(name, reason=reason, until=until, by=actor())
        return None if until is None else stamp(until)

    until = run_async(_with_controls(work))
    if as_json:
        print_json({"name": name, "status": "paused", "until": until})
    else:
        ends = f"until {until}" if until else "until it is resumed"
        print_text(f"{name} is paused {ends}: {FOLLOW}.")
    return 0


def resume(name: str, *, reason: str | None, as_json: bool) -> int:
    """Give a provider new work again."""
    why = NO_REASON if reason is None else reason
    _require(name, why)

    async def work(controls: PostgresControls, _clock: DatabaseClock) -> bool:
        return await controls.resume(name, reason=why, by=actor())

    was_paused = run_async(_with_controls(work))
    if as_json:
        status = "resumed" if was_paused else "was not paused"
        print_json({"name": name, "status": status})
    elif was_paused:
        print_text(f"{name} is resumed: {FOLLOW}.")
    else:
        print_text(f"{name} was not paused.")
    return 0


def history(name: str, *, as_json: bool) -> int:
    """Print who paused and resumed a provider, newest first."""
    _require(name, NO_REASON)

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
    print_table(names, rows, empty=f"{name} was never paused.")
    return 0


def known_statuses() -> dict[str, ProviderStatus]:
    """Return how each provider does, by what the replicas say; by name."""
    from payment_service.wiring.health import shown  # noqa: PLC0415 - not for pauses
    from providers.health.summary import statuses  # noqa: PLC0415 - as above

    config = configuration(read_settings())

    async def work(
        controls: PostgresControls, clock: DatabaseClock
    ) -> list[ProviderStatus]:
        return statuses(shown(config), await controls.standings(), clock.now())

    return {status.name: status for status in run_async(_with_controls(work))}


async def _with_controls(
    work: Callable[[PostgresControls, DatabaseClock], Awaitable[T]],
) -> T:
    async with open_database() as database:
        clock = DatabaseClock(database)
        await clock.calibrate()
        keys = read_settings().audit_keys
        return await work(PostgresControls(database, keys), clock)


def _require(name: str, reason: str) -> None:
    if not is_reason(reason):
        raise Usage(SAY_WHY)
    known = configuration(read_settings()).providers
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise Wrong(f"no provider {name!r} in the configuration: it has {names}")


def _length(text: str) -> timedelta:
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise Usage(f"--for: {error}") from None
    if length <= timedelta(0):
        raise Usage("--for: must be longer than 0s")
    return length


def _event_view(event: ControlEvent) -> View:
    return {
        "at": stamp(event.at),
        "state": event.state,
        "by": event.by,
        "until": None if event.until is None else stamp(event.until),
        "reason": event.reason,
    }
