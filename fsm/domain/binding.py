"""Binds an order to its request: what is paid is what was asked for, or nothing.

The order's row has a signature over all that a create call is made of. It is computed
again from the row that is about to be paid; who can change the row cannot sign it.
The first audit line has the same signature, and says each part in a hash of its own,
so that `verify` can tell which of them was changed. Hashes are of the plain text,
keyed, and differ from order to order: nobody guesses them or tells two of them alike.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.canonical import plain

REQUEST: Final = "request"
"""Where the first audit line of an order has its request."""
LOADED: Final = "loaded"
"""Where the audit line of what was fetched for an order has a hash of it."""

RESULT: Final = "result"
"""Where the audit line of a step that came to something has a hash of it."""

Attempt: TypeAlias = tuple[
    str, int, str | None, str | None, str | None, str, int, str | None
]
"""(task_id, position, provider, terminal_id, sla, lifecycle, step, name) of a task."""

_GONE: Final = frozenset(
    {"customer", "destination", "details", "metadata", "signature"}
)
"""What an erasure leaves no more as it was: it is signed anew over all the rest."""
_OPTIONAL: Final = frozenset({"details", "exclusive_key"})
"""What an order may do without: then nothing is said of it, and it is missed so."""


class Bound(NamedTuple):
    """What an order is bound to: the parts of its row that nothing may change."""

    queue_id: str
    kind: str
    flow_version: int
    exclusive_key: str | None
    order_id: str
    merchant_id: str
    customer_id: str
    amount: int | None
    currency: str | None
    content: str
    """The hash, in hex, by which a repeat of the request is told from a conflict."""
    destination: Mapping[str, object]
    cascade: tuple[Attempt, ...]
    """What each task is an attempt at, in turn."""
    details: Mapping[str, object]
    """What was asked for in the fields of the order's own kind."""
    metadata: Mapping[str, object]
    """What upstream has sent along; it may come back with any numbers written anew."""


class Signature(NamedTuple):
    """Who has signed, and what came of it."""

    key_id: str
    mac: bytes


UNSIGNED: Final = Signature("", b"")


# A row of `verify` has the same names as a record of the core.
def attempt_of(task: Any) -> Attempt:  # noqa: ANN401 - see above
    """Return what a task is an attempt at: what of its row nothing may change."""
    return (
        task.task_id,
        task.position,
        task.provider or None,
        task.terminal_id,
        task.sla,
        task.lifecycle,
        task.step,
        task.name,
    )


def sign(bound: Bound, keys: AuditKeys, key_id: str | None = None) -> Signature:
    """Sign what an order is bound to; by another key than the first where one is named.

    :raises KeyError: there is no such key here.
    """
    signer = key_id or keys.signer
    return Signature(signer, keys.mac(signer, _order(bound)))


def hash_of_content(
    named: Sequence[str], content: bytes, key_id: str, keys: AuditKeys
) -> bytes:
    """Return the keyed hash of a request's content; it differs from order to order.

    ``named`` is what a repeat of the request has in common with the first.
    """
    return keys.mac(key_id, _written("content", named) + content)


def hash_of_loaded(queue_id: str, loaded: bytes, key_id: str, keys: AuditKeys) -> str:
    """Return the keyed hash, in hex, of what was fetched for an order's steps.

    :raises KeyError: there is no such key here.
    """
    return keys.mac(key_id, _written(LOADED, [queue_id]) + loaded).hex()


def hash_of_result(task_id: str, result: bytes, key_id: str, keys: AuditKeys) -> str:
    """Return the keyed hash, in hex, of what a task came to.

    :raises KeyError: there is no such key here.
    """
    return keys.mac(key_id, _written(RESULT, [task_id]) + result).hex()


def is_signed(bound: Bound, signature: Signature, keys: AuditKeys) -> bool:
    """Tell whether a key that is known here has signed just this."""
    return keys.holds(signature.key_id, _order(bound), signature.mac)


def request_of(
    bound: Bound, signature: Signature, keys: AuditKeys
) -> dict[str, object]:
    """Return what the first audit line says of the request; see :func:`differing`."""
    return {
        **_plainly(bound, signature),
        **_hashes(bound, signature.key_id, keys),
    }


def differing(
    said: Mapping[str, object],
    bound: Bound,
    signature: Signature,
    keys: AuditKeys,
    *,
    erased: bool = False,
) -> Iterator[str]:
    """Name what is another in an order's row than its first audit line says.

    What is gone from one that was ``erased`` is not looked at; all the rest is, and is
    signed without it.
    """
    key_id = said.get("key_id")
    if not isinstance(key_id, str) or key_id not in keys:
        yield f"it was signed by the key {key_id!r}, which is not known here"
        return
    now = {**_plainly(bound, signature), **_hashes(bound, key_id, keys)}
    for name in (*now, *sorted(_OPTIONAL - now.keys())):
        if said.get(name) != now.get(name) and not (erased and name in _GONE):
            yield f"its {name} is not the one that was requested"
    if not is_signed(bound, signature, keys):
        yield "the signature in its row is not of what the row says"


def _plainly(bound: Bound, signature: Signature) -> dict[str, object]:
    return {
        "kind": bound.kind,
        "flow_version": bound.flow_version,
        "order_id": bound.order_id,
        "merchant_id": bound.merchant_id,
        "amount": bound.amount,
        "currency": bound.currency,
        "key_id": signature.key_id,
        "signature": _text(signature.mac),
    }


def _hashes(bound: Bound, key_id: str, keys: AuditKeys) -> dict[str, str]:
    has = {
        "details": plain(bound.details) if bound.details else None,
        "exclusive_key": bound.exclusive_key,
    }
    parts: dict[str, object] = {
        "customer": bound.customer_id,
        "destination": bound.destination,
        "metadata": plain(bound.metadata),
        "cascade": bound.cascade,
        "content": bound.content,
        **{name: part for name, part in has.items() if part is not None},
    }
    return {
        name: _text(keys.mac(key_id, _written(name, [bound.queue_id, part])))
        for name, part in parts.items()
    }


def _text(mac: bytes) -> str:
    """Write it as URL-safe base64: each line of an order's making has several."""
    return urlsafe_b64encode(mac).rstrip(b"=").decode()


def _order(bound: Bound) -> bytes:
    return _written("order", (*bound[:-2], plain(bound.details), plain(bound.metadata)))


def _written(what: str, part: object) -> bytes:
    """Write a part in one form, apart from every other: none stands for another."""
    return orjson.dumps([what, part], option=orjson.OPT_SORT_KEYS)
