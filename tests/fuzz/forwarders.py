"""Invents what forwarders say: signed as they should, and in every way that they not.

What is rightly signed is true, or about an order that has ended, so it changes nothing.
All else is about orders under way, and would move money if it were believed.
"""

import base64
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final, LiteralString

import orjson

SECRET: Final = b"only-the-forwarder-knows-this"
OLD: Final = b"what-the-forwarder-knew-before"
# Of whom no order of the load knows: whatever it says is about somebody else.
MUTE: Final = b"another-secret-of-another-one"
STRANGER: Final = b"nobody-has-told-me-the-secret"
SPOKEN_FOR: Final = ("acme", "borealis", "cobalt")
TABLES: Final = f"""
[forwarders.courier]
providers = {list(SPOKEN_FOR)}
secrets = ["{SECRET.decode()}", "{OLD.decode()}"]
may = ["webhooks", "cancel"]

[forwarders.mute]
providers = ["fjord"]
secrets = ["{MUTE.decode()}"]
"""
TRUE, FORGED = "true", "forged"
"""How the ids of events begin, by which the oracle tells them apart."""

RECEIVED: Final = b"order.task.webhook.received"
WITHDRAWAL: Final = b"withdrawal.cancel.requested"
CANCELS: Final = (
    b"order.queue.cancel.requested",
    b"order.task.cancel.requested",
    WITHDRAWAL,
)
AWAY_SECONDS: Final = 1_000
BELIEVED: Final[LiteralString] = """
SELECT count(*) FILTER (WHERE event_id LIKE '%:true%'),
    count(*) FILTER (WHERE event_id NOT LIKE '%:true%')
FROM webhook_inbox WHERE event_id LIKE ' forwarded:%'
"""
CANCELLED: Final[LiteralString] = """
SELECT count(*) FROM order_task_events
WHERE trigger = 'cancel.requested' OR actor LIKE 'forwarder:mute%'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a forwarder can know of a task and of its order."""

    task_id: str
    queue_id: str
    order_id: str
    version: int
    provider: str
    state: str
    amount: int
    currency: str
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Who says that it was sent, with which secret, when, and for which subject."""

    name: str = "courier"
    secret: bytes = SECRET
    late: int = 0
    subject: bytes | None = None

    def lines(self, subject: bytes, body: bytes) -> list[bytes]:
        """Return the lines of the head."""
        sent = b"%d" % (time.time() - self.late)
        content = b"%b.%b.%b" % (self.subject or subject, sent, body)
        made = base64.b64encode(hmac.digest(self.secret, content, "sha256"))
        return [
            b"X-Forwarder: %b\r\n" % self.name.encode(),
            b"X-Forwarder-Timestamp: %b\r\n" % sent,
            b"X-Forwarder-Signature: v1,%b\r\n" % made,
        ]


Said = tuple[bytes, bytes, list[bytes]]
GENUINE: Final = Proof()
WRONG: Final = (
    Proof(secret=STRANGER),
    Proof(name="nobody"),
    Proof(name="mute"),
    Proof(name="mute", secret=MUTE),
    Proof(late=AWAY_SECONDS),
    Proof(late=-AWAY_SECONDS),
    Proof(subject=b"order.task.step.due"),
)


def forged(dice: Random, rows: Sequence[Row]) -> Said:
    """Say of an order under way what nobody said: signed wrong, or not at all."""
    row = dice.choice(rows)
    wants_cancel = dice.random() < 0.3
    subject, body = _cancel(dice, row) if wants_cancel else _webhook(dice, row, FORGED)
    if dice.random() < 0.1:
        return subject, body, []
    return subject, body, dice.choice(WRONG).lines(subject, body)


def spoilt(dice: Random, rows: Sequence[Row]) -> Said:
    """Sign one thing and say another, or sign what may not be left out."""
    row = dice.choice(rows)
    subject, body = _webhook(dice, row, FORGED)
    proof = replace(GENUINE, secret=dice.choice((SECRET, OLD)))
    fields = orjson.loads(body)
    if dice.random() < 0.3:
        del fields["body"][dice.choice(("amount", "currency"))]
        body = orjson.dumps(fields)
        return subject, body, proof.lines(subject, body)
    if dice.random() < 0.5:
        fields["provider"] = dice.choice(("ember", "delta", "nobody", ""))
        body = orjson.dumps(fields)
        return subject, body, proof.lines(subject, body)
    lines = proof.lines(subject, body)
    kinds = {"payout.succeeded", "payout.failed"} - {fields["body"]["type"]}
    fields["body"]["type"] = dice.choice(sorted(kinds))
    return subject, orjson.dumps(fields), lines


def genuine(dice: Random, rows: Sequence[Row]) -> Said:
    """Say once more, rightly signed, what is so; or cancel what has ended."""
    paid = [r for r in rows if r.state == "SUCCEEDED" and r.provider in SPOKEN_FOR]
    over = [row for row in rows if row.is_over]
    proof = replace(GENUINE, secret=dice.choice((SECRET, OLD)))
    if paid and dice.random() < 0.7:
        subject, body = _webhook(dice, dice.choice(paid), TRUE)
    elif over:
        subject, body = _cancel(dice, dice.choice(over))
    else:
        return forged(dice, rows)
    return subject, body, proof.lines(subject, body)


INVENTIONS: Final[Sequence[Callable[[Random, Sequence[Row]], Said]]] = (
    forged,
    forged,
    spoilt,
    genuine,
)


def _webhook(dice: Random, row: Row, whose: str) -> tuple[bytes, bytes]:
    kind = "succeeded"
    if whose == FORGED:
        kind = dice.choice(("succeeded", "failed", "returned", "accepted"))
    # Of the true ones some come twice.
    event = f"{whose}-{row.task_id}-{dice.randrange(3 if whose == TRUE else 10**9)}"
    body: dict[str, Any] = {
        "id": event,
        "type": f"payout.{kind}",
        "reference": row.task_id,
        "amount": row.amount,
        "currency": row.currency,
    }
    told = {"provider": row.provider, "event_id": event, "body": body}
    return RECEIVED, orjson.dumps({**told, "received_at": "2026-01-31T23:59:59Z"})


def _cancel(dice: Random, row: Row) -> tuple[bytes, bytes]:
    subject = dice.choice(CANCELS)
    ids = {"queue_id": row.queue_id, "task_id": row.task_id, "version": row.version}
    if subject == WITHDRAWAL:
        ids = {"order_id": row.order_id, "merchant_id": "m-chaos"}
    return subject, orjson.dumps({**ids, "reason": "a change of mind"})
