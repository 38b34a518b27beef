"""What can be chosen on the desk, by whom it is done, and how an order ends by it.

How it ends is written down here and seen by a test, line by line; the rest is read off
the scripts and faults themselves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from payment_service.playground.desk.neighbours import BALANCES, FAULTS
from providers.testing.simulator import SCRIPTS, InjectedFault
from providers.testing.simulator.library import TOKEN_PREFIX
from providers.testing.simulator.wording import in_words

MONEY: Final[Mapping[str, Any]] = {"amount": 2_200, "currency": "EUR"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One line: who does what, by which word of the request, and how that ends.

    ``ends`` is the state of the order, the result of a partner link, or MANUAL_CHECK,
    where a person has to decide.
    """

    party: str
    chosen_by: str
    value: str
    does: str
    ends: str

    def request(self) -> dict[str, Any]:
        """Return a request without its order_id that chooses it."""
        return _request(self.party, self.value)


def _by_end(**names: str) -> dict[str, str]:
    """Return how an order ends, by the script."""
    return {each: end for end, each_of in names.items() for each in each_of.split()}


PAYOUTS: Final = _by_end(
    COMPLETED="""
        succeed accept_then_succeed silence_succeed hang_once commit_hang
        accept_hang commit_502 error_500_once commit_reset rate_limit drip
        garbage huge webhook_first webhook_twice out_of_order
        succeeded_then_failed return_after_success not_found_then_success
        duplicate_error duplicate_error_after_hang keys_expire cancel_too_late
    """,
    FAILED="""
        decline decline_unstored accept_then_fail silence_fail
        declined_by_polling decline_hang failed_then_succeeded
        failed_then_false_success
    """,
    MANUAL_CHECK="""
        accept_silence paid_unseen unknown_word hang error_500 reset
        wrong_amount wrong_currency forged_webhook days_late status_hang
        cancel_ok cancel_hang
    """,
)
CHARGES: Final = _by_end(
    COMPLETED="""
        succeed accept_then_succeed silence_succeed hang_once commit_hang
        commit_502 error_500_once commit_reset rate_limit garbage
        not_found_then_success duplicate_error_after_hang
    """,
    FAILED="""
        decline accept_then_fail silence_fail decline_hang error_500 reset
    """,
    MANUAL_CHECK="""
        accept_silence paid_unseen unknown_word wrong_amount wrong_currency
    """,
)
STEPS: Final = _by_end(
    COMPLETED="""
        succeed accept_then_succeed silence_succeed commit_hang commit_502
        error_500_once commit_reset rate_limit garbage
    """,
    FAILED="""
        decline accept_then_fail accept_silence unknown_word decline_hang
        error_500 reset
    """,
    MANUAL_CHECK="""
        cancel_hang
    """,
)
LINKS: Final = _by_end(
    linked="""
        succeed accept_then_succeed hang_once commit_hang error_500_once
        commit_reset garbage
    """,
    not_eligible="""
        decline accept_then_fail decline_hang
    """,
    expired="""
        accept_silence paid_unseen unknown_word error_500 reset
    """,
)
CORE: Final[Mapping[str, str]] = {
    "m-poor": "FAILED",
    "m-core-slow": "COMPLETED",
    "m-core-lost": "COMPLETED",
    "m-core-refuses": "MANUAL_CHECK",
}
OTHERS: Final[Mapping[str, tuple[str, str]]] = {
    "tok_sim:acme=decline,zeta=succeed": ("a script for each provider", "COMPLETED"),
    "tok_sim:decline?code=limit": ("a script with a field of one's own", "FAILED"),
    "anything else": ("succeeds at once", "COMPLETED"),
}


def choices() -> Iterator[Choice]:
    """Return all that can be chosen, by party."""
    for token, (does, ends) in OTHERS.items():
        yield _choice("provider", token, does, ends)
    for party, prefix, ends_of in (
        ("provider", "", PAYOUTS),
        ("charge", "acme=", CHARGES),
        ("service", "delivery=", STEPS),
        ("partner", "", LINKS),
    ):
        tail = ",zeta=decline" if party == "charge" else ""
        for name, script in SCRIPTS.items():
            if name in ends_of:
                token = f"{TOKEN_PREFIX}{prefix}{name}{tail}"
                yield _choice(party, token, in_words(script), ends_of[name])
    for merchant, ends in CORE.items():
        yield _choice("core", merchant, _at_core(merchant), ends)


def _choice(party: str, value: str, does: str, ends: str) -> Choice:
    chosen_by = CHOSEN_BY[party]
    return Choice(party=party, chosen_by=chosen_by, value=value, does=does, ends=ends)


CHOSEN_BY: Final[Mapping[str, str]] = {
    "provider": "destination.token",
    "charge": "payment_method.token",
    "service": "payment_method.token",
    "partner": "card.token",
    "core": "merchant_id",
}


def _at_core(merchant: str) -> str:
    if merchant in BALANCES:
        return f"has {BALANCES[merchant]} to spend: a freeze is refused"
    return _fault_in_words(FAULTS[merchant])


def _fault_in_words(fault: InjectedFault) -> str:
    which = "every call" if fault.operation == "*" else f"every {fault.operation}"
    often = "" if fault.probability == 1 else f" with chance {fault.probability:g}"
    how = {
        "slow": f"takes {fault.delay:g} s",
        "applied_drop": "is done, and its answer lost",
        "refuse": f"is refused: {fault.code}",
    }
    return f"{which} {how[fault.kind]}{often}"


def _request(party: str, value: str) -> dict[str, Any]:
    who = {"merchant_id": "m-1", "customer_id": "c-1"}
    match party:
        case "core":
            who["merchant_id"], token = value, f"{TOKEN_PREFIX}succeed"
        case "partner":
            card = {"token": value, "bin": "451012", "country": "CA"}
            return {**who, "partner": "northbank", "card": card}
        case "charge" | "service":
            item = {"sku": "sku-1", "quantity": 2, "unit_amount": 1_100}
            method = {"type": "card", "token": value}
            told = {"payment_method": method, "items": [item], "delivery": {}}
            return {**who, **MONEY, **told}
        case _:
            token = value
    cascade = [{"provider": "acme"}]
    if value == "tok_sim:acme=decline,zeta=succeed":
        cascade.append({"provider": "zeta"})
    told = {"destination": {"type": "card", "token": token}, "cascade": cascade}
    return {**who, **MONEY, **told}
