"""Shows and sets from which amounts two decide, through the API."""

from typing import Final

from fsm.domain.money import AMOUNT_MAX, EXPONENTS, written
from fsm.domain.text import is_reason
from payment_service.cli.api_client import ask, required_access
from payment_service.cli.errors import Usage
from payment_service.cli.printing import (
    print_json,
    print_pairs,
    print_table,
    print_text,
)
from payment_service.cli.tables import Fall

NONE: Final = "none"
COLUMNS: Final = ("currency", "from", "effective", "proposed", "set_by", "reason")


def show(*, wide: bool, as_json: bool) -> int:
    """Print from which amounts two decide, and what waits for a second admin."""
    told = ask(required_access(), "GET", "four-eyes").body
    if as_json:
        print_json(told)
        return 0
    floor = told.get("floor")
    asks = "asks two from none on" if floor is None else f"asks two from {floor} on"
    print_text(f"PAYMENT_FOUR_EYES_FROM {asks} (minor units, every currency).")
    found = told.get("thresholds")
    rows = [
        [_cell(each.get(name), each.get("currency")) for name in COLUMNS]
        for each in (found if isinstance(found, list) else [])
    ]
    fall = Fall(first=("proposed", "set_by"), prose=("reason",))
    print_table(COLUMNS, rows, empty="", fall=fall, wide=wide)
    return 0


def put(amount: str, *, currency: str | None, reason: str, as_json: bool) -> int:
    """Set from which amount two decide."""
    wanted = _amount(amount)
    if currency is not None and currency not in EXPONENTS:
        raise Usage("--currency: must be one of ISO 4217, such as EUR")
    if not is_reason(reason):
        raise Usage("--reason: say why, in at most 2000 characters")
    body = {"from": wanted, "reason": reason}
    if currency is not None:
        body["currency"] = currency
    told = ask(required_access(), "POST", "four-eyes", body=body).body
    if as_json:
        print_json(told)
    else:
        print_pairs(told)
    return 0


def _amount(text: str) -> int | None:
    if text == NONE:
        return None
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(AMOUNT_MAX))
    if not is_number or not 1 <= int(text) <= AMOUNT_MAX:
        told = f"AMOUNT: minor units, 1 to {AMOUNT_MAX}, or {NONE}: none of its own"
        raise Usage(told)
    return int(text)


def _cell(value: object, currency: object) -> object:
    """Return an amount as people read it; what is proposed with who has."""
    if isinstance(value, dict):
        return f"{_cell(value.get('from'), currency)} by {value.get('by')}"
    if isinstance(value, int):
        return written(value, str(currency) if currency in EXPONENTS else None)
    return value
