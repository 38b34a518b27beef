"""`case`: contradictions listed, assigned, settled, closed."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

from fsm.engine.words import CaseKind, CaseState
from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import (
    CaseId,
    Cursor,
    Evidence,
    Json,
    Limit,
    Reason,
    Why,
    Wide,
    choice,
    option,
)

group = new_group("Contradictions that a person has to look at.")


@command(group, "list", "case list --state open")
def case_list(  # noqa: PLR0917 - an option is a parameter to typer
    state: Annotated[
        CaseState | None, choice("--state", CaseState, text="Of the case")
    ] = None,
    kind: Annotated[
        CaseKind | None, choice("--kind", CaseKind, text="Of the case")
    ] = None,
    owner: Annotated[str | None, option("--owner", text="Whose it is.")] = None,
    queue_id: Annotated[str | None, option("--queue", text="Of the order.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    wide: Wide = False,
    as_json: Json = False,
) -> int:
    """List cases, newest first, with what each may cost."""
    from payment_service.cli import cases

    return cases.list_(
        state=state,
        kind=kind,
        owner=owner,
        queue_id=queue_id,
        limit=limit,
        cursor=cursor,
        wide=wide,
        as_json=as_json,
    )


@command(group, "show", "case show 0195f1de-7c1a")
def case_show(case_id: CaseId, as_json: Json = False) -> int:
    """Show a case with its order, why each attempt was made, and what can be done."""
    from payment_service.cli import case_shown

    return case_shown.show(case_id, as_json=as_json)


@command(group, "assign", "case assign 0195f1de-7c1a --owner anna")
def case_assign(
    case_id: CaseId,
    owner: Annotated[str, option("--owner", text="Who looks after it from now on.")],
    reason: Why = None,
    as_json: Json = False,
) -> int:
    """Make somebody the owner of a case."""
    from payment_service.cli import cases

    return cases.assign(case_id, owner=owner, reason=reason, as_json=as_json)


@command(
    group,
    "settle",
    'case settle "$CASE_ID" --reason "returned"',
)
def case_settle(
    case_id: CaseId, reason: Reason, evidence: Evidence = None, as_json: Json = False
) -> int:
    """Have core take back a payout that was returned; a large one takes two.

    Without PAYMENT_API_URL and PAYMENT_API_KEY it is only proposed.
    """
    from payment_service.cli import decisions

    return decisions.settle(case_id, reason=reason, evidence=evidence, as_json=as_json)


@command(
    group,
    "close",
    'case close "$CASE_ID" --reason "refunded"',
)
def case_close(case_id: CaseId, reason: Reason, as_json: Json = False) -> int:
    """Close a case that has been dealt with.

    Without PAYMENT_API_URL and PAYMENT_API_KEY it is only proposed.
    """
    from payment_service.cli import decisions

    return decisions.close(case_id, reason=reason, as_json=as_json)


@command(
    group,
    "withdraw",
    'case withdraw "$CASE_ID" --reason "a typo"',
)
def case_withdraw(
    case_id: CaseId,
    reason: Reason,
    closing: Annotated[bool, option("--closing", text="The vote to close it.")] = False,
    as_json: Json = False,
) -> int:
    """Take your own vote on a returned payout back, or the one to close a case."""
    from payment_service.cli import decisions

    call = "close" if closing else "settle"
    return decisions.withdraw("cases", case_id, call, reason=reason, as_json=as_json)
