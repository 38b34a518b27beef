"""Invents what somebody may publish: frames that the server takes, and odd ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import orjson

from payment_service.wire import checkout, partner
from tests.fuzz import forwarders
from tests.fuzz.forwarders import Row

FORWARDED: Final = 0.25
HEADED: Final = 0.5
"""Shares of what a forwarder may have said, and of the others with headers."""

OWN: Final = (
    b"withdrawal.requested",
    b"checkout.requested",
    b"partner.link.requested",
    b"partner.unlink.requested",
    b"order.task.step.due",
    b"order.task.recheck.tick",
    b"order.task.webhook.timeout",
    b"order.task.webhook.received",
    b"order.task.status.tick",
    b"order.task.status.timeout",
    b"order.task.manual.resolved",
    b"order.task.cancel.requested",
    b"order.queue.cancel.requested",
    b"order.queue.notification.due",
    b"order.queue.load.due",
    b"order.task.dlq",
    b"order.event.withdrawal.completed",
    b"withdrawal.cancel.requested",
    b"order.lane.vip.step.due",
)
TOKENS: Final = (
    b"\xff",
    b"\x7f",
    b"\0",
    b"\x0b",
    b"\xc2\x85",
    b"*",
    b">",
    b"x" * 900,
)
VALUES: Final[tuple[bytes, ...]] = (
    b"\xff\xfe",
    b"a\0b",
    b"",
    "é".encode(),
    b"-1",
    b"9" * 400,
    b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01",
    b"order.task.step.due",
    b"x" * 5_000,
)
NAMES: Final = (
    b"traceparent",
    b"TraceParent",
    b"X-Reply-To",
    b"X-Forwarder",
    b"X-Forwarder-Signature",
    b"X-Forwarder-Timestamp",
    b"Nats-Msg-Id",
    b"X-\xff",
    b"\0",
)
ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    0,
    1,
    2**63,
    1.5,
    "",
    "a\0b",
    "x" * 3_000,
    "\u202e",
    [],
    {},
    [[[[]]]],
    "0195f1de-0000-7000-8000-000000000000",
)
FIELDS: Final = ("task_id", "queue_id", "version", "order_id", "reason", "provider")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What of the orders a stranger may have found out: rows, and requests."""

    rows: Sequence[Row]
    requests: Sequence[bytes]


def frame(dice: Random, known: Known) -> bytes:
    """Return one publish as it goes to the server."""
    reply = dice.choice((b"", b"", b"_INBOX.nobody.1", b"order.event.x.y", b"\xff"))
    if known.rows and dice.random() < FORWARDED:
        subject, body, lines = dice.choice(forwarders.INVENTIONS)(dice, known.rows)
    else:
        subject, body = dice.choice(_INVENTIONS)(dice, known)
        lines = [
            dice.choice(NAMES) + b": " + dice.choice(VALUES) + b"\r\n"
            for _ in range(dice.randint(0, 4) if dice.random() < HEADED else 0)
        ]
    if not lines:
        return b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(body), body)
    head = b"NATS/1.0\r\n" + b"".join(lines) + b"\r\n"
    sizes = b"%d %d" % (len(head), len(head) + len(body))
    return b"HPUB %b %b %b\r\n%b%b\r\n" % (subject, reply, sizes, head, body)


def _anything(dice: Random, _: Known) -> tuple[bytes, bytes]:
    return dice.choice(OWN), dice.randbytes(dice.randint(0, 300))


def _odd_subject(dice: Random, _: Known) -> tuple[bytes, bytes]:
    tokens = dice.choice(OWN).split(b".")
    tokens[dice.randrange(1, len(tokens))] = dice.choice(TOKENS)
    return b".".join(tokens), b'{"version": 1}'


def _odd_fields(dice: Random, _: Known) -> tuple[bytes, bytes]:
    fields = {name: dice.choice(ODD) for name in dice.sample(FIELDS, k=3)}
    return dice.choice(OWN), orjson.dumps(fields)


def _wake_up(dice: Random, known: Known) -> tuple[bytes, bytes]:
    """Ring for a row that there is, at a version that it had, has or never will."""
    if not known.rows:
        return _odd_fields(dice, known)
    row = dice.choice(known.rows)
    version = max(1, row.version + dice.randint(-2, 2))
    body = {"queue_id": row.queue_id, "version": version}
    if dice.random() < 0.8:
        body["task_id"] = row.task_id
    return dice.choice(OWN[4:14]), orjson.dumps(body)


def changed_request(dice: Random, known: Known) -> tuple[bytes, bytes]:
    """Repeat a request that was answered, as it was or otherwise."""
    if not known.requests:
        return _anything(dice, known)
    request = dice.choice(known.requests)
    if dice.random() < 0.3:
        return OWN[0], request
    if dice.random() < 0.3:
        return OWN[0], request[: dice.randrange(len(request))]
    fields = orjson.loads(request)
    # An id of another merchant's would be another order, and rightly paid.
    others = [name for name in fields if name not in {"order_id", "merchant_id"}]
    fields[dice.choice(others)] = dice.choice(ODD)
    return OWN[0], orjson.dumps(fields)


def odd_checkout(dice: Random, _: Known) -> tuple[bytes, bytes]:
    """Ask for a checkout that nobody may accept: of an item, none is bought."""
    fields = dict(checkout.EXAMPLE, items=[{"sku": "x", "quantity": 0}])
    name = dice.choice([*fields])
    if name != "items":
        fields[name] = dice.choice(ODD)
    return OWN[1], orjson.dumps(fields)


_LINKS: Final = (
    (b"partner.link.requested", partner.EXAMPLE),
    (b"partner.unlink.requested", partner.UNLINK_EXAMPLE),
)


def odd_link(dice: Random, _: Known) -> tuple[bytes, bytes]:
    """Ask for a link, or for the removal of one, that nobody may accept."""
    subject, example = dice.choice(_LINKS)
    fields = dict(example, card={"token": 7})
    name = dice.choice([*fields])
    if name != "card":
        fields[name] = dice.choice(ODD)
    return subject, orjson.dumps(fields)


_INVENTIONS: Final[tuple[Callable[[Random, Known], tuple[bytes, bytes]], ...]] = (
    _anything,
    _odd_subject,
    _odd_fields,
    _wake_up,
    changed_request,
    odd_checkout,
    odd_link,
)
