"""`task`: manual checks decided, attempts given up."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

import typer

from payment_service.cli.commands.options import (
    Evidence,
    Json,
    Reason,
    TaskId,
    new_group,
    option,
)

group = new_group("Attempts at one provider that a person must decide.")


@group.command("cancel")
def task_cancel(task_id: TaskId, reason: Reason, as_json: Json = False) -> int:
    """Give up one attempt; the order goes on with the next.

    Without PAYMENT_API_URL and PAYMENT_API_KEY it is only proposed.
    """
    from payment_service.cli import decisions

    return decisions.cancel_task(task_id, reason=reason, as_json=as_json)


@group.command("withdraw")
def task_withdraw(task_id: TaskId, reason: Reason, as_json: Json = False) -> int:
    """Take your own vote on a manual check back."""
    from payment_service.cli import decisions

    return decisions.withdraw(
        "tasks", task_id, "resolution", reason=reason, as_json=as_json
    )


@group.command("resolve")
def task_resolve(
    task_id: TaskId,
    decision: Annotated[str, typer.Argument(help="positive: paid; or negative.")],
    reason: Reason,
    evidence: Evidence = None,
    settled_by_hand: Annotated[
        bool,
        option(
            "--settled-by-hand",
            text="Core has refused, and its books were set right by hand.",
        ),
    ] = False,
    as_json: Json = False,
) -> int:
    """Decide a manual check; a large one takes a second person.

    Without PAYMENT_API_URL and PAYMENT_API_KEY it is only proposed.
    """
    from payment_service.cli import decisions

    return decisions.resolve(
        task_id,
        decision,
        reason=reason,
        evidence=evidence,
        by_hand=settled_by_hand,
        as_json=as_json,
    )
