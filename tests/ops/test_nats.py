"""The configuration of NATS that is shipped: who may do what on a real server."""

import asyncio
import re
import socket
import urllib.request
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import nats
import pytest
from nats.errors import Error as NatsError

from fsm.domain.errors import BusUnavailable
from payment_service.bus import (
    Access,
    JetStreamApi,
    JetStreamPublisher,
    Names,
    connect,
    ensure,
    probe,
    wanted,
)
from payment_service.bus.blueprint import blueprint
from tests.bus.servers import serving
from tests.bus.stage import a_message, forget, soon

FILE = Path(__file__).parents[2] / "ops" / "nats" / "nats.conf"
TEXT = FILE.read_text()
NAMES = Names("")
TOPOLOGY = wanted(NAMES, replicas=1, ack_wait=timedelta(seconds=30))
OURS = Access(inbox_prefix="_INBOX_payment")
USERS = ("payment", "upstream", "operator")
REQUESTS = ("withdrawal.requested", "withdrawal.cancel.requested", "shadow.outcome")


@pytest.fixture(scope="module")
def monitor():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def server(monitor):
    text = TEXT.replace("/data", "STORE").replace(":8222", f":{monitor}")
    text = text.replace("listen: 0.0.0.0:4222\n", "")
    # What the environment says elsewhere.
    known = "".join(f"NATS_{who.upper()}_PASSWORD: pw-of-{who}\n" for who in USERS)
    with serving(known + text) as running:
        yield running


@asynccontextmanager
async def ours(server):
    url = server.url_of("payment:pw-of-payment")
    wire = await connect([url], name="t", on_closed=forget, access=OURS)
    try:
        yield wire
    finally:
        await wire.close()


@asynccontextmanager
async def upstream(server):
    refused: asyncio.Queue[str] = asyncio.Queue()

    async def hear(error):
        refused.put_nowait(str(error))

    client = await nats.connect(server.url_of("upstream:pw-of-upstream"), error_cb=hear)
    try:
        yield client, refused
    finally:
        await client.close()


def printed(block):
    """Return what the file allows to publish and to hear, of one block."""
    (found,) = re.findall(rf"^{block}: \{{\n(.*?)^\}}", TEXT, re.DOTALL | re.MULTILINE)
    publish, subscribe = re.sub(r"^ *#.*", "", found, flags=re.MULTILINE).split(
        "subscribe"
    )
    return [set(re.findall('"([^"]+)"', part)) for part in (publish, subscribe)]


def test_the_service_has_the_rights_that_are_printed_and_no_other():
    rights = blueprint(OURS, NAMES, TOPOLOGY)["permissions"]

    publish, subscribe = printed("SERVICE")

    assert publish == {*rights["publish"], *rights["make"]}
    assert subscribe == set(rights["subscribe"])


async def test_the_service_makes_and_finds_all_that_it_needs(server):
    async with ours(server) as wire:
        await ensure(JetStreamApi(wire), TOPOLOGY)

        assert await ensure(JetStreamApi(wire), TOPOLOGY) == ()
        assert await probe(wire, NAMES, TOPOLOGY) == frozenset()


@pytest.mark.attack("port", "The shipped NATS takes no connection without credentials")
async def test_nobody_comes_in_without_a_name(server):
    with pytest.raises(BusUnavailable, match="Authorization Violation"):
        await connect([server.url], name="t", on_closed=forget, seconds_max=2)


async def test_the_public_side_asks_and_hears_what_happens(server):
    async with ours(server) as wire, upstream(server) as (client, refused):
        await ensure(JetStreamApi(wire), TOPOLOGY)
        heard = await client.subscribe("order.event.>")
        inbox = client.new_inbox()
        answers = await client.subscribe(inbox)
        await client.flush()
        for subject in REQUESTS:
            stored = await client.jetstream().publish(subject, b"{}")
            assert stored.stream == "PAYMENT_REQUESTS"

        publisher = JetStreamPublisher(
            wire, NAMES, schedules=True, on_refused=lambda *_: None
        )
        await publisher.start()
        event = a_message("order.event.withdrawal.failed", b"{}")
        assert list(await publisher.publish([event])) == [True]
        await publisher.reply(inbox, b"accepted")

        assert (await heard.next_msg(timeout=5)).subject == event.subject
        assert (await answers.next_msg(timeout=5)).data == b"accepted"
        assert refused.empty()


@pytest.mark.attack(
    "requests", "The shipped permissions let the public side publish requests alone"
)
@pytest.mark.parametrize(
    "subject",
    [
        "order.task.webhook.received",
        "order.task.cancel.requested",
        "order.task.step.due",
        "order.queue.cancel.requested",
        "order.event.withdrawal.completed",
        "order.task.dlq",
        "order.timer.x.1",
        "$JS.API.STREAM.CREATE.MINE",
        "$JS.API.STREAM.DELETE.ORDER_TASKS",
        "$JS.API.STREAM.PURGE.ORDER_TASKS",
        "$JS.API.CONSUMER.CREATE.ORDER_TASKS.mine",
        "$JS.API.STREAM.MSG.GET.PAYMENT_REQUESTS",
        "$JS.API.CONSUMER.MSG.NEXT.ORDER_TASKS.payment-tasks",
        "$JS.ACK.ORDER_TASKS.payment-tasks.1.1.1.1.1",
        "_INBOX.somebody",
        "_INBOX_payment.x",
        "$SYS.REQ.SERVER.PING",
    ],
)
async def test_the_public_side_may_not_publish_there(server, subject):
    async with upstream(server) as (client, refused):
        await client.publish(subject, b"{}")

        assert (
            "permissions violation for publish" in (await soon(refused.get())).lower()
        )


@pytest.mark.attack(
    "requests",
    "The shipped permissions let the public side hear events and its own answers alone",
)
@pytest.mark.parametrize(
    "subject",
    [
        ">",
        "order.>",
        "order.task.>",
        "withdrawal.requested",
        "_INBOX_payment.>",
        "$JS.>",
    ],
)
async def test_the_public_side_may_not_listen_there(server, subject):
    async with upstream(server) as (client, refused):
        await client.subscribe(subject)

        assert (
            "permissions violation for subscription"
            in (await soon(refused.get())).lower()
        )


@pytest.mark.parametrize(
    "subject",
    [
        "$JS.API.STREAM.DELETE.ORDER_TASKS",
        "$JS.API.STREAM.PURGE.ORDER_DLQ",
        "elsewhere",
    ],
)
async def test_the_service_itself_may_not_do_more(server, subject):
    client = await nats.connect(
        server.url_of("payment:pw-of-payment"), inbox_prefix=b"_INBOX_payment"
    )
    try:
        with pytest.raises(NatsError):
            await client.request(subject, b"{}", timeout=0.5)
    finally:
        await client.close()


@pytest.mark.attack(
    "port", "The shipped NATS shows its monitor to its own machine alone"
)
def test_the_monitor_listens_to_this_machine_alone(server, monitor):
    with urllib.request.urlopen(f"http://127.0.0.1:{monitor}/healthz") as answer:
        assert answer.status == 200
    listening = {
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{monitor:04X}")
    }
    assert listening == {f"0100007F:{monitor:04X}"}
    assert server.running
