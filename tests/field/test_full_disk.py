"""A disk without room: told while it lasts, and over when there is some."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from fsm.domain.errors import StoreUnavailable
from payment_service.playground.embedded.postgres import UNPRIVILEGED
from payment_service.storage import database as storage
from payment_service.storage import migrate
from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore
from tests.field.cluster import a_server
from tests.storage.builders import a_new_order

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a disk is mounted by root")
ORDERS_MAX = 10_000
MOUNT, UNMOUNT = "/bin/mount", "/bin/umount"


def mount(folder, size, *options):
    how = ",".join((*options, f"size={size}", "mode=777"))
    subprocess.run([MOUNT, "-t", "tmpfs", "-o", how, "tmpfs", folder], check=True)


async def fill(store):
    for number in range(ORDERS_MAX):
        await store.submit(a_new_order(order_id=f"w-{number}"))


@pytest.fixture
def disk():
    """Give a folder that holds a megabyte, and that PostgreSQL may reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    mount(folder, "1m")
    tables = folder / "tables"
    tables.mkdir()
    shutil.chown(tables, UNPRIVILEGED)
    yield folder
    subprocess.run([UNMOUNT, folder], check=True)
    folder.rmdir()


async def test_a_full_disk_is_told_until_there_is_room(disk, monkeypatch):
    monkeypatch.setattr(storage, "WRITTEN_FOR_SECONDS", 0)
    with a_server() as server:
        migrate.upgrade(server.url)
        with psycopg.connect(server.url, autocommit=True) as connection:
            made = sql.SQL("CREATE TABLESPACE small LOCATION {}")
            connection.execute(made.format(f"{disk}/tables"))
            connection.execute("ALTER TABLE order_queues SET TABLESPACE small")
        database = Database(server.url)
        await database.open()
        store = PostgresStore(database)
        await database.require_write()

        with pytest.raises(StoreUnavailable, match="make room"):
            await fill(store)
        with pytest.raises(StoreUnavailable, match=r"takes no write.*No space left"):
            await database.require_write()

        mount(disk, "8m", "remount")
        assert (await store.submit(a_new_order(order_id="w-last"))).status == "accepted"
        await database.require_write()
        await database.close()
