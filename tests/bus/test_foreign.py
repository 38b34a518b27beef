"""Whatever bytes a sender writes, it is delivered, and so is what comes after it."""

import asyncio
from base64 import b64decode
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from nats.aio.client import Client
from nats.errors import ProtocolError

from fsm.domain.messages import STEP_DUE
from handlers.ports.outcomes import Park
from payment_service.bus.nats_client import NatsClient
from payment_service.bus.protocol import RAW_HEADERS, headers_of, number_of, text_of
from payment_service.bus.reader import FrameReader
from payment_service.bus.unrouted import dead_letter_unrouted
from tests.bus.raw import block, raw
from tests.bus.stage import Stage, a_message, is_empty, soon

ODD_SUBJECTS = [
    b"order.task.step.\xff",
    b"order.task.step.\x00",
    b"order.task.step.\x0bx",
    b"order.task.step.a\x0c7",
    b"order.task.step.\xc2\x85",
    "order.task.step.ключ".encode(),
    b"order.task.step." + b"x" * 3000,
]
ODD_HEADERS = [
    block(b"X-Odd: \xff\xfe"),
    block(b"X-Odd: a\x00b"),
    block(b"\x00: \x00"),
    block(b"no colon at all"),
    block(b"Status: 503"),
    b"NATS/1.0 503 nobody\r\n\r\n",
    b"\r\n\r\n",
]


@pytest.fixture
def speaking(nats_server, names):
    @asynccontextmanager
    async def speaking():
        async with raw(nats_server.url) as speaker:

            async def say(subject, *arguments, **changes):
                prefix = f"{names.prefix}.".encode()
                await speaker.publish(prefix + subject, *arguments, **changes)

            yield say

    return speaking


@pytest.mark.attack("bus", "The reader survives subjects that are no text")
@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize("subject", ODD_SUBJECTS, ids=lambda each: ascii(each[:24]))
async def test_a_message_with_an_odd_subject_is_delivered_once_and_then_gone(
    api, wire, names, tasks, publisher, speaking, subject
):
    stage = Stage(Park(because="no such subject"))
    async with stage.running(wire, names), speaking() as say:
        await say(subject)
        delivery, _ = await soon(stage.deliveries.get())
        await soon(stage.handled.get())
        await publisher.publish([a_message()])
        following, _ = await soon(stage.deliveries.get())
        await soon(stage.handled.get())

    assert delivery.subject == text_of(subject)
    assert "\0" not in delivery.subject
    assert following.subject == STEP_DUE
    assert wire.stats["reconnects"] == 0
    assert await is_empty(api, tasks)


@pytest.mark.attack("bus", "The reader survives headers of any bytes, which are kept")
@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize("headers", ODD_HEADERS, ids=lambda each: ascii(each[:24]))
async def test_a_message_with_odd_headers_is_delivered(
    api, wire, names, tasks, speaking, headers
):
    stage = Stage()
    async with stage.running(wire, names), speaking() as say:
        await say(STEP_DUE.encode(), b"body", headers=headers)
        delivery, _ = await soon(stage.deliveries.get())
        await soon(stage.handled.get())

    assert delivery.body == b"body"
    assert "\0" not in str(delivery.headers)
    assert wire.stats["reconnects"] == 0
    assert await is_empty(api, tasks)


def test_the_bytes_of_headers_that_are_no_text_are_kept():
    sent = block(b"X-Odd: \xff\x00", b"traceparent: 00-a-b-01")

    found = headers_of(sent)

    assert found["X-Odd"] == r"\xff\x00"
    assert found["traceparent"] == "00-a-b-01"
    assert b64decode(found[RAW_HEADERS]) == sent
    assert RAW_HEADERS not in headers_of(block(b"X-Plain: yes"))


@pytest.mark.parametrize("text", ["", "²", "-1", "1_0", "9" * 5000, "٣"])
def test_what_is_no_number_is_none(text):
    assert number_of(text) is None


@pytest.mark.attack("bus", "What no consumer takes is found in the stream and buried")
@pytest.mark.usefixtures("streams")
async def test_an_illegible_stray_is_buried_among_those_that_are_taken(
    api, names, tasks, publisher, speaking, topology
):
    letters = []

    async def dead_letter(delivery, *_):
        letters.append(delivery)

    await publisher.publish([a_message() for _ in range(3)])
    async with speaking() as say:
        await say(b"order.task.\xff.\xfe", b"whoever it was")

    assert (
        await dead_letter_unrouted(
            api, names, topology, dead_letter, age_min=timedelta(0)
        )
        == 1
    )
    assert letters[0].body == b"whoever it was"
    assert (await api.call(f"STREAM.INFO.{tasks}"))["state"]["messages"] == 3


@pytest.mark.attack("bus", "A forged answer in an inbox of ours ends nothing")
@pytest.mark.usefixtures("streams")
async def test_a_forged_frame_in_an_inbox_ends_nothing(
    wire, names, publisher, nats_server
):
    stage = Stage()
    pulls = f"{wire._inbox_prefix.decode()}.".encode()
    async with stage.running(wire, names) as consumer, raw(nats_server.url) as speaker:
        inboxes = [consumer._pulls._inbox, publisher._inbox, wire._inbox]
        for inbox in inboxes:
            assert inbox.encode().startswith(pulls)
            for token in (b"1", b"0", b"\xff", b"9" * 3000, "²".encode()):
                subject = inbox.encode() + token
                await speaker.publish(subject, b"[]")
                await speaker.publish(subject, b'{"error": 5}', reply=b"$JS.ACK.x")
                status = b"NATS/1.0 409 \xff\r\nNats-Pending-Messages: \xc2\xb2\r\n\r\n"
                await speaker.publish(subject, b"", headers=status)
        assert await publisher.publish([a_message()]) == [True]
        await soon(stage.handled.get())

    assert wire.is_connected
    assert wire.stats["reconnects"] == 0


async def test_a_receiver_that_raises_ends_nothing(wire):
    stumbled: list[str] = []
    heard = asyncio.Event()
    wire.on_unreadable.append(stumbled.append)

    def receive(_subject, _reply, body, _headers):
        if body == b"odd":
            raise ValueError("this one")
        heard.set()

    inbox = wire.new_inbox()
    await wire.subscribe_raw(inbox, receive)
    await wire.publish(inbox, b"odd")
    await wire.publish(inbox, b"plain")

    await soon(heard.wait())
    assert stumbled == ["ValueError: this one"]


@pytest.mark.attack(
    "bus", "A reader that ended counts as disconnected at once, and comes back"
)
async def test_a_reader_that_ended_counts_as_disconnected_and_comes_back(wire):
    back = asyncio.Event()
    wire.on_reconnected.append(back.set)

    wire._reading_task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert not wire.is_connected
    await soon(back.wait())
    await wire.round_trip(5)
    assert wire.is_connected


# The reader by itself.


class Heard(Client):
    """Takes what the reader hands on."""

    def __init__(self):
        super().__init__()
        self.frames = []

    async def _process_msg(self, *frame):
        self.frames.append(frame)

    async def _process_ping(self):
        self.frames.append("ping")

    async def _process_pong(self):
        self.frames.append("pong")

    async def _process_err(self, said):
        self.frames.append(said)

    async def _process_info(self, info, initial_connection=False):
        assert not initial_connection
        self.frames.append(info)


async def read(*pieces):
    heard = Heard()
    reader = FrameReader(heard)
    for piece in pieces:
        await reader.parse(piece)
    return heard.frames


STREAM = (
    b'INFO {"version": "2.12.0"}\r\n+OK\r\nPING\r\nPONG\r\n-ERR \r\n'
    b"-ERR 'Permissions Violation for Publish to \"\xff\"'\r\n"
    b"MSG a.\x0b.\xff 7 2\r\n\r\n\r\n"
    b"MSG a 7 reply.to 3\r\nabc\r\n"
    b"HMSG a 7 reply.to 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
    b"MSG  a\t7  0\r\n\r\n"
)


@pytest.mark.parametrize("size", [1, 2, 7, len(STREAM)])
async def test_frames_are_read_however_they_are_cut(size):
    pieces = [STREAM[n : n + size] for n in range(0, len(STREAM), size)]

    assert await read(*pieces) == [
        {"version": "2.12.0"},
        "ping",
        "pong",
        "",
        "'permissions violation for publish to \"\ufffd\"'",
        (7, b"a.\x0b.\xff", b"", b"\r\n", None),
        (7, b"a", b"reply.to", b"abc", None),
        (7, b"a", b"reply.to", b"hi", b"NATS/1.0\r\n\r\n"),
        (7, b"a", b"", b"", None),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"MSG\r\n",
        b"MSG a b 1\r\n",
        b"MSG a 1 r s 1\r\n",
        b"HMSG a 1 r 9 3\r\n",
        b"MSG a 1 -5\r\n",
        b"INFO [\r\n",
        b"HELLO\r\n",
        b"x" * 70_000,
    ],
    ids=lambda line: ascii(line[:16]),
)
async def test_what_no_server_says_ends_the_connection(line):
    with pytest.raises(ProtocolError):
        await read(line)


def test_the_client_reads_with_it():
    assert isinstance(NatsClient()._ps, FrameReader)
