"""Pauses of providers, each a line of the trail; how every replica finds them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, LiteralString

import orjson
from sqlalchemy import TextClause, text

from fsm.domain.acts import SERVICE, Act, ServiceTrigger
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.case_events import provider_event
from fsm.domain.masking import masked_text
from handlers.ports.controls import Control, ControlEvent, FleetView, Heartbeat
from payment_service.storage import replays, service_trail
from payment_service.storage.database import Database

DEAD_AFTER: Final = timedelta(seconds=10)
"""A replica that has said nothing for so long counts no more: twice its lease."""

# A replica that was taken for dead joins anew: its share was given to others.
BEAT: Final[LiteralString] = """
INSERT INTO provider_health AS h (provider, replica, state, since, open_until,
    silent_until, in_flight, calls, failed, refused, joined_at, seen_at)
SELECT b.provider, b.replica, b.state, b.since, b.open_until, b.silent_until,
    b.in_flight, b.calls, b.failed, b.refused, clock_timestamp(), clock_timestamp()
FROM json_to_recordset(%(beats)s::json) AS b(provider text, replica text, state text,
    since timestamptz, open_until timestamptz, silent_until timestamptz,
    in_flight int, calls int, failed int, refused int)
ORDER BY b.provider
ON CONFLICT (provider, replica) DO UPDATE SET
    state = excluded.state, since = excluded.since,
    open_until = excluded.open_until, silent_until = excluded.silent_until,
    in_flight = excluded.in_flight, calls = excluded.calls,
    failed = excluded.failed, refused = excluded.refused,
    seen_at = excluded.seen_at,
    joined_at = CASE WHEN h.seen_at < excluded.seen_at - %(dead_after)s
        THEN excluded.joined_at ELSE h.joined_at END
"""

# Replicas that ended without a word leave their rows behind for a while.
TIDY: Final[LiteralString] = """
DELETE FROM provider_health WHERE seen_at < clock_timestamp() - %(dead_after)s * 6
"""

LEAVE: Final[LiteralString] = "DELETE FROM provider_health WHERE replica = %(replica)s"

FLEET_VIEW: Final[LiteralString] = """
SELECT 'paused', json_build_object('provider', provider, 'reason', reason,
    'until', until, 'by', changed_by, 'at', changed_at)::text
FROM provider_controls
WHERE state = 'paused' AND (until IS NULL OR until > clock_timestamp())
UNION ALL
SELECT 'beat', json_build_object('provider', provider, 'replica', replica,
    'state', state, 'since', since, 'open_until', open_until,
    'silent_until', silent_until, 'in_flight', in_flight, 'calls', calls,
    'failed', failed, 'refused', refused, 'joined_at', joined_at)::text
FROM provider_health WHERE seen_at >= clock_timestamp() - %(dead_after)s
"""

# Who had to wait for the row has read the clock before the one who went first.
PAUSE: Final = text(
    """
INSERT INTO provider_controls AS c (provider, state, reason, until, changed_by,
    changed_at)
VALUES (:provider, 'paused', :reason, CAST(:until AS timestamptz), :by,
    clock_timestamp())
ON CONFLICT (provider) DO UPDATE SET
    state = excluded.state, reason = excluded.reason, until = excluded.until,
    changed_by = excluded.changed_by,
    changed_at = greatest(clock_timestamp(), c.changed_at + interval '1 microsecond')
RETURNING changed_at
"""
)

RESUME: Final = text(
    """
UPDATE provider_controls SET state = 'ready', reason = :reason, until = NULL,
    changed_by = :by,
    changed_at = greatest(clock_timestamp(), changed_at + interval '1 microsecond')
WHERE provider = :provider AND state = 'paused'
RETURNING changed_at
"""
)

HISTORY: Final[LiteralString] = """
SELECT trigger, detail, actor, at FROM order_task_events
WHERE entity_id = %(service)s::uuid AND trigger = ANY(%(triggers)s)
AND detail ->> 'provider' = %(provider)s
ORDER BY version DESC LIMIT %(limit)s
"""

_STATES: Final = {
    ServiceTrigger.PROVIDER_PAUSED: "paused",
    ServiceTrigger.PROVIDER_RESUMED: "ready",
}
_TOLD: Final[Mapping[ServiceTrigger, Literal["paused", "resumed"]]] = {
    ServiceTrigger.PROVIDER_PAUSED: "paused",
    ServiceTrigger.PROVIDER_RESUMED: "resumed",
}
_TIMES: Final = frozenset(
    {"until", "at", "since", "open_until", "silent_until", "joined_at"}
)


class PostgresControls:
    """Implements ``ports.controls.Controls``."""

    def __init__(self, database: Database, keys: AuditKeys) -> None:
        self._database = database
        self._keys = keys

    async def beat(self, beats: Sequence[Heartbeat]) -> None:
        """Say how this replica finds its providers."""
        told = orjson.dumps([_said(beat) for beat in beats]).decode()
        await self._database.run(BEAT, {"beats": told, "dead_after": DEAD_AFTER})

    async def fleet_view(self) -> FleetView:
        """Return the pauses, and what every replica that is alive has said last."""
        rows = await self._database.run(FLEET_VIEW, {"dead_after": DEAD_AFTER})
        paused: dict[str, Control] = {}
        beats: dict[str, list[Heartbeat]] = {}
        for what, told in rows:
            fields = _read(told)
            if what == "paused":
                paused[fields["provider"]] = Control(**fields)
            else:
                beats.setdefault(fields["provider"], []).append(Heartbeat(**fields))
        return FleetView(paused=paused, beats=beats)

    async def leave(self, replica: str) -> None:
        """Take back what a replica has said: it is about to end."""
        await self._database.run(LEAVE, {"replica": replica})

    async def tidy(self) -> None:
        """Remove what replicas that ended without a word have left."""
        await self._database.run(TIDY, {"dead_after": DEAD_AFTER})

    async def pause(
        self, provider: str, *, reason: str, until: datetime | None, by: str
    ) -> None:
        """Pause a provider on all replicas; a pause replaces the one before."""
        ends = {} if until is None else {"until": _written(until)}
        told = masked_text(reason)
        row = {"provider": provider, "reason": told, "until": until, "by": by}
        await self._steer(PAUSE, row, ServiceTrigger.PROVIDER_PAUSED, ends)

    async def resume(self, provider: str, *, reason: str, by: str) -> bool:
        """End a pause; False where there was none."""
        row = {"provider": provider, "reason": masked_text(reason), "by": by}
        return await self._steer(RESUME, row, ServiceTrigger.PROVIDER_RESUMED, {})

    async def history(self, provider: str, *, limit: int) -> Sequence[ControlEvent]:
        """Return who paused and resumed it, newest first."""
        asked = {
            "service": SERVICE,
            "triggers": [*_STATES],
            "provider": provider,
            "limit": limit,
        }
        rows = await self._database.run(HISTORY, asked)
        return [
            ControlEvent(
                provider=provider,
                state=_STATES[ServiceTrigger(trigger)],
                reason=detail["reason"],
                until=_time(detail.get("until")),
                by=actor,
                at=at,
            )
            for trigger, detail, actor, at in rows
        ]

    async def _steer(
        self,
        statement: TextClause,
        row: Mapping[str, Any],
        trigger: ServiceTrigger,
        ends: Mapping[str, str],
    ) -> bool:
        """Change the row and say so, in the trail and outside; False: it stays."""
        async with self._database.connection() as connection:
            at = (await connection.execute(statement, row)).scalar()
            if at is None:
                return False
            act = Act(
                trigger=trigger,
                actor=row["by"],
                reason=row["reason"],
                detail={"provider": row["provider"], **ends},
            )
            await service_trail.append(connection, act, at=at, keys=self._keys)
            told = provider_event(
                row["provider"],
                _TOLD[trigger],
                actor=row["by"],
                reason=row["reason"],
                until=row.get("until"),
                at=at,
            )
            await replays.post(connection, [told])
        return True


def _said(beat: Heartbeat) -> dict[str, object]:
    return {
        name: getattr(beat, name) for name in Heartbeat.__slots__ if name != "joined_at"
    }


def _read(told: str) -> dict[str, Any]:
    fields: dict[str, Any] = orjson.loads(told)
    return {
        name: _time(value) if name in _TIMES else value
        for name, value in fields.items()
    }


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _time(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
