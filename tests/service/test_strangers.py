"""Two versions side by side: what one does not know waits for the one that does."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from typing import Any

import orjson
import psycopg
import pytest

from fsm.domain.keys import KeyRole
from payment_service.cli.doctor import parked as doctor_parked
from payment_service.cli.doctor.findings import Area, Severity
from payment_service.storage import parked
from payment_service.storage.database import Database as StoreDatabase
from tests.handlers.test_chores import helped, helpers
from tests.service.stage import a_withdrawal, staged

__all__ = ["helped", "helpers"]
CONFIG = """
[providers.acme]
adapter = "rest"
base_url = "http://127.0.0.1:9"
timeout = "1s"
sla = "5s"
"""
# What a newer version's schema would let in.
OPENED = (
    "ALTER TABLE order_queues DISABLE TRIGGER USER",
    "ALTER TABLE order_tasks DISABLE TRIGGER USER",
    "ALTER TABLE order_queues DROP CONSTRAINT ck_order_queues_kind",
    "ALTER TABLE order_queues DROP CONSTRAINT ck_order_queues_state",
    "ALTER TABLE order_queues DROP CONSTRAINT ck_order_queues_finished",
    "ALTER TABLE order_queues DROP CONSTRAINT ck_order_queues_waiting_for",
    "ALTER TABLE order_queues DROP CONSTRAINT ck_order_queues_waits",
    "ALTER TABLE order_tasks DROP CONSTRAINT ck_order_tasks_state",
    "ALTER TABLE order_tasks DROP CONSTRAINT ck_order_tasks_waits",
    "ALTER TABLE order_tasks DROP CONSTRAINT ck_order_tasks_waiting_for",
    "ALTER TABLE order_tasks DROP CONSTRAINT ck_order_tasks_verdict",
)
WORDS = {
    "kind tomorrow": ("order_queues", "kind", "tomorrow"),
    "flow withdrawal@77": ("order_queues", "flow_version", 77),
    "order state RESTING": ("order_queues", "state", "RESTING"),
    "order wait tea": ("order_queues", "waiting_for", "tea"),
    "lifecycle tomorrow": ("order_tasks", "lifecycle", "tomorrow"),
    "step withdrawal@1/7": ("order_tasks", "step", 7),
    "state RESTING": ("order_tasks", "state", "RESTING"),
    "wait payout/tea": ("order_tasks", "waiting_for", "tea"),
    "verdict perhaps": ("order_tasks", "verdict", "perhaps"),
}
"""What is said of a word, and where it is planted."""

ROWS = """
SELECT q.*, t.* FROM order_queues q JOIN order_tasks t USING (queue_id)
ORDER BY t.position
"""


PARKED_BY_HAND = """
INSERT INTO parked (id, words, subject, body, headers) VALUES (gen_random_uuid(),
    '{subject withdrawal.requested}', 'withdrawal.requested',
    convert_to('%s', 'UTF8'), '{}')
"""


class Database:
    """The rows, as another version's hands would write them."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def run(self, *statements: str) -> list[Any]:
        """Run statements; return what the last one does."""
        connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        async with connection:
            for statement in statements:
                cursor = await connection.execute(statement.encode())
            return await cursor.fetchall() if cursor.description else []

    async def parked(self) -> list[Any]:
        """Return the words of what is parked."""
        return await self.run("SELECT words, subject FROM parked")

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int((await self.run(f"SELECT count(*) FROM {table}"))[0][0])  # noqa: S608


@pytest.fixture
def database(database_url):
    return Database(database_url)


@asynccontextmanager
async def older(database_url, nats_url, prefix, folder):
    """Run a process of the version that knows no chores: worker and sweeper."""
    config = folder / "older.toml"
    config.write_text(CONFIG)
    env = {
        **os.environ,
        "PAYMENT_DATABASE_URL": database_url,
        "PAYMENT_NATS_URL": nats_url,
        "PAYMENT_SUBJECT_PREFIX": prefix,
        "PAYMENT_CORE_URL": "http://127.0.0.1:9",
        "PAYMENT_CORE_TOKEN": "core-token",
        "PAYMENT_CONFIG": str(config),
        "PAYMENT_SWEEP_INTERVAL": "200ms",
        "PAYMENT_SWEEP_GRACE": "300ms",
        "PAYMENT_METRICS_PORT": "0",
    }

    async def command(*args, **given):
        args = ("-m", "payment_service", *args)
        return await asyncio.create_subprocess_exec(
            sys.executable, *args, env=env, **given
        )

    async def verified():
        verify = await command("verify", "--json", stdout=asyncio.subprocess.PIPE)
        out, _ = await verify.communicate()
        return orjson.loads(out)

    process = await command("run", "--roles", "worker,sweeper,relay")
    try:
        yield process, verified
    finally:
        process.terminate()
        await process.wait()


async def test_orders_that_only_the_newer_knows_are_parked_by_the_older_and_made(
    helpers, granted, nats_server, subject_prefix, tmp_path, database
):
    del helpers
    given = (granted.service, nats_server.url, subject_prefix)
    async with (
        older(*given, tmp_path) as (process, verified),
        staged(*given, roles={"api"}, rest=False, documented=False) as door,
    ):
        for number in range(5):
            await door.call(
                "POST",
                "/v1/withdrawals",
                role=KeyRole.UPSTREAM,
                body=a_withdrawal(f"w-{number}"),
            )
        await door.until(lambda: all_parked(database, 5))
        before = await database.run(ROWS)
        await asyncio.sleep(2)  # ten sweeps of the older

        assert await database.run(ROWS) == before
        assert process.returncode is None
        report = await verified()
        assert (report["offences"], len(report["notes"])) == ([], 5)
        assert "knows no flow withdrawal@99, no lifecycle wash" in report["notes"][0]
        async with staged(*given, roles={"worker"}, rest=False, documented=False):
            for number in range(5):
                order = await door.final(f"w-{number}")
                assert order["state"] == "COMPLETED"
            await door.until(lambda: all_parked(database, 0))
        assert await database.count("dead_letters") == 0
        assert await database.count("cases") == 0


class Change:
    """Plants a word in a task's row, or its order's, and puts back what was there."""

    def __init__(self, task_id: str, table: str, column: str, value: object) -> None:
        key = "task_id" if table == "order_tasks" else "queue_id"
        where = f"{key} = (SELECT {key} FROM kept)"  # noqa: S608
        self.keep = (
            f"CREATE TABLE kept AS SELECT r.{key}, r.{column} FROM {table} r "  # noqa: S608
            f"JOIN order_tasks t USING ({key}) WHERE t.task_id = '{task_id}'"
        )
        self.plant = f"UPDATE {table} SET {column} = '{value}' WHERE {where}"  # noqa: S608
        self.restore = (
            f"UPDATE {table} SET {column} = (SELECT {column} FROM kept) "  # noqa: S608
            f"WHERE {where}"
        )


async def all_parked(database, count):
    return await database.count("parked") == count


@pytest.fixture
async def stage(granted, nats_server, subject_prefix):
    async with staged(
        granted.service, nats_server.url, subject_prefix, schedules=False
    ) as running:
        yield running


@pytest.mark.parametrize("word", WORDS)
async def test_a_word_that_nobody_knows_stops_its_order_and_nothing_else(
    stage, database, word, monkeypatch
):
    await stage.ask(a_withdrawal("w-1", "manual"))
    held = await stage.task_in("w-1", "MANUAL_CHECK")
    change = Change(held["task_id"], *WORDS[word])
    await database.run(*OPENED, change.keep, change.plant)
    before = await database.run(ROWS)

    await stage.publish(
        "order.task.step.due",
        {"queue_id": str(before[0][0]), "task_id": held["task_id"], "version": 1},
    )
    await stage.until(lambda: all_parked(database, 1))

    assert await database.parked() == [([word], None)]
    assert await database.run(ROWS) == before
    status, told = await stage.call("GET", "/v1/orders/w-1", role="viewer")
    assert (status, f"knows no {word}" in told["detail"]) == (409, True)
    status, _ = await stage.call("GET", "/v1/orders", role="viewer")
    assert status == 200
    assert await database.count("dead_letters") == 0
    assert await database.count("cases") == 0
    monkeypatch.setattr(parked, "LOOK_AGAIN", parked.LOOK_AGAIN * 0)
    await database.run(change.restore)
    await stage.until(lambda: all_parked(database, 0))
    assert (await stage.order("w-1"))["state"] == "ACTIVE"


async def test_what_is_parked_is_told_to_who_asks_and_decided_by_nobody(
    stage, database, granted
):
    await stage.ask(a_withdrawal("w-1", "manual"))
    held = await stage.task_in("w-1", "MANUAL_CHECK")
    change = Change(held["task_id"], *WORDS["lifecycle tomorrow"])
    await database.run(*OPENED, change.keep, change.plant)
    before = await database.run(ROWS)
    wake_up = {"queue_id": str(before[0][0]), "task_id": held["task_id"], "version": 1}
    await stage.publish("order.task.step.due", wake_up)
    await stage.until(lambda: all_parked(database, 1))
    why = {"reason": "asked for"}
    paid = {"decision": "positive", "evidence": "paper", **why}

    for path, body in (
        ("/v1/orders/w-1/cancel", why),
        (f"/v1/tasks/{held['task_id']}/cancel", why),
        (f"/v1/tasks/{held['task_id']}/resolution", paid),
    ):
        status, told = await stage.call("POST", path, role="support", body=body)
        assert (status, "no lifecycle tomorrow" in told["detail"]) == (409, True), told

    assert await database.run(ROWS) == before
    await stage.until(lambda: is_counted(stage, 'parked{word="lifecycle"} 1.0'))
    store = StoreDatabase(granted.service)
    await store.open()
    (finding,) = await doctor_parked.check(Area("work"), store)
    await store.close()
    assert finding.state is Severity.ADVICE
    assert "1 orders, as queue" in finding.told
    assert "knows lifecycle tomorrow" in finding.told


async def is_counted(stage, line):
    async with stage.http.get(f"{stage.url}/metrics") as answer:
        return line in await answer.text()


async def test_a_subject_of_another_version_waits_for_it_and_is_no_dead_letter(
    stage, database, monkeypatch
):
    await stage.publish(
        "order.queue.refund.due", {"queue_id": "x"}, traceparent="00-a-b-01"
    )
    await stage.until(lambda: all_parked(database, 1))

    assert await database.parked() == [
        (["subject order.queue.refund.due"], "order.queue.refund.due")
    ]
    assert await database.count("dead_letters") == 0
    monkeypatch.setattr("handlers.parked.MESSAGES_KEPT", parked.LOOK_AGAIN * 0)
    await stage.until(lambda: all_parked(database, 0))
    assert await database.count("dead_letters") == 1


@pytest.mark.attack("bus", "Subjects of no version fill nothing: the rest is buried")
async def test_more_messages_of_no_version_than_may_wait_are_dead_letters(
    stage, database, monkeypatch
):
    monkeypatch.setattr(parked, "MESSAGES_MAX", 2)

    async def dealt_with():
        parked_now = await database.count("parked")
        return parked_now, await database.count("dead_letters")

    for number in range(1, 5):
        await stage.publish("order.queue.refund.due", {"number": number})
        await stage.until(lambda so_far=number: is_all(dealt_with, so_far))

    assert await dealt_with() == (2, 2)


async def is_all(dealt_with, count):
    return sum(await dealt_with()) == count


@pytest.mark.attack("database", "Who parks a request there asks for nothing by it")
async def test_a_request_that_another_hand_has_parked_is_not_made(stage, database):
    body = orjson.dumps(a_withdrawal("w-forged")).decode()
    await database.run(PARKED_BY_HAND % body)
    await stage.until(lambda: all_parked(database, 0))

    assert await database.run("SELECT error FROM dead_letters") == [
        ("another hand has parked it",)
    ]
    assert await database.count("order_queues") == 0


async def test_an_order_that_another_hand_has_parked_is_looked_at_and_goes_on(
    stage, database, monkeypatch
):
    """Who may write there stops no order by it for longer than that."""
    monkeypatch.setattr(parked, "LOOK_AGAIN", parked.LOOK_AGAIN * 0)
    await stage.ask(a_withdrawal("w-1", "manual"))
    await stage.task_in("w-1", "MANUAL_CHECK")
    await database.run(
        "INSERT INTO parked (id, words) SELECT queue_id, '{state X}' FROM order_queues"
    )

    await stage.until(lambda: all_parked(database, 0))
