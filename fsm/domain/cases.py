"""Cases: their stable ids, and how much money each of them may cost."""

from collections.abc import Mapping

from fsm.domain.ids import derived_id
from fsm.domain.money import Money
from fsm.engine.steps import Case
from fsm.engine.words import CaseKind

ONE_OPEN = frozenset({CaseKind.BALANCE_REFUSED, CaseKind.REFERENCE_MISMATCH})
"""Kinds of which a task has one open case, however often it happens again."""


def case_id(case: Case, version: int) -> str:
    """Return the id that belongs to what was said, or else to the step that heard it.

    A statement that is delivered again, under another id too, opens no second case.
    """
    return derived_id("case", case.kind, case.task_id, case.content or version)


def money_at_risk(case: Case, money: Money | None) -> int:
    """Return what may be lost, in minor units of the order's currency.

    Of an order that moves no money it is nothing. Where another amount was named it is
    the difference; in every other case, and for another currency, nothing less than the
    whole is certain.
    """
    if money is None:
        return 0
    evidence = case.detail.get("evidence")
    if case.kind is not CaseKind.AMOUNT_MISMATCH or not isinstance(evidence, Mapping):
        return money.amount
    said = evidence.get("amount")
    if not isinstance(said, int) or "currency" in evidence:
        return money.amount
    return abs(said - money.amount)
