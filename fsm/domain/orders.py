"""Orders as the service knows them: the core's picture and what it is all about."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import orjson

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.binding import (
    UNSIGNED,
    Bound,
    Signature,
    attempt_of,
    hash_of_content,
    is_signed,
)
from fsm.domain.canonical import plain
from fsm.domain.errors import InvalidRequest
from fsm.domain.field_errors import FieldError
from fsm.domain.money import Money
from fsm.engine.customer import CustomerMessage
from fsm.engine.records import quickly_made
from fsm.engine.rows import Queue, Task
from fsm.engine.words import WITHOUT_MONEY, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeEntry:
    """One provider to try, in its place of the cascade."""

    provider: str
    terminal_id: str | None = None
    sla: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the upstream service sent it, validated.

    ``content`` is the canonical JSON of its known fields: a repeat with another
    content is a conflict. ``details`` are the fields of its own kind, as JSON. The
    ``reason`` stands in the trail, where one is asked for. ``warnings`` name what of it
    is not known.
    """

    kind: Kind
    order_id: str
    merchant_id: str
    customer_id: str
    money: Money | None
    destination: Mapping[str, str]
    cascade: tuple[CascadeEntry, ...]
    metadata: Mapping[str, object]
    content: bytes
    details: Mapping[str, object] = field(default_factory=dict)
    reason: str | None = None
    warnings: Sequence[FieldError] = ()

    def __post_init__(self) -> None:
        """Refuse a request that moves no money and is of a kind that does.

        :raises ValueError: it has no amount.
        """
        if self.money is None:
            money_for(self.kind, None, None)

    def content_hash(self, key_id: str, keys: AuditKeys) -> bytes:
        """Return by what a repeat of it is told from a conflict, with one of the keys.

        Nobody without the key can find out what was asked for by guessing it.

        :raises KeyError: there is no such key here.
        """
        named = [self.merchant_id, self.kind.value, self.order_id]
        return hash_of_content(named, self.content, key_id, keys)

    def exclusive_key(self, parts: Sequence[str]) -> str | None:
        """Return what it shares with requests that say the same in all ``parts``.

        A part is the name of a field, or of one within it, as ``"details.card.token"``;
        flows that name the same parts share their keys. It is a hash without a key, so
        that every process makes the same one for ever: one of the parts has to be what
        nobody guesses. None where there are no parts.

        :raises InvalidRequest: it says nothing there.
        """
        if not parts:
            return None
        said = {
            "merchant_id": self.merchant_id,
            "customer_id": self.customer_id,
            "details": self.details,
        }
        named = [[name, _part(said, name)] for name in parts]
        return hashlib.sha256(orjson.dumps(named)).hexdigest()


def money_for(kind: Kind, amount: int | None, currency: str | None) -> Money | None:
    """Return the money of an order of that kind; None where it moves none.

    :raises ValueError: it is of a kind that does, and has no amount or currency.
    """
    if amount is None and currency is None and kind in WITHOUT_MONEY:
        return None
    if amount is None or currency is None:
        raise ValueError(f"a {kind.value} has an amount and a currency")
    return Money(amount, currency)


def _part(content: object, name: str) -> object:
    for each in name.split("."):
        content = content.get(each) if isinstance(content, Mapping) else None
    if content is None:
        raise InvalidRequest(f"{name}: is missing")
    return plain(content)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order: its queue of tasks, and the facts that never change.

    ``signature`` is over those of them that a payout is made of. ``sound`` says that
    all of it is as it was written; None before anybody has looked, as when it is
    loaded, False where another request was written into it. ``money`` is None only for
    an order of a kind that may be without.
    """

    queue: Queue
    order_id: str
    merchant_id: str
    customer_id: str
    money: Money | None
    destination: Mapping[str, str]
    metadata: Mapping[str, object] = field(default_factory=dict)
    details: Mapping[str, object] = field(default_factory=dict)
    content_hash: bytes = b""
    created_at: datetime
    finished_at: datetime | None = None
    trace_parent: str | None = None
    signature: Signature = UNSIGNED
    sound: bool | None = field(default=None, compare=False, repr=False)

    @property
    def queue_id(self) -> str:
        """The id of its order queue."""
        return self.queue.queue_id

    def require_money(self) -> Money:
        """Return how much money it moves.

        :raises ValueError: it is an order that moves none.
        """
        if self.money is None:
            raise ValueError(f"order queue {self.queue_id} moves no money")
        return self.money

    @property
    def loaded(self) -> Mapping[str, object] | None:
        """What was fetched for its steps; None where nothing was, or not yet."""
        content = self.queue.loaded
        found: Mapping[str, object] | None
        found = None if content is None else orjson.loads(content)
        return found

    @property
    def customer_message(self) -> CustomerMessage | None:
        """What its customer is to be told; None where that is nothing."""
        return CustomerMessage.read(self.queue.customer_message)

    def task(self, task_id: str) -> Task:
        """Return one of its tasks.

        :raises KeyError: it has none of that id.
        """
        return self.queue.task(task_id)

    def with_queue(self, queue: Queue) -> "Order":
        """Return the same order with its queue moved on."""
        return replace(self, queue=queue)

    @property
    def bound(self) -> Bound:
        """What a payout of this order is made of."""
        return Bound(
            queue_id=self.queue.queue_id,
            kind=self.queue.kind.value,
            flow_version=self.queue.flow_version,
            exclusive_key=self.queue.exclusive_key,
            order_id=self.order_id,
            merchant_id=self.merchant_id,
            customer_id=self.customer_id,
            amount=None if self.money is None else self.money.amount,
            currency=None if self.money is None else self.money.currency,
            content=self.content_hash.hex(),
            destination=dict(self.destination),
            details=self.details,
            metadata=self.metadata,
            cascade=tuple(map(attempt_of, self.queue.tasks)),
        )

    def is_as_requested(self, keys: AuditKeys) -> bool:
        """Tell whether nothing of it was changed since it was requested."""
        return is_signed(self.bound, self.signature, keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What became of a request: accepted, duplicate or conflict.

    The ids of a duplicate are those of the order that there is: the same one, or the
    one that runs with the same exclusive key, whatever its caller calls it. A conflict
    that names a queue is with such a one, of another kind.
    """

    status: Literal["accepted", "duplicate", "conflict"]
    order_id: str
    queue_id: str | None = None

    @property
    def conflict(self) -> str:
        """What a conflict is with."""
        if self.queue_id is None:
            return "this order_id was used before with another content"
        return (
            f"order {self.order_id} about the same is under way: ask again once it "
            "has ended"
        )
