"""Pauses of providers with their history, and how every replica finds them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

import orjson

from payment_service.ports.controls import Beat, Control, ControlEvent, Standings
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

STANDINGS: Final[LiteralString] = """
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

# The present state and its line of history are one commit.
STEER: Final[LiteralString] = """
WITH changed AS (
    INSERT INTO provider_controls AS c (provider, state, reason, until, changed_by,
        changed_at)
    VALUES (%(provider)s, %(state)s, %(reason)s, %(until)s::timestamptz, %(by)s,
        clock_timestamp())
    ON CONFLICT (provider) DO UPDATE SET
        state = excluded.state, reason = excluded.reason, until = excluded.until,
        changed_by = excluded.changed_by, changed_at = excluded.changed_at
    WHERE excluded.state = 'paused' OR c.state = 'paused'
    RETURNING provider, state, reason, until, changed_by, changed_at
)
INSERT INTO provider_control_events (provider, state, reason, until, changed_by,
    changed_at)
SELECT provider, state, reason, until, changed_by, changed_at FROM changed
WHERE state = 'paused' OR EXISTS (
    SELECT FROM provider_controls o WHERE o.provider = changed.provider)
RETURNING seq
"""

HISTORY: Final[LiteralString] = """
SELECT provider, state, reason, until, changed_by, changed_at
FROM provider_control_events WHERE provider = %(provider)s
ORDER BY seq DESC LIMIT %(limit)s
"""

_TIMES: Final = frozenset(
    {"until", "at", "since", "open_until", "silent_until", "joined_at"}
)


class PostgresControls:
    """Implements ``ports.controls.Controls``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, beats: Sequence[Beat]) -> None:
        """Say how this replica finds its providers."""
        told = orjson.dumps([_said(beat) for beat in beats]).decode()
        await self._database.run(BEAT, {"beats": told, "dead_after": DEAD_AFTER})

    async def standings(self) -> Standings:
        """Return the pauses, and what every replica that is alive has said last."""
        rows = await self._database.run(STANDINGS, {"dead_after": DEAD_AFTER})
        paused: dict[str, Control] = {}
        beats: dict[str, list[Beat]] = {}
        for what, told in rows:
            fields = _read(told)
            if what == "paused":
                paused[fields["provider"]] = Control(**fields)
            else:
                beats.setdefault(fields["provider"], []).append(Beat(**fields))
        return Standings(paused=paused, beats=beats)

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
        await self._steer(provider, "paused", reason, until=until, by=by)

    async def resume(self, provider: str, *, reason: str, by: str) -> bool:
        """End a pause; False where there was none."""
        return await self._steer(provider, "ready", reason, until=None, by=by)

    async def history(self, provider: str, *, limit: int) -> Sequence[ControlEvent]:
        """Return who paused and resumed it, newest first."""
        rows = await self._database.run(HISTORY, {"provider": provider, "limit": limit})
        return [
            ControlEvent(
                provider=name, state=state, reason=reason, until=until, by=by, at=at
            )
            for name, state, reason, until, by, at in rows
        ]

    async def _steer(
        self,
        provider: str,
        state: str,
        reason: str,
        *,
        until: datetime | None,
        by: str,
    ) -> bool:
        parameters = {
            "provider": provider,
            "state": state,
            "reason": reason,
            "until": until,
            "by": by,
        }
        return bool(await self._database.run(STEER, parameters))


def _said(beat: Beat) -> dict[str, object]:
    return {name: getattr(beat, name) for name in Beat.__slots__ if name != "joined_at"}


def _read(told: str) -> dict[str, Any]:
    fields: dict[str, Any] = orjson.loads(told)
    return {
        name: datetime.fromisoformat(value) if name in _TIMES and value else value
        for name, value in fields.items()
    }
