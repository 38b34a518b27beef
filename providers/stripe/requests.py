"""What is asked of Stripe: forms, from nothing but the payout and its table.

The same payout always makes the same form: Stripe compares a repeated create with the
first one of its key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from providers.config.stripe import Makes, StripeTable
from providers.port import Payout
from providers.stripe.amounts import NotPayable, theirs

CARD: Final = "card"

Form = Mapping[str, str]

_ID: Final = r"[A-Za-z0-9_]{1,64}"
_TARGETS: Final[Mapping[Makes, re.Pattern[str]]] = {
    "payout": re.compile(rf"(?:(acct_{_ID})/)?((?:ba|card)_{_ID})", re.ASCII),
    "payment_intent": re.compile(
        rf"(?:(cus_{_ID})/)?((?:pm|card|src)_{_ID})", re.ASCII
    ),
}


@dataclass(frozen=True, slots=True)
class StripeDestination:
    """Where a token leads: an account, card or method of Stripe's, and whose it is.

    The token is ``ba_…`` or ``acct_…/ba_…`` (a connected account's) for payouts,
    ``pm_…`` or ``cus_…/pm_…`` (saved with a customer) for payment intents.
    """

    id: str = field(repr=False)
    owner: str | None = field(repr=False)

    def secrets(self) -> dict[str, str]:
        """Return what must not be shown, as a destination's values are not."""
        return {"id": self.id, "owner": self.owner or ""}


def target_of(payout: Payout, making: StripeTable) -> StripeDestination:
    """Read the token of a destination.

    :raises NotPayable: it is none; a payout without one would go to our own account.
    """
    token = payout.destination.get("token", "")
    found = _TARGETS[making.makes].fullmatch(token)
    if found is None:
        raise NotPayable(f"the destination's token is none of a {making.makes}")
    if making.makes == "payout" and making.connect is not bool(found[1]):
        wanted = "must" if making.connect else "must not"
        raise NotPayable(f"the destination {wanted} be a connected account's")
    return StripeDestination(id=found[2], owner=found[1])


def create_form(payout: Payout, making: StripeTable) -> Form:
    """Return what a create says.

    :raises NotPayable: it cannot be said.
    """
    target = target_of(payout, making)
    form = {
        "amount": str(theirs(payout.money, making.makes)),
        "currency": payout.money.currency.lower(),
        "metadata[reference]": payout.reference,
    }
    if payout.terminal_id is not None:
        form["metadata[terminal_id]"] = payout.terminal_id
    return form | (
        _payout(target, making)
        if making.makes == "payout"
        else _payment_intent(target, making)
    )


def _payout(target: StripeDestination, making: StripeTable) -> dict[str, str]:
    said = {
        "destination": target.id,
        "method": making.method,
        "source_type": making.source_type,
        "statement_descriptor": making.statement_descriptor,
    }
    return {name: value for name, value in said.items() if value is not None}


def _payment_intent(target: StripeDestination, making: StripeTable) -> dict[str, str]:
    """Confirm it at once, with nobody there: what needs a person is declined."""
    types = making.payment_method_types or (CARD,)
    listed = {f"payment_method_types[{n}]": kind for n, kind in enumerate(types)}
    owner = {} if target.owner is None else {"customer": target.owner}
    method = {"payment_method": target.id, "confirm": "true", "off_session": "true"}
    return method | owner | listed
