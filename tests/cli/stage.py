"""Runs the command line as a process, on orders that the real engine has driven."""

import asyncio
import io
import json
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from fsm.domain.audit import GENESIS, hash_of
from fsm.domain.audit_keys import UNKEYED
from fsm.engine.words import OrderState, State
from fsm.invariants import Line
from handlers.claims import Claims
from handlers.commit import Ports
from handlers.drive import drive, next_due
from handlers.flows import FLOWS
from handlers.submit import submit
from payment_service.cli import main
from payment_service.storage.clock import DatabaseClock
from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore
from payment_service.wire.withdrawal import read_withdrawal
from providers.config import parse_config
from providers.core import HttpCore
from providers.http.outbound import Outbound
from providers.registry import build_providers
from providers.testing.simulator import SimulatedProvider, Simulator
from providers.testing.simulator.core import SimulatedCore
from tests.forks import Piped, forks

ROOT = Path(__file__).parents[2]
TOKEN = "core-token-canary"
PROVIDERS = ("acme", "zeta", "nova")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
# Until what never comes is given up: no promise, for a busy machine takes its time.
SECONDS_MAX = 120
TABLE = """
[providers.{name}]
adapter = "rest"
base_url = "{url}"
timeout = "500ms"
not_found_grace = "600ms"
sla = "200ms"
webhook = {{ scheme = "standard", secrets = ["${{SECRET_OF_PROVIDERS}}"] }}
poll = {{ first = "100ms", max = "200ms", deadline = "1s" }}
recheck = {{ first = "50ms", max = "100ms", attempts = 3 }}
"""


@dataclass
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass
class Shell:
    """A terminal with an environment of its own, in an empty folder."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *args: str, **more: str) -> Answer:
        """Run a command to its end, in a process of its own."""
        env = self.environment(**more)
        if forks().serves(env):
            done = forks().run(args, cwd=self.folder, env=env, timeout=SECONDS_MAX)
        else:
            done = self.started(*args, **more)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return Answer(done.returncode, out, err)

    def started(self, *args: str, **more: str) -> subprocess.CompletedProcess[bytes]:
        """Start the interpreter for a command, and run it to its end."""
        return subprocess.run(
            self.argv(*args),
            cwd=self.folder,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    def start(self, *args: str, **more: str) -> subprocess.Popen[str] | Piped:
        """Start a command that goes on."""
        env = self.environment(**more)
        if forks().serves(env):
            return forks().piped(args, cwd=self.folder, env=env)
        return subprocess.Popen(
            self.argv(*args),
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def argv(*args: str) -> list[str]:
        return [sys.executable, "-m", "payment_service", *args]

    def environment(self, **more: str) -> dict[str, str]:
        known = {n: v for n, v in os.environ.items() if not n.startswith("PAYMENT_")}
        return {**known, "PYTHONPATH": str(ROOT), **self.env, **more}


@dataclass
class Here(Shell):
    """The same terminal in this process: a command takes no second to start."""

    def __call__(self, *args: str, **more: str) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        wanted = self.environment(**more)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name in {*os.environ} - {*wanted}:
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = main(args)
        return Answer(code, out.getvalue(), err.getvalue())


@dataclass
class World:
    """The neighbours of a database, and the engine that works on it."""

    core: SimulatedCore
    simulator: Simulator
    ports: Ports
    config: str

    async def order(self, order_id, script="succeed", **changes):
        """Submit an order and drive it until it rests."""
        return await self._rest(await self.submitted(order_id, script, **changes))

    async def submitted(self, order_id, script="succeed", **changes):
        """Submit an order, and no more; return the id of its queue."""
        body = {
            "order_id": order_id,
            "merchant_id": "m-1",
            "customer_id": "c-9",
            "amount": 12550,
            "currency": "EUR",
            "destination": {"type": "card", "token": f"tok_sim:{script}#{order_id}"},
            "cascade": [{"provider": name} for name in PROVIDERS],
            **changes,
        }
        request = read_withdrawal(json.dumps(body).encode(), PROVIDERS)
        done = await submit(
            request, ports=self.ports, actor="key:test", trace_parent=None
        )
        return done.queue_id

    async def _rest(self, queue_id):
        ports = self.ports
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                order = await ports.store.load(queue_id)
                assert order is not None
                if order.queue.final and order.queue.wake_at is None:
                    return order
                if any(t.state is State.MANUAL_CHECK for t in order.queue.tasks):
                    return order
                if next_due(order, ports) is None:
                    await asyncio.sleep(0.02)
                    continue
                claims = Claims(taken_at=ports.clock.elapsed())
                await drive(order, ports=ports, claims=claims)


async def with_world(database_url, work, *, keys=UNKEYED):
    """Give ``work`` a world around the database; return what it returns."""
    async with AsyncExitStack() as stack:
        core = SimulatedCore(token=TOKEN)
        await core.start("127.0.0.1", 0)
        stack.push_async_callback(core.stop)
        simulator = Simulator(
            [SimulatedProvider(name=n) for n in PROVIDERS], scale=0.001
        )
        await simulator.start("127.0.0.1", 0)
        stack.push_async_callback(simulator.stop)
        database = Database(database_url)
        await database.open()
        stack.push_async_callback(database.close)
        clock = DatabaseClock(database)
        await clock.calibrate()
        outbound = await stack.enter_async_context(Outbound())
        text = "".join(
            TABLE.format(name=n, url=simulator.base_url(n)) for n in PROVIDERS
        )
        config = parse_config(
            text,
            ack_wait=timedelta(seconds=30),
            environment={"SECRET_OF_PROVIDERS": SECRET},
        )
        ports = Ports(
            flows=FLOWS,
            store=PostgresStore(database, keys=keys),
            core=HttpCore(
                outbound,
                base_url=core.url,
                token=TOKEN,
                timeout=timedelta(seconds=2),
            ),
            providers=build_providers(config, outbound),
            clock=clock,
            keys=keys,
        )
        return await work(World(core, simulator, ports, text))


def fill(database_url):
    """Put good orders of every kind into the database; return them by order_id."""

    async def work(world):
        kinds = {
            "w-paid": "succeed",
            "w-declined": "decline",
            "w-lost": "commit_hang",
            "w-silent": "accept_silence",
        }
        orders = [await world.order(name, script) for name, script in kinds.items()]
        return {order.order_id: order for order in orders}

    orders = asyncio.run(with_world(database_url, work))
    assert orders["w-paid"].queue.state is OrderState.COMPLETED
    assert orders["w-declined"].queue.state is OrderState.FAILED
    assert orders["w-silent"].queue.tasks[0].state is State.MANUAL_CHECK
    return orders


def corrupt(database_url, *statements):
    """Change rows as no program of ours could: without triggers and foreign keys."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        for statement, *parameters in statements:
            connection.execute(statement, parameters)


def rewrite(database_url, entity_id, *, by, **changes):
    """Write a trail as who has these keys would: every hash is right again."""
    read = (
        "SELECT entity_id::text, version, queue_id::text, source, "
        "target, trigger, actor, at, trace_id, detail, key_id, hash "
        "FROM order_task_events WHERE entity_id = %s ORDER BY version"
    )
    write = (
        "UPDATE order_task_events SET actor = %s, at = %s, key_id = %s, hash = %s "
        "WHERE entity_id = %s AND version = %s"
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        head = GENESIS
        lines = connection.execute(read, [entity_id]).fetchall()
        for line in map(Line._make, lines):
            forged = line._replace(key_id=by.signer, **changes)
            head = hash_of(forged, head, by)
            values = [forged.actor, forged.at, by.signer, head]
            values += [entity_id, forged.version]
            connection.execute(write, values)
        of_task = "UPDATE order_tasks SET audit_hash = %s WHERE task_id = %s"
        connection.execute(of_task, [head, entity_id])
