"""Examples of OpenAPI: of each body that is sent or answered, fitting its schema."""

from collections.abc import Mapping
from typing import Any, Final

from payment_service.api.problem_examples import problem_example, refusals_of
from payment_service.wire import checkout, partner, withdrawal
from payment_service.wire.cancel_message import EXAMPLE as CANCELLED

Json = dict[str, Any]

QUEUE: Final = "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a01"
TASK: Final = "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a10"
ITEM: Final = "0195f2c5-11aa-7000-8000-2f8a51c0de01"
ASKED_AT: Final = "2026-01-31T12:00:00.000Z"
DONE_AT: Final = "2026-01-31T12:00:04.210Z"
REASON: Final[Json] = {"reason": CANCELLED["reason"]}
CHECKED: Final[Json] = {"reason": "the provider's statement shows the payout"}

PATH: Final[Mapping[str, str]] = {
    "order": "w-1001",
    "order_id": "l-1001",
    "task_id": TASK,
    "item_id": ITEM,
    "customer": "c-9",
    "provider": "acme",
    "name": "acme",
}
"""Of the parameters of paths."""

SENT: Final[Mapping[str, Json]] = {
    "WithdrawalRequest": withdrawal.EXAMPLE,
    "CheckoutRequest": checkout.EXAMPLE,
    "PartnerLinkRequest": partner.EXAMPLE,
    "UnlinkRequest": {"reason": partner.UNLINK_EXAMPLE["reason"]},
    "CancelRequest": REASON,
    "EraseRequest": {"reason": "the customer has asked for it"},
    "ResolveTaskRequest": {
        "decision": "positive",
        **CHECKED,
        "evidence": {"statement": "2026-01-31", "line": 17},
    },
    "WithdrawVoteRequest": {"reason": "I looked at another payout"},
    "CloseRequest": CHECKED,
    "AssignCaseRequest": {"owner": "ann", "reason": "on call"},
    "SettleCaseRequest": {**CHECKED, "evidence": "statement of 2026-01-31, line 17"},
    "OptionalReason": {"reason": "what it stumbled over is mended"},
    "PauseProviderRequest": {"reason": "their maintenance", "for": "2h"},
    "CreateKeyRequest": {
        "name": "shop-eu",
        "role": "upstream",
        "merchants": ["m-1"],
        "expires": "2027-12-31",
        "reason": "the shop's new backend",
    },
    "RevokeKeyRequest": {"reason": "it was seen in a log"},
    "SetFourEyesRequest": {
        "currency": "EUR",
        "from": 100000,
        "reason": "limits of the new year",
    },
    "WebhookBody": {
        "id": "evt_71",
        "type": "payout.succeeded",
        "reference": TASK,
        "provider_reference": "po_3355",
        "amount": 12550,
        "currency": "EUR",
    },
}
"""Of the bodies that are sent, by operation or by schema."""

_TASK: Final[Json] = {
    "task_id": TASK,
    "position": 0,
    "name": "acme",
    "provider": "acme",
    "terminal_id": "t-1",
    "state": "SUCCEEDED",
    "version": 6,
    "provider_reference": "po_3355",
    "created_at": ASKED_AT,
    "updated_at": DONE_AT,
}
_ORDER: Final[Json] = {
    "order_id": "w-1001",
    "queue_id": QUEUE,
    "kind": "withdrawal",
    "merchant_id": "m-1",
    "customer_id": "c-9",
    "state": "COMPLETED",
    "amount": 12550,
    "currency": "EUR",
    "customer_message": None,
    "created_at": ASKED_AT,
    "finished_at": DONE_AT,
    "tasks": [_TASK],
}
_ENTRY: Final[Json] = {
    "seq": 9,
    "task_id": TASK,
    "from": "EXECUTING",
    "to": "SUCCEEDED",
    "trigger": "committed",
    "actor": "core",
    "at": DONE_AT,
    "version": 6,
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "detail": {},
}
_SERVICE_ENTRY: Final[Json] = {
    "seq": 4,
    "task_id": None,
    "from": "running",
    "to": "running",
    "trigger": "provider_paused",
    "actor": "key:ann",
    "at": DONE_AT,
    "version": 4,
    "trace_id": None,
    "detail": {"provider": "acme", "reason": "maintenance"},
}
_PROOF: Final[Json] = {
    "trigger": "committed",
    "actor": "core",
    "at": DONE_AT,
    "version": 6,
    "detail": {},
}
_CASE: Final[Json] = {
    "id": ITEM,
    "kind": "late_success",
    "state": "open",
    "order_id": "w-1001",
    "queue_id": QUEUE,
    "task_id": TASK,
    "money_at_risk": 12550,
    "currency": "EUR",
    "opened_at": DONE_AT,
    "age_seconds": 340,
    "owner": "ann",
    "detail": {},
}
_LETTER: Final[Json] = {
    "id": ITEM,
    "subject": "withdrawal.requested",
    "reason": "invalid",
    "error": "amount: is missing",
    "at": DONE_AT,
    "order_id": "w-1002",
    "deliveries": 1,
}
_KEY: Final[Json] = {
    "name": "shop-eu",
    "role": "upstream",
    "person": "shop-eu",
    "state": "live",
    "source": "database",
    "fingerprint": "9f86d081884c7d65",
    "merchants": ["m-1"],
    "made_by": "key:ann",
    "made_at": ASKED_AT,
}
_MADE_KEY: Final[Json] = {
    "name": "shop-eu",
    "role": "upstream",
    "person": "shop-eu",
    "fingerprint": "9f86d081884c7d65",
    "status": "live",
}
_TOLD_KEY: Final[Json] = {**_MADE_KEY, "key": "psk_example-told-once"}
_WAITS: Final = {"status": "waits_for_second_person"}

ANSWERED: Final[Mapping[str, object]] = {
    "": "# TYPE dlq_size gauge\ndlq_size 0.0\n",
    "Submission": {
        "order_id": "w-1001",
        "queue_id": QUEUE,
        "status": "accepted",
    },
    "ExplainedOrder": {
        **_ORDER,
        "explanation": [
            {
                "task_id": TASK,
                "position": 0,
                "name": "acme",
                "provider": "acme",
                "outcome": "SUCCEEDED",
                "because": ["it has paid"],
                "proof": _PROOF,
                "words": "acme has paid",
            }
        ],
        "in_words": "acme has paid",
    },
    "OrderPage": {"orders": [_ORDER], "next_cursor": None},
    "AuditTrail": {"events": [_ENTRY]},
    "OrderAnswer": {
        "order_id": "w-1001",
        "queue_id": QUEUE,
        "status": "cancel_requested",
    },
    "CustomerErasure": {
        "erased": [QUEUE],
        "refused": [{"queue_id": ITEM, "because": "it is still under way"}],
    },
    "TaskAnswer": {"task_id": TASK, "status": "recorded"},
    "CasePage": {"cases": [_CASE], "next_cursor": None},
    "ItemAnswer": {"id": ITEM, "status": "closed"},
    "DeadLetterPage": {"dead_letters": [_LETTER], "next_cursor": None},
    "ProviderList": {
        "providers": [
            {
                "name": "acme",
                "adapter": "rest",
                "state": "ready",
                "in_flight": 3,
                "success_rate": 0.97,
            }
        ]
    },
    "ProviderAnswer": {"name": "acme", "status": "paused"},
    "ServiceEventPage": {"events": [_SERVICE_ENTRY], "next_cursor": None},
    "ApiKeyPage": {"keys": [_KEY], "next_cursor": None},
    "ApiKeyAnswer": _MADE_KEY,
    "FourEyes": {
        "floor": 500000,
        "thresholds": [{"currency": "EUR", "from": 100000, "effective": 100000}],
    },
    "FourEyesAnswer": {
        "currency": "EUR",
        "from": 100000,
        "effective": 100000,
        "status": "recorded",
    },
    "WebhookAnswer": {"status": "stored"},
    "ProbeAnswer": {"status": "alive"},
}
"""Of the bodies that are answered, by schema; the metrics have none."""

_DUPLICATE: Final[Json] = {"order_id": "w-1001", "queue_id": QUEUE}
TOLD: Final[Mapping[tuple[str, int], object]] = {
    **refusals_of("createWithdrawal"),
    **refusals_of("createCheckout"),
    **refusals_of("createPartnerLink"),
    **{
        (operation, 200): {**_DUPLICATE, "status": "duplicate"}
        for operation in ("createWithdrawal", "createCheckout", "createPartnerLink")
    },
    ("unlinkCard", 200): {
        "order_id": "u-1001",
        "queue_id": QUEUE,
        "status": "duplicate",
    },
    ("eraseOrder", 200): {**_DUPLICATE, "status": "erased"},
    ("resolveTask", 202): {"task_id": TASK, **_WAITS},
    ("withdrawResolution", 200): {"task_id": TASK, "status": "withdrawn"},
    ("cancelTask", 202): {"task_id": TASK, "status": "cancel_requested"},
    ("closeCase", 202): {"id": ITEM, **_WAITS},
    ("assignCase", 200): {"id": ITEM, "status": "assigned"},
    ("settleCase", 200): {"id": ITEM, "status": "settling"},
    ("settleCase", 202): {"id": ITEM, **_WAITS},
    ("withdrawSettlement", 200): {"id": ITEM, "status": "withdrawn"},
    ("withdrawClosing", 200): {"id": ITEM, "status": "withdrawn"},
    ("replayDeadLetter", 200): {"id": ITEM, "status": "replayed"},
    ("discardDeadLetter", 200): {"id": ITEM, "status": "discarded"},
    ("resumeProvider", 200): {"name": "acme", "status": "resumed"},
    ("createKey", 200): _TOLD_KEY,
    ("createKey", 202): {**_TOLD_KEY, **_WAITS},
    ("revokeKey", 200): {**_MADE_KEY, "status": "revoked"},
    ("setFourEyes", 202): {
        "currency": "EUR",
        "from": 100000,
        "effective": 50000,
        **_WAITS,
    },
    ("receiveWebhook", 200): {"status": "seen"},
    ("getReadiness", 200): {"status": "ready"},
    ("getReadiness", 503): problem_example(
        503, detail="Not able to work.", problems=["database"]
    ),
}
"""Of what single operations answer with a status."""
