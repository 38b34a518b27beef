"""Opens dead letters that have died again, and posts what a replay sends."""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fsm.domain.acts import SYSTEM, LetterTrigger, letter_act
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.messages import Message
from payment_service.storage import dead_letter_trail as letter_trail
from payment_service.storage.database import Database

# The clocks of who replayed it and of who buries it may be a little apart.
REOPEN: Final = text(
    """
UPDATE dead_letters SET error = :error, deliveries = :deliveries,
    at = greatest(CAST(:at AS timestamptz), replayed_at, discarded_at),
    replayed_at = NULL, replayed_by = NULL, discarded_at = NULL,
    discarded_by = NULL, discard_reason = NULL
WHERE id = CAST(:id AS uuid) AND (replayed_at IS NOT NULL OR discarded_at IS NOT NULL)
RETURNING id
"""
)
POST: Final = text(
    """
INSERT INTO outbox (message_id, subject, body, headers)
VALUES (:message_id, :subject, :body, CAST(:headers AS jsonb)) RETURNING seq
"""
)
# Let a webhook that was given up wait again, for whom an operator replays.
WAIT_AGAIN: Final = text(
    """
UPDATE webhook_inbox SET state = 'waiting', wake_at = clock_timestamp(),
    settled_at = NULL
WHERE provider = :provider AND event_id = :event_id AND state = 'dead'
"""
)


async def reopen(
    letter: DeadLetter,
    messages: Sequence[Message],
    *,
    database: Database,
    keys: AuditKeys,
) -> list[tuple[str, int]]:
    """Open a letter again and say so in the trail; post its messages in that commit.

    Return (message_id, seq) of what was posted: nothing where it is open already.
    """
    names = ("id", "error", "deliveries", "at")
    again = {name: getattr(letter, name) for name in names}
    act = letter_act(
        LetterTrigger.REOPENED, letter.id, actor=SYSTEM, reason=letter.error
    )
    async with database.connection() as connection:
        head = await letter_trail.hold(connection, letter.id)
        if (await connection.execute(REOPEN, again)).first() is None:
            return []
        posted = await post(connection, messages)
        await letter_trail.append(connection, head, act, keys=keys, at=letter.at)
    return posted


async def post(
    connection: AsyncConnection, messages: Sequence[Message]
) -> list[tuple[str, int]]:
    """Put messages into the outbox; return (message_id, seq) of each."""
    return [
        (each.message_id, await connection.scalar(POST, _posted(each)))
        for each in messages
    ]


async def wait_again(connection: AsyncConnection, provider: str, event_id: str) -> None:
    """Let a webhook that was given up wait again; any other stays as it is."""
    named = {"provider": provider, "event_id": event_id}
    await connection.execute(WAIT_AGAIN, named)


def _posted(message: Message) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "subject": message.subject,
        "body": message.body,
        "headers": orjson.dumps(dict(message.headers)).decode(),
    }
