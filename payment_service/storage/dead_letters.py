"""Keeps dead letters, those that come together in one statement.

Whoever may publish can send ten thousand of them at once. One by one they would take
every connection in turn, and an order beside them would wait until it is told that
none is free.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, LiteralString, TypeAlias

import orjson

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.messages import Message
from fsm.domain.vouched import VOUCHER, asks, voucher
from payment_service.storage.database import Database
from payment_service.storage.grouped import Grouped
from payment_service.storage.replays import reopen

AT_ONCE: Final = 20
"""Each may be a megabyte, with a copy as large."""

LANES: Final = 2

DeadLettering: TypeAlias = tuple[DeadLetter, Sequence[Message]]
Posted: TypeAlias = Sequence[tuple[str, int]]
"""Messages by their id, with the row of the outbox."""

_FIELDS: Final = (
    "id",
    "subject",
    "reason",
    "error",
    "deliveries",
    "body",
    "task_id",
    "queue_id",
    "order_id",
    "at",
)

# Bury a message: the letter first, its copy for the stream in the same transaction.
STORE_DEAD_LETTER: Final[LiteralString] = """
WITH l AS (
    INSERT INTO dead_letters (id, subject, reason, error, deliveries, body, headers,
        task_id, queue_id, order_id, at)
    SELECT n.id, n.subject, n.reason, n.error, n.deliveries, n.body, n.headers::jsonb,
        n.task_id, n.queue_id, n.order_id, n.at
    FROM unnest(%(id)s::uuid[], %(subject)s::text[], %(reason)s::text[],
        %(error)s::text[], %(deliveries)s::int[], %(body)s::bytea[],
        %(headers)s::text[], %(task_id)s::uuid[], %(queue_id)s::uuid[],
        %(order_id)s::text[], %(at)s::timestamptz[])
        AS n(id, subject, reason, error, deliveries, body, headers, task_id, queue_id,
            order_id, at)
    ORDER BY n.id
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), posted AS (
    INSERT INTO outbox (message_id, subject, body, headers, queue_id)
    SELECT m.message_id, m.subject, m.body, m.headers::jsonb, NULL
    FROM unnest(%(letters)s::uuid[], %(message_ids)s::text[], %(subjects)s::text[],
        %(bodies)s::bytea[], %(all_headers)s::text[])
        WITH ORDINALITY AS m(letter, message_id, subject, body, headers, place)
    JOIN l ON l.id = m.letter ORDER BY m.place
    RETURNING seq, message_id
)
SELECT 'message', message_id, seq FROM posted
UNION ALL SELECT 'dealt with', d.id::text, NULL FROM unnest(%(id)s::uuid[]) AS n(id),
LATERAL (SELECT * FROM dead_letters d WHERE d.id = n.id LIMIT 1) d
WHERE d.replayed_at IS NOT NULL OR d.discarded_at IS NOT NULL
"""


class Graves:
    """Buries for any number of callers; ``publish`` hears what was posted."""

    def __init__(
        self,
        database: Database,
        keys: AuditKeys,
        publish: Callable[[Sequence[Message], Posted], None],
    ) -> None:
        self._database = database
        self._keys = keys
        self._publish = publish
        self._dead_lettering: Grouped[DeadLettering, None] = Grouped(
            self._dead_letter,
            lanes=LANES,
            size_max=AT_ONCE,
            key=lambda burial: burial[0].id,
        )

    async def dead_letter(
        self, letter: DeadLetter, messages: Sequence[Message]
    ) -> None:
        """Keep a letter and post its messages; the same one twice is kept once."""
        await self._dead_lettering((letter, messages))

    async def _dead_letter(
        self, dead_letterings: Sequence[DeadLettering]
    ) -> Sequence[None]:
        messages = [(letter.id, m) for letter, told in dead_letterings for m in told]
        rows = await self._database.run(
            STORE_DEAD_LETTER,
            {
                **{
                    name: [getattr(letter, name) for letter, _ in dead_letterings]
                    for name in _FIELDS
                },
                "headers": [
                    _text(self._headers(letter)) for letter, _ in dead_letterings
                ],
                "letters": [letter_id for letter_id, _ in messages],
                "message_ids": [m.message_id for _, m in messages],
                "subjects": [m.subject for _, m in messages],
                "bodies": [m.body for _, m in messages],
                "all_headers": [_text(m.headers) for _, m in messages],
            },
        )
        posted = [(name, seq) for what, name, seq in rows if what == "message"]
        dealt_with = {name for what, name, _ in rows if what == "dealt with"}
        for letter, told in dead_letterings:
            if letter.id in dealt_with:
                posted += await reopen(
                    letter, told, database=self._database, keys=self._keys
                )
        self._publish([m for _, m in messages], posted)
        return [None] * len(dead_letterings)

    def _headers(self, letter: DeadLetter) -> Mapping[str, str]:
        """Vouch for what asks for something: a replay sends it in our name."""
        if not asks(letter.subject, letter.body):
            return letter.headers
        word = voucher(letter.subject, letter.body, self._keys)
        return {**letter.headers, VOUCHER: word}


def _text(headers: Mapping[str, str]) -> str:
    return orjson.dumps(dict(headers)).decode()
