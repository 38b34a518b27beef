"""Runs migrations on the connection that ``payment_service.storage.migrate`` gives."""

from alembic import context

from payment_service.storage.tables import METADATA


def run() -> None:
    """Run every pending migration, each in its own transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        transaction_per_migration=True,
        compare_server_default=False,
        include_object=_is_ours,
    )
    with context.begin_transaction():
        context.run_migrations()


def _is_ours(
    _object: object, name: str | None, kind: str, _reflected: object, _other: object
) -> bool:
    """Leave the partitions of the audit trail to the sweeper that makes them."""
    partition = (name or "").startswith("order_task_events_")
    return not (kind in {"table", "index"} and partition)


run()
