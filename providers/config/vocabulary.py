"""The placeholders of templates: what may stand in which of them."""

from typing import Final

DESTINATION: Final = "destination"
OF_DESTINATION: Final = "destination."
KEPT: Final = "kept."
"""Before the name of a value that a call of the same create has answered."""
NUMBER: Final = "amount_number"
REFERENCE: Final = "reference"
PROVIDER_REFERENCE: Final = "provider_reference"
CALLBACK_URL: Final = "callback_url"
CURSOR: Final = "cursor"
PAGE: Final = "page"
AMOUNTS: Final = frozenset({"amount", "amount_minor", "amount_decimal", NUMBER})
CURRENCIES: Final = frozenset({"currency", "currency_lower"})
PAYOUT: Final = (
    AMOUNTS
    | CURRENCIES
    | {REFERENCE, "terminal_id", PROVIDER_REFERENCE, CALLBACK_URL, DESTINATION}
)
"""What calls about a payout may say; and ``destination.`` with any name."""

ONLY_ALONE: Final = frozenset({DESTINATION, NUMBER})
"""What is no text: each is a leaf of its own in a body."""

CARD_TOKEN: Final = "card_token"  # noqa: S105 - a placeholder
DATE: Final = "date"
LINK_KEYS: Final = frozenset({"key", "task_id", "order_id"})
"""Whatever makes a repeat of a call about a card the same call."""

LINK: Final = LINK_KEYS | {
    *("n", "check", "partner", "queue_id", "merchant_id", "customer_id"),
    *(CARD_TOKEN, "card_bin", "card_country"),
}
"""What calls about a card may say."""

STATEMENT: Final = frozenset({"from", "to", "from_date", "to_date", CURSOR, PAGE})
SIGNED: Final = frozenset(
    {
        "method",
        "path",
        "query",
        "target",
        "timestamp",
        "nonce",
        "body",
        "body_sha256",
    }
)
SIGNATURE: Final = "signature"
SIGNING_HEADERS: Final = frozenset({"timestamp", "nonce", "body_sha256", SIGNATURE})


def is_known(name: str, vocabulary: frozenset[str]) -> bool:
    """True for a placeholder of the vocabulary."""
    if name.startswith(OF_DESTINATION):
        return DESTINATION in vocabulary
    return name in vocabulary
