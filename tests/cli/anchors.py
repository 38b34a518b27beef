"""Takes anchors of a database and brings them out to a file, as the sweeper does."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg

from fsm.domain.anchors import FIRST_PREVIOUS, Head, Root, signed
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.seals import head_of, sealed_queue, sealed_task
from fsm.engine.records import replace
from handlers.anchor import send_anchors, take_anchors
from payment_service.storage.anchor_file import FileSink
from payment_service.storage.anchors import EVERY, PostgresAnchors, anchor_from
from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore

SECONDS_MAX = 60
NOW = timedelta()


def anchor(database_url, file, *, keys=UNKEYED):
    """Take anchors until all that is written is in them; bring them out."""
    asyncio.run(_anchored(database_url, file, keys))


async def _anchored(database_url, file, keys):
    database = Database(database_url)
    await database.open()
    try:
        book, began = PostgresAnchors(database, keys), datetime.now(UTC)
        async with asyncio.timeout(SECONDS_MAX):
            # Others use this server too: what they have begun has to end.
            while True:
                await take_anchors(book, every=NOW)
                found = await book.after(0, limit=100_000)
                if found[-1].complete_to >= began:
                    break
        await send_anchors(book, FileSink(file))
    finally:
        await database.close()


def seal_again(database_url, *, by):
    """Seal all rows anew as who has the key would: each stands at its last line."""
    sealed = asyncio.run(_sealed(database_url, by))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        for queue in sealed:
            of_queue = "UPDATE order_queues SET audit_hash = %s WHERE queue_id = %s"
            connection.execute(of_queue, [queue.audit_hash, queue.queue_id])
            for task in queue.tasks:
                of_task = "UPDATE order_tasks SET audit_hash = %s WHERE task_id = %s"
                connection.execute(of_task, [task.audit_hash, task.task_id])


async def _sealed(database_url, by):
    database = Database(database_url)
    await database.open()
    try:
        store = PostgresStore(database)
        rows = await database.run("SELECT queue_id::text FROM order_queues", {})
        orders = [await store.load(queue_id) for (queue_id,) in rows]
    finally:
        await database.close()
    return [_seal(o.queue, o.signature.key_id, by) for o in orders if o is not None]


def _seal(queue, key_id, by):
    tasks = tuple(
        sealed_task(task, head_of(task.audit_hash), key_id, by) for task in queue.tasks
    )
    queue = sealed_queue(queue, head_of(queue.audit_hash), key_id, by)
    return replace(queue, tasks=tasks)


def sign_again(database_url, *, by):
    """Write all anchors as who has the key would: over the heads that are left."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        previous = FIRST_PREVIOUS
        for row in connection.execute(EVERY).fetchall():
            old = anchor_from(row)
            root = Root()
            heads = connection.execute(
                "SELECT entity_id::text, queue_id::text, version, hash "
                "FROM anchor_heads WHERE n = %s ORDER BY entity_id",
                [old.n],
            )
            root.add(Head(*head) for head in heads)
            new = signed(
                by,
                n=old.n,
                at=old.at,
                complete_to=old.complete_to,
                root=root,
                previous=previous,
            )
            connection.execute(
                "UPDATE anchors SET heads = %s, root = %s, previous = %s, mac = %s "
                "WHERE n = %s",
                [new.heads, new.root, new.previous, new.mac, new.n],
            )
            previous = new.digest()
