"""docs/backup.md is followed with orders under way, and all of NATS lost."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

from payment_service.playground.embedded.postgres import FAST, installed_programs
from providers.testing.simulator import Book
from tests.chaos.books import at_rest
from tests.chaos.fleet import PROVIDER_NAMES
from tests.chaos.load import SWIFT
from tests.chaos.postgres import Node
from tests.docs.pages import DOCS, commands_of
from tests.playground.embedded.processes import memory_folder
from tests.processes.stage import REST_SECONDS_MAX, staged

pytestmark = pytest.mark.waits

PAGE = DOCS / "backup.md"
COMMAND_SECONDS_MAX = 60
PAID = "SELECT task_id::text FROM order_tasks WHERE state = 'SUCCEEDED'"
STRANGER = re.compile(
    r"WRONG \[\S+\] task (\S+): core or a provider has it, and we have no such task"
)
BEHIND = re.compile(r"WRONG \[providers\] order (\S+) task")
PAUSE = "for name in $PROVIDERS; do payment-service provider pause"
RESUME = "for name in $PROVIDERS; do payment-service provider resume"
# What is younger than the clocks may be apart is nobody's yet; here all is young.
VERIFY_NOW = (
    "python -c 'import sys; from datetime import timedelta;"
    " from payment_service.cli import entry_point, orphans;"
    " orphans.SKEW = timedelta(0); sys.exit(entry_point.main())'"
    " verify --core --providers"
)
VERIFY = "payment-service verify"


def shown(program):
    """Return the page's command that begins so; there is one."""
    [command] = [each for each in commands_of(PAGE) if each.startswith(program)]
    return command


class Shell:
    """Runs what the page shows, in a folder, for the database that is named."""

    def __init__(self, stage, folder):
        self.stage = stage
        self.folder = folder

    async def __call__(self, command, *, code=0, **given):
        path = f"{Path(sys.executable).parent}:{installed_programs()}"
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", command],
            cwd=self.folder,
            env={
                **self.stage.fleet.env,
                "PATH": f"{path}:{os.environ['PATH']}",
                **given,
            },
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


def is_named(line, cancelled):
    """Tell whether the page says of this offence what it is."""
    harmless = "it is SKIPPED and core has rolled back" in line
    return harmless or STRANGER.match(line) or any(q in line for q in cancelled)


def rows(stage, statement):
    with psycopg.connect(stage.fleet.database_url) as connection:
        return [row[0] for row in connection.execute(statement)]


def archive_folder():
    """Make a folder that PostgreSQL may write to, whoever it runs as."""
    folder = Path(mkdtemp(prefix="archive-", dir=memory_folder()))
    folder.chmod(0o777)
    return folder


def owned_alike(folder, other):
    """Give all in a folder to who owns the other: who may run PostgreSQL there."""
    owner = other.stat()
    for each in [folder, *folder.rglob("*")]:
        os.chown(each, owner.st_uid, owner.st_gid)


def new_server(stage, name):
    """Return a server of its own beside the one that is lost."""
    primary = stage.fleet.pair.primary
    node = Node(stage.fleet.folder / name, settings=FAST, max_connections=400)
    node.folder.mkdir(mode=0o711)
    shutil.copy2(primary.folder / "password", node.folder / "password")
    return node


async def stopped(stage):
    await asyncio.gather(*(each.stop() for each in stage.fleet.service.values()))


async def moved_to(stage, node):
    """Name the new server to everything that is started from now on."""
    stage.fleet.pair.primary.close()
    stage.fleet.pair.primary = node
    stage.fleet.env["PAYMENT_DATABASE_URL"] = node.url
    for process in stage.fleet.service.values():
        env = {**process.program.env, "PAYMENT_DATABASE_URL": node.url}
        process.program = replace(process.program, env=env)


async def started_again(stage):
    for process in stage.fleet.service.values():
        process.launch()
    await asyncio.gather(*(p.until_ready() for p in stage.fleet.service.values()))


async def test_what_was_under_way_goes_on_from_a_dump_and_an_empty_nats(tmp_path):
    async with staged(workers=2, rate=30.0, ways=SWIFT) as stage:
        shell = Shell(stage, tmp_path)
        async with stage.sending():
            await stage.accepted(60)
            await stopped(stage)
            await shell(shown("pg_dump"))
            node = Node(stage.fleet.folder / "new", settings=FAST, max_connections=400)
            await asyncio.to_thread(node.start)
            await moved_to(stage, node)
            await asyncio.to_thread(stage.fleet.nats.wipe)
            await shell(shown("pg_restore"))
            await shell(shown("payment-service migrate"))
            await shell(shown(VERIFY))
            await started_again(stage)
            await stage.accepted(20)

        await stage.judged()


async def test_a_base_backup_and_what_was_archived_since_lose_nothing(tmp_path):
    archive = archive_folder()
    keep = {**FAST, "archive_mode": "on", "archive_command": f"cp %p {archive}/%f"}
    try:
        async with staged(workers=2, rate=30.0, ways=SWIFT, postgres=keep) as stage:
            shell = Shell(stage, tmp_path)
            async with stage.sending():
                await stage.accepted(20)
                await shell(shown("pg_basebackup"))
                await stage.accepted(60)
                await stopped(stage)
                # A server that stops archives its last segment too.
                await asyncio.to_thread(stage.fleet.pair.primary.stop)
                node = new_server(stage, "new")
                await shell(shown("echo"), ARCHIVE=str(archive))
                shutil.move(tmp_path / "base", node.data_dir)
                owned_alike(node.data_dir, stage.fleet.pair.primary.data_dir)
                await asyncio.to_thread(node.start)
                await moved_to(stage, node)
                await asyncio.to_thread(stage.fleet.nats.wipe)
                await shell(shown(VERIFY))
                await started_again(stage)
                await stage.accepted(20)

            await stage.judged()
    finally:
        shutil.rmtree(archive)


async def test_an_old_dump_pays_nobody_twice_and_what_it_forgot_is_named(tmp_path):
    async with staged(workers=2, rate=30.0, ways=SWIFT) as stage:
        shell = Shell(stage, tmp_path)
        async with stage.sending():
            await stage.accepted(30)
            await shell(shown("pg_dump"))
            await stage.accepted(60)
        paid = {*rows(stage, PAID)}
        await stopped(stage)
        node = Node(stage.fleet.folder / "new", settings=FAST, max_connections=400)
        await asyncio.to_thread(node.start)
        await moved_to(stage, node)
        await asyncio.to_thread(stage.fleet.nats.wipe)
        await shell(shown("pg_restore"))
        forgotten = paid - {*rows(stage, "SELECT task_id::text FROM order_tasks")}
        every = {"PROVIDERS": " ".join(PROVIDER_NAMES)}

        await shell(shown(PAUSE), **every)
        before = await shell(VERIFY_NOW, code=1)
        await started_again(stage)
        key = {
            "PAYMENT_API_URL": stage.fleet.api_url,
            "PAYMENT_API_KEY": stage.fleet.keys["support"],
        }
        behind = sorted({*BEHIND.findall(before)})
        for queue_id in behind:
            cancel = shown("payment-service order cancel").replace("w-1001", queue_id)
            await shell(cancel, **key)
        await shell(shown(RESUME), **every)

        known = rows(stage, "SELECT count(*) FROM order_queues")[0]
        assert await at_rest(stage.fleet, orders=known, seconds=REST_SECONDS_MAX)
        after = await shell(VERIFY_NOW, code=1)
        book = Book(stage.fleet.books[1])
        assert max(book.executed_by_destination().values()) == 1
        assert forgotten
        assert forgotten <= {*STRANGER.findall(before)}
        assert behind
        wrong = [line for line in after.splitlines() if line.startswith("WRONG")]
        assert [line for line in wrong if not is_named(line, behind)] == []
