"""`task`: manual checks decided, attempts given up."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated, Literal

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import (
    Evidence,
    Json,
    Reason,
    TaskId,
    argument,
    option,
)

group = new_group("Attempts at one provider that a person must decide.")


@command(group, "cancel", 'task cancel "$TASK_ID" --reason "stuck"')
def task_cancel(task_id: TaskId, reason: Reason, as_json: Json = False) -> int:
    """Give up one attempt; the order goes on with the next.

    Without PAYMENT_API_URL and PAYMENT_API_KEY it is only proposed.
    """
    from payment_service.cli import decisions

    return decisions.cancel_task(task_id, reason=reason, as_json=as_json)


@command(
    group,
    "withdraw",
    'task withdraw "$TASK_ID" --reason "a typo"',
)
def task_withdraw(task_id: TaskId, reason: Reason, as_json: Json = False) -> int:
    """Take your own vote on a manual check back."""
    from payment_service.cli import decisions

    return decisions.withdraw(
        "tasks", task_id, "resolution", reason=reason, as_json=as_json
    )


@command(
    group,
    "resolve",
    'task resolve "$TASK_ID" positive --reason "in the statement"',
)
def task_resolve(
    task_id: TaskId,
    decision: Annotated[
        Literal["positive", "negative"],
        argument("DECISION", text="positive: it was paid; negative: it was not."),
    ],
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
