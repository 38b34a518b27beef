"""A running service with work for persons, and shells that have keys to it or not."""

import asyncio
import hashlib
import json
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psycopg

from fsm.domain.orders import Order
from fsm.domain.webhook_events import WebhookEvent, WebhookEventType
from handlers.inbox import keep
from handlers.webhook import WebhookHint, webhook_received
from tests.cli.stage import SECONDS_MAX, SECRET, TABLE, TOKEN, Here, Shell, with_world

FOUR_EYES_FROM = 1_000_000
LARGE = 2_000_000
SMALL = 12_550
ROLES = {
    "anna": "support",
    "bert": "support",
    "boss": "admin",
    "annas-other": "support",
    "shop": "upstream",
    "other-shop": "upstream",
    "guest": "viewer",
}
ATTRIBUTES = {
    "annas-other": ":person=anna",
    "shop": ":merchants=m-1",
    "other-shop": ":merchants=m-2",
}
PERSONAL = {"name": "Ann Other"}
WHY = ("--reason", "seen in the bank's statement")


@dataclass
class Desk:
    """The service's settings, its keys, and a way to look at its rows."""

    folder: Path
    url: str
    env: dict[str, str]
    keys: dict[str, str]
    port: int = 0
    orders: dict[int | str, list[Order]] = field(default_factory=dict)

    def holding(self, name, kind=Here, **more):
        """Return a shell with a key and nothing else: no database, no configuration."""
        folder = self.folder / f"only-{name}"
        folder.mkdir(exist_ok=True)
        return kind(folder, {**self.access(name), **more})

    def access(self, name):
        return {
            "PAYMENT_API_URL": f"http://127.0.0.1:{self.port}",
            "PAYMENT_API_KEY": self.keys[name],
        }

    def bare(self, kind=Here, **more):
        """Return a shell on the service's machine: all of its settings, and no key."""
        return kind(self.folder, {**self.env, **more})

    def check(self, amount=SMALL):
        """Return the order of a manual check that no other test has seen."""
        return self.orders[amount].pop()

    def row(self, task_id):
        """Return what a decision about a task would change, and its version."""
        return self.one(
            "SELECT state, waiting_for, verdict, cancel_requested, proposed_by, "
            "version FROM order_tasks WHERE task_id = %s",
            task_id,
        )

    def lines(self, queue_id):
        """Return (trigger, actor) of the whole order's own lines, and of its tasks'."""
        asked = (
            "SELECT trigger, actor, detail FROM order_task_events WHERE queue_id = %s "
            "ORDER BY at, version"
        )
        with psycopg.connect(self.url) as connection:
            return connection.execute(asked, [queue_id]).fetchall()

    def case(self, case_id):
        asked = "SELECT state, owner, closed_by FROM cases WHERE id = %s"
        return self.one(asked, case_id)

    def one(self, asked, *given):
        """Return the one row that a question finds."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(asked, given).fetchone()


@contextmanager
def opened(folder, url, nats_url, prefix):
    """Run the API on this database, with orders that wait for persons."""
    keys = {name: f"{name}-{secrets.token_hex(16)}" for name in ROLES}
    (folder / "payment.toml").write_text(
        "".join(
            TABLE.format(name=name, url="http://127.0.0.1:1")
            for name in ("acme", "zeta", "nova")
        )
    )
    env = {
        "PAYMENT_DATABASE_URL": url,
        "PAYMENT_NATS_URL": nats_url,
        "PAYMENT_SUBJECT_PREFIX": prefix,
        "PAYMENT_CORE_URL": "http://127.0.0.1:1",
        "PAYMENT_CORE_TOKEN": TOKEN,
        "PAYMENT_HTTP_PORT": "0",
        "PAYMENT_FOUR_EYES_FROM": str(FOUR_EYES_FROM),
        "PAYMENT_API_KEYS": ",".join(
            f"{name}:{role}:{hashlib.sha256(keys[name].encode()).hexdigest()}"
            + ATTRIBUTES.get(name, "")
            for name, role in ROLES.items()
        ),
        "SECRET_OF_PROVIDERS": SECRET,
    }
    desk = Desk(folder, url, env, keys, orders=asyncio.run(with_world(url, _work)))
    process = Shell(folder, env).start("run", "--roles", "api")
    try:
        desk.port = _port(process)
        yield desk
    finally:
        process.kill()
        process.communicate(timeout=SECONDS_MAX)


def _port(process):
    for line in process.stdout:
        if "service.started" in line:
            return json.loads(line)["port"]
    raise AssertionError(process.communicate())


async def _work(world):
    """Make manual checks, small and large, and payouts that came back."""
    made = await asyncio.gather(
        *(
            world.order(f"{kind}-{number}", script, amount=amount)
            for kind, script, amount, count in (
                ("small", "accept_silence", SMALL, 11),
                ("large", "accept_silence", LARGE, 7),
                ("back", "succeed", SMALL, 5),
                ("back-large", "succeed", LARGE, 1),
            )
            for number in range(count)
        )
    )
    small, large, back = made[:11], made[11:18], made[18:]
    for number, order in enumerate(back):
        await _come_back(world, order, f"evt-{number}")
    over = [
        await world.order(f"over-{number}", customer_id=customer, metadata=PERSONAL)
        for number, customer in enumerate(("c-one", "c-all", "c-all", "c-half"))
    ]
    over.append(await world.order("over-4", "accept_silence", customer_id="c-half"))
    return {
        SMALL: small,
        LARGE: large,
        "back": back[:3],
        "back-shown": back[3:5],
        "back-large": back[5:],
        "over": over,
    }


async def _come_back(world, order, event_id):
    webhook = WebhookEvent(
        provider="acme",
        event_id=event_id,
        type=WebhookEventType.RETURNED,
        reference=order.queue.tasks[0].task_id,
        received_at=world.ports.clock.now() + timedelta(seconds=1),
        content_hash=event_id.encode(),
    )
    await keep(webhook, ports=world.ports)
    await webhook_received(
        WebhookHint(provider="acme", event_id=event_id), again=False, ports=world.ports
    )
