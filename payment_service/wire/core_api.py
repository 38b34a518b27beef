"""Draws the OpenAPI document of core's side: what core must offer (contract, 4)."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from handlers.ports.core import Operation
from payment_service.release import version
from payment_service.wire.core_examples import CALL, MEMBER, OUTCOME, PAGE
from providers.core import shapes
from providers.core.answers import DONE
from providers.core.client import IN_FLIGHT_MAX, balance_request, membership_request
from providers.http.outbound import BODY_BYTES_MAX as ANSWER_MAX
from providers.http.outbound import KEEP_ALIVE_SECONDS as IDLE
from providers.statements import PAGE_BYTES_MAX as PAGE_MAX
from providers.statements import PAGE_ROWS_MAX

Json = dict[str, Any]

SCHEMAS: Final = "#/components/schemas/{model}"
RESPONSES: Final = "#/components/responses/"
KIB: Final = 1024

ABOUT: Final = f"""\
What core, which owns the balances, offers to payment-service, which calls it. Nothing
else is asked of core. `payment-service core check URL` tries an implementation.

**Done** is {DONE} with a JSON object, on a repeat as on the first call.
**Refused**, for good, is 409 or 422 with `code` and `message`. **Try again** is
everything else: any other status, a body that is none of these, no answer in time. Then
the same call comes again, with the same `Idempotency-Key`, after pauses that grow from
1 s to 30 s, until it is done or refused. So neither 409 nor 422 may say "under way".

Each call may come several times, at once, late, and after its caller has hung up. The
same key with another amount is 409. Members that are not known are ignored: more may
come. What cannot be read is not done, and is no refusal.

Limits: a call has `PAYMENT_CORE_TIMEOUT` (5 s) for everything. One process has at most
{IN_FLIGHT_MAX} calls under way, and leaves a connection that was idle for {IDLE:g} s.
An answer has at most {ANSWER_MAX // KIB} KiB; a page of entries has at most
{PAGE_MAX // KIB**2} MiB and {PAGE_ROWS_MAX:,} entries. It is not compressed, and
no 3xx is followed. JSON is strict UTF-8, in which no name occurs twice.
"""

_FREEZE: Final = (
    "Hold the money, before a provider is asked. Refused: the attempt is skipped with "
    "core's code, and the next provider is tried. Always refused once this task was "
    "rolled back, also where there had never been a hold."
)
_COMMIT: Final = (
    "The provider has paid: the held money is gone. Refused: a person is asked. Never "
    "done of what is not held."
)
_ROLLBACK: Final = (
    "Let the held money go. Done also where there was never a hold, or its freeze was "
    "refused, and never for what was committed. Refused: a person is asked."
)
_RETURN: Final = (
    "A payout came back after it was committed: take the money back in. Needed only "
    "where returns are settled (`case settle`, or a provider's `on_return`)."
)
_BALANCE: Final = {
    Operation.FREEZE: ("Hold an attempt's money", _FREEZE),
    Operation.COMMIT: ("Pay out what is held", _COMMIT),
    Operation.ROLLBACK: ("Let go what is held", _ROLLBACK),
    Operation.RETURN: ("Take a payout back in", _RETURN),
}
_GRANT: Final = (
    "Make a card a member. The key ends in `grant` or, where a grant for now is "
    "confirmed, in `confirm`. Refused as `revoked` once this task was revoked, also "
    "where nothing had been granted. Needed only with partner links."
)
_REVOKE: Final = (
    "Take the membership away. Done also where nothing was granted; by a task that has "
    "granted nothing it removes the card's. Needed only with partner links."
)
_NOTIFY: Final = (
    "An order has ended. Any 2xx takes it, everything else is sent again. It may come "
    "several times with the same `event_id`, and then its content is the same, but for "
    "a `provider_reference` that was learnt in between."
)
_LIST: Final = (
    "Read the ledger: every movement once, in an order that does not change while it "
    "is read. Asked by `verify --core` and `doctor`, never for the work itself."
)

_REFUSALS: Final = {
    409: ("It can never be done.", "rolled_back", "the hold was rolled back"),
    422: ("It may not be done.", "insufficient_funds", "not enough is available"),
}
_SHOWN: Final[tuple[type[Mapping[str, Any]], ...]] = (
    shapes.BalanceRequest,
    shapes.MembershipRequest,
    shapes.OutcomeNotification,
    shapes.DoneAnswer,
    shapes.RefusedAnswer,
    shapes.BalanceEntries,
)


def core_api() -> Json:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Core, as payment-service calls it",
            "version": version(),
            "summary": "Balances, notifications, the ledger and memberships.",
            "description": ABOUT,
            "contact": {"name": "The maintainers of payment-service"},
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {
                "url": "{core}",
                "description": "the base URL, as in PAYMENT_CORE_URL",
                "variables": {"core": {"default": "https://core.example"}},
            }
        ],
        "security": [{"token": []}],
        "tags": [
            {"name": "balance", "description": "Must be there."},
            {"name": "notifications", "description": "Must be there."},
            {"name": "ledger", "description": "For `verify --core` and `doctor`."},
            {"name": "memberships", "description": "With partner links only."},
        ],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "responses": _responses(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "PAYMENT_CORE_TOKEN. A wrong one is 401 or 403, "
                    "which is tried again: never 409 or 422.",
                }
            },
        },
    }


def _paths() -> Json:
    balance = {
        f"{shapes.BALANCE}/{operation}": {
            "post": _call(
                f"{operation}_balance",
                "balance",
                *told,
                body=("BalanceRequest", balance_request(CALL)),
                key=shapes.key_of(CALL.task_id, operation),
            )
        }
        for operation, told in _BALANCE.items()
    }
    member = ("MembershipRequest", membership_request(MEMBER))
    grant = _call(
        "grant_membership",
        "memberships",
        "Grant or confirm a membership",
        _GRANT,
        body=member,
        key=f"{MEMBER.task_id}:grant",
    )
    revoke = _call(
        "revoke_membership",
        "memberships",
        "Revoke a membership",
        _REVOKE,
        body=member,
        key=f"{MEMBER.task_id}:revoke",
    )
    return {
        **balance,
        shapes.ENTRIES: {"get": _listing()},
        shapes.NOTIFICATIONS: {"post": _notifying()},
        shapes.MEMBERSHIPS: {"post": grant},
        shapes.REVOKE: {"post": revoke},
    }


def _call(
    name: str,
    tag: str,
    summary: str,
    does: str,
    *,
    body: tuple[str, Mapping[str, Any]],
    key: str,
) -> Json:
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": does,
        "parameters": [_key(key)],
        "requestBody": _content(*body),
        "responses": {
            str(DONE): {"$ref": f"{RESPONSES}Done"},
            **{str(n): {"$ref": f"{RESPONSES}Refused{n}"} for n in _REFUSALS},
            "default": {"$ref": f"{RESPONSES}TryAgain"},
        },
    }


def _notifying() -> Json:
    made = _call(
        "notify_outcome",
        "notifications",
        "Hear how an order ended",
        _NOTIFY,
        body=("OutcomeNotification", OUTCOME),
        key=OUTCOME["event_id"],
    )
    taken = {"description": "Done: it will not be sent again, whatever the body says."}
    again = {"$ref": f"{RESPONSES}TryAgain"}
    return {**made, "responses": {"2XX": taken, "default": again}}


def _listing() -> Json:
    def asked(name: str, text: str, example: str, *, time: bool = True) -> Json:
        return {
            "name": name,
            "in": "query",
            "required": time,
            "description": text,
            "schema": {"type": "string"} | ({"format": "date-time"} if time else {}),
            "example": example,
        }

    return {
        "operationId": "list_balance_entries",
        "tags": ["ledger"],
        "summary": "Read the ledger",
        "description": _LIST,
        "parameters": [
            asked("from", "booked at or after", "2026-01-31T00:00:00Z"),
            asked("to", "booked before", "2026-02-01T00:00:00Z"),
            asked("cursor", "`next_cursor` of the page before", "500", time=False),
        ],
        "responses": {
            str(DONE): {
                "description": "Done: a page.",
                "content": _content("BalanceEntries", PAGE)["content"],
            },
            "default": {"$ref": f"{RESPONSES}TryAgain"},
        },
    }


def _key(example: str) -> Json:
    return {
        "name": shapes.KEY,
        "in": "header",
        "required": True,
        "description": "The same for every repeat of this call, and for no other.",
        "schema": {"type": "string", "minLength": 1},
        "example": example,
    }


def _content(model: str, example: Mapping[str, Any]) -> Json:
    schema = {"$ref": SCHEMAS.format(model=model)}
    content = {"application/json": {"schema": schema, "example": dict(example)}}
    return {"required": True, "content": content}


def _responses() -> Json:
    done = _content("DoneAnswer", {"task_id": CALL.task_id})["content"]
    refused = {
        f"Refused{status}": {
            "description": f"Refused, for good. {text}",
            "content": _content("RefusedAnswer", {"code": code, "message": message})[
                "content"
            ],
        }
        for status, (text, code, message) in _REFUSALS.items()
    }
    again = (
        "Try again: it was not done, or nobody can say. The same call comes again; a "
        "token that is not let in and a path that is not there are waited for too."
    )
    return {
        "Done": {"description": "Done, now or before.", "content": done},
        **refused,
        "TryAgain": {"description": again},
    }


def _schemas() -> Json:
    wanted: list[tuple[str, Literal["validation"], TypeAdapter[Any]]] = [
        (shape.__name__, "validation", TypeAdapter(shape)) for shape in _SHOWN
    ]
    _, found = TypeAdapter.json_schemas(wanted, ref_template=SCHEMAS)
    return dict(found["$defs"])
